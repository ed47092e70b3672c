import { LIMBS_PER_ADDRESS } from '../../transpiler/layout/word.ts'
import { type Fork, isAtLeast } from '../../transpiler/spec/forks.ts'
import type { BlockAccessList } from '../chain/access_list.ts'
import { type TransactionBatch, type TransactionObject, TYPE_DEPOSIT } from '../chain/batch.ts'
import { checkBatch } from '../chain/check_batch.ts'
import { encodeBatch, TransactionInputError } from '../chain/encode_batch.ts'
import { blobScheduleAt, environmentOf, headerHash } from '../chain/header.ts'
import type { OpRules } from '../chain/op/op_chain.ts'
import { activatedFork } from '../chain/op/op_header.ts'
import { orderPool } from '../chain/order_pool.ts'
import { isPacked, type SignedTransactions, selectSigned, signedCount, signedLength } from '../chain/packed.ts'
import { REJECTION, type Rejection, rejectionText } from '../chain/rejection.ts'
import type { Requests } from '../chain/requests.ts'
import { transactionRules } from '../chain/rules.ts'
import { selectTransactions } from '../chain/select_batch.ts'
import { decodeSignedBatch, NO_TRANSACTION_BYTES } from '../chain/signed_batch.ts'
import { InputError } from '../primitives/input.ts'
import { checkTrie } from '../roots/check_trie.ts'
import { knownColumn } from '../senders/known_senders.ts'
import { recoverSendersBulk } from '../senders/recover.ts'
import { type BlockRunner, isIncluded } from './block.ts'
import type { BlockInput } from './block_input.ts'
import { BlockWork } from './block_work.ts'
import { buildHeader } from './build_header.ts'
import type { BuildRequest } from './build_request.ts'
import { BuildSteps } from './build_steps.ts'
import { checkAttributes } from './check_attributes.ts'
import type { ExecutionResult } from './execution_result.ts'
import { beforeOthers, decodeForced } from './forced.ts'
import { MAX_BLOCK_BYTES } from './prepare_block.ts'
import { RootJobs } from './root_jobs.ts'

/**
 * A transaction of the pool that is not in the block, and why.
 *
 * Example: {@link BuildRequest}.
 */
export interface PoolRejection {
  /** Position in the pool. */
  readonly index: number
  readonly code: Rejection
  readonly reason: string
}

/**
 * A block that was built and committed, and what became of the pool.
 *
 * Example: {@link BuildRequest}.
 */
export interface BuiltBlock {
  /** What `executeBlock` takes. */
  readonly block: BlockInput
  readonly hash: string
  /** Pool positions of the block's transactions, in their order. */
  readonly order: readonly number[]
  /** Never valid after this block: the pool may forget them. */
  readonly dropped: readonly PoolRejection[]
  /** Not valid here, but maybe in a later block. */
  readonly left: readonly PoolRejection[]
  /** From Prague on: to the consensus layer (EIP-7685), which the header commits to. */
  readonly requests?: Requests
  readonly accessList?: BlockAccessList
  /** Of the whole ordered pool: `rejected` names positions in that order. */
  readonly execution: ExecutionResult
}

/** Builds a block on `parent` from a pool and commits it. A call that throws has committed nothing. @internal */
export const buildBlock = async (runner: BlockRunner, request: BuildRequest): Promise<BuiltBlock> => {
  const { fork, chain } = runner
  const { parent, attributes, parentState } = request
  checkTrie(parentState, parent)
  if (!isAtLeast(fork, 'paris')) throw new RangeError(`blocks are built from paris on, not at ${fork}`)
  checkAttributes(parent, attributes, fork, chain)
  const schedule =
    chain === undefined
      ? (request.blobSchedule ?? blobScheduleAt(fork, runner.chainId, attributes.timestamp))
      : undefined
  const header = buildHeader(request, fork, schedule, chain)
  const env = environmentOf(header, fork, schedule)
  const forced = await decodeForced(runner, attributes.transactions)
  const pool = takesPool(request, chain) ? request.pool : []
  const faults = new Map<number, TransactionInputError>()
  const batch = await poolBatch(pool, request, runner, faults)
  const rules = transactionRules(batch, fork, env)
  for (const i of faults.keys()) rules.rejection[i] = REJECTION.malformed
  const candidates = fitting(orderPool(batch, rules), pool, rules.intrinsic, Number(header.gasLimit), fork)
  const jobs = new RootJobs(runner.hasher)
  const work = new BlockWork(runner, env, header, { withdrawals: attributes.withdrawals })
  const steps = new BuildSteps({ request, header, fork, chain, work, jobs })
  const root = parentState.root
  const forcedCount = forced.batch.count
  let execution: ExecutionResult
  try {
    const chosen = { signed: selectSigned(pool, candidates), batch: selectTransactions(batch, candidates) }
    const ordered = beforeOthers(forced, chosen)
    steps.take(ordered, forcedCount)
    const needsChanges = request.accessList === true || request.changes === true
    execution = await runner.run(env, ordered.batch, needsChanges, steps, ordered.signed)
  } catch (thrown) {
    await jobs.settled()
    parentState.rewind(root)
    throw thrown
  }
  const order: number[] = []
  for (let n = 0; n < candidates.length; n++)
    if (isIncluded(execution.receipts, forcedCount + n)) order.push(candidates[n]!)
  const rejected = execution.rejected.map(({ index, code }) => [candidates[index - forcedCount]!, code] as const)
  const rejections = rejectionsOf(rules.rejection, rejected, order, faults)
  const { header: built, accessList, requests } = steps.result!
  return {
    block: {
      header: built,
      transactions: steps.signed,
      ...(isAtLeast(fork, 'shanghai') ? { withdrawals: attributes.withdrawals ?? [] } : {}),
      ...(accessList === undefined ? {} : { accessList }),
    },
    hash: headerHash(built),
    order,
    dropped: rejections.filter(({ code }) => !MAY_COME.has(code)),
    left: rejections.filter(({ code }) => MAY_COME.has(code)),
    ...(requests === undefined ? {} : { requests }),
    ...(accessList === undefined ? {} : { accessList }),
    execution,
  }
}

/** Whether the pool may come into the block: not where attributes say so, nor into the first block of some forks. */
const takesPool = ({ attributes, parent }: BuildRequest, chain: OpRules | undefined): boolean =>
  attributes.noTxPool !== true &&
  (chain === undefined || activatedFork(chain, attributes.timestamp, parent.timestamp) === undefined)

/** Reasons that another block may not have. */
const MAY_COME = new Set<Rejection>([
  REJECTION.gasLimitReached,
  REJECTION.blobGasReached,
  REJECTION.nonceTooHigh,
  REJECTION.feeCapBelowBaseFee,
  REJECTION.blobFeeCapTooLow,
  REJECTION.insufficientFunds,
])

/** The pool as a batch; what cannot be read is a row that means nothing, and named in `faults`. */
const poolBatch = async (
  pool: SignedTransactions,
  { decoded, senders, pool: whole }: BuildRequest,
  { fork, chainId, recover }: BlockRunner,
  faults: Map<number, TransactionInputError>,
): Promise<TransactionBatch> => {
  if (decoded === undefined || pool !== whole) {
    const signed = decodeSignedBatch(pool, { fork, chainId, faults })
    return recoverSendersBulk(signed, recover, { faults, known: pool === whole ? knownColumn(senders) : undefined })
  }
  const isObjects = Array.isArray(decoded)
  const count = isObjects ? decoded.length : (decoded as TransactionBatch).count
  const pooled = signedCount(pool)
  if (count !== pooled)
    throw new InputError(`decoded must be as many as the pool's ${pooled}, got ${count}`, 'decoded', count)
  for (const [i, raw] of isPacked(pool) ? [] : pool.entries())
    if (!(raw instanceof Uint8Array)) faults.set(i, new TransactionInputError(i, NO_TRANSACTION_BYTES))
  const batch = isObjects ? encodePool(decoded, faults) : checkBatch(decoded, 'decoded')
  faultUnsigned(batch, faults)
  return batch
}

/**
 * No key signs for the zero address: a row that has it was read without its sender, or had a fault when it was decoded.
 * A deposit has no signature: it is a block’s because the attributes say so.
 */
const faultUnsigned = ({ count, type, from }: TransactionBatch, faults: Map<number, TransactionInputError>): void => {
  for (let i = 0; i < count; i++) {
    const at = LIMBS_PER_ADDRESS * i
    const isZero = (from[at]! | from[at + 1]! | from[at + 2]! | from[at + 3]! | from[at + 4]!) === 0
    if (faults.has(i)) continue
    if (type[i] === TYPE_DEPOSIT) faults.set(i, new TransactionInputError(i, 'expected a signature, got a deposit'))
    else if (isZero) faults.set(i, new TransactionInputError(i, 'expected a sender, got none'))
  }
}

/** One by one only where one of them cannot be read. */
const encodePool = (
  objects: readonly TransactionObject[],
  faults: Map<number, TransactionInputError>,
): TransactionBatch => {
  try {
    return encodeBatch(objects)
  } catch (thrown) {
    if (!(thrown instanceof TransactionInputError)) throw thrown
  }
  const readable = objects.map((object, i) => {
    try {
      encodeBatch([object])
      return object
    } catch (thrown) {
      if (!(thrown instanceof TransactionInputError)) throw thrown
      faults.set(i, new TransactionInputError(i, thrown.reason))
      return NO_TRANSACTION
    }
  })
  return encodeBatch(readable)
}

const NO_TRANSACTION: TransactionObject = { from: `0x${'00'.repeat(20)}`, nonce: 0n, gasLimit: 0n, gasPrice: 0n }

/**
 * Refunds take at most half of what was used (before EIP-3529), so each transaction uses half its intrinsic gas or
 * more.
 */
const LEAST_SHARE = 0.5
/** Room for the header, withdrawals and list heads in a block of the greatest size. */
const RESERVED_BYTES = 64 * 1024

/**
 * The beginning of the order that could fit into the block: what is behind it would only be executed to be rejected.
 */
const fitting = (
  order: Uint32Array,
  pool: SignedTransactions,
  intrinsic: Float64Array,
  gasLimit: number,
  fork: Fork,
): Uint32Array => {
  const mostBytes = isAtLeast(fork, 'osaka') ? MAX_BLOCK_BYTES - RESERVED_BYTES : Infinity
  let gas = 0
  let bytes = 0
  for (let n = 0; n < order.length; n++) {
    const i = order[n]!
    gas += LEAST_SHARE * intrinsic[i]!
    bytes += signedLength(pool, i) + 9
    if (gas > gasLimit || bytes > mostBytes) return order.subarray(0, n)
  }
  return order
}

/** `rejected`: positions in the pool. */
const rejectionsOf = (
  fixed: Uint8Array,
  rejected: readonly (readonly [index: number, code: Rejection])[],
  included: readonly number[],
  faults: ReadonlyMap<number, TransactionInputError>,
): PoolRejection[] => {
  const codes = new Map<number, Rejection>(rejected)
  const isThere = new Uint8Array(fixed.length)
  for (const index of included) isThere[index] = 1
  const found: PoolRejection[] = []
  for (let index = 0; index < fixed.length; index++) {
    if (isThere[index] === 1) continue
    const code = codes.get(index) ?? (fixed[index] === 0 ? REJECTION.gasLimitReached : (fixed[index] as Rejection))
    const fault = faults.get(index)
    found.push({
      index,
      code,
      reason: fault === undefined ? rejectionText(code) : `${rejectionText(code)}: ${fault.reason}`,
    })
  }
  return found
}
