import { LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { bytesToHex, hexToBytes } from '../../primitives/hex.ts'
import { EMPTY_CODE_HASH, keccak256Hex } from '../../primitives/keccak.ts'
import type { AccountColumns, State, StateWrites } from '../state.ts'
import type { Environment, Table } from './environment.ts'
import { accountOrder, slotOrder } from './key_order.ts'
import {
  ADDRESS_BYTES,
  absentAccounts,
  accountKey,
  afterSlots,
  decodeAccount,
  decodeWord,
  numberKey,
  SLOT_KEY_BYTES,
  slotKey,
} from './records.ts'
import { isFilled, readStagedAccount, readStagedSlot, StagedWrites } from './staged_writes.ts'
import { StoreError } from './store_error.ts'
import type { Undone } from './undo_record.ts'

/** What lies between the state on disk and another one: first `undone`, then `staged`. */
export class StateLayers {
  /** Values before blocks that are on disk. */
  readonly undone: Undone | undefined
  /** Writes of blocks that are not on disk. */
  readonly staged: StagedWrites
  readonly #lastCanonical: bigint
  readonly #hashes = new Map<bigint, string>()

  /** `lastCanonical`: the last block below the state that is on disk. */
  constructor(lastCanonical: bigint, undone?: Undone, writes: readonly StateWrites[] = []) {
    this.undone = undone
    this.staged = new StagedWrites(writes)
    this.#lastCanonical = lastCanonical
  }

  /** A block that is not on disk is below the state. */
  arrive(number: bigint, hash: string): void {
    this.#hashes.set(number, hash)
  }

  /** Hash of an ancestor; `canonical`: that of the canonical block with this number. */
  hashOf(number: bigint): string | undefined {
    return number <= this.#lastCanonical ? 'canonical' : this.#hashes.get(number)
  }
}

/**
 * A state of a store: that on disk, under layers. A call reads in the order of the keys from one snapshot; all is
 * synchronous. What is committed is staged, and seen at once; the store writes it to disk with the block that it
 * belongs to.
 *
 * Cost on one of two shared cores: 3 us an account from a warm file.
 */
export class StoredState implements State {
  readonly #environment: Environment
  readonly #layers: () => StateLayers
  readonly #accountKey = new Uint8Array(ADDRESS_BYTES)
  readonly #slotKey = new Uint8Array(SLOT_KEY_BYTES)

  /** `layers` is asked at every read. */
  constructor(environment: Environment, layers: () => StateLayers) {
    this.#environment = environment
    this.#layers = layers
  }

  readAccounts(addresses: Uint32Array, count: number): AccountColumns {
    const columns = absentAccounts(count)
    const layers = this.#layers()
    const staged = layers.staged.index()
    const { accounts } = this.#environment.tables
    for (const i of accountOrder(addresses, count)) {
      if (staged !== undefined && readStagedAccount(columns, i, staged, addresses)) continue
      accountKey(this.#accountKey, addresses, i)
      const record = stored(accounts, this.#accountKey, layers.undone)
      if (record !== undefined && !decodeAccount(columns, i, record, record.length))
        throw this.#damaged(`the account ${bytesToHex(this.#accountKey)}`)
    }
    return columns
  }

  readSlots(addresses: Uint32Array, keys: Uint32Array, count: number): Uint32Array {
    const values = new Uint32Array(LIMBS_PER_WORD * count)
    const layers = this.#layers()
    const staged = layers.staged.index()
    const { slots } = this.#environment.tables
    for (const i of slotOrder(addresses, keys, count)) {
      if (staged !== undefined && readStagedSlot(values, i, staged, addresses, keys)) continue
      slotKey(this.#slotKey, addresses, keys, i)
      const value = stored(slots, this.#slotKey, layers.undone)
      if (value === undefined) continue
      if (value.length > 32) throw this.#damaged(`the slot ${bytesToHex(this.#slotKey)}`)
      decodeWord(values, i, value, 0, value.length)
    }
    return values
  }

  readCode(codeHash: string): Uint8Array {
    if (codeHash === EMPTY_CODE_HASH) return new Uint8Array(0)
    const staged = this.#layers().staged.index()?.code.get(codeHash)
    if (staged !== undefined) return staged
    const code = this.#environment.tables.code.get(hexToBytes(codeHash))
    if (code === undefined) throw this.#damaged(`no code with hash ${codeHash}`)
    if (keccak256Hex(code) !== codeHash) throw this.#damaged(`the code with hash ${codeHash} has another`)
    return new Uint8Array(code.buffer, code.byteOffset, code.length)
  }

  hasStorage(address: string): boolean {
    for (const _ of this.slotKeys(address.toLowerCase())) return true
    return false
  }

  /** Keys (0x-hex) of the slots of an account (0x-hex in lower case) that are not zero. */
  *slotKeys(address: string): Generator<string> {
    const { undone, staged } = this.#layers()
    const index = staged.index()
    const rows = index?.slots.get(address)
    for (const [key, row] of rows ?? []) if (isFilled(row)) yield key
    if (index?.wiped.has(address)) return
    const start = hexToBytes(address)
    const onDisk = [...this.#environment.tables.slots.getKeys({ start, end: afterSlots(start) })].map(bytesToHex)
    const below = new Set(onDisk.filter((key) => !undone?.has(key)))
    for (const [key, { value }] of undone ?? []) if (isSlotOf(address, key) && value !== undefined) below.add(key)
    for (const key of below) {
      const slot = `0x${key.slice(address.length)}`
      if (!rows?.has(slot)) yield slot
    }
  }

  blockHash(number: bigint): string | undefined {
    if (number < 0n || number >> 64n !== 0n) return undefined
    const hash = this.#layers().hashOf(number)
    if (hash !== 'canonical') return hash
    const entry = this.#environment.tables.canon.get(numberKey(number))
    return entry === undefined ? undefined : bytesToHex(entry.subarray(0, 32))
  }

  commit(writes: StateWrites): void {
    this.#layers().staged.add(writes)
  }

  #damaged(what: string): StoreError {
    return new StoreError(this.#environment.folder, 'damaged', `the state is damaged: ${what}`)
  }
}

/** Of `undone` where it has the key, else of the table. */
const stored = (table: Table, key: Uint8Array, undone: Undone | undefined): Uint8Array | undefined => {
  const entry = undone?.get(bytesToHex(key))
  return entry === undefined ? table.getBinaryFast(key) : entry.value
}

/** Whether a key of `undone` is that of a slot of the account. */
const isSlotOf = (address: string, key: string): boolean => key.length > address.length && key.startsWith(address)
