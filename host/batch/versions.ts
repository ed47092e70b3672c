/**
 * What slots hold before a place in the order, as far as executions tell: the last write of each by a transaction
 * below the place, else the running value of the tables (AccessLog).
 */
export interface Versions {
  /** Of the last `find`: the slot's word is at `words[at]`, 8 limbs. */
  readonly words: Uint32Array
  readonly at: number
  /** Of the last `find`: a transaction below the place wrote the slot, or the batch did before the pass began. */
  readonly isChanged: boolean
  find(slot: number): void
  /** Makes a new version of the slot; its word is the caller's to write, at the result in `values`. */
  write(slot: number): number
  readonly values: Uint32Array
}
