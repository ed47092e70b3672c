import { hasEnded, type OpenBatch, OUTCOME_NONE } from '../batch/open_batch.ts'
import type { Retry } from '../batch/retry.ts'
import type { SlotTable } from '../state/tables/slot_table.ts'
import { AccessLog } from './access_log.ts'
import type { ListedVersions } from './listed_versions.ts'
import { RoundPacer, type Stale } from './pacer.ts'

/** A tier whose transactions may run again. */
export interface RetryingTier {
  /** Whether another run on other values may mend what keeps transaction i from standing. */
  mends(i: number): boolean
  /** A round without transactions. */
  retry(): Retry
}

/**
 * Rounds after the first. When the sweep meets a transaction that read what a transaction before it wrote, those after
 * it that did so, too, and were executed by the same tier run again together, on the versions that the access log
 * resolves their reads to, as long as that pays (RoundPacer). One that waits for what another one of them will write
 * comes in a later round: no transaction runs again on values that are known to be stale.
 */
export class Rounds {
  /** Wall milliseconds spent on resolving the log. */
  resolveMs = 0
  readonly #batch: OpenBatch
  readonly #log: AccessLog
  readonly #always: boolean
  readonly #tiers: ReadonlyMap<number, RetryingTier>
  readonly #pacers = new Map<number, RoundPacer>()
  /** By transaction: the last round that it ran in, of those of this batch; undefined before the first. */
  #ranIn: Uint32Array | undefined
  #last = 0

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
    let stale = this.#resolve(number, i, end, retrying)
    while (pacer.pays(stale)) {
      if (!(await stale.retry.run(told))) {
        pacer.end()
        break
      }
      pacer.rounds++
      const left = this.#resolve(number, i, end, retrying)
      if (!pacer.paid(stale, left)) {
        pacer.afterVain()
        return this.#isOther(number, i, before)
      }
      stale = left
    }
    pacer.afterNone(stale.count)
    return this.#isOther(number, i, before)
  }

  /** Whether transaction i has another execution of the tier than it had. */
  #isOther(number: number, i: number, before: number | undefined): boolean {
    const { tier, executionOf } = this.#batch
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

  /** The transactions of a tier whose reads do not resolve to what they read, and a round of those that can run now. */
  #resolve(tier: number, first: number, end: number, retrying: RetryingTier): Stale {
    const startedMs = performance.now()
    const { tier: tiers, outcome, batch } = this.#batch
    const always = this.#always
    this.#ranIn ??= new Uint32Array(batch.count)
    const ranIn = this.#ranIn
    const last = this.#last++
    const retry = retrying.retry()
    const emptyUs = retry.costUs
    const widths: number[] = []
    let count = 0
    let again = 0
    this.#log.resolve(this.#batch, first, end, (i, lane, executions, round, versions) => {
      if (round === 0 || tiers[i] !== tier || outcome[i] !== OUTCOME_NONE) return
      count++
      if (last !== 0 && ranIn[i] === last) again++
      while (widths.length < round) widths.push(0)
      widths[round - 1]!++
      if (round !== 1 && !always) return
      retry.add(i, lane, executions, versions)
      ranIn[i] = last + 1
    })
    this.resolveMs += performance.now() - startedMs
    return { retry, emptyUs, count, again, widths }
  }
}
