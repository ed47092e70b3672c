import { LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { addressFromBytes, wordFromBytes } from '../../primitives/word.ts'
import { IntList } from './int_list.ts'
import {
  ACCOUNT_BALANCE,
  ACCOUNT_CODE,
  ACCOUNT_NONCE,
  LEAF_LIMBS,
  LEAF_STORAGE,
  leafNibble,
  SLOT_VALUE,
} from './leaf_rows.ts'
import { ADDRESS_BYTES, HAS_CODE, HAS_STORAGE, HASH_BYTES, NONCE_LENGTH, TAG_BRANCH, TAG_PAGE } from './page_writer.ts'
import type { StateNodes } from './state_nodes.ts'
import { bitCount, FIRST_ABSENT, NO_CHILD } from './trie_memory.ts'
import type { TrieNodes } from './trie_nodes.ts'
import { MAX_DEPTH } from './write_branches.ts'

/** Bytes that are no page, or not the one that was meant. */
export class PageError extends Error {
  override readonly name = 'PageError'
}

/** What a trie that is read takes: where its root is, and the place of the storage whose slots it has. */
interface Reading {
  readonly nodes: TrieNodes
  /** Of slots: the place of their root. */
  readonly storage: number
}

/** Brings pages (`PageWriter`) into the arenas of a state. What was read has no keys and references yet. */
export class PageReader {
  /** Rows that were read. */
  readonly accounts = new IntList()
  readonly slots = new IntList()
  /** Branches that were read. */
  readonly accountBranches = new IntList()
  readonly slotBranches = new IntList()
  readonly #state: StateNodes
  readonly #word = new Uint32Array(LIMBS_PER_WORD)
  #bytes: Uint8Array = new Uint8Array(0)
  #at = 0
  /** Tries that were met and not read. */
  absent = 0

  constructor(state: StateNodes) {
    this.#state = state
  }

  /**
   * Puts a page where the child of `parent` at `nibble` is absent. Throws PageError, with what it read so far in the
   * arenas: nothing may be done with them then.
   *
   * page      the number by which a branch at its beginning keeps it; 0 of the page of a root
   * storage   of slots: the place of their root
   */
  read(record: Uint8Array, reading: Reading, parent: number, nibble: number, page: number): void {
    this.#bytes = record
    this.#at = 0
    const child = this.#node(reading, parent, nibble)
    if (this.#at !== record.length) throw new PageError('is longer than what it holds')
    const { nodes } = reading
    nodes.children[nodes.placeOf(parent, nibble)] = child
    if (page !== 0 && child < 0) nodes.beginPage(~child, page)
    else if (page !== 0) throw new PageError('begins with no branch')
  }

  /** Nothing was read. */
  clear(): void {
    this.absent = 0
    for (const list of [this.accounts, this.slots, this.accountBranches, this.slotBranches]) list.clear()
  }

  #node(reading: Reading, parent: number, nibble: number): number {
    const tag = this.#byte()
    if (tag === TAG_BRANCH) return this.#branch(reading, parent, nibble)
    if (reading.nodes === this.#state.slotNodes) return this.#slot(tag, reading.storage, parent)
    return this.#account(tag, parent)
  }

  #branch(reading: Reading, parent: number, nibble: number): number {
    const { nodes } = reading
    const depth = this.#byte()
    const mask = (this.#byte() << 8) | this.#byte()
    const count = bitCount(mask)
    if (depth > MAX_DEPTH || depth < nodes.depthBelow(parent) || count < 2)
      throw new PageError('has a branch that is none')
    const branch = nodes.newBranchOf(parent, nibble, depth, mask)
    const list = nodes === this.#state.slotNodes ? this.slotBranches : this.accountBranches
    list.push(branch)
    // The branch that had this row before may be listed; this one is not, nor are those above it.
    nodes.listedBranches.delete(branch)
    for (let rest = mask; rest !== 0; rest &= rest - 1) {
      const below = 31 - Math.clz32(rest & -rest)
      const isPage = this.#bytes[this.#at] === TAG_PAGE
      const child = isPage ? this.#page(nodes, branch, below) : this.#node(reading, branch, below)
      nodes.children[nodes.placeOf(branch, below)] = child
    }
    return ~branch
  }

  #page(nodes: TrieNodes, parent: number, nibble: number): number {
    this.#at++
    this.absent++
    const page = this.#pageNumber()
    this.#hash(nodes, nodes.placeOf(parent, nibble))
    return FIRST_ABSENT + page
  }

  #account(tag: number, parent: number): number {
    const { accounts, slotNodes, codes } = this.#state
    const nonceLength = tag & NONCE_LENGTH
    if (nonceLength > 8 || (tag & ~(NONCE_LENGTH | HAS_CODE | HAS_STORAGE)) !== 0)
      throw new PageError('has an account that is none')
    const address = this.#take(ADDRESS_BYTES)
    addressFromBytes(this.#word, 0, this.#bytes, address)
    const leaf = accounts.add(this.#word, 0)
    const row = LEAF_LIMBS * leaf
    accounts.setParent(leaf, parent)
    this.accounts.push(leaf)
    this.#number(accounts.rows, row + ACCOUNT_NONCE, nonceLength)
    if ((tag & HAS_CODE) !== 0) {
      wordFromBytes(this.#word, 0, this.#bytes, this.#take(HASH_BYTES))
      accounts.rows[row + ACCOUNT_CODE] = codes.numberOf(this.#word, 0)
    }
    if ((tag & HAS_STORAGE) !== 0) {
      this.absent++
      const root = slotNodes.newRoot()
      const page = this.#pageNumber()
      this.#hash(slotNodes, root)
      slotNodes.children[root] = FIRST_ABSENT + page
      slotNodes.setRootPage(root, page)
      accounts.rows[row + LEAF_STORAGE] = root
    }
    this.#number(accounts.rows, row + ACCOUNT_BALANCE, this.#byte())
    return leaf
  }

  #slot(length: number, storage: number, parent: number): number {
    const { slots } = this.#state
    if (length === 0 || length > HASH_BYTES) throw new PageError('has a slot that is none')
    wordFromBytes(this.#word, 0, this.#bytes, this.#take(HASH_BYTES))
    const leaf = slots.add(storage, this.#word, 0)
    slots.setParent(leaf, parent)
    this.slots.push(leaf)
    this.#number(slots.rows, LEAF_LIMBS * leaf + SLOT_VALUE, length)
    return leaf
  }

  /** A number of so many bytes to limbs that are 0. */
  #number(rows: Uint32Array, at: number, length: number): void {
    if (length > HASH_BYTES) throw new PageError('has a number that is too long')
    const first = this.#take(length)
    for (let n = 0; n < length; n++) rows[at + (n >> 2)]! |= this.#bytes[first + length - 1 - n]! << (8 * (n & 3))
  }

  #pageNumber(): number {
    const at = this.#take(4)
    const [a, b, c, d] = [this.#bytes[at]!, this.#bytes[at + 1]!, this.#bytes[at + 2]!, this.#bytes[at + 3]!]
    const page = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0
    if (page === 0 || FIRST_ABSENT + page >= NO_CHILD) throw new PageError('names a page that is none')
    return page
  }

  #hash(nodes: TrieNodes, place: number): void {
    const at = this.#take(HASH_BYTES)
    for (let n = 0; n < HASH_BYTES; n++) nodes.hashBytes[32 * place + n] = this.#bytes[at + n]!
    nodes.lengths[place] = 0
  }

  #byte(): number {
    return this.#bytes[this.#take(1)]!
  }

  /** Where so many bytes are. */
  #take(length: number): number {
    const at = this.#at
    this.#at += length
    if (this.#at > this.#bytes.length) throw new PageError('is shorter than what it holds')
    return at
  }
}

/** Whether a leaf that was read stands where its key says, down to its parent. */
export const standsRight = (nodes: TrieNodes, leaf: number): boolean => {
  const parent = nodes.leaves.parentOf(leaf)
  return (
    parent < 0 || nodes.children[nodes.placeOf(parent, leafNibble(nodes.leaves, leaf, nodes.depthOf(parent)))] === leaf
  )
}
