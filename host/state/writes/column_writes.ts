import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import type { ColumnMemory } from '../../primitives/column_memory.ts'
import { CHUNK_AT } from '../../primitives/column_request.ts'
import { type WasmModule, wasm } from '../../primitives/web_assembly.ts'
import type { ResidentState } from '../tables/resident_tables.ts'
import { COLLECT_MODULE } from './collect_module.generated.ts'
import { COLLECT_REQUEST } from './collect_request.ts'

/** Rows that are collected at a time. */
const CHUNK = 1024
/** Of a chunk, in the memory. */
const CHUNK_BYTES = 256 * CHUNK

let compiled: WasmModule | undefined

/** Columns of accounts that exist, one chunk. */
export interface CollectedAccounts {
  readonly count: number
  readonly addresses: Uint32Array
  readonly nonces: Uint32Array
  readonly balances: Uint32Array
  /** Code ids, with NEW_CODE. */
  readonly codes: Uint32Array
  /** Ids of those that do not exist. */
  readonly others: Uint32Array
}

/** Columns of slots that do not end as they began, one chunk. */
export interface CollectedSlots {
  readonly count: number
  readonly addresses: Uint32Array
  readonly keys: Uint32Array
  readonly values: Uint32Array
}

/**
 * Collects written rows of resident tables by a module of WebAssembly, in whose memory they lie, a chunk at a time.
 * What it gives stands until the next chunk.
 */
export class ColumnWrites {
  readonly #request: Uint32Array
  readonly #collectAccounts: (count: number) => number
  readonly #collectSlots: (count: number) => number
  readonly #ids: Uint32Array
  readonly #accounts: Omit<CollectedAccounts, 'count'>
  readonly #slots: Omit<CollectedSlots, 'count'>

  /** Undefined where the tables lie elsewhere. */
  static over(resident: ResidentState): ColumnWrites | undefined {
    const memory = resident.columnMemory
    return memory === undefined || memory.ownBytes < CHUNK_AT + CHUNK_BYTES
      ? undefined
      : new ColumnWrites(resident, memory)
  }

  private constructor({ accounts, slots }: ResidentState, memory: ColumnMemory) {
    compiled ??= new wasm.Module(Buffer.from(COLLECT_MODULE, 'base64'))
    const exports = memory.exportsOf(compiled)
    this.#collectAccounts = exports['collectAccounts'] as (count: number) => number
    this.#collectSlots = exports['collectSlots'] as (count: number) => number
    const { buffer } = memory.memory
    this.#request = new Uint32Array(buffer, 0, CHUNK_AT / 4)
    let at = CHUNK_AT
    const column = (field: keyof typeof COLLECT_REQUEST, limbs: number): Uint32Array => {
      const words = new Uint32Array(buffer, at, limbs * CHUNK)
      this.#put(field, words)
      at += words.byteLength
      return words
    }
    this.#ids = column('ids', 1)
    this.#accounts = {
      addresses: column('accountAddresses', LIMBS_PER_ADDRESS),
      nonces: column('nonces', 2),
      balances: column('balances', LIMBS_PER_WORD),
      codes: column('codes', 1),
      others: column('others', 1),
    }
    this.#slots = {
      addresses: column('slotAddresses', LIMBS_PER_ADDRESS),
      keys: column('keys', LIMBS_PER_WORD),
      values: column('values', LIMBS_PER_WORD),
    }
    this.#put('rows', accounts.rows)
    this.#put('hosts', accounts.hosts)
    this.#put('slotKeys', slots.keys)
    this.#put('slotValues', slots.values)
    this.#put('slotBase', slots.base)
    this.#put('slotEntryOf', slots.entryOf)
    this.#put('slotOwners', slots.owners)
  }

  /** Calls `take` with the accounts of each chunk of `ids`. */
  accounts(ids: Uint32Array, take: (chunk: CollectedAccounts) => void): void {
    for (let first = 0; first < ids.length; first += CHUNK) {
      const chunk = ids.subarray(first, first + CHUNK)
      this.#ids.set(chunk)
      const count = this.#collectAccounts(chunk.length)
      const otherCount = this.#request[COLLECT_REQUEST.otherCount / 4]!
      const { addresses, nonces, balances, codes, others } = this.#accounts
      take({
        count,
        addresses: addresses.subarray(0, LIMBS_PER_ADDRESS * count),
        nonces: nonces.subarray(0, 2 * count),
        balances: balances.subarray(0, LIMBS_PER_WORD * count),
        codes: codes.subarray(0, count),
        others: others.subarray(0, otherCount),
      })
    }
  }

  /** The same of slots. */
  slots(ids: Uint32Array, take: (chunk: CollectedSlots) => void): void {
    for (let first = 0; first < ids.length; first += CHUNK) {
      const chunk = ids.subarray(first, first + CHUNK)
      this.#ids.set(chunk)
      const count = this.#collectSlots(chunk.length)
      const { addresses, keys, values } = this.#slots
      take({
        count,
        addresses: addresses.subarray(0, LIMBS_PER_ADDRESS * count),
        keys: keys.subarray(0, LIMBS_PER_WORD * count),
        values: values.subarray(0, LIMBS_PER_WORD * count),
      })
    }
  }

  #put(field: keyof typeof COLLECT_REQUEST, words: Uint32Array): void {
    this.#request[COLLECT_REQUEST[field] / 4] = words.byteOffset
  }
}
