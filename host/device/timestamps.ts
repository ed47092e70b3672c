import { COPY_SRC, QUERY_RESOLVE } from './usage.ts'

/** WebGPU's limit of a query set; each dispatch takes two. */
const MOST_QUERIES = 4096
const SMALLEST_QUERIES = 16
const STAMP_BYTES = 8

/** Dispatches of one run that can be timed. */
export const MOST_TIMED = MOST_QUERIES / 2

/** Queries of one run and the buffer that they are resolved into. */
export interface Timestamps {
  readonly queries: GPUQuerySet
  readonly resolved: GPUBuffer
}

/** Query sets by power-of-two size, kept for reuse: making one costs as much as a small submission. */
export class TimestampPool {
  readonly #gpu: GPUDevice
  readonly #free = new Map<number, Timestamps[]>()

  constructor(gpu: GPUDevice) {
    this.#gpu = gpu
  }

  /** For so many dispatches, MOST_TIMED at most. Give them back when the run is over. */
  take(dispatchCount: number): Timestamps {
    let count = SMALLEST_QUERIES
    while (count < 2 * dispatchCount) count *= 2
    const known = this.#free.get(count)?.pop()
    if (known !== undefined) return known
    const size = count * STAMP_BYTES
    return {
      queries: this.#gpu.createQuerySet({ type: 'timestamp', count }),
      resolved: this.#gpu.createBuffer({ label: 'timestamps', size, usage: QUERY_RESOLVE | COPY_SRC }),
    }
  }

  put(stamps: Timestamps): void {
    const { count } = stamps.queries
    const free = this.#free.get(count)
    if (free === undefined) this.#free.set(count, [stamps])
    else free.push(stamps)
  }

  destroy(): void {
    for (const list of this.#free.values()) {
      for (const { queries, resolved } of list) {
        queries.destroy()
        resolved.destroy()
      }
    }
    this.#free.clear()
  }
}

/**
 * Nanoseconds of each dispatch, from begin and end by dispatch. A clock that was set back between them says nothing: 0.
 */
export const dispatchTimes = (stamps: BigUint64Array): number[] =>
  Array.from({ length: stamps.length / 2 }, (_, i) => Math.max(0, Number(stamps[2 * i + 1]! - stamps[2 * i]!)))
