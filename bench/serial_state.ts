import type { StateManagerInterface } from '@ethereumjs/common'
import { Account, type Address, bytesToHex, hexToBytes } from '@ethereumjs/util'
import { keccak256 } from '../host/primitives/keccak.ts'
import { addressFromHex, quantityFromBigInt, wordFromBigInt, wordFromHex } from '../host/primitives/word.ts'
import { MemoryState } from '../host/state/memory_state.ts'

type Storage = Map<string, Uint8Array>

/** What the serial reference reads below its own changes. */
export type SerialBase = Pick<MemoryState, 'account' | 'storage' | 'hasStorage' | 'readCode'>

/**
 * Code that begins like a delegation (EIP-7702) and is not 23 bytes long is code that halts. @ethereumjs takes any such
 * for a delegation: it is given another second byte. EXTCODECOPY shows that byte; size and hash stay.
 */
const undelegated = (code: Uint8Array): Uint8Array => {
  if (code.length === 23 || code[0] !== 0xef || code[1] !== 0x01 || code[2] !== 0x00) return code
  const other = code.slice()
  other[1] = 2
  return other
}

/**
 * The state manager of the serial reference: a state that it never writes to, changes in maps above it, and a
 * journal of closures for checkpoints. Faster than both state managers of @ethereumjs/statemanager, so the serial
 * baseline of the benchmarks is not made slow by its state; a test holds it against MerkleStateManager by state root.
 */
export class SerialState implements StateManagerInterface {
  readonly #base: SerialBase
  readonly #accounts = new Map<string, Account | undefined>()
  readonly #storages = new Map<string, Storage>()
  /** Accounts whose slots in the base are gone. */
  readonly #cleared = new Set<string>()
  readonly #code = new Map<string, Uint8Array>()
  readonly #originals = new Map<string, Uint8Array>()
  #journal: (() => void)[] = []
  readonly #marks: number[] = []

  readonly originalStorageCache = {
    get: async (address: Address, key: Uint8Array): Promise<Uint8Array> => {
      const name = address.toString() + bytesToHex(key)
      const known = this.#originals.get(name)
      if (known !== undefined) return known
      const value = await this.getStorage(address, key)
      this.#originals.set(name, value)
      return value
    },
    clear: (): void => this.#originals.clear(),
  }

  constructor(base: SerialBase) {
    this.#base = base
  }

  async getAccount(address: Address): Promise<Account | undefined> {
    const account = this.#account(address.toString())
    return account && new Account(account.nonce, account.balance, account.storageRoot, account.codeHash)
  }

  async putAccount(address: Address, account?: Account): Promise<void> {
    const copy = account && new Account(account.nonce, account.balance, account.storageRoot, account.codeHash)
    this.#set(this.#accounts, address.toString(), copy)
  }

  async deleteAccount(address: Address): Promise<void> {
    this.#set(this.#accounts, address.toString(), undefined)
    await this.clearStorage(address)
  }

  async modifyAccountFields(address: Address, fields: Partial<Account>): Promise<void> {
    const account = (await this.getAccount(address)) ?? new Account()
    if (fields.nonce !== undefined) account.nonce = fields.nonce
    if (fields.balance !== undefined) account.balance = fields.balance
    if (fields.codeHash !== undefined) account.codeHash = fields.codeHash
    await this.putAccount(address, account)
  }

  async putCode(address: Address, value: Uint8Array): Promise<void> {
    const codeHash = keccak256(value)
    this.#code.set(bytesToHex(codeHash), value)
    await this.modifyAccountFields(address, { codeHash })
  }

  async getCode(address: Address): Promise<Uint8Array> {
    const account = this.#account(address.toString())
    if (account === undefined) return new Uint8Array(0)
    const hash = bytesToHex(account.codeHash)
    return undelegated(this.#code.get(hash) ?? this.#base.readCode(hash))
  }

  async getCodeSize(address: Address): Promise<number> {
    return (await this.getCode(address)).length
  }

  async getStorage(address: Address, key: Uint8Array): Promise<Uint8Array> {
    const name = address.toString()
    const slot = bytesToHex(key)
    const changed = this.#storages.get(name)?.get(slot)
    if (changed !== undefined) return changed
    return this.#cleared.has(name) ? new Uint8Array(0) : unpadded(this.#base.storage(name, BigInt(slot)))
  }

  async putStorage(address: Address, key: Uint8Array, value: Uint8Array): Promise<void> {
    const name = address.toString()
    let storage = this.#storages.get(name)
    if (storage === undefined) {
      storage = new Map()
      this.#storages.set(name, storage)
    }
    this.#set(storage, bytesToHex(key), value.length === 0 ? value : unpadded(BigInt(bytesToHex(value))))
  }

  async clearStorage(address: Address): Promise<void> {
    const name = address.toString()
    this.#set(this.#storages, name, new Map<string, Uint8Array>())
    if (this.#cleared.has(name)) return
    this.#cleared.add(name)
    this.#journal.push(() => this.#cleared.delete(name))
  }

  async checkpoint(): Promise<void> {
    this.#marks.push(this.#journal.length)
  }

  async commit(): Promise<void> {
    this.#marks.pop()
    if (this.#marks.length === 0) this.#journal = []
  }

  async revert(): Promise<void> {
    const mark = this.#marks.pop()!
    while (this.#journal.length > mark) this.#journal.pop()!()
  }

  /** Addresses of the accounts that were written, changed or not. */
  get touchedAccounts(): readonly string[] {
    return [...new Set([...this.#accounts.keys(), ...this.#storages.keys()])]
  }

  /** Storage keys of `address` that were written, as 0x-hex. */
  touchedSlots(address: string): readonly string[] {
    return [...(this.#storages.get(address)?.keys() ?? [])]
  }

  /** What the state is now, apart from this one: the base, which is a MemoryState, with all changes. */
  toMemoryState(): MemoryState {
    if (!(this.#base instanceof MemoryState)) throw new Error('only a serial state above a MemoryState has a copy')
    const state = this.#base.clone()
    const accounts = [...this.#accounts]
    const existing = accounts.flatMap(([address, account]) => (account === undefined ? [] : [{ address, account }]))
    const deleted = [...new Set([...accounts.flatMap(([a, account]) => (account ? [] : [a])), ...this.#cleared])]
    const slots = [...this.#storages].flatMap(([address, storage]) =>
      [...storage].map(([key, value]) => ({ address, key, value })),
    )
    const kept = [...this.#cleared].filter((address) => !this.#accounts.has(address))
    if (kept.length > 0) throw new Error(`storage of ${kept[0]} was cleared, but the account was not written`)
    const writes = {
      deletedAccounts: new Uint32Array(5 * deleted.length),
      accountCount: existing.length,
      accountAddresses: new Uint32Array(5 * existing.length),
      accounts: {
        exists: new Uint8Array(existing.length).fill(1),
        nonce: new Uint32Array(2 * existing.length),
        balance: new Uint32Array(8 * existing.length),
        codeHash: new Uint32Array(8 * existing.length),
      },
      slotCount: slots.length,
      slotAddresses: new Uint32Array(5 * slots.length),
      slotKeys: new Uint32Array(8 * slots.length),
      slotValues: new Uint32Array(8 * slots.length),
      code: this.#code,
    }
    for (const [i, address] of deleted.entries()) addressFromHex(writes.deletedAccounts, 5 * i, address)
    for (const [i, { address, account }] of existing.entries()) {
      addressFromHex(writes.accountAddresses, 5 * i, address)
      quantityFromBigInt(writes.accounts.nonce, 2 * i, account.nonce)
      wordFromBigInt(writes.accounts.balance, 8 * i, account.balance)
      wordFromHex(writes.accounts.codeHash, 8 * i, bytesToHex(account.codeHash))
    }
    for (const [i, { address, key, value }] of slots.entries()) {
      addressFromHex(writes.slotAddresses, 5 * i, address)
      wordFromHex(writes.slotKeys, 8 * i, key)
      wordFromHex(writes.slotValues, 8 * i, value.length === 0 ? '0x' : bytesToHex(value))
    }
    state.commit(writes)
    return state
  }

  #account(address: string): Account | undefined {
    if (this.#accounts.has(address)) return this.#accounts.get(address)
    const view = this.#base.account(address)
    if (view === undefined) return undefined
    // The EVM only asks whether a root is the empty one (EIP-7610), of accounts without nonce and code.
    const root = view.nonce === 0n && this.#base.hasStorage(address) ? new Uint8Array(32) : undefined
    return new Account(view.nonce, view.balance, root, hexToBytes(view.codeHash as `0x${string}`))
  }

  #set<V>(map: Map<string, V>, key: string, value: V): void {
    const had = map.has(key)
    const before = map.get(key) as V
    this.#journal.push(() => {
      if (had) map.set(key, before)
      else map.delete(key)
    })
    map.set(key, value)
  }

  async getStateRoot(): Promise<Uint8Array> {
    return new Uint8Array(32)
  }

  async setStateRoot(): Promise<void> {
    throw new Error('the serial state keeps no root')
  }

  async hasStateRoot(): Promise<boolean> {
    return false
  }

  clearCaches(): void {}

  shallowCopy(): StateManagerInterface {
    return new SerialState(this.toMemoryState())
  }
}

const unpadded = (value: bigint): Uint8Array => {
  if (value === 0n) return new Uint8Array(0)
  const hex = value.toString(16)
  return new Uint8Array(Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex'))
}
