import { PageWriter } from './page_writer.ts'
import type { StateNodes } from './state_nodes.ts'
import type { StatePages } from './state_pages.ts'
import { BRANCH_LIMBS, BRANCH_PLACES, BRANCH_SHAPE, bitCount, isAbsent } from './trie_memory.ts'
import type { TrieNodes } from './trie_nodes.ts'

/**
 * How tries are cut into pages: a leaf weighs 4, since it is hashed where it is read, another page 1. A page of more
 * than MOST leaves the branches of its upper end to pages of their own where these weigh more than LEAST; one of LEAST
 * or less goes back to the page above it.
 */
const LEAF_WEIGHT = 4
const PAGE_WEIGHT = 1
const MOST = 256
const LEAST = 16

/** What makes the pages on disk those of the tries in memory. */
export interface PageChanges {
  /** The page that accounts begin with, 0 where there are none, and the hash of their root (0x-hex). */
  readonly page: number
  readonly hash: string
  /** The number of the next page that is begun. */
  readonly next: number
  readonly written: readonly WrittenPage[]
  readonly gone: readonly number[]
}

export interface WrittenPage {
  readonly page: number
  readonly bytes: Uint8Array
}

/** Cuts what has changed in the tries of a state, of which nothing is listed, into pages, and writes these. */
export class PageCuts {
  readonly #state: StateNodes
  readonly #pages: StatePages
  readonly #writer: PageWriter
  #written: WrittenPage[] = []

  constructor(state: StateNodes, pages: StatePages) {
    this.#state = state
    this.#pages = pages
    this.#writer = new PageWriter(state)
  }

  /** `hash`: of the root of accounts. */
  changes(hash: string): PageChanges {
    const { accountNodes, slotNodes, root } = this.#state
    this.#written = []
    // An account names the page of its storage.
    this.#cut(slotNodes)
    this.#cut(accountNodes)
    const gone = [slotNodes, accountNodes].flatMap(({ changed }) => [
      ...changed!.gone.values.subarray(0, changed!.gone.count),
    ])
    return { page: accountNodes.rootPage(root), hash, next: this.#pages.next, written: this.#written, gone }
  }

  #cut(nodes: TrieNodes): void {
    const changed = nodes.changed!
    const begins = [...changed.branches.ids()].filter((branch) => !nodes.isFree(branch) && nodes.pageOf(branch) !== 0)
    // A page that goes back to the one above it is met there.
    begins.sort((a, b) => nodes.depthOf(b) - nodes.depthOf(a))
    for (const branch of begins) {
      if (this.#weigh(nodes, branch) <= LEAST) nodes.leavePage(branch)
      else this.#write(nodes, nodes.placeOfBranch(branch), nodes.pageOf(branch))
    }
    for (const root of changed.roots.ids()) this.#cutRoot(nodes, root)
  }

  #cutRoot(nodes: TrieNodes, root: number): void {
    const child = nodes.children[root]!
    if (nodes.isEmpty(root)) {
      nodes.leaveRootPage(root)
      return
    }
    if (child < 0) {
      nodes.leavePage(~child)
      this.#weigh(nodes, ~child)
    }
    if (nodes.rootPage(root) === 0) nodes.setRootPage(root, this.#pages.next++)
    this.#write(nodes, root, nodes.rootPage(root))
  }

  /** What the page that a branch begins weighs, after branches below it have got pages of their own. */
  #weigh(nodes: TrieNodes, branch: number): number {
    const row = BRANCH_LIMBS * branch
    const first = nodes.branches[row + BRANCH_PLACES]!
    const count = bitCount(nodes.branches[row + BRANCH_SHAPE]!)
    const weights: number[] = []
    let sum = 0
    for (let n = 0; n < count; n++) {
      const child = nodes.children[first + n]!
      const isPage = isAbsent(child) || (child < 0 && nodes.pageOf(~child) !== 0)
      const weight = isPage ? PAGE_WEIGHT : child < 0 ? this.#weigh(nodes, ~child) : LEAF_WEIGHT
      weights.push(weight)
      sum += weight
    }
    if (sum <= MOST) return sum
    for (let n = 0; n < count; n++) {
      const child = nodes.children[first + n]!
      // Its parent has the hash of a page, not the node.
      if (child >= 0 || weights[n]! <= LEAST || nodes.lengths[first + n] !== 0) continue
      nodes.beginPage(~child, this.#pages.next++)
      // It stays to be written until it is.
      nodes.changed!.branches.add(~child)
      this.#write(nodes, first + n, nodes.pageOf(~child))
      sum -= weights[n]! - PAGE_WEIGHT
    }
    return sum
  }

  #write(nodes: TrieNodes, place: number, page: number): void {
    this.#written.push({ page, bytes: this.#writer.pageOf(nodes, place) })
  }
}
