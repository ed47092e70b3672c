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
  prepare?(writes: StateWrites): StateRootJob
  /** Root of the slots of an account (0x-hex address) under the present root; not while a root is being made. */
  storageRoot?(address: string): string
  /** From now on every root can be rewound to, however short the history is, until what is returned is called. */
  hold?(): () => void
}

/**
 * A change of a state trie whose hashes are still to be made.
 *
 * Example: {@link createStateTrie}.
 */
export interface StateRootJob {
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
  prepare(writes: StateWrites): StateRootJob
  hold(): () => void
  /**
   * Proves an account (0x-hex address) and slots of it under the present root, whether they are there or not. Keys are
   * words: bigint or hex. On the calling thread; not while the root of a change is not known.
   */
  proof(address: string, keys?: readonly (bigint | string)[]): AccountProof
  storageRoot(address: string): string
}

/**
 * What `eth_getProof` answers (EIP-1186): an account with the nodes on the way to it, 0x-hex, from the root down. Nodes
 * shorter than 32 bytes stand in their parents. Of an account that is not there the fields are those of an empty one.
 *
 * @example
 * import { type AccountProof, createStateTrie, keccak256Hex, MemoryState } from 'wgevm'
 *
 * const vault = '0x0000000000000000000000000000000000005afe'
 * const state = MemoryState.from({ [vault]: { balance: 5n, storage: { '0x1': 7n } } })
 * const trie = createStateTrie(state.dump())
 * const proof: AccountProof = trie.proof(vault, [1n, 2n])
 * console.log(proof.storageProof.map(({ value }) => value)) // [ 7n, 0n ]
 * console.log(keccak256Hex(Buffer.from(proof.accountProof[0]!.slice(2), 'hex')) === trie.root) // true
 */
export interface AccountProof {
  readonly address: string
  readonly nonce: bigint
  readonly balance: bigint
  readonly codeHash: string
  readonly storageHash: string
  readonly accountProof: readonly string[]
  readonly storageProof: readonly SlotProof[]
}

/**
 * A slot of an {@link AccountProof}: its key, its value, 0 where it is not there, and the nodes of the storage trie on
 * the way to it.
 *
 * Example: {@link AccountProof}.
 */
export interface SlotProof {
  readonly key: string
  readonly value: bigint
  readonly proof: readonly string[]
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
