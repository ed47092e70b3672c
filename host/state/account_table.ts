import { ACCOUNT_FLAG_EXISTS, ACCOUNT_ROW_VECTORS, accountHash } from '../../transpiler/layout/tables.ts'
import { LIMBS_PER_ADDRESS } from '../../transpiler/layout/word.ts'
import { BucketIndex } from './bucket_index.ts'
import { wordCopy } from './word.ts'

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

/** u32 per account of what only the host needs, and positions inside. */
export const HOST_LIMBS = 4
export const HOST_NONCE = 0
export const HOST_CODE = 2
export const HOST_ENTRY = 3

/** u32 per journal entry, and positions inside. */
export const BASE_LIMBS = 12
export const BASE_BALANCE = 0
export const BASE_NONCE = 8
export const BASE_CODE = 10
export const BASE_FLAGS = 11

/**
 * Accounts by dense id, the same rows as on the device, plus what only the host needs. What a transaction touches of an
 * account lies in two cache lines: its row, and its host limbs.
 *
 * rows      u32[16 count]   transpiler/layout/tables.ts
 * hosts     u32[4 count]    nonce (64-bit, low limb first), code id (CodeTable; 0 = no code), journal entry + 1 or 0
 * states    u8[count]       STATE_* bits
 *
 * The rows hold the running values of the batch. `write(id)` must come before the first change of a row in a batch: it
 * keeps the base value, so that a value read at the base can be compared with the running one.
 *
 * journal entry e (one per account written in the batch)
 *   written   u32[entries]      account id
 *   base      u32[12 entries]   balance (8), nonce (2), code id, flags
 */
export class AccountTable {
  readonly index: BucketIndex
  rows: Uint32Array
  hosts: Uint32Array
  states: Uint8Array
  count = 0
  written: Uint32Array
  base: Uint32Array
  entries = 0
  /** Whether this batch made an account anew: only then do states matter. */
  renewed = false
  #capacity: number

  constructor(capacity = 1024) {
    this.#capacity = capacity
    this.index = new BucketIndex(2 * capacity)
    this.rows = new Uint32Array(ROW_LIMBS * capacity)
    this.hosts = new Uint32Array(HOST_LIMBS * capacity)
    this.states = new Uint8Array(capacity)
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
    this.renewed = true
    this.states[id] = this.states[id]! | STATE_RETIRED
    this.states[fresh] = STATE_FRESH
    return fresh
  }

  /** Journal entry of the account, or -1 where it was not written in this batch. */
  entryOf(id: number): number {
    return this.hosts[id * HOST_LIMBS + HOST_ENTRY]! - 1
  }

  code(id: number): number {
    return this.hosts[id * HOST_LIMBS + HOST_CODE]!
  }

  /** Notes that the row of `id` is about to change. */
  write(id: number): void {
    const { hosts, rows } = this
    const host = id * HOST_LIMBS
    if (hosts[host + HOST_ENTRY] !== 0) return
    const entry = this.entries++
    if (entry === this.written.length) this.#growJournal()
    this.written[entry] = id
    hosts[host + HOST_ENTRY] = entry + 1
    const base = this.base
    const to = entry * BASE_LIMBS
    const row = id * ROW_LIMBS
    wordCopy(base, to + BASE_BALANCE, rows, row + ROW_BALANCE)
    base[to + BASE_NONCE] = hosts[host + HOST_NONCE]!
    base[to + BASE_NONCE + 1] = hosts[host + HOST_NONCE + 1]!
    base[to + BASE_CODE] = hosts[host + HOST_CODE]!
    base[to + BASE_FLAGS] = rows[row + ROW_FLAGS]!
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
      this.hosts[id * HOST_LIMBS + HOST_ENTRY] = 0
      if (this.renewed) this.states[id] = this.states[id]! & ~STATE_FRESH
    }
    this.renewed = false
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
    this.hosts = grown(this.hosts, HOST_LIMBS * this.#capacity)
    const states = new Uint8Array(this.#capacity)
    states.set(this.states)
    this.states = states
  }

  #growJournal(): void {
    this.written = grown(this.written, 2 * this.written.length)
    this.base = grown(this.base, 2 * this.base.length)
  }
}

export const grown = (from: Uint32Array, length: number): Uint32Array<ArrayBuffer> => {
  const to = new Uint32Array(length)
  to.set(from)
  return to
}
