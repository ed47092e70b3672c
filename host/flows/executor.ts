import type { TransactionBatch } from '../chain/batch.ts'
import type { SignedTransactions } from '../chain/packed.ts'
import { depositContractAt } from '../chain/requests.ts'
import { type BlockResult, type BlockRunner, checkParentState, executeBlock } from './block.ts'
import type { BlockInput, BlockOptions, StreamOptions } from './block_input.ts'
import { type BlockSource, type StreamRunner, streamBlocks } from './block_stream.ts'
import { type BuiltBlock, buildBlock } from './build.ts'
import type { BuildRequest } from './build_request.ts'
import { CallQueue, type CallTerms } from './call_queue.ts'
import { checkBlockInput, checkBuildRequest, checkStreamInput, checkTransitionRequest } from './check_block_input.ts'
import { checkOptions, checkSimulateRequest, readRequest, readTransactions } from './check_requests.ts'
import { checkDecodeRequest, type DecodeRequest, decodeInBulk } from './decode_signed.ts'
import { type BatchRequest, executeBatch } from './execute.ts'
import type { ExecutionResult } from './execution_result.ts'
import type { ExecuteRequest, Executor, ExecutorOptions } from './executor_interface.ts'
import type { MemoryUse } from './memory.ts'
import { prepareBlock } from './prepare_block.ts'
import { readCalls, Simulator } from './simulate.ts'
import type { SimulateRequest } from './simulate_request.ts'
import type { Simulation } from './simulation.ts'
import { executeTransition, type Transition, type TransitionRequest } from './transition.ts'
import { type Rewire, type Wiring, wire } from './wiring.ts'

/** A call whose turn has come. */
interface OpenCall extends CallTerms {
  /** Something was done to the tables. */
  hasBegun: boolean
}

/** A batch with no more transactions, and no more bytes of lanes in a wave, is kept until the next one. */
const MOST_KEPT = 65_536
const MOST_KEPT_BYTES = 2 ** 25

/**
 * An executor of batches, blocks, builds and simulations on one State. It opens nothing before its first call. Throws
 * InputError where an option is unknown or out of range.
 *
 * @example
 * import { createExecutor, MemoryState } from 'wgevm'
 *
 * const alice = '0x00000000000000000000000000000000000a11ce'
 * const bob = '0x0000000000000000000000000000000000000b0b'
 * const state = MemoryState.from({ [alice]: { balance: 10n ** 18n } })
 * const executor = createExecutor({ fork: 'osaka', chainId: 1n, state })
 * const { receipts } = await executor.execute({
 *   env: { number: 1n, timestamp: 1n, coinbase: bob, gasLimit: 60_000_000n, baseFeePerGas: 7n, prevRandao: 0n },
 *   transactions: [{ from: alice, to: bob, nonce: 0n, gasLimit: 21_000n, gasPrice: 10n, value: 1n }],
 * })
 * console.log(receipts.get(0)?.status, receipts.totalGasUsed) // 1 21000
 * executor.close()
 */
export const createExecutor = (options: ExecutorOptions): Executor => new BatchExecutor(checkOptions(options))

/** An executor with other tiers, for tests. @internal */
export const createExecutorOn = (options: ExecutorOptions, rewire?: Rewire): Executor =>
  new BatchExecutor(checkOptions(options), rewire)

class BatchExecutor implements Executor {
  readonly #options: ExecutorOptions
  readonly #wiring: Wiring
  readonly #simulator: Simulator
  readonly #calls = new CallQueue()
  #commits = 0
  /** The last batch that was not too large. Nothing reads it: it keeps an instance of each class alive. */
  kept: object | undefined

  constructor(options: ExecutorOptions, rewire?: Rewire) {
    this.#options = options
    this.#wiring = wire(options, rewire)
    this.#simulator = new Simulator(
      this.#wiring,
      () => this.#commits + this.#wiring.resident.forgotten,
      (work) => this.#calls.run(undefined, work),
    )
  }

  async simulate(request: SimulateRequest): Promise<Simulation> {
    checkSimulateRequest(request)
    const calls = readCalls(request)
    return this.#call(request.signal, (call) => {
      call.hasBegun = true
      return this.#simulator.run(request, calls, call)
    })
  }

  async execute(request: ExecuteRequest): Promise<ExecutionResult> {
    const batch = readRequest(request)
    const { env, changes = false, explain = false, signed } = request
    return this.#call(request.signal, (call) => this.#execute({ env, batch, changes, explain, signed }, call))
  }

  async executeBlock(block: BlockInput, options: BlockOptions = {}): Promise<BlockResult> {
    checkBlockInput(block, options)
    return this.#call(options.signal, async (call) => {
      checkParentState(options)
      const runner = this.#blockRunner(call)
      return executeBlock(runner, await prepareBlock(runner, block, options), options)
    })
  }

  stream(blocks: BlockSource, options: StreamOptions = {}): AsyncGenerator<BlockResult, void, undefined> {
    checkStreamInput(blocks, options)
    const { fork, chainId, chain: opChain } = this.#options
    const { hasher } = this.#wiring
    const recover = this.#recoverBeside(options.signal)
    const execute: StreamRunner['execute'] = (prepared, terms) =>
      this.#call(terms.signal, async (call) => {
        checkParentState(terms)
        return executeBlock(this.#blockRunner(call), prepared, terms)
      })
    const chain = { fork, chainId, chain: opChain, recover, hasher }
    return streamBlocks({ chain, closing: this.#calls.closing, execute }, blocks, options)
  }

  async build(request: BuildRequest): Promise<BuiltBlock> {
    checkBuildRequest(request)
    return this.#call(request.signal, (call) => buildBlock(this.#blockRunner(call), request))
  }

  async transition(request: TransitionRequest): Promise<Transition> {
    checkTransitionRequest(request)
    const batch = readTransactions(request.transactions)
    return this.#call(request.signal, (call) => executeTransition(this.#blockRunner(call), request, batch))
  }

  async decode(transactions: SignedTransactions, options: DecodeRequest = {}): Promise<TransactionBatch> {
    this.#calls.checkOpen()
    checkDecodeRequest(options)
    return decodeInBulk(transactions, this.#options, this.#recoverBeside(options.signal), options)
  }

  /** Recovery that runs beside the calls, none of which may have opened the device. */
  #recoverBeside(signal: AbortSignal | undefined): BlockRunner['recover'] {
    const { senders, device, sessions } = this.#wiring
    const stop = this.#calls.stopOf(signal)
    return async (signatures) => {
      stop.check()
      if (senders.mayUseDevice) await device.open(() => sessions.close())
      return senders.recover(signatures, stop)
    }
  }

  #blockRunner(call: OpenCall): BlockRunner {
    const { fork, chainId, chain, depositContract = depositContractAt(chainId) } = this.#options
    const run: BlockRunner['run'] = (env, batch, changes, steps, signed) =>
      this.#execute({ env, batch, changes, explain: false, steps, signed }, call)
    const recover: BlockRunner['recover'] = (signatures) => this.#wiring.senders.recover(signatures, call.stop)
    const { hasher } = this.#wiring
    return { fork, chainId, chain, depositContract: depositContract?.toLowerCase(), recover, hasher, run }
  }

  #execute(request: BatchRequest, call: OpenCall): Promise<ExecutionResult> {
    call.hasBegun = true
    return executeBatch(this.#wiring, request, call, (kept) => {
      this.#commits++
      // A garbage collection that finds no instance of a class drops its hidden class, and all code optimised for it.
      if (request.batch.count <= MOST_KEPT && kept.counters.laneBytes <= MOST_KEPT_BYTES) this.kept = kept
    })
  }

  /** Runs a call when its turn has come, on the device that there is then. */
  #call<Result>(signal: AbortSignal | undefined, run: (call: OpenCall) => Promise<Result>): Promise<Result> {
    const { device, sessions } = this.#wiring
    return this.#calls.run(signal, async (stop) => {
      const faults = await device.prepare(() => sessions.close())
      const call: OpenCall = { stop, faults, hasBegun: false }
      try {
        stop.check()
        const result = await run(call)
        // What was kept reads tables that are not there any more.
        if (this.#wiring.memory.settle()) this.kept = undefined
        return result
      } catch (thrown) {
        // The tables hold running values of a batch that was not committed.
        if (call.hasBegun) this.forget()
        throw thrown
      } finally {
        device.settle()
      }
    })
  }

  forget(): void {
    this.#wiring.resident.forget()
  }

  get memory(): MemoryUse {
    return this.#wiring.memory.use
  }

  async warm(): Promise<void> {
    this.#calls.checkOpen()
    await this.#wiring.workers.warm()
  }

  close(): void {
    const { tiers, sessions, senders, hasher, device } = this.#wiring
    this.#calls.close(() => {
      senders.close()
      hasher.close()
      for (const tier of tiers) tier.close()
      sessions.close()
      device.close()
      this.kept = undefined
    })
  }
}
