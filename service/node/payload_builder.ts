import type { Chain } from '../../host/index.ts'
import type { KnownRoot } from '../../host/roots/rooted_transactions.ts'
import { BlockMaker, type BuildTerms } from './block_maker.ts'
import type { BuiltPayload } from './engine_types.ts'
import type { Flashblock } from './flashblock.ts'
import { FlashblockJob, type FlashblockOptions } from './flashblock_job.ts'
import type { MinerCalls } from './miner_calls.ts'
import type { Pool } from './pool.ts'

/** A payload on its way. */
export interface BuildJob extends BuildTerms {
  /** What the pool and the settings were when the last build began. */
  version: string
  built: Promise<BuiltPayload>
  /** Where the payload is told of sub-block by sub-block. */
  readonly flashblocks: FlashblockJob | undefined
}

/** Payloads that are remembered. */
const MOST_JOBS = 16

/** How blocks are made of what the consensus layer leaves open, and told of while they are built. */
export interface BuilderOptions {
  /** What the gas limit of blocks should come to. Absent: the parent's. */
  readonly gasLimit?: bigint
  /** 0x-hex, at most 32 bytes. */
  readonly extraData: string
  /** On the OP stack. Absent: payloads are built as a whole. */
  readonly flashblocks?: FlashblockOptions
}

/**
 * Builds payloads from the pool: at once when they are asked for, and again when they are taken and the pool has
 * changed; or sub-block by sub-block until they are taken.
 */
export class PayloadBuilder implements MinerCalls {
  readonly #chain: Chain
  readonly #pool: Pool
  readonly #maker: BlockMaker
  readonly #flashblocks: FlashblockOptions | undefined
  /** Changes with what blocks are built by. */
  #settings = 0
  readonly #jobs = new Map<string, BuildJob>()
  /** The one that was begun last. */
  #last: BuildJob | undefined
  /** The hash of what the last build of that came to. */
  #pending: string | undefined
  /** Told of each sub-block, in their order. */
  onFlashblock: (flashblock: Flashblock) => void = () => undefined

  constructor(chain: Chain, pool: Pool, { flashblocks, ...options }: BuilderOptions) {
    this.#chain = chain
    this.#pool = pool
    this.#flashblocks = flashblocks
    this.#maker = new BlockMaker(chain, pool, { ...options, leastTip: 0n, sizes: { transaction: 0n, block: 0n } })
  }

  async setExtra(extraData: string): Promise<void> {
    this.#set({ extraData })
  }

  async setGasPrice(leastTip: bigint): Promise<void> {
    this.#set({ leastTip })
  }

  async setGasLimit(gasLimit: bigint): Promise<void> {
    this.#set({ gasLimit })
  }

  async setMaxDaSize(transaction: bigint, block: bigint): Promise<void> {
    this.#set({ sizes: { transaction, block } })
  }

  #set(changed: Partial<BlockMaker['settings']>): void {
    this.#maker.settings = { ...this.#maker.settings, ...changed }
    this.#settings++
  }

  get #version(): string {
    return `${this.#pool.version} ${this.#settings}`
  }

  /** The same again is not started again, but for one that is told of and was given up: its stream begins anew. */
  start(terms: BuildTerms): BuildJob {
    const known = this.#jobs.get(terms.id)
    if (known !== undefined && known.flashblocks?.isAbandoned !== true) return known
    this.#jobs.delete(terms.id)
    const [oldest] = this.#jobs.keys()
    if (this.#jobs.size >= MOST_JOBS && oldest !== undefined) this.#jobs.delete(oldest)
    this.#last?.flashblocks?.abandon()
    const flashblocks = this.#streamOf(terms)
    const built = flashblocks?.first ?? this.buildNow(terms)
    const job = { ...terms, version: this.#version, built, flashblocks }
    this.#jobs.set(terms.id, job)
    this.#last = job
    this.#pending = undefined
    this.#note(job)
    return job
  }

  /** What is built last is the pending block; a build that fails is told to the caller that takes it. */
  #note(job: BuildJob): void {
    job.built.then(
      ({ payload }) => {
        if (this.#last === job && job.flashblocks === undefined) this.#pending = payload.blockHash
      },
      () => undefined,
    )
  }

  /** The hash of the block that is being built on the head, as it stands. */
  get pending(): string | undefined {
    const hash = this.#pending
    if (hash === undefined || this.#last?.parent.hash !== this.#chain.head.hash) return undefined
    return this.#chain.block(hash) === undefined ? undefined : hash
  }

  /** What only follows another chain's blocks is not told of. */
  #streamOf(terms: BuildTerms): FlashblockJob | undefined {
    if (this.#flashblocks === undefined || terms.chain === undefined || terms.attributes.noTxPool === true)
      return undefined
    return new FlashblockJob(terms, this.#flashblocks, {
      maker: this.#maker,
      receipts: (hash) => this.#chain.receipts(hash) ?? [],
      publish: (flashblock) => {
        if (this.#last?.id === terms.id) this.#pending = flashblock.diff.blockHash
        this.onFlashblock(flashblock)
      },
    })
  }

  /** A block of what the pool has, which is not remembered. */
  async buildNow(terms: BuildTerms): Promise<BuiltPayload> {
    return (await this.#maker.make(terms)).payload
  }

  buildOf(terms: BuildTerms, bytes: readonly Uint8Array[], extraData: string): Promise<BuiltPayload> {
    return this.#maker.makeOf(terms, bytes, extraData)
  }

  /** Transactions of a block that was made here lately, with their root. */
  rootOf(hash: string): KnownRoot | undefined {
    return this.#maker.rootOf(hash)
  }

  find(id: string): BuildJob | undefined {
    return this.#jobs.get(id)
  }

  /**
   * The payload with what the pool has now; where that cannot be built, the one that was. One that was told of is what
   * its sub-blocks come to.
   */
  finish(job: BuildJob): Promise<BuiltPayload> {
    if (job.flashblocks !== undefined) return job.flashblocks.finish()
    if (job.version !== this.#version && job.attributes.noTxPool !== true) {
      const { built } = job
      job.version = this.#version
      job.built = this.buildNow(job).catch(() => built)
      this.#note(job)
    }
    return job.built
  }

  /** The head is another one: payloads on others are told of no more. */
  headChanged(): void {
    if (this.#last?.parent.hash !== this.#chain.head.hash) this.#last?.flashblocks?.abandon()
  }

  /** Ends what is built while it is told of. */
  close(): void {
    this.#last?.flashblocks?.abandon()
  }
}
