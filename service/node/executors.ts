import {
  createExecutor,
  type Executor,
  type ExecutorOptions,
  type SenderCache,
  type SimulateRequest,
  type Simulation,
  type State,
  type TransactionBatch,
  type TransactionInputError,
} from '../../host/index.ts'
import type { Rules } from './block_place.ts'
import { MovableState } from './movable_state.ts'

/** What all executors of a node share. */
export type ExecutorTerms = Omit<ExecutorOptions, 'fork' | 'chain' | 'state' | 'senderCache'>

/** An executor of one fork, and what its state stands at. */
interface Reader {
  readonly executor: Executor
  readonly state: MovableState
  at: string
}

/**
 * Executors that commit nothing, one for each fork that is asked for: they decode transactions, and simulate calls on
 * the state after any block. Senders that one of them has recovered, all know.
 */
export class Executors {
  readonly #terms: ExecutorTerms
  readonly #ground: State
  readonly #senderCache: SenderCache
  readonly #readers = new Map<string, Reader>()
  /** Ends when all simulations so far have ended: each moves the state. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(terms: ExecutorTerms, ground: State, senderCache: SenderCache) {
    this.#terms = terms
    this.#ground = ground
    this.#senderCache = senderCache
  }

  #readerOf({ fork, chain }: Rules): Reader {
    const name = chain?.fork ?? fork
    const known = this.#readers.get(name)
    if (known !== undefined) return known
    const state = new MovableState(this.#ground)
    const executor = createExecutor({
      ...this.#terms,
      fork,
      ...(chain === undefined ? {} : { chain }),
      state,
      senderCache: this.#senderCache,
    })
    const reader = { executor, state, at: '' }
    this.#readers.set(name, reader)
    return reader
  }

  /** Transactions that someone has sent; `faults` takes by index what cannot be read. */
  decode(
    rules: Rules,
    transactions: readonly Uint8Array[],
    faults: Map<number, TransactionInputError>,
  ): Promise<TransactionBatch> {
    return this.#readerOf(rules).executor.decode(transactions, { faults })
  }

  /** Those of a block, which on the OP stack holds deposits. */
  decodeBlock(rules: Rules, transactions: readonly Uint8Array[]): Promise<TransactionBatch> {
    return this.#readerOf(rules).executor.decode(transactions, { deposits: rules.chain !== undefined })
  }

  /** Simulates calls on a state, which is that after the block `at`, and works on what came of them. */
  simulate<Result>(
    rules: Rules,
    { state, at }: { readonly state: State; readonly at: string },
    work: (simulate: (request: SimulateRequest) => Promise<Simulation>) => Promise<Result>,
  ): Promise<Result> {
    const run = async (): Promise<Result> => {
      const reader = this.#readerOf(rules)
      if (reader.at !== at) {
        reader.state.moveTo(state)
        reader.at = at
        reader.executor.forget()
      }
      return work((request) => reader.executor.simulate(request))
    }
    const result = this.#turn.then(run)
    this.#turn = result.catch(() => undefined)
    return result
  }

  close(): void {
    for (const { executor } of this.#readers.values()) executor.close()
    this.#readers.clear()
  }
}
