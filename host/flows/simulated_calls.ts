import { type Fork, isAtLeast } from '../../transpiler/spec/forks.ts'
import { type TransactionBatch, type TransactionObject, TYPE_BLOB } from '../chain/batch.ts'
import { type CallObject, encodeCalls } from '../chain/call_batch.ts'
import { type CallColumns, namedCall } from '../chain/call_columns.ts'
import { decodeTransaction, encodeBatch } from '../chain/encode_batch.ts'
import type { BlockEnvironment } from '../chain/environment.ts'
import type { Log } from '../chain/log.ts'
import type { Receipts } from '../receipts/receipts.ts'
import type { StateWrites } from '../state/state.ts'
import type { BlockWork } from './block_work.ts'

/**
 * A call of a simulated block. Without a gas limit it may use what the block has left; without a nonce it has the next
 * one of its sender.
 *
 * Example: {@link simulateBlocks}.
 */
export interface SimulatedBlockCall extends CallObject {
  readonly nonce?: bigint
}

/**
 * What a call of a simulated block came to. `mostGasUsed`: before the refund. `transfers`: positions in `logs` of those
 * that tell of a transfer of wei, which are in no receipt.
 *
 * Example: {@link simulateBlocks}.
 */
export interface SimulatedBlockResult {
  readonly status: 0 | 1
  readonly gasUsed: bigint
  readonly mostGasUsed: bigint
  readonly output: Uint8Array
  /** Why it failed: `revert`, or another word of the EVM. */
  readonly exception: string | undefined
  readonly logs: readonly Log[]
  readonly transfers: ReadonlySet<number>
  /** Before Byzantium, whose receipts hold a state root: the writes of all calls so far. */
  readonly writes: StateWrites | undefined
}

const NOBODY = `0x${'0'.repeat(40)}`

export const senderOf = ({ from = NOBODY }: SimulatedBlockCall): string => from

/** A transaction that is being made: thousands are, so one object each and no copies. */
type Draft = { -readonly [Name in keyof TransactionObject]: TransactionObject[Name] }

/** A call as the transaction that it is in its block. */
export const transactionOfCall = (call: SimulatedBlockCall, nonce: bigint, gasLimit: bigint): TransactionObject => {
  const { to, value, data = call.input, accessList, gasPrice, blobVersionedHashes, authorizations } = call
  const made: Draft = { type: typeOf(call), from: senderOf(call), nonce, gasLimit }
  if (to !== undefined) made.to = to
  if (value !== undefined) made.value = value
  if (data !== undefined) made.data = data
  if (gasPrice === undefined) {
    made.maxFeePerGas = call.maxFeePerGas ?? 0n
    made.maxPriorityFeePerGas = call.maxPriorityFeePerGas ?? 0n
    made.accessList = accessList ?? []
  } else {
    made.gasPrice = gasPrice
    if (call.maxFeePerGas !== undefined) made.maxFeePerGas = call.maxFeePerGas
    if (call.maxPriorityFeePerGas !== undefined) made.maxPriorityFeePerGas = call.maxPriorityFeePerGas
    if (accessList !== undefined) made.accessList = accessList
  }
  if (authorizations !== undefined) made.authorizations = authorizations
  if (blobVersionedHashes !== undefined) {
    made.blobVersionedHashes = blobVersionedHashes
    made.maxFeePerBlobGas = call.maxFeePerBlobGas ?? 0n
  }
  return made
}

const typeOf = (call: SimulatedBlockCall): NonNullable<TransactionObject['type']> => {
  if (call.gasPrice !== undefined) return 0
  if (call.authorizations !== undefined) return 4
  return call.blobVersionedHashes === undefined ? 2 : TYPE_BLOB
}

/** Calls in columns. Throws TransactionInputError. */
export const columnsOfCalls = (calls: readonly SimulatedBlockCall[]): CallColumns => {
  const transactions = calls.map((call) => transactionOfCall(call, call.nonce ?? 0n, call.gas ?? 0n))
  const hasGas = Uint8Array.from(calls, ({ gas }) => (gas === undefined ? 0 : 1))
  const hasNonce = Uint8Array.from(calls, ({ nonce }) => (nonce === undefined ? 0 : 1))
  return { transactions: encodeBatch(transactions), hasGas, hasNonce }
}

export const isInColumns = (calls: readonly SimulatedBlockCall[] | CallColumns): calls is CallColumns =>
  typeof calls === 'object' && calls !== null && 'hasGas' in calls

/** Calls as objects. */
export const callsOfColumns = (columns: CallColumns): readonly SimulatedBlockCall[] =>
  Array.from(columns.hasGas, (_, i) => namedCall(columns, i))

/**
 * A simulated block whose calls were executed together. Call i:
 *
 * transactions   as it was executed; without `validation` its nonce is the one that it tells, which did not count
 * receipts       none is rejected, and each failure has its word
 * mostGasUsed    f64[n]   gas before the refund
 *
 * Example: {@link simulateBlocks}.
 */
export interface SimulatedColumns {
  readonly transactions: TransactionBatch
  readonly receipts: Receipts
  readonly mostGasUsed: Float64Array
}

export const transactionsOf = ({ transactions }: SimulatedColumns): readonly TransactionObject[] =>
  Array.from(transactions.type, (_, i) => decodeTransaction(transactions, i))

export const resultsOf = ({ receipts, mostGasUsed }: SimulatedColumns): readonly SimulatedBlockResult[] =>
  Array.from(mostGasUsed, (most, i) => ({
    status: receipts.status[i] as 0 | 1,
    gasUsed: receipts.gasUsedOf(i),
    mostGasUsed: BigInt(most),
    output: receipts.output(i),
    exception: receipts.callOutcome(i)?.exception,
    logs: receipts.logs(i),
    transfers: new Set(receipts.transfers(i)),
    writes: undefined,
  }))

/** Transactions of calls as a batch, their nonces zero, which a fork takes that does not know their type. */
export const batchOfCalls = (
  transactions: readonly TransactionObject[],
  fork: Fork,
  env: BlockEnvironment,
): TransactionBatch =>
  encodeCalls(
    transactions.map((one) => callAgain(one, fork)),
    env,
  )

const callAgain = (transaction: TransactionObject, fork: Fork): CallObject => {
  const { type, nonce: _, gasLimit: gas, maxFeePerGas, maxPriorityFeePerGas, accessList, ...rest } = transaction
  if (type === 2 && !isAtLeast(fork, 'london')) return { ...rest, gas, gasPrice: maxFeePerGas ?? 0n }
  const fees =
    maxFeePerGas === undefined || maxPriorityFeePerGas === undefined ? {} : { maxFeePerGas, maxPriorityFeePerGas }
  const access = type === 0 || accessList === undefined ? {} : { accessList }
  return { ...rest, ...(type === undefined ? {} : { type }), gas, ...fees, ...access }
}

/** Gas of a call before its refund. */
export const mostGasOf = (intrinsic: number, floor: number, executionGas: bigint): bigint => {
  const spent = BigInt(intrinsic) + executionGas
  return spent < BigInt(floor) ? BigInt(floor) : spent
}

/** Logs as the work after the transactions reads them. @internal */
export const logsOf = (results: readonly SimulatedBlockResult[]): Parameters<BlockWork['after']>[1] => ({
  emitting: (address) => [...results.keys()].filter((i) => results[i]!.logs.some((log) => log.address === address)),
  logs: (i) => results[i]!.logs.filter((_, n) => !results[i]!.transfers.has(n)),
})
