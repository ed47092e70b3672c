import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import { type Schedule, TIER_LANE } from '../batch/open_batch.ts'
import type { ExitReason } from '../batch/reason.ts'
import type { TransactionBatch } from '../chain/batch.ts'
import type { ComputeDevice } from '../device/compute_device.ts'
import { faultReason, faultText } from '../device/fault.ts'
import type { DeviceSession } from '../session/device_session.ts'
import type { LaneJudge } from '../settle/independent.ts'
import type { VmStage } from '../tiers/lane_vm/tier.ts'
import type { LaneRunner } from '../tiers/path/kernels/runner.ts'
import type { LaneStage, Wave } from '../tiers/path/tier.ts'
import type { Stop } from './call_queue.ts'
import type { SimulationTimings } from './simulation.ts'

/** Independent calls from `first` on, routed. */
export interface CallSegment {
  readonly first: number
  readonly schedule: Schedule
  readonly judge: LaneJudge
}

/** Where calls run: the executor's own tables, or tables with overrides. */
export interface CallDevice {
  readonly device: ComputeDevice | undefined
  readonly lanes: LaneStage
  open(device: ComputeDevice): LaneRunner
  session(): DeviceSession | undefined
  /** The lane VM on the runner's tables, where these calls are worth it; `runner` is asked for only then. */
  vmFor(schedule: Schedule, runner: () => LaneRunner | undefined): VmStage | undefined
  close(): void
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
 * Brings segments of independent calls through the device. While it executes one, the host routes the next and judges the
 * one before; once the paths are known the next is given to it before the present one is fetched, so that it never waits. What no path
 * takes goes through the lane VM behind the segment's paths, with nothing else on its way.
 */
export class CallPipeline {
  readonly faults: string[] = []
  readonly #ground: CallDevice
  readonly #timings: SimulationTimings
  readonly #stop: Stop
  #runner: LaneRunner | undefined
  #refusal: ExitReason | undefined
  /** A segment had calls for the lane VM: no wave of paths is on its way beside one. */
  #usesVm = false
  /** A segment's lanes that the device executes. */
  #underway: Wave | undefined

  constructor(ground: CallDevice, timings: SimulationTimings, stop: Stop) {
    this.#stop = stop
    this.#ground = ground
    this.#timings = timings
    if (ground.device === undefined) this.#refusal = 'no device'
    else if (ground.device.isLost) this.#refusal = 'device lost'
  }

  /** Runs `count` segments, which `route` makes in order. Rejects, with nothing left on the device, where `stop` says so. */
  async run(count: number, route: (k: number) => Promise<CallSegment>): Promise<CallSegment[]> {
    try {
      return await this.#run(count, route)
    } catch (thrown) {
      await this.#underway?.started?.finish().catch(() => undefined)
      throw thrown
    }
  }

  async #run(count: number, route: (k: number) => Promise<CallSegment>): Promise<CallSegment[]> {
    const segments: CallSegment[] = []
    let ahead = await this.#routed(0, route)
    this.#underway = await this.#start(ahead, count)
    for (let k = 0; k < count; k++) {
      this.#stop.check()
      const current = ahead
      const isLast = k + 1 === count
      if (!isLast) ahead = await this.#routed(k + 1, route)
      const wave = this.#underway
      this.#underway = undefined
      const isSteady = k > 0 && !isLast && !this.#usesVm && wave !== undefined && wave.leftovers.size === 0
      if (isSteady) this.#underway = await this.#start(ahead, count)
      if (wave !== undefined)
        await this.#guarded(current, (runner) => this.#ground.lanes.finish(current.schedule, runner, wave))
      if (!isSteady) await this.#runVm(current)
      if (!isLast && !isSteady) this.#underway = await this.#start(ahead, count)
      const startedMs = performance.now()
      current.judge.judge(0, current.schedule.batch.count)
      this.#timings.judge += performance.now() - startedMs
      segments.push(current)
    }
    this.faults.push(...(this.#ground.session()?.faults ?? []))
    if (this.#runner !== undefined && this.#refusal !== undefined) this.#ground.close()
    return segments
  }

  async #routed(k: number, route: (k: number) => Promise<CallSegment>): Promise<CallSegment> {
    const startedMs = performance.now()
    const segment = await route(k)
    this.#timings.route += performance.now() - startedMs
    return segment
  }

  async #start(segment: CallSegment, scale: number): Promise<Wave | undefined> {
    const { schedule } = segment
    if (!schedule.tier.includes(TIER_LANE)) return undefined
    return this.#guarded(segment, (runner) =>
      this.#ground.lanes.start(schedule, runner, 0, schedule.batch.count, scale),
    )
  }

  async #runVm({ schedule }: CallSegment): Promise<void> {
    const startedMs = performance.now()
    let stage: VmStage | undefined
    try {
      stage = this.#ground.vmFor(schedule, () => (this.#refusal === undefined ? this.#open() : undefined))
      if (stage === undefined) return
      this.#usesVm = true
      await stage.begin(schedule)
      await stage.run(schedule, await stage.claim(schedule, 0, schedule.batch.count))
    } catch (thrown) {
      this.faults.push(faultText(thrown))
      this.#refusal = faultReason(thrown)
      stage?.refuse(schedule, this.#refusal)
    } finally {
      this.faults.push(...(stage?.faults.splice(0) ?? []))
      this.#timings.device += performance.now() - startedMs
    }
  }

  /** What the device faults at, and all behind it, goes to the CPU tier. */
  async #guarded<Result>(
    { schedule }: CallSegment,
    run: (runner: LaneRunner) => Promise<Result>,
  ): Promise<Result | undefined> {
    const { lanes } = this.#ground
    const startedMs = performance.now()
    try {
      const runner = this.#refusal === undefined ? this.#open() : undefined
      if (runner !== undefined) return await run(runner)
    } catch (thrown) {
      this.faults.push(faultText(thrown))
      this.#refusal = faultReason(thrown)
    } finally {
      this.#timings.device += performance.now() - startedMs
    }
    lanes.refuse(schedule, this.#refusal ?? 'no device')
    return undefined
  }

  #open(): LaneRunner {
    if (this.#runner === undefined) {
      this.#runner = this.#ground.open(this.#ground.device!)
      this.#ground.lanes.begin(this.#runner)
    }
    return this.#runner
  }
}
