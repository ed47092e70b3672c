import type { NodeHasher } from '../../primitives/hash_plan.ts'
import type { StateWrites } from '../state.ts'

/**
 * The state as a Merkle Patricia trie (YP 4.1): accounts under the hashes of their addresses, each with the root of a
 * trie of its slots. Roots are 0x-hex.
 *
 * Example: {@link createStateTrie}.
 */
export interface StateTrie {
  readonly root: string
  /** Moves to the state after the writes and returns its root. One call at a time. */
  apply(writes: StateWrites): Promise<string>
  /** Moves to a state that the trie has been at, as when the writes after it were not committed in the end. */
  rewind(root: string): void
  /**
   * The first half of `apply`, on this thread: the writes are in, and the root is asked of what is returned. One change
   * at a time; `rewind` takes it back before its root is known, too.
   */
  prepare?(writes: StateWrites): RootJob
}

/**
 * A change of a state trie whose hashes are still to be made.
 *
 * Example: {@link createStateTrie}.
 */
export interface RootJob {
  /** Hashes, and returns the root. Without a hasher it is the trie's own. Where it throws, the change is taken back. */
  finish(hasher?: NodeHasher): Promise<string>
}

/**
 * The state trie that {@link createStateTrie} makes: in typed arrays, with the last changes kept for `rewind`. A key
 * that it has seen is not hashed again.
 *
 * Example: {@link createStateTrie}.
 */
export interface ResidentTrie extends StateTrie {
  /** Bytes of its arrays and of its history. */
  readonly sizeBytes: number
  prepare(writes: StateWrites): RootJob
}

/**
 * What `createStateTrie` takes beside the accounts.
 *
 * @example
 * import { createStateTrie, EMPTY_TRIE_ROOT, type StateTrieOptions } from 'wgevm'
 *
 * const options: StateTrieOptions = { historyBytes: 2 ** 24 }
 * console.log(createStateTrie({}, options).root === EMPTY_TRIE_ROOT) // true
 */
export interface StateTrieOptions {
  /** Hashes its plans, where `finish` is not given another; else WebAssembly does, on the calling thread. */
  readonly hasher?: NodeHasher
  /**
   * How many bytes of what was replaced are kept, so that `rewind` can go back over it: 256 MiB. A changed slot takes
   * 36, an account 56. The last change is always kept.
   */
  readonly historyBytes?: number
}
