/**
 * The executor was closed: the call was refused, or ended without a trace.
 *
 * @example
 * import { createExecutor, ExecutorClosedError, MemoryState } from 'wgevm'
 *
 * const executor = createExecutor({ fork: 'osaka', chainId: 1n, state: new MemoryState() })
 * executor.close()
 * const coinbase = '0x0000000000000000000000000000000000000b0b'
 * const at = { number: 1n, timestamp: 1n, coinbase, gasLimit: 60_000_000n, baseFeePerGas: 7n, prevRandao: 0n }
 * const error: unknown = await executor.simulate({ at, calls: [] }).catch((reason: unknown) => reason)
 * console.log(error instanceof ExecutorClosedError) // true
 */
export class ExecutorClosedError extends Error {
  override readonly name = 'ExecutorClosedError'

  constructor() {
    super('the executor is closed')
  }
}

/** Asked between the steps of a call. */
export interface Stop {
  /** Throws what the caller is to get, once the call is to end early. */
  check(): void
}

/** What a call is told when its turn has come. */
export interface CallTerms {
  readonly stop: Stop
  /** What there is to say of the device. */
  readonly faults: readonly string[]
}

/**
 * The calls of an executor: one at a time, in the order in which they came. A call that waits ends as soon as its
 * signal is aborted or the executor is closed; one that runs ends at its next `check`.
 */
export class CallQueue {
  #last: Promise<void> | undefined
  readonly #closing = new AbortController()
  #whenIdle: (() => void) | undefined

  async run<Result>(signal: AbortSignal | undefined, work: (stop: Stop) => Promise<Result>): Promise<Result> {
    const closing = this.#closing.signal
    const stop = this.stopOf(signal)
    stop.check()
    const before = this.#last
    let finish!: () => void
    const own = new Promise<void>((resolve) => {
      finish = resolve
    })
    this.#last = own
    const end = (): void => {
      if (this.#last === own) {
        this.#last = undefined
        this.#whenIdle?.()
      }
      finish()
    }
    if (before !== undefined) {
      try {
        await untilStopped(before, [closing, ...(signal === undefined ? [] : [signal])])
        stop.check()
      } catch (thrown) {
        // Those after it still wait for those before it.
        void before.then(end)
        throw thrown
      }
    }
    try {
      return await work(stop)
    } finally {
      end()
    }
  }

  /** Throws where further calls are refused. */
  checkOpen(): void {
    this.#closing.signal.throwIfAborted()
  }

  /** What work is asked to end by: the signal, and `close`. */
  stopOf(signal: AbortSignal | undefined): Stop {
    const closing = this.#closing.signal
    return {
      check() {
        closing.throwIfAborted()
        signal?.throwIfAborted()
      },
    }
  }

  /** Aborted, with what calls are to get, by `close`. */
  get closing(): AbortSignal {
    return this.#closing.signal
  }

  /** Refuses further calls; `whenIdle` runs at once, or when the call that runs now has ended. */
  close(whenIdle: () => void): void {
    if (this.#closing.signal.aborted) return
    this.#whenIdle = () => {
      this.#whenIdle = undefined
      whenIdle()
    }
    this.#closing.abort(new ExecutorClosedError())
    if (this.#last === undefined) this.#whenIdle()
  }
}

/** What `turn` gives, or a rejection with the reason of the first signal; none of them is aborted when it is called. */
export const untilStopped = async <Value>(turn: Promise<Value>, signals: readonly AbortSignal[]): Promise<Value> => {
  let onAbort: (() => void) | undefined
  const stopped = new Promise<never>((_, reject) => {
    onAbort = () => reject(signals.find(({ aborted }) => aborted)!.reason)
    for (const signal of signals) signal.addEventListener('abort', onAbort)
  })
  try {
    return await Promise.race([turn, stopped])
  } finally {
    for (const signal of signals) signal.removeEventListener('abort', onAbort!)
  }
}
