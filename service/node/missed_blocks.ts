import { type InclusionTerms, isOpen } from './inclusion_terms.ts'
import type { PoolEntry } from './pool_entry.ts'

/** Heads that a transaction with terms sees go by, of those that its ranges allow. */
export const MOST_MISSED = 32

/**
 * How often a block could have had a transaction by the ranges of its terms, and did not. Terms that never hold cost
 * their sender nothing, and the builder a look, or a build of the block, each time: they are given up after so many.
 */
export class MissedBlocks {
  readonly #counts = new WeakMap<PoolEntry, number>()

  /** Notes that a head has come without the transaction; whether it was the last that it waits for. */
  note(
    entry: PoolEntry & { readonly terms: InclusionTerms },
    { number, timestamp }: { readonly number: bigint; readonly timestamp: bigint },
  ): boolean {
    if (!isOpen(entry.terms, { number, timestamp, flashblock: undefined })) return false
    const count = (this.#counts.get(entry) ?? 0) + 1
    this.#counts.set(entry, count)
    return count >= MOST_MISSED
  }
}
