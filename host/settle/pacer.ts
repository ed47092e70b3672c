import { PATIENCE } from '../batch/patience.ts'
import type { Retry } from '../batch/retry.ts'

/** What a pass over the access log found stale of one tier. */
export interface Stale {
  /** Those of the first round; with `always` all of them. */
  readonly retry: Retry
  /** Microseconds that a round of none would take. */
  readonly emptyUs: number
  readonly count: number
  /** Those of them that the round before has run already. */
  readonly again: number
  /** How many could run in which round, from the first: what waits for another one comes after it. */
  readonly widths: readonly number[]
}

/**
 * Decides for one tier when another round pays: as long as rounds save more than they cost. A chain, in which each
 * round makes only its first transaction valid, does not; rounds that were in vain are tried ever more rarely.
 */
export class RoundPacer {
  rounds = 0
  #isOver = false
  readonly #always: boolean
  #pause = 0
  #nextPause: number = PATIENCE.pause

  /** `always`: rounds whatever they cost. */
  constructor(always: boolean) {
    this.#always = always
  }

  /** Whether the conflict that was met now is left to its place. */
  passes(): boolean {
    if (this.isDone) return true
    if (this.#pause === 0) return false
    this.#pause--
    return true
  }

  /** No round will follow in this batch. */
  get isDone(): boolean {
    return this.#isOver || this.rounds === PATIENCE.rounds
  }

  end(): void {
    this.#isOver = true
  }

  /** Whether some number of rounds from now on saves more than it costs, if each of them does what it can. */
  pays({ retry, emptyUs, count, widths }: Stale): boolean {
    if (this.isDone) return false
    if (this.#always) return count >= PATIENCE.leastStale
    if (retry.count === 0) return false
    const eachUs = (retry.savesUs - retry.costUs + emptyUs) / retry.count
    let netUs = 0
    const rounds = Math.min(widths.length, PATIENCE.rounds - this.rounds)
    for (let round = 0; round < rounds; round++) {
      netUs += widths[round]! * eachUs - emptyUs
      if (netUs > 0) return true
    }
    return false
  }

  /**
   * Whether the round that left these stale saved more than it cost, or, where it was run for those after it, made at
   * least half of its transactions valid: then the next one may, too.
   */
  paid({ retry }: Stale, left: Stale): boolean {
    if (this.#always) return left.count <= retry.count / 2
    const share = 1 - left.again / retry.count
    return retry.savesUs > retry.costUs ? retry.savesUs * share > retry.costUs : share >= 1 / 2
  }

  /** No round for these now. */
  afterNone(count: number): void {
    this.#pause = count + PATIENCE.pause
  }

  afterVain(): void {
    this.#pause = this.#nextPause
    this.#nextPause *= PATIENCE.pauseGrowth
  }
}
