import type { NodeHasher } from '../../primitives/hash_plan.ts'
import type { StateArenas } from './hash_nodes.ts'

/** Threads that hash listed nodes where they lie. */
export interface NodeThreads {
  /** False where a thread did not finish its part: it may still write references. */
  hash(arenas: StateArenas): boolean
}

/** The listed nodes of a state trie, whose references are to be made anew: in one of these ways, once. */
export interface ListedNodes {
  /** Permutations of keccak that they take, about. */
  readonly blocks: number
  /** As a plan: written on this thread, hashed elsewhere, and the digests entered. */
  byPlan(hasher: NodeHasher): Promise<void>
  /** Where they lie, on this thread or on several. They may be hashed again where this throws. */
  inPlace(threads?: NodeThreads): void
}

/** A hasher that chooses how listed nodes are hashed. */
export interface ListedHasher extends NodeHasher {
  hashListed(nodes: ListedNodes): Promise<void>
}

export const hashesListed = (hasher: NodeHasher): hasher is ListedHasher => 'hashListed' in hasher
