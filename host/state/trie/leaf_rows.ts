import { accountHash, slotHash } from '../../../transpiler/layout/tables.ts'
import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { wordCopy, wordEquals } from '../../primitives/word.ts'
import { arenaWords } from './arena_memory.ts'
import { LeafIndex } from './leaf_index.ts'

/** u32 per leaf, two cache lines, and positions inside. */
export const LEAF_LIMBS = 32
/** The hashed key, 8 words in the order of its bytes. */
export const LEAF_KEY = 0
/** A branch id, ~place of a root (trie_nodes.ts), NO_PARENT or QUEUED. */
export const LEAF_PARENT = 8
/** Entries of the history that name it. A row in no trie stays while there are any. */
export const LEAF_ENTRIES = 10
/** Place of a storage root: of a slot, of the trie that it is in; of an account, of its own, 0 where it has none. */
export const LEAF_STORAGE = 11
/** Of a slot, in limb order: its value, and its key before it was hashed. */
export const SLOT_VALUE = 12
export const SLOT_NAME = 20
/** Of an account: nonce (2 limbs), balance (8), the number of its code hash (`CodeHashes`), address (5). */
export const ACCOUNT_NONCE = 12
export const ACCOUNT_BALANCE = 14
export const ACCOUNT_CODE = 22
export const ACCOUNT_NAME = 23
/** Number of the change that last put the account into the history. */
export const ACCOUNT_CHANGE = 28

export const KEY_NIBBLES = 64

/** The parent of a leaf that is in no trie. */
export const NO_PARENT = 0x7fff_ffff
/** The parent of a leaf that is about to be put into its trie. */
export const QUEUED = 0x7fff_fffe

const FIRST_CAPACITY = 64

/** Rows of leaves by id, with an index by what was hashed to their keys. Row 0 is never a leaf. */
export class LeafRows {
  rows = arenaWords(FIRST_CAPACITY * LEAF_LIMBS)
  /** The same memory. */
  bytes = new Uint8Array(this.rows.buffer)
  readonly index = new LeafIndex()
  #count = 1
  #free = 0

  get sizeBytes(): number {
    return this.rows.byteLength + this.index.sizeBytes
  }

  parentOf(leaf: number): number {
    return this.rows[LEAF_LIMBS * leaf + LEAF_PARENT]! | 0
  }

  setParent(leaf: number, parent: number): void {
    this.rows[LEAF_LIMBS * leaf + LEAF_PARENT] = parent
  }

  /** Makes the hashed key of a row these 32 bytes. */
  setKey(leaf: number, key: Uint8Array): void {
    this.bytes.set(key, 4 * (LEAF_LIMBS * leaf + LEAF_KEY))
  }

  /**
   * Lays rows that are in no trie out anew: `order` has the ids from `first` on, each once, and row order[n] becomes
   * row first + n. Returns the new ids, of row `first` first.
   */
  layOut(first: number, order: Int32Array): Int32Array {
    const { rows } = this
    const before = rows.slice(LEAF_LIMBS * first, LEAF_LIMBS * (first + order.length))
    const ids = new Int32Array(order.length)
    for (let n = 0; n < order.length; n++) {
      const from = LEAF_LIMBS * (order[n]! - first)
      const to = LEAF_LIMBS * (first + n)
      for (let limb = 0; limb < LEAF_LIMBS; limb++) rows[to + limb] = before[from + limb]!
      ids[order[n]! - first] = first + n
    }
    this.index.rename(first, ids)
    return ids
  }

  /** A row that is in no trie; its other limbs are those of whatever was there, but for LEAF_ENTRIES, which is 0. */
  protected newRow(hash: number): number {
    let leaf = this.#free
    if (leaf !== 0) this.#free = this.rows[LEAF_LIMBS * leaf + LEAF_STORAGE]!
    else {
      leaf = this.#count++
      if (LEAF_LIMBS * leaf === this.rows.length) {
        const rows = arenaWords(2 * this.rows.length)
        rows.set(this.rows)
        this.rows = rows
        this.bytes = new Uint8Array(rows.buffer)
      }
    }
    this.setParent(leaf, NO_PARENT)
    this.rows[LEAF_LIMBS * leaf + LEAF_ENTRIES] = 0
    this.index.put(hash, leaf)
    return leaf
  }

  /** The row, which is in no trie and no history, may become another leaf. */
  protected freeRow(leaf: number, hash: number): void {
    this.index.take(hash, leaf)
    this.rows[LEAF_LIMBS * leaf + LEAF_STORAGE] = this.#free
    this.#free = leaf
  }
}

/** The slots of all accounts: found by storage and key. */
export class SlotLeaves extends LeafRows {
  /** The row of a slot of this storage, whether or not it is in the trie; or -1. */
  find(storage: number, keys: Uint32Array, at: number): number {
    const { words, mask } = this.index
    const hash = slotHash(storage, keys, at) | 0
    for (let bucket = hash & mask; ; bucket = (bucket + 1) & mask) {
      const leaf = words[2 * bucket]!
      if (leaf === 0) return -1
      if (words[2 * bucket + 1] === hash && this.isSlot(leaf, storage, keys, at)) return leaf
    }
  }

  /** What `find` gives, unless two slots have one hash. */
  guess(storage: number, keys: Uint32Array, at: number): number {
    return this.index.first(slotHash(storage, keys, at) | 0)
  }

  isSlot(leaf: number, storage: number, keys: Uint32Array, at: number): boolean {
    const row = LEAF_LIMBS * leaf
    return this.rows[row + LEAF_STORAGE] === storage && wordEquals(this.rows, row + SLOT_NAME, keys, at)
  }

  add(storage: number, keys: Uint32Array, at: number): number {
    const leaf = this.newRow(slotHash(storage, keys, at) | 0)
    const row = LEAF_LIMBS * leaf
    this.rows[row + LEAF_STORAGE] = storage
    wordCopy(this.rows, row + SLOT_NAME, keys, at)
    this.rows.fill(0, row + SLOT_VALUE, row + SLOT_VALUE + LIMBS_PER_WORD)
    return leaf
  }

  free(leaf: number): void {
    const row = LEAF_LIMBS * leaf
    this.freeRow(leaf, slotHash(this.rows[row + LEAF_STORAGE]!, this.rows, row + SLOT_NAME) | 0)
  }
}

/** Accounts, found by address. */
export class AccountLeaves extends LeafRows {
  /** The row of an account, whether or not it is in the trie; or -1. */
  find(addresses: Uint32Array, at: number): number {
    const { words, mask } = this.index
    const hash = accountHash(addresses, at) | 0
    for (let bucket = hash & mask; ; bucket = (bucket + 1) & mask) {
      const leaf = words[2 * bucket]!
      if (leaf === 0) return -1
      if (words[2 * bucket + 1] === hash && this.hasAddress(leaf, addresses, at)) return leaf
    }
  }

  /** What `find` gives, unless two addresses have one hash. */
  guess(addresses: Uint32Array, at: number): number {
    return this.index.first(accountHash(addresses, at) | 0)
  }

  add(addresses: Uint32Array, at: number): number {
    const leaf = this.newRow(accountHash(addresses, at) | 0)
    const row = LEAF_LIMBS * leaf
    this.rows[row + LEAF_STORAGE] = 0
    this.rows.fill(0, row + ACCOUNT_NONCE, row + ACCOUNT_CODE + 1)
    for (let limb = 0; limb < LIMBS_PER_ADDRESS; limb++) this.rows[row + ACCOUNT_NAME + limb] = addresses[at + limb]!
    this.rows[row + ACCOUNT_CHANGE] = 0
    return leaf
  }

  free(leaf: number): void {
    this.freeRow(leaf, accountHash(this.rows, LEAF_LIMBS * leaf + ACCOUNT_NAME) | 0)
  }

  hasAddress(leaf: number, addresses: Uint32Array, at: number): boolean {
    const { rows } = this
    const row = LEAF_LIMBS * leaf + ACCOUNT_NAME
    return (
      rows[row] === addresses[at] &&
      rows[row + 1] === addresses[at + 1] &&
      rows[row + 2] === addresses[at + 2] &&
      rows[row + 3] === addresses[at + 3] &&
      rows[row + 4] === addresses[at + 4]
    )
  }
}

/** Nibble of a leaf's key: the high half of a byte comes first. */
export const leafNibble = ({ rows }: LeafRows, leaf: number, at: number): number =>
  (rows[LEAF_LIMBS * leaf + LEAF_KEY + (at >> 3)]! >>> (((at & 6) << 2) + (~at & 1) * 4)) & 15

/** How many nibbles two keys have in common from their beginning. */
export const sharedNibbles = ({ rows }: LeafRows, a: number, b: number): number => {
  const ai = LEAF_LIMBS * a + LEAF_KEY
  const bi = LEAF_LIMBS * b + LEAF_KEY
  for (let word = 0; word < 8; word++) {
    const difference = rows[ai + word]! ^ rows[bi + word]!
    if (difference === 0) continue
    // Bytes ascend in a word from its low end.
    const byte = (31 - Math.clz32(difference & -difference)) >> 3
    return 8 * word + 2 * byte + (((difference >>> (8 * byte)) & 0xf0) === 0 ? 1 : 0)
  }
  return KEY_NIBBLES
}

/** Hashes of codes by number, each once; they are never dropped. Words of 8 limbs, in the order of their bytes. */
export class CodeHashes {
  words = arenaWords(8 * FIRST_CAPACITY)
  /** The same memory. */
  bytes = new Uint8Array(this.words.buffer)
  readonly #limbs = new Map<string, number>()
  #count = 0

  /** The number of a hash that stands at `hashes[at]` in limb order. */
  numberOf(hashes: Uint32Array, at: number): number {
    const name = hashes.subarray(at, at + LIMBS_PER_WORD).join()
    const known = this.#limbs.get(name)
    if (known !== undefined) return known
    const number = this.#count++
    if (LIMBS_PER_WORD * number === this.words.length) {
      const words = arenaWords(2 * this.words.length)
      words.set(this.words)
      this.words = words
      this.bytes = new Uint8Array(words.buffer)
    }
    for (let limb = 0; limb < LIMBS_PER_WORD; limb++)
      this.words[LIMBS_PER_WORD * number + limb] = reversedBytes(hashes[at + LIMBS_PER_WORD - 1 - limb]!)
    this.#limbs.set(name, number)
    return number
  }

  /** Whether this is the number of the hash at `hashes[at]`. */
  isAt(number: number, hashes: Uint32Array, at: number): boolean {
    for (let limb = 0; limb < LIMBS_PER_WORD; limb++)
      if (this.words[LIMBS_PER_WORD * number + limb] !== reversedBytes(hashes[at + LIMBS_PER_WORD - 1 - limb]!))
        return false
    return true
  }

  /** 0x-hex. */
  hexOf(number: number): string {
    return `0x${Buffer.from(this.words.buffer, 32 * number, 32).toString('hex')}`
  }

  get sizeBytes(): number {
    return this.words.byteLength
  }
}

/** As u32. */
export const reversedBytes = (x: number): number =>
  ((x << 24) | ((x & 0xff00) << 8) | ((x >>> 8) & 0xff00) | (x >>> 24)) >>> 0
