import { type Fork, isAtLeast } from '../../transpiler/spec/forks.ts'
import type { TransactionBatch } from '../chain/batch.ts'
import { InputError } from '../primitives/input.ts'
import { EMPTY_CODE_HASH } from '../primitives/keccak.ts'
import { MemoryState } from '../state/memory_state.ts'
import type { ParsedOverride } from '../state/overlay_state.ts'
import type { RunningState } from '../state/running_state.ts'
import type { AccountWrite, SnapshotWrites } from '../state/snapshot.ts'
import type { AccountColumns, State, StateWrites } from '../state/state.ts'
import { HOST_LIMBS, HOST_NONCE } from '../state/tables/account_table.ts'
import type { WrittenState } from '../state/written_state.ts'
import type { BlockWork } from './block_work.ts'
import { CallQueue, type Stop } from './call_queue.ts'
import { type CallBlock, CallSteps, limitsAfter, NotInBatch, OtherLimits } from './call_steps.ts'
import { executeBatch, settledWrites } from './execute.ts'
import { InvalidTransactionError } from './execution_result.ts'
import type { ExecutorOptions } from './executor_interface.ts'
import type { SimulatedColumns } from './simulated_calls.ts'
import { type Wiring, wire } from './wiring.ts'

/**
 * Options of `openCallBatches`: those of an executor that decide where calls run. `leastCalls`: blocks with fewer are
 * left to the CPU tier (default 64).
 *
 * @example
 * import { type CallBatchesOptions, openCallBatches } from 'wgevm'
 *
 * const options: CallBatchesOptions = { chainId: 1n, device: 'auto', leastCalls: 1000 }
 * openCallBatches(options).close()
 */
export type CallBatchesOptions = Pick<
  ExecutorOptions,
  | 'chainId'
  | 'device'
  | 'lostDevice'
  | 'compile'
  | 'kernels'
  | 'laneVm'
  | 'waves'
  | 'costs'
  | 'pathStore'
  | 'range'
  | 'memory'
> & { readonly leastCalls?: number }

/**
 * Executes the calls of a simulated block together (`BlockSimulationOptions.batches`): kernels, paths and the device
 * stay from one simulation to the next.
 *
 * Example: {@link openCallBatches}.
 */
export interface CallBatches {
  /** Frees what it holds on the device. Simulations go on without it. */
  close(): void
}

/**
 * Opens nothing before the first block of enough calls.
 *
 * @example
 * import { MemoryState, openCallBatches, simulateBlocks } from 'wgevm'
 *
 * const bob = '0x0000000000000000000000000000000000000b0b'
 * const batches = openCallBatches({ chainId: 1n, leastCalls: 2 })
 * const simulation = simulateBlocks({ chainId: 1n, state: new MemoryState(), gas: 50_000_000n, batches })
 * const { results } = await simulation.next({
 *   fork: 'cancun',
 *   env: { number: 1n, timestamp: 1n, coinbase: bob, gasLimit: 60_000_000n, baseFeePerGas: 0n, prevRandao: 0n },
 *   parentHash: `0x${'0'.repeat(64)}`,
 *   calls: [{ to: bob }, { to: bob }],
 * })
 * console.log(results.map(({ gasUsed }) => gasUsed)) // [ 21000n, 21000n ]
 * batches.close()
 */
export const openCallBatches = (options: CallBatchesOptions): CallBatches => new CallBatchRunner(options)

/** @internal */
export interface RunCallBlock {
  readonly columns: SimulatedColumns
  readonly work: BlockWork
}

const LEAST_CALLS = 64
/** Gas limits that follow from the gas used before them settle in the second run, or hardly ever. */
const MOST_RUNS = 3
/** Wei of an account by an override; more are left to calls one after another. */
const MOST_BALANCE = 1n << 192n
/** From it on nonces are left to calls one after another. */
const MOST_NONCE = Number.MAX_SAFE_INTEGER

/** @internal */
export class CallBatchRunner implements CallBatches {
  readonly #options: CallBatchesOptions
  readonly #wirings = new Map<string, BatchWiring>()
  readonly #queue = new CallQueue()
  #isClosed = false
  /** Blocks that were executed as batches, and those that were left to be executed in order. */
  readonly counts = { taken: 0, left: 0 }

  constructor(options: CallBatchesOptions) {
    this.#options = options
  }

  /** Whether a block may be executed as a batch, as far as the request says. */
  takes(fork: Fork, calls: number): boolean {
    return !this.#isClosed && isAtLeast(fork, 'london') && calls >= (this.#options.leastCalls ?? LEAST_CALLS)
  }

  /** Undefined, and nothing done, where the calls are to be executed one after another. */
  async run(block: CallBlock): Promise<RunCallBlock | undefined> {
    const ran = await this.#queue.run(block.signal, (stop) => this.#wiringOf(block).run(block, stop))
    this.counts[ran === undefined ? 'left' : 'taken']++
    return ran
  }

  close(): void {
    this.#isClosed = true
    this.#queue.close(() => {
      for (const wiring of this.#wirings.values()) wiring.close()
      this.#wirings.clear()
    })
  }

  #wiringOf({ fork, transfers }: CallBlock): BatchWiring {
    const name = `${fork} ${transfers}`
    const known = this.#wirings.get(name)
    if (known !== undefined) return known
    const wiring = new BatchWiring(this.#options, fork, transfers)
    this.#wirings.set(name, wiring)
    return wiring
  }
}

/** What one fork's blocks are executed with. */
class BatchWiring {
  readonly #wiring: Wiring
  readonly #state = new GroundState()
  /** What the tables hold. */
  #at: { readonly ground: WrittenState; readonly version: number } | undefined

  constructor(options: CallBatchesOptions, fork: Fork, transfers: boolean) {
    const { leastCalls: _, ...given } = options
    const laneVm = transfers ? ({ laneVm: 'never' } as const) : {}
    const terms = { ...given, ...laneVm, fork, state: this.#state, workers: 0, senderCache: false } as const
    this.#wiring = wire(terms, undefined, transfers ? 'log' : undefined)
  }

  close(): void {
    const { tiers, sessions, senders, hasher, device } = this.#wiring
    senders.close()
    hasher.close()
    for (const tier of tiers) tier.close()
    sessions.close()
    device.close()
  }

  async run(block: CallBlock, stop: Stop): Promise<RunCallBlock | undefined> {
    const { calls, env, gas } = block
    const { device, sessions, memory } = this.#wiring
    await device.prepare(() => sessions.close())
    let limits = limitsAfter(calls, env, gas, undefined)
    for (let runs = 0; runs < MOST_RUNS && limits !== undefined; runs++) {
      const ran = await this.#attempt(block, limits, stop)
      if (ran === undefined) break
      if (!('limits' in ran)) {
        memory.settle()
        device.settle()
        return ran
      }
      limits = ran.limits
    }
    device.settle()
    return undefined
  }

  /** Undefined where a call may not be there, or cannot be told. Other `limits`: those that the gas used gives. */
  async #attempt(
    block: CallBlock,
    limits: Float64Array,
    stop: Stop,
  ): Promise<RunCallBlock | { readonly limits: Float64Array | undefined } | undefined> {
    const { ground, env, overrides, validation, transfers } = block
    const { resident, running, cpu, sessions } = this.#wiring
    this.#state.ground = ground
    if (this.#at?.ground !== ground || this.#at.version !== ground.version) resident.forget()
    this.#at = undefined
    try {
      const sink = { codeChanged: false, renew() {} }
      await running.apply(await overrideWrites(overrides, running), sink)
      const work = block.work()
      await work.before({ running, cpu, sink, recorder: undefined })
      const earlier = settledWrites({ resident, sessions })
      const { told, batch } = await this.#batchOf(block, limits)
      const steps = new CallSteps(block, limits, told, work)
      const request = { env, batch, changes: false, explain: false, steps, simulated: { validation, transfers } }
      await executeBatch(this.#wiring, request, { stop, faults: [] }, ({ writes }) => {
        ground.add(earlier)
        ground.add(writes)
        this.#at = { ground, version: ground.version }
      })
      return { columns: steps.columns!, work }
    } catch (thrown) {
      resident.forget()
      if (thrown instanceof OtherLimits) return { limits: thrown.limits }
      if (isRefusal(thrown)) return undefined
      throw thrown
    }
  }

  /**
   * The calls with the nonces that they tell, and with those that they have where nothing else counts those of their
   * senders up: without validation a nonce that is told does not count.
   */
  async #batchOf(
    { calls: { transactions, hasNonce }, validation }: CallBlock,
    limits: Float64Array,
  ): Promise<{ readonly told: TransactionBatch; readonly batch: TransactionBatch }> {
    const { resident } = this.#wiring
    const { count } = transactions
    const senders = new Int32Array(count)
    await resident.accountIds(transactions.from, count, senders)
    const { hosts } = resident.accounts
    const next = new Float64Array(resident.accounts.count).fill(NaN)
    const counted = new Uint32Array(2 * count)
    const nonce = transactions.nonce.slice()
    const gasLimit = new Uint32Array(2 * count)
    for (let i = 0; i < count; i++) {
      const sender = senders[i]!
      const host = sender * HOST_LIMBS + HOST_NONCE
      let at = next[sender]!
      if (Number.isNaN(at)) at = hosts[host + 1]! * 2 ** 32 + hosts[host]!
      if (at >= MOST_NONCE) throw new NotInBatch()
      next[sender] = at + 1
      counted[2 * i] = at
      counted[2 * i + 1] = at / 2 ** 32
      if (hasNonce[i] === 0) nonce.set(counted.subarray(2 * i, 2 * i + 2), 2 * i)
      gasLimit[2 * i] = limits[i]!
      gasLimit[2 * i + 1] = limits[i]! / 2 ** 32
    }
    const told = { ...transactions, nonce, gasLimit }
    return { told, batch: validation ? told : { ...told, nonce: counted } }
  }
}

/** Errors that calls one after another are to tell. */
const REFUSALS = new Set(['SystemContractError', 'DepositLogError'])

const isRefusal = (thrown: unknown): boolean =>
  thrown instanceof NotInBatch ||
  thrown instanceof InvalidTransactionError ||
  thrown instanceof InputError ||
  (thrown instanceof Error && REFUSALS.has(thrown.name))

/** The state under the tables, which stands at one ground after another. Its writes are taken elsewhere. */
class GroundState implements State {
  ground: State = new MemoryState()

  readAccounts(addresses: Uint32Array, count: number): AccountColumns | Promise<AccountColumns> {
    return this.ground.readAccounts(addresses, count)
  }

  readSlots(addresses: Uint32Array, keys: Uint32Array, count: number): Uint32Array | Promise<Uint32Array> {
    return this.ground.readSlots(addresses, keys, count)
  }

  readCode(codeHash: string): Uint8Array | Promise<Uint8Array> {
    return this.ground.readCode(codeHash)
  }

  hasStorage(address: string): boolean | Promise<boolean> {
    return this.ground.hasStorage?.(address) ?? false
  }

  blockHash(number: bigint): string | undefined | Promise<string | undefined> {
    return this.ground.blockHash(number)
  }

  commit(_writes: StateWrites): void {}
}

/**
 * Overrides as writes on running values. Throws NotInBatch where one leaves an empty account that exists (EIP-161), or
 * gives storage to one without nonce and code: that nothing can be created there (EIP-7610) the State says alone. So it
 * does where a balance may come to be no word: a payment fails then.
 */
const overrideWrites = async (
  overrides: ReadonlyMap<string, ParsedOverride>,
  running: RunningState,
): Promise<SnapshotWrites> => {
  const accounts: AccountWrite[] = []
  const slots: { address: string; key: bigint; value: bigint }[] = []
  const code = new Map<string, Uint8Array>()
  for (const [address, override] of overrides) {
    const before = await running.account(address)
    const account = {
      nonce: override.nonce ?? before?.nonce ?? 0n,
      balance: override.balance ?? before?.balance ?? 0n,
      codeHash: override.code?.hash ?? before?.codeHash ?? EMPTY_CODE_HASH,
    }
    const isBare = account.nonce === 0n && account.codeHash === EMPTY_CODE_HASH
    if (isBare && (account.balance === 0n || [...override.slots.values()].some((value) => value !== 0n)))
      throw new NotInBatch()
    if (account.balance >= MOST_BALANCE) throw new NotInBatch()
    accounts.push({ address, account, cleared: override.cleared })
    if (override.code !== undefined) code.set(override.code.hash, override.code.bytes)
    for (const [key, value] of override.slots) slots.push({ address, key, value })
  }
  return { accounts, slots, code }
}
