import { type Fork, isAtLeast } from '../../transpiler/spec/forks.ts'
import type { CpuExecution } from '../batch/outcome.ts'
import type { TransactionExtras, TransactionObject } from '../chain/batch.ts'
import { blobGas } from '../chain/blob_schedule.ts'
import { checkCallNames, rulesOfCalls } from '../chain/call_batch.ts'
import { type CallColumns, checkCallColumns } from '../chain/call_columns.ts'
import type { BlockEnvironment } from '../chain/environment.ts'
import { chargeRules } from '../chain/op/charge_rules.ts'
import { noCharges } from '../chain/op/charges.ts'
import type { OpRules } from '../chain/op/op_chain.ts'
import { REJECTION, type Rejection, rejectionText } from '../chain/rejection.ts'
import type { Requests } from '../chain/requests.ts'
import type { Withdrawal } from '../chain/withdrawals.ts'
import { InputError } from '../primitives/input.ts'
import { quantityFromBigInt } from '../primitives/word.ts'
import type { LayeredSnapshot } from '../state/layered_snapshot.ts'
import { type ParsedOverride, parseOverrides, type StateOverrides } from '../state/overlay_state.ts'
import type { State, StateWrites } from '../state/state.ts'
import { WrittenState } from '../state/written_state.ts'
import { CpuTier } from '../tiers/cpu/ethereumjs/transaction.ts'
import { asBlockError } from './block.ts'
import { BlockWork, blockReward } from './block_work.ts'
import { type CallBatches, CallBatchRunner } from './call_batches.ts'
import { applyOutcome, groundOn, layerOn } from './layered_ground.ts'
import {
  batchOfCalls,
  callsOfColumns,
  columnsOfCalls,
  isInColumns,
  logsOf,
  mostGasOf,
  resultsOf,
  type SimulatedBlockCall,
  type SimulatedBlockResult,
  type SimulatedColumns,
  senderOf,
  transactionOfCall,
  transactionsOf,
} from './simulated_calls.ts'

/**
 * What a chain of simulated blocks stands on (`simulateBlocks`). `validation`: the calls must be valid transactions but
 * for their signatures; else a call pays no fee that it does not name, and its nonce does not count. `gas`: what all
 * calls of all blocks may use together.
 *
 * @example
 * import { type BlockSimulationOptions, MemoryState, simulateBlocks } from 'wgevm'
 *
 * const options: BlockSimulationOptions = { chainId: 1n, state: new MemoryState(), gas: 50_000_000n, transfers: 'log' }
 * simulateBlocks(options).setHash(1n, `0x${'1'.repeat(64)}`)
 */
export interface BlockSimulationOptions {
  readonly chainId: bigint
  readonly state: State
  readonly gas: bigint
  readonly validation?: boolean
  /** `log`: transfers of wei are among the logs of a call. */
  readonly transfers?: 'log'
  /** Executes the calls of a block together where that gives the same; absent: they run one after another. */
  readonly batches?: CallBatches
  /** As in `ExecutorOptions`. */
  readonly depositContract?: string
}

/**
 * A block to simulate on the one before it. `moves`: precompiled contracts that stand elsewhere in this block, by their
 * address; an override of the account of one puts that in its place.
 *
 * @example
 * import type { SimulatedBlockRequest } from 'wgevm'
 *
 * const coinbase = '0x0000000000000000000000000000000000000b0b'
 * const identity = '0x0000000000000000000000000000000000000004'
 * const request: SimulatedBlockRequest = {
 *   fork: 'shanghai',
 *   env: { number: 1n, timestamp: 1n, coinbase, gasLimit: 60_000_000n, baseFeePerGas: 0n, prevRandao: 0n },
 *   parentHash: `0x${'0'.repeat(64)}`,
 *   moves: new Map([[identity, coinbase]]),
 *   calls: [{ to: coinbase, data: '0x1234' }],
 * }
 * console.log(request.fork) // shanghai
 */
export interface SimulatedBlockRequest {
  readonly fork: Fork
  /** On a chain of the OP stack, at the fork of this block. */
  readonly chain?: OpRules | undefined
  readonly env: BlockEnvironment
  readonly parentHash: string
  readonly parentBeaconBlockRoot?: string
  readonly withdrawals?: readonly Withdrawal[]
  readonly overrides?: StateOverrides
  readonly moves?: ReadonlyMap<string, string>
  readonly calls: readonly SimulatedBlockCall[] | CallColumns
  readonly signal?: AbortSignal
}

/**
 * A simulated block without its header: transactions as they were executed, one result for each, and the writes of all
 * blocks so far.
 *
 * Example: {@link simulateBlocks}.
 */
export interface SimulatedBlock {
  readonly transactions: readonly TransactionObject[]
  readonly results: readonly SimulatedBlockResult[]
  readonly gasUsed: bigint
  readonly blobGasUsed: bigint
  readonly requests: Requests | undefined
  readonly requestsHash: string | undefined
  /** Where the calls were executed together; transactions and results are made of them when they are read. */
  readonly columns: SimulatedColumns | undefined
  readonly writes: StateWrites
}

/**
 * A call that may not be in its simulated block.
 *
 * @example
 * import { MemoryState, REJECTION, SimulatedCallError, simulateBlocks } from 'wgevm'
 *
 * const coinbase = '0x0000000000000000000000000000000000000b0b'
 * const env = { number: 1n, timestamp: 1n, coinbase, gasLimit: 60_000_000n, baseFeePerGas: 0n, prevRandao: 0n }
 * const simulation = simulateBlocks({ chainId: 1n, state: new MemoryState(), gas: 50_000_000n })
 * const calls = [{ to: coinbase, value: 1n }]
 * const request = { fork: 'shanghai', env, parentHash: `0x${'0'.repeat(64)}`, calls } as const
 * const error: unknown = await simulation.next(request).catch((reason: unknown) => reason)
 * console.log(error instanceof SimulatedCallError && error.rejection === REJECTION.insufficientFunds) // true
 */
export class SimulatedCallError extends Error {
  override readonly name = 'SimulatedCallError'
  readonly index: number
  readonly rejection: Rejection

  constructor(index: number, rejection: Rejection) {
    super(rejectionText(rejection))
    this.index = index
    this.rejection = rejection
  }
}

/**
 * Simulates blocks one after another, each on the state after the one before it.
 *
 * Example: {@link simulateBlocks}.
 */
export interface BlockSimulation {
  /**
   * Simulates the next block. Throws SimulatedCallError, InputError for overrides that cannot be, and BlockError where
   * no block can end so: a contract that the fork calls is missing or fails (EIP-7002), or a deposit's log is none
   * (EIP-6110). The simulation has ended then.
   */
  next(request: SimulatedBlockRequest): Promise<SimulatedBlock>
  /** Tells the blocks that follow the hash of one that was simulated. */
  setHash(number: bigint, hash: string): void
}

/**
 * Begins a chain of simulated blocks on a state, of which nothing is committed (eth_simulateV1). Calls see what the
 * calls and blocks before them wrote: they run one after another on the CPU tier, or as a batch (`batches`) with the
 * same results. Each block does what its fork does around the transactions.
 *
 * @example
 * import { MemoryState, simulateBlocks } from 'wgevm'
 *
 * const alice = '0x00000000000000000000000000000000000a11ce'
 * const bob = '0x0000000000000000000000000000000000000b0b'
 * const simulation = simulateBlocks({ chainId: 1n, state: new MemoryState(), gas: 50_000_000n })
 * const { results } = await simulation.next({
 *   fork: 'shanghai',
 *   env: { number: 1n, timestamp: 1n, coinbase: bob, gasLimit: 60_000_000n, baseFeePerGas: 0n, prevRandao: 0n },
 *   parentHash: `0x${'0'.repeat(64)}`,
 *   overrides: { [alice]: { balance: 5n } },
 *   calls: [{ from: alice, to: bob, value: 5n }, { from: bob, to: alice, value: 1n }],
 * })
 * console.log(results.map(({ status }) => status)) // [ 1, 1 ]
 */
export const simulateBlocks = (options: BlockSimulationOptions): BlockSimulation => new LayeredSimulation(options)

/** The thread is left to others after so many milliseconds. */
const TURN_MS = 20

const NONCE_BITS = 64

type Overrides = ReadonlyMap<string, ParsedOverride>

class LayeredSimulation implements BlockSimulation {
  readonly #options: BlockSimulationOptions
  /** Below the layer: what was executed as batches is written there. */
  readonly #ground: WrittenState
  #layer: LayeredSnapshot
  /** The layer holds writes that the ground has not. */
  #isLayered = false
  readonly #tiers = new Map<string, PrecompilingTier>()
  #gasLeft: bigint
  #turnEndMs = 0

  constructor(options: BlockSimulationOptions) {
    this.#options = options
    this.#ground = new WrittenState(options.state)
    this.#layer = layerOn(this.#ground)
    this.#gasLeft = options.gas
  }

  setHash(number: bigint, hash: string): void {
    this.#ground.setBlockHash(number, hash)
  }

  async next(request: SimulatedBlockRequest): Promise<SimulatedBlock> {
    const { overrides = {}, moves = new Map<string, string>() } = request
    if (isInColumns(request.calls)) checkCallColumns(request.calls)
    else checkCallNames(request.calls)
    const tier = this.#tierOf(request.fork, request.chain)
    await tier.place(overrides, moves)
    const parsed = parseOverrides(overrides)
    const batch = tier.isStock ? await this.#batch(request, parsed) : undefined
    if (batch !== undefined) return batch
    try {
      return await this.#inOrder(request, parsed, tier)
    } catch (thrown) {
      throw asBlockError(thrown, request.env.number)
    }
  }

  /** All calls at once; undefined, and nothing done, where they are to be executed one after another. */
  async #batch(request: SimulatedBlockRequest, overrides: Overrides): Promise<SimulatedBlock | undefined> {
    const { validation = false, transfers, batches } = this.#options
    const { fork, chain, env, signal } = request
    // Vaults are paid where calls run one after another.
    if (chain !== undefined) return undefined
    if (!(batches instanceof CallBatchRunner) || !batches.takes(fork, countOf(request.calls))) return undefined
    const calls = columnsIn(request.calls)
    if (calls === undefined) return undefined
    const ground = this.#ground
    if (this.#isLayered) {
      ground.add(await this.#layer.writes())
      this.#layer = layerOn(ground)
      this.#isLayered = false
    }
    const work = (): BlockWork => this.#workOf(request)
    const isLogged = transfers === 'log'
    const block = { ground, fork, env, overrides, calls, gas: this.#gasLeft, validation, work, signal }
    const ran = await batches.run({ ...block, transfers: isLogged })
    if (ran === undefined) return undefined
    this.#layer = layerOn(ground)
    const { columns } = ran
    const gasUsed = columns.receipts.blockGasUsed
    this.#gasLeft -= gasUsed
    let transactions: readonly TransactionObject[] | undefined
    let results: readonly SimulatedBlockResult[] | undefined
    return {
      ...(await this.#endOf(columns.transactions.extras.values(), ran.work)),
      gasUsed,
      columns,
      get transactions() {
        transactions ??= transactionsOf(columns)
        return transactions
      },
      get results() {
        results ??= resultsOf(columns)
        return results
      },
    }
  }

  async #inOrder(
    request: SimulatedBlockRequest,
    overrides: Overrides,
    { cpu }: PrecompilingTier,
  ): Promise<SimulatedBlock> {
    const { env, signal } = request
    const calls = isInColumns(request.calls) ? callsOfColumns(request.calls) : request.calls
    this.#isLayered = true
    await this.#layer.override(overrides)
    const ground = groundOn(this.#layer, cpu)
    const work = this.#workOf(request)
    await work.before(ground)
    const transactions: TransactionObject[] = []
    const results: SimulatedBlockResult[] = []
    let gasUsed = 0n
    for (const [index, call] of calls.entries()) {
      await this.#yield()
      signal?.throwIfAborted()
      const transaction = await this.#transactionOf(call, index, env, gasUsed)
      const result = await this.#execute(cpu, request, transaction, index)
      gasUsed += result.gasUsed
      transactions.push(transaction)
      results.push(result)
    }
    await work.after(ground, logsOf(results))
    const end = await this.#endOf(transactions, work)
    return { ...end, transactions, results, gasUsed, columns: undefined }
  }

  #workOf(request: SimulatedBlockRequest): BlockWork {
    const { fork, chain, env, withdrawals } = request
    const { depositContract } = this.#options
    const reward = blockReward(fork, env.number)
    return new BlockWork({ fork, chain, depositContract: depositContract?.toLowerCase() }, env, request, {
      withdrawals,
      reward,
    })
  }

  async #endOf(
    transactions: Iterable<TransactionExtras>,
    { yields: { requests, requestsHash } }: BlockWork,
  ): Promise<Pick<SimulatedBlock, 'blobGasUsed' | 'requests' | 'requestsHash' | 'writes'>> {
    let blobs = 0
    for (const { blobVersionedHashes = [] } of transactions) blobs += blobVersionedHashes.length
    return { blobGasUsed: blobGas(blobs), requests, requestsHash, writes: await this.#writes() }
  }

  /** Of all blocks so far. */
  async #writes(): Promise<StateWrites> {
    const layered = this.#isLayered ? await this.#layer.writes() : undefined
    return this.#ground.writes(layered) ?? (await this.#layer.writes())
  }

  #tierOf(fork: Fork, chain: OpRules | undefined): PrecompilingTier {
    const { chainId, transfers } = this.#options
    const name = chain?.fork ?? fork
    const known = this.#tiers.get(name)
    if (known !== undefined) return known
    const tier = new PrecompilingTier(new CpuTier({ fork, chainId, chain, transfers }))
    this.#tiers.set(name, tier)
    return tier
  }

  async #transactionOf(
    call: SimulatedBlockCall,
    index: number,
    env: BlockEnvironment,
    gasUsed: bigint,
  ): Promise<TransactionObject> {
    const { gas, nonce } = call
    let gasLimit = gas ?? env.gasLimit - gasUsed
    if (gasUsed + gasLimit > env.gasLimit) throw new SimulatedCallError(index, REJECTION.gasLimitReached)
    if (gasLimit > this.#gasLeft) gasLimit = this.#gasLeft
    const next = nonce ?? (await this.#layer.account(senderOf(call)))?.nonce ?? 0n
    return transactionOfCall(call, next, gasLimit)
  }

  async #execute(
    cpu: CpuTier,
    { fork, chain, env }: SimulatedBlockRequest,
    transaction: TransactionObject,
    index: number,
  ): Promise<SimulatedBlockResult> {
    const { validation = false } = this.#options
    const layer = this.#layer
    const batch = batchOfCalls([transaction], fork, env)
    if (validation) quantityFromBigInt(batch.nonce, 0, transaction.nonce)
    const plain = rulesOfCalls(batch, fork, env, validation)
    const rules = chain === undefined ? plain : chargeRules(plain, batch, env, noCharges(chain.fork))
    const before = await layer.account(transaction.from)
    if (!validation) quantityFromBigInt(batch.nonce, 0, before?.nonce ?? 0n)
    const outcome = await cpu.execute({ env, batch, index: 0, rules, snapshot: layer, anySender: true })
    if ('rejected' in outcome) throw new SimulatedCallError(index, outcome.rejected)
    await applyOutcome(layer, outcome, env.coinbase)
    const after = await layer.account(transaction.from)
    if (after !== undefined && after.nonce !== BigInt.asUintN(NONCE_BITS, after.nonce))
      layer.setAccount(transaction.from, { ...after, nonce: BigInt.asUintN(NONCE_BITS, after.nonce) })
    this.#gasLeft -= outcome.gasUsed
    const writes = isAtLeast(fork, 'byzantium') ? undefined : await this.#writes()
    return { ...resultOf(outcome, rules.intrinsic[0]!, rules.floor[0]!), writes }
  }

  /** Lets other work of the thread have its turn: an execution awaits nothing that would. */
  async #yield(): Promise<void> {
    if (performance.now() < this.#turnEndMs) return
    await new Promise((resolve) => setImmediate(resolve))
    this.#turnEndMs = performance.now() + TURN_MS
  }
}

const countOf = (calls: SimulatedBlockRequest['calls']): number =>
  isInColumns(calls) ? calls.transactions.count : calls.length

/** Undefined where a call cannot be read: that is told by calls in order. */
const columnsIn = (calls: SimulatedBlockRequest['calls']): CallColumns | undefined => {
  if (isInColumns(calls)) return calls
  try {
    return columnsOfCalls(calls)
  } catch (thrown) {
    if (thrown instanceof InputError) return undefined
    throw thrown
  }
}

const resultOf = (outcome: CpuExecution, intrinsic: number, floor: number): Omit<SimulatedBlockResult, 'writes'> => {
  const { status, gasUsed, executionGas = 0n, output, exception, logs, transfers = [] } = outcome
  const mostGasUsed = mostGasOf(intrinsic, floor, executionGas)
  return { status, gasUsed, mostGasUsed, output, exception, logs, transfers: new Set(transfers) }
}

type PrecompileMap = Awaited<ReturnType<CpuTier['prepare']>>['precompiles']

/** A tier whose precompiled contracts may stand elsewhere. */
class PrecompilingTier {
  readonly cpu: CpuTier
  /** All of them stand where they belong. */
  isStock = true
  #stock: PrecompileMap | undefined

  constructor(cpu: CpuTier) {
    this.cpu = cpu
  }

  /** Puts all of them where they belong, but those that are moved or overridden. */
  async place(overrides: StateOverrides, moves: ReadonlyMap<string, string>): Promise<void> {
    const { precompiles } = await this.cpu.prepare()
    this.#stock ??= new Map(precompiles)
    precompiles.clear()
    for (const [address, run] of this.#stock) precompiles.set(address, run)
    for (const [from, to] of moves) {
      const run = this.#stock.get(bareOf(from))
      if (run === undefined) throw new InputError(`account ${from} is not a precompile`, 'moves', from)
      if (overrides[to] !== undefined) throw new InputError(`account ${to} is already overridden`, 'moves', to)
      precompiles.set(bareOf(to), run)
    }
    let gone = 0
    for (const address of [...moves.keys(), ...Object.keys(overrides)]) if (precompiles.delete(bareOf(address))) gone++
    this.isStock = gone === 0 && moves.size === 0
  }
}

const bareOf = (address: string): string => address.slice(2).toLowerCase()
