import type { TransactionBatch } from '../chain/batch.ts'
import type { BlockEnvironment } from '../chain/environment.ts'
import type { TransactionRules } from '../chain/rules.ts'
import type { VmGroup } from '../tiers/lane_vm/executions.ts'
import type { LaneGroup } from '../tiers/path/columns.ts'
import type { ExplainLog } from './explain.ts'
import type { CpuExecution } from './outcome.ts'

/** Which tier a transaction is meant for. */
export const TIER_TRANSFER = 0
export const TIER_LANE = 1
export const TIER_CPU = 2
export const TIER_VM = 3

/** What became of a transaction (Schedule.outcome). */
export const OUTCOME_NONE = 0
export const OUTCOME_TRANSFER = 1
export const OUTCOME_LANE = 2
export const OUTCOME_CPU = 3
export const OUTCOME_REJECTED = 4
export const OUTCOME_VM = 5

/**
 * One batch on its way through the executor, as columns. Transaction i:
 *
 * fromIds, toIds   i32[n]   account ids at routing (-1 for a creation)
 * toCodes          u32[n]   code id of `to` at routing
 * executionGas     f64[n]   gas limit less intrinsic gas; meaningless where a static rule is broken
 * tier             u8[n]    TIER_*
 * keyIds           i32[n]   path key of a call into code (PathRouter), else -1
 * groups, lanes    i32[n]   where its last device execution is: index into `laneGroups` (into `vmGroups` where its tier is TIER_VM),
 *                           lane; -1 = none
 * executions       u8[n]    times that the device executed it, 255 = that or more
 * reasons          u16[n]   why the CPU tier (ExitReasons); 0 = no reason yet
 * outcome          u8[n]    OUTCOME_*
 * rejections       u8[n]    REJECTION code of an OUTCOME_REJECTED
 * gasUsed          f64[n]
 * cpuResults       of the OUTCOME_CPU, by index
 * explained        exits by transaction, where the request asks for the explanation
 */
export interface Schedule {
  readonly batch: TransactionBatch
  readonly env: BlockEnvironment
  readonly rules: TransactionRules
  readonly fromIds: Int32Array
  readonly toIds: Int32Array
  readonly toCodes: Uint32Array
  readonly executionGas: Float64Array
  readonly tier: Uint8Array
  readonly keyIds: Int32Array
  readonly groups: Int32Array
  readonly lanes: Int32Array
  readonly executions: Uint8Array
  readonly reasons: Uint16Array
  readonly outcome: Uint8Array
  readonly rejections: Uint8Array
  readonly gasUsed: Float64Array
  readonly cpuResults: Map<number, CpuExecution>
  readonly laneGroups: LaneGroup[]
  readonly vmGroups: VmGroup[]
  readonly explained: ExplainLog | undefined
  coinbaseId: number
}

export const createSchedule = (
  batch: TransactionBatch,
  env: BlockEnvironment,
  rules: TransactionRules,
  explained?: ExplainLog,
): Schedule => {
  const { count } = batch
  const executionGas = new Float64Array(count)
  for (let i = 0; i < count; i++) executionGas[i] = rules.gasLimit[i]! - rules.intrinsic[i]!
  return {
    batch,
    env,
    rules,
    fromIds: new Int32Array(count),
    toIds: new Int32Array(count).fill(-1),
    toCodes: new Uint32Array(count),
    executionGas,
    tier: new Uint8Array(count),
    keyIds: new Int32Array(count).fill(-1),
    groups: new Int32Array(count).fill(-1),
    lanes: new Int32Array(count).fill(-1),
    executions: new Uint8Array(count),
    reasons: new Uint16Array(count),
    outcome: new Uint8Array(count),
    rejections: new Uint8Array(count),
    gasUsed: new Float64Array(count),
    cpuResults: new Map(),
    laneGroups: [],
    vmGroups: [],
    explained,
    coinbaseId: -1,
  }
}
