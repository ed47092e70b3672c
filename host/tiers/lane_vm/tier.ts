import { LANE_REQUEST } from '../../../transpiler/layout/lane_vm.ts'
import type { Measured } from '../../batch/measured.ts'
import { countRun, hasEnded, type OpenBatch, STATUS_NONE, TIER_LAST } from '../../batch/open_batch.ts'
import type { CpuExecution } from '../../batch/outcome.ts'
import type { Policy } from '../../batch/policy.ts'
import type { ExitReason, ExitReasons } from '../../batch/reason.ts'
import {
  countersOf,
  type KeptBytes,
  type Running,
  type Tier,
  type TierCounters,
  type TierRun,
  type TrimTerms,
} from '../../batch/tier.ts'
import type { ResidentState } from '../../state/tables/resident_tables.ts'
import { callsFor, isVmCall, worthwhile } from './calls.ts'
import { OpenedEngine, type VmEngines } from './engine.ts'
import { adoptVmLane, VmExecutions, vmReasons } from './executions.ts'
import { type VmGroup, vmColumn } from './group.ts'
import { VM_BALANCE, VM_SLOT } from './held.ts'
import type { VmHints } from './items.ts'
import { type VmKind, VmKinds } from './profiles.ts'
import { VmRetry } from './retry.ts'
import type { VmStarted } from './runner.ts'

export interface LaneVmTierOptions {
  readonly policy: Policy
  readonly resident: ResidentState
  readonly measured: Measured
  readonly reasons: ExitReasons
  readonly engines: VmEngines
  /** What is known of calls. Default: nothing. */
  readonly kinds?: VmKinds
}

/** Runs any code, in waves that pay: calls that no tier before it has taken or executed. */
export class LaneVmTier implements Tier {
  readonly name = 'laneVm'
  readonly usesDevice = true
  readonly options: LaneVmTierOptions
  readonly kinds: VmKinds
  readonly codes: readonly number[]
  /** What went wrong since a batch last told of it. */
  readonly faults: string[] = []
  #opened: OpenedEngine | undefined

  constructor(options: LaneVmTierOptions) {
    this.options = options
    this.kinds = options.kinds ?? new VmKinds()
    this.codes = vmReasons(options.reasons)
  }

  /** Whether its kernel has compiled. */
  get isReady(): boolean {
    return this.#opened?.isReady === true
  }

  /** The engine of now. Throws what the device throws. */
  engine(): OpenedEngine {
    const { engines, policy, measured } = this.options
    const engine = engines.engine()
    if (this.#opened?.engine !== engine) this.#opened = new OpenedEngine(engine, policy, measured, this.faults)
    return this.#opened
  }

  async open(batch: OpenBatch, number: number): Promise<LaneVmRun | undefined> {
    const run = new LaneVmRun(batch, number, this)
    const { refusal } = this.options.engines
    if (refusal !== undefined) {
      run.explain(refusal)
      return undefined
    }
    // Taken before any tier executes ahead.
    await run.claim(0, batch.batch.count)
    return run
  }

  trim({ codes, budgets }: TrimTerms): void {
    this.kinds.trim(codes, budgets.paths)
    this.#opened?.engine.trim?.(codes, budgets.codes)
  }

  get kept(): KeptBytes {
    return { codes: this.#opened?.engine.codeBytes ?? 0, paths: this.kinds.sizeBytes }
  }

  close(): void {
    this.#opened?.engine.destroy()
    this.#opened = undefined
  }
}

/** Calls on their way, and of which kinds they are. */
interface StartedCalls {
  readonly calls: readonly number[]
  readonly kinds: readonly VmKind[]
  readonly waves: VmStarted
}

/** The lane VM on one batch. */
export class LaneVmRun implements TierRun {
  readonly #number: number
  readonly #batch: OpenBatch
  readonly #tier: LaneVmTier
  /** Undefined until a call is worth it. */
  #opened: OpenedEngine | undefined

  constructor(batch: OpenBatch, number: number, tier: LaneVmTier) {
    this.#batch = batch
    this.#number = number
    this.#tier = tier
  }

  get counters(): TierCounters {
    if (this.#opened === undefined) return countersOf()
    const { timings, chunks, laneBytes } = this.#opened.engine
    return countersOf({ executeMs: timings.execute, readbackMs: timings.readback, chunks, laneBytes })
  }

  async start(first: number, end: number): Promise<Running | undefined> {
    const calls = callsFor(this.#batch, this.#number, first, end)
    if (calls.length === 0) return undefined
    const taken = await this.#take(calls)
    this.#giveBack(calls, this.#isRefused ? this.#opened!.whyNot : undefined, taken)
    if (taken.length === 0) return undefined
    const { accounts } = this.#tier.options.resident
    const { renewals } = accounts
    const started = await this.#start(taken)
    return {
      isUnderway: false,
      finish: async () => {
        // Lanes have accounts that are warm by id: of one that was made anew meanwhile they do not know it.
        if (accounts.renewals === renewals) await this.#finish(started)
        else {
          await started.waves.abandon()
          await this.#finish(await this.#start(taken))
        }
        return taken.some((i) => this.#batch.tier[i] !== this.#number)
      },
      abandon: () => started.waves.abandon(),
    }
  }

  /** `laneVm: 'always'` has every call told why it takes none. */
  explain(reason: ExitReason): void {
    if (this.#tier.options.policy.laneVm !== 'always') return
    this.#giveBack(callsFor(this.#batch, this.#number, 0, this.#batch.batch.count), reason)
  }

  /** Takes the calls of [first, end) that are worth it. */
  async claim(first: number, end: number): Promise<void> {
    await this.#take(callsFor(this.#batch, this.#number, first, end))
    if (this.#isRefused) this.explain(this.#opened!.whyNot)
  }

  mends(i: number): boolean {
    const { codes, options } = this.#tier
    const reason = this.#batch.reasons[i]
    if (reason !== codes[VM_SLOT] && reason !== codes[VM_BALANCE]) return false
    return hasEnded(this.#batch, i) && !options.resident.accounts.renewed
  }

  retry(): VmRetry {
    const { kinds, options } = this.#tier
    const again = (calls: readonly number[], hints: VmHints): Promise<void> => this.#again(calls, hints)
    return new VmRetry(this.#batch, options.resident, kinds, options.policy, again)
  }

  learn(i: number, execution: CpuExecution): void {
    if (isVmCall(this.#batch, i)) this.#tier.kinds.noteCpu(this.#batch, i, execution)
  }

  refuse(reason: ExitReason): void {
    const { batch, tier } = this.#batch
    const left: number[] = []
    for (let i = 0; i < batch.count; i++) if (tier[i] === this.#number && !hasEnded(this.#batch, i)) left.push(i)
    this.#giveBack(left, reason)
  }

  end(): readonly string[] {
    return this.#tier.faults.splice(0)
  }

  /** `laneVm: 'always'` has every call told why the kernel is not there. */
  get #isRefused(): boolean {
    return this.#tier.options.policy.laneVm === 'always' && this.#opened !== undefined && !this.#opened.isReady
  }

  /** Takes those that are worth it, where the kernel is there. */
  async #take(calls: readonly number[]): Promise<readonly number[]> {
    const taken = worthwhile(this.#batch, calls, this.#tier.options.policy, this.#tier.kinds)
    if (taken.length === 0 || !(await this.#open())) return []
    const { tier, status } = this.#batch
    for (const i of taken) {
      tier[i] = this.#number
      status[i] = STATUS_NONE
    }
    return taken
  }

  /** Executes calls once more, on other values than the tables have. */
  async #again(calls: readonly number[], hints: VmHints): Promise<void> {
    for (const i of calls) {
      this.#batch.explained?.exit(i, 'conflict')
      this.#batch.reasons[i] = 0
    }
    await this.#finish(await this.#start(calls, hints))
  }

  async #open(): Promise<boolean> {
    if (this.#opened === undefined) {
      this.#opened = this.#tier.engine()
      this.#opened.engine.begin()
    }
    return this.#opened.open()
  }

  async #start(calls: readonly number[], hints?: VmHints): Promise<StartedCalls> {
    const { batch, executionGas, fromIds, toIds, rules, env, coinbaseId } = this.#batch
    const transactions = Int32Array.from(calls)
    const kinds = this.#tier.kinds.of(this.#batch, calls)
    const request = { batch, executionGas, fromIds, toIds, rules, env, coinbaseId, transactions, kinds }
    const waves = await this.#opened!.engine.start(hints === undefined ? request : { ...request, hints })
    return { calls, kinds, waves }
  }

  async #finish({ calls, kinds, waves }: StartedCalls): Promise<void> {
    const groups = await waves.finish()
    const places = new Int32Array(this.#batch.batch.count)
    for (let k = 0; k < calls.length; k++) places[calls[k]!] = k
    for (const group of groups) this.#adopt(group, (i) => kinds[places[i]!]!)
  }

  /** Makes the group the present execution of its transactions; those of lanes that left are given back. */
  #adopt(group: VmGroup, kindOf: (i: number) => VmKind): void {
    const batch = this.#batch
    const { tier, status, reasons, explained } = batch
    const { resident, reasons: codes } = this.#tier.options
    const executions = new VmExecutions(batch, group, resident, this.#tier.codes)
    const number = batch.executions.push(executions) - 1
    for (let lane = 0; lane < group.laneCount; lane++) {
      const i = group.transactions[lane]!
      if (i < 0) continue
      countRun(batch, i)
      const left = leftReason(group, lane)
      const kind = kindOf(i)
      if (left === undefined) {
        kind.ended++
        kind.steps = group.columns[vmColumn(group, LANE_REQUEST, lane) + 3]!
        adoptVmLane(batch, number, executions, lane)
        continue
      }
      kind.left++
      explained?.exit(i, left)
      tier[i] = TIER_LAST
      status[i] = STATUS_NONE
      reasons[i] = codes.code(left)
    }
  }

  /** `but`: those of the calls, in their order, that stay. */
  #giveBack(calls: readonly number[], reason: ExitReason | undefined, but: readonly number[] = []): void {
    const { tier, reasons } = this.#batch
    let kept = 0
    for (const i of calls) {
      if (but[kept] === i) {
        kept++
        continue
      }
      tier[i] = TIER_LAST
      if (reason !== undefined) reasons[i] = this.#tier.options.reasons.code(reason)
    }
  }
}

/** Why a lane has no outcome; undefined where it has one. */
const leftReason = ({ reasons }: VmGroup, lane: number): ExitReason | undefined => {
  const reason = reasons.get(lane)
  if (reason === undefined || isQuota(reason)) return reason
  return `refused: ${reason.replace(/^opcode /, '')}`
}

const isQuota = (reason: string): reason is `vm quota: ${string}` => reason.startsWith('vm quota: ')
