import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import { ColumnMemory } from '../primitives/column_memory.ts'
import { CHUNK_AT } from '../primitives/column_request.ts'
import { EMPTY_CODE_HASH } from '../primitives/keccak.ts'
import { type WasmModule, wasm } from '../primitives/web_assembly.ts'
import { wordFromHex } from '../primitives/word.ts'
import type { MemoryRows } from './memory_rows.ts'
import type { StateWrites } from './state.ts'
import { STORE_MODULE } from './store_module.generated.ts'
import { STORE_REQUEST } from './store_request.ts'
import { type TableColumns, tableColumns } from './writes/table_columns.ts'

/** Rows whose columns lie in the memory at a time. */
const CHUNK = 1024
const OWN_BYTES = CHUNK_AT + 256 * CHUNK

let compiled: WasmModule | undefined

/** Memory for rows that `MemoryCommit` can write; undefined where the platform has none. */
export const rowMemory = (): ColumnMemory | undefined => ColumnMemory.of(OWN_BYTES)

/**
 * Writes accounts and slots to the rows of a MemoryState in bulk, and reads them, by a module of WebAssembly: what
 * their one-by-one form does (MemoryState), with the cache misses of many rows in flight together.
 *
 * Cost: docs/decisions/0039-settling-in-columns.md.
 */
export class MemoryCommit {
  readonly #rows: MemoryRows
  readonly #memory: ColumnMemory
  readonly #request: Uint32Array
  readonly #commitAccounts: (count: number) => void
  readonly #commitSlots: (count: number) => void
  readonly #findAccounts: (count: number) => void
  readonly #readSlots: (count: number) => void
  /** Ids of the accounts that were looked for. */
  readonly #ids: Int32Array
  readonly #columns: {
    readonly addresses: Uint32Array
    readonly exists: Uint8Array
    readonly nonce: Uint32Array
    readonly balance: Uint32Array
    readonly codes: Uint32Array
    readonly keys: Uint32Array
    readonly values: Uint32Array
  }

  /** All of `codes` is the hash of no code. */
  #areCodesEmpty = false

  /** `rows` lie in `memory`, which `rowMemory` gave. */
  constructor(rows: MemoryRows, memory: ColumnMemory) {
    this.#rows = rows
    this.#memory = memory
    compiled ??= new wasm.Module(Buffer.from(STORE_MODULE, 'base64'))
    const exports = memory.exportsOf(compiled)
    this.#commitAccounts = exports['commitAccounts'] as (count: number) => void
    this.#commitSlots = exports['commitSlots'] as (count: number) => void
    this.#findAccounts = exports['findAccounts'] as (count: number) => void
    this.#readSlots = exports['readSlots'] as (count: number) => void
    const { buffer } = memory.memory
    this.#request = new Uint32Array(buffer, 0, CHUNK_AT / 4)
    let at = CHUNK_AT
    const u32 = (limbs: number): Uint32Array => {
      const column = new Uint32Array(buffer, at, limbs * CHUNK)
      at += column.byteLength
      return column
    }
    this.#columns = {
      addresses: u32(LIMBS_PER_ADDRESS),
      nonce: u32(2),
      balance: u32(LIMBS_PER_WORD),
      codes: u32(LIMBS_PER_WORD),
      keys: u32(LIMBS_PER_WORD),
      values: u32(LIMBS_PER_WORD),
      exists: new Uint8Array(u32(1).buffer, at - 4 * CHUNK, CHUNK),
    }
    for (const [name, column] of Object.entries(this.#columns)) this.#put(name as Field, column.byteOffset)
    this.#put('owners', u32(1).byteOffset)
    const buckets = u32(1)
    this.#put('buckets', buckets.byteOffset)
    this.#ids = new Int32Array(buckets.buffer, buckets.byteOffset, CHUNK)
    wordFromHex(this.#request, STORE_REQUEST.emptyCode / 4, EMPTY_CODE_HASH)
  }

  /** False where the rows no longer fit their memory: from then on they are written one by one. */
  get isOpen(): boolean {
    return !this.#memory.isFull
  }

  /** Calls `take` with ids of accounts from `first` on, -1 where there is none, a chunk at a time. */
  find(addresses: Uint32Array, count: number, take: (ids: Int32Array, first: number) => void): void {
    this.#ask()
    for (let first = 0; first < count; first += CHUNK) {
      const end = Math.min(count, first + CHUNK)
      this.#columns.addresses.set(addresses.subarray(LIMBS_PER_ADDRESS * first, LIMBS_PER_ADDRESS * end))
      this.#findAccounts(end - first)
      take(this.#ids.subarray(0, end - first), first)
    }
  }

  /** Values of slots, as State.readSlots gives them. */
  read(addresses: Uint32Array, keys: Uint32Array, count: number, values: Uint32Array): void {
    const columns = this.#columns
    this.#ask()
    for (let first = 0; first < count; first += CHUNK) {
      const end = Math.min(count, first + CHUNK)
      columns.addresses.set(addresses.subarray(LIMBS_PER_ADDRESS * first, LIMBS_PER_ADDRESS * end))
      columns.keys.set(keys.subarray(LIMBS_PER_WORD * first, LIMBS_PER_WORD * end))
      this.#readSlots(end - first)
      values.set(columns.values.subarray(0, LIMBS_PER_WORD * (end - first)), LIMBS_PER_WORD * first)
    }
  }

  /**
   * Writes accounts from `first` on, as many as a chunk holds. Returns the first that it did not write. `named`: the
   * columns of `writes` that need not be arrays.
   */
  accounts(writes: StateWrites, first: number, named = tableColumns(writes)): number {
    const { nonce, balance } = writes.accounts
    const end = Math.min(writes.accountCount, first + CHUNK)
    this.#rows.reserveAccounts(end - first)
    if (!this.isOpen) return first
    const columns = this.#columns
    if (named === undefined) {
      columns.addresses.set(writes.accountAddresses.subarray(LIMBS_PER_ADDRESS * first, LIMBS_PER_ADDRESS * end))
      columns.exists.set(writes.accounts.exists.subarray(first, end))
    } else {
      named.accounts(first, end, columns.addresses)
      columns.exists.fill(1)
    }
    columns.nonce.set(nonce.subarray(2 * first, 2 * end))
    columns.balance.set(balance.subarray(LIMBS_PER_WORD * first, LIMBS_PER_WORD * end))
    this.#bringCodes(writes, first, end, named)
    this.#ask()
    this.#commitAccounts(end - first)
    this.#answer()
    return end
  }

  #bringCodes({ accounts }: StateWrites, first: number, end: number, named: TableColumns | undefined): void {
    const { codes } = this.#columns
    if (named === undefined || named.hasCode(first, end)) {
      codes.set(accounts.codeHash.subarray(LIMBS_PER_WORD * first, LIMBS_PER_WORD * end))
      this.#areCodesEmpty = false
    } else if (!this.#areCodesEmpty) {
      codes.set(this.#request.subarray(STORE_REQUEST.emptyCode / 4, STORE_REQUEST.emptyCode / 4 + LIMBS_PER_WORD))
      for (let done = LIMBS_PER_WORD; done < codes.length; done *= 2) codes.copyWithin(done, 0, done)
      this.#areCodesEmpty = true
    }
  }

  /** The same of slots. */
  slots(writes: StateWrites, first: number, named = tableColumns(writes)): number {
    const end = Math.min(writes.slotCount, first + CHUNK)
    // Accounts that are not there get a row.
    this.#rows.reserveAccounts(end - first)
    this.#rows.reserveSlots(end - first)
    if (!this.isOpen) return first
    const { addresses, keys, values } = this.#columns
    if (named === undefined) {
      addresses.set(writes.slotAddresses.subarray(LIMBS_PER_ADDRESS * first, LIMBS_PER_ADDRESS * end))
      keys.set(writes.slotKeys.subarray(LIMBS_PER_WORD * first, LIMBS_PER_WORD * end))
    } else named.slots(first, end, addresses, keys)
    values.set(writes.slotValues.subarray(LIMBS_PER_WORD * first, LIMBS_PER_WORD * end))
    this.#ask()
    this.#commitSlots(end - first)
    this.#answer()
    return end
  }

  #ask(): void {
    const rows = this.#rows
    this.#put('accounts', rows.accounts.byteOffset)
    this.#put('codeHash', rows.codeHash.byteOffset)
    this.#put('accountIndex', rows.accountIndex.byteOffset)
    this.#put('accountMask', rows.accountIndex.length - 1)
    this.#put('accountCount', rows.accountCount)
    this.#put('storageCount', rows.storageCount)
    this.#put('filled', rows.filled.byteOffset)
    this.#put('slots', rows.slots.byteOffset)
    this.#put('slotIndex', rows.slotIndex.byteOffset)
    this.#put('slotMask', rows.slotIndex.length / 2 - 1)
    this.#put('slotCount', rows.slotCount)
  }

  #answer(): void {
    const rows = this.#rows
    rows.accountCount = this.#request[STORE_REQUEST.accountCount / 4]!
    rows.storageCount = this.#request[STORE_REQUEST.storageCount / 4]!
    rows.slotCount = this.#request[STORE_REQUEST.slotCount / 4]!
  }

  #put(field: Field, value: number): void {
    this.#request[STORE_REQUEST[field] / 4] = value
  }
}

type Field = keyof typeof STORE_REQUEST
