import type { Fork } from '../../transpiler/spec/forks.ts'
import type { TransactionBatch } from '../chain/batch.ts'
import type { BlockEnvironment } from '../chain/environment.ts'
import { gasBounds } from '../chain/rules.ts'
import type { NodeHasher } from '../primitives/hash_plan.ts'
import { bytesToHex } from '../primitives/hex.ts'
import type { Receipts } from '../receipts/receipts.ts'
import { prepareReceiptsRoot } from '../roots/roots.ts'
import type { ParsedOverride } from '../state/overlay_state.ts'
import type { WrittenState } from '../state/written_state.ts'
import type { BlockSteps, EndedGround } from './block_steps.ts'
import type { BlockWork } from './block_work.ts'
import {
  logsOf,
  mostGasOf,
  type SimulatedBlockCall,
  type SimulatedBlockResult,
  type SimulatedReceipts,
} from './simulated_calls.ts'

/** A block of calls on a state. @internal */
export interface CallBlock {
  /** Takes the writes of the block where it was executed. */
  readonly ground: WrittenState
  readonly fork: Fork
  readonly env: BlockEnvironment
  readonly overrides: ReadonlyMap<string, ParsedOverride>
  readonly calls: readonly SimulatedBlockCall[]
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
  readonly limits: readonly bigint[] | undefined

  constructor(limits: readonly bigint[] | undefined) {
    super('the gas that calls used gives those after them other limits')
    this.limits = limits
  }
}

/** What the block does around its calls; holds the limits against what was used, and reads the results. @internal */
export class CallSteps implements BlockSteps {
  readonly invalid = 'throw'
  readonly rootsMs = 0
  results: readonly SimulatedBlockResult[] = []
  gasUsed = 0n
  receipts: Promise<SimulatedReceipts> | undefined
  readonly #block: CallBlock
  readonly #hasher: NodeHasher
  readonly #limits: readonly bigint[]
  readonly #batch: TransactionBatch
  readonly #work: BlockWork

  constructor(
    block: CallBlock,
    limits: readonly bigint[],
    batch: TransactionBatch,
    work: BlockWork,
    hasher: NodeHasher,
  ) {
    this.#block = block
    this.#hasher = hasher
    this.#limits = limits
    this.#batch = batch
    this.#work = work
  }

  async before(): Promise<void> {}

  async after(ground: EndedGround, receipts: Receipts): Promise<void> {
    const { calls, env, gas, transfers } = this.#block
    const used = calls.map((_, i) => receipts.gasUsedOf(i))
    const limits = limitsAfter(calls, env, gas, used)
    if (limits?.every((limit, i) => limit === this.#limits[i]) !== true) throw new OtherLimits(limits)
    this.#read(receipts)
    this.gasUsed = receipts.blockGasUsed
    if (!transfers) this.receipts = this.#receiptsOf(receipts)
    await this.#work.after(ground, transfers ? logsOf(this.results) : receipts)
  }

  async check(): Promise<void> {}

  async #receiptsOf(receipts: Receipts): Promise<SimulatedReceipts> {
    const root = prepareReceiptsRoot(receipts).finish(this.#hasher)
    return { root: await root, bloom: bytesToHex(receipts.blockBloom()) }
  }

  #read(receipts: Receipts): void {
    const { intrinsic, floor } = gasBounds(this.#batch, this.#block.fork)
    this.results = this.#block.calls.map((_, i) => {
      const outcome = receipts.callOutcome(i)
      if (outcome === undefined) throw new NotInBatch()
      const { exception, executionGas } = outcome
      return {
        status: receipts.status[i] as 0 | 1,
        gasUsed: receipts.gasUsedOf(i),
        mostGasUsed: mostGasOf(intrinsic[i]!, floor[i]!, executionGas),
        output: receipts.output(i),
        exception,
        logs: receipts.logs(i),
        transfers: new Set(receipts.transfers(i)),
        writes: undefined,
      }
    })
  }
}

/**
 * Gas limits of the calls where those before them used so much (undefined: nothing); undefined where one is above what
 * its block has left. @internal
 */
export const limitsAfter = (
  calls: readonly SimulatedBlockCall[],
  env: BlockEnvironment,
  gas: bigint,
  used: readonly bigint[] | undefined,
): readonly bigint[] | undefined => {
  const limits: bigint[] = []
  let sum = 0n
  for (const [i, call] of calls.entries()) {
    let limit = call.gas ?? env.gasLimit - sum
    if (sum + limit > env.gasLimit) return undefined
    if (limit > gas - sum) limit = gas - sum
    limits.push(limit)
    sum += used?.[i] ?? 0n
  }
  return limits
}
