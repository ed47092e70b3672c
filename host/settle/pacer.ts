import { PATIENCE } from '../batch/patience.ts'
import type { Retry } from '../batch/retry.ts'

/**
 * Decides for one tier when another round pays: as long as rounds save more than they cost. A chain, in which each
 * round makes only its first transaction valid, soon does not; the tier then looks again ever more rarely.
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

  pays({ count, savesUs, costUs }: Retry): boolean {
    return this.#always ? count >= PATIENCE.leastStale : savesUs > costUs
  }

  /**
   * Whether the round that left these of its transactions stale saved more than it cost: then the next one may, too.
   */
  paid(round: Retry, left: Retry): boolean {
    return this.#always ? left.count <= round.count / 2 : round.savesUs - left.savesUs > round.costUs
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
