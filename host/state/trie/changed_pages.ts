import type { StateWrites } from '../state.ts'
import { IdSet } from './id_set.ts'
import { IntList } from './int_list.ts'

/** How a state gets what is absent in its tries (`StatePages`). */
export interface AbsentPages {
  /** What a change of these keys may meet is in memory then. */
  bring(writes: StateWrites): void
  /** A storage goes with its account. */
  detach(root: number): void
}

/** In what the pages of tries in memory differ from those on disk. */
export class ChangedPages {
  /** Branches that changed, free ones among them: pages that begin with one are to be written. */
  readonly branches = new IdSet()
  /** Places of roots whose tries changed. */
  readonly roots = new IdSet()
  /** Numbers of pages that are no more. */
  readonly gone = new IntList()

  /** They are on disk. */
  clear(): void {
    this.branches.clear()
    this.roots.clear()
    this.gone.clear()
  }
}
