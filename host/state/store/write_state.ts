import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { bytesToHex, hexToBytes } from '../../primitives/hex.ts'
import { wordEquals, wordToHex } from '../../primitives/word.ts'
import type { StateWrites } from '../state.ts'
import type { Tables } from './environment.ts'
import { accountOrder, slotOrder } from './key_order.ts'
import {
  ADDRESS_BYTES,
  accountKey,
  afterSlots,
  EMPTY_CODE,
  encodeAccount,
  encodeWord,
  SLOT_KEY_BYTES,
  slotKey,
} from './records.ts'
import type { UndoRecord } from './undo_record.ts'
import type { WriteParts } from './write_parts.ts'

const NO_BYTES = new Uint8Array(0)

/** An account would name a code that is not there. */
class UnknownCodeError extends Error {
  override readonly name = 'UnknownCodeError'
}

/** Whether an account goes with these writes. */
export const deletesAccounts = ({ deletedAccounts, accountCount, accounts }: StateWrites): boolean =>
  deletedAccounts.length > 0 || accounts.exists.subarray(0, accountCount).includes(0)

/**
 * Enters writes in the tables, inside a transaction, and what they write over in the undo record. An account that does
 * not exist after them has no slots, as in its trie.
 *
 * undo   undefined: what they write over is known, and not read; they delete no account
 */
export const writeState = (
  tables: Tables,
  writes: StateWrites,
  undo: UndoRecord | undefined,
  parts: WriteParts,
): void => {
  for (const [hash, bytes] of writes.code) tables.code.putSync(hexToBytes(hash), bytes)
  const { deletedAccounts } = writes
  for (let i = 0; i < deletedAccounts.length / LIMBS_PER_ADDRESS; i++) removeAccount(tables, deletedAccounts, i, undo)
  writeAccounts(tables, writes, undo, parts)
  writeSlots(tables, writes, undo, parts)
}

const removeAccount = (
  { accounts, slots }: Tables,
  addresses: Uint32Array,
  i: number,
  undo: UndoRecord | undefined,
): void => {
  const key = new Uint8Array(ADDRESS_BYTES)
  accountKey(key, addresses, i)
  if (undo === undefined) throw new Error(`an account is deleted, and what it had is not known: ${bytesToHex(key)}`)
  const before = accounts.getBinaryFast(key)
  if (before === undefined) return
  undo.account(key, before)
  accounts.removeSync(key)
  const stored = [...slots.getRange({ start: key, end: afterSlots(key) })]
  for (const { key: slot, value } of stored) {
    undo.slot(slot, value)
    slots.removeSync(slot)
  }
}

const writeAccounts = (tables: Tables, writes: StateWrites, undo: UndoRecord | undefined, parts: WriteParts): void => {
  const { accounts, accountAddresses, accountCount } = writes
  const key = new Uint8Array(ADDRESS_BYTES)
  const order = accountOrder(accountAddresses, accountCount)
  parts.run(tables.accounts, accountCount, (row) => {
    const i = order[row]!
    if (accounts.exists[i] === 0) {
      removeAccount(tables, accountAddresses, i, undo)
      return
    }
    checkCode(tables, writes, i)
    accountKey(key, accountAddresses, i)
    undo?.account(key, tables.accounts.getBinaryFast(key))
    tables.accounts.putSync(key, encodeAccount(accounts, i))
  })
}

const checkCode = ({ code }: Tables, { accounts }: StateWrites, i: number): void => {
  const at = LIMBS_PER_WORD * i
  if (wordEquals(accounts.codeHash, at, EMPTY_CODE, 0)) return
  const hash = wordToHex(accounts.codeHash, at)
  if (!code.doesExist(hexToBytes(hash))) throw new UnknownCodeError(`no code with hash ${hash}`)
}

const writeSlots = (
  { accounts, slots }: Tables,
  writes: StateWrites,
  undo: UndoRecord | undefined,
  parts: WriteParts,
): void => {
  const { slotAddresses, slotKeys, slotValues, slotCount } = writes
  const key = new Uint8Array(SLOT_KEY_BYTES)
  let owner = ''
  let isThere = false
  const order = slotOrder(slotAddresses, slotKeys, slotCount)
  parts.run(slots, slotCount, (row) => {
    const i = order[row]!
    slotKey(key, slotAddresses, slotKeys, i)
    const address = key.subarray(0, ADDRESS_BYTES)
    const name = bytesToHex(address)
    if (name !== owner) {
      owner = name
      isThere = accounts.doesExist(address)
    }
    const value = isThere ? encodeWord(slotValues, i) : NO_BYTES
    if (undo !== undefined) {
      const before = slots.getBinaryFast(key)
      if (before === undefined && value.length === 0) return
      undo.slot(key, before)
    }
    if (value.length === 0) slots.removeSync(key)
    else slots.putSync(key, value)
  })
}
