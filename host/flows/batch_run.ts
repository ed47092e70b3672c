import { LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import type { Schedule } from '../batch/open_batch.ts'
import { faultReason, faultText } from '../device/fault.ts'
import { wordFromBigInt } from '../primitives/word.ts'
import type { Rounds } from '../settle/rounds.ts'
import type { Sweep } from '../settle/sweep.ts'
import type { RunningState } from '../state/running_state.ts'
import { CpuExecutions } from '../tiers/cpu/executions.ts'
import type { Speculation } from '../tiers/cpu/tier.ts'
import { isVmCall, type VmStage } from '../tiers/lane_vm/tier.ts'
import type { LaneRunner } from '../tiers/path/kernels/runner.ts'
import type { PrecompileAccounts } from '../tiers/path/precompile_accounts.ts'
import type { LaneStage, Wave } from '../tiers/path/tier.ts'
import type { Stop } from './call_queue.ts'

const MOST_RANGES = 8

/** What a walk needs of the executor. */
export interface WalkParts {
  readonly lanes: LaneStage
  readonly sweep: Sweep
  readonly rounds: Rounds
  readonly cpu: Speculation
  readonly precompiles: PrecompileAccounts
  readonly running: RunningState
  readonly runner: LaneRunner | undefined
  readonly vm: VmStage | undefined
  readonly range: number
  readonly stop: Stop
}

/**
 * Brings a routed batch to its end, range by range in transaction order: while the device executes a range, the host
 * sweeps the one before it. The sweep meets every transaction at its place; what it cannot finish runs again on the device
 * where that pays, else on the CPU tier.
 *
 * Between the start of a range and its `finish` nothing is done with its results, so that the tables change at one place at
 * a time.
 */
export class Walk {
  readonly faults: string[] = []
  sweepMs = 0
  cpuMs = 0
  /** The device failed: the rest of the batch does without it. */
  hasFailed = false
  readonly #schedule: Schedule
  readonly #parts: WalkParts
  /** A range that the device executes. */
  #underway: Wave | undefined
  /** Those of the CPU tier. */
  readonly #executions = new CpuExecutions()
  readonly #fee = new Uint32Array(LIMBS_PER_WORD)

  constructor(schedule: Schedule, parts: WalkParts) {
    this.#schedule = schedule
    this.#parts = parts
  }

  /** Rejects, with nothing left on the device, where `stop` says so. */
  async run(): Promise<void> {
    try {
      await this.#run()
    } catch (thrown) {
      // Lanes of the next range may be on their way; what comes of them, a fault among it, is nobody's.
      await this.#underway?.started?.finish().catch(() => undefined)
      throw thrown
    }
  }

  async #run(): Promise<void> {
    const { count } = this.#schedule.batch
    const { runner, vm, lanes, range, cpu } = this.#parts
    await vm?.begin(this.#schedule)
    await cpu.offer(0, count)
    if (runner === undefined && vm === undefined) {
      await this.#sweep(0, count)
      return
    }
    if (runner !== undefined) lanes.begin(runner)
    const ranges = Math.max(1, Math.min(MOST_RANGES, Math.floor(count / range)))
    const size = Math.ceil(count / ranges)
    this.#underway = await this.#start(0, size, ranges)
    for (let first = 0; first < count; first += size) {
      this.#parts.stop.check()
      const end = Math.min(count, first + size)
      await this.#finish()
      const calls = await this.#claimVm(first, end)
      // Workers execute what neither takes while lanes run.
      await cpu.offer(first, end)
      await this.#runVm(calls)
      if (calls.length > 0) await cpu.offer(first, end)
      this.#underway = end < count ? await this.#start(end, Math.min(count, end + size), ranges) : undefined
      await this.#sweep(first, end)
    }
  }

  async #start(first: number, end: number, ranges: number): Promise<Wave | undefined> {
    const { runner } = this.#parts
    if (this.hasFailed || runner === undefined) return undefined
    try {
      return await this.#parts.lanes.start(this.#schedule, runner, first, end, ranges)
    } catch (thrown) {
      this.#fail(thrown)
      return undefined
    }
  }

  async #finish(): Promise<void> {
    const { runner } = this.#parts
    const wave = this.#underway
    this.#underway = undefined
    if (wave === undefined || runner === undefined) return
    try {
      await this.#parts.lanes.finish(this.#schedule, runner, wave)
    } catch (thrown) {
      this.#fail(thrown)
    }
  }

  async #claimVm(first: number, end: number): Promise<readonly number[]> {
    if (this.hasFailed) return []
    return (await this.#parts.vm?.claim(this.#schedule, first, end)) ?? []
  }

  async #runVm(calls: readonly number[]): Promise<void> {
    if (this.hasFailed) return
    try {
      await this.#parts.vm?.run(this.#schedule, calls)
    } catch (thrown) {
      this.#fail(thrown)
    }
  }

  async #again(i: number, end: number): Promise<boolean> {
    if (this.hasFailed) return false
    try {
      return await this.#parts.rounds.run(i, end)
    } catch (thrown) {
      this.#fail(thrown)
      return false
    }
  }

  /** What has no execution goes to the CPU tier; what has one stands. */
  #fail(thrown: unknown): void {
    const reason = faultReason(thrown)
    this.faults.push(faultText(thrown))
    this.hasFailed = true
    this.#parts.lanes.refuse(this.#schedule, reason)
    this.#parts.vm?.refuse(this.#schedule, reason)
  }

  async #sweep(first: number, end: number): Promise<void> {
    const { lanes, runner, precompiles, stop } = this.#parts
    for (let i = first; ; ) {
      stop.check()
      const loading = precompiles.load()
      if (loading !== undefined) await loading
      i = this.#advance(i, end)
      if (i === end) return
      if (await this.#again(i, end)) continue
      if (!this.hasFailed && runner !== undefined && (await lanes.runLate(this.#schedule, i, runner))) continue
      await this.#execute(i)
    }
  }

  #advance(first: number, end: number): number {
    const startedMs = performance.now()
    const i = this.#parts.sweep.advance(first, end)
    this.sweepMs += performance.now() - startedMs
    return i
  }

  /** Executes a transaction on the CPU tier at its place. */
  async #execute(index: number): Promise<void> {
    const { cpu, running, sweep, vm } = this.#parts
    const { env } = this.#schedule
    const startedMs = performance.now()
    const outcome = await cpu.execute(index)
    if ('rejected' in outcome) {
      sweep.reject(index, outcome.rejected)
    } else {
      this.#executions.add(this.#schedule, index, outcome)
      if (vm !== undefined && isVmCall(this.#schedule, index)) vm.kinds.noteCpu(this.#schedule, index, outcome)
      await sweep.recorder?.openOutcome(outcome.reads, outcome.writes, [env.coinbase.toLowerCase()])
      await running.apply(outcome.writes, sweep)
      if (outcome.coinbaseFee !== undefined) {
        wordFromBigInt(this.#fee, 0, outcome.coinbaseFee)
        sweep.payCoinbase(this.#fee, 0)
      }
      sweep.finish(index, outcome.gasUsed)
      sweep.recorder?.close(index)
    }
    this.cpuMs += performance.now() - startedMs
  }
}
