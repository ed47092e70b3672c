import { arenaInts, arenaMemory, arenaWords } from './arena_memory.ts'
import { IdSet } from './id_set.ts'
import { KEY_NIBBLES, type LeafRows, leafNibble, NO_PARENT, QUEUED, sharedNibbles } from './leaf_rows.ts'

/** A child that is not there: of a trie without entries. */
export const NO_CHILD = 0x7fff_ffff
/** In `lengths`: the reference is the digest of a message of the plan that is being made, by its number. */
export const PENDING = 255

/** i32 per branch, a quarter of a cache line, and positions inside. */
export const BRANCH_LIMBS = 4
export const BRANCH_PARENT = 0
/** Its nibble below its parent << 24 | depth << 16 | mask of the nibbles that have a child. */
export const BRANCH_SHAPE = 1
/** First of its places, or -1 of a branch that is free. */
export const BRANCH_PLACES = 2

const FIRST_CAPACITY = 64

/** The arrays of one arena that nodes are written from (`TrieNodes`). */
export interface NodeArrays {
  readonly rows: Uint32Array
  readonly branches: Int32Array
  readonly children: Int32Array
  readonly lengths: Uint8Array
  readonly hashes: Uint32Array
}

/**
 * Merkle Patricia tries (YP appendix D) of keys of 32 bytes as typed arrays: leaves, branches, and the references by
 * which nodes stand in their parents. An extension is no node of its own: it is implied where a branch lies deeper than
 * one nibble below its parent, so insertions and removals touch a branch or two, whatever the paths.
 *
 * leaves     rows with key, parent and value (leaf_rows.ts)
 * branches   i32[4 b]: parent, shape, first place. Its children are those of the mask in its shape, in order of their
 *            nibbles, in neighbouring places
 * places     one for each reference to a node, that of a root included:
 *              children  i32   a leaf id, or ~branch id, or NO_CHILD (of a root)
 *              lengths   u8    0: the reference is a hash; 1 to 31: the node itself, of that length; or PENDING
 *              hashes    u32[8]  the reference, in the order of its bytes
 * parent     of a leaf or branch: a branch id, or ~place of the root
 *
 * Leaves and branches whose references are to be made anew are *listed*. A branch that is listed has only listed
 * branches above it. What is freed may stay listed.
 *
 * Key nibbles above a branch are those of any leaf below it, so no node stores a path.
 */
export class TrieNodes {
  readonly leaves: LeafRows
  branches = arenaInts(FIRST_CAPACITY * BRANCH_LIMBS)
  children = arenaInts(FIRST_CAPACITY)
  lengths = new Uint8Array(arenaMemory(FIRST_CAPACITY))
  hashes = arenaWords(8 * FIRST_CAPACITY)
  /** The same memory. */
  hashBytes = new Uint8Array(this.hashes.buffer)
  readonly listedLeaves = new IdSet()
  readonly listedBranches = new IdSet()
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

  /** The place of the root of a new trie. */
  newRoot(): number {
    const root = this.#newPlaces(1)
    this.children[root] = NO_CHILD
    this.lengths[root] = 0
    return root
  }

  /** Takes a trie without entries away. */
  freeRoot(root: number): void {
    this.#freePlacesOf(root, 1)
  }

  isEmpty(root: number): boolean {
    return this.children[root] === NO_CHILD
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

  /** All references are made: nothing is listed. */
  settle(): void {
    this.listedLeaves.clear()
    this.listedBranches.clear()
  }

  /** Where the reference to a child of this parent stands, by its nibble; of a root the nibble is ignored. */
  placeOf(parent: number, nibble: number): number {
    if (parent < 0) return ~parent
    const row = BRANCH_LIMBS * parent
    return this.branches[row + BRANCH_PLACES]! + bitCount(this.branches[row + BRANCH_SHAPE]! & ((1 << nibble) - 1))
  }

  /** Where the reference to a leaf in a trie stands. */
  placeOfLeaf(leaf: number): number {
    const parent = this.leaves.parentOf(leaf)
    return parent < 0 ? ~parent : this.placeOf(parent, leafNibble(this.leaves, leaf, this.depthOf(parent)))
  }

  depthOf(branch: number): number {
    return depthIn(this.branches[BRANCH_LIMBS * branch + BRANCH_SHAPE]!)
  }

  placeOfBranch(branch: number): number {
    const row = BRANCH_LIMBS * branch
    return this.placeOf(this.branches[row + BRANCH_PARENT]!, this.branches[row + BRANCH_SHAPE]! >> 24)
  }

  /** First nibble of the way from a parent to its children. */
  depthBelow(parent: number): number {
    return parent < 0 ? 0 : this.depthOf(parent) + 1
  }

  /** Any leaf below a child; all of them share the nibbles down to it. */
  anyLeaf(child: number): number {
    let at = child
    while (at < 0) at = this.children[this.branches[BRANCH_LIMBS * ~at + BRANCH_PLACES]!]!
    return at
  }

  /** Puts a leaf that is in no trie where no leaf has its key. */
  insert(leaf: number, root: number): void {
    const near = this.#nearest(root, leaf)
    if (near < 0) {
      this.children[root] = leaf
      this.leaves.setParent(leaf, ~root)
      this.listLeaf(leaf)
      return
    }
    const depth = sharedNibbles(this.leaves, near, leaf)
    if (depth === KEY_NIBBLES) throw new Error('the trie has this key already')
    // The node that stays below, or beside, the leaf.
    let at = this.children[root]!
    let parent = ~root
    while (at < 0 && this.depthOf(~at) < depth) {
      parent = ~at
      at = this.children[this.placeOf(parent, leafNibble(this.leaves, leaf, this.depthOf(parent)))]!
    }
    const nibble = leafNibble(this.leaves, leaf, depth)
    if (at < 0 && this.depthOf(~at) === depth) this.#addChild(~at, nibble, leaf)
    else this.#splitAbove(at, parent, depth, leafNibble(this.leaves, near, depth), leaf, nibble)
    this.listLeaf(leaf)
  }

  /** Fills an empty trie with the leaves ids[first] .. ids[end], one or more, in the order of their keys, each once. */
  build(ids: Int32Array, first: number, end: number, root: number): void {
    const built = this.#buildBelow(ids, first, end, ~root, 0)
    // Arrays have moved where they grew.
    this.children[root] = built
  }

  /** Returns the child that holds these leaves. Branches and places are taken from the root down, left to right. */
  #buildBelow(ids: Int32Array, first: number, end: number, parent: number, nibble: number): number {
    const { leaves } = this
    if (end - first === 1) {
      leaves.setParent(ids[first]!, parent)
      this.listedLeaves.add(ids[first]!)
      return ids[first]!
    }
    const depth = sharedNibbles(leaves, ids[first]!, ids[end - 1]!)
    let mask = 0
    for (let n = first; n < end; n++) mask |= 1 << leafNibble(leaves, ids[n]!, depth)
    const branch = this.#newBranch()
    const places = this.#newPlaces(bitCount(mask))
    const row = BRANCH_LIMBS * branch
    this.branches[row + BRANCH_PARENT] = parent
    this.branches[row + BRANCH_SHAPE] = (nibble << 24) | (depth << 16) | mask
    this.branches[row + BRANCH_PLACES] = places
    this.listedBranches.add(branch)
    let place = places
    for (let from = first; from < end; ) {
      const child = leafNibble(leaves, ids[from]!, depth)
      let to = from + 1
      while (to < end && leafNibble(leaves, ids[to]!, depth) === child) to++
      const built = this.#buildBelow(ids, from, to, branch, child)
      this.children[place++] = built
      from = to
    }
    return ~branch
  }

  /** Takes a leaf out of its trie. Its row stays. */
  remove(leaf: number): void {
    const parent = this.leaves.parentOf(leaf)
    this.leaves.setParent(leaf, NO_PARENT)
    if (parent === QUEUED) return
    if (parent < 0) {
      this.children[~parent] = NO_CHILD
      this.lengths[~parent] = 0
      return
    }
    const row = BRANCH_LIMBS * parent
    const shape = this.branches[row + BRANCH_SHAPE]!
    const bit = 1 << leafNibble(this.leaves, leaf, depthIn(shape))
    const mask = shape & 0xffff
    const count = bitCount(mask)
    if (count > 2) this.#resize(parent, mask ^ bit)
    else this.#collapse(parent, mask ^ bit)
  }

  /** Lists a leaf of a trie and every branch above it. */
  listLeaf(leaf: number): void {
    this.listedLeaves.add(leaf)
    this.listBranch(this.leaves.parentOf(leaf))
  }

  /** The leaves of a trie, taken apart: its branches and places are free, its rows in no trie. */
  dismantle(root: number, visit: (leaf: number) => void): void {
    const stack = [this.children[root]!]
    this.children[root] = NO_CHILD
    this.lengths[root] = 0
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      if (at === NO_CHILD) continue
      if (at >= 0) {
        this.leaves.setParent(at, NO_PARENT)
        visit(at)
        continue
      }
      const row = BRANCH_LIMBS * ~at
      const count = bitCount(this.branches[row + BRANCH_SHAPE]! & 0xffff)
      const first = this.branches[row + BRANCH_PLACES]!
      for (let n = 0; n < count; n++) stack.push(this.children[first + n]!)
      this.#freePlacesOf(first, count)
      this.#freeBranchRow(~at)
    }
  }

  /** A leaf of the trie that shares as many nibbles with the key as any, or -1 where there is none. */
  #nearest(root: number, key: number): number {
    let at = this.children[root]!
    if (at === NO_CHILD) return -1
    while (at < 0) {
      const row = BRANCH_LIMBS * ~at
      const shape = this.branches[row + BRANCH_SHAPE]!
      const below = 1 << leafNibble(this.leaves, key, depthIn(shape))
      const first = this.branches[row + BRANCH_PLACES]!
      if ((shape & below) === 0) return this.anyLeaf(this.children[first]!)
      at = this.children[first + bitCount(shape & (below - 1))]!
    }
    return at
  }

  /** A branch at `depth` takes the place of node `at`, over it and the leaf. */
  #splitAbove(at: number, parent: number, depth: number, nibble: number, leaf: number, leafAt: number): void {
    const branch = this.#newBranch()
    const places = this.#newPlaces(2)
    const below = parent < 0 ? 0 : leafNibble(this.leaves, leaf, this.depthOf(parent))
    const row = BRANCH_LIMBS * branch
    this.branches[row + BRANCH_PARENT] = parent
    this.branches[row + BRANCH_SHAPE] = (below << 24) | (depth << 16) | (1 << nibble) | (1 << leafAt)
    this.branches[row + BRANCH_PLACES] = places
    this.children[this.placeOf(parent, below)] = ~branch
    this.children[places + (nibble < leafAt ? 0 : 1)] = at
    this.children[places + (nibble < leafAt ? 1 : 0)] = leaf
    this.leaves.setParent(leaf, branch)
    this.listedBranches.add(branch)
    this.listBranch(parent)
    this.#moveBelow(at, branch, nibble)
  }

  /** Gives a node another parent. Its reference is made anew, since it says the way from there. */
  #moveBelow(node: number, parent: number, nibble: number): void {
    if (node >= 0) {
      this.leaves.setParent(node, parent)
      this.listLeaf(node)
      return
    }
    const row = BRANCH_LIMBS * ~node
    this.branches[row + BRANCH_PARENT] = parent
    this.branches[row + BRANCH_SHAPE] = (this.branches[row + BRANCH_SHAPE]! & 0xff_ffff) | (nibble << 24)
    this.listedBranches.add(~node)
    this.listBranch(parent)
  }

  #addChild(branch: number, nibble: number, leaf: number): void {
    this.#resize(branch, (this.branches[BRANCH_LIMBS * branch + BRANCH_SHAPE]! & 0xffff) | (1 << nibble))
    this.children[this.placeOf(branch, nibble)] = leaf
    this.leaves.setParent(leaf, branch)
  }

  /** Moves a branch to as many places as its new mask has children, one more or one less; the new one is not set. */
  #resize(branch: number, mask: number): void {
    const row = BRANCH_LIMBS * branch
    const shape = this.branches[row + BRANCH_SHAPE]!
    const before = shape & 0xffff
    const from = this.branches[row + BRANCH_PLACES]!
    const countBefore = bitCount(before)
    const to = this.#newPlaces(bitCount(mask))
    const lower = bitCount(before & mask & ((before ^ mask) - 1))
    this.#movePlaces(from, to, lower)
    const [skipped, made] = mask > before ? [0, 1] : [1, 0]
    this.#movePlaces(from + lower + skipped, to + lower + made, countBefore - lower - skipped)
    this.#freePlacesOf(from, countBefore)
    this.branches[row + BRANCH_SHAPE] = (shape & ~0xffff) | mask
    this.branches[row + BRANCH_PLACES] = to
    this.listBranch(branch)
  }

  #movePlaces(from: number, to: number, count: number): void {
    for (let n = 0; n < count; n++) {
      this.children[to + n] = this.children[from + n]!
      this.lengths[to + n] = this.lengths[from + n]!
    }
    this.hashes.copyWithin(8 * to, 8 * from, 8 * (from + count))
  }

  /** A branch with the one child of `bit` gives it its own place. */
  #collapse(branch: number, bit: number): void {
    const row = BRANCH_LIMBS * branch
    const parent = this.branches[row + BRANCH_PARENT]!
    const shape = this.branches[row + BRANCH_SHAPE]!
    const first = this.branches[row + BRANCH_PLACES]!
    const left = this.children[first + bitCount(shape & (bit - 1))]!
    this.children[this.placeOf(parent, shape >> 24)] = left
    this.#freePlacesOf(first, 2)
    this.#freeBranchRow(branch)
    this.#moveBelow(left, parent, shape >> 24)
  }

  /** Lists a branch and those above it, up to one that is listed. The place of a root is none. */
  listBranch(branch: number): void {
    for (let at = branch; at >= 0; at = this.branches[BRANCH_LIMBS * at + BRANCH_PARENT]!)
      if (!this.listedBranches.add(at)) return
  }

  #newBranch(): number {
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
  #freeBranchRow(branch: number): void {
    this.branches[BRANCH_LIMBS * branch + BRANCH_PARENT] = this.#freeBranch
    this.branches[BRANCH_LIMBS * branch + BRANCH_PLACES] = -1
    this.#freeBranch = branch
  }

  #newPlaces(count: number): number {
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

  #freePlacesOf(first: number, count: number): void {
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
