import type { PackedTransactions } from '../../host/index.ts'
import type { BlockMaker, BuildTerms, MadeBlock } from './block_maker.ts'
import type { BuiltPayload } from './engine_types.ts'
import { type Flashblock, flashblockOf } from './flashblock.ts'
import type { PoolEntry } from './pool_entry.ts'

/** When sub-blocks come, in milliseconds. */
export interface FlashblockOptions {
  readonly intervalMs: number
  /** From block to block. */
  readonly blockMs: number
  /** Before the end of a block in which no sub-block is begun. */
  readonly leewayMs: number
  /** Whether a payload that was asked for late has as many as any other. */
  readonly isFixed: boolean
}

/** What a job works with. */
export interface FlashblockParts {
  readonly maker: BlockMaker
  /** Those of a block that was built. */
  receipts(hash: string): readonly Uint8Array[]
  publish(flashblock: Flashblock): void
}

/**
 * Builds a payload in sub-blocks. The first one holds what the attributes name; each of the others begins with all that
 * was told before and goes on with what the pool has by then. Any of them ends a block that may stand, so what was told
 * last is the payload. A sub-block executes the whole block again.
 */
export class FlashblockJob {
  readonly #terms: BuildTerms
  readonly #parts: FlashblockParts
  readonly #startedMs = Date.now()
  readonly #options: FlashblockOptions
  #made: MadeBlock | undefined
  /** What the last build left in the pool; undefined where it took something. */
  #left: readonly PoolEntry[] | undefined
  #index = 0
  /** Transactions that were told. */
  #told = 0
  #isEnding = false
  #isAbandoned = false
  #wake: () => void = () => undefined
  readonly #ended: Promise<void>
  /** The payload of the first sub-block. */
  readonly first: Promise<BuiltPayload>

  constructor(terms: BuildTerms, options: FlashblockOptions, parts: FlashblockParts) {
    this.#terms = terms
    this.#options = options
    this.#parts = parts
    this.first = this.#begin()
    this.#ended = this.first.then(
      () => this.#goOn(),
      () => undefined,
    )
  }

  /** Whether another payload, or another head, has ended it. */
  get isAbandoned(): boolean {
    return this.#isAbandoned
  }

  /** Nothing more is told: another payload is built now, or the head is another one. */
  abandon(): void {
    this.#isAbandoned = true
    this.#end()
  }

  /** No more of them are begun. */
  #end(): void {
    this.#isEnding = true
    this.#wake()
  }

  /** The payload that was told, with the sub-block that is being built. */
  async finish(): Promise<BuiltPayload> {
    this.#end()
    const first = await this.first
    await this.#ended
    return this.#made?.payload ?? first
  }

  async #begin(): Promise<BuiltPayload> {
    const made = await this.#parts.maker.makeEmpty(this.#terms)
    this.#tell(made)
    return made.payload
  }

  async #goOn(): Promise<void> {
    const { intervalMs } = this.#options
    const endMs = this.#startedMs + this.#windowMs()
    for (let dueMs = this.#startedMs + intervalMs; dueMs <= endMs; dueMs += intervalMs) {
      // A time that has passed while another one was built is passed over.
      if (dueMs + intervalMs <= Date.now()) continue
      await this.#until(dueMs)
      if (this.#isEnding) return
      try {
        await this.#next()
      } catch {
        // What was told stands; a chain that has ended, or a block that cannot go on, adds nothing to it.
        return
      }
    }
  }

  /** How long sub-blocks are begun. A time of the payload that is not within the next block says nothing. */
  #windowMs(): number {
    const { blockMs, leewayMs, isFixed } = this.#options
    const leftMs = Number(this.#terms.attributes.timestamp) * 1000 - this.#startedMs
    return (isFixed || leftMs <= 0 || leftMs > blockMs ? blockMs : leftMs) - leewayMs
  }

  #until(dueMs: number): Promise<void> {
    if (this.#isEnding) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.max(0, dueMs - Date.now()))
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  async #next(): Promise<void> {
    const { maker } = this.#parts
    const made = this.#made!
    const begun = { taken: made.taken, flashblock: BigInt(this.#index) }
    const candidates = maker.candidates(this.#terms, begun)
    if (isSame(candidates, this.#left ?? [])) return this.#tell(made)
    const next = await maker.make(this.#terms, begun)
    if (this.#isAbandoned) return
    this.#left = next.taken.length === made.taken.length ? candidates : undefined
    this.#tell(next)
  }

  #tell(made: MadeBlock): void {
    this.#publish(made)
    this.#made = made
    this.#told = countOf(made)
    this.#index++
  }

  #publish({ built, payload: { payload } }: MadeBlock): void {
    if (this.#isAbandoned) return
    const { transactions, blockHash } = payload
    this.#parts.publish(
      flashblockOf({
        payloadId: this.#terms.id,
        index: this.#index,
        first: this.#told,
        built,
        fresh: itemsFrom(transactions, this.#told),
        receipts: this.#parts.receipts(blockHash),
      }),
    )
  }
}

const countOf = ({ payload }: MadeBlock): number => payload.payload.transactions.offsets.length - 1

/** Those from one on. */
const itemsFrom = ({ bytes, offsets }: PackedTransactions, first: number): readonly Uint8Array[] =>
  Array.from({ length: offsets.length - 1 - first }, (_, n) => bytes.slice(offsets[first + n], offsets[first + n + 1]))

const isSame = (one: readonly PoolEntry[], other: readonly PoolEntry[]): boolean =>
  one.length === other.length && one.every((entry, i) => entry === other[i])
