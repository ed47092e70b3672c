import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import type { ColumnMemory } from '../../primitives/column_memory.ts'
import { CHUNK } from '../../primitives/column_request.ts'
import { type WasmModule, wasm } from '../../primitives/web_assembly.ts'
import type { AccountTable } from './account_table.ts'
import { PROBE_MODULE } from './probe_module.generated.ts'
import type { SlotTable } from './slot_table.ts'

/** Of a chunk: keys or addresses, owners or codes, ids, buckets that were written, and what is read ahead. */
const COLUMN_LIMBS = [LIMBS_PER_WORD * CHUNK, CHUNK, CHUNK, CHUNK, 1] as const

let compiled: WasmModule | undefined

type Find = (...numbers: readonly number[]) => number

/** What the module is told of a table of accounts. */
const tableOf = ({ index, rows, epochs }: AccountTable, epoch: number): readonly number[] => [
  index.words.byteOffset,
  index.mask,
  rows.byteOffset,
  epochs.byteOffset,
  epoch,
]

/**
 * Looks for many accounts or slots by a module of WebAssembly (kernels/columns/probe.as), in whose memory their tables
 * lie, and notes in the rows that they were touched. The columns of its chunks are its own, so it may be asked while
 * other modules have theirs in the memory.
 */
export class TableProbe {
  readonly memory: ColumnMemory
  readonly #keys: Uint32Array
  readonly #owners: Int32Array
  readonly #ids: Int32Array
  readonly #buckets: Uint32Array
  readonly #seenAt: number
  readonly #findAccounts: Find
  readonly #findSlots: Find
  readonly #addAccounts: Find

  /** Undefined where the memory has no room for the columns: it is full then. */
  static in(memory: ColumnMemory): TableProbe | undefined {
    const words = memory.words(COLUMN_LIMBS.reduce((sum, limbs) => sum + limbs))
    return memory.isFull ? undefined : new TableProbe(memory, words)
  }

  private constructor(memory: ColumnMemory, words: Uint32Array) {
    this.memory = memory
    this.#keys = words.subarray(0, LIMBS_PER_WORD * CHUNK)
    this.#owners = new Int32Array(words.buffer, words.byteOffset + this.#keys.byteLength, CHUNK)
    this.#ids = new Int32Array(words.buffer, this.#owners.byteOffset + this.#owners.byteLength, CHUNK)
    this.#buckets = new Uint32Array(words.buffer, this.#ids.byteOffset + this.#ids.byteLength, CHUNK)
    this.#seenAt = this.#buckets.byteOffset + this.#buckets.byteLength
    compiled ??= new wasm.Module(Buffer.from(PROBE_MODULE, 'base64'))
    const exports = memory.exportsOf(compiled)
    this.#findAccounts = exports['findAccounts'] as Find
    this.#findSlots = exports['findSlots'] as Find
    this.#addAccounts = exports['addAccounts'] as Find
  }

  /**
   * ids[i] = the account at `addresses[5 i ..]`, and codes[i] = the id of its code. One that is not there gets a row,
   * or -1 where the memory has no room for it. Returns how many have none.
   */
  accounts(
    accounts: AccountTable,
    addresses: Uint32Array,
    count: number,
    ids: Int32Array,
    codes: Uint32Array | undefined,
    epoch: number,
  ): number {
    const own = [this.#keys.byteOffset, this.#ids.byteOffset, this.#owners.byteOffset]
    let absent = 0
    for (let first = 0; first < count; first += CHUNK) {
      if (this.memory.isFull) {
        // The table does not lie there any more.
        ids.fill(-1, first, count)
        return absent + count - first
      }
      const end = Math.min(count, first + CHUNK)
      this.#keys.set(addresses.subarray(LIMBS_PER_ADDRESS * first, LIMBS_PER_ADDRESS * end))
      const unknown = this.#findAccounts(end - first, ...own, ...tableOf(accounts, epoch), this.#seenAt)
      if (unknown !== 0) absent += this.#add(accounts, end - first, unknown, epoch)
      ids.set(this.#ids.subarray(0, end - first), first)
      codes?.set(this.#owners.subarray(0, end - first), first)
    }
    return absent
  }

  /** Gives `unknown` of the first `count` addresses a row at most. Returns how many have none. */
  #add(accounts: AccountTable, count: number, unknown: number, epoch: number): number {
    accounts.reserve(unknown)
    if (this.memory.isFull) return unknown
    const own = [this.#keys.byteOffset, this.#ids.byteOffset, this.#buckets.byteOffset]
    const added = this.#addAccounts(count, ...own, ...tableOf(accounts, epoch), accounts.count)
    accounts.count += added
    if (!accounts.index.rebuilt) for (let n = 0; n < added; n++) accounts.index.note(this.#buckets[n]!)
    return 0
  }

  /** ids[i] = the slot of `owners[i]` with the key at `keys[8 i ..]`, or -1. Returns how many are not there. */
  slots(
    slots: SlotTable,
    owners: Int32Array,
    keys: Uint32Array,
    count: number,
    ids: Int32Array,
    epoch: number,
  ): number {
    const { index, epochs } = slots
    const table = [index.words.byteOffset, index.mask, slots.keys.byteOffset, epochs.byteOffset, epoch, this.#seenAt]
    const own = [this.#owners.byteOffset, this.#keys.byteOffset, this.#ids.byteOffset]
    let absent = 0
    for (let first = 0; first < count; first += CHUNK) {
      const end = Math.min(count, first + CHUNK)
      this.#owners.set(owners.subarray(first, end))
      this.#keys.set(keys.subarray(LIMBS_PER_WORD * first, LIMBS_PER_WORD * end))
      absent += this.#findSlots(end - first, ...own, ...table)
      ids.set(this.#ids.subarray(0, end - first), first)
    }
    return absent
  }
}
