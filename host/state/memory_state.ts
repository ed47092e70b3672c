import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import { checkHex, checkObject, checkUnsigned, InputError } from '../primitives/input.ts'
import { EMPTY_CODE_HASH, keccak256Hex } from '../primitives/keccak.ts'
import { PRIVATE_MEMORY } from '../primitives/shared_words.ts'
import {
  addressFromHex,
  quantityFromBigInt,
  quantityToBigInt,
  wordCopy,
  wordEquals,
  wordFromBigInt,
  wordFromHex,
  wordIsZero,
  wordToBigInt,
  wordToHex,
} from '../primitives/word.ts'
import { type AllocatedAccount, type Allocation, checkAccount, type DumpedAccount } from './allocation.ts'
import { dumpOf } from './dump.ts'
import { MemoryCommit, rowMemory } from './memory_commit.ts'
import { sameAddress } from './memory_index.ts'
import {
  EXISTS,
  HAS_CODE,
  MemoryRows,
  NAME,
  ROW_BALANCE,
  ROW_LIMBS,
  ROW_NONCE,
  ROW_STORAGE,
  ROWS_AHEAD,
  SLOT_LIMBS,
  SLOT_VALUE,
} from './memory_rows.ts'
import type { AccountColumns, State, StateWrites } from './state.ts'
import { newWrites } from './writes/new_writes.ts'
import { tableColumns } from './writes/table_columns.ts'

export type { AllocatedAccount, Allocation }

const EMPTY_CODE = new Uint32Array(LIMBS_PER_WORD)
wordFromHex(EMPTY_CODE, 0, EMPTY_CODE_HASH)

/** Accounts and slots of a commit from which they are written in bulk. */
const LEAST_IN_BULK = 512
const LEAST_READ_IN_BULK = 64

/**
 * A State in memory, and a snapshot of it for the CPU tier. Everything is synchronous.
 *
 * Layout: MemoryRows. Cost: docs/decisions/0039-settling-in-columns.md.
 *
 * @example
 * import { MemoryState } from 'wgevm'
 *
 * const vault = '0x0000000000000000000000000000000000005afe'
 * const state = MemoryState.from({ [vault]: { balance: 5n, nonce: 1n, code: '0x00', storage: { '0x1': 7n } } })
 * console.log(state.account(vault)?.balance, state.storage(vault, 1n)) // 5n 7n
 */
export class MemoryState implements State {
  #rows = new MemoryRows()
  /** Once a large commit has come. */
  #bulk: MemoryCommit | undefined
  readonly #code = new Map<string, Uint8Array>([[EMPTY_CODE_HASH, new Uint8Array(0)]])
  readonly #blockHashes = new Map<bigint, string>()
  readonly #addressScratch = new Uint32Array(LIMBS_PER_ADDRESS)
  readonly #keyScratch = new Uint32Array(LIMBS_PER_WORD)
  readonly #valueScratch = new Uint32Array(LIMBS_PER_WORD)

  /** A state of these accounts. Throws where an address, key, value or code cannot be read. */
  static from(allocation: Allocation): MemoryState {
    const state = new MemoryState()
    const seen = new Set<string>()
    for (const [address, account] of Object.entries(checkObject(allocation, 'allocation', 'accounts by address'))) {
      const name = address.toLowerCase().replace(/^0x/, '')
      if (seen.has(name)) throw new InputError(`allocation has the account ${address} twice`, 'allocation', address)
      seen.add(name)
      state.setAccount(address, account as AllocatedAccount)
    }
    return state
  }

  /** Puts an account, whole: what `account` leaves out is zero or empty, and older storage is gone. */
  setAccount(address: string, account: AllocatedAccount): void {
    const slots = checkAccount(address, account)
    addressFromHex(this.#addressScratch, 0, address)
    const id = this.#rows.accountId(this.#addressScratch, 0)
    const row = ROW_LIMBS * id
    const code = codeBytes(account.code)
    const storage = this.#rows.newStorage()
    this.#rows.accounts[row + ROW_STORAGE] = storage | EXISTS | (code.length === 0 ? 0 : HAS_CODE)
    quantityFromBigInt(this.#rows.accounts, row + ROW_NONCE, account.nonce ?? 0n)
    wordFromBigInt(this.#rows.accounts, row + ROW_BALANCE, account.balance ?? 0n)
    wordFromHex(this.#rows.codeHash, LIMBS_PER_WORD * id, this.addCode(code))
    for (const [key, value] of slots) {
      wordFromBigInt(this.#keyScratch, 0, key)
      wordFromBigInt(this.#valueScratch, 0, value)
      this.#rows.setSlot(this.#rows.slotId(storage, this.#keyScratch, 0), storage, this.#valueScratch, 0)
    }
  }

  /** Makes a code readable by its hash, which is returned. */
  addCode(code: Uint8Array): string {
    const hash = keccak256Hex(code)
    if (!this.#code.has(hash)) this.#code.set(hash, code)
    return hash
  }

  /** Makes the hash (0x-hex) of an ancestor known to BLOCKHASH. */
  setBlockHash(number: bigint, hash: string): void {
    checkUnsigned(number, 256, 'number')
    checkHex(hash, 32, 'hash')
    this.#blockHashes.set(number, hash)
  }

  readAccounts(addresses: Uint32Array, count: number): AccountColumns {
    const exists = new Uint8Array(count)
    const nonce = new Uint32Array(2 * count)
    const balance = new Uint32Array(LIMBS_PER_WORD * count)
    const codeHash = new Uint32Array(LIMBS_PER_WORD * count)
    const rows = this.#rows
    const take = (id: number, i: number): void => {
      if (id < 0 || !rows.existsAt(id)) {
        wordCopy(codeHash, LIMBS_PER_WORD * i, EMPTY_CODE, 0)
        return
      }
      const row = ROW_LIMBS * id
      exists[i] = 1
      nonce[2 * i] = rows.accounts[row + ROW_NONCE]!
      nonce[2 * i + 1] = rows.accounts[row + ROW_NONCE + 1]!
      wordCopy(balance, LIMBS_PER_WORD * i, rows.accounts, row + ROW_BALANCE)
      if (rows.hasCode(id)) wordCopy(codeHash, LIMBS_PER_WORD * i, rows.codeHash, LIMBS_PER_WORD * id)
      else wordCopy(codeHash, LIMBS_PER_WORD * i, EMPTY_CODE, 0)
    }
    const bulk = this.#bulkOver(count)
    if (bulk === undefined) for (let i = 0; i < count; i++) take(rows.findAccount(addresses, LIMBS_PER_ADDRESS * i), i)
    else
      bulk.find(addresses, count, (ids, first) => {
        for (let n = 0; n < ids.length; n++) take(ids[n]!, first + n)
      })
    return { exists, nonce, balance, codeHash }
  }

  readSlots(addresses: Uint32Array, keys: Uint32Array, count: number): Uint32Array {
    const values = new Uint32Array(LIMBS_PER_WORD * count)
    const bulk = this.#bulkOver(count)
    if (bulk === undefined) this.#readSlots(addresses, keys, count, values)
    else bulk.read(addresses, keys, count, values)
    return values
  }

  #readSlots(addresses: Uint32Array, keys: Uint32Array, count: number, values: Uint32Array): void {
    const rows = this.#rows
    const owners = new Int32Array(Math.min(count, ROWS_AHEAD))
    for (let first = 0; first < count; first += ROWS_AHEAD) {
      const end = Math.min(count, first + ROWS_AHEAD)
      for (let i = first; i < end; i++) {
        const at = LIMBS_PER_ADDRESS * i
        const isSame = i > first && sameAddress(addresses, at, addresses, at - LIMBS_PER_ADDRESS)
        owners[i - first] = isSame ? owners[i - first - 1]! : rows.storageAt(addresses, at)
      }
      rows.readSlotsAhead(owners, keys, first, end)
      for (let i = first; i < end; i++) {
        const owner = owners[i - first]!
        const slot = owner < 0 ? -1 : rows.findSlot(owner, keys, LIMBS_PER_WORD * i)
        if (slot >= 0) wordCopy(values, LIMBS_PER_WORD * i, rows.slots, SLOT_LIMBS * slot + SLOT_VALUE)
      }
    }
  }

  /** What reads so many rows at once; undefined where they are few, or lie elsewhere. */
  #bulkOver(count: number): MemoryCommit | undefined {
    return count >= LEAST_READ_IN_BULK && this.#bulk?.isOpen ? this.#bulk : undefined
  }

  readCode(codeHash: string): Uint8Array {
    const code = this.#code.get(codeHash)
    if (code === undefined) throw new Error(`no code with hash ${codeHash}`)
    return code
  }

  blockHash(number: bigint): string | undefined {
    return this.#blockHashes.get(number)
  }

  commit(writes: StateWrites): void {
    this.#checkCode(writes)
    for (const [hash, code] of writes.code) this.#code.set(hash, code)
    const { deletedAccounts } = writes
    for (let at = 0; at < deletedAccounts.length; at += LIMBS_PER_ADDRESS) {
      const id = this.#rows.findAccount(deletedAccounts, at)
      if (id < 0) continue
      const name = this.#rows.newStorage()
      this.#rows.accounts[ROW_LIMBS * id + ROW_STORAGE] = name
    }
    const bulk = this.#bulkFor(writes)
    let account = 0
    while (bulk?.isOpen && account < writes.accountCount) account = bulk.accounts(writes, account)
    for (; account < writes.accountCount; account++) this.#writeAccount(writes, account)
    let slot = 0
    while (bulk?.isOpen && slot < writes.slotCount) slot = bulk.slots(writes, slot)
    for (; slot < writes.slotCount; slot++) this.#writeSlot(writes, slot)
  }

  /** What writes a large commit; the rows move to its memory. */
  #bulkFor({ accountCount, slotCount }: StateWrites): MemoryCommit | undefined {
    if (accountCount + slotCount < LEAST_IN_BULK) return undefined
    if (this.#bulk === undefined) {
      const memory = rowMemory()
      if (memory === undefined) return undefined
      this.#rows.reserveAccounts(accountCount)
      this.#rows.reserveSlots(slotCount)
      this.#rows = this.#rows.copyIn(memory)
      this.#bulk = new MemoryCommit(this.#rows, memory)
    }
    return this.#bulk
  }

  #writeAccount({ accountAddresses, accounts }: StateWrites, i: number): void {
    const id = this.#rows.accountId(accountAddresses, LIMBS_PER_ADDRESS * i)
    const rows = this.#rows.accounts
    const row = ROW_LIMBS * id
    const hasCode = !wordEquals(accounts.codeHash, LIMBS_PER_WORD * i, EMPTY_CODE, 0)
    rows[row + ROW_STORAGE] =
      (rows[row + ROW_STORAGE]! & NAME) | (accounts.exists[i] === 0 ? 0 : EXISTS) | (hasCode ? HAS_CODE : 0)
    rows[row + ROW_NONCE] = accounts.nonce[2 * i]!
    rows[row + ROW_NONCE + 1] = accounts.nonce[2 * i + 1]!
    wordCopy(rows, row + ROW_BALANCE, accounts.balance, LIMBS_PER_WORD * i)
    if (hasCode) wordCopy(this.#rows.codeHash, LIMBS_PER_WORD * id, accounts.codeHash, LIMBS_PER_WORD * i)
  }

  #writeSlot({ slotAddresses, slotKeys, slotValues }: StateWrites, i: number): void {
    const owner = this.#rows.storageOf(this.#rows.accountId(slotAddresses, LIMBS_PER_ADDRESS * i))
    const at = LIMBS_PER_WORD * i
    this.#rows.setSlot(this.#rows.slotId(owner, slotKeys, at), owner, slotValues, at)
  }

  /** Throws before anything is written where an account would name an unknown code. */
  #checkCode(writes: StateWrites): void {
    const named = tableColumns(writes)
    for (let first = 0; first < writes.accountCount; first += EMPTY_CODES) {
      const end = Math.min(writes.accountCount, first + EMPTY_CODES)
      if (named?.hasCode(first, end) === false) continue
      const hashes = writes.accounts.codeHash.subarray(LIMBS_PER_WORD * first, LIMBS_PER_WORD * end)
      if (!areEmptyCodes(hashes)) this.#checkCodes(writes, first, end)
    }
  }

  #checkCodes(writes: StateWrites, first: number, end: number): void {
    const { codeHash, exists } = writes.accounts
    for (let i = first; i < end; i++) {
      const at = LIMBS_PER_WORD * i
      if (exists[i] === 0 || wordEquals(codeHash, at, EMPTY_CODE, 0)) continue
      const id = this.#rows.findAccount(writes.accountAddresses, LIMBS_PER_ADDRESS * i)
      if (id >= 0 && this.#rows.hasCode(id) && wordEquals(codeHash, at, this.#rows.codeHash, LIMBS_PER_WORD * id))
        continue
      const hash = wordToHex(codeHash, at)
      if (!writes.code.has(hash)) this.readCode(hash)
    }
  }

  /** The account in object form, or undefined where it does not exist. */
  account(address: string): { nonce: bigint; balance: bigint; codeHash: string } | undefined {
    addressFromHex(this.#addressScratch, 0, address)
    const id = this.#rows.findAccount(this.#addressScratch, 0)
    if (id < 0 || !this.#rows.existsAt(id)) return undefined
    return {
      nonce: quantityToBigInt(this.#rows.accounts, ROW_LIMBS * id + ROW_NONCE),
      balance: wordToBigInt(this.#rows.accounts, ROW_LIMBS * id + ROW_BALANCE),
      codeHash: this.#rows.hasCode(id) ? wordToHex(this.#rows.codeHash, LIMBS_PER_WORD * id) : EMPTY_CODE_HASH,
    }
  }

  /** The word in a slot; zero where there is none. */
  storage(address: string, key: bigint): bigint {
    addressFromHex(this.#addressScratch, 0, address)
    const id = this.#rows.findAccount(this.#addressScratch, 0)
    if (id < 0) return 0n
    wordFromBigInt(this.#keyScratch, 0, checkUnsigned(key, 256, 'key'))
    const slot = this.#rows.findSlot(this.#rows.storageOf(id), this.#keyScratch, 0)
    return slot < 0 ? 0n : wordToBigInt(this.#rows.slots, SLOT_LIMBS * slot + SLOT_VALUE)
  }

  /** Whether any slot of the account is not zero. */
  hasStorage(address: string): boolean {
    addressFromHex(this.#addressScratch, 0, address)
    const id = this.#rows.findAccount(this.#addressScratch, 0)
    return id >= 0 && this.#rows.filled[this.#rows.storageOf(id)]! > 0
  }

  /** Code by its hash (0x-hex). Throws where the hash is unknown. */
  code(codeHash: string): Uint8Array {
    return this.readCode(codeHash)
  }

  /** The whole state in object form, for tests and reports. */
  dump(): Record<string, DumpedAccount> {
    return dumpOf(this.contents())
  }

  /** The whole state as the writes that make it of nothing, in columns. Slots of one account stand together. */
  contents(): StateWrites {
    const owners = new Int32Array(this.#rows.storageCount).fill(-1)
    const ids: number[] = []
    let slotCount = 0
    for (let id = 0; id < this.#rows.accountCount; id++) {
      if (!this.#rows.existsAt(id)) continue
      ids.push(id)
      owners[this.#rows.storageOf(id)] = slotCount
      slotCount += this.#rows.filled[this.#rows.storageOf(id)]!
    }
    const writes = newWrites(ids.length, slotCount)
    for (const [i, id] of ids.entries()) {
      const address = this.#rows.accounts.subarray(ROW_LIMBS * id, ROW_LIMBS * id + LIMBS_PER_ADDRESS)
      writes.accountAddresses.set(address, LIMBS_PER_ADDRESS * i)
      const first = owners[this.#rows.storageOf(id)]!
      for (let slot = first; slot < first + this.#rows.filled[this.#rows.storageOf(id)]!; slot++)
        writes.slotAddresses.set(address, LIMBS_PER_ADDRESS * slot)
    }
    for (let bucket = 0; bucket < this.#rows.slotIndex.length; bucket += 2) {
      const row = SLOT_LIMBS * (this.#rows.slotIndex[bucket]! - 1)
      const owner = this.#rows.slotIndex[bucket + 1]!
      if (row < 0 || owners[owner]! < 0 || wordIsZero(this.#rows.slots, row + SLOT_VALUE)) continue
      const slot = owners[owner]!++
      wordCopy(writes.slotKeys, LIMBS_PER_WORD * slot, this.#rows.slots, row)
      wordCopy(writes.slotValues, LIMBS_PER_WORD * slot, this.#rows.slots, row + SLOT_VALUE)
    }
    return { ...writes, accounts: this.readAccounts(writes.accountAddresses, ids.length), code: this.#code }
  }

  /** An independent copy. Code bytes are shared: they never change. */
  clone(): MemoryState {
    const copy = new MemoryState()
    copy.#rows = this.#rows.copyIn(PRIVATE_MEMORY)
    for (const [hash, code] of this.#code) copy.#code.set(hash, code)
    for (const [number, hash] of this.#blockHashes) copy.#blockHashes.set(number, hash)
    return copy
  }
}

/** Hashes of the empty code that are compared with one call. */
const EMPTY_CODES = 256
const emptyCodes = new Uint32Array(LIMBS_PER_WORD * EMPTY_CODES)
for (let n = 0; n < EMPTY_CODES; n++) emptyCodes.set(EMPTY_CODE, LIMBS_PER_WORD * n)

/** Whether each of at most EMPTY_CODES hashes is that of the empty code. */
const areEmptyCodes = (hashes: Uint32Array): boolean =>
  Buffer.compare(
    new Uint8Array(hashes.buffer, hashes.byteOffset, hashes.byteLength),
    new Uint8Array(emptyCodes.buffer, 0, hashes.byteLength),
  ) === 0

const codeBytes = (code: string | Uint8Array | undefined): Uint8Array => {
  if (code === undefined) return new Uint8Array(0)
  if (typeof code !== 'string') return code
  return new Uint8Array(Buffer.from(code.slice(2), 'hex'))
}
