import { MEMO_OWNERS } from '../../../transpiler/layout/memo.ts'
import { accountHash, slotHash } from '../../../transpiler/layout/tables.ts'
import { LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import type { WordMemory } from '../../primitives/shared_words.ts'
import { AccountTable, HOST_CODE, HOST_LIMBS, HOST_MARKS, ROW_LIMBS, STATE_RETIRED } from './account_table.ts'
import type { CodeMove } from './code_table.ts'
import type { ResidentState } from './resident_tables.ts'
import { SlotTable } from './slot_table.ts'

/**
 * Drops what was touched longest ago from resident tables that pass their budget, between batches, when every row has
 * the value that the State has. What is kept has other ids.
 *
 * A pass leaves half of the budget free, so that its cost, a look at every row and a copy of those that stay, is shared
 * by the rows that fill it again.
 */

/**
 * Bytes that the arrays of the tables may take; `mostRows`: accounts that a device has room for. Slots, of half the
 * bytes, may be twice as many.
 */
export interface TableBudgets {
  readonly rows: number
  readonly codes: number
  readonly mostRows: number
}

/**
 * The most bytes of a row: its columns and its entry in the journal, in arrays that have just doubled, and 8 buckets of
 * the index with what is noted of their changes.
 */
const ACCOUNT_BYTES = 2 * (4 * ROW_LIMBS + 4 * HOST_LIMBS + 1 + 4 + 4) + 72
const SLOT_BYTES = 2 * (2 * 32 + 4 + 4 + 4 + 4 + 32) + 72
/** Slots in the bytes of an account on a device. */
const SLOTS_PER_ACCOUNT = ROW_LIMBS / LIMBS_PER_WORD
/** Rows that tables have room for, however small their budget is. */
const LEAST_ROWS = 1024
/** Rows that are older are of one age. */
const OLDEST = 255
const DROPPED = -1

export interface Eviction {
  readonly accounts: number
  readonly slots: number
  /** Where codes were dropped: every id of a code or skeleton has changed. */
  readonly codes: CodeMove | undefined
}

/** Bytes of the rows of the tables, at most, and of what they left in their memory. */
const mostBytes = ({ accounts, slots, leftBytes }: ResidentState): number =>
  ACCOUNT_BYTES * accounts.count + SLOT_BYTES * slots.count + leftBytes

/** The part of the rows' budget, or of the device's room, that is taken. */
const rowsTaken = (resident: ResidentState, { rows, mostRows }: TableBudgets): number =>
  Math.max(
    mostBytes(resident) / rows,
    resident.accounts.count / mostRows,
    resident.slots.count / (SLOTS_PER_ACCOUNT * mostRows),
  )

/** Whether so much is taken that it has to be known which rows were touched. */
export const isFilling = (resident: ResidentState, budgets: TableBudgets): boolean =>
  4 * rowsTaken(resident, budgets) > 1 || 4 * resident.codes.sizeBytes > budgets.codes

/** Keeps the tables within their budgets; undefined where they were. */
export const evictTables = (resident: ResidentState, budgets: TableBudgets): Eviction | undefined => {
  const { accounts, slots, codes } = resident
  const dropsCodes = codes.sizeBytes > budgets.codes && codes.codes.length > 1
  const dropsRows = rowsTaken(resident, budgets) > 1
  if (!dropsCodes && !dropsRows) return undefined
  if (accounts.entries + slots.entries > 0) throw new Error('rows were to be evicted in the middle of a batch')
  const owners = touchOwners(resident)
  const move = dropsCodes ? keptCodes(resident, budgets.codes / 2) : undefined
  const { rows, mostRows } = budgets
  const room = new Room(resident, dropsRows ? Math.min(rows, mostRows * ACCOUNT_BYTES) / 2 : Infinity)
  const accountIds = chooseAccounts(resident, room, move, owners)
  const slotIds = chooseSlots(resident, room, accountIds)
  const before = { accounts: accounts.count, slots: slots.count }
  const to = move?.to ?? codes
  const memory = resident.successor()
  resident.replace(
    copyAccounts(resident, accountIds, memory),
    copySlots(resident, accountIds, slotIds, memory),
    to,
    memory,
  )
  if (move !== undefined) renameCodes(resident, move)
  return {
    accounts: before.accounts - resident.accounts.count,
    slots: before.slots - resident.slots.count,
    codes: move,
  }
}

/** An account is as young as the youngest of its slots. Marks those that have any. */
const touchOwners = ({ accounts, slots }: ResidentState): Uint8Array => {
  const { epochs } = accounts
  const owns = new Uint8Array(accounts.count)
  for (let id = 0; id < slots.count; id++) {
    const owner = slots.owners[id]!
    if (owner >= accounts.count) continue
    owns[owner] = 1
    if (epochs[owner]! < slots.epochs[id]!) epochs[owner] = slots.epochs[id]!
  }
  return owns
}

/** The codes of the accounts that were touched last, in so many bytes. */
const keptCodes = ({ accounts, codes }: ResidentState, mostBytes: number): CodeMove => {
  const epochs = new Uint32Array(codes.codes.length)
  for (let id = 0; id < accounts.count; id++) {
    const code = accounts.code(id)
    epochs[code] = Math.max(epochs[code]!, accounts.epochs[id]!)
  }
  const youngestFirst = Array.from(epochs, (_, id) => id).sort((a, b) => epochs[b]! - epochs[a]! || a - b)
  const keeps = new Uint8Array(epochs.length)
  let bytes = 0
  for (const id of youngestFirst) {
    bytes += codes.sizeOf(id)
    if (bytes > mostBytes) break
    keeps[id] = 1
  }
  return codes.kept((id) => keeps[id] === 1)
}

/** What may stay: all rows younger than one age, and of that one the same part of accounts and of slots. */
class Room {
  readonly #epoch: number
  readonly #age: number
  #accountsLeft: number
  #slotsLeft: number

  constructor({ accounts, slots, epoch }: ResidentState, mostBytes: number) {
    this.#epoch = epoch
    const accountsByAge = new Float64Array(OLDEST + 1)
    const slotsByAge = new Float64Array(OLDEST + 1)
    for (let id = 0; id < accounts.count; id++)
      if ((accounts.states[id]! & STATE_RETIRED) === 0) accountsByAge[this.#ageOf(accounts.epochs[id]!)]!++
    for (let id = 0; id < slots.count; id++)
      if (mayStay(accounts, slots.owners[id]!)) slotsByAge[this.#ageOf(slots.epochs[id]!)]!++
    const bytesAt = (age: number): number => ACCOUNT_BYTES * accountsByAge[age]! + SLOT_BYTES * slotsByAge[age]!
    let age = 0
    let left = mostBytes
    while (age < OLDEST && bytesAt(age) <= left) left -= bytesAt(age++)
    this.#age = age
    const part = Math.min(1, left / Math.max(1, bytesAt(age)))
    this.#accountsLeft = Math.floor(part * accountsByAge[age]!)
    this.#slotsLeft = Math.floor(part * slotsByAge[age]!)
  }

  /** Whether an account that was touched then stays; it has its place then. */
  takesAccount(epoch: number): boolean {
    const age = this.#ageOf(epoch)
    return age < this.#age || (age === this.#age && this.#accountsLeft-- > 0)
  }

  takesSlot(epoch: number): boolean {
    const age = this.#ageOf(epoch)
    return age < this.#age || (age === this.#age && this.#slotsLeft-- > 0)
  }

  #ageOf(epoch: number): number {
    return Math.min(OLDEST, this.#epoch - epoch)
  }
}

/**
 * Whether a slot of this owner may stay. Slots of an account that was made anew are out of reach. Memos go: some stand
 * in several slots, and are computed again only where the first is missed.
 */
const mayStay = ({ states }: AccountTable, owner: number): boolean =>
  owner < MEMO_OWNERS && (states[owner]! & STATE_RETIRED) === 0

/**
 * New id by old one. A row goes with its code: nothing but the code table knows the bytes. Of one age those that own
 * slots come first, since these go with them.
 */
const chooseAccounts = (
  { accounts }: ResidentState,
  room: Room,
  move: CodeMove | undefined,
  owners: Uint8Array,
): Int32Array => {
  const ids = new Int32Array(accounts.count).fill(DROPPED)
  let kept = 0
  for (const owns of [1, 0])
    for (let id = 0; id < ids.length; id++) {
      if (owners[id] !== owns || (accounts.states[id]! & STATE_RETIRED) !== 0) continue
      if (move !== undefined && move.ids[accounts.code(id)]! < 0) continue
      if (room.takesAccount(accounts.epochs[id]!)) ids[id] = kept++
    }
  return ids
}

/** New id by old one. */
const chooseSlots = ({ accounts, slots }: ResidentState, room: Room, accountIds: Int32Array): Int32Array => {
  const ids = new Int32Array(slots.count).fill(DROPPED)
  let kept = 0
  for (let id = 0; id < ids.length; id++) {
    const owner = slots.owners[id]!
    if (!mayStay(accounts, owner) || accountIds[owner]! < 0) continue
    if (room.takesSlot(slots.epochs[id]!)) ids[id] = kept++
  }
  return ids
}

const roomFor = (kept: number): number => Math.max(LEAST_ROWS, kept + (kept >> 2))

const copyAccounts = ({ accounts }: ResidentState, ids: Int32Array, memory: WordMemory): AccountTable => {
  const count = keptOf(ids)
  const to = new AccountTable(roomFor(count), memory)
  const { rows, hosts } = accounts
  for (let id = 0; id < ids.length; id++) {
    const at = ids[id]!
    if (at < 0) continue
    const row = id * ROW_LIMBS
    for (let limb = 0; limb < ROW_LIMBS; limb++) to.rows[at * ROW_LIMBS + limb] = rows[row + limb]!
    const host = id * HOST_LIMBS
    for (let limb = 0; limb < HOST_MARKS; limb++) to.hosts[at * HOST_LIMBS + limb] = hosts[host + limb]!
    to.epochs[at] = accounts.epochs[id]!
    to.index.put(accountHash(rows, row), at + 1, rows[row]!)
  }
  to.count = count
  return to
}

const copySlots = (
  { slots }: ResidentState,
  accountIds: Int32Array,
  ids: Int32Array,
  memory: WordMemory,
): SlotTable => {
  const count = keptOf(ids)
  const to = new SlotTable(roomFor(count), memory)
  for (let id = 0; id < ids.length; id++) {
    const at = ids[id]!
    if (at < 0) continue
    const from = id * LIMBS_PER_WORD
    const word = at * LIMBS_PER_WORD
    for (let limb = 0; limb < LIMBS_PER_WORD; limb++) {
      to.keys[word + limb] = slots.keys[from + limb]!
      to.values[word + limb] = slots.values[from + limb]!
    }
    const owner = accountIds[slots.owners[id]!]!
    to.owners[at] = owner
    to.epochs[at] = slots.epochs[id]!
    to.index.put(slotHash(owner, to.keys, word), at + 1, owner)
  }
  to.count = count
  return to
}

const keptOf = (ids: Int32Array): number => {
  let kept = 0
  for (let id = 0; id < ids.length; id++) if (ids[id]! >= 0) kept++
  return kept
}

const renameCodes = (resident: ResidentState, { ids }: CodeMove): void => {
  const { accounts } = resident
  for (let id = 0; id < accounts.count; id++) {
    const code = accounts.hosts[id * HOST_LIMBS + HOST_CODE]!
    if (code !== 0) resident.setCode(id, ids[code]!)
  }
}
