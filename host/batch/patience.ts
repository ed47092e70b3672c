/**
 * How often something is tried again before the next tier has it. Counts, not times: a batch has the same rounds
 * anywhere.
 */
export const PATIENCE = {
  /** Rounds of a tier in a batch. */
  rounds: 32,
  /** Conflicts left to their places after a round in vain; `pauseGrowth` times as many after the next one. */
  pause: 32,
  pauseGrowth: 4,
  /** With `waves: 'always'`: fewer stale transactions make no round. */
  leastStale: 2,
  /** Runs of a lane for what the tables lacked. */
  misses: 8,
  /** The same where it only looks which slots another path reads. */
  probeMisses: 3,
} as const
