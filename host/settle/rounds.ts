import { hasEnded, type OpenBatch, OUTCOME_NONE } from '../batch/open_batch.ts'
import type { Retry } from '../batch/retry.ts'
import type { SlotTable } from '../state/tables/slot_table.ts'
import { AccessLog } from './access_log.ts'
import type { ListedVersions } from './listed_versions.ts'
import { RoundPacer } from './pacer.ts'

/** A tier whose transactions may run again. */
export interface RetryingTier {
  /** Whether another run on other values may mend what keeps transaction i from standing. */
  mends(i: number): boolean
  /** A round without transactions. */
  retry(): Retry
}

/**
 * Rounds after the first. When the sweep meets a transaction that read what a transaction before it wrote, all those
 * after it that did so, too, and were executed by the same tier run again together, on the versions that the access log
 * resolves their reads to, as long as that pays (RoundPacer).
 */
export class Rounds {
  /** Wall milliseconds spent on resolving the log. */
  resolveMs = 0
  readonly #batch: OpenBatch
  readonly #log: AccessLog
  readonly #always: boolean
  readonly #tiers: ReadonlyMap<number, RetryingTier>
  readonly #pacers = new Map<number, RoundPacer>()

  /** `tiers`: by the number of the tier (OpenBatch.tier). `always`: rounds whatever they cost. */
  constructor(batch: OpenBatch, slots: SlotTable, tiers: ReadonlyMap<number, RetryingTier>, always: boolean) {
    this.#batch = batch
    this.#log = new AccessLog(slots)
    this.#tiers = tiers
    this.#always = always
  }

  /** Rounds of all tiers. */
  get rounds(): number {
    let sum = 0
    for (const { rounds } of this.#pacers.values()) sum += rounds
    return sum
  }

  /** Reads are resolved to what a block access list says from now on: one round then makes all of them valid. */
  believe(listed: ListedVersions): void {
    this.#log.listed = listed
  }

  /**
   * Runs rounds for the transactions of [i, end), at whose first the sweep stands. True where it has another execution
   * now.
   */
  async run(i: number, end: number): Promise<boolean> {
    const { tier, executionOf } = this.#batch
    const number = tier[i]!
    const retrying = this.#tiers.get(number)
    if (retrying === undefined || !retrying.mends(i)) return false
    const pacer = this.#pacerOf(number)
    if (pacer.passes()) return false
    const before = executionOf[i]
    const log = this.#log
    const told = {
      at: (transactions: ArrayLike<number>, visit: Parameters<AccessLog['resolveAt']>[3]) =>
        log.resolveAt(this.#batch, i, transactions, visit),
    }
    let round = this.#resolve(number, i, end, retrying.retry())
    if (!pacer.pays(round)) {
      pacer.afterNone(round.count)
      return false
    }
    for (;;) {
      if (!(await round.run(told))) {
        pacer.end()
        break
      }
      pacer.rounds++
      const left = this.#resolve(number, i, end, retrying.retry())
      if (!pacer.paid(round, left)) {
        pacer.afterVain()
        break
      }
      if (!pacer.pays(left) || pacer.isDone) break
      round = left
    }
    return tier[i] === number && hasEnded(this.#batch, i) && executionOf[i] !== before
  }

  #pacerOf(tier: number): RoundPacer {
    let pacer = this.#pacers.get(tier)
    if (pacer === undefined) {
      pacer = new RoundPacer(this.#always)
      this.#pacers.set(tier, pacer)
    }
    return pacer
  }

  /** Fills the round with the transactions of a tier whose reads do not resolve to what they read. */
  #resolve(tier: number, first: number, end: number, round: Retry): Retry {
    const startedMs = performance.now()
    const { tier: tiers, outcome } = this.#batch
    this.#log.resolve(this.#batch, first, end, (i, lane, executions, versions) => {
      if (tiers[i] !== tier || outcome[i] !== OUTCOME_NONE) return
      if (!executions.holdsOn(lane, versions)) round.add(i, lane, executions, versions)
    })
    this.resolveMs += performance.now() - startedMs
    return round
  }
}
