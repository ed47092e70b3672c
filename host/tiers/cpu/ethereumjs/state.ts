import type { StateManagerInterface } from '@ethereumjs/common'
import { type Account, type Address, KECCAK256_NULL, MAX_INTEGER } from '@ethereumjs/util'
import { bytesToHex } from '../../../primitives/hex.ts'
import { EMPTY_CODE_HASH, keccak256 } from '../../../primitives/keccak.ts'
import type {
  AccountRead,
  AccountView,
  AccountWrite,
  SnapshotReads,
  SnapshotWrites,
  StateSnapshot,
} from '../../../state/snapshot.ts'
import { type Observed, pinBalance, SeenAccount } from './seen_account.ts'

/** One account as the transaction sees it. Byte strings are never changed in place. */
interface Entry extends Observed {
  readonly address: string
  readonly base: AccountView | undefined
  exists: boolean
  nonce: bigint
  balance: bigint
  codeHash: Uint8Array
  /** Whether the account has storage in the snapshot and could be taken for a place without a contract (EIP-7610). */
  readonly occupied: boolean
  /** Whether slots that are not in `slots` are zero, whatever the snapshot says. */
  cleared: boolean
  /** By key, as 32 latin-1 characters. */
  slots: Map<string, Slot>
}

/** Values are big-endian without leading zeros; no bytes are zero. */
interface Slot {
  readonly base: Uint8Array
  value: Uint8Array
}

type Undo =
  | { readonly slot: Slot; readonly value: Uint8Array }
  | {
      readonly entry: Entry
      readonly exists: boolean
      readonly nonce: bigint
      readonly balance: bigint
      readonly codeHash: Uint8Array
      readonly cleared: boolean
      readonly slots: Map<string, Slot>
    }

const NOTHING = new Uint8Array(0)
/** A storage root that is not the empty one, which is all that the EVM asks of a root. */
const OCCUPIED = new Uint8Array(32)
const EMPTY_VIEW: AccountView = { nonce: 0n, balance: 0n, codeHash: EMPTY_CODE_HASH }

/** Codes kept by hash between transactions. */
const MAX_CODES = 4096
/** Of the codes that are remembered, where nothing else is said. */
const MOST_CODE_BYTES = 1 << 25

/**
 * The state manager under @ethereumjs/evm for one transaction at a time: a snapshot, and an undo log above it. A
 * checkpoint is the length of the log, so it costs nothing whatever the state holds.
 *
 * It notes what it took from the snapshot and gives back, in the end, what differs from it.
 */
export class CpuState implements StateManagerInterface {
  #snapshot: StateSnapshot = NO_SNAPSHOT
  #entries = new Map<string, Entry>()
  #originals = new Map<string, Uint8Array>()
  #undo: Undo[] = []
  #marks: number[] = []
  #newCode = new Map<string, Uint8Array>()
  #codeReads = new Set<string>()
  #slotReads: { address: string; key: bigint; value: bigint }[] = []
  #freshSlots: { address: string; key: bigint }[] = []
  /** The address of the creation at hand, by `latin`. */
  #creation = ''
  readonly #codes = new Map<string, Uint8Array>()
  #codeBytes = 0
  #codeBudget = MOST_CODE_BYTES
  readonly #hashBytes = new Map<string, Uint8Array>([[EMPTY_CODE_HASH, KECCAK256_NULL]])

  /** Value of a slot when the transaction first asked for it, for SSTORE (EIP-2200). Survives reverts. */
  readonly originalStorageCache = {
    get: async (address: Address, key: Uint8Array): Promise<Uint8Array> => {
      const name = latin(address.bytes) + latin(key)
      let original = this.#originals.get(name)
      if (original === undefined) {
        original = await this.getStorage(address, key)
        this.#originals.set(name, original)
      }
      return original
    },
    clear: (): void => this.#originals.clear(),
  }

  /** Starts a transaction on `snapshot`; everything of the one before is forgotten. */
  begin(snapshot: StateSnapshot): void {
    this.#snapshot = snapshot
    this.#entries = new Map()
    this.#originals.clear()
    this.#undo = []
    this.#marks = []
    this.#newCode = new Map()
    this.#codeReads = new Set()
    this.#slotReads = []
    this.#freshSlots = []
    this.#creation = ''
    if (this.#codes.size > MAX_CODES || this.#codeBytes > this.#codeBudget) this.#forgetCodes()
    if (this.#hashBytes.size > MAX_CODES) {
      this.#hashBytes.clear()
      this.#hashBytes.set(EMPTY_CODE_HASH, KECCAK256_NULL)
    }
  }

  /** Between transactions: bytes of code that may stay from one to another. */
  set codeBudget(bytes: number) {
    this.#codeBudget = bytes
    if (this.#codeBytes > bytes) this.#forgetCodes()
  }

  #forgetCodes(): void {
    this.#codes.clear()
    this.#codeBytes = 0
  }

  /** Bytes of the codes that are remembered. */
  get codeBytes(): number {
    return this.#codeBytes
  }

  /** Whether the transaction has looked at this account so far. */
  has(address: Address): boolean {
    return this.#entries.has(latin(address.bytes))
  }

  /** A contract is about to be made there. */
  willCreate(address: Uint8Array): void {
    this.#creation = latin(address)
  }

  async getAccount(address: Address): Promise<Account | undefined> {
    const entry = this.#entries.get(latin(address.bytes)) ?? (await this.#load(address))
    if (!entry.exists) return undefined
    const root = entry.occupied && !entry.cleared ? OCCUPIED : undefined
    return new SeenAccount(entry, root)
  }

  async putAccount(address: Address, account?: Account): Promise<void> {
    const entry = this.#entries.get(latin(address.bytes)) ?? (await this.#load(address))
    this.#remember(entry)
    entry.exists = account !== undefined
    if (account instanceof SeenAccount && account.isOf(entry)) {
      account.giveBack()
      return
    }
    // A balance from elsewhere is no sum of the one that was there.
    pinBalance(entry)
    entry.nonceRead = 'same'
    entry.nonce = account?.nonce ?? 0n
    entry.balance = account?.balance ?? 0n
    entry.codeHash = account?.codeHash ?? KECCAK256_NULL
  }

  /** The account and all its storage are gone. */
  async deleteAccount(address: Address): Promise<void> {
    await this.putAccount(address)
    await this.clearStorage(address)
  }

  async modifyAccountFields(
    address: Address,
    fields: Partial<Pick<Account, 'nonce' | 'balance' | 'codeHash'>>,
  ): Promise<void> {
    const entry = this.#entries.get(latin(address.bytes)) ?? (await this.#load(address))
    this.#remember(entry)
    entry.exists = true
    if (fields.nonce !== undefined) {
      entry.nonceRead = 'same'
      entry.nonce = fields.nonce
    }
    if (fields.balance !== undefined) {
      pinBalance(entry)
      entry.balance = fields.balance
    }
    if (fields.codeHash !== undefined) entry.codeHash = fields.codeHash
  }

  async putCode(address: Address, value: Uint8Array): Promise<void> {
    const codeHash = value.length === 0 ? KECCAK256_NULL : keccak256(value)
    const hash = bytesToHex(codeHash)
    this.#newCode.set(hash, value)
    await this.modifyAccountFields(address, { codeHash })
  }

  async getCode(address: Address): Promise<Uint8Array> {
    const entry = this.#entries.get(latin(address.bytes)) ?? (await this.#load(address))
    if (!entry.exists || entry.codeHash === KECCAK256_NULL) return NOTHING
    const hash = bytesToHex(entry.codeHash)
    if (hash === EMPTY_CODE_HASH) return NOTHING
    const made = this.#newCode.get(hash)
    if (made !== undefined) return made
    this.#codeReads.add(hash)
    let code = this.#codes.get(hash)
    if (code === undefined) {
      const loaded = this.#snapshot.code(hash)
      code = loaded instanceof Promise ? await loaded : loaded
      this.#codes.set(hash, code)
      this.#codeBytes += code.length
    }
    return code
  }

  async getCodeSize(address: Address): Promise<number> {
    return (await this.getCode(address)).length
  }

  /** The value of a slot that the transaction has met before; undefined where it has not. */
  storageAtHand(address: Uint8Array, key: Uint8Array): Uint8Array | undefined {
    return this.#entries.get(latin(address))?.slots.get(latin(key))?.value
  }

  /** As `originalStorageCache.get`, of a slot at hand. */
  originalAtHand(address: Uint8Array, key: Uint8Array): Uint8Array | undefined {
    const name = latin(address) + latin(key)
    let original = this.#originals.get(name)
    if (original === undefined) {
      original = this.storageAtHand(address, key)
      if (original !== undefined) this.#originals.set(name, original)
    }
    return original
  }

  /** As `putStorage`, of a slot at hand; false where it is none. `value` has no leading zeros. */
  putAtHand(address: Uint8Array, key: Uint8Array, value: Uint8Array): boolean {
    const slot = this.#entries.get(latin(address))?.slots.get(latin(key))
    if (slot === undefined) return false
    this.#undo.push({ slot, value: slot.value })
    slot.value = value
    return true
  }

  async getStorage(address: Address, key: Uint8Array): Promise<Uint8Array> {
    const entry = this.#entries.get(latin(address.bytes)) ?? (await this.#load(address))
    const slot = entry.slots.get(latin(key)) ?? (await this.#loadSlot(entry, key))
    return slot.value
  }

  async putStorage(address: Address, key: Uint8Array, value: Uint8Array): Promise<void> {
    const entry = this.#entries.get(latin(address.bytes)) ?? (await this.#load(address))
    const slot = entry.slots.get(latin(key)) ?? (await this.#loadSlot(entry, key))
    this.#undo.push({ slot, value: slot.value })
    slot.value = unpadded(value)
  }

  async clearStorage(address: Address): Promise<void> {
    const entry = this.#entries.get(latin(address.bytes)) ?? (await this.#load(address))
    this.#remember(entry)
    entry.cleared = true
    entry.slots = new Map()
  }

  async checkpoint(): Promise<void> {
    this.#marks.push(this.#undo.length)
  }

  async commit(): Promise<void> {
    this.#marks.pop()
  }

  async revert(): Promise<void> {
    const mark = this.#marks.pop()!
    while (this.#undo.length > mark) {
      const undo = this.#undo.pop()!
      if ('slot' in undo) undo.slot.value = undo.value
      else {
        const { entry } = undo
        entry.exists = undo.exists
        entry.nonce = undo.nonce
        entry.balance = undo.balance
        entry.codeHash = undo.codeHash
        entry.cleared = undo.cleared
        entry.slots = undo.slots
      }
    }
  }

  reads(blockHashes: readonly bigint[]): SnapshotReads {
    const accounts: string[] = []
    const seen: AccountRead[] = []
    for (const { address, base, leastBalance, mostBalance, nonceRead } of this.#entries.values()) {
      accounts.push(address)
      seen.push({ view: base, leastBalance, mostBalance, nonce: nonceRead })
    }
    return { accounts, seen, slots: this.#slotReads, fresh: this.#freshSlots, code: [...this.#codeReads], blockHashes }
  }

  writes(): SnapshotWrites {
    const accounts: AccountWrite[] = []
    const slots: { address: string; key: bigint; value: bigint }[] = []
    const code = new Map<string, Uint8Array>()
    for (const entry of this.#entries.values()) {
      const { address, base } = entry
      const view = entry.exists ? viewOf(entry) : undefined
      const cleared = entry.cleared && base !== undefined
      if (cleared || !sameView(view, base)) accounts.push({ address, account: view, cleared })
      if (view === undefined) continue
      const made = this.#newCode.get(view.codeHash)
      if (made !== undefined && view.codeHash !== base?.codeHash) code.set(view.codeHash, made)
      for (const [name, slot] of entry.slots) {
        if (slot.value === slot.base || sameBytes(slot.value, slot.base)) continue
        slots.push({ address, key: keyOf(name), value: numberOf(slot.value) })
      }
    }
    return { accounts, slots, code }
  }

  async #load(address: Address): Promise<Entry> {
    const hex = bytesToHex(address.bytes)
    const name = latin(address.bytes)
    const snapshot = this.#snapshot
    const loaded =
      name === this.#creation && snapshot.accountForCreation !== undefined
        ? snapshot.accountForCreation(hex)
        : snapshot.account(hex)
    const base = loaded instanceof Promise ? await loaded : loaded
    const view = base ?? EMPTY_VIEW
    const canHideStorage = base !== undefined && base.nonce === 0n && base.codeHash === EMPTY_CODE_HASH
    const occupied = canHideStorage ? (snapshot.hasStorage?.(hex) ?? false) : false
    const entry: Entry = {
      address: hex,
      base,
      exists: base !== undefined,
      nonce: view.nonce,
      balance: view.balance,
      codeHash: this.#bytesOfHash(view.codeHash),
      occupied: typeof occupied === 'boolean' ? occupied : await occupied,
      cleared: false,
      slots: new Map(),
      baseBalance: view.balance,
      leastBalance: 0n,
      mostBalance: MAX_INTEGER,
      nonceRead: 'any',
    }
    this.#entries.set(name, entry)
    return entry
  }

  async #loadSlot(entry: Entry, key: Uint8Array): Promise<Slot> {
    let base: Uint8Array = NOTHING
    if (!entry.cleared) {
      const number = numberOf(key)
      const loaded = this.#snapshot.storage(entry.address, number)
      const value = typeof loaded === 'bigint' ? loaded : await loaded
      this.#slotReads.push({ address: entry.address, key: number, value })
      base = bytesOf(value)
    } else this.#freshSlots.push({ address: entry.address, key: numberOf(key) })
    const slot: Slot = { base, value: base }
    entry.slots.set(latin(key), slot)
    return slot
  }

  #remember(entry: Entry): void {
    const { exists, nonce, balance, codeHash, cleared, slots } = entry
    this.#undo.push({ entry, exists, nonce, balance, codeHash, cleared, slots })
  }

  #bytesOfHash(hash: string): Uint8Array {
    let bytes = this.#hashBytes.get(hash)
    if (bytes === undefined) {
      bytes = new Uint8Array(Buffer.from(hash.slice(2), 'hex'))
      this.#hashBytes.set(hash, bytes)
    }
    return bytes
  }

  async getStateRoot(): Promise<Uint8Array> {
    throw new Error('the CPU tier keeps no state root')
  }

  async setStateRoot(): Promise<void> {
    throw new Error('the CPU tier keeps no state root')
  }

  async hasStateRoot(): Promise<boolean> {
    return false
  }

  clearCaches(): void {}

  shallowCopy(): StateManagerInterface {
    return new CpuState()
  }
}

/** A state without anything. */
export const NO_SNAPSHOT: StateSnapshot = {
  account: () => undefined,
  storage: () => 0n,
  code: (hash) => {
    throw new Error(`no code with hash ${hash}`)
  },
  blockHash: () => undefined,
}

/** Bytes as a map key: one character per byte, much cheaper than hex. */
const latin = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')

const keyOf = (name: string): bigint => BigInt(`0x${Buffer.from(name, 'latin1').toString('hex')}`)

const numberOf = (bytes: Uint8Array): bigint => (bytes.length === 0 ? 0n : BigInt(bytesToHex(bytes)))

const bytesOf = (value: bigint): Uint8Array => {
  if (value === 0n) return NOTHING
  const hex = value.toString(16)
  return new Uint8Array(Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex'))
}

const unpadded = (bytes: Uint8Array): Uint8Array => {
  let start = 0
  while (start < bytes.length && bytes[start] === 0) start++
  return start === 0 ? bytes : bytes.subarray(start)
}

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

const viewOf = (entry: Entry): AccountView => ({
  nonce: entry.nonce,
  balance: entry.balance,
  codeHash: entry.codeHash === KECCAK256_NULL ? EMPTY_CODE_HASH : bytesToHex(entry.codeHash),
})

const sameView = (a: AccountView | undefined, b: AccountView | undefined): boolean =>
  a === b ||
  (a !== undefined && b !== undefined && a.nonce === b.nonce && a.balance === b.balance && a.codeHash === b.codeHash)
