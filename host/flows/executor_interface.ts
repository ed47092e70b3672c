import type { Fork } from '../../transpiler/spec/forks.ts'
import type { DeviceCosts } from '../batch/cost.ts'
import type { CompileMode } from '../batch/policy.ts'
import type { TransactionBatch, TransactionObject } from '../chain/batch.ts'
import type { BlockEnvironment } from '../chain/environment.ts'
import type { OpRules } from '../chain/op/op_chain.ts'
import type { SignedTransactions } from '../chain/packed.ts'
import type { SenderCache } from '../senders/sender_cache.ts'
import type { SendersMode } from '../senders/senders.ts'
import type { DeviceSource, LostDevicePolicy } from '../session/executor_device.ts'
import type { State } from '../state/state.ts'
import type { PathStore } from '../tiers/path/store/store.ts'
import type { BlockResult } from './block.ts'
import type { BlockInput, BlockOptions, StreamOptions } from './block_input.ts'
import type { BuiltBlock } from './build.ts'
import type { BuildRequest } from './build_request.ts'
import type { DecodeRequest } from './decode_signed.ts'
import type { ExecutionResult } from './execution_result.ts'
import type { MemoryBudget, MemoryUse } from './memory.ts'
import type { SimulateRequest } from './simulate_request.ts'
import type { Simulation } from './simulation.ts'
import type { Transition, TransitionRequest } from './transition.ts'

/**
 * Options of `createExecutor`. Those from `compile` to `senderCache` decide where transactions run and how fast, never
 * a result.
 *
 * @example
 * import { createExecutor, type ExecutorOptions, MemoryState } from 'wgevm'
 *
 * const options: ExecutorOptions = {
 *   fork: 'osaka',
 *   chainId: 1n,
 *   state: new MemoryState(),
 *   device: 'auto',
 *   laneVm: 'never',
 *   workers: 2,
 *   deviceTimes: true,
 *   invalid: 'throw',
 * }
 * createExecutor(options).close()
 */
export interface ExecutorOptions {
  readonly fork: Fork
  readonly chainId: bigint
  readonly state: State
  /**
   * The contract whose logs are deposit requests of a block (EIP-6110), 0x-hex. Default: that of mainnet, Sepolia,
   * Holesky or Hoodi by the chain id; any other chain has none, and no deposits.
   */
  readonly depositContract?: string
  /**
   * On a chain of the OP stack: its rules at the fork that is executed (`opRulesAt`), whose EVM is that of `fork`. Its
   * transactions come with their bytes, since they pay for these.
   */
  readonly chain?: OpRules
  /**
   * Absent: everything but transfers runs on the CPU tier. A ComputeDevice (`openDevice`): the caller destroys it,
   * after `close`. `auto`, or a function that opens one: the executor opens it with its first call (`auto`: the best
   * adapter there is) and destroys it with `close`; where none opens, the CPU tier executes, and `faults` says why at
   * each call.
   */
  readonly device?: DeviceSource
  /**
   * What follows on a device that is lost, which `faults` says in that call and in each one after it: `reopen`, the
   * next call opens another (the default where the executor opened this one; in place of one that was given: the best
   * adapter), until three in a row are lost; `leave`, the CPU tier executes from then on (the default for a device that
   * was given).
   */
  readonly lostDevice?: LostDevicePolicy
  /**
   * What waits for compilations: nothing (`background`, default): paths run as programs as soon as the one kernel for
   * all of them is there, and a path earns its own kernel by what it would have saved; the batch (`wait`), wherever a
   * kernel pays against the CPU tier, so the same batch runs the same way each time; or `never` compile.
   */
  readonly compile?: CompileMode
  /** `never`: no path gets a kernel of its own; all run as path programs. */
  readonly kernels?: 'never'
  /** `never`: no path runs as a program; it waits for its own kernel. */
  readonly programs?: 'never'
  /** `never`: no path is recorded or run. */
  readonly paths?: 'never'
  /**
   * The lane VM, a kernel that runs any code: `never`, or `always`, which sends every call there that may go, before
   * paths and whatever it costs. Default: calls that no path takes, where their wave costs less than the CPU tier.
   * `compile` holds for its kernel, too.
   */
  readonly laneVm?: 'never' | 'always'
  /** `always`: lanes go to the device however few they are. Default: where that costs less than the CPU tier. */
  readonly waves?: 'always'
  /**
   * What settles transactions in bulk, where their reads, balances and nonces are compared with what stands before
   * them: the `device`, or the `host`. Default: whichever costs less. `compile` holds for the kernels.
   */
  readonly settle?: 'device' | 'host'
  /**
   * What the device takes (`deviceCosts`): decides which tier runs what, and no result. Default: those of software
   * devices.
   */
  readonly costs?: DeviceCosts
  /** Transactions of one kind from which a path is recorded. Default: measured costs decide. */
  readonly recordFrom?: number
  /**
   * Where recorded paths outlive this executor (`openPathStore`). Default `false`: nowhere; a library writes nothing
   * unasked.
   */
  readonly pathStore?: PathStore | false
  /** Transactions that go to the device together; the host sweeps those before them meanwhile. Default 16,384. */
  readonly range?: number
  /**
   * Threads that execute ahead what the device does not take. Default: one per core besides this thread's, at most 7.
   * They start after the first batch that kept the CPU tier busy for 50 ms, or with `warm`; results do not depend on
   * them.
   */
  readonly workers?: number
  /**
   * What recovers the senders of signed transactions. Default `auto`: kernels on the device, threads, or this thread
   * alone, whichever takes least for so many by what was measured; `device` waits for its kernels to compile.
   */
  readonly senders?: SendersMode
  /**
   * Senders that were recovered before. Default: a cache of the executor's own; several may share one; `false`: none.
   */
  readonly senderCache?: SenderCache | false
  /**
   * Bytes that may stay from call to call, in all or by part; what was touched longest ago goes between calls. Default:
   * a quarter of the machine's memory, at most 8 GiB. Results do not depend on it.
   */
  readonly memory?: number | MemoryBudget
  /** The module that workers run, for tests of what goes wrong there. */
  readonly workerEntry?: URL
  /** Time every dispatch on the device (`ExecutionResult.deviceTimes`). Costs a few percent of small batches. */
  readonly deviceTimes?: boolean
  /** A transaction that may not be included is left out (`skip`, default), or fails the batch (`throw`). */
  readonly invalid?: 'skip' | 'throw'
}

/**
 * A batch to execute: the block as its transactions see it, and the transactions in their order.
 *
 * @example
 * import { createExecutor, type ExecuteRequest, MemoryState } from 'wgevm'
 *
 * const alice = '0x00000000000000000000000000000000000a11ce'
 * const bob = '0x0000000000000000000000000000000000000b0b'
 * const request: ExecuteRequest = {
 *   env: { number: 1n, timestamp: 1n, coinbase: bob, gasLimit: 60_000_000n, baseFeePerGas: 7n, prevRandao: 0n },
 *   transactions: [{ from: alice, to: bob, nonce: 0n, gasLimit: 21_000n, gasPrice: 10n, value: 1n }],
 *   explain: true,
 *   changes: true,
 * }
 * const state = MemoryState.from({ [alice]: { balance: 10n ** 18n } })
 * const executor = createExecutor({ fork: 'osaka', chainId: 1n, state })
 * const { explain, changes } = await executor.execute(request)
 * console.log(explain?.[0]?.tier, changes?.[0]?.accounts.length) // transfer 2
 * executor.close()
 */
export interface ExecuteRequest {
  readonly env: BlockEnvironment
  readonly transactions: TransactionBatch | readonly TransactionObject[]
  /** The same over the wire, on a chain of the OP stack: the L1 fee is of these bytes. */
  readonly signed?: SignedTransactions
  /** Asks for `ExecutionResult.explain`. */
  readonly explain?: boolean
  /** Asks for `ExecutionResult.changes`. */
  readonly changes?: boolean
  /**
   * Ends the call early: it rejects with the signal's reason, has committed nothing, and leaves no work on the device
   * or on workers. A wave, compilation or transaction that is on its way is waited for; a commit that has begun is not
   * stopped.
   */
  readonly signal?: AbortSignal
}

/**
 * Calls run one at a time, in the order in which they were made; a call that is made while another runs waits for it. A
 * call that rejects has committed nothing, and the next one works. What is wrong with the arguments is said before
 * anything is done: InputError, with the field and its value (TransactionInputError, OverrideError: with the
 * transaction or account).
 *
 * Example: {@link createExecutor}.
 */
export interface Executor {
  /** Executes a batch in order and commits it. */
  execute(request: ExecuteRequest): Promise<ExecutionResult>
  /**
   * Executes a whole block: header checks, system calls, transactions, withdrawals, requests, roots. Commits all of it
   * or, where it throws (BlockError, InvalidTransactionError), nothing.
   */
  executeBlock(block: BlockInput, options?: BlockOptions): Promise<BlockResult>
  /**
   * Executes the blocks of a chain in order; what follows is decoded and its senders are recovered meanwhile. A block
   * is executed, checked and committed when its result is asked for, and takes its turn among other calls; one that
   * commits to the same State between two blocks changes what the next one finds. A State that answers for ancestors
   * is to be told a block's hash before the next result is asked for.
   *
   * The first block that may not stand ends the stream: its results so far are given, then a BlockError with its number
   * is thrown (InputError where it is no block at all), and nothing of it or after it is committed. So does an error of
   * the source, an aborted signal, or `close`. The source is told when its blocks are no longer wanted.
   */
  stream(
    blocks: Iterable<BlockInput> | AsyncIterable<BlockInput>,
    options?: StreamOptions,
  ): AsyncGenerator<BlockResult, void, undefined>
  /**
   * Makes a block from a pool of signed transactions, by what they pay per gas and each sender's in the order of their
   * nonces, and commits it. What did not come in is named with its reason, what cannot be read among it.
   */
  build(request: BuildRequest): Promise<BuiltBlock>
  /**
   * Executes transactions in their order with the steps of a block around them, for a block that has no header: what
   * may not be included is left out. Commits all of it or, where it throws (BlockError), nothing.
   */
  transition(request: TransitionRequest): Promise<Transition>
  /**
   * Signed transactions to columns, with their senders and authorities, which are recovered in bulk and remembered: for
   * what arrives in a pool. It runs beside other calls. Errors are those of `decodeSigned`.
   */
  decode(transactions: SignedTransactions, options?: DecodeRequest): Promise<TransactionBatch>
  /** Executes independent calls or bundles against the state; commits nothing. */
  simulate(request: SimulateRequest): Promise<Simulation>
  /**
   * Drops the resident copy of the state: call it when another program has committed to the State, while no call runs.
   */
  forget(): void
  /** What stays from call to call, in bytes, and how often some of it was dropped. */
  readonly memory: MemoryUse
  /** Starts the workers of the CPU tier and waits until they are ready. Rejects on a closed executor. */
  warm(): Promise<void>
  /**
   * Frees what the executor holds on the device, the device where it has opened it, and ends its workers: at once, or
   * when the call that runs has ended, which it does early. That call, those that wait and all later ones reject with
   * ExecutorClosedError.
   */
  close(): void
}
