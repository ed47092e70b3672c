/** Zeroed memory of an arena, which threads share where the platform has such memory. */
export const arenaMemory = (sizeBytes: number): ArrayBufferLike =>
  typeof SharedArrayBuffer === 'undefined' ? new ArrayBuffer(sizeBytes) : new SharedArrayBuffer(sizeBytes)

export const arenaWords = (length: number): Uint32Array => new Uint32Array(arenaMemory(4 * length))

export const arenaInts = (length: number): Int32Array => new Int32Array(arenaMemory(4 * length))
