import type { Environment, Table } from './environment.ts'

/**
 * Rows of a child transaction. LMDB has the pages that a transaction changes in a sorted list, in which each new one is
 * inserted from the end on; pages that were free come in descending order, so 100,000 of them move 80 GB. A child has a
 * list of its own, which is merged into its parent's.
 */
const PART = 2048
/**
 * Past these the parent writes alone: it may write out pages before its end, and a child only its own. A transaction
 * has room for 131,071 changed pages; where a row of a child has none, this binding lets the parent fail.
 */
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

  /** Calls `write` for the rows 0 .. count in their order, each of which writes to `table`. */
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
        if (this.#pages + pages > MOST_PAGES) break
        this.#root.transactionSync(() => rows(first, end))
        this.#pages += pages
      }
    }
    rows(first, count)
  }
}

/**
 * About so many pages of a tree do the first random rows of `count` change, and a branch for some of them: leaves that
 * are there, and pages for new or longer rows, which take as much as those that are there, or a page each where those
 * are the fewer. Rather too many than too few.
 */
const changedPages = (
  { treeLeafPageCount: leaves, overflowPages, entryCount }: TreeStats,
  count: number,
  rows: number,
): number => {
  if (entryCount < count) return 1.1 * rows
  return 1.1 * leaves * (1 - Math.exp(-rows / leaves)) + rows * Math.min(1.1, (leaves + overflowPages) / entryCount)
}
