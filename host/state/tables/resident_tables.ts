import { ACCOUNT_CODE_SHIFT, ACCOUNT_FLAG_EXISTS } from '../../../transpiler/layout/tables.ts'
import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { ColumnMemory } from '../../primitives/column_memory.ts'
import { ColumnPool } from '../../primitives/column_pool.ts'
import { PRIVATE_MEMORY, SHARED_MEMORY, type WordMemory } from '../../primitives/shared_words.ts'
import { wordToHex } from '../../primitives/word.ts'
import type { AccountColumns, State } from '../state.ts'
import {
  AccountTable,
  HOST_CODE,
  HOST_LIMBS,
  HOST_NONCE,
  ROW_BALANCE,
  ROW_CONSTANTS,
  ROW_FLAGS,
  ROW_LIMBS,
  ROW_SKELETON,
  STATE_BARE,
} from './account_table.ts'
import { type CodeShape, CodeTable } from './code_table.ts'
import { SlotTable } from './slot_table.ts'
import { TableProbe } from './table_probe.ts'

/**
 * The part of a State that batches have met, resident in dense tables between batches. What is not there is loaded in
 * bulk. A load is synchronous where the State is; so every function here that loads returns `void | Promise<void>`.
 *
 * Owns the only cached copy: between batches nothing else may commit to the State, or `forget` must be called.
 */
export class ResidentState {
  readonly state: State
  accounts: AccountTable
  slots: SlotTable
  codes: CodeTable
  /** Counts the tables so far: a mirror with another number is of other ones. */
  generation = 0
  /** Counts `forget` calls. */
  forgotten = 0
  /** What is touched now has this number in its row; it goes up from batch to batch. */
  epoch = 1
  #memory: WordMemory = PRIVATE_MEMORY
  /** Once many rows were asked for in a memory of columns. */
  #probe: TableProbe | undefined
  /** Whether an account that was loaded last has code. */
  #loadsCode = false
  #pool: ColumnPool | undefined

  /** `codes`: a code table to share, so skeletons have the same ids. */
  constructor(state: State, shapeOf: (code: Uint8Array) => CodeShape, codes?: CodeTable) {
    this.state = state
    this.accounts = new AccountTable()
    this.slots = new SlotTable()
    this.codes = codes ?? new CodeTable(shapeOf)
  }

  /** Drops accounts and slots, as after a failed batch. Code stays: its hash names it. */
  forget(): void {
    this.empty()
    this.forgotten++
  }

  /** Drops accounts and slots that the State has as they are here. */
  empty(): void {
    this.#memory = this.successor()
    this.accounts = new AccountTable(undefined, this.#memory)
    this.slots = new SlotTable(undefined, this.#memory)
    this.generation++
  }

  /** Goes on with fewer rows of the same values, under other ids, in memory `successor`. Between batches. */
  replace(accounts: AccountTable, slots: SlotTable, codes: CodeTable, memory: WordMemory): void {
    this.#memory = memory
    this.accounts.release()
    this.slots.release()
    this.accounts = accounts
    this.slots = slots
    this.codes = codes
    this.generation++
  }

  /** Memory for tables in the place of these: a memory of columns goes as a whole. */
  successor(): WordMemory {
    const memory = this.#memory
    return memory instanceof ColumnMemory ? (ColumnMemory.of(memory.ownBytes) ?? SHARED_MEMORY) : memory
  }

  /** Moves the tables to memory that other threads can read. */
  share(): void {
    if (!this.#memory.isShared) this.#moveTo(SHARED_MEMORY)
  }

  /**
   * The memory of the tables, which move there where they are not; undefined where there is no such memory, or not
   * enough. `ownBytes`: what its modules take of it.
   */
  columns(ownBytes: number): ColumnMemory | undefined {
    if (!(this.#memory instanceof ColumnMemory)) {
      const memory = ColumnMemory.of(ownBytes)
      if (memory === undefined) return undefined
      this.#moveTo(memory)
    }
    return this.columnMemory
  }

  /** The memory of columns in which the tables lie whole. */
  get columnMemory(): ColumnMemory | undefined {
    const memory = this.#memory
    return memory instanceof ColumnMemory && !memory.isFull ? memory : undefined
  }

  /** Columns of one batch, in the memory of the tables, for so many bytes; undefined where it has no room. */
  batchColumns(bytes: number): ColumnPool | undefined {
    const memory = this.columnMemory
    if (memory === undefined) return undefined
    if (this.#pool?.memory !== memory) this.#pool = new ColumnPool(memory)
    return this.#pool.begin(bytes) ? this.#pool : undefined
  }

  /** Bytes of the tables, of what they left in their memory, and of the columns of a batch there. */
  get sizeBytes(): number {
    return this.accounts.sizeBytes + this.slots.sizeBytes + this.leftBytes + this.#poolBytes
  }

  /** Bytes that tables and columns left in the memory when they grew: they go with the memory. */
  get leftBytes(): number {
    const memory = this.#memory
    if (!(memory instanceof ColumnMemory)) return 0
    return Math.max(0, memory.givenBytes - this.accounts.wordBytes - this.slots.wordBytes - this.#poolBytes)
  }

  get #poolBytes(): number {
    return this.#pool?.memory === this.#memory ? this.#pool.sizeBytes : 0
  }

  #moveTo(memory: WordMemory): void {
    this.#memory = memory
    this.accounts.moveTo(memory)
    this.slots.moveTo(memory)
  }

  /** What was written was taken, and running values are base values; it may not be in the State yet. */
  settle(): void {
    this.accounts.settle()
    this.slots.settle()
  }

  /** The open batch is committed: its running values are the base of the next. */
  commit(): void {
    this.settle()
    this.accounts.commit()
  }

  /**
   * ids[i] = the account of address `addresses[5 i ..]`; unknown ones are loaded. codes[i] = the id of its code, where
   * that is asked for.
   */
  accountIds(addresses: Uint32Array, count: number, ids: Int32Array, codes?: Uint32Array): void | Promise<void> {
    const { accounts, epoch } = this
    const first = accounts.count
    const probe = count < LEAST_IN_BULK ? undefined : this.#tableProbe()
    const absent = probe?.accounts(accounts, addresses, count, ids, codes, epoch)
    if (absent === 0 && accounts.count === first) return
    if (probe === undefined) accounts.guess(addresses, count, ids)
    for (let i = absent === 0 ? count : 0; i < count; i++) {
      let id = ids[i]!
      if (probe !== undefined && id >= 0) continue
      const at = LIMBS_PER_ADDRESS * i
      if (id < 0 || !accounts.isAt(id, addresses, at)) {
        id = accounts.find(addresses, at)
        if (id < 0) id = accounts.add(addresses, at)
        ids[i] = id
      }
      accounts.epochs[id] = epoch
    }
    this.#loadsCode = false
    const loading = this.#loadAccounts(first)
    if (codes === undefined) return loading
    // Of accounts that were there the probe has told it, and of others that they have none.
    const from = absent === 0 ? first : 0
    const tell = (): void => {
      if (absent === 0 && !this.#loadsCode) return
      for (let i = 0; i < count; i++) if (ids[i]! >= from) codes[i] = this.accounts.code(ids[i]!)
    }
    return loading === undefined ? tell() : loading.then(tell)
  }

  #tableProbe(): TableProbe | undefined {
    const memory = this.columnMemory
    if (memory === undefined) return undefined
    if (this.#probe?.memory !== memory) this.#probe = TableProbe.in(memory)
    return this.#probe
  }

  /** ids[i] = the slot of account `owners[i]` with key `keys[8 i ..]`; unknown ones are loaded. */
  slotIds(owners: Int32Array, keys: Uint32Array, count: number, ids: Int32Array): void | Promise<void> {
    const { slots, epoch } = this
    const first = slots.count
    const probe = count < LEAST_IN_BULK ? undefined : this.#tableProbe()
    if (probe?.slots(slots, owners, keys, count, ids, epoch) === 0) return
    for (let i = 0; i < count; i++) {
      if (probe !== undefined && ids[i]! >= 0) continue
      const at = LIMBS_PER_WORD * i
      let id = slots.find(owners[i]!, keys, at)
      if (id < 0) id = slots.add(owners[i]!, keys, at)
      slots.epochs[id] = epoch
      ids[i] = id
    }
    return this.#loadSlots(first)
  }

  #loadAccounts(first: number): void | Promise<void> {
    const accounts = this.accounts
    const count = accounts.count - first
    if (count === 0) return
    const addresses = new Uint32Array(LIMBS_PER_ADDRESS * count)
    for (let i = 0; i < count; i++) {
      const row = (first + i) * ROW_LIMBS
      for (let limb = 0; limb < LIMBS_PER_ADDRESS; limb++)
        addresses[LIMBS_PER_ADDRESS * i + limb] = accounts.rows[row + limb]!
    }
    const columns = this.state.readAccounts(addresses, count)
    if (columns instanceof Promise) return columns.then((read) => this.#fillAccounts(first, count, read))
    return this.#fillAccounts(first, count, columns)
  }

  #fillAccounts(first: number, count: number, columns: AccountColumns): void | Promise<void> {
    const { rows, hosts } = this.accounts
    let unknownCodes: Set<string> | undefined
    for (let i = 0; i < count; i++) {
      const id = first + i
      if (columns.exists[i] === 0) continue
      const row = id * ROW_LIMBS
      rows[row + ROW_FLAGS] = rows[row + ROW_FLAGS]! | ACCOUNT_FLAG_EXISTS
      for (let limb = 0; limb < LIMBS_PER_WORD; limb++)
        rows[row + ROW_BALANCE + limb] = columns.balance[LIMBS_PER_WORD * i + limb]!
      const host = id * HOST_LIMBS
      hosts[host + HOST_NONCE] = columns.nonce[2 * i]!
      hosts[host + HOST_NONCE + 1] = columns.nonce[2 * i + 1]!
      const code = this.codes.find(columns.codeHash, LIMBS_PER_WORD * i)
      if (code !== 0) this.#loadsCode = true
      if (code > 0) {
        this.setCode(id, code)
      } else if (code < 0) {
        unknownCodes ??= new Set()
        unknownCodes.add(wordToHex(columns.codeHash, LIMBS_PER_WORD * i))
        hosts[host + HOST_CODE] = UNRESOLVED_CODE
      }
    }
    if (unknownCodes === undefined) return
    const loaded = [...unknownCodes].map((hash) => this.loadCode(hash))
    const resolve = (): void => {
      for (let i = 0; i < count; i++) {
        if (this.accounts.code(first + i) === UNRESOLVED_CODE)
          this.setCode(first + i, this.codes.find(columns.codeHash, LIMBS_PER_WORD * i))
      }
    }
    if (loaded.some((entry) => entry instanceof Promise)) return Promise.all(loaded).then(resolve)
    return resolve()
  }

  /** Makes sure that the code with this hash is in the code table. */
  loadCode(hash: string): void | Promise<void> {
    if (this.codes.findHash(hash) >= 0) return
    const bytes = this.state.readCode(hash)
    if (bytes instanceof Promise)
      return bytes.then((read) => {
        this.codes.add(hash, read)
      })
    this.codes.add(hash, bytes)
  }

  /** Gives the account this code, in its row (skeleton, constants, code id) and on the host. */
  setCode(account: number, codeId: number): void {
    const code = this.codes.codes[codeId]!
    const { rows, hosts } = this.accounts
    const row = account * ROW_LIMBS
    hosts[account * HOST_LIMBS + HOST_CODE] = codeId
    rows[row + ROW_SKELETON] = code.skeleton
    rows[row + ROW_CONSTANTS] = code.constantsBase
    rows[row + ROW_FLAGS] = (rows[row + ROW_FLAGS]! & FLAGS_MASK) | (codeId << ACCOUNT_CODE_SHIFT)
  }

  #loadSlots(first: number): void | Promise<void> {
    const { slots, accounts } = this
    const count = slots.count - first
    if (count === 0) return
    const addresses = new Uint32Array(LIMBS_PER_ADDRESS * count)
    let bare = false
    for (let i = 0; i < count; i++) {
      const owner = slots.owners[first + i]!
      if ((accounts.states[owner]! & STATE_BARE) !== 0) bare = true
      const row = owner * ROW_LIMBS
      for (let limb = 0; limb < LIMBS_PER_ADDRESS; limb++)
        addresses[LIMBS_PER_ADDRESS * i + limb] = accounts.rows[row + limb]!
    }
    const keys = slots.keys.subarray(LIMBS_PER_WORD * first, LIMBS_PER_WORD * slots.count)
    const values = this.state.readSlots(addresses, keys, count)
    if (values instanceof Promise) return values.then((read) => this.#fillSlots(first, count, read, bare))
    return this.#fillSlots(first, count, values, bare)
  }

  #fillSlots(first: number, count: number, values: Uint32Array, bare: boolean): void {
    const { slots, accounts } = this
    slots.values.set(values.subarray(0, LIMBS_PER_WORD * count), LIMBS_PER_WORD * first)
    if (!bare) return
    for (let id = first; id < first + count; id++) {
      if ((accounts.states[slots.owners[id]!]! & STATE_BARE) !== 0)
        slots.values.fill(0, LIMBS_PER_WORD * id, LIMBS_PER_WORD * (id + 1))
    }
  }
}

/** Rows that are asked for at once from which their table is probed in bulk. */
const LEAST_IN_BULK = 256
const UNRESOLVED_CODE = 0xffffffff
const FLAGS_MASK = (1 << ACCOUNT_CODE_SHIFT) - 1
