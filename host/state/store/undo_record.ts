import { LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { bytesToHex } from '../../primitives/hex.ts'
import { addressToBytes, wordToBytes } from '../../primitives/word.ts'
import { writeShort } from '../short_number.ts'
import {
  ACCOUNT_ENTRY_LIMBS,
  ENTRY_BALANCE,
  ENTRY_CODE,
  ENTRY_EXISTED,
  ENTRY_NONCE,
  SLOT_ENTRY_LIMBS,
} from '../trie/change_record.ts'
import { ACCOUNT_NAME, LEAF_LIMBS, LEAF_STORAGE, SLOT_NAME } from '../trie/leaf_rows.ts'
import type { ReplacedValues } from '../trie/replaced_values.ts'
import { ADDRESS_BYTES, MOST_ACCOUNT_BYTES, SLOT_KEY_BYTES, writeAccount } from './records.ts'

/**
 * What a block wrote over, in the order in which it did: entries of
 *
 * kind u8      0 an account, 1 a slot
 * key          of its table
 * length u8    of the value; 0 where there was none
 * value
 *
 * An entry may come twice, where an account was deleted and made anew: undone in reverse, the first one counts.
 */
const ACCOUNT = 0
const SLOT = 1

type Kind = typeof ACCOUNT | typeof SLOT

/** Values as they were, by key (0x-hex: 20 bytes of an account, 52 of a slot); undefined where there was none. */
export type Undone = Map<string, UndoEntry>

export class UndoRecord {
  #bytes = new Uint8Array(4096)
  #length = 0

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  account(key: Uint8Array, value: Uint8Array | undefined): void {
    this.#add(ACCOUNT, key, value)
  }

  slot(key: Uint8Array, value: Uint8Array | undefined): void {
    this.#add(SLOT, key, value)
  }

  #add(kind: Kind, key: Uint8Array, value: Uint8Array | undefined): void {
    const valueLength = value === undefined ? 0 : value.length
    const end = this.#length + 2 + key.length + valueLength
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(end, 2 * this.#bytes.length))
      larger.set(this.bytes)
      this.#bytes = larger
    }
    let at = this.#length
    this.#bytes[at++] = kind
    this.#bytes.set(key, at)
    at += key.length
    this.#bytes[at++] = valueLength
    // Bytes of the database may lie in a longer buffer that is used again.
    for (let n = 0; n < valueLength; n++) this.#bytes[at + n] = value![n]!
    this.#length = end
  }
}

const HEAD_BYTES = 2
const WORD_BYTES = 32

/**
 * The record of a change of the trie, whose values before it are those of its parent's state: nothing is read from the
 * disk. Undefined where an account of it has lost its storage since.
 */
export const undoOf = ({ record, accounts, slots, codes }: ReplacedValues): Uint8Array | undefined => {
  const { accountCount, slotCount } = record
  const most =
    (HEAD_BYTES + ADDRESS_BYTES + MOST_ACCOUNT_BYTES) * accountCount +
    (HEAD_BYTES + SLOT_KEY_BYTES + WORD_BYTES) * slotCount
  const bytes = new Uint8Array(most)
  /** Leaves of accounts by the place of their storage. */
  const owners = new Map<number, number>()
  let at = 0
  for (let n = 0; n < accountCount; n++) {
    const entry = ACCOUNT_ENTRY_LIMBS * n
    const row = LEAF_LIMBS * record.accounts[entry]!
    const storage = accounts[row + LEAF_STORAGE]!
    if (storage !== 0) owners.set(storage, row)
    bytes[at] = ACCOUNT
    addressToBytes(bytes, at + 1, accounts, row + ACCOUNT_NAME)
    const length = at + 1 + ADDRESS_BYTES
    at = length + 1
    if (record.accounts[entry + ENTRY_EXISTED] === 1) {
      const code = record.accounts[entry + ENTRY_CODE]!
      const { accounts: entries } = record
      const hash = code === 0 ? undefined : codes
      at = writeAccount(
        bytes,
        at,
        entries,
        entry + ENTRY_NONCE,
        entries,
        entry + ENTRY_BALANCE,
        hash,
        WORD_BYTES * code,
      )
    }
    bytes[length] = at - length - 1
  }
  let storage = 0
  let owner = 0
  for (let n = 0; n < slotCount; n++) {
    const entry = SLOT_ENTRY_LIMBS * n
    const row = LEAF_LIMBS * record.slots[entry]!
    if (slots[row + LEAF_STORAGE] !== storage || n === 0) {
      storage = slots[row + LEAF_STORAGE]!
      const found = owners.get(storage)
      if (found === undefined) return undefined
      owner = found
    }
    bytes[at] = SLOT
    addressToBytes(bytes, at + 1, accounts, owner + ACCOUNT_NAME)
    wordToBytes(bytes, at + 1 + ADDRESS_BYTES, slots, row + SLOT_NAME)
    const length = at + 1 + SLOT_KEY_BYTES
    at = writeShort(bytes, length + 1, record.slots, entry + 1, LIMBS_PER_WORD)
    bytes[length] = at - length - 1
  }
  return bytes.subarray(0, at)
}

/** An entry of a record. */
export interface UndoEntry {
  readonly key: Uint8Array
  readonly value: Uint8Array | undefined
}

/** The entries of a record in their order, undefined where it is none. */
export const undoEntries = (record: Uint8Array): readonly UndoEntry[] | undefined => {
  const entries: UndoEntry[] = []
  for (let at = 0; at < record.length; ) {
    const kind = record[at]!
    if (kind !== ACCOUNT && kind !== SLOT) return undefined
    const keyEnd = at + 1 + (kind === ACCOUNT ? ADDRESS_BYTES : SLOT_KEY_BYTES)
    const length = record[keyEnd]
    if (length === undefined || keyEnd + 1 + length > record.length) return undefined
    const value = length === 0 ? undefined : record.subarray(keyEnd + 1, keyEnd + 1 + length)
    entries.push({ key: record.subarray(at + 1, keyEnd), value })
    at = keyEnd + 1 + length
  }
  return entries
}

/** Adds what a record holds to what the records of later blocks hold. */
export const undo = (undone: Undone, entries: readonly UndoEntry[]): void => {
  // In reverse: an entry may come twice, and the first one counts.
  for (let n = entries.length - 1; n >= 0; n--) undone.set(bytesToHex(entries[n]!.key), entries[n]!)
}
