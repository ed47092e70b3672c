import type { TransactionBatch } from '../chain/batch.ts'
import type { BlockEnvironment } from '../chain/environment.ts'
import { RULE_BYTES } from '../chain/rule_columns.ts'
import type { TransactionRules } from '../chain/rules.ts'
import type { RulesPass } from '../chain/rules_pass.ts'
import { OWN_COLUMNS } from '../primitives/column_pool.ts'
import type { Executions } from './executions.ts'
import type { ExplainLog } from './explain_log.ts'

/** Which tier a transaction is meant for (OpenBatch.tier): a plain transfer, or one that is rejected, for none. */
export const TIER_NONE = 0
/** The last tier, which takes whatever no other has. */
export const TIER_LAST = 1
/** The first of the others, in the order in which they are wired. */
export const TIER_FIRST = 2

/** What became of a transaction (OpenBatch.outcome). */
export const OUTCOME_NONE = 0
export const OUTCOME_EXECUTED = 1
export const OUTCOME_REJECTED = 2

/** How the present execution of a transaction ended (OpenBatch.status). */
export const STATUS_FAILURE = 0
export const STATUS_SUCCESS = 1
/** It has none that ended. */
export const STATUS_NONE = 2

/**
 * One batch on its way through the executor, as columns. Transaction i:
 *
 * fromIds, toIds   i32[n]   account ids at routing (-1 for a creation)
 * toCodes          u32[n]   code id of `to` at routing; 0 where it is no call that reaches it
 * executionGas     f64[n]   gas limit less intrinsic gas; meaningless where a static rule is broken
 * tier             u8[n]    TIER_NONE, TIER_LAST, or the number of the tier that has taken it
 * executionOf      i32[n]   its last execution, an index into `executions`; -1 = none, as a plain transfer
 * laneOf           i32[n]   its lane in there
 * status           u8[n]    STATUS_* of that execution
 * gas, refund      f64[n]   gas of its execution without the intrinsic part, and its refund counter before the cap; the
 *                           gas is NaN where it is not known
 * runs             u8[n]    times that a device tier executed it, 255 = that or more
 * reasons          u16[n]   why not the tier in front (ExitReasons); 0 = no reason yet
 * outcome          u8[n]    OUTCOME_*
 * rejections       u8[n]    REJECTION code of an OUTCOME_REJECTED
 * gasUsed          f64[n]   as the transaction pays it
 *                           Receipts keep executionOf, laneOf, status, gas, refund, rejections and gasUsed; after the
 *                           batch all other columns may be those of the next one.
 * explained        exits by transaction, where the request asks for the explanation
 */
export interface OpenBatch {
  readonly batch: TransactionBatch
  readonly env: BlockEnvironment
  readonly rules: TransactionRules
  /** What applied the rules at once, where it did. */
  readonly pass: RulesPass | undefined
  readonly fromIds: Int32Array
  readonly toIds: Int32Array
  readonly toCodes: Uint32Array
  readonly executionGas: Float64Array
  readonly tier: Uint8Array
  readonly executionOf: Int32Array
  readonly laneOf: Int32Array
  readonly status: Uint8Array
  readonly gas: Float64Array
  readonly refund: Float64Array
  readonly runs: Uint8Array
  readonly reasons: Uint16Array
  readonly outcome: Uint8Array
  readonly rejections: Uint8Array
  readonly gasUsed: Float64Array
  readonly executions: Executions[]
  readonly explained: ExplainLog | undefined
  /** Calls of a simulated block, which no one has signed; undefined: transactions. */
  readonly simulated: SimulatedTerms | undefined
  /** Its present id. */
  coinbaseId: number
  /** Account ids of VAULTS on a chain of the OP stack; empty on Ethereum. */
  vaultIds: readonly number[]
}

/**
 * How a simulated block differs from a batch of transactions: senders may be contracts, the gas limit of the block is
 * checked by the simulation, and an execution that halts without a word for it does not stand. `transfers`: neither
 * does one that moves wei, as these are to be logged.
 */
export interface SimulatedTerms {
  readonly validation: boolean
  readonly transfers: boolean
}

/** Bytes of the columns of a transaction that are no receipt's. */
const OPEN_BYTES = 4 * 4 + 8 + 2 + 3
/** Of the batch's own columns that passes read: type, nonce, value. */
const BROUGHT_BYTES = 1 + 8 + 32

/** Bytes of a pool for a batch of so many transactions. */
export const pooledBytes = (count: number): number => count * (RULE_BYTES + OPEN_BYTES + BROUGHT_BYTES)

/**
 * Opens a batch. With `pass`, which has ruled it, columns that end with the batch are those of the pass's pool: the
 * next batch takes them.
 */
export const createOpenBatch = (
  batch: TransactionBatch,
  env: BlockEnvironment,
  rules: TransactionRules,
  explained?: ExplainLog,
  pass?: RulesPass,
  simulated?: SimulatedTerms,
): OpenBatch => {
  const { count } = batch
  const from = pass?.columns ?? OWN_COLUMNS
  const executionGas = from.f64(count)
  for (let i = 0; i < count; i++) executionGas[i] = rules.gasLimit[i]! - rules.intrinsic[i]!
  return {
    batch,
    env,
    rules,
    pass,
    fromIds: from.i32(count).fill(0),
    toIds: from.i32(count).fill(-1),
    toCodes: from.u32(count).fill(0),
    executionGas,
    tier: from.u8(count).fill(TIER_NONE),
    executionOf: new Int32Array(count).fill(-1),
    laneOf: new Int32Array(count).fill(-1),
    status: new Uint8Array(count).fill(STATUS_NONE),
    gas: new Float64Array(count),
    refund: new Float64Array(count),
    runs: from.u8(count).fill(0),
    reasons: from.u16(count).fill(0),
    outcome: from.u8(count).fill(OUTCOME_NONE),
    rejections: new Uint8Array(count),
    gasUsed: new Float64Array(count),
    executions: [],
    explained,
    simulated,
    coinbaseId: -1,
    vaultIds: [],
  }
}

/** One more execution on a device tier. */
export const countRun = ({ runs }: OpenBatch, i: number): void => {
  if (runs[i]! < 255) runs[i]!++
}

/** Whether transaction i has an execution that ended. */
export const hasEnded = ({ status }: OpenBatch, i: number): boolean => status[i] !== STATUS_NONE

/** The last execution of transaction i. An array has no index -1: it would look for a property of that name. */
export const executionAt = (batch: OpenBatch, i: number): Executions | undefined => {
  const number = batch.executionOf[i]!
  return number < 0 ? undefined : batch.executions[number]
}
