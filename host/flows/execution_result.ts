import type { TransactionExplanation } from '../batch/explain.ts'
import { type Rejection, rejectionText } from '../chain/rejection.ts'
import type { DeviceTimes } from '../device/clock.ts'
import type { Receipts } from '../receipts/receipts.ts'
import type { TransactionChanges } from '../state/changes.ts'
import type { StateWrites } from '../state/state.ts'

/**
 * A transaction of the batch that may not be included: its index, and why.
 *
 * Example: {@link rejectionText}.
 */
export interface RejectedTransaction {
  readonly index: number
  readonly code: Rejection
  readonly reason: string
}

/**
 * Transactions by the tier that executed them; rejected ones are in none.
 *
 * Example: {@link createExecutor}.
 */
export interface TierCounts {
  readonly pathKernel: number
  readonly pathProgram: number
  /** Path programs that ran on the host: lanes too few for a wave. */
  readonly pathHost: number
  readonly laneVm: number
  readonly transfer: number
  readonly cpu: number
}

/**
 * Wall milliseconds by stage; with compileMs their sum is the whole call. The device works beside the host: `execute`
 * is only the waiting for it, and the CPU tier.
 *
 * Example: {@link createExecutor}.
 */
export interface StageTimings {
  /** Static rules, senders and called accounts, tiers and path keys. */
  route: number
  /** Gathering and uploading lanes, recording paths, loading what lanes missed. */
  upload: number
  execute: number
  readback: number
  /** The sweep, and the resolution of the version log. */
  validate: number
  /** Collecting the writes, and the State's commit. */
  commit: number
  /** With what a block does after its transactions. */
  receipts: number
  /** Of a block: the tries that its header commits to, and the comparison with it. Zero where there is no block. */
  roots: number
  /**
   * What dispatches took on the device: they run beside the stages, and are in none. Absent where no times were asked
   * for, or the adapter has no timestamp queries.
   */
  device?: number
}

/**
 * What came of a batch: receipts, writes, and where and how its transactions were executed. Times are wall
 * milliseconds.
 *
 * Example: {@link createExecutor}.
 */
export interface ExecutionResult {
  readonly receipts: Receipts
  readonly rejected: readonly RejectedTransaction[]
  readonly writes: StateWrites
  /** Per transaction, where the request asked for it: what it did to the state at its place. */
  readonly changes?: readonly TransactionChanges[]
  readonly tiers: TierCounts
  /** Rounds of device execution, at least 1. */
  readonly rounds: number
  /** Transactions that the CPU tier executed, by why. */
  readonly exits: Readonly<Record<string, number>>
  readonly timings: StageTimings
  /** By kernel, where the executor was told to time dispatches. */
  readonly deviceTimes?: DeviceTimes
  /** Dispatches more than one per path and round, because the batch passed the device's limits. */
  readonly chunks: number
  readonly deviceBytesPerTransaction: number
  /** What the call uploaded to the device: lanes, and what changed of the tables there. */
  readonly uploadedBytes: number
  /** Spent on compilation inside this call, which no stage contains. */
  readonly compileMs: number
  /** Per transaction, where the request asked for it: how it was executed, and why so. */
  readonly explain?: readonly TransactionExplanation[]
  /**
   * Executions of the CPU tier ahead of their place, by whether they held there. Other threads make them, so these
   * counts, and only these, differ from run to run.
   */
  readonly ahead: { readonly held: number; readonly broken: number }
  /** Transactions that the device settled (`ExecutorOptions.settle`), and submissions for that: one for each range. */
  readonly settled: { readonly transactions: number; readonly submissions: number }
  /** What went wrong with the device or with workers; the result is exact all the same. */
  readonly faults: readonly string[]
}

/**
 * The batch holds a transaction that may not be included, and the executor was told to `throw`. Nothing was committed.
 *
 * @example
 * import { createExecutor, InvalidTransactionError, MemoryState } from 'wgevm'
 *
 * const alice = '0x00000000000000000000000000000000000a11ce'
 * const executor = createExecutor({ fork: 'osaka', chainId: 1n, state: new MemoryState(), invalid: 'throw' })
 * const env = { number: 1n, timestamp: 1n, coinbase: alice, gasLimit: 60_000_000n, baseFeePerGas: 7n, prevRandao: 0n }
 * const transactions = [{ from: alice, to: alice, nonce: 0n, gasLimit: 21_000n, gasPrice: 10n }]
 * const error: unknown = await executor.execute({ env, transactions }).catch((reason: unknown) => reason)
 * console.log(error instanceof InvalidTransactionError && error.index) // 0
 * executor.close()
 */
export class InvalidTransactionError extends Error {
  override readonly name = 'InvalidTransactionError'
  readonly index: number
  readonly code: Rejection

  constructor(index: number, code: Rejection) {
    super(`transaction ${index}: ${rejectionText(code)}`)
    this.index = index
    this.code = code
  }
}
