import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { wordCopy, wordEquals } from '../../primitives/word.ts'
import type { StateWrites } from '../state.ts'
import {
  HOST_CODE,
  HOST_LIMBS,
  HOST_MARKS,
  HOST_NONCE,
  MARK_EXISTED,
  MARK_NEW_CODE,
  ROW_BALANCE,
  ROW_LIMBS,
  STATE_FRESH,
  STATE_RETIRED,
} from '../tables/account_table.ts'
import type { ResidentState } from '../tables/resident_tables.ts'
import { NEW_CODE } from './collect_request.ts'
import { ColumnWrites, isDense, type WrittenRows } from './column_writes.ts'
import { copyAddress, writesOver } from './table_columns.ts'

/** What the open batch changed, as one commit: last values only. */
export const collectWrites = (resident: ResidentState): StateWrites => {
  // Of an address made anew there are two rows: those are told apart one by one.
  const columns = resident.accounts.renewed ? undefined : ColumnWrites.over(resident)
  return columns === undefined
    ? { ...collectAccounts(resident), ...collectSlots(resident) }
    : collectColumns(columns, resident)
}

type AccountWrites = Pick<StateWrites, 'deletedAccounts' | 'accountCount' | 'accountAddresses' | 'accounts' | 'code'>

const collectAccounts = (resident: ResidentState): AccountWrites => {
  const { accounts, codes } = resident
  const { entries, rows, hosts, states, renewed } = accounts
  const written = writtenAccounts(resident)
  const deleted: number[] = []
  const addresses = new Uint32Array(LIMBS_PER_ADDRESS * entries)
  const exists = new Uint8Array(entries)
  const nonce = new Uint32Array(2 * entries)
  const balance = new Uint32Array(LIMBS_PER_WORD * entries)
  const codeHash = new Uint32Array(LIMBS_PER_WORD * entries)
  const code = new Map<string, Uint8Array>()
  let count = 0
  for (let entry = 0; entry < entries; entry++) {
    const id = written[entry]!
    const row = id * ROW_LIMBS
    const host = id * HOST_LIMBS
    const marks = hosts[host + HOST_MARKS]!
    const state = renewed ? states[id]! : 0
    const isRetired = (state & STATE_RETIRED) !== 0
    if (isRetired || !accounts.exists(id)) {
      // Of an address made anew only its first row was in the State. It goes even where it did not exist: its slots
      // may.
      if (isRetired ? (state & STATE_FRESH) === 0 : (marks & MARK_EXISTED) !== 0) deleted.push(id)
      continue
    }
    copyAddress(addresses, LIMBS_PER_ADDRESS * count, rows, row)
    exists[count] = 1
    nonce[2 * count] = hosts[host + HOST_NONCE]!
    nonce[2 * count + 1] = hosts[host + HOST_NONCE + 1]!
    wordCopy(balance, LIMBS_PER_WORD * count, rows, row + ROW_BALANCE)
    const known = codes.codes[hosts[host + HOST_CODE]!]!
    wordCopy(codeHash, LIMBS_PER_WORD * count, codes.constants, known.constantsBase * LIMBS_PER_WORD)
    if ((marks & MARK_NEW_CODE) !== 0 && known.bytes.length > 0) code.set(known.hash, known.bytes)
    count++
  }
  return {
    deletedAccounts: addressesOf(deleted, rows),
    accountCount: count,
    accountAddresses: addresses.subarray(0, LIMBS_PER_ADDRESS * count),
    accounts: {
      exists: exists.subarray(0, count),
      nonce: nonce.subarray(0, 2 * count),
      balance: balance.subarray(0, LIMBS_PER_WORD * count),
      codeHash: codeHash.subarray(0, LIMBS_PER_WORD * count),
    },
    code,
  }
}

type SlotWrites = Pick<StateWrites, 'slotCount' | 'slotAddresses' | 'slotKeys' | 'slotValues'>

/** Slots that end as they began are left out, and those of an account that is gone. */
const collectSlots = (resident: ResidentState): SlotWrites => {
  const { slots, accounts } = resident
  const { entries, keys, values, base, owners, entryOf } = slots
  const written = writtenSlots(resident)
  const slotAddresses = new Uint32Array(LIMBS_PER_ADDRESS * entries)
  const slotKeys = new Uint32Array(LIMBS_PER_WORD * entries)
  const slotValues = new Uint32Array(LIMBS_PER_WORD * entries)
  let count = 0
  for (let entry = 0; entry < entries; entry++) {
    const id = written[entry]!
    const at = id * LIMBS_PER_WORD
    if (wordEquals(values, at, base, (entryOf[id]! - 1) * LIMBS_PER_WORD)) continue
    const owner = owners[id]!
    if (accounts.renewed && (accounts.states[owner]! & STATE_RETIRED) !== 0) continue
    copyAddress(slotAddresses, LIMBS_PER_ADDRESS * count, accounts.rows, owner * ROW_LIMBS)
    wordCopy(slotKeys, LIMBS_PER_WORD * count, keys, at)
    wordCopy(slotValues, LIMBS_PER_WORD * count, values, at)
    count++
  }
  return {
    slotCount: count,
    slotAddresses: slotAddresses.subarray(0, LIMBS_PER_ADDRESS * count),
    slotKeys: slotKeys.subarray(0, LIMBS_PER_WORD * count),
    slotValues: slotValues.subarray(0, LIMBS_PER_WORD * count),
  }
}

const writtenAccounts = ({ accounts }: ResidentState): Uint32Array => inOrder(accounts, (id) => accounts.isWritten(id))

const writtenSlots = ({ slots }: ResidentState): Uint32Array => inOrder(slots, (id) => slots.entryOf[id] !== 0)

/** The written ids in the order that `isDense` says. */
const inOrder = (table: WrittenRows, isWritten: (id: number) => boolean): Uint32Array => {
  const { written, entries, count } = table
  if (!isDense(table)) return written
  const ordered = new Uint32Array(entries)
  let next = 0
  for (let id = 0; id < count; id++) if (isWritten(id)) ordered[next++] = id
  return ordered
}

/** `collectAccounts` and `collectSlots` in columns. */
const collectColumns = (columns: ColumnWrites, resident: ResidentState): StateWrites => {
  const { accounts, slots } = resident
  const deleted: number[] = []
  const accountIds = new Uint32Array(accounts.entries)
  const nonce = new Uint32Array(2 * accounts.entries)
  const balance = new Uint32Array(LIMBS_PER_WORD * accounts.entries)
  const codes = new CollectedCodes(resident)
  let accountCount = 0
  columns.accounts((chunk) => {
    accountIds.set(chunk.ids, accountCount)
    nonce.set(chunk.nonces, 2 * accountCount)
    balance.set(chunk.balances, LIMBS_PER_WORD * accountCount)
    if (chunk.haveCode) codes.take(chunk.codes, accountCount)
    for (const id of chunk.others)
      if ((accounts.hosts[id * HOST_LIMBS + HOST_MARKS]! & MARK_EXISTED) !== 0) deleted.push(id)
    accountCount += chunk.ids.length
  })
  const slotIds = new Uint32Array(slots.entries)
  const slotValues = new Uint32Array(LIMBS_PER_WORD * slots.entries)
  let slotCount = 0
  columns.slots((chunk) => {
    slotIds.set(chunk.ids, slotCount)
    slotValues.set(chunk.values, LIMBS_PER_WORD * slotCount)
    slotCount += chunk.ids.length
  })
  return writesOver(resident, {
    deletedAccounts: addressesOf(deleted, accounts.rows),
    accountIds: accountIds.subarray(0, accountCount),
    nonce: nonce.subarray(0, 2 * accountCount),
    balance: balance.subarray(0, LIMBS_PER_WORD * accountCount),
    codeIds: codes.ids?.subarray(0, accountCount),
    code: codes.code,
    slotIds: slotIds.subarray(0, slotCount),
    slotValues: slotValues.subarray(0, LIMBS_PER_WORD * slotCount),
  })
}

/** Codes of collected accounts: few accounts of most batches have any. */
class CollectedCodes {
  readonly code = new Map<string, Uint8Array>()
  /** By place; undefined until an account has code. */
  ids: Uint32Array | undefined
  readonly #resident: ResidentState

  constructor(resident: ResidentState) {
    this.#resident = resident
  }

  /** Takes code ids, with NEW_CODE, of accounts from place `first` on. */
  take(codes: Uint32Array, first: number): void {
    this.ids ??= new Uint32Array(this.#resident.accounts.entries)
    for (const [n, code] of codes.entries()) {
      const id = (code & ~NEW_CODE) >>> 0
      this.ids[first + n] = id
      const { hash, bytes } = this.#resident.codes.codes[id]!
      if (code >= NEW_CODE && bytes.length > 0) this.code.set(hash, bytes)
    }
  }
}

const addressesOf = (ids: readonly number[], rows: Uint32Array): Uint32Array => {
  const addresses = new Uint32Array(LIMBS_PER_ADDRESS * ids.length)
  for (let n = 0; n < ids.length; n++) copyAddress(addresses, LIMBS_PER_ADDRESS * n, rows, ids[n]! * ROW_LIMBS)
  return addresses
}
