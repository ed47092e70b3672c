import { IdSet } from './id_set.ts'

/**
 * Which row each write probably goes to, by the index alone. Rows of a large trie are not in any cache: guessing keeps
 * many misses of the index in flight at once, and going to the guessed rows in their order meets each page once.
 */
export class GuessedLeaves {
  readonly #leaves = new IdSet()
  #writes = new Int32Array(0)

  get sizeBytes(): number {
    return this.#leaves.sizeBytes + this.#writes.byteLength
  }

  /** Nothing is guessed. */
  begin(): this {
    this.#leaves.clear()
    return this
  }

  /** Notes a guess, unless it is -1 or was made for another write. Returns whether it was noted. */
  add(leaf: number, write: number): boolean {
    if (leaf < 0 || !this.#leaves.add(leaf)) return false
    if (leaf >= this.#writes.length) {
      const writes = new Int32Array(2 * leaf + 64)
      writes.set(this.#writes)
      this.#writes = writes
    }
    this.#writes[leaf] = write
    return true
  }

  /** Ascending. */
  leaves(): Int32Array {
    return this.#leaves.ids()
  }

  writeOf(leaf: number): number {
    return this.#writes[leaf]!
  }
}
