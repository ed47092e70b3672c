import { LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { wordCopy } from '../../primitives/word.ts'
import {
  ACCOUNT_BALANCE,
  ACCOUNT_CODE,
  ACCOUNT_NONCE,
  LEAF_ENTRIES,
  LEAF_LIMBS,
  LEAF_STORAGE,
  type LeafRows,
  NO_PARENT,
  QUEUED,
  SLOT_VALUE,
} from './leaf_rows.ts'

/** u32 per entry of a slot: leaf, value before (8 limbs). */
export const SLOT_ENTRY_LIMBS = 1 + LIMBS_PER_WORD
/** u32 per entry of an account, and positions inside: leaf, whether it was in the trie, its fields, its storage. */
export const ACCOUNT_ENTRY_LIMBS = 14
export const ENTRY_EXISTED = 1
export const ENTRY_STORAGE = 2
/** ACCOUNT_NONCE to ACCOUNT_CODE of its row. */
export const ENTRY_NONCE = 3
export const ENTRY_BALANCE = ENTRY_NONCE + ACCOUNT_BALANCE - ACCOUNT_NONCE
export const ENTRY_CODE = ENTRY_NONCE + ACCOUNT_CODE - ACCOUNT_NONCE

/** What one change of the state replaced: accounts and slots as they were, in the order in which they were changed. */
export class ChangeRecord {
  /** The root before it. */
  readonly root: string
  slots: Uint32Array
  slotCount = 0
  accounts: Uint32Array
  accountCount = 0
  /** Storage roots of accounts that were deleted. Their tries stay as they were. */
  readonly detached: number[] = []

  /** With room for so many entries at first. */
  constructor(root: string, slots: number, accounts: number) {
    this.root = root
    this.slots = new Uint32Array(SLOT_ENTRY_LIMBS * slots)
    this.accounts = new Uint32Array(ACCOUNT_ENTRY_LIMBS * accounts)
  }

  get sizeBytes(): number {
    return this.slots.byteLength + this.accounts.byteLength
  }

  noteSlot({ rows }: LeafRows, leaf: number): void {
    const at = SLOT_ENTRY_LIMBS * this.slotCount++
    if (at === this.slots.length) this.slots = grown(this.slots, SLOT_ENTRY_LIMBS)
    const row = LEAF_LIMBS * leaf
    rows[row + LEAF_ENTRIES]!++
    this.slots[at] = leaf
    wordCopy(this.slots, at + 1, rows, row + SLOT_VALUE)
  }

  /** Rows from `first` on have new ids. */
  renameSlots(first: number, ids: Int32Array): void {
    rename(this.slots, SLOT_ENTRY_LIMBS, this.slotCount, first, ids)
  }

  renameAccounts(first: number, ids: Int32Array): void {
    rename(this.accounts, ACCOUNT_ENTRY_LIMBS, this.accountCount, first, ids)
  }

  noteAccount(leaves: LeafRows, leaf: number): void {
    const at = ACCOUNT_ENTRY_LIMBS * this.accountCount++
    if (at === this.accounts.length) this.accounts = grown(this.accounts, ACCOUNT_ENTRY_LIMBS)
    const { rows } = leaves
    const row = LEAF_LIMBS * leaf
    const parent = leaves.parentOf(leaf)
    rows[row + LEAF_ENTRIES]!++
    this.accounts[at] = leaf
    this.accounts[at + ENTRY_EXISTED] = parent === NO_PARENT || parent === QUEUED ? 0 : 1
    this.accounts[at + ENTRY_STORAGE] = rows[row + LEAF_STORAGE]!
    for (let limb = 0; limb <= ACCOUNT_CODE - ACCOUNT_NONCE; limb++)
      this.accounts[at + ENTRY_NONCE + limb] = rows[row + ACCOUNT_NONCE + limb]!
  }
}

const rename = (entries: Uint32Array, limbs: number, count: number, first: number, ids: Int32Array): void => {
  for (let at = 0; at < limbs * count; at += limbs) {
    const id = ids[entries[at]! - first]
    if (id !== undefined) entries[at] = id
  }
}

const grown = (from: Uint32Array, least: number): Uint32Array => {
  const to = new Uint32Array(Math.max(8 * least, 2 * from.length))
  to.set(from)
  return to
}
