import { TransactionInputError } from '../chain/encode_batch.ts'
import type { BlockHeader } from '../chain/header.ts'
import type { BlockResult } from './block.ts'
import { BlockError, type BlockInput, type BlockOptions, type StreamOptions } from './block_input.ts'
import { untilStopped } from './call_queue.ts'
import { checkBlockInput } from './check_block_input.ts'
import { InvalidTransactionError } from './execution_result.ts'
import { type PrepareChain, type PreparedBlock, prepareBlock } from './prepare_block.ts'

/** What a stream asks of its executor. */
export interface StreamRunner {
  readonly chain: PrepareChain
  /** Aborted when the executor is closed. */
  readonly closing: AbortSignal
  /** Executes a block when its turn has come. */
  execute(prepared: PreparedBlock, options: BlockOptions): Promise<BlockResult>
}

export type BlockSource = Iterable<BlockInput> | AsyncIterable<BlockInput>

const USUAL_AHEAD = 2

/**
 * Executes and commits blocks one after another; up to `ahead` of those that follow are prepared meanwhile. A block is
 * executed when its result is asked for: what was not asked for is not committed.
 */
export async function* streamBlocks(
  runner: StreamRunner,
  source: BlockSource,
  { ahead = USUAL_AHEAD, parent: first, ...shared }: StreamOptions,
): AsyncGenerator<BlockResult, void, undefined> {
  const signals = [runner.closing, ...(shared.signal === undefined ? [] : [shared.signal])]
  const checks = shared.blobSchedule === undefined ? {} : { blobSchedule: shared.blobSchedule }
  const blocks = new BlocksAhead(source, ahead, (block, before = first) =>
    prepareBlock(runner.chain, block, { ...checks, ...(before === undefined ? {} : { parent: before }) }),
  )
  let parent = first
  try {
    for (;;) {
      for (const signal of signals) signal.throwIfAborted()
      const next = await untilStopped(blocks.take(), signals)
      if (next === undefined) return
      if (next.prepared === undefined) throw next.thrown
      const { prepared } = next
      const { header } = prepared.block
      const options = { ...shared, ...(parent === undefined ? {} : { parent }) }
      const result = await named(header, () => runner.execute(prepared, options))
      parent = header
      yield result
    }
  } finally {
    await blocks.stop()
  }
}

/** What `run` gives; a fault of a transaction is one of its block, which is then named. */
const named = async <Result>({ number }: BlockHeader, run: () => Promise<Result>): Promise<Result> => {
  try {
    return await run()
  } catch (thrown) {
    if (!(thrown instanceof TransactionInputError || thrown instanceof InvalidTransactionError)) throw thrown
    throw new BlockError(number, 'transactions', thrown.message, { cause: thrown })
  }
}

type Prepare = (block: BlockInput, before: BlockHeader | undefined) => Promise<PreparedBlock>

/** A block that was prepared, or why it could not be. */
type NextBlock = { readonly prepared: PreparedBlock } | { readonly prepared?: undefined; readonly thrown: unknown }

/**
 * Takes blocks from their source and prepares them in order, one at a time, while fewer than `most` wait to be taken.
 * The first that cannot be prepared is the last one.
 */
class BlocksAhead {
  readonly #source: BlockSource
  readonly #most: number
  readonly #prepare: Prepare
  readonly #waiting: NextBlock[] = []
  #iterator: Iterator<BlockInput> | AsyncIterator<BlockInput> | undefined
  /** Set with the first `take`. */
  #running: Promise<void> | undefined
  /** Nothing more will wait. */
  #hasEnded = false
  #isStopped = false
  /** The source was asked and has not answered. */
  #isAsking = false
  /** Goes on where `take` or the loop that prepares waits for the other. */
  #wake: () => void = () => {}

  constructor(source: BlockSource, most: number, prepare: Prepare) {
    this.#source = source
    this.#most = most
    this.#prepare = prepare
  }

  /** The next block; undefined after the last. */
  async take(): Promise<NextBlock | undefined> {
    this.#running ??= this.#run()
    for (;;) {
      const next = this.#waiting.shift()
      if (next !== undefined || this.#hasEnded) {
        this.#wake()
        return next
      }
      await this.#other()
    }
  }

  /** Asks no more of the source, and tells it so where it is not at its end. No work is left. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#wake()
    if (this.#isAsking) {
      // A source that does not answer may not close either: what it says then is not waited for.
      void this.#close().catch(() => {})
      return
    }
    await this.#running
    await this.#close()
  }

  async #close(): Promise<void> {
    const iterator = this.#iterator
    this.#iterator = undefined
    await iterator?.return?.()
  }

  async #run(): Promise<void> {
    let before: BlockHeader | undefined
    const source = this.#source
    try {
      const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()
      this.#iterator = iterator
      while (!this.#isStopped) {
        if (this.#waiting.length >= this.#most) {
          await this.#other()
          continue
        }
        const block = await this.#ask(iterator)
        if (block === undefined) break
        const next = await this.#prepared(block, before)
        this.#waiting.push(next)
        this.#wake()
        if (next.prepared === undefined) break
        before = block.header
      }
    } catch (thrown) {
      this.#waiting.push({ thrown })
    }
    this.#hasEnded = true
    this.#wake()
  }

  /** The next block of the source; undefined where there is none, or the stream has ended. */
  async #ask(iterator: Iterator<BlockInput> | AsyncIterator<BlockInput>): Promise<BlockInput | undefined> {
    this.#isAsking = true
    try {
      const answer = await iterator.next()
      if (answer.done === true) this.#iterator = undefined
      return answer.done === true || this.#isStopped ? undefined : answer.value
    } catch (thrown) {
      // An iterator that throws has ended.
      this.#iterator = undefined
      throw thrown
    } finally {
      this.#isAsking = false
    }
  }

  async #prepared(block: BlockInput, before: BlockHeader | undefined): Promise<NextBlock> {
    try {
      checkBlockInput(block, {})
      return { prepared: await named(block.header, () => this.#prepare(block, before)) }
    } catch (thrown) {
      return { thrown }
    }
  }

  #other(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }
}
