import { ACCOUNT_FLAG_EXISTS, ACCOUNT_ROW_VECTORS, accountHash } from '../../transpiler/layout/tables.ts'
import { LIMBS_PER_ADDRESS } from '../../transpiler/layout/word.ts'
import { BucketIndex } from './bucket_index.ts'

/** u32 per account row. */
export const ROW_LIMBS = ACCOUNT_ROW_VECTORS * 4
/** Positions inside a row (transpiler/layout/tables.ts). */
export const ROW_SKELETON = 5
export const ROW_CONSTANTS = 6
export const ROW_FLAGS = 7
export const ROW_BALANCE = 8

/** The row is the account's former self: its storage was cleared and the address has a newer id. */
export const STATE_RETIRED = 1
/** The account was made anew in this batch: slots that are not in the table are zero, whatever the State says. */
export const STATE_FRESH = 2

/**
 * Accounts by dense id, the same rows as on the device, plus what only the host needs.
 *
 * rows      u32[16 count]   transpiler/layout/tables.ts
 * nonces    u32[2 count]    64-bit, low limb first
 * codes     u32[count]      code id (CodeTable); 0 = no code
 * states    u8[count]       STATE_* bits
 *
 * The rows hold the running values of the batch. `write(id)` must come before the first change of a row in a batch: it
 * keeps the base value, so that a batch can be rolled back and a value read at the base can be compared.
 *
 * journal entry e (one per account written in the batch)
 *   written    u32[entries]      account id
 *   base       u32[20 entries]   the row (16), nonce (2), code id, states
 *   entryOf    u32[count]        e + 1, or 0 where the account was not written
 */
export class AccountTable {
  readonly index: BucketIndex
  rows: Uint32Array
  nonces: Uint32Array
  codes: Uint32Array
  states: Uint8Array
  entryOf: Uint32Array
  count = 0
  written: Uint32Array
  base: Uint32Array
  entries = 0
  #capacity: number

  constructor(capacity = 1024) {
    this.#capacity = capacity
    this.index = new BucketIndex(2 * capacity)
    this.rows = new Uint32Array(ROW_LIMBS * capacity)
    this.nonces = new Uint32Array(2 * capacity)
    this.codes = new Uint32Array(capacity)
    this.states = new Uint8Array(capacity)
    this.entryOf = new Uint32Array(capacity)
    this.written = new Uint32Array(256)
    this.base = new Uint32Array(256 * BASE_LIMBS)
  }

  /** Id of the address at `addresses[at..]`, or -1. */
  find(addresses: Uint32Array, at: number): number {
    const { words, mask } = this.index
    const rows = this.rows
    const low = addresses[at]!
    let bucket = accountHash(addresses, at) & mask
    for (;;) {
      const entry = words[2 * bucket]!
      if (entry === 0) return -1
      if (words[2 * bucket + 1] === low) {
        const row = (entry - 1) * ROW_LIMBS
        if (
          rows[row + 1] === addresses[at + 1] &&
          rows[row + 2] === addresses[at + 2] &&
          rows[row + 3] === addresses[at + 3] &&
          rows[row + 4] === addresses[at + 4]
        )
          return entry - 1
      }
      bucket = (bucket + 1) & mask
    }
  }

  /** Adds a row for an address that is not in the table; all else is zero. Returns its id. */
  add(addresses: Uint32Array, at: number): number {
    const id = this.#append(addresses, at)
    this.index.reserve(this.count, this.#rehash)
    this.index.put(accountHash(addresses, at), id + 1, addresses[at]!)
    return id
  }

  /**
   * Gives the address of account `id` a new row, so that every slot of the old one is out of reach. The new row starts
   * absent and STATE_FRESH; the old one is STATE_RETIRED.
   */
  renew(id: number): number {
    const at = id * ROW_LIMBS
    const fresh = this.#append(this.rows, at)
    this.index.replace(accountHash(this.rows, at), id + 1, fresh + 1)
    this.write(id)
    this.write(fresh)
    this.states[id] = this.states[id]! | STATE_RETIRED
    this.states[fresh] = STATE_FRESH
    return fresh
  }

  /** Notes that the row of `id` is about to change. */
  write(id: number): void {
    if (this.entryOf[id] !== 0) return
    const entry = this.entries++
    if (entry === this.written.length) this.#growJournal()
    this.written[entry] = id
    this.entryOf[id] = entry + 1
    const base = this.base
    const to = entry * BASE_LIMBS
    const rows = this.rows
    const from = id * ROW_LIMBS
    for (let limb = 0; limb < ROW_LIMBS; limb++) base[to + limb] = rows[from + limb]!
    base[to + BASE_NONCE] = this.nonces[2 * id]!
    base[to + BASE_NONCE + 1] = this.nonces[2 * id + 1]!
    base[to + BASE_CODE] = this.codes[id]!
    base[to + BASE_STATE] = this.states[id]!
  }

  exists(id: number): boolean {
    return (this.rows[id * ROW_LIMBS + ROW_FLAGS]! & ACCOUNT_FLAG_EXISTS) !== 0
  }

  setExists(id: number, exists: boolean): void {
    const at = id * ROW_LIMBS + ROW_FLAGS
    const flags = this.rows[at]! & ~ACCOUNT_FLAG_EXISTS
    this.rows[at] = exists ? flags | ACCOUNT_FLAG_EXISTS : flags
  }

  /** The batch is committed: running values are the base of the next one. The written ids stay until the next `write`. */
  settle(): void {
    for (let entry = 0; entry < this.entries; entry++) {
      const id = this.written[entry]!
      this.entryOf[id] = 0
      this.states[id] = this.states[id]! & ~STATE_FRESH
    }
    this.entries = 0
  }

  readonly #rehash = (put: (hash: number, entry: number, tag: number) => void): void => {
    for (let id = 0; id < this.count; id++) {
      if ((this.states[id]! & STATE_RETIRED) !== 0) continue
      put(accountHash(this.rows, id * ROW_LIMBS), id + 1, this.rows[id * ROW_LIMBS]!)
    }
  }

  #append(addresses: Uint32Array, at: number): number {
    if (this.count === this.#capacity) this.#grow()
    const id = this.count++
    const row = id * ROW_LIMBS
    for (let limb = 0; limb < LIMBS_PER_ADDRESS; limb++) this.rows[row + limb] = addresses[at + limb]!
    return id
  }

  #grow(): void {
    this.#capacity *= 2
    this.rows = grown(this.rows, ROW_LIMBS * this.#capacity)
    this.nonces = grown(this.nonces, 2 * this.#capacity)
    this.codes = grown(this.codes, this.#capacity)
    this.entryOf = grown(this.entryOf, this.#capacity)
    const states = new Uint8Array(this.#capacity)
    states.set(this.states)
    this.states = states
  }

  #growJournal(): void {
    this.written = grown(this.written, 2 * this.written.length)
    this.base = grown(this.base, 2 * this.base.length)
  }
}

/** u32 per journal entry, and positions behind the row inside it. */
export const BASE_LIMBS = ROW_LIMBS + 4
export const BASE_NONCE = ROW_LIMBS
export const BASE_CODE = ROW_LIMBS + 2
export const BASE_STATE = ROW_LIMBS + 3

export const grown = (from: Uint32Array, length: number): Uint32Array<ArrayBuffer> => {
  const to = new Uint32Array(length)
  to.set(from)
  return to
}
