import { type Fork, isAtLeast } from '../../transpiler/spec/forks.ts'
import { GAS_PER_BLOB } from '../../transpiler/spec/gas.ts'
import { accessDifference, accessListHash, type BlockAccessList, checkOrder } from '../chain/access_list.ts'
import type { TransactionBatch, TransactionObject } from '../chain/batch.ts'
import { checkBatch } from '../chain/check_batch.ts'
import { headerFault } from '../chain/check_header.ts'
import { encodeBatch } from '../chain/encode_batch.ts'
import type { BlockEnvironment } from '../chain/environment.ts'
import {
  type BlobSchedule,
  type BlockHeader,
  blobScheduleAt,
  encodeHeader,
  environmentOf,
  uncleHashOf,
} from '../chain/header.ts'
import { encodeWithdrawal, type Withdrawal } from '../chain/withdrawals.ts'
import { bytesToHex } from '../primitives/hex.ts'
import { rlpBytes, rlpList } from '../primitives/rlp.ts'
import { type Receipts, STATUS_REJECTED } from '../receipts/receipts.ts'
import { checkTrie } from '../roots/check_trie.ts'
import { receiptsRoot, transactionsRoot, withdrawalsRoot } from '../roots/roots.ts'
import type { DumpedAccount } from '../state/allocation.ts'
import type { StateWrites } from '../state/state.ts'
import { firstDifference } from '../state/state_difference.ts'
import type { StateTrie } from '../state/trie/trie.ts'
import { writesOfChanges } from '../state/writes/of_changes.ts'
import { buildAccessList } from './access_list.ts'
import type { BlockGround, BlockSteps } from './block_steps.ts'
import { type BlockChain, BlockWork, type BlockYield } from './block_work.ts'
import { decodeSigned } from './decode_signed.ts'
import type { ExecutionResult } from './execution_result.ts'

/**
 * A block as it is given: its header says what the execution must come to.
 *
 * @example
 * import { type BlockInput, createExecutor, createStateTrie, genesisHeader, MemoryState, stateRootOf } from 'wgevm'
 *
 * const state = MemoryState.from({ '0x00000000000000000000000000000000000a11ce': { balance: 10n ** 18n } })
 * const parent = genesisHeader('shanghai', { stateRoot: stateRootOf(state.dump()) })
 * const producer = createExecutor({ fork: 'shanghai', chainId: 1n, state: state.clone() })
 * const coinbase = '0x0000000000000000000000000000000000000b0b'
 * const attributes = { timestamp: 12n, coinbase, prevRandao: `0x${'0'.repeat(64)}` }
 * const parentState = createStateTrie(state.dump())
 * const block: BlockInput = (await producer.build({ parent, attributes, pool: [], parentState })).block
 * const validator = createExecutor({ fork: 'shanghai', chainId: 1n, state })
 * const { stateRoot } = await validator.executeBlock(block, { parent, parentState: createStateTrie(state.dump()) })
 * console.log(stateRoot === block.header.stateRoot) // true
 * producer.close()
 * validator.close()
 */
export interface BlockInput {
  readonly header: BlockHeader
  /** Decoded, or as they come over the wire. */
  readonly transactions: TransactionBatch | readonly TransactionObject[] | readonly Uint8Array[]
  /** The same over the wire, where `transactions` are decoded: without them the transactions root is not checked. */
  readonly signed?: readonly Uint8Array[]
  readonly uncles?: readonly BlockHeader[]
  readonly withdrawals?: readonly Withdrawal[]
  /** A list that came with the block (EIP-7928): used to load the state ahead, then compared with what was touched. */
  readonly accessList?: BlockAccessList
}

/**
 * Options of `executeBlock`: what the block is checked against, and what is asked for beside its result.
 *
 * @example
 * import { type BlockOptions, createStateTrie, genesisHeader, MemoryState, stateRootOf } from 'wgevm'
 *
 * const state = new MemoryState()
 * const options: BlockOptions = {
 *   parent: genesisHeader('osaka', { stateRoot: stateRootOf(state.dump()) }),
 *   parentState: createStateTrie(state.dump()),
 *   blobSchedule: { targetBlobs: 10, maxBlobs: 15, updateFraction: 8_346_193n },
 * }
 * console.log(options.blobSchedule?.maxBlobs) // 15
 */
export interface BlockOptions {
  /** Without it the rules between a block and its parent are not checked. */
  readonly parent?: BlockHeader
  /**
   * The trie of the state that the executor's State holds; it follows the block. Without it the state root is not
   * checked. Where `parent` is given, too, the trie's root must be the parent's state root.
   */
  readonly parentState?: StateTrie
  /** What the state should be after the block: a state root that differs is then told with the first account. */
  readonly expectedState?: Readonly<Record<string, DumpedAccount>>
  /** Where the chain's blob schedule (EIP-7892) is not what the fork brought. */
  readonly blobSchedule?: BlobSchedule
  /** Asks for `BlockResult.changes`. */
  readonly changes?: boolean
  /** As in `ExecuteRequest`; the trie is then where it was. */
  readonly signal?: AbortSignal
  /** Asks for `BlockResult.accessList`; so does a list that came with the block, or its hash in the header. */
  readonly accessList?: boolean
}

/**
 * What came of a block: the result of its transactions, and what its header commits to. Hashes and roots are 0x-hex.
 *
 * Example: {@link BlockInput}.
 */
export interface BlockResult extends ExecutionResult, BlockYield {
  readonly gasUsed: bigint
  readonly blobGasUsed: bigint
  /** 0x-hex, 256 bytes. */
  readonly logsBloom: string
  /** Undefined before Byzantium without a trie: the receipts then hold state roots. */
  readonly receiptsRoot: string | undefined
  /** Undefined where the signed transactions are not known. */
  readonly transactionsRoot: string | undefined
  readonly withdrawalsRoot: string | undefined
  /** Undefined without a trie. */
  readonly stateRoot: string | undefined
  /** Where it was asked for (EIP-7928). */
  readonly accessList?: BlockAccessList
  readonly accessListHash?: string
}

/**
 * The block may not stand: `field` of its header, or something else that is named in the message, is not as the rules
 * or the execution want it. Nothing was committed.
 *
 * @example
 * import { BlockError, createExecutor, genesisHeader, MemoryState, stateRootOf } from 'wgevm'
 *
 * const state = new MemoryState()
 * const parent = genesisHeader('shanghai', { stateRoot: stateRootOf(state.dump()) })
 * const executor = createExecutor({ fork: 'shanghai', chainId: 1n, state })
 * try {
 *   await executor.executeBlock({ header: { ...parent, number: 2n }, transactions: [], withdrawals: [] }, { parent })
 * } catch (error) {
 *   console.log(error instanceof BlockError && error.field) // number
 * }
 * executor.close()
 */
export class BlockError extends Error {
  override readonly name = 'BlockError'
  readonly number: bigint
  readonly field: string

  constructor(number: bigint, field: string, what: string) {
    super(`block ${number}: ${field}: ${what}`)
    this.number = number
    this.field = field
  }
}

/** What executes a batch with steps around it. @internal */
export interface BlockRunner extends BlockChain {
  readonly chainId: bigint
  run(env: BlockEnvironment, batch: TransactionBatch, changes: boolean, steps: BlockSteps): Promise<ExecutionResult>
}

/** @internal */
export const executeBlock = async (
  runner: BlockRunner,
  block: BlockInput,
  options: BlockOptions,
): Promise<BlockResult> => {
  const { fork } = runner
  const { header } = block
  if (options.parent !== undefined && options.parentState !== undefined) checkTrie(options.parentState, options.parent)
  const schedule = options.blobSchedule ?? blobScheduleAt(fork, runner.chainId, header.timestamp)
  const fault = headerFault(header, fork, options.parent, schedule)
  if (fault !== undefined)
    throw new BlockError(header.number, fault.field, `header says ${fault.stated}, expected ${fault.actual}`)
  const signed = signedOf(block)
  checkBody(block, signed, fork)
  checkAccessList(block)
  const batch = batchOf(block, runner.chainId)
  const trie = options.parentState
  const parentRoot = trie?.root
  const env = environmentOf(header, fork, schedule)
  const check = new BlockCheck(block, options, { fork, depositContract: runner.depositContract, batch, env })
  const needsChanges = options.changes === true || check.needsPostStates || check.needsAccessList
  try {
    const result = await runner.run(env, batch, needsChanges, check)
    return {
      ...result,
      ...check.work.yields,
      ...check.roots!,
      gasUsed: header.gasUsed,
      blobGasUsed: check.blobGasUsed,
      transactionsRoot: signed === undefined ? undefined : header.transactionsRoot,
      withdrawalsRoot: header.withdrawalsRoot,
    }
  } catch (thrown) {
    if (parentRoot !== undefined) trie!.rewind(parentRoot)
    if (thrown instanceof Error && INVALID_BODY.has(thrown.name))
      throw new BlockError(header.number, 'requestsHash', thrown.message)
    throw thrown
  }
}

/** Errors of the steps that make a block invalid. */
const INVALID_BODY = new Set(['SystemContractError', 'DepositLogError'])

/** EIP-7934 (Osaka): bytes of the RLP of a block. */
export const MAX_BLOCK_BYTES = 8 * 1024 * 1024
const MAX_UNCLES = 2
const MAX_UNCLE_DEPTH = 6n

const isWire = (transactions: BlockInput['transactions']): transactions is readonly Uint8Array[] =>
  Array.isArray(transactions) && transactions[0] instanceof Uint8Array

const signedOf = ({ transactions, signed }: BlockInput): readonly Uint8Array[] | undefined => {
  if (isWire(transactions)) return transactions
  return signed ?? (Array.isArray(transactions) && transactions.length === 0 ? [] : undefined)
}

const batchOf = ({ transactions }: BlockInput, chainId: bigint): TransactionBatch => {
  if (isWire(transactions)) return decodeSigned(transactions, { chainId })
  return Array.isArray(transactions) ? encodeBatch(transactions) : checkBatch(transactions)
}

/** What can be said of transactions, uncles and withdrawals without executing anything. */
const checkBody = (block: BlockInput, signed: readonly Uint8Array[] | undefined, fork: Fork): void => {
  const { header, uncles = [], withdrawals } = block
  const expect = (field: keyof BlockHeader, actual: string): void => {
    if (header[field] !== actual)
      throw new BlockError(header.number, field, `header says ${header[field]}, is ${actual}`)
  }
  if (signed !== undefined) expect('transactionsRoot', transactionsRoot(signed))
  expect('uncleHash', uncleHashOf(uncles))
  if (uncles.length > MAX_UNCLES)
    throw new BlockError(header.number, 'uncles', `${uncles.length} of them, expected at most ${MAX_UNCLES}`)
  for (const { number } of uncles) {
    if (number < header.number - MAX_UNCLE_DEPTH || number >= header.number)
      throw new BlockError(header.number, 'uncles', `one has number ${number}, expected one of the 6 before the block`)
  }
  if (isAtLeast(fork, 'shanghai')) expect('withdrawalsRoot', withdrawalsRoot(withdrawals ?? []))
  else if (withdrawals !== undefined && withdrawals.length > 0)
    throw new BlockError(header.number, 'withdrawals', `${withdrawals.length} of them, expected none before shanghai`)
  if (isAtLeast(fork, 'osaka') && signed !== undefined) {
    const bytes = encodeBlock(block, signed).length
    if (bytes > MAX_BLOCK_BYTES)
      throw new BlockError(header.number, 'size', `${bytes} bytes of RLP, expected at most ${MAX_BLOCK_BYTES}`)
  }
}

const checkAccessList = ({ header, accessList }: BlockInput): void => {
  if (accessList === undefined) return
  try {
    checkOrder(accessList)
  } catch (thrown) {
    throw new BlockError(header.number, 'accessList', (thrown as Error).message)
  }
  const hash = accessListHash(accessList)
  if (header.blockAccessListHash !== undefined && header.blockAccessListHash !== hash)
    throw new BlockError(header.number, 'blockAccessListHash', `header says ${header.blockAccessListHash}, is ${hash}`)
}

/** RLP of the whole block. */
const encodeBlock = (
  { header, uncles = [], withdrawals = [] }: BlockInput,
  signed: readonly Uint8Array[],
): Uint8Array =>
  rlpList([
    encodeHeader(header),
    rlpList(signed.map((bytes) => (bytes[0]! >= 0xc0 ? bytes : rlpBytes(bytes)))),
    rlpList(uncles.map(encodeHeader)),
    rlpList(withdrawals.map(encodeWithdrawal)),
  ])

interface BlockRoots {
  readonly logsBloom: string
  readonly receiptsRoot: string | undefined
  readonly stateRoot: string | undefined
  readonly accessList?: BlockAccessList
  readonly accessListHash?: string
}

interface CheckParts extends BlockChain {
  readonly batch: TransactionBatch
  readonly env: BlockEnvironment
}

/** The work around the transactions, and after it the comparison with the header: first what is nearest to a cause. */
class BlockCheck implements BlockSteps {
  readonly invalid = 'throw'
  readonly work: BlockWork
  roots: BlockRoots | undefined
  readonly blobGasUsed: bigint
  readonly #block: BlockInput
  readonly #header: BlockHeader
  readonly #options: BlockOptions
  readonly #fork: Fork

  constructor(block: BlockInput, options: BlockOptions, { batch, env, ...chain }: CheckParts) {
    this.#block = block
    this.#header = block.header
    this.#options = options
    this.#fork = chain.fork
    this.work = new BlockWork(chain, env, block.header, block)
    this.blobGasUsed = blobGasOf(batch, () => true)
  }

  /** EIP-658: before Byzantium receipts hold the state root after their transaction. */
  get needsPostStates(): boolean {
    return !isAtLeast(this.#fork, 'byzantium') && this.#options.parentState !== undefined
  }

  get needsAccessList(): boolean {
    const { accessList, header } = this.#block
    return this.#options.accessList === true || accessList !== undefined || header.blockAccessListHash !== undefined
  }

  get accessList(): BlockAccessList | undefined {
    return this.#block.accessList
  }

  before(ground: BlockGround): Promise<void> {
    return this.work.before(ground)
  }

  after(ground: BlockGround, receipts: Receipts): Promise<void> {
    return this.work.after(ground, receipts)
  }

  async check(ground: BlockGround, receipts: Receipts, writes: StateWrites): Promise<void> {
    const header = this.#header
    const { number } = header
    const expect = (field: keyof BlockHeader, actual: string | bigint | undefined): void => {
      if (actual !== undefined && header[field] !== actual)
        throw new BlockError(number, field, `header says ${header[field]}, execution gives ${actual}`)
    }
    expect('gasUsed', receipts.blockGasUsed)
    if (isAtLeast(this.#fork, 'cancun')) expect('blobGasUsed', this.blobGasUsed)
    const receiptsRoot = await this.#receiptsRoot(ground, receipts)
    expect('receiptsRoot', receiptsRoot)
    const logsBloom = bytesToHex(receipts.blockBloom())
    expect('logsBloom', logsBloom)
    expect('requestsHash', this.work.yields.requestsHash)
    const access = this.needsAccessList ? await this.#accessList(ground) : undefined
    expect('blockAccessListHash', header.blockAccessListHash === undefined ? undefined : access?.accessListHash)
    const stateRoot = await this.#options.parentState?.apply(writes)
    const { expectedState } = this.#options
    const isOther = stateRoot !== undefined && stateRoot !== header.stateRoot
    if (expectedState !== undefined && (isOther || stateRoot === undefined)) {
      const difference = await firstDifference(expectedState, ground.running, writes)
      const roots = isOther ? `header says ${header.stateRoot}, execution gives ${stateRoot}; ` : ''
      if (difference !== undefined) throw new BlockError(number, 'stateRoot', `${roots}${difference}`)
    }
    expect('stateRoot', stateRoot)
    this.roots = { logsBloom, receiptsRoot, stateRoot, ...access }
  }

  async #accessList({ recorder, running }: BlockGround) {
    const { before, after } = this.work.yields
    const accessList = await buildAccessList([before!, ...recorder!.all(), after!], (hash) => running.code(hash))
    const given = this.#block.accessList
    const difference = given === undefined ? undefined : accessDifference(given, accessList)
    if (difference !== undefined) throw new BlockError(this.#header.number, 'accessList', difference)
    return { accessList, accessListHash: accessListHash(accessList) }
  }

  async #receiptsRoot(ground: BlockGround, receipts: Receipts): Promise<string | undefined> {
    if (isAtLeast(this.#fork, 'byzantium')) return receiptsRoot(receipts)
    const trie = this.#options.parentState
    if (trie === undefined) return undefined
    const parentRoot = trie.root
    const postStates: string[] = []
    for (const changes of ground.recorder!.all()) postStates.push(await trie.apply(writesOfChanges(changes)))
    trie.rewind(parentRoot)
    return receiptsRoot(receipts, { postStates })
  }
}

/** Blob gas of the transactions that `isIncluded` names (EIP-4844). */
export const blobGasOf = ({ extras }: TransactionBatch, isIncluded: (i: number) => boolean): bigint => {
  let blobs = 0
  for (const [i, { blobVersionedHashes }] of extras)
    if (blobVersionedHashes !== undefined && isIncluded(i)) blobs += blobVersionedHashes.length
  return BigInt(blobs * GAS_PER_BLOB)
}

export const isIncluded = (receipts: Receipts, i: number): boolean => receipts.status[i] !== STATUS_REJECTED
