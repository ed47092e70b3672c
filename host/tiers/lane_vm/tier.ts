import { LANE_REQUEST } from '../../../transpiler/layout/lane_vm.ts'
import type { CompileWait } from '../../batch/compile_wait.ts'
import {
  countRun,
  hasEnded,
  OUTCOME_NONE,
  type Schedule,
  STATUS_NONE,
  TIER_CPU,
  TIER_VM,
} from '../../batch/open_batch.ts'
import type { Policy } from '../../batch/policy.ts'
import type { ExitReason, ExitReasons } from '../../batch/reason.ts'
import { TYPE_SET_CODE } from '../../chain/batch.ts'
import { faultText } from '../../device/fault.ts'
import type { ResidentState } from '../../state/tables/resident_tables.ts'
import { VmWaveCost } from './cost.ts'
import { adoptVmLane, VmExecutions, vmReasons } from './executions.ts'
import { type VmGroup, vmColumn } from './group.ts'
import { VM_BALANCE, VM_SLOT } from './held.ts'
import type { VmHints } from './items.ts'
import type { VmKind, VmKinds } from './profiles.ts'
import { VmRetry } from './retry.ts'
import type { VmRequest, VmRunner } from './runner.ts'
import { calledMicroCode, MOST_GAS_HIGH_LIMB } from './wave.ts'

/** What runs waves of the lane VM: VmRunner on a device. */
export interface VmEngine {
  readonly timings: VmRunner['timings']
  readonly chunks: number
  readonly laneBytes: number
  readonly isReady: boolean
  /** Rejects where the kernel does not compile. */
  compile(): Promise<void>
  /** Starts the counters of a batch. */
  begin(): void
  /**
   * Every transaction of the request is in one lane of the groups, but for lanes with transaction -1. Rejects with a fault of the
   * device.
   */
  run(request: VmRequest): Promise<readonly VmGroup[]>
  destroy(): void
}

/** Brings calls that no path takes through the lane VM. */
export class VmStage {
  readonly faults: string[] = []
  readonly engine: VmEngine
  readonly kinds: VmKinds
  readonly #policy: Policy
  readonly #wait: CompileWait
  readonly #reasons: ExitReasons
  readonly #resident: ResidentState
  readonly #codes: readonly number[]
  #state: 'closed' | 'opening' | 'ready' | 'refused' = 'closed'

  constructor(
    policy: Policy,
    resident: ResidentState,
    engine: VmEngine,
    kinds: VmKinds,
    wait: CompileWait,
    reasons: ExitReasons,
  ) {
    this.kinds = kinds
    this.#resident = resident
    this.#codes = vmReasons(reasons)
    this.#policy = policy
    this.engine = engine
    this.#wait = wait
    this.#reasons = reasons
  }

  /** For the start of a batch: takes calls from the CPU tier, so that nobody executes them ahead. */
  async begin(schedule: Schedule): Promise<void> {
    this.engine.begin()
    const { count } = schedule.batch
    const calls = this.#worthwhile(schedule, callsFor(schedule, 0, count))
    if (calls.length === 0 || !(await this.#open())) return
    for (const i of calls) claim(schedule, i)
  }

  /** Takes the calls of [first, end) that have no execution by now and are worth it; the others are the CPU tier's. */
  async claim(schedule: Schedule, first: number, end: number): Promise<readonly number[]> {
    const calls = callsFor(schedule, first, end)
    const taken = this.#worthwhile(schedule, calls)
    const opens = taken.length > 0
    if (opens && !(await this.#open())) taken.length = 0
    this.#release(schedule, calls, opens && this.#policy.laneVm === 'always' ? this.#whyNot() : undefined, taken)
    for (const i of taken) claim(schedule, i)
    return taken
  }

  /** Executes claimed calls; those that the VM leaves are the CPU tier's. */
  async run(schedule: Schedule, calls: readonly number[]): Promise<void> {
    if (calls.length > 0) await this.#execute(schedule, calls)
  }

  /** Whether a round on other values may mend what keeps transaction i from standing. */
  mends(batch: Schedule, i: number): boolean {
    const reason = batch.reasons[i]
    if (reason !== this.#codes[VM_SLOT] && reason !== this.#codes[VM_BALANCE]) return false
    return hasEnded(batch, i) && !this.#resident.accounts.renewed
  }

  retry(batch: Schedule): VmRetry {
    return new VmRetry(batch, this.#resident, this.kinds, this.#policy, (calls, hints) =>
      this.#again(batch, calls, hints),
    )
  }

  /** Executes calls once more, on other values than the tables have. */
  async #again(schedule: Schedule, calls: readonly number[], hints: VmHints): Promise<void> {
    for (const i of calls) {
      schedule.explained?.exit(i, 'conflict')
      schedule.reasons[i] = 0
    }
    await this.#execute(schedule, calls, hints)
  }

  async #execute(schedule: Schedule, calls: readonly number[], hints?: VmHints): Promise<void> {
    const { batch, executionGas, fromIds, toIds, rules, env, coinbaseId } = schedule
    const transactions = Int32Array.from(calls)
    const kinds = this.kinds.of(schedule, calls)
    const request = { batch, executionGas, fromIds, toIds, rules, env, coinbaseId, transactions, kinds }
    const groups = await this.engine.run(hints === undefined ? request : { ...request, hints })
    const places = new Int32Array(batch.count)
    for (let k = 0; k < calls.length; k++) places[calls[k]!] = k
    for (const group of groups) this.#adopt(schedule, group, (i) => kinds[places[i]!]!)
  }

  /** Gives what has no execution to the CPU tier, for this reason. */
  refuse(schedule: Schedule, reason: ExitReason): void {
    const { batch, tier } = schedule
    const left: number[] = []
    for (let i = 0; i < batch.count; i++) if (tier[i] === TIER_VM && !hasEnded(schedule, i)) left.push(i)
    this.#release(schedule, left, reason)
  }

  /** Whether the kernel is there; if nobody wanted it before, has it compiled. */
  async #open(): Promise<boolean> {
    if (this.#state === 'closed') {
      this.#state = 'opening'
      const opening = this.engine.compile().then(
        () => {
          this.#state = 'ready'
        },
        (thrown: unknown) => {
          this.#state = 'refused'
          this.faults.push(faultText(thrown))
        },
      )
      if (this.#policy.compile === 'wait') await this.#wait.until(opening)
    }
    return this.#isReady
  }

  get #isReady(): boolean {
    return this.#state === 'ready' && this.engine.isReady
  }

  #whyNot(): ExitReason {
    return this.#state === 'opening' ? 'compiling' : 'shader did not compile'
  }

  /** Makes the group the present execution of its transactions; those of lanes that left are the CPU tier's. */
  #adopt(schedule: Schedule, group: VmGroup, kindOf: (i: number) => VmKind): void {
    const { tier, status, reasons, explained } = schedule
    const executions = new VmExecutions(schedule, group, this.#resident, this.#codes)
    const number = schedule.executions.push(executions) - 1
    for (let lane = 0; lane < group.laneCount; lane++) {
      const i = group.transactions[lane]!
      if (i < 0) continue
      countRun(schedule, i)
      const left = leftReason(group, lane)
      const kind = kindOf(i)
      if (left === undefined) {
        kind.ended++
        kind.steps = group.columns[vmColumn(group, LANE_REQUEST, lane) + 3]!
        adoptVmLane(schedule, number, executions, lane)
        continue
      }
      kind.left++
      explained?.exit(i, left)
      tier[i] = TIER_CPU
      status[i] = STATUS_NONE
      reasons[i] = this.#reasons.code(left)
    }
  }

  #worthwhile(schedule: Schedule, calls: readonly number[]): number[] {
    return worthwhile(schedule, calls, this.#policy, this.kinds)
  }

  /** `but`: those of the calls, in their order, that stay. */
  #release(
    schedule: Schedule,
    calls: readonly number[],
    reason: ExitReason | undefined,
    but: readonly number[] = [],
  ): void {
    let kept = 0
    for (const i of calls) {
      if (but[kept] === i) {
        kept++
        continue
      }
      schedule.tier[i] = TIER_CPU
      if (reason !== undefined) schedule.reasons[i] = this.#reasons.code(reason)
    }
  }
}

/** Whether the lane VM could execute transaction i: a call of code or of a precompile, without authorizations. */
export const isVmCall = ({ batch, rules, toCodes }: Schedule, i: number): boolean =>
  (toCodes[i] !== 0 || (batch.creates[i] === 0 && calledMicroCode(batch.to, i) !== 0)) &&
  batch.type[i]! < TYPE_SET_CODE &&
  batch.gasLimit[2 * i + 1]! <= MOST_GAS_HIGH_LIMB &&
  rules.rejection[i] === 0

/** Whether the lane VM is worth a wave for what stands for the CPU tier now. */
export const isVmWanted = (schedule: Schedule, policy: Policy, kinds: VmKinds): boolean =>
  worthwhile(schedule, callsFor(schedule, 0, schedule.batch.count), policy, kinds).length > 0

/** Those of the calls that are worth their lanes, if together they are worth a wave; else none. */
const worthwhile = (
  schedule: Schedule,
  calls: readonly number[],
  { laneVm, waves, costs }: Pick<Policy, 'laneVm' | 'waves' | 'costs'>,
  kinds: VmKinds,
): number[] => {
  if (laneVm === 'always' || calls.length === 0) return [...calls]
  const cost = new VmWaveCost(costs)
  const known = kinds.of(schedule, calls)
  const taken = calls.filter((_, k) => cost.add(known[k]!, waves === 'always'))
  return waves === 'always' || cost.savesUs > cost.costUs ? taken : []
}

/** Such calls in [first, end) that have no execution, or one that the device gave up. */
const callsFor = (schedule: Schedule, first: number, end: number): number[] => {
  const { tier, outcome } = schedule
  const calls: number[] = []
  for (let i = first; i < end; i++) {
    if (outcome[i] !== OUTCOME_NONE) continue
    if (tier[i] === TIER_VM ? !hasEnded(schedule, i) : tier[i] === TIER_CPU && isVmCall(schedule, i)) calls.push(i)
  }
  return calls
}

const claim = ({ tier, status }: Schedule, i: number): void => {
  tier[i] = TIER_VM
  status[i] = STATUS_NONE
}

/** Why a lane has no outcome; undefined where it has one. */
const leftReason = ({ reasons }: VmGroup, lane: number): ExitReason | undefined => {
  const reason = reasons.get(lane)
  if (reason === undefined || isQuota(reason)) return reason
  return `refused: ${reason.replace(/^opcode /, '')}`
}

const isQuota = (reason: string): reason is `vm quota: ${string}` => reason.startsWith('vm quota: ')
