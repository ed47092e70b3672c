import { ACCOUNT_FLAG_EXISTS, ACCOUNT_ROW_VECTORS, accountHash } from '../../../transpiler/layout/tables.ts'
import { LIMBS_PER_ADDRESS } from '../../../transpiler/layout/word.ts'
import { byteLengths, grown, movedTo, PRIVATE_MEMORY, type WordMemory } from '../../primitives/shared_words.ts'
import { wordIsZero } from '../../primitives/word.ts'
import { BucketIndex, NO_WORDS, powerOfTwo } from './bucket_index.ts'

/** u32 per account row. */
export const ROW_LIMBS = ACCOUNT_ROW_VECTORS * 4
/** Positions inside a row (transpiler/layout/tables.ts). */
export const ROW_SKELETON = 5
export const ROW_CONSTANTS = 6
export const ROW_FLAGS = 7
export const ROW_BALANCE = 8

/** The row is the account's former self: its storage was cleared and the address has a newer id. */
export const STATE_RETIRED = 1
/** The account was made anew since writes were taken last: none of them, nor the State, has this row. */
export const STATE_FRESH = 2
/** It was made anew in what is not committed: slots that are not in the table are zero, whatever the State says. */
export const STATE_BARE = 4

/** u32 per account of what only the host needs, and positions inside. */
export const HOST_LIMBS = 4
export const HOST_NONCE = 0
export const HOST_CODE = 2
export const HOST_MARKS = 3

/** HOST_MARKS: written in this batch; existed before it; its code changed in it. */
export const MARK_WRITTEN = 1
export const MARK_EXISTED = 2
export const MARK_NEW_CODE = 4

/**
 * Accounts by dense id, the same rows as on the device, plus what only the host needs. What a transaction touches of an
 * account lies in two cache lines: its row, and its host limbs.
 *
 * rows      u32[16 count]   transpiler/layout/tables.ts
 * hosts     u32[4 count]    nonce (64-bit, low limb first), code id (CodeTable; 0 = no code), MARK_* bits
 * states    u8[count]       STATE_* bits
 * epochs    u32[count]      when it was last touched (ResidentState.epoch)
 * written   u32[entries]    ids written in this batch
 *
 * The rows hold the running values of the batch. `write(id)` must come before the first change of a row in a batch.
 */
export class AccountTable {
  readonly index: BucketIndex
  rows: Uint32Array
  hosts: Uint32Array
  states: Uint8Array
  epochs: Uint32Array
  count = 0
  written: Uint32Array
  entries = 0
  /** Accounts that this batch made anew. */
  renewals = 0
  /** Ids that are STATE_BARE. */
  #bare: number[] = []
  #capacity: number
  #memory: WordMemory

  constructor(capacity = 1024, memory: WordMemory = PRIVATE_MEMORY) {
    this.#capacity = capacity
    this.#memory = memory
    this.index = new BucketIndex(powerOfTwo(2 * capacity), memory)
    this.rows = memory.words(ROW_LIMBS * capacity)
    this.hosts = memory.words(HOST_LIMBS * capacity)
    this.states = new Uint8Array(capacity)
    this.epochs = memory.words(capacity)
    this.written = memory.words(256)
  }

  /** Moves all words to another memory, for good. */
  moveTo(memory: WordMemory): void {
    this.#memory = memory
    this.index.moveTo(memory)
    this.rows = movedTo(memory, this.rows)
    this.hosts = movedTo(memory, this.hosts)
    this.epochs = movedTo(memory, this.epochs)
    this.written = movedTo(memory, this.written)
  }

  /** Makes room for `count` more written accounts. */
  reserveWritten(count: number): void {
    const needed = Math.min(this.count, this.entries + count)
    if (needed > this.written.length)
      this.written = grown(this.written, Math.max(needed, 2 * this.written.length), this.#memory)
  }

  /** Whether this batch made an account anew: only then do states matter. */
  get renewed(): boolean {
    return this.renewals > 0
  }

  get sizeBytes(): number {
    const { index, states } = this
    return this.wordBytes + byteLengths(index.changed, states)
  }

  /** Bytes in its memory. */
  get wordBytes(): number {
    const { index, rows, hosts, epochs, written } = this
    return byteLengths(index.words, rows, hosts, epochs, written)
  }

  /**
   * Another table has taken its place. The rows stay: results of batches before read addresses there when their logs
   * are asked for.
   */
  release(): void {
    this.index.release()
    this.hosts = NO_WORDS
    this.epochs = NO_WORDS
    this.written = NO_WORDS
    this.states = NO_STATES
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

  /**
   * ids[i] = what stands in the first bucket of each address, -1 where it is empty: nearly always the right account.
   * One loop that only touches the index, and one (the caller's) that only touches rows, keep more cache misses in
   * flight than a loop over both.
   */
  guess(addresses: Uint32Array, count: number, ids: Int32Array): void {
    const { words, mask } = this.index
    for (let i = 0; i < count; i++) ids[i] = words[2 * (accountHash(addresses, LIMBS_PER_ADDRESS * i) & mask)]! - 1
  }

  isAt(id: number, addresses: Uint32Array, at: number): boolean {
    const { rows } = this
    const row = id * ROW_LIMBS
    return (
      rows[row] === addresses[at] &&
      rows[row + 1] === addresses[at + 1] &&
      rows[row + 2] === addresses[at + 2] &&
      rows[row + 3] === addresses[at + 3] &&
      rows[row + 4] === addresses[at + 4]
    )
  }

  /** Adds a row for an address that is not in the table; all else is zero. Returns its id. */
  add(addresses: Uint32Array, at: number): number {
    const id = this.#append(addresses, at)
    this.index.reserve(this.count, this.#rehash)
    this.index.put(accountHash(addresses, at), id + 1, addresses[at]!)
    return id
  }

  /** Makes room for so many more rows, and for what names them. */
  reserve(count: number): void {
    while (this.count + count > this.#capacity) this.#grow()
    this.index.reserve(this.count + count, this.#rehash)
  }

  /**
   * Gives the address of account `id` a new row, so every slot of the old one is out of reach. The new row starts
   * absent, STATE_FRESH and STATE_BARE; the old one is STATE_RETIRED.
   */
  renew(id: number): number {
    const at = id * ROW_LIMBS
    const fresh = this.#append(this.rows, at)
    this.index.replace(accountHash(this.rows, at), id + 1, fresh + 1)
    this.write(id)
    this.write(fresh)
    this.renewals++
    this.states[id] = this.states[id]! | STATE_RETIRED
    this.states[fresh] = STATE_FRESH | STATE_BARE
    this.#bare.push(fresh)
    this.epochs[fresh] = this.epochs[id]!
    return fresh
  }

  code(id: number): number {
    return this.hosts[id * HOST_LIMBS + HOST_CODE]!
  }

  /** Whether the row may differ from its base value. */
  isWritten(id: number): boolean {
    return (this.hosts[id * HOST_LIMBS + HOST_MARKS]! & MARK_WRITTEN) !== 0
  }

  /** Whether the account came to exist, or ceased to, or got another code, in this batch. */
  isOther(id: number): boolean {
    const marks = this.hosts[id * HOST_LIMBS + HOST_MARKS]!
    if ((marks & MARK_WRITTEN) === 0) return false
    return (marks & MARK_NEW_CODE) !== 0 || ((marks & MARK_EXISTED) !== 0) !== this.exists(id)
  }

  /** Notes that the row of `id` is about to change. */
  write(id: number): void {
    const marks = id * HOST_LIMBS + HOST_MARKS
    if (this.hosts[marks] !== 0) return
    if (this.entries === this.written.length) this.reserveWritten(1)
    this.written[this.entries++] = id
    const existed = (this.rows[id * ROW_LIMBS + ROW_FLAGS]! & ACCOUNT_FLAG_EXISTS) !== 0
    this.hosts[marks] = existed ? MARK_WRITTEN | MARK_EXISTED : MARK_WRITTEN
  }

  exists(id: number): boolean {
    return (this.rows[id * ROW_LIMBS + ROW_FLAGS]! & ACCOUNT_FLAG_EXISTS) !== 0
  }

  /** Whether an account that exists has neither nonce, balance nor code (EIP-161). */
  isEmpty(id: number): boolean {
    const host = id * HOST_LIMBS
    if ((this.hosts[host + HOST_CODE]! | this.hosts[host + HOST_NONCE]! | this.hosts[host + HOST_NONCE + 1]!) !== 0)
      return false
    return this.exists(id) && wordIsZero(this.rows, id * ROW_LIMBS + ROW_BALANCE)
  }

  setExists(id: number, exists: boolean): void {
    const at = id * ROW_LIMBS + ROW_FLAGS
    const flags = this.rows[at]! & ~ACCOUNT_FLAG_EXISTS
    this.rows[at] = exists ? flags | ACCOUNT_FLAG_EXISTS : flags
  }

  /** The writes so far were taken: running values are base values. The written ids stay until the next `write`. */
  settle(): void {
    for (let entry = 0; entry < this.entries; entry++) {
      const id = this.written[entry]!
      this.hosts[id * HOST_LIMBS + HOST_MARKS] = 0
      if (this.renewed) this.states[id] = this.states[id]! & ~STATE_FRESH
    }
    this.renewals = 0
    this.entries = 0
  }

  /** The State has what was taken. */
  commit(): void {
    for (const id of this.#bare) this.states[id] = this.states[id]! & ~STATE_BARE
    this.#bare = []
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
    this.rows = grown(this.rows, ROW_LIMBS * this.#capacity, this.#memory)
    this.hosts = grown(this.hosts, HOST_LIMBS * this.#capacity, this.#memory)
    const states = new Uint8Array(this.#capacity)
    states.set(this.states)
    this.states = states
    this.epochs = grown(this.epochs, this.#capacity, this.#memory)
  }
}

const NO_STATES = new Uint8Array(0)
