import { type Fork, isAtLeast } from '../../transpiler/spec/forks.ts'
import type { TransactionBatch, TransactionObject } from '../chain/batch.ts'
import type { BlockEnvironment } from '../chain/environment.ts'
import { type SignedTransactions, selectSigned } from '../chain/packed.ts'
import type { Withdrawal } from '../chain/withdrawals.ts'
import { bytesToHex } from '../primitives/hex.ts'
import type { Receipts } from '../receipts/receipts.ts'
import { prepareReceiptsRoot, prepareTransactionsRoot } from '../roots/roots.ts'
import type { StateWrites } from '../state/state.ts'
import type { StateTrie } from '../state/trie/state_trie.ts'
import { asBlockError, type BlockRunner, blobGasOf, isIncluded, postStatesOf } from './block.ts'
import type { BlockGround, BlockSteps } from './block_steps.ts'
import { type BlockReward, BlockWork, type BlockYield } from './block_work.ts'
import type { ExecutionResult } from './execution_result.ts'
import { RootJobs } from './root_jobs.ts'

/**
 * What `transition` executes: transactions in their order and the steps of a block around them, without a header and
 * without the rules between a block and its parent. What is absent is not done.
 *
 * @example
 * import { createExecutor, createStateTrie, MemoryState, type TransitionRequest } from 'wgevm'
 *
 * const miner = '0x0000000000000000000000000000000000000b0b'
 * const state = new MemoryState()
 * const request: TransitionRequest = {
 *   env: { number: 5n, timestamp: 1n, coinbase: miner, gasLimit: 8_000_000n, baseFeePerGas: 0n, prevRandao: 131_072n },
 *   transactions: [],
 *   reward: { wei: 64n, uncles: [{ coinbase: '0x00000000000000000000000000000000000a11ce', distance: 1n }] },
 *   parentState: createStateTrie(state),
 * }
 * const executor = createExecutor({ fork: 'byzantium', chainId: 1n, state })
 * const { stateRoot } = await executor.transition(request)
 * console.log(stateRoot === request.parentState.root, state.account(miner)?.balance) // true 66n
 * executor.close()
 */
export interface TransitionRequest {
  readonly env: BlockEnvironment
  /** Those that may not be included are left out, and named in the result. */
  readonly transactions: TransactionBatch | readonly TransactionObject[]
  /** The same as they come over the wire: without them there is no transactions root. */
  readonly signed?: SignedTransactions
  /** From Prague on: what is entered into the contract of EIP-2935. 0x-hex. */
  readonly parentHash?: string
  /** From Cancun on: what is entered into the contract of EIP-4788. 0x-hex. */
  readonly parentBeaconBlockRoot?: string
  readonly withdrawals?: readonly Withdrawal[]
  readonly reward?: BlockReward
  /** `never`: no contract of the system is called, and nothing is requested. */
  readonly systemCalls?: 'never'
  /** The trie of the state that the executor's State holds; it follows the transition. */
  readonly parentState: StateTrie
  /** Asks for `ExecutionResult.changes`, and for what was done before and after the transactions. */
  readonly changes?: boolean
  /** As in `ExecuteRequest`; the trie is then where it was. */
  readonly signal?: AbortSignal
}

/**
 * What came of a transition: what a block of the included transactions would commit to. Roots are 0x-hex.
 *
 * Example: {@link TransitionRequest}.
 */
export interface Transition extends ExecutionResult, BlockYield {
  readonly gasUsed: bigint
  readonly blobGasUsed: bigint
  /** 0x-hex, 256 bytes. */
  readonly logsBloom: string
  readonly stateRoot: string
  readonly receiptsRoot: string
  /** State root after each transaction, which its receipt holds (EIP-658): before Byzantium. */
  readonly postStates?: readonly string[]
  /** Undefined where the signed transactions are not known. */
  readonly transactionsRoot: string | undefined
}

/**
 * Executes a transition and commits it. A call that throws has committed nothing: BlockError where a contract of the
 * system is missing or fails.
 *
 * @internal
 */
export const executeTransition = async (
  runner: BlockRunner,
  request: TransitionRequest,
  batch: TransactionBatch,
): Promise<Transition> => {
  const { env, parentState, changes = false } = request
  const root = parentState.root
  const jobs = new RootJobs(runner.hasher)
  const steps = new TransitionSteps(runner.fork, request, new BlockWork(runner, env, request, request), jobs)
  try {
    const result = await runner.run(env, batch, changes || steps.needsPostStates, steps, request.signed)
    return {
      ...result,
      ...steps.work.yields,
      ...steps.roots!,
      gasUsed: result.receipts.blockGasUsed,
      blobGasUsed: blobGasOf(batch, (i) => isIncluded(result.receipts, i)),
    }
  } catch (thrown) {
    await jobs.settled()
    parentState.rewind(root)
    throw asBlockError(thrown, env.number)
  }
}

type TransitionRoots = Pick<Transition, 'logsBloom' | 'stateRoot' | 'receiptsRoot' | 'postStates' | 'transactionsRoot'>

class TransitionSteps implements BlockSteps {
  readonly invalid = 'skip'
  readonly work: BlockWork
  roots: TransitionRoots | undefined
  readonly #fork: Fork
  readonly #request: TransitionRequest
  readonly #jobs: RootJobs
  #transactionsRoot: Promise<string> | undefined

  constructor(fork: Fork, request: TransitionRequest, work: BlockWork, jobs: RootJobs) {
    this.#fork = fork
    this.#request = request
    this.work = work
    this.#jobs = jobs
  }

  /** EIP-658: before Byzantium receipts hold the state root after their transaction. */
  get needsPostStates(): boolean {
    return !isAtLeast(this.#fork, 'byzantium')
  }

  get rootsMs(): number {
    return this.#jobs.thisThreadMs
  }

  before(ground: BlockGround): Promise<void> {
    return this.work.before(ground)
  }

  after(ground: BlockGround, receipts: Receipts): Promise<void> {
    const { signed } = this.#request
    if (signed !== undefined) {
      const included = Uint32Array.from({ length: receipts.count }, (_, i) => i).filter((i) => isIncluded(receipts, i))
      const chosen = selectSigned(signed, included)
      this.#transactionsRoot = this.#jobs.start((hasher) => prepareTransactionsRoot(chosen).finish(hasher))
    }
    return this.work.after(ground, receipts)
  }

  async check(ground: BlockGround, receipts: Receipts, writes: StateWrites): Promise<void> {
    const { parentState } = this.#request
    const postStates = this.needsPostStates ? await postStatesOf(parentState, ground.recorder!.all()) : undefined
    const extras = postStates === undefined ? {} : { postStates }
    const receiptsRoot = this.#jobs.start((hasher) => prepareReceiptsRoot(receipts, extras).finish(hasher))
    const stateRoot = this.#jobs.startState(parentState, writes)
    this.roots = {
      logsBloom: bytesToHex(receipts.blockBloom()),
      stateRoot: await stateRoot,
      receiptsRoot: await receiptsRoot,
      ...extras,
      transactionsRoot: await this.#transactionsRoot,
    }
  }
}
