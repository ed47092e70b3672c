import { EMPTY_TRIE_ROOT } from '../../primitives/keccak.ts'
import type { StateWrites } from '../state.ts'
import { ArenaTrie } from './arena_trie.ts'
import type { PageChanges } from './page_cuts.ts'
import type { PagedRoot } from './state_pages.ts'

/** The trie of no accounts. */
export const NO_PAGES: PagedRoot = { page: 0, hash: EMPTY_TRIE_ROOT, next: 1 }

/** The pages of a state that these writes make of nothing. */
export const newPages = (writes: StateWrites): PageChanges => {
  const source = {
    read: () => undefined,
    damaged: (what: string) => new Error(what),
  }
  const trie = new ArenaTrie({ historyBytes: 0 }, { source, root: NO_PAGES })
  trie.build(writes)
  return trie.changedPages()
}
