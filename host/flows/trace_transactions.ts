import type { Fork } from '../../transpiler/spec/forks.ts'
import type { EvmHooks } from '../batch/evm_hooks.ts'
import type { TransactionBatch } from '../chain/batch.ts'
import { type CallObject, callRules, encodeCalls } from '../chain/call_batch.ts'
import type { BlockEnvironment } from '../chain/environment.ts'
import type { OpRules } from '../chain/op/op_chain.ts'
import type { SignedTransactions } from '../chain/packed.ts'
import { type Rejection, rejectionText } from '../chain/rejection.ts'
import { type TransactionRules, transactionRules } from '../chain/rules.ts'
import { quantityFromBigInt } from '../primitives/word.ts'
import type { LayeredSnapshot } from '../state/layered_snapshot.ts'
import { parseOverrides, type StateOverrides } from '../state/overlay_state.ts'
import type { AccountView } from '../state/snapshot.ts'
import type { State } from '../state/state.ts'
import { CpuTier } from '../tiers/cpu/ethereumjs/transaction.ts'
import { BlockWork } from './block_work.ts'
import { applyOutcome, groundOn, layerOn } from './layered_ground.ts'
import { chargeBatch, leadingDeposits } from './op_deposits.ts'

/**
 * The state at a place between transactions.
 *
 * Example: {@link traceTransactions}.
 */
export interface TracedState {
  /** Of an address, 0x-hex; undefined where there is no account. */
  account(address: string): AccountView | undefined | Promise<AccountView | undefined>
  /** The value of a slot; 0 where it is not set. */
  storage(address: string, key: bigint): bigint | Promise<bigint>
  /** The code of this hash, 0x-hex. */
  code(codeHash: string): Uint8Array | Promise<Uint8Array>
}

/**
 * What a watched transaction came to.
 *
 * Example: {@link traceTransactions}.
 */
export interface TracedResult {
  readonly status: 0 | 1
  readonly gasUsed: bigint
  readonly output: Uint8Array
}

/**
 * What watches one transaction. `executed` meets the state before it, `settled` that after it.
 *
 * Example: {@link traceTransactions}.
 */
export interface TransactionWatcher {
  readonly hooks: EvmHooks
  /** Told when the transaction has ended, and has not changed `before` yet. */
  executed?(result: TracedResult, before: TracedState): void | Promise<void>
  /** Told when it has changed the state. */
  settled?(after: TracedState): void | Promise<void>
}

/** What both kinds of traces stand on. */
interface TraceGround {
  readonly chainId: bigint
  readonly fork: Fork
  readonly env: BlockEnvironment
  readonly state: State
  /** On a chain of the OP stack, at the fork of the block. */
  readonly chain?: OpRules | undefined
  /** Ends the trace, between two opcodes. */
  readonly signal?: AbortSignal
}

/**
 * Transactions of a block on the state before it. One that nothing watches is executed as fast as can be; nothing is
 * executed from `end` on.
 *
 * @example
 * import { encodeBatch, MemoryState, type TraceTransactionsRequest } from 'wgevm'
 *
 * const coinbase = '0x0000000000000000000000000000000000000b0b'
 * const env = { number: 1n, timestamp: 1n, coinbase, gasLimit: 60_000_000n, baseFeePerGas: 0n, prevRandao: 0n }
 * const ground = { chainId: 1n, fork: 'cancun', env, state: new MemoryState() } as const
 * const request: TraceTransactionsRequest = { ...ground, transactions: encodeBatch([]), watch: () => undefined }
 * console.log(request.end) // undefined
 */
export interface TraceTransactionsRequest extends TraceGround {
  readonly parentHash?: string
  readonly parentBeaconBlockRoot?: string
  readonly transactions: TransactionBatch
  /** Their bytes: on a chain of the OP stack they pay for them. */
  readonly signed?: SignedTransactions
  readonly end?: number
  /** What watches transaction `index` (from 0). */
  watch(index: number): TransactionWatcher | undefined
}

/**
 * A call on a state, and what watches it.
 *
 * @example
 * import { MemoryState, type TraceCallRequest } from 'wgevm'
 *
 * const coinbase = '0x0000000000000000000000000000000000000b0b'
 * const env = { number: 1n, timestamp: 1n, coinbase, gasLimit: 60_000_000n, baseFeePerGas: 0n, prevRandao: 0n }
 * const ground = { chainId: 1n, fork: 'cancun', env, state: new MemoryState() } as const
 * const request: TraceCallRequest = { ...ground, call: { to: coinbase }, watcher: { hooks: {} } }
 * console.log(request.call.to === coinbase) // true
 */
export interface TraceCallRequest extends TraceGround {
  readonly call: CallObject
  readonly overrides?: StateOverrides
  readonly watcher: TransactionWatcher
}

/**
 * A transaction that may not be executed where it is traced.
 *
 * @example
 * import { TraceError } from 'wgevm'
 *
 * console.log(new TraceError(0, 'nonce too low').message) // nonce too low
 */
export class TraceError extends Error {
  override readonly name = 'TraceError'
  readonly index: number

  constructor(index: number, message: string) {
    super(message)
    this.index = index
  }
}

/**
 * Executes transactions of a block again, with all that the block does before them, and tells watchers of their opcodes
 * and frames with the numbers of go-ethereum's tracers. Other work of the thread has its turn every 20 ms. Throws
 * TraceError, and what the watchers and the signal throw.
 *
 * @example
 * import { encodeBatch, type EvmHooks, MemoryState, traceTransactions } from 'wgevm'
 *
 * const alice = '0x00000000000000000000000000000000000a11ce'
 * const bob = '0x0000000000000000000000000000000000000b0b'
 * const state = MemoryState.from({ [alice]: { balance: 10n ** 18n }, [bob]: { code: '0x5f5400' } })
 * const env = { number: 1n, timestamp: 1n, coinbase: bob, gasLimit: 60_000_000n, baseFeePerGas: 0n, prevRandao: 0n }
 * const transactions = encodeBatch([{ from: alice, to: bob, nonce: 0n, gasLimit: 100_000n, gasPrice: 1n }])
 * const costs: bigint[] = []
 * const hooks: EvmHooks = { step: ({ cost }) => costs.push(cost) }
 * const watch = () => ({ hooks })
 * await traceTransactions({ chainId: 1n, fork: 'cancun', env, state, transactions, watch })
 * console.log(costs) // [ 2n, 2100n, 0n ]
 */
export const traceTransactions = async (request: TraceTransactionsRequest): Promise<void> => {
  const { fork, env, chain, transactions, signed, end = transactions.count, watch } = request
  const trace = new Trace(request)
  const header = { parentHash: request.parentHash, parentBeaconBlockRoot: request.parentBeaconBlockRoot }
  await trace.begin(header)
  const rules = transactionRules(transactions, fork, env)
  const run = async (from: number, to: number, by: TransactionRules): Promise<void> => {
    for (let index = from; index < to; index++) await trace.execute(transactions, index, by, watch(index))
  }
  if (chain === undefined) return run(0, end, rules)
  const deposits = Math.min(end, leadingDeposits(transactions))
  await run(0, deposits, rules)
  if (deposits === end) return
  await run(deposits, end, await chargeBatch(rules, { batch: transactions, env, signed }, chain.fork, trace.layer))
}

/**
 * The same for a call that is only simulated: it needs no signature, no nonce, and no fee that it does not name.
 *
 * @example
 * import { type EvmHooks, MemoryState, traceCall } from 'wgevm'
 *
 * const bob = '0x0000000000000000000000000000000000000b0b'
 * const env = { number: 1n, timestamp: 1n, coinbase: bob, gasLimit: 60_000_000n, baseFeePerGas: 0n, prevRandao: 0n }
 * const ops: number[] = []
 * const hooks: EvmHooks = { step: ({ op }) => ops.push(op) }
 * const overrides = { [bob]: { code: '0x5f00' } }
 * const ground = { chainId: 1n, fork: 'cancun', env, state: new MemoryState() } as const
 * await traceCall({ ...ground, call: { to: bob }, overrides, watcher: { hooks } })
 * console.log(ops) // [ 95, 0 ]
 */
export const traceCall = async (request: TraceCallRequest): Promise<void> => {
  const { fork, env, call, overrides = {}, watcher } = request
  const trace = new Trace(request)
  await trace.override(overrides)
  const batch = encodeCalls([call], env)
  const rules = callRules(batch, fork, env)
  quantityFromBigInt(batch.nonce, 0, await trace.nonce(call.from))
  await trace.execute(batch, 0, rules, watcher, true)
}

/** The thread is left to others after so many milliseconds. */
const TURN_MS = 20

const NOBODY = `0x${'0'.repeat(40)}`

/** One trace of transactions in order, on a layer. */
class Trace {
  readonly #ground: TraceGround
  readonly layer: LayeredSnapshot
  readonly #plain: CpuTier
  readonly #hooked: CpuTier
  #hooks: EvmHooks = {}
  #turnEndMs = performance.now() + TURN_MS

  constructor(ground: TraceGround) {
    const { chainId, fork, state, chain } = ground
    this.#ground = ground
    this.layer = layerOn(state)
    this.#plain = new CpuTier({ fork, chainId, chain })
    const hooks: EvmHooks = {
      step: (step) => this.#hooks.step?.(step),
      enter: (frame) => this.#hooks.enter?.(frame),
      exit: (frame) => this.#hooks.exit?.(frame),
      log: (log) => this.#hooks.log?.(log),
    }
    this.#hooked = new CpuTier({ fork, chainId, chain, hooked: { hooks, pause: () => this.#pause() } })
  }

  /** What the block does before its transactions. */
  async begin(header: {
    readonly parentHash?: string | undefined
    readonly parentBeaconBlockRoot?: string | undefined
  }) {
    const { fork, env, chain } = this.#ground
    const { parentHash, parentBeaconBlockRoot } = header
    const known = {
      ...(parentHash === undefined ? {} : { parentHash }),
      ...(parentBeaconBlockRoot === undefined ? {} : { parentBeaconBlockRoot }),
    }
    const work = new BlockWork({ fork, chain, depositContract: undefined }, env, known, {})
    await work.before(groundOn(this.layer, this.#plain))
  }

  override(overrides: StateOverrides): Promise<void> {
    return this.layer.override(parseOverrides(overrides))
  }

  async nonce(sender = NOBODY): Promise<bigint> {
    return (await this.layer.account(sender.toLowerCase()))?.nonce ?? 0n
  }

  async execute(
    batch: TransactionBatch,
    index: number,
    rules: TransactionRules,
    watcher: TransactionWatcher | undefined,
    anySender = false,
  ): Promise<void> {
    const { env, signal } = this.#ground
    await this.#pause()
    signal?.throwIfAborted()
    this.#hooks = watcher?.hooks ?? {}
    const cpu = watcher === undefined ? this.#plain : this.#hooked
    const outcome = await cpu.execute({ env, batch, index, rules, snapshot: this.layer, anySender })
    if ('rejected' in outcome) throw new TraceError(index, rejectionText(outcome.rejected as Rejection))
    const { status, gasUsed, output } = outcome
    await watcher?.executed?.({ status, gasUsed, output }, this.layer)
    await applyOutcome(this.layer, outcome, env.coinbase)
    await watcher?.settled?.(this.layer)
  }

  #pause(): Promise<void> | undefined {
    if (performance.now() < this.#turnEndMs) return undefined
    return new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
      this.#turnEndMs = performance.now() + TURN_MS
      this.#ground.signal?.throwIfAborted()
    })
  }
}
