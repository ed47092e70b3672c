import { LEAF_KEY, LEAF_LIMBS, LEAF_STORAGE } from './leaf_rows.ts'
import { StateNodes } from './state_nodes.ts'
import { type PagedRoot, type PageSource, StatePages } from './state_pages.ts'
import { BRANCH_LIMBS, BRANCH_SHAPE, NO_CHILD } from './trie_memory.ts'
import type { TrieNodes } from './trie_nodes.ts'

/** Ranges of keys are those of their first four nibbles. */
export const KEY_PREFIXES = 2 ** 16
const PREFIX_NIBBLES = 4

/** Rows of leaves in the arenas of `state`, which are good for the call. */
export interface LeafVisitor {
  account(state: StateNodes, leaf: number): void
  slot(state: StateNodes, account: number, leaf: number): void
}

/**
 * Reads the pages of a state's tries, and visits every account whose key begins with first .. end, and its slots. What
 * is read hashes up to the root. Throws what the source does where it does not.
 */
export const visitLeaves = (
  source: PageSource,
  root: PagedRoot,
  [first, end]: readonly [number, number],
  visitor: LeafVisitor,
): void => {
  const state = new StateNodes()
  const pages = new StatePages(state, source, root)
  state.pages = pages
  const { accounts, accountNodes, slotNodes } = state
  const isIn = (leaf: number): boolean => {
    const bytes = 4 * (LEAF_LIMBS * leaf + LEAF_KEY)
    const prefix = (accounts.bytes[bytes]! << 8) | accounts.bytes[bytes + 1]!
    return prefix >= first && prefix < end
  }
  const ofStorage = (account: number, child: number): void => {
    if (child >= 0) {
      if (child !== NO_CHILD) visitor.slot(state, account, child)
      return
    }
    for (const nibble of nibblesOf(slotNodes, ~child)) ofStorage(account, slotNodes.childOf(~child, nibble))
  }
  /** `known`: nibbles of the way here, in `prefix`; -1 where an extension hides some. */
  const ofAccounts = (child: number, prefix: number, known: number): void => {
    if (child >= 0) {
      if (child === NO_CHILD || !isIn(child)) return
      visitor.account(state, child)
      const storage = accounts.rows[LEAF_LIMBS * child + LEAF_STORAGE]!
      if (storage !== 0) ofStorage(child, slotNodes.childOf(~storage, 0))
      return
    }
    const isKnown = known >= 0 && known < PREFIX_NIBBLES && accountNodes.depthOf(~child) === known
    for (const nibble of nibblesOf(accountNodes, ~child)) {
      const below = 16 * prefix + nibble
      const size = 16 ** (PREFIX_NIBBLES - known - 1)
      if (isKnown && (size * (below + 1) <= first || size * below >= end)) continue
      ofAccounts(accountNodes.childOf(~child, nibble), below, isKnown ? known + 1 : -1)
    }
  }
  ofAccounts(accountNodes.childOf(~state.root, 0), 0, 0)
}

const nibblesOf = (nodes: TrieNodes, branch: number): number[] => {
  const nibbles: number[] = []
  for (let rest = nodes.branches[BRANCH_LIMBS * branch + BRANCH_SHAPE]! & 0xffff; rest !== 0; rest &= rest - 1)
    nibbles.push(31 - Math.clz32(rest & -rest))
  return nibbles
}
