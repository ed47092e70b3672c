import type { ColumnMemory } from './column_memory.ts'

/** Of a block at least: 4 MiB. */
const BLOCK_WORDS = 1 << 20

/**
 * Words that last as long as a batch, which the next batch takes again: in fresh ones, what comes back of a device would
 * be faulted in page by page, and be garbage. In the memory of the tables where that has room, so modules pass over them
 * where they lie.
 */
export class BatchWords {
  #memory: ColumnMemory | undefined
  #blocks: Uint32Array[] = []
  /** The block that gives, and its words that are taken. */
  #block = 0
  #taken = 0

  /** What the batch before took is free. */
  begin(memory?: ColumnMemory): void {
    if (memory !== this.#memory) this.#blocks = []
    this.#memory = memory
    this.#block = 0
    this.#taken = 0
  }

  /** Bytes that it keeps outside the memory of the tables. */
  get sizeBytes(): number {
    let bytes = 0
    for (const block of this.#blocks) if (block.buffer !== this.#memory?.memory.buffer) bytes += block.byteLength
    return bytes
  }

  /** So many words, which hold anything. */
  take(length: number): Uint32Array {
    for (; this.#block < this.#blocks.length; this.#block++, this.#taken = 0) {
      const block = this.#blocks[this.#block]!
      if (this.#taken + length > block.length) continue
      const from = this.#taken
      // A cache line, as in the memory of the tables.
      this.#taken += (length + 15) & -16
      return block.subarray(from, from + length)
    }
    const most = Math.max(length, BLOCK_WORDS)
    this.#blocks.push(this.#memory?.wordsWithin(most) ?? new Uint32Array(most))
    return this.take(length)
  }
}
