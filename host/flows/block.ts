import { type Fork, isAtLeast } from '../../transpiler/spec/forks.ts'
import { GAS_PER_BLOB } from '../../transpiler/spec/gas.ts'
import { accessDifference, accessListHash, type BlockAccessList } from '../chain/access_list.ts'
import type { TransactionBatch } from '../chain/batch.ts'
import type { BlockEnvironment } from '../chain/environment.ts'
import type { BlockHeader } from '../chain/header.ts'
import type { OpRules } from '../chain/op/op_chain.ts'
import type { SignedTransactions } from '../chain/packed.ts'
import type { NodeHasher } from '../primitives/hash_plan.ts'
import { bytesToHex } from '../primitives/hex.ts'
import { type Receipts, STATUS_REJECTED } from '../receipts/receipts.ts'
import { checkTrie } from '../roots/check_trie.ts'
import { prepareReceiptsRoot } from '../roots/roots.ts'
import type { RecoverRows } from '../senders/recover.ts'
import type { TransactionChanges } from '../state/changes.ts'
import type { StateWrites } from '../state/state.ts'
import { firstDifference } from '../state/state_difference.ts'
import type { StateTrie } from '../state/trie/state_trie.ts'
import { writesOfChanges } from '../state/writes/of_changes.ts'
import { buildAccessList } from './access_list.ts'
import { BlockError, type BlockInput, type BlockOptions } from './block_input.ts'
import type { BlockGround, BlockSteps, EndedGround } from './block_steps.ts'
import { type BlockChain, BlockWork, type BlockYield, blockReward } from './block_work.ts'
import type { ExecutionResult, StageTimings } from './execution_result.ts'
import { depositExtras, footprintOf, messagesRoot } from './op_block.ts'
import type { PreparedBlock } from './prepare_block.ts'
import { RootJobs } from './root_jobs.ts'

/**
 * `StageTimings` of a whole block; with compileMs their sum is the whole call.
 *
 * Example: {@link BlockInput}.
 */
export interface BlockTimings extends StageTimings {
  /** Checks of the header, and signed bytes to columns. */
  readonly decode: number
  /** Recovering senders and authorities. */
  readonly senders: number
}

/**
 * What came of a block: the result of its transactions, and what its header commits to. Hashes and roots are 0x-hex.
 *
 * Example: {@link BlockInput}.
 */
export interface BlockResult extends ExecutionResult, BlockYield {
  readonly timings: BlockTimings
  readonly gasUsed: bigint
  readonly blobGasUsed: bigint
  /** 0x-hex, 256 bytes. */
  readonly logsBloom: string
  /** Undefined before Byzantium without a trie: the receipts then hold state roots. */
  readonly receiptsRoot: string | undefined
  /** State root after each transaction, which its receipt holds (EIP-658): before Byzantium, where there is a trie. */
  readonly postStates?: readonly string[]
  /** Undefined where the signed transactions are not known. */
  readonly transactionsRoot: string | undefined
  readonly withdrawalsRoot: string | undefined
  /** Undefined without a trie. */
  readonly stateRoot: string | undefined
  /** Where it was asked for (EIP-7928). */
  readonly accessList?: BlockAccessList
  readonly accessListHash?: string
}

/** What executes a batch with steps around it. @internal */
export interface BlockRunner extends BlockChain {
  readonly chainId: bigint
  readonly recover: RecoverRows
  /** Hashes the tries. */
  readonly hasher: NodeHasher
  run(
    env: BlockEnvironment,
    batch: TransactionBatch,
    changes: boolean,
    steps: BlockSteps,
    signed: SignedTransactions | undefined,
  ): Promise<ExecutionResult>
}

/**
 * Executes a prepared block and commits all of it or, where it throws, nothing.
 *
 * @internal
 */
export const executeBlock = async (
  runner: BlockRunner,
  prepared: PreparedBlock,
  options: BlockOptions,
): Promise<BlockResult> => {
  const { fork, depositContract, chain } = runner
  const { block, batch, env, signed, transactionsRoot, timings } = prepared
  const { header } = block
  const trie = options.parentState
  const parentRoot = trie?.root
  const jobs = new RootJobs(runner.hasher)
  const check = new BlockCheck(block, options, { fork, depositContract, chain, batch, env, jobs })
  const needsChanges = options.changes === true || check.needsPostStates || check.needsAccessList
  try {
    const result = await runner.run(env, batch, needsChanges, check, signed)
    return {
      ...result,
      ...check.work.yields,
      ...check.roots!,
      timings: { ...result.timings, ...timings, roots: result.timings.roots + timings.roots },
      gasUsed: header.gasUsed,
      blobGasUsed: check.blobGasUsed,
      transactionsRoot,
      withdrawalsRoot: header.withdrawalsRoot,
    }
  } catch (thrown) {
    await jobs.settled()
    if (parentRoot !== undefined) trie!.rewind(parentRoot)
    throw asBlockError(thrown, header.number)
  }
}

/** A fault of a step that makes a block invalid, as such; anything else as it is. */
export const asBlockError = (thrown: unknown, number: bigint): unknown =>
  thrown instanceof Error && INVALID_BODY.has(thrown.name)
    ? new BlockError(number, 'requestsHash', thrown.message)
    : thrown

/** A state root comes from the parent's. Throws InputError. @internal */
export const checkParentState = ({ parent, parentState }: BlockOptions): void => {
  if (parent !== undefined && parentState !== undefined) checkTrie(parentState, parent)
}

/** Errors of the steps that make a block invalid. */
const INVALID_BODY = new Set(['SystemContractError', 'DepositLogError'])

interface BlockRoots {
  readonly logsBloom: string
  readonly receiptsRoot: string | undefined
  readonly postStates?: readonly string[]
  readonly stateRoot: string | undefined
  readonly accessList?: BlockAccessList
  readonly accessListHash?: string
}

interface CheckParts extends BlockChain {
  readonly batch: TransactionBatch
  readonly env: BlockEnvironment
  readonly jobs: RootJobs
}

/** The work around the transactions, and after it the comparison with the header: first what is nearest to a cause. */
class BlockCheck implements BlockSteps {
  readonly invalid = 'throw'
  readonly work: BlockWork
  roots: BlockRoots | undefined
  blobGasUsed: bigint
  readonly #block: BlockInput
  readonly #header: BlockHeader
  readonly #options: BlockOptions
  readonly #fork: Fork
  readonly #chain: OpRules | undefined
  readonly #jobs: RootJobs
  /** Undefined before Byzantium: those receipts hold state roots. */
  #receiptsRoot: Promise<string> | undefined

  constructor(block: BlockInput, options: BlockOptions, { batch, env, jobs, ...chain }: CheckParts) {
    this.#block = block
    this.#header = block.header
    this.#options = options
    this.#fork = chain.fork
    this.#chain = chain.chain
    this.#jobs = jobs
    const reward = blockReward(chain.fork, env.number, block.uncles)
    this.work = new BlockWork(chain, env, block.header, { withdrawals: block.withdrawals, reward })
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

  get rootsMs(): number {
    return this.#jobs.thisThreadMs
  }

  before(ground: BlockGround): Promise<void> {
    return this.work.before(ground)
  }

  after(ground: EndedGround, receipts: Receipts): Promise<void> {
    const extras = depositExtras(receipts, this.#chain)
    if (isAtLeast(this.#fork, 'byzantium'))
      this.#receiptsRoot = this.#jobs.start((hasher) => prepareReceiptsRoot(receipts, extras).finish(hasher))
    return this.work.after(ground, receipts)
  }

  async check(ground: EndedGround, receipts: Receipts, writes: StateWrites): Promise<void> {
    const header = this.#header
    const { number } = header
    const expect = (field: keyof BlockHeader, actual: string | bigint | undefined): void => {
      if (actual !== undefined && header[field] !== actual)
        throw new BlockError(number, field, `header says ${header[field]}, execution gives ${actual}`)
    }
    expect('gasUsed', receipts.blockGasUsed)
    if (this.#chain !== undefined) this.blobGasUsed = footprintOf(this.#chain, ground)
    if (isAtLeast(this.#fork, 'cancun')) expect('blobGasUsed', this.blobGasUsed)
    const postStates = await this.#postStates(ground)
    if (postStates !== undefined)
      this.#receiptsRoot = this.#jobs.start((hasher) => prepareReceiptsRoot(receipts, { postStates }).finish(hasher))
    const { parentState, expectedState } = this.#options
    const statePending = parentState === undefined ? undefined : this.#jobs.startState(parentState, writes)
    const receiptsRootHex = await this.#receiptsRoot
    expect('receiptsRoot', receiptsRootHex)
    const logsBloom = bytesToHex(receipts.blockBloom())
    expect('logsBloom', logsBloom)
    expect('requestsHash', this.work.yields.requestsHash)
    const access = this.needsAccessList ? await this.#accessList(ground) : undefined
    expect('blockAccessListHash', header.blockAccessListHash === undefined ? undefined : access?.accessListHash)
    const stateRoot = await statePending
    const isOther = stateRoot !== undefined && stateRoot !== header.stateRoot
    if (expectedState !== undefined && (isOther || stateRoot === undefined)) {
      const difference = await firstDifference(expectedState, ground.running, writes)
      const roots = isOther ? `header says ${header.stateRoot}, execution gives ${stateRoot}; ` : ''
      if (difference !== undefined) throw new BlockError(number, 'stateRoot', `${roots}${difference}`)
    }
    expect('stateRoot', stateRoot)
    expect('withdrawalsRoot', messagesRoot(this.#chain, parentState))
    this.roots = {
      logsBloom,
      receiptsRoot: receiptsRootHex,
      ...(postStates === undefined ? {} : { postStates }),
      stateRoot,
      ...access,
    }
  }

  async #accessList({ recorder, running }: BlockGround) {
    const { before, after } = this.work.yields
    const accessList = await buildAccessList([before!, ...recorder!.all(), after!], (hash) => running.code(hash))
    const given = this.#block.accessList
    const difference = given === undefined ? undefined : accessDifference(given, accessList)
    if (difference !== undefined) throw new BlockError(this.#header.number, 'accessList', difference)
    return { accessList, accessListHash: accessListHash(accessList) }
  }

  async #postStates(ground: BlockGround): Promise<readonly string[] | undefined> {
    const trie = this.#options.parentState
    if (!this.needsPostStates || trie === undefined) return undefined
    return postStatesOf(trie, ground.recorder!.all())
  }
}

/** The state root after each transaction; the trie is where it was then. */
export const postStatesOf = async (trie: StateTrie, all: readonly TransactionChanges[]): Promise<readonly string[]> => {
  const parentRoot = trie.root
  const postStates: string[] = []
  const release = trie.hold?.()
  try {
    for (const changes of all) postStates.push(await trie.apply(writesOfChanges(changes)))
  } finally {
    trie.rewind(parentRoot)
    release?.()
  }
  return postStates
}

/** Blob gas of the transactions that `isIncluded` names (EIP-4844). */
export const blobGasOf = ({ extras }: TransactionBatch, isIncluded: (i: number) => boolean): bigint => {
  let blobs = 0
  for (const [i, { blobVersionedHashes }] of extras)
    if (blobVersionedHashes !== undefined && isIncluded(i)) blobs += blobVersionedHashes.length
  return BigInt(blobs * GAS_PER_BLOB)
}

export const isIncluded = (receipts: Receipts, i: number): boolean => receipts.status[i] !== STATUS_REJECTED
