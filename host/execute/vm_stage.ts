import { LANE_REQUEST, VM_EXITS, VM_REGIONS } from '../../transpiler/layout/lane_vm.ts'
import { LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import { OPCODES } from '../../transpiler/spec/opcodes.ts'
import { type TransactionBatch, TYPE_SET_CODE } from '../block/batch.ts'
import type { BlockEnvironment } from '../block/environment.ts'
import { faultText } from './device_fault.ts'
import { isWorthVmWave } from './dispatch_cost.ts'
import type { ExitReason, ExitReasons } from './exit_reason.ts'
import { countExecution } from './lane_wave.ts'
import type { CompileMode, PathLibrary } from './path_library.ts'
import { OUTCOME_NONE, type Schedule, TIER_CPU, TIER_VM } from './schedule.ts'
import { type VmGroup, vmColumn, vmExit } from './vm_group.ts'
import { upfrontCost } from './vm_store.ts'

/** What the columns of lanes are made of, by transaction of the batch. */
export interface VmSource {
  readonly batch: TransactionBatch
  /** Gas limit less intrinsic gas. */
  readonly executionGas: Float64Array
  readonly fromIds: Int32Array
  readonly toIds: Int32Array
  /** Wei per gas that the sender pays, and what it pays before the first step (`upfrontCost`); words. */
  readonly price: Uint32Array
  readonly cost: Uint32Array
}

/** Transactions to run on the lane VM. */
export interface VmRequest {
  readonly source: VmSource
  readonly env: BlockEnvironment
  readonly coinbaseId: number
  /** Ascending. */
  readonly transactions: Int32Array
}

/** What runs waves of the lane VM. */
export interface VmEngine {
  /** Rejects where the kernel does not compile. */
  compile(): Promise<void>
  readonly isReady: boolean
  /** Every transaction of the request is in one lane of the groups. Rejects with a fault of the device. */
  run(request: VmRequest): Promise<readonly VmGroup[]>
}

export interface VmStageOptions {
  readonly compile: CompileMode
  /** `always`: every call that may, whatever it costs, also where a path would take it. */
  readonly laneVm?: 'never' | 'always'
  /** A wave however few its lanes. */
  readonly waves?: 'always'
}

/** Brings calls that no path takes through the lane VM. */
export class VmStage {
  readonly faults: string[] = []
  /** Wall milliseconds of waves since the last `begin`. */
  elapsedMs = 0
  readonly engine: VmEngine
  readonly #options: VmStageOptions
  readonly #library: PathLibrary
  readonly #reasons: ExitReasons
  #state: 'closed' | 'opening' | 'ready' | 'refused' = 'closed'

  constructor(options: VmStageOptions, engine: VmEngine, library: PathLibrary, reasons: ExitReasons) {
    this.#options = options
    this.engine = engine
    this.#library = library
    this.#reasons = reasons
  }

  /** For the start of a batch: takes calls from the CPU tier, so that nobody executes them ahead. */
  async begin(schedule: Schedule): Promise<void> {
    this.elapsedMs = 0
    const { count } = schedule.batch
    const calls = callsFor(schedule, 0, count)
    if (!this.#isWorth(calls.length) || !(await this.#open())) return
    for (const i of calls) claim(schedule, i)
  }

  /** Executes the calls of [first, end) that have no execution by now; those that the VM leaves are the CPU tier's. */
  async run(schedule: Schedule, first: number, end: number): Promise<void> {
    const calls = callsFor(schedule, first, end)
    if (calls.length === 0) return
    const opens = this.#isWorth(calls.length)
    if (!opens || !(await this.#open())) {
      this.#release(schedule, calls, opens && this.#options.laneVm === 'always' ? this.#whyNot() : undefined)
      return
    }
    for (const i of calls) claim(schedule, i)
    const startedMs = performance.now()
    const { env, coinbaseId } = schedule
    const transactions = Int32Array.from(calls)
    const groups = await this.engine.run({ source: vmSource(schedule, transactions), env, coinbaseId, transactions })
    this.elapsedMs += performance.now() - startedMs
    for (const group of groups) this.#adopt(schedule, group)
  }

  /** Gives what has no execution to the CPU tier, for this reason. */
  refuse(schedule: Schedule, reason: ExitReason): void {
    const { batch, tier, groups } = schedule
    const left: number[] = []
    for (let i = 0; i < batch.count; i++) if (tier[i] === TIER_VM && groups[i]! < 0) left.push(i)
    this.#release(schedule, left, reason)
  }

  #isWorth(calls: number): boolean {
    if (calls === 0) return false
    const { laneVm, waves } = this.#options
    return laneVm === 'always' || waves === 'always' || isWorthVmWave(calls)
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
      if (this.#options.compile === 'wait') await this.#library.wait(opening)
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
  #adopt(schedule: Schedule, group: VmGroup): void {
    const { tier, groups, lanes, reasons, executions, explained } = schedule
    const number = schedule.vmGroups.push(group) - 1
    for (let lane = 0; lane < group.laneCount; lane++) {
      const i = group.transactions[lane]!
      countExecution(executions, i)
      const left = leftReason(group, lane)
      if (left === undefined) {
        groups[i] = number
        lanes[i] = lane
        continue
      }
      explained?.exit(i, left)
      tier[i] = TIER_CPU
      reasons[i] = this.#reasons.code(left)
    }
  }

  #release(schedule: Schedule, calls: readonly number[], reason: ExitReason | undefined): void {
    for (const i of calls) {
      schedule.tier[i] = TIER_CPU
      if (reason !== undefined) schedule.reasons[i] = this.#reasons.code(reason)
    }
  }
}

/** Whether the lane VM could execute transaction i: a call of code, without authorizations. */
export const isVmCall = ({ batch, rules, toCodes }: Schedule, i: number): boolean =>
  toCodes[i] !== 0 && batch.type[i]! < TYPE_SET_CODE && batch.gasLimit[2 * i + 1] === 0 && rules.rejection[i] === 0

/** Such calls in [first, end) that have no execution, or one that the device gave up. */
const callsFor = (schedule: Schedule, first: number, end: number): number[] => {
  const { tier, groups, outcome } = schedule
  const calls: number[] = []
  for (let i = first; i < end; i++) {
    if (outcome[i] !== OUTCOME_NONE) continue
    if (tier[i] === TIER_VM ? groups[i]! < 0 : tier[i] === TIER_CPU && isVmCall(schedule, i)) calls.push(i)
  }
  return calls
}

const vmSource = (schedule: Schedule, transactions: Int32Array): VmSource => {
  const { batch, executionGas, fromIds, toIds, rules } = schedule
  const cost = new Uint32Array(LIMBS_PER_WORD * batch.count)
  for (const i of transactions) upfrontCost(schedule, i, cost, LIMBS_PER_WORD * i)
  return { batch, executionGas, fromIds, toIds, price: rules.price, cost }
}

const claim = ({ tier, groups, lanes }: Schedule, i: number): void => {
  tier[i] = TIER_VM
  groups[i] = -1
  lanes[i] = -1
}

/** Why a lane has no outcome; undefined where it has one. */
const leftReason = (group: VmGroup, lane: number): ExitReason | undefined => {
  const exit = vmExit(group, lane)
  const detail = group.columns[vmColumn(group, LANE_REQUEST, lane) + 1]!
  switch (exit) {
    case VM_EXITS.succeeded:
    case VM_EXITS.reverted:
    case VM_EXITS.halted:
      return undefined
    case VM_EXITS.running:
      return 'vm budget'
    case VM_EXITS.refused:
      return `refused: ${OPCODES.find(({ code }) => code === detail)?.mnemonic ?? detail}`
    case VM_EXITS.quota:
      return `vm quota: ${VM_REGIONS[detail] ?? detail}`
    default:
      return 'miss'
  }
}
