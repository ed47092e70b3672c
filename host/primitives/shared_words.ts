/** Zeroed words, in memory that threads share where `shared`. */
export const newWords = (length: number, shared: boolean): Uint32Array =>
  new Uint32Array(shared ? new SharedArrayBuffer(4 * length) : new ArrayBuffer(4 * length))

/** No array is shared where the platform has no shared memory. */
export const isShared = ({ buffer }: ArrayBufferView): boolean =>
  typeof SharedArrayBuffer !== 'undefined' && buffer instanceof SharedArrayBuffer

/** The words with room for `length` of them, shared where they were. */
export const grown = (from: Uint32Array, length: number): Uint32Array => {
  const to = newWords(length, isShared(from))
  to.set(from)
  return to
}

/** The words in memory that threads share. */
export const sharedCopy = (from: Uint32Array): Uint32Array => {
  if (isShared(from)) return from
  const to = newWords(from.length, true)
  to.set(from)
  return to
}

export const byteLengths = (...views: readonly ArrayBufferView[]): number =>
  views.reduce((sum, { byteLength }) => sum + byteLength, 0)
