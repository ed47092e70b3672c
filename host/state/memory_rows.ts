import { accountHash, slotHash } from '../../transpiler/layout/tables.ts'
import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import { grown, movedTo, PRIVATE_MEMORY, type WordMemory } from '../primitives/shared_words.ts'
import { wordCopy, wordEquals, wordIsZero } from '../primitives/word.ts'
import { insertAccount, insertSlot, sameAddress } from './memory_index.ts'

/** u32 per account row, and positions inside. */
export const ROW_LIMBS = 16
export const ROW_STORAGE = 5
export const ROW_NONCE = 6
export const ROW_BALANCE = 8
/** Bits of ROW_STORAGE above the name of the storage. */
export const EXISTS = 0x8000_0000
export const HAS_CODE = 0x4000_0000
export const NAME = 0x3fff_ffff
/** u32 per slot row: key, then value. */
export const SLOT_LIMBS = 2 * LIMBS_PER_WORD
export const SLOT_VALUE = LIMBS_PER_WORD

const FIRST_ROWS = 64
/** Rows that are read ahead at a time. */
export const ROWS_AHEAD = 64

/**
 * The rows of a MemoryState and their indices.
 *
 * accounts   by account id, in order of first write: u32[16 n], a cache line each
 *              address (5), storage name with EXISTS and HAS_CODE, nonce (2), balance (8)
 *            codeHash u32[8 n], read only where HAS_CODE is set
 * storages   filled u32[k]: slots that are not zero, by name
 * slots      by slot id: u32[16 m]: key (8), value (8)
 * indices    open addressing with linear probing, at most half full: accounts u32[capacity] id + 1; slots
 *            u32[2 capacity] (id + 1, storage name); 0 is empty
 *
 * The storage name of an account owns its slots: a deleted account gets a new name, so its slots are gone at once.
 * Rows are never removed.
 */
export class MemoryRows {
  accountCount = 0
  accounts: Uint32Array
  codeHash: Uint32Array
  accountIndex: Uint32Array
  storageCount = 0
  filled: Uint32Array
  slotCount = 0
  slots: Uint32Array
  slotIndex: Uint32Array
  #memory: WordMemory
  readonly #buckets = new Uint32Array(ROWS_AHEAD)
  /** What was read ahead, so that it is read. */
  seen = 0

  constructor(memory: WordMemory = PRIVATE_MEMORY) {
    this.#memory = memory
    this.accounts = memory.words(FIRST_ROWS * ROW_LIMBS)
    this.codeHash = memory.words(FIRST_ROWS * LIMBS_PER_WORD)
    this.accountIndex = memory.words(2 * FIRST_ROWS)
    this.filled = memory.words(FIRST_ROWS)
    this.slots = memory.words(FIRST_ROWS * SLOT_LIMBS)
    this.slotIndex = memory.words(4 * FIRST_ROWS)
  }

  /** The same rows in another memory. */
  copyIn(memory: WordMemory): MemoryRows {
    const copy = new MemoryRows(memory)
    copy.accountCount = this.accountCount
    copy.accounts = movedTo(memory, this.accounts)
    copy.codeHash = movedTo(memory, this.codeHash)
    copy.accountIndex = movedTo(memory, this.accountIndex)
    copy.storageCount = this.storageCount
    copy.filled = movedTo(memory, this.filled)
    copy.slotCount = this.slotCount
    copy.slots = movedTo(memory, this.slots)
    copy.slotIndex = movedTo(memory, this.slotIndex)
    return copy
  }

  /** Makes room for so many more accounts. */
  reserveAccounts(count: number): void {
    this.#reserveStorages(count)
    const needed = this.accountCount + count
    let capacity = this.accounts.length / ROW_LIMBS
    if (needed <= capacity) return
    while (capacity < needed) capacity *= 2
    this.accounts = grown(this.accounts, capacity * ROW_LIMBS, this.#memory)
    this.codeHash = grown(this.codeHash, capacity * LIMBS_PER_WORD, this.#memory)
    this.accountIndex = this.#memory.words(2 * capacity)
    for (let id = 0; id < this.accountCount; id++)
      insertAccount(this.accountIndex, accountHash(this.accounts, ROW_LIMBS * id), id)
  }

  /** Makes room for so many more slots. */
  reserveSlots(count: number): void {
    const needed = this.slotCount + count
    let capacity = this.slots.length / SLOT_LIMBS
    if (needed <= capacity) return
    while (capacity < needed) capacity *= 2
    this.slots = grown(this.slots, capacity * SLOT_LIMBS, this.#memory)
    const before = this.slotIndex
    this.slotIndex = this.#memory.words(4 * capacity)
    for (let bucket = 0; bucket < before.length; bucket += 2) {
      const id = before[bucket]! - 1
      if (id < 0) continue
      const owner = before[bucket + 1]!
      insertSlot(this.slotIndex, slotHash(owner, this.slots, SLOT_LIMBS * id), id, owner)
    }
  }

  existsAt(id: number): boolean {
    return (this.accounts[ROW_LIMBS * id + ROW_STORAGE]! & EXISTS) !== 0
  }

  hasCode(id: number): boolean {
    return (this.accounts[ROW_LIMBS * id + ROW_STORAGE]! & HAS_CODE) !== 0
  }

  storageOf(id: number): number {
    return this.accounts[ROW_LIMBS * id + ROW_STORAGE]! & NAME
  }

  /** The name of the storage of the account at this address; -1 where there is none. */
  storageAt(addresses: Uint32Array, at: number): number {
    const id = this.findAccount(addresses, at)
    return id < 0 ? -1 : this.storageOf(id)
  }

  findAccount(addresses: Uint32Array, at: number): number {
    const index = this.accountIndex
    const mask = index.length - 1
    for (let bucket = accountHash(addresses, at) & mask; ; bucket = (bucket + 1) & mask) {
      const id = index[bucket]! - 1
      if (id < 0 || sameAddress(this.accounts, ROW_LIMBS * id, addresses, at)) return id
    }
  }

  findSlot(owner: number, keys: Uint32Array, at: number): number {
    const index = this.slotIndex
    const mask = index.length - 2
    for (let bucket = (2 * slotHash(owner, keys, at)) & mask; ; bucket = (bucket + 2) & mask) {
      const id = index[bucket]! - 1
      if (id < 0) return id
      if (index[bucket + 1] === owner && wordEquals(this.slots, SLOT_LIMBS * id, keys, at)) return id
    }
  }

  /**
   * Reads what looking for slots [first, end), at most ROWS_AHEAD, will need: cache misses overlap in loops without a
   * branch on what is read. Slot i is of the storage named `owners[i - first]`.
   */
  readSlotsAhead(owners: Int32Array, keys: Uint32Array, first: number, end: number): void {
    const { slotIndex: index, slots } = this
    const buckets = this.#buckets
    const mask = index.length - 2
    for (let i = first; i < end; i++)
      buckets[i - first] = (2 * slotHash(owners[i - first]!, keys, LIMBS_PER_WORD * i)) & mask
    let seen = 0
    for (let n = 0; n < end - first; n++) seen ^= index[buckets[n]!]!
    for (let n = 0; n < end - first; n++) seen ^= slots[SLOT_LIMBS * Math.max(0, index[buckets[n]!]! - 1)]!
    this.seen = seen
  }

  /** Id of the account at this address; a new row where there is none, absent and without code. */
  accountId(addresses: Uint32Array, at: number): number {
    const found = this.findAccount(addresses, at)
    if (found >= 0) return found
    this.reserveAccounts(1)
    const id = this.accountCount++
    const row = ROW_LIMBS * id
    for (let limb = 0; limb < LIMBS_PER_ADDRESS; limb++) this.accounts[row + limb] = addresses[at + limb]!
    this.accounts[row + ROW_STORAGE] = this.newStorage()
    insertAccount(this.accountIndex, accountHash(addresses, at), id)
    return id
  }

  /** Id of the slot; a new row with value zero where there is none. */
  slotId(owner: number, keys: Uint32Array, at: number): number {
    const found = this.findSlot(owner, keys, at)
    if (found >= 0) return found
    this.reserveSlots(1)
    const id = this.slotCount++
    wordCopy(this.slots, SLOT_LIMBS * id, keys, at)
    insertSlot(this.slotIndex, slotHash(owner, keys, at), id, owner)
    return id
  }

  setSlot(slot: number, owner: number, values: Uint32Array, at: number): void {
    const to = SLOT_LIMBS * slot + SLOT_VALUE
    const filled = (wordIsZero(values, at) ? 0 : 1) - (wordIsZero(this.slots, to) ? 0 : 1)
    if (filled !== 0) this.filled[owner] = this.filled[owner]! + filled
    wordCopy(this.slots, to, values, at)
  }

  /** A name for a storage that is empty. */
  newStorage(): number {
    this.#reserveStorages(1)
    return this.storageCount++
  }

  #reserveStorages(count: number): void {
    const needed = this.storageCount + count
    if (needed > this.filled.length)
      this.filled = grown(this.filled, Math.max(needed, 2 * this.filled.length), this.#memory)
  }
}
