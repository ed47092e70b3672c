import { costOfTerms, type InclusionTerms } from './inclusion_terms.ts'
import type { PoolEntry } from './pool_entry.ts'

/** Look-ups of all terms that are kept, each transaction counted as one more. */
const MOST_KEPT = 1 << 16

/** Terms of transactions that blocks took: they hold as well where such a block leaves the chain again. */
export class PastTerms {
  /** By hash of the transaction, the oldest first. */
  readonly #kept = new Map<string, InclusionTerms>()
  #cost = 0

  /** Keeps the terms of a transaction that leaves the pool with a block; one without has none any more. */
  keep({ hash, terms }: PoolEntry): void {
    this.#forget(hash)
    if (terms === undefined) return
    this.#kept.set(hash, terms)
    this.#cost += weight(terms)
    for (const oldest of this.#kept.keys()) {
      if (this.#cost <= MOST_KEPT) return
      this.#forget(oldest)
    }
  }

  #forget(hash: string): void {
    const terms = this.#kept.get(hash)
    if (terms === undefined) return
    this.#kept.delete(hash)
    this.#cost -= weight(terms)
  }

  of(hash: string): InclusionTerms | undefined {
    return this.#kept.get(hash)
  }
}

const weight = (terms: InclusionTerms): number => 1 + costOfTerms(terms)
