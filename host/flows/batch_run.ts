import { type OpenBatch, TIER_FIRST, TIER_LAST } from '../batch/open_batch.ts'
import type { PlaceEntry, Running, Tier, TierRun } from '../batch/tier.ts'
import type { DeviceSettling } from '../settle/device/settling.ts'
import type { ListedVersions } from '../settle/listed_versions.ts'
import { OutcomeEntry } from '../settle/outcome_entry.ts'
import { type RetryingTier, Rounds } from '../settle/rounds.ts'
import type { Sweep } from '../settle/sweep.ts'
import type { RunningState } from '../state/running_state.ts'
import type { SlotTable } from '../state/tables/slot_table.ts'
import type { Stop } from './call_queue.ts'
import { DeviceGuard, type OpenTier } from './device_guard.ts'

const MOST_RANGES = 8

/** What a run of a batch needs of the executor. */
export interface BatchRunParts {
  /** In the order in which they take transactions. */
  readonly tiers: readonly Tier[]
  readonly sweep: Sweep
  readonly running: RunningState
  /** Transactions of a range, about. */
  readonly range: number
  readonly slots: SlotTable
  readonly settling: DeviceSettling
  /** Rounds go on whatever they cost. */
  readonly retriesAlways: boolean
  /** What a block access list says of versions. */
  readonly listed: ListedVersions | undefined
  readonly stop: Stop
}

/**
 * Brings a routed batch to its end, range by range in transaction order: while the first tier executes a range, the
 * host sweeps the one before it. The sweep meets every transaction at its place; what it cannot finish there is
 * executed again by the tier that has it where that pays, else by the first tier that executes it at its place.
 *
 * Between the start of a range and its `finish` nothing is done with its results: tables change at one place at a time.
 * A fault of the device, wherever it happens, ends the tiers that use it for the rest of the batch, and is told once.
 */
export class BatchRun {
  sweepMs = 0
  /** Transactions that the device settled. */
  settledOnDevice = 0
  /** A tier before the last has taken some of it. */
  hasRanges = false
  readonly #batch: OpenBatch
  readonly #parts: BatchRunParts
  readonly rounds: Rounds
  readonly #entry: PlaceEntry
  readonly #guard = new DeviceGuard()
  readonly #open: OpenTier[] = []
  /** By tier number: those that run their transactions again. */
  readonly #retrying = new Map<number, RetryingTier>()
  readonly #faults: string[] = []
  /** The next range of the first tier. */
  #underway: Running | undefined

  constructor(batch: OpenBatch, parts: BatchRunParts) {
    this.#batch = batch
    this.#parts = parts
    this.rounds = new Rounds(batch, parts.slots, this.#retrying, parts.retriesAlways)
    if (parts.listed !== undefined) this.rounds.believe(parts.listed)
    this.#entry = new OutcomeEntry(batch, parts.running, parts.sweep, (i, execution) => {
      for (const { run } of this.#open) run.learn?.(i, execution)
    })
  }

  /** The device failed: the rest of the batch did without it. */
  get hasFailed(): boolean {
    return this.#guard.reason !== undefined
  }

  get faults(): readonly string[] {
    return [...this.#guard.faults, ...this.#faults]
  }

  get runs(): readonly TierRun[] {
    return this.#open.map(({ run }) => run)
  }

  /** Rejects, with nothing left on its way, where `stop` says so. */
  async run(): Promise<void> {
    try {
      await this.#openTiers()
      const { count } = this.#batch.batch
      this.hasRanges = this.#batch.tier.some((number) => number > TIER_LAST)
      if (this.hasRanges) await this.#runRanges(count)
      else await this.#sweep(0, count)
    } finally {
      // Where the run was stopped or the device failed: what comes of these transactions is of no use.
      await this.#underway?.abandon()
      for (const { run } of this.#open) this.#faults.push(...run.end())
    }
  }

  /** Every tier takes what it wants of the batch. */
  async #openTiers(): Promise<void> {
    const { tiers } = this.#parts
    for (const [n, tier] of tiers.entries()) {
      const number = n + 1 === tiers.length ? TIER_LAST : TIER_FIRST + n
      const run = await this.#guard.step(tier, () => tier.open(this.#batch, number))
      if (run === undefined) continue
      this.#guard.add(tier, run)
      this.#open.push({ tier, run })
      if (isRetrying(run)) this.#retrying.set(number, run)
    }
  }

  async #runRanges(count: number): Promise<void> {
    const ranges = Math.max(1, Math.min(MOST_RANGES, Math.floor(count / this.#parts.range)))
    const size = Math.ceil(count / ranges)
    const [head, ...others] = this.#open
    this.#underway = await this.#start(head!, 0, size, ranges)
    for (let first = 0; first < count; first += size) {
      this.#parts.stop.check()
      const end = Math.min(count, first + size)
      const ahead = this.#underway
      this.#underway = undefined
      await this.#finish(head!, ahead)
      await this.#runOthers(others, first, end, ranges)
      if (end < count) this.#underway = await this.#start(head!, end, Math.min(count, end + size), ranges)
      await this.#sweep(first, end)
      this.#parts.settling.endRange()
    }
  }

  /** The tiers after the first: all have a range on its way before the first of them is waited for. */
  async #runOthers(others: readonly OpenTier[], first: number, end: number, ranges: number): Promise<void> {
    const underway = others.map((): (Running | undefined)[] => [])
    for (const [n, one] of others.entries()) underway[n]!.push(await this.#start(one, first, end, ranges))
    for (const [n, one] of others.entries()) {
      let hasGivenBack = false
      for (const running of underway[n]!) hasGivenBack = (await this.#finish(one, running)) || hasGivenBack
      if (!hasGivenBack) continue
      for (let m = n + 1; m < others.length; m++) underway[m]!.push(await this.#start(others[m]!, first, end, ranges))
    }
  }

  #start({ tier, run }: OpenTier, first: number, end: number, ranges: number): Promise<Running | undefined> {
    return this.#guard.step(tier, () => run.start(first, end, ranges))
  }

  /** Whether transactions were given back. */
  async #finish({ tier }: OpenTier, running: Running | undefined): Promise<boolean> {
    if (running === undefined) return false
    if (this.#guard.hasEnded(tier)) {
      await running.abandon()
      return false
    }
    return (await this.#guard.step(tier, () => running.finish())) ?? true
  }

  async #sweep(first: number, end: number): Promise<void> {
    for (let i = first; ; ) {
      this.#parts.stop.check()
      for (const { run } of this.#open) {
        const preparing = run.prepare?.()
        if (preparing !== undefined) await preparing
      }
      i = await this.#advance(i, end)
      if (i === end) return
      if (!(await this.#again(i, end))) await this.#atPlace(i)
    }
  }

  /** The first transaction of [first, end) that neither the device nor a sweep finishes, or `end`. */
  async #advance(first: number, end: number): Promise<number> {
    const startedMs = performance.now()
    const { sweep, settling } = this.#parts
    let i = first
    for (let last = first; i === last && i < end; ) {
      const isForDevice = sweep.takenOnDevice !== undefined && settling.wants(this.#batch, i, end)
      if (isForDevice) i = await this.#onDevice(i, end)
      // Where the device stopped, it is asked again a little later.
      const from = isForDevice ? settling.from(this.#batch) : 0
      last = from > i ? Math.min(end, from) : end
      i = sweep.advance(i, last)
    }
    this.sweepMs += performance.now() - startedMs
    return i
  }

  /**
   * The first transaction that the device has not settled. Where it failed, a sweep passes over what it had settled.
   */
  async #onDevice(first: number, end: number): Promise<number> {
    const { sweep, settling } = this.#parts
    const settle = (): Promise<number> => settling.advance(sweep, this.#batch, first, end)
    const i = (await this.#guard.step({ usesDevice: true }, settle)) ?? first
    this.settledOnDevice += i - first
    return i
  }

  /** Whether transaction i has another execution now, from a round with others. */
  async #again(i: number, end: number): Promise<boolean> {
    const number = this.#batch.tier[i]!
    const tier = this.#parts.tiers[number - TIER_FIRST]
    if (tier === undefined) return false
    return (await this.#guard.step(tier, () => this.rounds.run(i, end))) ?? false
  }

  async #atPlace(i: number): Promise<void> {
    for (const { tier, run } of this.#open)
      if (run.atPlace !== undefined && (await this.#guard.step(tier, () => run.atPlace!(i, this.#entry)))) return
    throw new Error(`no tier executes transaction ${i}`)
  }
}

const isRetrying = (run: TierRun): run is TierRun & RetryingTier => run.mends !== undefined && run.retry !== undefined
