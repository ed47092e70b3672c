/**
 * Transactions that one run of one tier executed, in the order of the batch: those at places `first` up to `end`, which
 * is not among them, of
 *
 * transactions   u32[]   index in the batch
 * lanes          u32[]   lane in the run
 *
 * What is asked for them all at once has columns by transaction of the whole batch.
 */
export interface LaneRows {
  readonly transactions: Uint32Array
  readonly lanes: Uint32Array
  readonly first: number
  readonly end: number
}

/** In a column of lengths: only the lane's logs as objects say how long they are. */
export const NO_LENGTH = 0xffff_ffff
