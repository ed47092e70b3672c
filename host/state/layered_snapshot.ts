import { EMPTY_CODE_HASH } from '../primitives/keccak.ts'
import { isSomething, type ParsedOverride } from './overlay_state.ts'
import type { AccountView, SnapshotWrites, StateSnapshot } from './snapshot.ts'
import type { StateWrites } from './state.ts'
import { writesOfChanges } from './writes/of_changes.ts'

const NOTHING: AccountView = { nonce: 0n, balance: 0n, codeHash: EMPTY_CODE_HASH }

interface UnpaidWrites {
  readonly writes: SnapshotWrites
  readonly coinbaseFee: bigint | undefined
}

/** A snapshot with changes on top: overrides, and what executions on it wrote. The one below stays as it is. */
export class LayeredSnapshot implements StateSnapshot {
  readonly #base: StateSnapshot
  readonly #accounts = new Map<string, AccountView | undefined>()
  readonly #slots = new Map<string, Map<bigint, bigint>>()
  readonly #cleared = new Set<string>()
  readonly #codes = new Map<string, Uint8Array>()
  readonly #blockHashes = new Map<bigint, string>()

  constructor(base: StateSnapshot) {
    this.#base = base
  }

  account(address: string): AccountView | undefined | Promise<AccountView | undefined> {
    return this.#accounts.has(address) ? this.#accounts.get(address) : this.#base.account(address)
  }

  storage(address: string, key: bigint): bigint | Promise<bigint> {
    const value = this.#slots.get(address)?.get(key)
    if (value !== undefined) return value
    return this.#cleared.has(address) ? 0n : this.#base.storage(address, key)
  }

  code(codeHash: string): Uint8Array | Promise<Uint8Array> {
    return this.#codes.get(codeHash) ?? this.#base.code(codeHash)
  }

  hasStorage(address: string): boolean | Promise<boolean> {
    for (const value of this.#slots.get(address)?.values() ?? []) if (value !== 0n) return true
    return this.#cleared.has(address) ? false : (this.#base.hasStorage?.(address) ?? false)
  }

  blockHash(number: bigint): string | undefined | Promise<string | undefined> {
    return this.#blockHashes.get(number) ?? this.#base.blockHash(number)
  }

  /** The hash of a block that the one below does not know. */
  setBlockHash(number: bigint, hash: string): void {
    this.#blockHashes.set(number, hash)
  }

  setAccount(address: string, account: AccountView | undefined): void {
    this.#accounts.set(address, account)
  }

  async override(overrides: ReadonlyMap<string, ParsedOverride>): Promise<void> {
    for (const [address, override] of overrides) {
      const before = await this.account(address)
      const { nonce, balance, codeHash } = before ?? NOTHING
      if (override.code !== undefined) this.#codes.set(override.code.hash, override.code.bytes)
      if (before !== undefined || isSomething(override))
        this.#accounts.set(address, {
          nonce: override.nonce ?? nonce,
          balance: override.balance ?? balance,
          codeHash: override.code?.hash ?? codeHash,
        })
      if (override.cleared) this.#clear(address)
      for (const [key, value] of override.slots) this.#set(address, key, value)
    }
  }

  /** Enters what a transaction wrote, and pays the coinbase what it is still to be given (undefined: nothing). */
  async apply({ writes, coinbaseFee }: UnpaidWrites, coinbase: string): Promise<void> {
    for (const [hash, code] of writes.code) this.#codes.set(hash, code)
    for (const { address, account, cleared } of writes.accounts) {
      if (cleared || account === undefined) this.#clear(address)
      this.#accounts.set(address, account)
    }
    for (const { address, key, value } of writes.slots) this.#set(address, key, value)
    if (coinbaseFee !== undefined) await this.pay(coinbase, coinbaseFee)
  }

  /** Adds a fee to a balance; an account that stays empty goes (EIP-161). */
  async pay(address: string, fee: bigint): Promise<void> {
    const paid = await this.account(address)
    const { nonce, balance, codeHash } = paid ?? NOTHING
    const after = { nonce, balance: balance + fee, codeHash }
    const isEmpty = after.balance === 0n && nonce === 0n && codeHash === EMPTY_CODE_HASH
    if (isEmpty && paid === undefined) return
    this.#accounts.set(address, isEmpty ? undefined : after)
  }

  /** All changes as one commit to what lies below. An account that is not there has no slots. */
  async writes(): Promise<StateWrites> {
    const slots: { address: string; key: bigint; before: bigint; after: bigint }[] = []
    for (const [address, values] of this.#slots) {
      if ((await this.account(address)) === undefined) continue
      for (const [key, after] of values) slots.push({ address, key, before: 0n, after })
    }
    return writesOfChanges({
      accounts: [...this.#accounts].map(([address, after]) => ({ address, before: undefined, after })),
      slots,
      cleared: [...this.#cleared],
      code: this.#codes,
      readAccounts: [],
      readSlots: [],
    })
  }

  #clear(address: string): void {
    this.#cleared.add(address)
    this.#slots.delete(address)
  }

  #set(address: string, key: bigint, value: bigint): void {
    const slots = this.#slots.get(address)
    if (slots === undefined) this.#slots.set(address, new Map([[key, value]]))
    else slots.set(key, value)
  }
}
