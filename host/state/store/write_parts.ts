import type { Environment, Table } from './environment.ts'

/**
 * Rows of a child transaction. LMDB has the pages that a transaction changes in a sorted list, in which each new one is
 * inserted from the end on; pages that were free come in descending order, so 100,000 of them move 80 GB. A child has a
 * list of its own, which is merged into its parent's.
 */
const PART = 2048
/** LMDB's code where a transaction has no room for another changed page: 131,071 are one's most. */
const TRANSACTION_IS_FULL = -30788
/** Past these the parent writes alone: it may write out pages before its end, and a child only its own. */
const MOST_PAGES = 110_000

/** What of a table's statistics is read. */
interface TreeStats {
  readonly treeLeafPageCount: number
  readonly overflowPages: number
  readonly entryCount: number
}

/** Rows of one transaction, in parts. */
export class WriteParts {
  readonly #root: Pick<Environment['root'], 'transactionSync'>
  /** About so many are changed. */
  #pages = 0

  /** Inside a transaction of this database. */
  constructor(root: Pick<Environment['root'], 'transactionSync'>) {
    this.#root = root
  }

  /** Calls `write` for the rows 0 .. count in their order, each of which writes to `table`, and may come again. */
  run(table: Pick<Table, 'getStats'>, count: number, write: (row: number) => void): void {
    const rows = (first: number, end: number): void => {
      for (let row = first; row < end; row++) write(row)
    }
    let first = 0
    if (count > PART) {
      const stats = table.getStats() as TreeStats
      for (let end = 0; end < count; first = end) {
        end = Math.min(count, first + PART)
        const pages = changedPages(stats, count, end) - changedPages(stats, count, first)
        if (this.#pages + pages > MOST_PAGES || !this.#tryChild(() => rows(first, end))) break
        this.#pages += pages
      }
    }
    rows(first, count)
  }

  /** False where the transaction has no room for it: nothing of it was done. */
  #tryChild(work: () => void): boolean {
    try {
      this.#root.transactionSync(work)
      return true
    } catch (thrown) {
      if ((thrown as { readonly code?: unknown }).code === TRANSACTION_IS_FULL) return false
      throw thrown
    }
  }
}

/**
 * About so many pages of a tree do the first random rows of `count` change, and a branch for some of them: leaves that
 * are there, and pages for new or longer rows, which take as much as those that are there, or a page each where those
 * are the fewer. Rather too many than too few: where a row has no room in a child, this binding lets its parent fail.
 */
const changedPages = (
  { treeLeafPageCount: leaves, overflowPages, entryCount }: TreeStats,
  count: number,
  rows: number,
): number => {
  if (entryCount < count) return 1.1 * rows
  return 1.1 * leaves * (1 - Math.exp(-rows / leaves)) + rows * Math.min(1.1, (leaves + overflowPages) / entryCount)
}
