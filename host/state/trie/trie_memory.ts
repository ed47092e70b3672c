import { arenaInts, arenaMemory, arenaWords } from './arena_memory.ts'
import type { ChangedPages } from './changed_pages.ts'
import { IdSet } from './id_set.ts'
import type { LeafRows } from './leaf_rows.ts'

/** A child that is not there: of a trie without entries. */
export const NO_CHILD = 0x7fff_ffff
/** From here up to NO_CHILD: a trie that is not in memory, which begins with the page of the number above this. */
export const FIRST_ABSENT = 0x4000_0000

export const isAbsent = (child: number): boolean => child >= FIRST_ABSENT && child !== NO_CHILD

/** In `lengths`: the reference is the digest of a message of the plan that is being made, by its number. */
export const PENDING = 255

/** i32 per branch, a quarter of a cache line, and positions inside. */
export const BRANCH_LIMBS = 4
export const BRANCH_PARENT = 0
/** Its nibble below its parent << 24 | depth << 16 | mask of the nibbles that have a child. */
export const BRANCH_SHAPE = 1
/** First of its places, or -1 of a branch that is free. */
export const BRANCH_PLACES = 2
/** The page that begins with it, or 0 (state_pages.ts). */
export const BRANCH_PAGE = 3

const FIRST_CAPACITY = 64

/** The arrays of one arena that nodes are written from (`TrieNodes`). */
export interface NodeArrays {
  readonly rows: Uint32Array
  readonly branches: Int32Array
  readonly children: Int32Array
  readonly lengths: Uint8Array
  readonly hashes: Uint32Array
}

/** Branches, places and references of tries (`TrieNodes`), and the leaves below them. */
export class TrieMemory {
  readonly leaves: LeafRows
  branches = arenaInts(FIRST_CAPACITY * BRANCH_LIMBS)
  children = arenaInts(FIRST_CAPACITY)
  lengths = new Uint8Array(arenaMemory(FIRST_CAPACITY))
  hashes = arenaWords(8 * FIRST_CAPACITY)
  /** The same memory. */
  hashBytes = new Uint8Array(this.hashes.buffer)
  readonly listedLeaves = new IdSet()
  readonly listedBranches = new IdSet()
  /** Of tries that are on disk as well: where they are not as they are there. */
  changed: ChangedPages | undefined
  /** Brings what is absent at a place into memory: the child of a parent at a nibble. */
  load: ((place: number, parent: number, nibble: number) => void) | undefined
  #branchCount = 0
  #freeBranch = -1
  /** Place 0 is no root, so 0 can mean none. */
  #placeCount = 1
  /** By number of places: the first free run of them, or -1; `children` links to the next. */
  readonly #freePlaces = new Int32Array(17).fill(-1)

  constructor(leaves: LeafRows) {
    this.leaves = leaves
  }

  get sizeBytes(): number {
    const { branches, children, lengths, hashes, listedLeaves, listedBranches } = this
    const arrays = branches.byteLength + children.byteLength + lengths.byteLength + hashes.byteLength
    return arrays + listedLeaves.sizeBytes + listedBranches.sizeBytes
  }

  /** What nodes are written from, and their references to. */
  get arrays(): NodeArrays {
    const { branches, children, lengths, hashes } = this
    return { rows: this.leaves.rows, branches, children, lengths, hashes }
  }

  /** Reads and writes the nodes of another thread. Nothing may be inserted or removed here. */
  adopt({ rows, branches, children, lengths, hashes }: NodeArrays): void {
    this.leaves.rows = rows
    this.branches = branches
    this.children = children
    this.lengths = lengths
    this.#setHashes(hashes)
  }

  /** Takes other memory for references: another thread may still write to the one that they were in. */
  leaveReferences(): void {
    this.#setPlaces(this.lengths.length)
  }

  /** The reference at a place, a hash, as 0x-hex. */
  hashAt(place: number): string {
    return `0x${Buffer.from(this.hashBytes.buffer, 32 * place, 32).toString('hex')}`
  }

  /** Digests of the messages first .. end become references at their places, where they have one. */
  setHashes(places: Int32Array, digests: Uint32Array, first: number, end: number): void {
    const { hashes, lengths } = this
    for (let message = first; message < end; message++) {
      const place = places[message]!
      if (place < 0) continue
      for (let word = 0; word < 8; word++) hashes[8 * place + word] = digests[8 * message + word]!
      lengths[place] = 0
    }
  }

  protected movePlaces(from: number, to: number, count: number): void {
    for (let n = 0; n < count; n++) {
      this.children[to + n] = this.children[from + n]!
      this.lengths[to + n] = this.lengths[from + n]!
    }
    this.hashes.copyWithin(8 * to, 8 * from, 8 * (from + count))
  }

  protected newBranch(): number {
    const free = this.#freeBranch
    if (free >= 0) {
      this.#freeBranch = this.branches[BRANCH_LIMBS * free + BRANCH_PARENT]!
      return free
    }
    if (BRANCH_LIMBS * this.#branchCount === this.branches.length) {
      const branches = arenaInts(2 * this.branches.length)
      branches.set(this.branches)
      this.branches = branches
    }
    return this.#branchCount++
  }

  /** It may still be listed; so is the one that takes its row. */
  protected freeBranchRow(branch: number): void {
    this.branches[BRANCH_LIMBS * branch + BRANCH_PARENT] = this.#freeBranch
    this.branches[BRANCH_LIMBS * branch + BRANCH_PLACES] = -1
    this.leavePage(branch)
    this.#freeBranch = branch
  }

  /** No page begins with this branch any more. */
  leavePage(branch: number): void {
    const at = BRANCH_LIMBS * branch + BRANCH_PAGE
    if (this.branches[at] === 0) return
    this.changed?.gone.push(this.branches[at]!)
    this.branches[at] = 0
  }

  protected newPlaces(count: number): number {
    const free = this.#freePlaces[count]!
    if (free >= 0) {
      this.#freePlaces[count] = this.children[free]!
      return free
    }
    if (this.#placeCount + count > this.children.length) this.#setPlaces(2 * this.lengths.length)
    const first = this.#placeCount
    this.#placeCount += count
    return first
  }

  protected freePlacesOf(first: number, count: number): void {
    this.children[first] = this.#freePlaces[count]!
    this.#freePlaces[count] = first
  }

  #setPlaces(capacity: number): void {
    const children = arenaInts(capacity)
    children.set(this.children)
    this.children = children
    const lengths = new Uint8Array(arenaMemory(capacity))
    lengths.set(this.lengths)
    this.lengths = lengths
    const hashes = arenaWords(8 * capacity)
    hashes.set(this.hashes)
    this.#setHashes(hashes)
  }

  #setHashes(hashes: Uint32Array): void {
    this.hashes = hashes
    this.hashBytes = new Uint8Array(hashes.buffer)
  }
}

export const depthIn = (shape: number): number => (shape >> 16) & 0xff

/** Bits of a mask of 16. */
export const bitCount = (mask: number): number => {
  let bits = (mask & 0xffff) - ((mask >> 1) & 0x5555)
  bits = (bits & 0x3333) + ((bits >> 2) & 0x3333)
  bits = (bits + (bits >> 4)) & 0x0f0f
  return (bits + (bits >> 8)) & 31
}
