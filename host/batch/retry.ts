import type { Executions } from './executions.ts'
import type { Versions } from './versions.ts'

/** Asks the access log once more, from the place of the round on. */
export interface Told {
  /** Calls `visit` for each of these transactions, which ascend, when the pass over the log stands before it. */
  at(transactions: ArrayLike<number>, visit: (n: number, versions: Versions) => void): void
}

/**
 * A round of one tier after its first: transactions whose executions did not read what stands before them run again,
 * each on what it should have read. Filled in one pass over the access log, in the order of transactions.
 */
export interface Retry {
  readonly count: number
  /**
   * Adds transaction i, whose execution in this lane does not hold; what it should have read is asked of `versions`.
   */
  add(i: number, lane: number, executions: Executions, versions: Versions): void
  /** Microseconds that the round takes, and those that it saves where each of them holds after it. */
  readonly costUs: number
  readonly savesUs: number
  /** Runs the round. False: nothing was run, and nothing would be in another one of this batch. */
  run(told: Told): Promise<boolean>
}
