import { LIMBS_PER_ADDRESS } from '../../../transpiler/layout/word.ts'
import { addressToBytes, wordToBytes } from '../../primitives/word.ts'
import { writeShort } from '../short_number.ts'
import {
  ACCOUNT_BALANCE,
  ACCOUNT_CODE,
  ACCOUNT_NAME,
  ACCOUNT_NONCE,
  LEAF_LIMBS,
  LEAF_STORAGE,
  SLOT_NAME,
  SLOT_VALUE,
} from './leaf_rows.ts'
import type { StateNodes } from './state_nodes.ts'
import {
  BRANCH_LIMBS,
  BRANCH_PAGE,
  BRANCH_PLACES,
  BRANCH_SHAPE,
  bitCount,
  depthIn,
  FIRST_ABSENT,
  isAbsent,
} from './trie_memory.ts'
import type { TrieNodes } from './trie_nodes.ts'

/**
 * A page is a part of a trie as bytes: the node that it begins with and what is below, down to leaves and to other
 * pages.
 *
 * branch    TAG_BRANCH, depth u8, mask of its children u16, then each child in the order of their nibbles
 * page      TAG_PAGE, number u32, hash by which it stands in its parent (32)
 * account   bytes of its nonce, and HAS_CODE, HAS_STORAGE; address (20), nonce, code hash (32) and, of its storage,
 *           page u32 and root (32), where there are any; length of its balance u8, balance
 * slot      length of its value u8, slot (32), value
 *
 * Numbers are big-endian; values are without leading zeros. Hashes of keys, leaves and branches are not kept: they are
 * made where a page is read, and show that it is the one that its parent means.
 */
export const TAG_BRANCH = 0xff
export const TAG_PAGE = 0xfe
export const HAS_CODE = 0x80
export const HAS_STORAGE = 0x40
export const NONCE_LENGTH = 0x0f

export const ADDRESS_BYTES = 4 * LIMBS_PER_ADDRESS
export const HASH_BYTES = 32
/** The number of the code of an account without code. */
const EMPTY_CODE_NUMBER = 0

/** More than a node takes: of an account its head, address, nonce, code hash, page and root of its storage, balance. */
const MOST_NODE_BYTES = 160

/** Writes pages, one after the other. */
export class PageWriter {
  readonly #state: StateNodes
  #bytes = new Uint8Array(1 << 14)
  #at = 0

  constructor(state: StateNodes) {
    this.#state = state
  }

  /** The page of a trie that begins with the node at this place. */
  pageOf(nodes: TrieNodes, place: number): Uint8Array {
    this.#at = 0
    const child = nodes.children[place]!
    if (child < 0) this.#branch(nodes, ~child)
    else this.#node(nodes, place)
    return this.#bytes.slice(0, this.#at)
  }

  #node(nodes: TrieNodes, place: number): void {
    const child = nodes.children[place]!
    if (isAbsent(child)) this.#page(nodes, place, child - FIRST_ABSENT)
    else if (child < 0) {
      const page = nodes.branches[BRANCH_LIMBS * ~child + BRANCH_PAGE]!
      if (page === 0) this.#branch(nodes, ~child)
      else this.#page(nodes, place, page)
    } else if (nodes === this.#state.slotNodes) this.#slot(LEAF_LIMBS * child)
    else this.#account(LEAF_LIMBS * child)
  }

  #branch(nodes: TrieNodes, branch: number): void {
    this.#reserve()
    const row = BRANCH_LIMBS * branch
    const shape = nodes.branches[row + BRANCH_SHAPE]!
    const first = nodes.branches[row + BRANCH_PLACES]!
    this.#bytes[this.#at++] = TAG_BRANCH
    this.#bytes[this.#at++] = depthIn(shape)
    this.#bytes[this.#at++] = shape >> 8
    this.#bytes[this.#at++] = shape
    for (let n = 0; n < bitCount(shape); n++) this.#node(nodes, first + n)
  }

  #page(nodes: TrieNodes, place: number, page: number): void {
    this.#reserve()
    this.#bytes[this.#at++] = TAG_PAGE
    this.#pageNumber(page)
    this.#hash(nodes.hashBytes, 32 * place)
  }

  #account(row: number): void {
    this.#reserve()
    const { accounts, slotNodes, codes } = this.#state
    const { rows } = accounts
    const storage = rows[row + LEAF_STORAGE]!
    const hasStorage = storage !== 0 && !slotNodes.isEmpty(storage)
    const code = rows[row + ACCOUNT_CODE]!
    const head = this.#at++
    addressToBytes(this.#bytes, this.#at, rows, row + ACCOUNT_NAME)
    this.#at += ADDRESS_BYTES
    const nonce = this.#number(rows, row + ACCOUNT_NONCE, 2)
    this.#bytes[head] = nonce | (code === EMPTY_CODE_NUMBER ? 0 : HAS_CODE) | (hasStorage ? HAS_STORAGE : 0)
    if (code !== EMPTY_CODE_NUMBER) this.#hash(codes.bytes, HASH_BYTES * code)
    if (hasStorage) {
      this.#pageNumber(slotNodes.rootPage(storage))
      this.#hash(slotNodes.hashBytes, 32 * storage)
    }
    const length = this.#at++
    this.#bytes[length] = this.#number(rows, row + ACCOUNT_BALANCE, 8)
  }

  #slot(row: number): void {
    this.#reserve()
    const { rows } = this.#state.slots
    const length = this.#at++
    wordToBytes(this.#bytes, this.#at, rows, row + SLOT_NAME)
    this.#at += HASH_BYTES
    this.#bytes[length] = this.#number(rows, row + SLOT_VALUE, 8)
  }

  /** Limbs as a number without leading zeros. Returns its bytes. */
  #number(rows: Uint32Array, at: number, limbs: number): number {
    const end = writeShort(this.#bytes, this.#at, rows, at, limbs)
    const length = end - this.#at
    this.#at = end
    return length
  }

  #pageNumber(page: number): void {
    this.#bytes[this.#at++] = page >>> 24
    this.#bytes[this.#at++] = page >>> 16
    this.#bytes[this.#at++] = page >>> 8
    this.#bytes[this.#at++] = page
  }

  #hash(from: Uint8Array, at: number): void {
    for (let n = 0; n < HASH_BYTES; n++) this.#bytes[this.#at++] = from[at + n]!
  }

  #reserve(): void {
    if (this.#bytes.length - this.#at >= MOST_NODE_BYTES) return
    const bytes = new Uint8Array(2 * this.#bytes.length)
    bytes.set(this.#bytes)
    this.#bytes = bytes
  }
}
