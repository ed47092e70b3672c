import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import { type OpenBatch, TIER_FIRST } from '../batch/open_batch.ts'
import type { ExitReason } from '../batch/reason.ts'
import type { Running, Tier, TierRun } from '../batch/tier.ts'
import type { TransactionBatch } from '../chain/batch.ts'
import type { DeviceSessions } from '../session/device_sessions.ts'
import type { CallJudge } from '../settle/independent.ts'
import type { Stop } from './call_queue.ts'
import { DeviceGuard } from './device_guard.ts'
import type { SimulationTimings } from './simulation.ts'

/** Independent calls from `first` on, routed. */
export interface CallSegment {
  readonly first: number
  readonly openBatch: OpenBatch
  readonly judge: CallJudge
}

/** The calls [first, end) of a batch: views of its columns. */
export const sliceBatch = (batch: TransactionBatch, first: number, end: number): TransactionBatch => {
  const words = (column: Uint32Array): Uint32Array => column.subarray(LIMBS_PER_WORD * first, LIMBS_PER_WORD * end)
  const addresses = (column: Uint32Array): Uint32Array =>
    column.subarray(LIMBS_PER_ADDRESS * first, LIMBS_PER_ADDRESS * end)
  const extras = [...batch.extras]
    .filter(([i]) => i >= first && i < end)
    .map(([i, extra]) => [i - first, extra] as const)
  return {
    ...batch,
    count: end - first,
    type: batch.type.subarray(first, end),
    nonce: batch.nonce.subarray(2 * first, 2 * end),
    gasLimit: batch.gasLimit.subarray(2 * first, 2 * end),
    maxFeePerGas: words(batch.maxFeePerGas),
    maxPriorityFeePerGas: words(batch.maxPriorityFeePerGas),
    value: words(batch.value),
    from: addresses(batch.from),
    to: addresses(batch.to),
    creates: batch.creates.subarray(first, end),
    dataStart: batch.dataStart.subarray(first, end + 1),
    accessStart: batch.accessStart.subarray(first, end + 1),
    extras: new Map(extras),
  }
}

/**
 * Brings segments of independent calls through the tiers. While the first tier executes one, the host routes the next
 * and judges the one before; once its paths are known the next is given to it before the present one is fetched, and it
 * never waits. What it does not take goes through the other tiers after the segment's finish, with nothing else on its
 * way.
 */
export class CallPipeline {
  readonly #tiers: readonly Tier[]
  readonly #sessions: DeviceSessions
  readonly #timings: SimulationTimings
  readonly #stop: Stop
  readonly #guard = new DeviceGuard()
  readonly #runs: TierRun[] = []
  readonly #faults: string[] = []
  /** A segment had calls for a tier after the first: nothing of the first is on its way beside one. */
  #usesOthers = false
  /** The first tier's transactions of a segment. */
  #underway: Running | undefined

  /** `tiers`: those before the last, in order. */
  constructor(tiers: readonly Tier[], sessions: DeviceSessions, timings: SimulationTimings, stop: Stop) {
    this.#tiers = tiers
    this.#sessions = sessions
    this.#timings = timings
    this.#stop = stop
  }

  /** Why tiers that use the device take no call any longer. */
  get failure(): ExitReason | undefined {
    return this.#guard.reason
  }

  get faults(): readonly string[] {
    return [...this.#guard.faults, ...this.#faults]
  }

  /**
   * Runs `count` segments, which `route` makes in order. Rejects, with nothing left on its way, where `stop` says so.
   */
  async run(count: number, route: (k: number) => Promise<CallSegment>): Promise<CallSegment[]> {
    try {
      return await this.#run(count, route)
    } finally {
      await this.#underway?.abandon()
      for (const run of this.#runs) this.#faults.push(...run.end())
      this.#faults.push(...(this.#sessions.used?.faults ?? []))
      if (this.#guard.reason !== undefined) this.#sessions.close()
    }
  }

  async #run(count: number, route: (k: number) => Promise<CallSegment>): Promise<CallSegment[]> {
    const [head, ...others] = this.#tiers
    const segments: CallSegment[] = []
    let ahead = await this.#routed(0, route)
    this.#underway = await this.#start(head, TIER_FIRST, ahead, count)
    for (let k = 0; k < count; k++) {
      this.#stop.check()
      const current = ahead
      const isLast = k + 1 === count
      if (!isLast) ahead = await this.#routed(k + 1, route)
      const running = this.#underway
      this.#underway = undefined
      const isSteady = k > 0 && !isLast && !this.#usesOthers && running?.isUnderway === true
      if (isSteady) this.#underway = await this.#start(head, TIER_FIRST, ahead, count)
      await this.#finish(head, running)
      if (!isSteady) await this.#runOthers(others, current)
      if (!isLast && !isSteady) this.#underway = await this.#start(head, TIER_FIRST, ahead, count)
      const startedMs = performance.now()
      current.judge.judge(0, current.openBatch.batch.count)
      this.#timings.judge += performance.now() - startedMs
      segments.push(current)
    }
    return segments
  }

  async #routed(k: number, route: (k: number) => Promise<CallSegment>): Promise<CallSegment> {
    const startedMs = performance.now()
    const segment = await route(k)
    this.#timings.route += performance.now() - startedMs
    return segment
  }

  async #runOthers(others: readonly Tier[], segment: CallSegment): Promise<void> {
    for (const [n, tier] of others.entries()) {
      const running = await this.#start(tier, TIER_FIRST + 1 + n, segment, 1)
      if (running !== undefined) this.#usesOthers = true
      await this.#finish(tier, running)
    }
  }

  /** Opens the tier on the segment, and starts all of it. */
  async #start(
    tier: Tier | undefined,
    number: number,
    { openBatch }: CallSegment,
    segments: number,
  ): Promise<Running | undefined> {
    if (tier === undefined) return undefined
    return this.#timed(tier, async () => {
      const run = await tier.open(openBatch, number)
      if (run === undefined) return undefined
      this.#guard.add(tier, run)
      this.#runs.push(run)
      return run.start(0, openBatch.batch.count, segments)
    })
  }

  async #finish(tier: Tier | undefined, running: Running | undefined): Promise<void> {
    if (tier === undefined || running === undefined) return
    if (this.#guard.hasEnded(tier)) await running.abandon()
    else await this.#timed(tier, () => running.finish())
  }

  async #timed<Result>(tier: Tier, step: () => Promise<Result>): Promise<Result | undefined> {
    const startedMs = performance.now()
    const result = await this.#guard.step(tier, step)
    this.#timings.device += performance.now() - startedMs
    return result
  }
}
