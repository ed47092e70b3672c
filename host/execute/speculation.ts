import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import { TYPE_DEPOSIT } from '../block/batch.ts'
import { selectTransactions } from '../block/select_batch.ts'
import { HOST_CODE, HOST_LIMBS } from '../state/account_table.ts'
import { EMPTY_CODE_HASH } from '../state/keccak.ts'
import type { ResidentState } from '../state/resident_state.ts'
import { addressFromHex, addressToHex, quantityToBigInt, wordFromBigInt } from '../state/word.ts'
import type { CpuPool, Lot } from './cpu_pool.ts'
import { MAIN } from './cpu_protocol.ts'
import type {
  AccountRead,
  AccountView,
  AccountWrite,
  CpuExecution,
  CpuOutcome,
  CpuReads,
  StateSnapshot,
} from './cpu_result.ts'
import type { CpuTier } from './cpu_tier.ts'
import type { Footprints } from './footprints.ts'
import type { RunningState } from './running_state.ts'
import { type Schedule, TIER_CPU } from './schedule.ts'

/** Transactions of the CPU tier in one call from which workers are told of them. */
const LEAST_OFFERED = 2

interface Place {
  readonly lot: Lot
  readonly position: number
}

/**
 * The CPU tier over a batch. With a pool, transactions meant for this tier are executed ahead of their place, by the workers and
 * by this thread when it would wait for one, on whatever values the tables hold at that time. At its place a transaction takes its
 * outcome when everything that it read stands in the running values; else it is executed there. Either way the result is that
 * of an execution at its place, so that nobody can tell from it who executed what, or when.
 */
export class Speculation {
  /** Outcomes of executions ahead, by whether they held at their place. */
  held = 0
  broken = 0
  /** Executions by this thread, and the wall milliseconds that they took. */
  own = 0
  ownMs = 0
  readonly #schedule: Schedule
  readonly #cpu: CpuTier
  readonly #running: RunningState
  readonly #resident: ResidentState
  readonly #pool: CpuPool | undefined
  readonly #footprints: Footprints
  readonly #places = new Map<number, Place>()
  /** Offered transactions in order, and where to look for one that nobody has claimed. */
  readonly #offered: number[] = []
  #next = 0
  readonly #snapshot: StateSnapshot

  constructor(
    schedule: Schedule,
    cpu: CpuTier,
    running: RunningState,
    resident: ResidentState,
    footprints: Footprints,
    pool: CpuPool | undefined,
  ) {
    this.#schedule = schedule
    this.#cpu = cpu
    this.#running = running
    this.#resident = resident
    this.#footprints = footprints
    this.#pool = pool
    this.#snapshot = pool === undefined ? running : new PollingSnapshot(running, pool)
    pool?.begin()
  }

  /** Offers the workers what stands in [first, end) for the CPU tier by now. */
  async offer(first: number, end: number): Promise<void> {
    const pool = this.#pool
    if (pool === undefined || pool.ready === 0) return
    const { batch, tier, rules, env, toCodes } = this.#schedule
    const indices: number[] = []
    for (let i = first; i < end; i++)
      if (tier[i] === TIER_CPU && rules.rejection[i] === 0 && !this.#places.has(i)) indices.push(i)
    if (indices.length < LEAST_OFFERED) return
    await this.#prefetch(indices)
    pool.offerCodes(indices.map((i) => toCodes[i]!))
    const lot = pool.offer(env, selectTransactions(batch, indices))
    for (const [position, i] of indices.entries()) this.#places.set(i, { lot, position })
    this.#offered.push(...indices)
  }

  /** The outcome of a transaction at its place, which is the present one. */
  async execute(index: number): Promise<CpuOutcome> {
    const proposed = await this.#proposed(index)
    if (proposed !== undefined) {
      if (await this.#holds(proposed.reads)) {
        this.held++
        this.#footprints.note(this.#schedule.batch, index, proposed.reads)
        return this.#rebased(proposed)
      }
      this.broken++
    }
    const outcome = await this.#run(index, this.#snapshot)
    this.#footprints.note(this.#schedule.batch, index, outcome.reads)
    return outcome
  }

  /** The batch is over. */
  end(): void {
    this.#pool?.end()
  }

  async #run(index: number, snapshot: StateSnapshot): Promise<CpuOutcome> {
    const { env, batch, rules } = this.#schedule
    const startedMs = performance.now()
    const outcome = await this.#cpu.execute({ env, batch, index, rules, snapshot })
    this.ownMs += performance.now() - startedMs
    this.own++
    return outcome
  }

  /** What an execution ahead gave; undefined where there is none, or where it would have been rejected. */
  async #proposed(index: number): Promise<CpuExecution | undefined> {
    const pool = this.#pool
    const place = this.#places.get(index)
    if (pool === undefined || place === undefined) return undefined
    const { lot, position } = place
    for (;;) {
      pool.poll()
      const outcome = lot.outcomes[position]
      if (outcome !== undefined) {
        lot.outcomes[position] = undefined
        return 'rejected' in outcome ? undefined : outcome
      }
      if (lot.failed[position] === 1) return undefined
      const owner = Atomics.compareExchange(lot.claims, position, 0, MAIN)
      if (owner === 0 || owner === MAIN) return undefined
      if (!(await this.#ahead(pool, index)) && !(await pool.hear(owner))) return undefined
    }
  }

  /** Executes an offered transaction that nobody has claimed, so that the time is not lost. False where there is none. */
  async #ahead(pool: CpuPool, index: number): Promise<boolean> {
    for (; this.#next < this.#offered.length; this.#next++) {
      const i = this.#offered[this.#next]!
      if (i <= index) continue
      const { lot, position } = this.#places.get(i)!
      if (Atomics.compareExchange(lot.claims, position, 0, MAIN) !== 0) continue
      const { batch } = this.#schedule
      const sender =
        batch.type[i] === TYPE_DEPOSIT
          ? undefined
          : {
              address: addressToHex(batch.from, LIMBS_PER_ADDRESS * i),
              nonce: quantityToBigInt(batch.nonce, 2 * i),
            }
      lot.outcomes[position] = await this.#run(i, new PollingSnapshot(this.#running, pool, sender))
      return true
    }
    return false
  }

  /** Makes resident what the transactions are expected to read. */
  async #prefetch(indices: readonly number[]): Promise<void> {
    const { addresses, slots } = this.#footprints.of(this.#schedule.batch, indices)
    await this.#load(addresses, slots)
    const { hosts } = this.#resident.accounts
    const codes: number[] = []
    const limbs = new Uint32Array(LIMBS_PER_ADDRESS)
    for (const address of addresses) {
      addressFromHex(limbs, 0, address)
      const id = this.#resident.accounts.find(limbs, 0)
      if (id >= 0) codes.push(hosts[id * HOST_LIMBS + HOST_CODE]!)
    }
    this.#pool?.offerCodes(codes)
  }

  async #load(
    accounts: readonly string[],
    slots: readonly { readonly address: string; readonly key: bigint }[],
  ): Promise<void> {
    const resident = this.#resident
    const owners = new Uint32Array(LIMBS_PER_ADDRESS * slots.length)
    const keys = new Uint32Array(LIMBS_PER_WORD * slots.length)
    for (const [n, { address, key }] of slots.entries()) {
      addressFromHex(owners, LIMBS_PER_ADDRESS * n, address)
      wordFromBigInt(keys, LIMBS_PER_WORD * n, key)
    }
    const addresses = new Uint32Array(LIMBS_PER_ADDRESS * accounts.length)
    for (const [n, address] of accounts.entries()) addressFromHex(addresses, LIMBS_PER_ADDRESS * n, address)
    await resident.accountIds(addresses, accounts.length, new Int32Array(accounts.length))
    const ids = new Int32Array(slots.length)
    await resident.accountIds(owners, slots.length, ids)
    await resident.slotIds(ids, keys, slots.length, new Int32Array(slots.length))
  }

  /** Whether an execution that read this would go the same way here. */
  async #holds(reads: CpuReads): Promise<boolean> {
    const running = this.#running
    await this.#load(reads.accounts, reads.slots)
    for (const [n, address] of reads.accounts.entries()) {
      const loaded = running.account(address)
      const now = loaded instanceof Promise ? await loaded : loaded
      const read = reads.seen[n]
      if (read === undefined || !accountHolds(read, now)) return false
      // A worker takes every place without nonce and code to be free of storage (EIP-7610).
      if (now === undefined || now.nonce !== 0n || now.codeHash !== EMPTY_CODE_HASH) continue
      const occupied = running.hasStorage(address)
      if (typeof occupied === 'boolean' ? occupied : await occupied) return false
    }
    for (const { address, key, value } of reads.slots) {
      const loaded = running.storage(address, key)
      if ((typeof loaded === 'bigint' ? loaded : await loaded) !== value) return false
    }
    return true
  }

  /** The writes with what the balances are here; all else is the same. */
  async #rebased(outcome: CpuExecution): Promise<CpuExecution> {
    const { reads, writes } = outcome
    const read = new Map(reads.accounts.map((address, n) => [address, reads.seen[n]!.view]))
    const accounts: AccountWrite[] = []
    for (const write of writes.accounts) {
      const { address, account } = write
      const loaded = this.#running.account(address)
      const now = loaded instanceof Promise ? await loaded : loaded
      if (account === undefined || now === undefined) accounts.push(write)
      else {
        const before = read.get(address)
        const balance = now.balance + account.balance - (before?.balance ?? 0n)
        const nonce = now.nonce + account.nonce - (before?.nonce ?? 0n)
        accounts.push({ ...write, account: { ...account, balance, nonce } })
      }
    }
    return { ...outcome, writes: { ...writes, accounts } }
  }
}

const accountHolds = (
  { view, leastBalance, mostBalance, nonce }: AccountRead,
  now: AccountView | undefined,
): boolean => {
  if (view === undefined || now === undefined) return view === now
  if (view.codeHash !== now.codeHash || now.balance < leastBalance || now.balance > mostBalance) return false
  if (nonce === 'same') return view.nonce === now.nonce
  return nonce === 'any' || (view.nonce === 0n) === (now.nonce === 0n)
}

interface Sender {
  readonly address: string
  readonly nonce: bigint
}

/**
 * The running state, where the workers are answered on the way: this thread may be busy for long. Before its place, the sender
 * of a transaction is taken to have the transaction's nonce already.
 */
class PollingSnapshot implements StateSnapshot {
  readonly #inner: StateSnapshot
  readonly #pool: CpuPool
  readonly #sender: Sender | undefined

  constructor(inner: StateSnapshot, pool: CpuPool, sender?: Sender) {
    this.#inner = inner
    this.#pool = pool
    this.#sender = sender
  }

  account(address: string): ReturnType<StateSnapshot['account']> {
    this.#pool.poll()
    const view = this.#inner.account(address)
    const sender = this.#sender
    if (sender === undefined || sender.address !== address) return view
    const early = (now: AccountView | undefined) => (now === undefined ? now : { ...now, nonce: sender.nonce })
    return view instanceof Promise ? view.then(early) : early(view)
  }

  storage(address: string, key: bigint): ReturnType<StateSnapshot['storage']> {
    this.#pool.poll()
    return this.#inner.storage(address, key)
  }

  code(codeHash: string): ReturnType<StateSnapshot['code']> {
    return this.#inner.code(codeHash)
  }

  hasStorage(address: string): boolean | Promise<boolean> {
    return this.#inner.hasStorage?.(address) ?? false
  }

  blockHash(number: bigint): ReturnType<StateSnapshot['blockHash']> {
    return this.#inner.blockHash(number)
  }
}
