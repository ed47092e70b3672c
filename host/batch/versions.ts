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
  /**
   * Of the last `find`: rounds after which the word will stand, as far as can be told; 0 = no stale execution wrote it.
   */
  readonly round: number
  find(slot: number): void
  /**
   * Makes a new version of the slot; its word is the caller's to write, at the result in `values`. `moves`: it is the
   * word of the last `find`, which was that of this slot, moved by an amount.
   */
  write(slot: number, moves: boolean): number
  readonly values: Uint32Array
}
