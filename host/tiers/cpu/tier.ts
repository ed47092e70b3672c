import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { type Footprints, kindOf } from '../../batch/footprints.ts'
import { type OpenBatch, OUTCOME_NONE, TIER_LAST } from '../../batch/open_batch.ts'
import type { CpuExecution, CpuOutcome } from '../../batch/outcome.ts'
import { countersOf, type PlaceEntry, type TierCounters, type TierRun } from '../../batch/tier.ts'
import { TYPE_DEPOSIT } from '../../chain/batch.ts'
import { selectCharges } from '../../chain/op/charges.ts'
import { selectTransactions } from '../../chain/select_batch.ts'
import { EMPTY_CODE_HASH } from '../../primitives/keccak.ts'
import {
  addressFromHex,
  addressToHex,
  quantityToBigInt,
  wordEquals,
  wordFromBigInt,
  wordToBigInt,
} from '../../primitives/word.ts'
import { addressColumn, BaseReader, keyColumn } from '../../state/base_reader.ts'
import type { RunningState } from '../../state/running_state.ts'
import type { AccountView, AccountWrite, SnapshotReads, StateSnapshot } from '../../state/snapshot.ts'
import { STATE_BARE } from '../../state/tables/account_table.ts'
import type { ResidentState } from '../../state/tables/resident_tables.ts'
import { accountHolds } from './account_holds.ts'
import type { CpuTier } from './ethereumjs/transaction.ts'
import { CpuExecutions } from './executions.ts'
import type { CpuPool, Lot } from './pool/pool.ts'
import { type Foreseen, MAIN } from './pool/protocol.ts'

/** So many outcomes of one kind broken in a row are a chain: the next RESERVED ones are left to their places. */
const CHAIN = 2
const RESERVED = 8

/** Transactions of the CPU tier in one call from which workers are told of them. */
const LEAST_OFFERED = 2

interface Place {
  readonly lot: Lot
  readonly position: number
}

/**
 * The CPU tier over a batch. With a pool, transactions meant for this tier are executed ahead of their place, by the
 * workers and by this thread when it would wait for one, on whatever values the tables hold at that time. At its place
 * a transaction takes its outcome when everything that it read stands in the running values; else it is executed there.
 * Either way the result is that of an execution at its place, so that it does not tell which thread executed what, or
 * when.
 */
export class Speculation implements TierRun {
  /** Executions by this thread, and the wall milliseconds that they took. */
  own = 0
  ownMs = 0
  /** Outcomes of executions ahead, by whether they held at their place. */
  #held = 0
  #broken = 0
  /** Wall milliseconds at places of transactions. */
  #placeMs = 0
  readonly #executions = new CpuExecutions()
  readonly #ended: () => readonly string[]
  readonly #openBatch: OpenBatch
  readonly #cpu: CpuTier
  readonly #running: RunningState
  readonly #resident: ResidentState
  readonly #pool: CpuPool | undefined
  readonly #footprints: Footprints
  readonly #places = new Map<number, Place>()
  /** Offered transactions in order, and where to look for one that is not claimed. */
  readonly #offered: number[] = []
  #next = 0
  readonly #chains = new Map<string, number>()
  readonly #snapshot: StateSnapshot
  readonly #base: BaseReader
  readonly #address = new Uint32Array(LIMBS_PER_ADDRESS)
  readonly #key = new Uint32Array(LIMBS_PER_WORD)

  constructor(
    openBatch: OpenBatch,
    cpu: CpuTier,
    running: RunningState,
    resident: ResidentState,
    footprints: Footprints,
    pool: CpuPool | undefined,
    ended: () => readonly string[],
  ) {
    this.#openBatch = openBatch
    this.#ended = ended
    this.#cpu = cpu
    this.#running = running
    this.#resident = resident
    this.#footprints = footprints
    this.#base = new BaseReader(resident)
    this.#pool = pool
    this.#snapshot = pool === undefined ? running : new PollingSnapshot(running, pool)
    pool?.begin()
  }

  get counters(): TierCounters {
    return countersOf({ executeMs: this.#placeMs, held: this.#held, broken: this.#broken })
  }

  /** Offers the workers what stands in [first, end) for this tier by now: its outcomes are taken at their places. */
  async start(first: number, end: number): Promise<undefined> {
    await this.#offer(first, end)
  }

  /** Executes transaction i, or takes what an execution ahead gave. */
  async atPlace(i: number, entry: PlaceEntry): Promise<boolean> {
    const startedMs = performance.now()
    const outcome = await this.#execute(i)
    if ('rejected' in outcome) entry.reject(i, outcome.rejected)
    else {
      this.#executions.add(this.#openBatch, i, outcome)
      await entry.enter(i, outcome)
    }
    this.#placeMs += performance.now() - startedMs
    return true
  }

  /** It is the last tier: nothing can be given back. */
  refuse(): void {}

  async #offer(first: number, end: number): Promise<void> {
    const pool = this.#pool
    if (pool === undefined || pool.ready === 0) return
    const { batch, tier, outcome, rules, env, toCodes } = this.#openBatch
    const indices: number[] = []
    for (let i = first; i < end; i++)
      if (tier[i] === TIER_LAST && outcome[i] === OUTCOME_NONE && rules.rejection[i] === 0 && !this.#places.has(i))
        indices.push(i)
    if (indices.length < LEAST_OFFERED) return
    const foreseen = await this.#foresee(indices)
    pool.offerCodes(indices.map((i) => toCodes[i]!))
    const charges = rules.charges === undefined ? undefined : selectCharges(rules.charges, indices)
    const lot = pool.offer(env, selectTransactions(batch, indices), foreseen, charges)
    for (const [position, i] of indices.entries()) this.#places.set(i, { lot, position })
    this.#offered.push(...indices)
  }

  /** The outcome of a transaction at its place, which is the present one. */
  async #execute(index: number): Promise<CpuOutcome> {
    const proposed = await this.#proposed(index)
    if (proposed !== undefined) {
      if (await this.#holds(proposed.reads)) {
        this.#held++
        this.#chains.delete(kindOf(this.#openBatch.batch, index))
        this.#footprints.note(this.#openBatch.batch, index, proposed.reads)
        await this.#load(proposed.reads)
        return this.#rebased(proposed)
      }
      this.#broken++
      this.#reserve(index)
    }
    const outcome = await this.#run(index, this.#snapshot)
    this.#footprints.note(this.#openBatch.batch, index, outcome.reads)
    return outcome
  }

  end(): readonly string[] {
    this.#pool?.end()
    return this.#ended()
  }

  async #run(index: number, snapshot: StateSnapshot): Promise<CpuOutcome> {
    const { env, batch, rules, simulated } = this.#openBatch
    const anySender = simulated !== undefined
    const startedMs = performance.now()
    const outcome = await this.#cpu.execute({ env, batch, index, rules, snapshot, anySender })
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

  /** In a chain, every execution ahead is in vain, and takes the time of one that is not. */
  #reserve(index: number): void {
    const { batch } = this.#openBatch
    const kind = kindOf(batch, index)
    const length = (this.#chains.get(kind) ?? 0) + 1
    this.#chains.set(kind, length)
    if (length < CHAIN) return
    let left = RESERVED
    for (let n = this.#offered.indexOf(index) + 1; n < this.#offered.length && left > 0; n++) {
      const i = this.#offered[n]!
      if (kindOf(batch, i) !== kind) continue
      const { lot, position } = this.#places.get(i)!
      Atomics.compareExchange(lot.claims, position, 0, MAIN)
      left--
    }
  }

  /** Executes an offered transaction that is not claimed, so that the time is not lost. False where there is none. */
  async #ahead(pool: CpuPool, index: number): Promise<boolean> {
    for (; this.#next < this.#offered.length; this.#next++) {
      const i = this.#offered[this.#next]!
      if (i <= index) continue
      const { lot, position } = this.#places.get(i)!
      if (Atomics.compareExchange(lot.claims, position, 0, MAIN) !== 0) continue
      const { batch } = this.#openBatch
      const sender =
        batch.type[i] === TYPE_DEPOSIT
          ? undefined
          : {
              address: addressToHex(batch.from, LIMBS_PER_ADDRESS * i),
              nonce: quantityToBigInt(batch.nonce, 2 * i),
            }
      lot.outcomes[position] = await this.#run(
        i,
        new AheadSnapshot(this.#resident, this.#running, this.#base, pool, sender),
      )
      return true
    }
    return false
  }

  /** Reads what the transactions are expected to read and is not resident. */
  async #foresee(indices: readonly number[]): Promise<Foreseen> {
    const expected = this.#footprints.of(this.#openBatch.batch, indices)
    const { accounts: table, codes } = this.#resident
    const known = new Set<number>()
    const accounts = expected.accounts.filter((address) => {
      const id = this.#accountId(address)
      if (id >= 0) known.add(table.code(id))
      return id < 0
    })
    const slots = expected.slots.filter(({ address, key }) => {
      const owner = this.#accountId(address)
      return owner < 0 || ((table.states[owner]! & STATE_BARE) === 0 && this.#slotId(owner, key) < 0)
    })
    const views = await this.#base.accounts(accounts)
    const values = await this.#base.slots(slots)
    for (const view of views) if (view !== undefined) known.add(codes.findHash(view.codeHash))
    this.#pool?.offerCodes(known)
    return {
      accounts: accounts.map((address, n) => ({ address, view: views[n] })),
      slots: slots.map((slot, n) => ({ ...slot, value: values[n]! })),
    }
  }

  /** Id of the account in the table; -1 where it is not resident. */
  #accountId(address: string): number {
    addressFromHex(this.#address, 0, address)
    return this.#resident.accounts.find(this.#address, 0)
  }

  #slotId(owner: number, key: bigint): number {
    wordFromBigInt(this.#key, 0, key)
    return this.#resident.slots.find(owner, this.#key, 0)
  }

  /** Makes resident what a transaction has read, as its execution at its place would have. */
  async #load({ accounts, slots }: SnapshotReads): Promise<void> {
    const resident = this.#resident
    await resident.accountIds(addressColumn(accounts), accounts.length, new Int32Array(accounts.length))
    const owners = new Int32Array(slots.length)
    await resident.accountIds(addressColumn(slots.map(({ address }) => address)), slots.length, owners)
    await resident.slotIds(owners, keyColumn(slots), slots.length, new Int32Array(slots.length))
  }

  /**
   * Whether an execution that read this would go the same way here. What is not resident is as it was before the batch.
   */
  async #holds(reads: SnapshotReads): Promise<boolean> {
    const running = this.#running
    const { accounts, slots, state } = this.#resident
    for (const [n, address] of reads.accounts.entries()) {
      const read = reads.seen[n]!
      const id = this.#accountId(address)
      if (id >= 0 && !accountHolds(read, running.viewOf(id))) return false
      // An execution ahead takes every place for a contract to be without an account, where it does not know better,
      // and without storage, where there is an account without nonce and code (EIP-7610).
      const { view } = read
      if (id < 0 && view === undefined) {
        const before = this.#base.account(address)
        if ((before instanceof Promise ? await before : before) !== undefined) return false
      }
      if (view === undefined || view.nonce !== 0n || view.codeHash !== EMPTY_CODE_HASH) continue
      if (id >= 0 && (accounts.states[id]! & STATE_BARE) !== 0) continue
      const occupied = state.hasStorage?.(address) ?? false
      if (typeof occupied === 'boolean' ? occupied : await occupied) return false
    }
    for (const { address, key, value } of reads.slots) {
      const owner = this.#accountId(address)
      if (owner < 0) continue
      const slot = this.#slotId(owner, key)
      if (slot >= 0) {
        if (!wordEquals(slots.values, slot * LIMBS_PER_WORD, this.#word(value), 0)) return false
      } else if ((accounts.states[owner]! & STATE_BARE) !== 0 && value !== 0n) return false
    }
    return true
  }

  #word(value: bigint): Uint32Array {
    wordFromBigInt(this.#key, 0, value)
    return this.#key
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

interface Sender {
  readonly address: string
  readonly nonce: bigint
}

/** The running state, where the workers are answered on the way: this thread may be busy for long. */
class PollingSnapshot implements StateSnapshot {
  readonly #inner: StateSnapshot
  readonly #pool: CpuPool

  constructor(inner: StateSnapshot, pool: CpuPool) {
    this.#inner = inner
    this.#pool = pool
  }

  account(address: string): ReturnType<StateSnapshot['account']> {
    this.#pool.poll()
    return this.#inner.account(address)
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

/**
 * The running state for an execution ahead: its sender is taken to have the transaction's nonce already, and nothing
 * becomes resident.
 */
class AheadSnapshot implements StateSnapshot {
  readonly #resident: ResidentState
  readonly #running: RunningState
  readonly #base: BaseReader
  readonly #pool: CpuPool
  readonly #sender: Sender | undefined
  readonly #address = new Uint32Array(LIMBS_PER_ADDRESS)
  readonly #key = new Uint32Array(LIMBS_PER_WORD)

  constructor(
    resident: ResidentState,
    running: RunningState,
    base: BaseReader,
    pool: CpuPool,
    sender: Sender | undefined,
  ) {
    this.#resident = resident
    this.#running = running
    this.#base = base
    this.#pool = pool
    this.#sender = sender
  }

  account(address: string): ReturnType<StateSnapshot['account']> {
    this.#pool.poll()
    const id = this.#accountId(address)
    const sender = this.#sender
    const view = id < 0 ? this.#base.account(address) : this.#running.viewOf(id)
    if (sender === undefined || sender.address !== address) return view
    const early = (now: AccountView | undefined) => (now === undefined ? now : { ...now, nonce: sender.nonce })
    return view instanceof Promise ? view.then(early) : early(view)
  }

  storage(address: string, key: bigint): ReturnType<StateSnapshot['storage']> {
    this.#pool.poll()
    const owner = this.#accountId(address)
    if (owner < 0) return this.#base.slot(address, key)
    const { accounts, slots } = this.#resident
    wordFromBigInt(this.#key, 0, key)
    const slot = slots.find(owner, this.#key, 0)
    if (slot >= 0) return wordToBigInt(slots.values, slot * LIMBS_PER_WORD)
    return (accounts.states[owner]! & STATE_BARE) !== 0 ? 0n : this.#base.slot(address, key)
  }

  code(codeHash: string): ReturnType<StateSnapshot['code']> {
    const { codes, state } = this.#resident
    const id = codes.findHash(codeHash)
    return id < 0 ? state.readCode(codeHash) : codes.codes[id]!.bytes
  }

  blockHash(number: bigint): ReturnType<StateSnapshot['blockHash']> {
    return this.#running.blockHash(number)
  }

  #accountId(address: string): number {
    addressFromHex(this.#address, 0, address)
    return this.#resident.accounts.find(this.#address, 0)
  }
}
