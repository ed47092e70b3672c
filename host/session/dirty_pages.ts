/**
 * Which rows of a mirrored array are behind: a byte per page of rows, and the row count already mirrored.
 *
 * Pages keep the bookkeeping at one store per written row, and an upload moves at most one page per changed row.
 */
export class DirtyPages {
  readonly rowsPerPage: number
  #pages = new Uint8Array(16)
  #any = false

  constructor(rowsPerPage: number) {
    this.rowsPerPage = rowsPerPage
  }

  mark(row: number): void {
    const page = Math.floor(row / this.rowsPerPage)
    if (page >= this.#pages.length) this.#grow(page + 1)
    this.#pages[page] = 1
    this.#any = true
  }

  /** Calls `upload(first row, end row)` for each run of marked pages below `rowCount` and forgets the marks. */
  drain(rowCount: number, upload: (first: number, end: number) => void): void {
    if (!this.#any) return
    const pages = this.#pages
    let page = 0
    while (page < pages.length) {
      if (pages[page] === 0) {
        page++
        continue
      }
      const start = page
      while (page < pages.length && pages[page] === 1) page++
      const first = start * this.rowsPerPage
      const end = Math.min(page * this.rowsPerPage, rowCount)
      if (first < end) upload(first, end)
    }
    pages.fill(0)
    this.#any = false
  }

  #grow(pages: number): void {
    let length = this.#pages.length
    while (length < pages) length *= 2
    const grown = new Uint8Array(length)
    grown.set(this.#pages)
    this.#pages = grown
  }
}
