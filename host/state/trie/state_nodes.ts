import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { EMPTY_CODE_HASH } from '../../primitives/keccak.ts'
import { wordCopy, wordEquals, wordFromHex, wordIsZero } from '../../primitives/word.ts'
import type { StateWrites } from '../state.ts'
import {
  ACCOUNT_ENTRY_LIMBS,
  type ChangeRecord,
  ENTRY_EXISTED,
  ENTRY_NONCE,
  ENTRY_STORAGE,
  SLOT_ENTRY_LIMBS,
} from './change_record.ts'
import type { AbsentPages } from './changed_pages.ts'
import { GuessedLeaves } from './guessed_leaves.ts'
import { hashKeys } from './hash_keys.ts'
import { insertQueued } from './insert_leaves.ts'
import { IntList } from './int_list.ts'
import {
  ACCOUNT_BALANCE,
  ACCOUNT_CHANGE,
  ACCOUNT_CODE,
  ACCOUNT_NAME,
  ACCOUNT_NONCE,
  AccountLeaves,
  CodeHashes,
  LEAF_ENTRIES,
  LEAF_LIMBS,
  LEAF_STORAGE,
  NO_PARENT,
  QUEUED,
  SLOT_NAME,
  SLOT_VALUE,
  SlotLeaves,
} from './leaf_rows.ts'
import { TrieNodes } from './trie_nodes.ts'

/**
 * The tries of a state: one of accounts, and one of slots for each account that has or had any. Writes are read from
 * their columns; a key that has been here is neither hashed nor searched for again: its row says where it hangs.
 *
 * An account that is deleted loses its storage trie as a whole. The trie stays as it was until the record of the
 * deletion is forgotten.
 */
export class StateNodes {
  readonly accounts = new AccountLeaves()
  readonly slots = new SlotLeaves()
  readonly accountNodes = new TrieNodes(this.accounts)
  readonly slotNodes = new TrieNodes(this.slots)
  readonly codes = new CodeHashes()
  readonly root = this.accountNodes.newRoot()
  /** Where its tries are on disk as well. */
  pages: AbsentPages | undefined
  /** Queued for their tries. */
  readonly #newAccounts = new IntList()
  readonly #newSlots = new IntList()
  /** Rows without a key yet. */
  readonly #unhashedAccounts = new IntList()
  readonly #unhashedSlots = new IntList()
  readonly #guessed = new GuessedLeaves()
  /** Counts changes; ACCOUNT_CHANGE of a new row is 0. */
  #change = 0

  constructor() {
    const emptyCode = new Uint32Array(LIMBS_PER_WORD)
    wordFromHex(emptyCode, 0, EMPTY_CODE_HASH)
    // The code of a new row.
    this.codes.numberOf(emptyCode, 0)
  }

  get sizeBytes(): number {
    const { accounts, slots, accountNodes, slotNodes, codes } = this
    return accounts.sizeBytes + slots.sizeBytes + accountNodes.sizeBytes + slotNodes.sizeBytes + codes.sizeBytes
  }

  /** Changes tries and lists what is to be hashed. What they replace goes to the record. */
  change(writes: StateWrites, record: ChangeRecord): void {
    this.pages?.bring(writes)
    this.#change++
    const { deletedAccounts } = writes
    for (let at = 0; at < deletedAccounts.length; at += LIMBS_PER_ADDRESS) {
      const leaf = this.accounts.find(deletedAccounts, at)
      if (leaf >= 0) this.#deleteAccount(leaf, record)
    }
    this.#changeAccounts(writes, record)
    this.#changeSlots(writes, record)
    this.#insertNew(record)
  }

  /** Puts back what a record replaced, the last one first. It is as if the change had not been. */
  undo(record: ChangeRecord): void {
    for (const list of [this.#newAccounts, this.#newSlots, this.#unhashedAccounts, this.#unhashedSlots]) list.clear()
    for (let n = record.slotCount - 1; n >= 0; n--) this.#undoSlot(record.slots, SLOT_ENTRY_LIMBS * n)
    for (let n = record.accountCount - 1; n >= 0; n--) this.#undoAccount(record.accounts, ACCOUNT_ENTRY_LIMBS * n)
  }

  /** The oldest record will not be undone any more: rows that only it named are free. */
  forget(record: ChangeRecord): void {
    for (let n = 0; n < record.slotCount; n++) this.#dropSlotEntry(record.slots[SLOT_ENTRY_LIMBS * n]!)
    for (let n = 0; n < record.accountCount; n++) this.#dropAccountEntry(record.accounts[ACCOUNT_ENTRY_LIMBS * n]!)
    for (const root of record.detached) {
      this.slotNodes.dismantle(root, (leaf) => this.slots.free(leaf))
      this.slotNodes.freeRoot(root)
    }
  }

  /** The row of an account that is in the trie, or -1. */
  findAccount(addresses: Uint32Array, at: number): number {
    const leaf = this.accounts.find(addresses, at)
    return leaf >= 0 && isIn(this.accounts.parentOf(leaf)) ? leaf : -1
  }

  /** Rows are changed in the order in which they lie, which is not that of the writes. */
  #changeAccounts(writes: StateWrites, record: ChangeRecord): void {
    const { accounts } = this
    const { accountAddresses, accountCount } = writes
    const guessed = this.#guessed.begin()
    for (let i = 0; i < accountCount; i++)
      if (!guessed.add(accounts.guess(accountAddresses, LIMBS_PER_ADDRESS * i), i))
        this.#changeAccount(accounts.find(accountAddresses, LIMBS_PER_ADDRESS * i), writes, i, record)
    const leaves = guessed.leaves()
    for (let n = 0; n < leaves.length; n++) {
      guessed.meet(leaves, n, accounts.rows, accountAddresses, LIMBS_PER_ADDRESS, writes.accounts.balance)
      const leaf = leaves[n]!
      const i = guessed.writeOf(leaf)
      const isRight = accounts.hasAddress(leaf, accountAddresses, LIMBS_PER_ADDRESS * i)
      const found = isRight ? leaf : accounts.find(accountAddresses, LIMBS_PER_ADDRESS * i)
      this.#changeAccount(found, writes, i, record)
    }
  }

  #changeAccount(known: number, writes: StateWrites, i: number, record: ChangeRecord): void {
    const { accounts } = this
    const { accountAddresses, accounts: columns } = writes
    if (columns.exists[i] === 0) {
      if (known >= 0) this.#deleteAccount(known, record)
      return
    }
    let leaf = known
    if (leaf < 0) {
      leaf = accounts.add(accountAddresses, LIMBS_PER_ADDRESS * i)
      this.#unhashedAccounts.push(leaf)
    }
    this.#noteAccount(leaf, record)
    const { rows } = accounts
    const row = LEAF_LIMBS * leaf
    rows[row + ACCOUNT_NONCE] = columns.nonce[2 * i]!
    rows[row + ACCOUNT_NONCE + 1] = columns.nonce[2 * i + 1]!
    wordCopy(rows, row + ACCOUNT_BALANCE, columns.balance, LIMBS_PER_WORD * i)
    if (!this.codes.isAt(rows[row + ACCOUNT_CODE]!, columns.codeHash, LIMBS_PER_WORD * i))
      rows[row + ACCOUNT_CODE] = this.codes.numberOf(columns.codeHash, LIMBS_PER_WORD * i)
    this.#put(this.accountNodes, leaf, this.#newAccounts)
  }

  /** Slots of an account that is not there are nothing. Order: see `#changeAccounts`. */
  #changeSlots({ slotAddresses, slotKeys, slotValues, slotCount }: StateWrites, record: ChangeRecord): void {
    const { slots } = this
    const guessed = this.#guessed.begin()
    const owners = new Int32Array(slotCount)
    let account = -1
    let storage = 0
    for (let i = 0; i < slotCount; i++) {
      const address = LIMBS_PER_ADDRESS * i
      if (i === 0 || !sameAddress(slotAddresses, address)) {
        account = this.accounts.find(slotAddresses, address)
        if (account >= 0 && this.accounts.parentOf(account) === NO_PARENT) account = -1
        storage = account < 0 ? 0 : this.accounts.rows[LEAF_LIMBS * account + LEAF_STORAGE]!
      }
      owners[i] = account
      if (account < 0) continue
      if (storage !== 0 && guessed.add(slots.guess(storage, slotKeys, LIMBS_PER_WORD * i), i)) continue
      this.#changeSlot(account, slotKeys, slotValues, LIMBS_PER_WORD * i, record)
      storage = this.accounts.rows[LEAF_LIMBS * account + LEAF_STORAGE]!
    }
    const leaves = guessed.leaves()
    for (let n = 0; n < leaves.length; n++) {
      guessed.meet(leaves, n, slots.rows, slotKeys, LIMBS_PER_WORD, slotValues)
      const leaf = leaves[n]!
      const i = guessed.writeOf(leaf)
      const at = LIMBS_PER_WORD * i
      storage = this.accounts.rows[LEAF_LIMBS * owners[i]! + LEAF_STORAGE]!
      if (!slots.isSlot(leaf, storage, slotKeys, at)) this.#changeSlot(owners[i]!, slotKeys, slotValues, at, record)
      else this.#setSlot(owners[i]!, leaf, slotValues, at, record)
    }
  }

  #changeSlot(account: number, keys: Uint32Array, values: Uint32Array, at: number, record: ChangeRecord): void {
    const { accounts, slots } = this
    const row = LEAF_LIMBS * account
    const known = accounts.rows[row + LEAF_STORAGE]!
    const found = known === 0 ? -1 : slots.find(known, keys, at)
    if (found >= 0) this.#setSlot(account, found, values, at, record)
    if (found >= 0 || wordIsZero(values, at)) return
    // Before it has a storage that it had not.
    this.#noteAccount(account, record)
    const storage = known === 0 ? this.slotNodes.newRoot() : known
    accounts.rows[row + LEAF_STORAGE] = storage
    const leaf = slots.add(storage, keys, at)
    this.#unhashedSlots.push(leaf)
    this.#setSlot(account, leaf, values, at, record)
  }

  #setSlot(account: number, leaf: number, values: Uint32Array, at: number, record: ChangeRecord): void {
    const { slots } = this
    const to = LEAF_LIMBS * leaf + SLOT_VALUE
    if (wordEquals(slots.rows, to, values, at)) return
    this.#noteAccount(account, record)
    if (this.accounts.parentOf(account) !== QUEUED) this.accountNodes.listLeaf(account)
    record.noteSlot(slots, leaf)
    wordCopy(slots.rows, to, values, at)
    if (wordIsZero(values, at)) this.slotNodes.remove(leaf)
    else this.#put(this.slotNodes, leaf, this.#newSlots)
  }

  /** A leaf has a new value. */
  #put(nodes: TrieNodes, leaf: number, queue: IntList): void {
    const parent = nodes.leaves.parentOf(leaf)
    if (isIn(parent)) nodes.listLeaf(leaf)
    else if (parent === NO_PARENT) {
      nodes.leaves.setParent(leaf, QUEUED)
      queue.push(leaf)
    }
  }

  #deleteAccount(leaf: number, record: ChangeRecord): void {
    if (this.accounts.parentOf(leaf) === NO_PARENT) return
    this.#noteAccount(leaf, record)
    this.accountNodes.remove(leaf)
    const row = LEAF_LIMBS * leaf
    const storage = this.accounts.rows[row + LEAF_STORAGE]!
    if (storage === 0) return
    this.pages?.detach(storage)
    record.detached.push(storage)
    this.accounts.rows[row + LEAF_STORAGE] = 0
  }

  #noteAccount(leaf: number, record: ChangeRecord): void {
    const at = LEAF_LIMBS * leaf + ACCOUNT_CHANGE
    if (this.accounts.rows[at] === this.#change) return
    this.accounts.rows[at] = this.#change
    record.noteAccount(this.accounts, leaf)
  }

  #insertNew(record: ChangeRecord): void {
    hashKeys(this.accounts, this.#unhashedAccounts, ACCOUNT_NAME, LIMBS_PER_ADDRESS)
    hashKeys(this.slots, this.#unhashedSlots, SLOT_NAME, LIMBS_PER_WORD)
    this.#unhashedAccounts.clear()
    this.#unhashedSlots.clear()
    const { accountNodes, slotNodes, slots } = this
    insertQueued(
      accountNodes,
      this.#newAccounts,
      () => this.root,
      (first, ids) => record.renameAccounts(first, ids),
    )
    insertQueued(
      slotNodes,
      this.#newSlots,
      (leaf) => slots.rows[LEAF_LIMBS * leaf + LEAF_STORAGE]!,
      (first, ids) => record.renameSlots(first, ids),
    )
  }

  #undoSlot(entries: Uint32Array, at: number): void {
    const { slots, slotNodes } = this
    const leaf = entries[at]!
    const row = LEAF_LIMBS * leaf
    const parent = slots.parentOf(leaf)
    wordCopy(slots.rows, row + SLOT_VALUE, entries, at + 1)
    if (wordIsZero(entries, at + 1)) {
      if (parent !== NO_PARENT) slotNodes.remove(leaf)
    } else if (parent === NO_PARENT) slotNodes.insert(leaf, slots.rows[row + LEAF_STORAGE]!)
    else slotNodes.listLeaf(leaf)
    this.#dropSlotEntry(leaf)
  }

  #undoAccount(entries: Uint32Array, at: number): void {
    const { accounts, accountNodes } = this
    const leaf = entries[at]!
    const row = LEAF_LIMBS * leaf
    const before = entries[at + ENTRY_STORAGE]!
    const after = accounts.rows[row + LEAF_STORAGE]!
    // Its slots went with their entries.
    if (after !== before && after !== 0) this.slotNodes.freeRoot(after)
    if (after !== before && before !== 0) this.slotNodes.changed?.roots.add(before)
    accounts.rows[row + LEAF_STORAGE] = before
    for (let limb = 0; limb <= ACCOUNT_CODE - ACCOUNT_NONCE; limb++)
      accounts.rows[row + ACCOUNT_NONCE + limb] = entries[at + ENTRY_NONCE + limb]!
    const parent = accounts.parentOf(leaf)
    if (entries[at + ENTRY_EXISTED] === 0) {
      if (parent !== NO_PARENT) accountNodes.remove(leaf)
    } else if (isIn(parent)) accountNodes.listLeaf(leaf)
    else accountNodes.insert(leaf, this.root)
    this.#dropAccountEntry(leaf)
  }

  #dropSlotEntry(leaf: number): void {
    const left = --this.slots.rows[LEAF_LIMBS * leaf + LEAF_ENTRIES]!
    if (left === 0 && this.slots.parentOf(leaf) === NO_PARENT) this.slots.free(leaf)
  }

  #dropAccountEntry(leaf: number): void {
    const left = --this.accounts.rows[LEAF_LIMBS * leaf + LEAF_ENTRIES]!
    if (left === 0 && this.accounts.parentOf(leaf) === NO_PARENT) this.accounts.free(leaf)
  }
}

const isIn = (parent: number): boolean => parent !== NO_PARENT && parent !== QUEUED

/** Whether the address at `at` is the one before it. */
const sameAddress = (addresses: Uint32Array, at: number): boolean => {
  for (let limb = at; limb < at + LIMBS_PER_ADDRESS; limb++)
    if (addresses[limb] !== addresses[limb - LIMBS_PER_ADDRESS]) return false
  return true
}
