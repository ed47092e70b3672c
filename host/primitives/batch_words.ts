import type { ColumnMemory } from './column_memory.ts'

/** Of a block in the memory of the tables at least: 4 MiB. */
const BLOCK_WORDS = 1 << 20

/**
 * Words that last as long as a batch, which the next batch takes again: in fresh ones, what comes back of a device
 * would be faulted in page by page, and be garbage. In the memory of the tables where that has room, so modules pass
 * over them where they lie.
 */
export class BatchWords {
  #memory: ColumnMemory | undefined
  #blocks: Uint32Array[] = []
  /** The block that gives, and its words that are taken. */
  #block = 0
  #taken = 0

  /** What the batch before took is free. Without a memory of columns nothing of it is kept. */
  begin(memory?: ColumnMemory): void {
    if (memory === undefined || memory !== this.#memory) this.#blocks = []
    this.#memory = memory
    this.#block = 0
    this.#taken = 0
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
    const least = this.#memory === undefined ? 0 : BLOCK_WORDS
    const words = Math.max(length, least)
    this.#blocks.push(this.#memory?.wordsWithin(words) ?? new Uint32Array(words))
    return this.take(length)
  }
}
