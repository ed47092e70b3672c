import type { Fork } from '../../transpiler/spec/forks.ts'
import type { TransactionBatch } from '../chain/batch.ts'
import type { CallColumns } from '../chain/call_columns.ts'
import type { BlockEnvironment } from '../chain/environment.ts'
import type { GasBounds } from '../chain/rule_columns.ts'
import { gasBounds } from '../chain/rules.ts'
import type { Receipts } from '../receipts/receipts.ts'
import type { ParsedOverride } from '../state/overlay_state.ts'
import type { WrittenState } from '../state/written_state.ts'
import type { BlockSteps, EndedGround } from './block_steps.ts'
import type { BlockWork } from './block_work.ts'
import { logsOf, resultsOf, type SimulatedColumns } from './simulated_calls.ts'

/** A block of calls on a state. @internal */
export interface CallBlock {
  /** Takes the writes of the block where it was executed. */
  readonly ground: WrittenState
  readonly fork: Fork
  readonly env: BlockEnvironment
  readonly overrides: ReadonlyMap<string, ParsedOverride>
  readonly calls: CallColumns
  /** What all calls may use together. */
  readonly gas: bigint
  readonly validation: boolean
  readonly transfers: boolean
  /** What the block does around the calls, each time from its beginning. */
  work(): BlockWork
  readonly signal: AbortSignal | undefined
}

/** What a batch cannot tell as calls one after another do. @internal */
export class NotInBatch extends Error {}

/** The gas limits turned out to be others. @internal */
export class OtherLimits extends Error {
  readonly limits: Float64Array | undefined

  constructor(limits: Float64Array | undefined) {
    super('the gas that calls used gives those after them other limits')
    this.limits = limits
  }
}

/** What the block does around its calls; holds the limits against what was used, and reads the results. @internal */
export class CallSteps implements BlockSteps {
  readonly invalid = 'throw'
  readonly rootsMs = 0
  columns: SimulatedColumns | undefined
  readonly #block: CallBlock
  readonly #limits: Float64Array
  readonly #told: TransactionBatch
  readonly #work: BlockWork

  /** `told`: the calls as transactions, with the nonces that they tell. */
  constructor(block: CallBlock, limits: Float64Array, told: TransactionBatch, work: BlockWork) {
    this.#block = block
    this.#limits = limits
    this.#told = told
    this.#work = work
  }

  async before(): Promise<void> {}

  async after(ground: EndedGround, receipts: Receipts): Promise<void> {
    const { calls, env, gas, transfers, fork } = this.#block
    const limits = limitsAfter(calls, env, gas, receipts.gasUsed)
    if (limits === undefined || !isSame(limits, this.#limits)) throw new OtherLimits(limits)
    const columns = { transactions: this.#told, receipts, mostGasUsed: mostGas(receipts, gasBounds(this.#told, fork)) }
    this.columns = columns
    await this.#work.after(ground, transfers ? logsOf(resultsOf(columns)) : receipts)
  }

  async check(): Promise<void> {}
}

const isSame = (one: Float64Array, other: Float64Array): boolean => {
  for (let i = 0; i < one.length; i++) if (one[i] !== other[i]) return false
  return true
}

/** Gas of calls before their refunds. Throws NotInBatch where one of them is not told. */
const mostGas = (receipts: Receipts, { intrinsic, floor }: GasBounds): Float64Array => {
  const most = new Float64Array(receipts.count)
  for (let i = 0; i < most.length; i++) {
    const gas = intrinsic[i]! + receipts.executionGas(i)
    // So is one that is not a number.
    if (!(gas <= Number.MAX_SAFE_INTEGER)) throw new NotInBatch()
    most[i] = Math.max(gas, floor[i]!)
  }
  return most
}

/**
 * Gas limits of the calls where those before them used so much (undefined: nothing); undefined where one is above what
 * its block has left, and where doubles would round. @internal
 */
export const limitsAfter = (
  { transactions, hasGas }: CallColumns,
  env: BlockEnvironment,
  gas: bigint,
  used: Float64Array | undefined,
): Float64Array | undefined => {
  const { count, gasLimit } = transactions
  const limits = new Float64Array(count)
  const block = numberOf(env.gasLimit)
  const cap = numberOf(gas)
  let sum = 0
  for (let i = 0; i < count; i++) {
    let limit = hasGas[i] === 1 ? gasLimit[2 * i + 1]! * 2 ** 32 + gasLimit[2 * i]! : block - sum
    if (sum + limit > Number.MAX_SAFE_INTEGER || sum + limit > block) return undefined
    if (limit > cap - sum) limit = cap - sum
    limits[i] = limit
    sum += used?.[i] ?? 0
  }
  return limits
}

/** Infinity where a double may round it: no sum of limits gets there. */
const numberOf = (gas: bigint): number => (gas > BigInt(Number.MAX_SAFE_INTEGER) ? Infinity : Number(gas))
