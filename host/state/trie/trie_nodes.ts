import { KEY_NIBBLES, leafNibble, NO_PARENT, QUEUED, sharedNibbles } from './leaf_rows.ts'
import {
  BRANCH_LIMBS,
  BRANCH_PAGE,
  BRANCH_PARENT,
  BRANCH_PLACES,
  BRANCH_SHAPE,
  bitCount,
  depthIn,
  isAbsent,
  NO_CHILD,
  TrieMemory,
} from './trie_memory.ts'

/** Places of a root: of its reference, and one whose child is the number of its page. */
const ROOT_PLACES = 2
const ROOT_PAGE = 1

/** The lowest nibble of a mask. */
const lowestBit = (mask: number): number => 31 - Math.clz32(mask & -mask)

/**
 * Merkle Patricia tries (YP appendix D) of keys of 32 bytes as typed arrays: leaves, branches, and the references by
 * which nodes stand in their parents. An extension is no node of its own: it is implied where a branch lies deeper than
 * one nibble below its parent, so insertions and removals touch a branch or two, whatever the paths.
 *
 * leaves     rows with key, parent and value (leaf_rows.ts)
 * branches   i32[4 b]: parent, shape, first place. Its children are those of the mask in its shape, in order of their
 *            nibbles, in neighbouring places
 * places     one for each reference to a node, that of a root included:
 *              children  i32   a leaf id, or ~branch id, or NO_CHILD (of a root), or FIRST_ABSENT and a page
 *              lengths   u8    0: the reference is a hash; 1 to 31: the node itself, of that length; or PENDING
 *              hashes    u32[8]  the reference, in the order of its bytes
 * parent     of a leaf or branch: a branch id, or ~place of the root
 *
 * Leaves and branches whose references are to be made anew are *listed*. A branch that is listed has only listed
 * branches above it. What is freed may stay listed.
 *
 * Key nibbles above a branch are those of any leaf below it, so no node stores a path.
 */
export class TrieNodes extends TrieMemory {
  /** The place of the root of a new trie. */
  newRoot(): number {
    const root = this.newPlaces(ROOT_PLACES)
    this.children[root] = NO_CHILD
    this.children[root + ROOT_PAGE] = 0
    this.lengths[root] = 0
    return root
  }

  /** Takes a trie without entries away. */
  freeRoot(root: number): void {
    this.leaveRootPage(root)
    this.changed?.roots.delete(root)
    this.freePlacesOf(root, ROOT_PLACES)
  }

  /** The number of the page that a trie begins with, or 0. */
  rootPage(root: number): number {
    return this.children[root + ROOT_PAGE]!
  }

  setRootPage(root: number, page: number): void {
    this.children[root + ROOT_PAGE] = page
  }

  /** No page begins with this trie any more. */
  leaveRootPage(root: number): void {
    const page = this.rootPage(root)
    if (page !== 0) this.changed?.gone.push(page)
    this.setRootPage(root, 0)
  }

  /** The number of the page that begins with a branch, or 0. */
  pageOf(branch: number): number {
    return this.branches[BRANCH_LIMBS * branch + BRANCH_PAGE]!
  }

  beginPage(branch: number, page: number): void {
    this.branches[BRANCH_LIMBS * branch + BRANCH_PAGE] = page
  }

  isFree(branch: number): boolean {
    return this.branches[BRANCH_LIMBS * branch + BRANCH_PLACES] === -1
  }

  /** The place of the root of the trie that a node's parent is in. */
  rootAbove(parent: number): number {
    let at = parent
    while (at >= 0) at = this.branches[BRANCH_LIMBS * at + BRANCH_PARENT]!
    return ~at
  }

  /** What stands at a place, that of the child of a parent at a nibble; brought into memory where it is absent. */
  childAt(place: number, parent: number, nibble: number): number {
    while (isAbsent(this.children[place]!)) this.load!(place, parent, nibble)
    return this.children[place]!
  }

  childOf(parent: number, nibble: number): number {
    return this.childAt(this.placeOf(parent, nibble), parent, nibble)
  }

  /** The child of a branch with the lowest nibble. */
  firstChild(branch: number): number {
    const row = BRANCH_LIMBS * branch
    return this.childAt(this.branches[row + BRANCH_PLACES]!, branch, lowestBit(this.branches[row + BRANCH_SHAPE]!))
  }

  isEmpty(root: number): boolean {
    return this.children[root] === NO_CHILD
  }

  /** All references are made: nothing is listed. */
  settle(): void {
    if (this.listedBranches.count > 0) this.changed?.branches.addAll(this.listedBranches.ids())
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
    while (at < 0) at = this.firstChild(~at)
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
    let at = this.childOf(~root, 0)
    let parent = ~root
    while (at < 0 && this.depthOf(~at) < depth) {
      parent = ~at
      at = this.childOf(parent, leafNibble(this.leaves, leaf, this.depthOf(parent)))
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
    this.changed?.roots.add(root)
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
    const branch = this.newBranchOf(parent, nibble, depth, mask)
    this.listedBranches.add(branch)
    let place = this.branches[BRANCH_LIMBS * branch + BRANCH_PLACES]!
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

  /** A branch with places for its children, below a parent that does not know it yet. */
  newBranchOf(parent: number, nibble: number, depth: number, mask: number): number {
    const branch = this.newBranch()
    const places = this.newPlaces(bitCount(mask))
    const row = BRANCH_LIMBS * branch
    this.branches[row + BRANCH_PARENT] = parent
    this.branches[row + BRANCH_SHAPE] = (nibble << 24) | (depth << 16) | mask
    this.branches[row + BRANCH_PLACES] = places
    return branch
  }

  /** Takes a leaf out of its trie. Its row stays. */
  remove(leaf: number): void {
    const parent = this.leaves.parentOf(leaf)
    this.leaves.setParent(leaf, NO_PARENT)
    if (parent === QUEUED) return
    if (parent < 0) {
      this.children[~parent] = NO_CHILD
      this.lengths[~parent] = 0
      this.changed?.roots.add(~parent)
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
      this.freePlacesOf(first, count)
      this.freeBranchRow(~at)
    }
  }

  /** A leaf of the trie that shares as many nibbles with the key as any, or -1 where there is none. */
  #nearest(root: number, key: number): number {
    let at = this.childOf(~root, 0)
    if (at === NO_CHILD) return -1
    while (at < 0) {
      const row = BRANCH_LIMBS * ~at
      const shape = this.branches[row + BRANCH_SHAPE]!
      const nibble = leafNibble(this.leaves, key, depthIn(shape))
      if ((shape & (1 << nibble)) === 0) return this.anyLeaf(at)
      const place = this.branches[row + BRANCH_PLACES]! + bitCount(shape & ((1 << nibble) - 1))
      at = this.childAt(place, ~at, nibble)
    }
    return at
  }

  /** A branch at `depth` takes the place of node `at`, over it and the leaf. */
  #splitAbove(at: number, parent: number, depth: number, nibble: number, leaf: number, leafAt: number): void {
    const branch = this.newBranch()
    const places = this.newPlaces(2)
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
    const to = this.newPlaces(bitCount(mask))
    const lower = bitCount(before & mask & ((before ^ mask) - 1))
    this.movePlaces(from, to, lower)
    const [skipped, made] = mask > before ? [0, 1] : [1, 0]
    this.movePlaces(from + lower + skipped, to + lower + made, countBefore - lower - skipped)
    this.freePlacesOf(from, countBefore)
    this.branches[row + BRANCH_SHAPE] = (shape & ~0xffff) | mask
    this.branches[row + BRANCH_PLACES] = to
    this.listBranch(branch)
  }

  /** A branch with the one child of `bit` gives it its own place. */
  #collapse(branch: number, bit: number): void {
    const row = BRANCH_LIMBS * branch
    const parent = this.branches[row + BRANCH_PARENT]!
    const shape = this.branches[row + BRANCH_SHAPE]!
    const first = this.branches[row + BRANCH_PLACES]!
    // In memory, since it moves: its way from the parent is part of its reference.
    const left = this.childAt(first + bitCount(shape & (bit - 1)), branch, lowestBit(bit))
    this.children[this.placeOf(parent, shape >> 24)] = left
    this.freePlacesOf(first, 2)
    this.freeBranchRow(branch)
    this.#moveBelow(left, parent, shape >> 24)
  }

  /** Lists a branch and those above it, up to one that is listed. The place of a root is none. */
  listBranch(branch: number): void {
    let at = branch
    for (; at >= 0; at = this.branches[BRANCH_LIMBS * at + BRANCH_PARENT]!) if (!this.listedBranches.add(at)) return
    this.changed?.roots.add(~at)
  }
}
