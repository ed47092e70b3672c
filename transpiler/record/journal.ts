import type { Builder } from '../ir/builder.ts'
import type { LogEffect, StoreEffect, TransferEffect, ValueId } from '../ir/path_ir.ts'
import { describeValue } from '../ir/text.ts'
import type { PathAccount } from './accounts.ts'
import { provablyDistinct } from './distinct.ts'
import type { Guards } from './guards.ts'
import type { Word } from './memory.ts'
import { type RecordState, Unsupported } from './transaction.ts'

/** Slots of a path: each new one is compared with all before it. */
const MAX_SLOTS = 1000

/** A storage slot of the path. Its original value is what the device loads; later loads forward the last store. */
export interface PathSlot {
  readonly index: number
  readonly account: PathAccount
  readonly key: Word
  /** u32 value: its slot id. */
  readonly id: ValueId
  readonly original: Word
  /** The access list names it. */
  readonly startsWarm: boolean
}

/** Wei, not zero, that a call moved. */
export interface PathTransfer {
  readonly from: PathAccount
  readonly to: PathAccount
  readonly amount: Word
  /** It moves back what an earlier one moved: the frame of that one was dropped. */
  readonly back?: true
}

interface TransientSlot {
  readonly account: PathAccount
  readonly key: Word
}

/** What a revert undoes. Indexed by PathSlot.index or by transient index. */
interface Undoable {
  readonly current: Map<number, Word>
  readonly warmSlots: Set<number>
  readonly warmAccounts: Set<PathAccount>
  readonly transient: Map<number, Word>
  readonly logCount: number
  readonly transferCount: number
  readonly refund: Word
}

/**
 * Storage, transient storage, warm sets, logs, inner transfers and the refund counter of the recorded transaction.
 *
 * Aliasing: two keys of one account that coincided in the recorded run are one slot, under a guard that they do; keys
 * that differed stay two slots, under a guard on their slot ids unless `provablyDistinct`. Slots of different accounts
 * differ because the accounts do (accounts.ts).
 */
export class Journal {
  private readonly builder: Builder
  private readonly guards: Guards
  private readonly state: RecordState
  readonly slots: PathSlot[] = []
  private readonly transientSlots: TransientSlot[] = []
  private current = new Map<number, Word>()
  private warmSlots = new Set<number>()
  private warmAccounts = new Set<PathAccount>()
  private transient = new Map<number, Word>()
  logs: LogEffect[] = []
  /** All movements of wei in order. One whose frame was dropped stays, for its condition, and is moved back. */
  private readonly moves: PathTransfer[] = []
  /** Those that no dropped frame took back. */
  private transfers: PathTransfer[] = []
  refund: Word

  constructor(builder: Builder, guards: Guards, state: RecordState) {
    this.builder = builder
    this.guards = guards
    this.state = state
    this.refund = { concrete: 0n, value: builder.constant(0n) }
  }

  snapshot(): Undoable {
    return {
      current: new Map(this.current),
      warmSlots: new Set(this.warmSlots),
      warmAccounts: new Set(this.warmAccounts),
      transient: new Map(this.transient),
      logCount: this.logs.length,
      transferCount: this.transfers.length,
      refund: this.refund,
    }
  }

  restore(snapshot: Undoable): void {
    this.current = snapshot.current
    this.warmSlots = snapshot.warmSlots
    this.warmAccounts = snapshot.warmAccounts
    this.transient = snapshot.transient
    this.logs = this.logs.slice(0, snapshot.logCount)
    for (const { from, to, amount } of this.transfers.slice(snapshot.transferCount).reverse())
      this.moves.push({ from: to, to: from, amount, back: true })
    this.transfers = this.transfers.slice(0, snapshot.transferCount)
    this.refund = snapshot.refund
  }

  transfer(from: PathAccount, to: PathAccount, amount: Word): void {
    this.moves.push({ from, to, amount })
    this.transfers.push({ from, to, amount })
  }

  /** True when the account was cold; it is warm from here on (EIP-2929). */
  touchAccount(account: PathAccount): boolean {
    const cold = !account.startsWarm && !this.warmAccounts.has(account)
    this.warmAccounts.add(account)
    return cold
  }

  touchSlot(slot: PathSlot): boolean {
    const cold = !slot.startsWarm && !this.warmSlots.has(slot.index)
    this.warmSlots.add(slot.index)
    return cold
  }

  async slot(account: PathAccount, key: Word): Promise<PathSlot> {
    const { builder, guards } = this
    const sameAccount = this.slots.filter((slot) => slot.account === account)
    const known = sameAccount.find((slot) => slot.key.concrete === key.concrete)
    if (known !== undefined) {
      guards.equal(key.value, known.key.value, () => `slot ${this.name(key)} is slot ${this.name(known.key)}`)
      return known
    }
    if (this.slots.length >= MAX_SLOTS) throw new Unsupported('value bound', guards.position.pc)
    const id = builder.make('slot', [account.id, key.value])
    for (const other of sameAccount) {
      if (provablyDistinct(builder, key.value, other.key.value)) continue
      guards.requireNot(
        builder.make('eq32', [id, other.id]),
        () => `slot ${this.name(key)} is not slot ${this.name(other.key)}`,
      )
    }
    const concrete = await this.state.storage(account.address.concrete, key.concrete)
    const original = { concrete, value: builder.make('load', [id]) }
    const startsWarm = this.isListed(account, key)
    const slot: PathSlot = { index: this.slots.length, account, key, id, original, startsWarm }
    this.slots.push(slot)
    return slot
  }

  /** Whether the access list names the key, under guards that it does, or names no such key. */
  private isListed({ listedKeys }: PathAccount, key: Word): boolean {
    const { builder, guards } = this
    for (const listed of listedKeys) {
      const constant = builder.constant(listed)
      if (listed === key.concrete) {
        guards.equal(key.value, constant, () => `slot ${this.name(key)} is in the access list`)
        return true
      }
    }
    for (const listed of listedKeys) {
      const constant = builder.constant(listed)
      guards.requireNot(
        builder.make('eq', [key.value, constant]),
        () => `slot ${this.name(key)} is not in the access list`,
      )
    }
    return false
  }

  load(slot: PathSlot): Word {
    return this.current.get(slot.index) ?? slot.original
  }

  store(slot: PathSlot, word: Word): void {
    this.current.set(slot.index, word)
  }

  loadTransient(account: PathAccount, key: Word): Word {
    return this.transient.get(this.transientSlot(account, key)) ?? { concrete: 0n, value: this.builder.constant(0n) }
  }

  storeTransient(account: PathAccount, key: Word, word: Word): void {
    this.transient.set(this.transientSlot(account, key), word)
  }

  private transientSlot(account: PathAccount, key: Word): number {
    const { builder, guards } = this
    for (let index = 0; index < this.transientSlots.length; index++) {
      const other = this.transientSlots[index]!
      if (other.account !== account || other.key.concrete !== key.concrete) continue
      guards.equal(key.value, other.key.value, () => `transient slot ${this.name(key)} is ${this.name(other.key)}`)
      return index
    }
    for (const other of this.transientSlots) {
      if (other.account !== account || provablyDistinct(builder, key.value, other.key.value)) continue
      const equal = builder.make('eq', [key.value, other.key.value])
      guards.requireNot(equal, () => `transient slot ${this.name(key)} is not ${this.name(other.key)}`)
    }
    if (this.transientSlots.length >= MAX_SLOTS) throw new Unsupported('value bound', guards.position.pc)
    return this.transientSlots.push({ account, key }) - 1
  }

  addRefund(change: ValueId, concrete: bigint): void {
    this.refund = {
      concrete: BigInt.asUintN(32, this.refund.concrete + concrete),
      value: this.builder.make('add32', [this.refund.value, change]),
    }
  }

  /** Whether a transfer of this transaction has made the account exist (EIP-161: it has a balance). */
  isFunded(account: PathAccount): boolean {
    return this.transfers.some((transfer) => transfer.to === account)
  }

  /** A balance after the transfers so far, from the one before them. */
  balance(account: PathAccount, before: Word): Word {
    let { value } = before
    for (const { from, to, amount } of this.transfers) {
      if (from === to) continue
      if (from === account) value = this.builder.make('sub', [value, amount.value])
      else if (to === account) value = this.builder.make('add', [value, amount.value])
    }
    return { concrete: this.concreteBalance(account, before.concrete), value }
  }

  concreteBalance(account: PathAccount, before: bigint): bigint {
    return this.transfers.reduce((balance, { from, to, amount }) => {
      if (from === to) return balance
      return from === account ? balance - amount.concrete : to === account ? balance + amount.concrete : balance
    }, before)
  }

  transferEffects(): TransferEffect[] {
    return this.moves.map(({ from, to, amount, back }) => ({
      kind: 'transfer' as const,
      from: from.id,
      to: to.id,
      amount: amount.value,
      ...(back ? { back } : {}),
    }))
  }

  /** The last value of each slot that a store left different from what was loaded, as the same value id tells. */
  stores(): StoreEffect[] {
    return this.slots.flatMap((slot) => {
      const word = this.current.get(slot.index)
      if (word === undefined || word.value === slot.original.value) return []
      return [{ kind: 'store' as const, slot: slot.id, value: word.value }]
    })
  }

  private name(word: Word): string {
    return describeValue(this.builder.values, word.value)
  }
}
