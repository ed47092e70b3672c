import type { BlockHeader } from '../chain/header.ts'
import { InputError } from '../primitives/input.ts'
import type { StateTrie } from '../state/trie/state_trie.ts'

/**
 * A block's state root comes from its parent's: a trie that stands elsewhere would give a root that no other client
 * finds.
 */
export const checkTrie = ({ root }: StateTrie, parent: BlockHeader): void => {
  if (root === parent.stateRoot) return
  throw new InputError(
    `parentState must be at the parent's state root ${parent.stateRoot}, its root is ${root}`,
    'parentState',
    root,
  )
}
