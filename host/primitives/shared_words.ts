/** Where arrays of words lie. */
export interface WordMemory {
  /** Zeroed words. They are never given to another caller, so a view of them may be kept. */
  words(length: number): Uint32Array
  /** Whether other threads can read them. */
  readonly isShared: boolean
}

export const PRIVATE_MEMORY: WordMemory = { words: (length) => new Uint32Array(length), isShared: false }

export const SHARED_MEMORY: WordMemory = {
  words: (length) => new Uint32Array(new SharedArrayBuffer(4 * length)),
  isShared: true,
}

/** The words with room for `length` of them. */
export const grown = (from: Uint32Array, length: number, memory: WordMemory = PRIVATE_MEMORY): Uint32Array => {
  const to = memory.words(length)
  to.set(from)
  return to
}

export const byteLengths = (...views: readonly ArrayBufferView[]): number =>
  views.reduce((sum, { byteLength }) => sum + byteLength, 0)

/** The words in another memory. */
export const movedTo = (memory: WordMemory, from: Uint32Array): Uint32Array => grown(from, from.length, memory)
