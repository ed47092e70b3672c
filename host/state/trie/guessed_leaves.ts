import { LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { IdSet } from './id_set.ts'
import { LEAF_LIMBS } from './leaf_rows.ts'

/** Rows whose misses are in flight at once. */
const AHEAD = 32

/**
 * Which row each write probably goes to, by the index alone. Rows of a large trie are not in any cache: guessing keeps
 * many misses of the index in flight at once, and going to the guessed rows in their order meets each page once.
 */
export class GuessedLeaves {
  readonly #leaves = new IdSet()
  #writes = new Int32Array(0)
  /** Of what was read ahead: a sum that is kept, so that the reads are. */
  #met = 0

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

  /**
   * Before row leaves[n] is gone to: reads of the next rows, both cache lines, and of the names and values of their
   * writes, at every so many. Misses that would come one after the other are in flight at once.
   */
  meet(leaves: Int32Array, n: number, rows: Uint32Array, names: Uint32Array, limbs: number, values: Uint32Array): void {
    if (n % AHEAD !== 0) return
    let met = this.#met
    for (let m = n; m < Math.min(leaves.length, n + AHEAD); m++) {
      const row = LEAF_LIMBS * leaves[m]!
      const write = this.#writes[leaves[m]!]!
      met ^= rows[row]! ^ rows[row + LEAF_LIMBS / 2]! ^ names[limbs * write]! ^ values[LIMBS_PER_WORD * write]!
    }
    this.#met = met
  }

  writeOf(leaf: number): number {
    return this.#writes[leaf]!
  }
}
