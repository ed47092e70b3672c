import { LIMBS_PER_ADDRESS } from '../../transpiler/layout/word.ts'
import { type Fork, isAtLeast } from '../../transpiler/spec/forks.ts'
import { accessListHash, type BlockAccessList } from '../chain/access_list.ts'
import { type TransactionBatch, type TransactionObject, TYPE_DEPOSIT } from '../chain/batch.ts'
import { checkBatch } from '../chain/check_batch.ts'
import { encodeBatch, TransactionInputError } from '../chain/encode_batch.ts'
import {
  type BlobSchedule,
  type BlockHeader,
  blobScheduleAt,
  EMPTY_LIST_HASH,
  environmentOf,
  gasLimitBounds,
  headerHash,
  nextBaseFee,
  nextExcessBlobGas,
} from '../chain/header.ts'
import { orderPool } from '../chain/order_pool.ts'
import { isPacked, type SignedTransactions, selectSigned, signedCount, signedLength } from '../chain/packed.ts'
import { REJECTION, type Rejection, rejectionText } from '../chain/rejection.ts'
import type { Requests } from '../chain/requests.ts'
import { transactionRules } from '../chain/rules.ts'
import { selectTransactions } from '../chain/select_batch.ts'
import { decodeSignedBatch, NO_TRANSACTION_BYTES } from '../chain/signed_batch.ts'
import type { Withdrawal } from '../chain/withdrawals.ts'
import { bytesToHex } from '../primitives/hex.ts'
import { InputError } from '../primitives/input.ts'
import { EMPTY_TRIE_ROOT } from '../primitives/keccak.ts'
import type { Receipts } from '../receipts/receipts.ts'
import { checkTrie } from '../roots/check_trie.ts'
import { prepareReceiptsRoot, prepareTransactionsRoot, withdrawalsRoot } from '../roots/roots.ts'
import { type KnownSenders, knownColumn } from '../senders/known_senders.ts'
import { recoverSendersBulk } from '../senders/recover.ts'
import type { StateWrites } from '../state/state.ts'
import type { StateTrie } from '../state/trie/state_trie.ts'
import { buildAccessList } from './access_list.ts'
import { type BlockRunner, blobGasOf, isIncluded } from './block.ts'
import type { BlockInput } from './block_input.ts'
import type { BlockGround, BlockSteps } from './block_steps.ts'
import { BlockWork } from './block_work.ts'
import { checkAttributes } from './check_attributes.ts'
import type { ExecutionResult } from './execution_result.ts'
import { MAX_BLOCK_BYTES } from './prepare_block.ts'
import { RootJobs } from './root_jobs.ts'

/**
 * What the consensus layer, or a sequencer, decides of a block.
 *
 * @example
 * import type { BlockAttributes } from 'wgevm'
 *
 * const attributes: BlockAttributes = {
 *   timestamp: 1_700_000_000n,
 *   coinbase: '0x0000000000000000000000000000000000000b0b',
 *   prevRandao: `0x${'00'.repeat(32)}`,
 *   withdrawals: [],
 *   parentBeaconBlockRoot: `0x${'00'.repeat(32)}`,
 * }
 * console.log(attributes.gasLimit) // undefined
 */
export interface BlockAttributes {
  readonly timestamp: bigint
  /** 0x-hex. */
  readonly coinbase: string
  /** 0x-hex, 32 bytes. */
  readonly prevRandao: string
  /** What the gas limit should come to; a block may only go a step towards it. Default: the parent's. */
  readonly gasLimit?: bigint
  /** 0x-hex, at most 32 bytes. */
  readonly extraData?: string
  readonly withdrawals?: readonly Withdrawal[]
  /** From Cancun on: 0x-hex, 32 bytes. */
  readonly parentBeaconBlockRoot?: string
}

/**
 * What `build` makes a block of: the parent, what the consensus layer or a sequencer decides, and a pool of signed
 * transactions.
 *
 * @example
 * import { type BuildRequest, createExecutor, createStateTrie, genesisHeader, MemoryState, stateRootOf } from 'wgevm'
 *
 * const coinbase = '0x0000000000000000000000000000000000000b0b'
 * const state = MemoryState.from({ '0x00000000000000000000000000000000000a11ce': { balance: 10n ** 18n } })
 * const request: BuildRequest = {
 *   parent: genesisHeader('paris', { stateRoot: stateRootOf(state.dump()) }),
 *   attributes: { timestamp: 12n, coinbase, prevRandao: `0x${'0'.repeat(64)}` },
 *   pool: [Uint8Array.of(0xff)],
 *   parentState: createStateTrie(state.dump()),
 * }
 * const executor = createExecutor({ fork: 'paris', chainId: 1n, state })
 * const { block, dropped } = await executor.build(request)
 * console.log(block.header.number, dropped.length) // 1n 1
 * executor.close()
 */
export interface BuildRequest {
  readonly parent: BlockHeader
  readonly attributes: BlockAttributes
  /**
   * Signed transactions as they come over the wire, in the order of their arrival. What cannot be read is `dropped`.
   */
  readonly pool: SignedTransactions
  /**
   * Senders of the pool, where the caller has recovered them before. They are **taken as given**. Not beside `decoded`.
   */
  readonly senders?: KnownSenders
  /** The same decoded, with their senders, where the caller has them so. */
  readonly decoded?: TransactionBatch | readonly TransactionObject[]
  /**
   * The trie of the state that the executor's State holds, which is the parent's: its root is checked. It follows the
   * block.
   */
  readonly parentState: StateTrie
  readonly blobSchedule?: BlobSchedule
  /** Asks for the block access list (EIP-7928). */
  readonly accessList?: boolean
  /** As in `ExecuteRequest`; the trie is then where it was. */
  readonly signal?: AbortSignal
}

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
  const { fork } = runner
  const { parent, attributes, pool, parentState } = request
  checkTrie(parentState, parent)
  if (!isAtLeast(fork, 'paris')) throw new RangeError(`blocks are built from paris on, not at ${fork}`)
  checkAttributes(parent, attributes, fork)
  const schedule = request.blobSchedule ?? blobScheduleAt(fork, runner.chainId, attributes.timestamp)
  const header = headerOf(request, fork, schedule)
  const env = environmentOf(header, fork, schedule)
  const faults = new Map<number, TransactionInputError>()
  const batch = await poolBatch(request, runner, faults)
  const rules = transactionRules(batch, fork, env)
  for (const i of faults.keys()) rules.rejection[i] = REJECTION.malformed
  const candidates = fitting(orderPool(batch, rules), pool, rules.intrinsic, Number(header.gasLimit), fork)
  const jobs = new RootJobs(runner.hasher)
  const steps = new BuildSteps(
    request,
    header,
    fork,
    new BlockWork(runner, env, header, { withdrawals: attributes.withdrawals }),
    jobs,
  )
  const root = parentState.root
  let execution: ExecutionResult
  try {
    const ordered = selectTransactions(batch, candidates)
    steps.take(ordered, candidates)
    execution = await runner.run(env, ordered, request.accessList === true, steps)
  } catch (thrown) {
    await jobs.settled()
    parentState.rewind(root)
    throw thrown
  }
  const order = [...candidates].filter((_, n) => isIncluded(execution.receipts, n))
  const rejections = rejectionsOf(rules.rejection, candidates, execution, order, faults)
  const { header: built, accessList, requests } = steps.result!
  return {
    block: {
      header: built,
      transactions: selectSigned(pool, order),
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
  { pool, decoded, senders }: BuildRequest,
  { fork, chainId, recover }: BlockRunner,
  faults: Map<number, TransactionInputError>,
): Promise<TransactionBatch> => {
  if (decoded === undefined) {
    const signed = decodeSignedBatch(pool, { fork, chainId, faults })
    return recoverSendersBulk(signed, recover, { faults, known: knownColumn(senders) })
  }
  const isObjects = Array.isArray(decoded)
  const count = isObjects ? decoded.length : (decoded as TransactionBatch).count
  const pooled = signedCount(pool)
  if (count !== pooled)
    throw new InputError(`decoded must be as many as the pool's ${pooled}, got ${count}`, 'decoded', count)
  for (const [i, raw] of isPacked(pool) ? [] : pool.entries())
    if (!(raw instanceof Uint8Array)) faults.set(i, new TransactionInputError(i, NO_TRANSACTION_BYTES))
  const batch = isObjects ? encodePool(decoded, faults) : checkBatch(decoded, 'decoded')
  faultSenderless(batch, faults)
  return batch
}

/**
 * No key signs for the zero address: a row that has it was read without its sender, or had a fault when it was decoded.
 */
const faultSenderless = ({ count, type, from }: TransactionBatch, faults: Map<number, TransactionInputError>): void => {
  for (let i = 0; i < count; i++) {
    const at = LIMBS_PER_ADDRESS * i
    const isZero = (from[at]! | from[at + 1]! | from[at + 2]! | from[at + 3]! | from[at + 4]!) === 0
    if (isZero && type[i] !== TYPE_DEPOSIT && !faults.has(i))
      faults.set(i, new TransactionInputError(i, 'expected a sender, got none'))
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

/** Left of the header for the execution is what it gives: roots, bloom, gas and requests. */
const headerOf = (
  { parent, attributes }: BuildRequest,
  fork: Fork,
  schedule: BlobSchedule | undefined,
): BlockHeader => {
  return {
    parentHash: headerHash(parent),
    uncleHash: EMPTY_LIST_HASH,
    coinbase: attributes.coinbase.toLowerCase(),
    stateRoot: parent.stateRoot,
    transactionsRoot: EMPTY_TRIE_ROOT,
    receiptsRoot: EMPTY_TRIE_ROOT,
    logsBloom: `0x${'00'.repeat(256)}`,
    difficulty: 0n,
    number: parent.number + 1n,
    gasLimit: towards(attributes.gasLimit ?? parent.gasLimit, gasLimitBounds(parent, fork)),
    gasUsed: 0n,
    timestamp: attributes.timestamp,
    extraData: attributes.extraData ?? '0x',
    mixHash: attributes.prevRandao.toLowerCase(),
    nonce: '0x0000000000000000',
    baseFeePerGas: nextBaseFee(parent),
    ...(isAtLeast(fork, 'shanghai') ? { withdrawalsRoot: withdrawalsRoot(attributes.withdrawals ?? []) } : {}),
    ...(schedule === undefined
      ? {}
      : {
          blobGasUsed: 0n,
          excessBlobGas: nextExcessBlobGas(parent, fork, schedule),
          parentBeaconBlockRoot: attributes.parentBeaconBlockRoot ?? `0x${'00'.repeat(32)}`,
        }),
  }
}

/** As near to what is wanted as the bounds allow. */
const towards = (wanted: bigint, { least, most }: { readonly least: bigint; readonly most: bigint }): bigint => {
  if (wanted < least) return least
  if (wanted > most) return most
  return wanted
}

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
  for (const [n, i] of order.entries()) {
    gas += LEAST_SHARE * intrinsic[i]!
    bytes += signedLength(pool, i) + 9
    if (gas > gasLimit || bytes > mostBytes) return order.subarray(0, n)
  }
  return order
}

const rejectionsOf = (
  fixed: Uint8Array,
  candidates: Uint32Array,
  { rejected }: ExecutionResult,
  included: readonly number[],
  faults: ReadonlyMap<number, TransactionInputError>,
): PoolRejection[] => {
  const codes = new Map<number, Rejection>(rejected.map(({ index, code }) => [candidates[index]!, code]))
  const isThere = new Set(included)
  const found: PoolRejection[] = []
  for (let index = 0; index < fixed.length; index++) {
    if (isThere.has(index)) continue
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

/** The work around the transactions of a block that is being made; in the end its header. */
class BuildSteps implements BlockSteps {
  readonly invalid = 'skip'
  result:
    | { readonly header: BlockHeader; readonly accessList?: BlockAccessList; readonly requests?: Requests }
    | undefined
  readonly #request: BuildRequest
  readonly #header: BlockHeader
  readonly #fork: Fork
  readonly #work: BlockWork
  readonly #jobs: RootJobs
  #receiptsRoot: Promise<string> | undefined
  #transactionsRoot: Promise<string> | undefined
  #batch: TransactionBatch | undefined
  #candidates: Uint32Array = new Uint32Array(0)

  constructor(request: BuildRequest, header: BlockHeader, fork: Fork, work: BlockWork, jobs: RootJobs) {
    this.#jobs = jobs
    this.#request = request
    this.#header = header
    this.#fork = fork
    this.#work = work
  }

  /** The transactions in order, and their positions in the pool. */
  take(batch: TransactionBatch, candidates: Uint32Array): void {
    this.#batch = batch
    this.#candidates = candidates
  }

  get rootsMs(): number {
    return this.#jobs.thisThreadMs
  }

  before(ground: BlockGround): Promise<void> {
    return this.#work.before(ground)
  }

  after(ground: BlockGround, receipts: Receipts): Promise<void> {
    const included = this.#candidates.filter((_, n) => isIncluded(receipts, n))
    const signed = selectSigned(this.#request.pool, included)
    this.#receiptsRoot = this.#jobs.start((hasher) => prepareReceiptsRoot(receipts).finish(hasher))
    this.#transactionsRoot = this.#jobs.start((hasher) => prepareTransactionsRoot(signed).finish(hasher))
    return this.#work.after(ground, receipts)
  }

  async check(ground: BlockGround, receipts: Receipts, writes: StateWrites): Promise<void> {
    const statePending = this.#jobs.startState(this.#request.parentState, writes)
    const accessList = await this.#accessList(ground, receipts)
    const { requests, requestsHash } = this.#work.yields
    const header = {
      ...this.#header,
      transactionsRoot: await this.#transactionsRoot!,
      receiptsRoot: await this.#receiptsRoot!,
      logsBloom: bytesToHex(receipts.blockBloom()),
      gasUsed: receipts.blockGasUsed,
      ...(isAtLeast(this.#fork, 'cancun')
        ? { blobGasUsed: blobGasOf(this.#batch!, (n) => isIncluded(receipts, n)) }
        : {}),
      ...(requestsHash === undefined ? {} : { requestsHash }),
      ...(accessList === undefined || requestsHash === undefined
        ? {}
        : { blockAccessListHash: accessListHash(accessList) }),
      stateRoot: await statePending,
    }
    this.result = {
      header,
      ...(accessList === undefined ? {} : { accessList }),
      ...(requests === undefined ? {} : { requests }),
    }
  }

  async #accessList({ recorder, running }: BlockGround, receipts: Receipts): Promise<BlockAccessList | undefined> {
    if (recorder === undefined) return undefined
    const { before, after } = this.#work.yields
    const included = recorder.all().filter((_, n) => isIncluded(receipts, n))
    return buildAccessList([before!, ...included, after!], (hash) => running.code(hash))
  }
}
