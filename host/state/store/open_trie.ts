import { ArenaTrie } from '../trie/arena_trie.ts'
import type { Environment } from './environment.ts'
import { type MakeProgress, makeNodes } from './make_nodes.ts'
import type { Nodes } from './nodes.ts'
import type { DiskHead } from './records.ts'
import { StoreError } from './store_error.ts'

/** Numbers of pages are below 2^30; a store that has come so far gets new ones. */
const MOST_PAGES = 2 ** 29

/**
 * The trie of the state on disk, of which the first page is read: it hashes to the head's root. Where the pages are not
 * there, or not those of the head, they are made anew from accounts and slots. Throws StoreError where these have
 * another root.
 *
 * bytes      about what the trie may take
 * progress   is told while pages are made
 */
export const openStateTrie = async (
  environment: Environment,
  nodes: Nodes,
  head: DiskHead,
  bytes: number,
  progress?: MakeProgress,
): Promise<ArenaTrie> => {
  const stored = storedTrie(nodes, head, bytes)
  if (stored !== undefined) return stored
  const { hash } = await makeNodes(environment, nodes, bytes, progress)
  return madeTrie(environment, nodes, head, bytes, hash)
}

/** Undefined where there is none that is that of the head. */
const storedTrie = (nodes: Nodes, { stateRoot }: DiskHead, bytes: number): ArenaTrie | undefined => {
  const { root } = nodes
  if (root === undefined || root.hash !== stateRoot || root.next > MOST_PAGES) return undefined
  const trie = new ArenaTrie({ historyBytes: bytes / 4 }, { source: nodes, root })
  try {
    trie.readRoot()
  } catch (thrown) {
    // LMDB's own faults are for its caller: nothing may be written to such a file.
    if (thrown instanceof StoreError) return undefined
    throw thrown
  }
  return trie
}

/** The one that was made anew. Throws StoreError where it is not that of the head. */
const madeTrie = ({ folder }: Environment, nodes: Nodes, head: DiskHead, bytes: number, hash: string): ArenaTrie => {
  const what = (is: string): StoreError =>
    new StoreError(folder, 'damaged', `the store is damaged: ${is}, block ${head.number} has ${head.stateRoot}`)
  if (hash !== head.stateRoot) throw what(`the state has root ${hash}`)
  const trie = storedTrie(nodes, head, bytes)
  if (trie === undefined) throw what('its trie cannot be read')
  return trie
}
