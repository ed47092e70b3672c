import type { MessageBatch } from '../../primitives/message_batch.ts'
import type { CodeHashes } from './leaf_rows.ts'
import type { TrieNodes } from './trie_nodes.ts'
import { branchesByDepth, isExtended, MAX_DEPTH, writeBranch, writeExtension } from './write_branches.ts'
import { writeAccount, writeSlot } from './write_leaves.ts'

/** The tries whose nodes are hashed where they lie. */
export interface StateArenas {
  readonly accountNodes: TrieNodes
  readonly slotNodes: TrieNodes
  readonly codes: Pick<CodeHashes, 'words'>
}

/** What the ids of a stretch are. */
export const STRETCH_KINDS = { slots: 0, slotBranches: 1, accounts: 2, accountBranches: 3 } as const
const { slots, slotBranches, accounts, accountBranches } = STRETCH_KINDS

/** Nodes ids[first] .. ids[end], of one kind. None stands below another, and what is below them is in earlier ones. */
export type VisitStretch = (kind: number, ids: Int32Array, first: number, end: number) => void

/** Every listed node, stretch by stretch: slots, branches of storage from the deepest up, accounts, their branches. */
export const eachStretch = ({ slotNodes, accountNodes }: StateArenas, visit: VisitStretch): void => {
  eachStretchOf(slotNodes, slots, slotBranches, visit)
  eachStretchOf(accountNodes, accounts, accountBranches, visit)
}

const eachStretchOf = (nodes: TrieNodes, leafKind: number, branchKind: number, visit: VisitStretch): void => {
  const leaves = nodes.listedLeaves.ids()
  if (leaves.length > 0) visit(leafKind, leaves, 0, leaves.length)
  eachDepth(nodes, nodes.listedBranches.ids(), branchKind, visit)
}

/** Branches from the deepest up, each depth as a stretch. */
export const eachDepth = (nodes: TrieNodes, ids: Int32Array, branchKind: number, visit: VisitStretch): void => {
  const { order, starts } = branchesByDepth(nodes, ids)
  for (let depth = MAX_DEPTH; depth >= 0; depth--)
    if (starts[depth]! < starts[depth + 1]!) visit(branchKind, order, starts[depth]!, starts[depth + 1]!)
}

/** Writes nodes into a batch, hashes it, and makes the digests their references: on one thread, and without a plan. */
export class NodesInPlace {
  readonly #batch: MessageBatch
  readonly #extended: number[] = []

  constructor(batch: MessageBatch) {
    this.#batch = batch
  }

  /** Everything that is listed. */
  hashAll(arenas: StateArenas): void {
    eachStretch(arenas, (...stretch) => this.hash(arenas, ...stretch))
  }

  /** A stretch, or a part of it that no other thread has. */
  hash({ accountNodes, slotNodes, codes }: StateArenas, ...[kind, ids, first, end]: Parameters<VisitStretch>): void {
    if (kind === slots) this.#write(slotNodes, ids, first, end, (id) => writeSlot(slotNodes, id, this.#batch))
    else if (kind === accounts)
      this.#write(accountNodes, ids, first, end, (id) => writeAccount(accountNodes, id, slotNodes, codes, this.#batch))
    else this.#branches(kind === slotBranches ? slotNodes : accountNodes, ids, first, end)
  }

  #branches(nodes: TrieNodes, ids: Int32Array, first: number, end: number): void {
    const extended = this.#extended
    extended.length = 0
    this.#write(nodes, ids, first, end, (id) => {
      writeBranch(nodes, id, this.#batch)
      if (isExtended(nodes, id)) extended.push(id)
    })
    // The reference to the branch stands in its place so far.
    this.#write(nodes, extended, 0, extended.length, (id) => writeExtension(nodes, id, this.#batch))
  }

  #write(nodes: TrieNodes, ids: ArrayLike<number>, first: number, end: number, write: (id: number) => void): void {
    for (let n = first; n < end; n++) {
      if (this.#batch.isFull) this.#enter(nodes)
      write(ids[n]!)
    }
    this.#enter(nodes)
  }

  /** What the batch holds becomes references. */
  #enter(nodes: TrieNodes): void {
    const { count, places } = this.#batch
    nodes.setHashes(places, this.#batch.digests(), 0, count)
  }
}
