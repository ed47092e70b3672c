import type {
  BlockHeader,
  BuiltBlock,
  Chain,
  ChainBlock,
  ChainBuildRequest,
  Fork,
  OpRules,
  Requests,
  TransactionObject,
} from '../../host/index.ts'
import { RPC_CODE, RpcError } from '../rpc_error.ts'
import { baseFeeAfter } from './block_place.ts'
import { fittingTogether, type SizeLimits, smallEnough } from './built_size.ts'
import type { BlobsBundle, BuiltPayload, PayloadAttributes } from './engine_types.ts'
import type { MinerCalls } from './miner_calls.ts'
import { forcedOf, opPartOf } from './op_attributes.ts'
import { payloadOf } from './payload_block.ts'
import type { Pool } from './pool.ts'
import type { PoolEntry } from './pool_entry.ts'
import { sideCarVersion } from './pool_rules.ts'
import type { SideCar } from './side_car.ts'
import { gasPriceOf } from './transaction_views.ts'

/** What is to be built. */
export interface BuildTerms {
  readonly id: string
  readonly parent: ChainBlock
  readonly fork: Fork
  /** On the OP stack. */
  readonly chain: OpRules | undefined
  readonly attributes: PayloadAttributes
}

/** A payload on its way. */
export interface BuildJob extends BuildTerms {
  /** What the pool and the settings were when the last build began. */
  version: string
  built: Promise<BuiltPayload>
}

/** Payloads that are remembered. */
const MOST_JOBS = 16

/** How blocks are made of what the consensus layer leaves open. */
export interface BuilderOptions {
  /** What the gas limit of blocks should come to. Absent: the parent's. */
  readonly gasLimit?: bigint
  /** 0x-hex, at most 32 bytes. */
  readonly extraData: string
}

/**
 * Builds payloads from the pool: at once when they are asked for, and again when they are taken and the pool has
 * changed.
 */
export class PayloadBuilder implements MinerCalls {
  readonly #chain: Chain
  readonly #pool: Pool
  #options: BuilderOptions
  #leastTip = 0n
  #sizes: SizeLimits = { transaction: 0n, block: 0n }
  /** Changes with what blocks are built by. */
  #settings = 0
  readonly #jobs = new Map<string, BuildJob>()

  constructor(chain: Chain, pool: Pool, options: BuilderOptions) {
    this.#chain = chain
    this.#pool = pool
    this.#options = options
  }

  async setExtra(extraData: string): Promise<void> {
    this.#options = { ...this.#options, extraData }
    this.#settings++
  }

  async setGasPrice(wei: bigint): Promise<void> {
    this.#leastTip = wei
    this.#settings++
  }

  async setGasLimit(gasLimit: bigint): Promise<void> {
    this.#options = { ...this.#options, gasLimit }
    this.#settings++
  }

  async setMaxDaSize(transaction: bigint, block: bigint): Promise<void> {
    this.#sizes = { transaction, block }
    this.#settings++
  }

  get #version(): string {
    return `${this.#pool.version} ${this.#settings}`
  }

  /** The same again is not started again. */
  start(terms: BuildTerms): BuildJob {
    const known = this.#jobs.get(terms.id)
    if (known !== undefined) return known
    const [oldest] = this.#jobs.keys()
    if (this.#jobs.size >= MOST_JOBS && oldest !== undefined) this.#jobs.delete(oldest)
    const job = { ...terms, version: this.#version, built: this.#build(terms) }
    // Told to the caller that takes it.
    job.built.catch(() => undefined)
    this.#jobs.set(terms.id, job)
    return job
  }

  /** A block of what the pool has, which is not remembered. */
  buildNow(terms: BuildTerms): Promise<BuiltPayload> {
    return this.#build(terms)
  }

  find(id: string): BuildJob | undefined {
    return this.#jobs.get(id)
  }

  /** The payload with what the pool has now; where that cannot be built, the one that was. */
  finish(job: BuildJob): Promise<BuiltPayload> {
    if (job.version !== this.#version && job.attributes.noTxPool !== true) {
      const { built } = job
      job.version = this.#version
      job.built = this.#build(job).catch(() => built)
    }
    return job.built
  }

  /**
   * Builds a block of these transactions, in their order and no others (testing_buildBlockV1). Throws RpcError where
   * one of them cannot be in it.
   */
  async buildOf(terms: BuildTerms, bytes: readonly Uint8Array[], extraData: string): Promise<BuiltPayload> {
    const entries = await this.#pool.read(bytes)
    const built = await this.#chain.build(this.#request(terms, entries, extraData))
    const [rejection] = [...built.dropped, ...built.left]
    if (rejection !== undefined)
      throw new RpcError(RPC_CODE.server, `transaction ${rejection.index}: ${rejection.reason}`)
    if (built.order.some((at, n) => at !== n))
      throw new RpcError(RPC_CODE.server, 'the transactions cannot be taken in this order: blocks are built by price')
    return this.#payloadOf(terms, built, entries)
  }

  async #build(terms: BuildTerms): Promise<BuiltPayload> {
    const version = sideCarVersion(terms.fork)
    const taken = this.#pool.pending().filter(({ sideCar }) => sideCar === undefined || sideCar.version === version)
    const paying = this.#leastTip === 0n ? taken : taken.filter((entry) => this.#paysEnough(entry, terms))
    if (terms.chain === undefined) return this.#buildFrom(terms, paying)
    const small = smallEnough(paying, this.#sizes)
    const built = await this.#chain.build(this.#request(terms, small, this.#options.extraData))
    const inOrder = built.order.map((at) => small[at]!)
    const fitting = fittingTogether(inOrder, this.#sizes)
    if (fitting.length === inOrder.length) return this.#payloadOf(terms, built, small)
    return this.#buildFrom(terms, fitting)
  }

  async #buildFrom(terms: BuildTerms, entries: readonly PoolEntry[]): Promise<BuiltPayload> {
    const built = await this.#chain.build(this.#request(terms, entries, this.#options.extraData))
    return this.#payloadOf(terms, built, entries)
  }

  #paysEnough({ transaction }: PoolEntry, { parent, attributes }: BuildTerms): boolean {
    const baseFee = baseFeeAfter(this.#chain.config, parent.header, attributes.timestamp)
    return gasPriceOf(transaction, baseFee) - baseFee >= this.#leastTip
  }

  #payloadOf({ attributes, chain }: BuildTerms, built: BuiltBlock, entries: readonly PoolEntry[]): BuiltPayload {
    const forced = chain === undefined ? [] : forcedOf(attributes, chain, this.#chain.config.chainId)
    const payload = builtPayload(
      built,
      forced,
      chain === undefined ? [] : (attributes.transactions ?? []),
      entries,
      chain,
    )
    const { parentBeaconBlockRoot } = built.block.header
    return chain === undefined || parentBeaconBlockRoot === undefined ? payload : { ...payload, parentBeaconBlockRoot }
  }

  #request(
    { parent, attributes, chain }: BuildTerms,
    entries: readonly PoolEntry[],
    extraData: string,
  ): ChainBuildRequest {
    const { gasLimit } = this.#options
    const ethereum = { extraData, ...(gasLimit === undefined ? {} : { gasLimit }) }
    const { timestamp, prevRandao, suggestedFeeRecipient, withdrawals, parentBeaconBlockRoot } = attributes
    return {
      parent: parent.hash,
      attributes: {
        timestamp,
        prevRandao,
        coinbase: suggestedFeeRecipient,
        ...(chain === undefined ? ethereum : opPartOf(attributes)),
        ...(withdrawals === undefined ? {} : { withdrawals }),
        ...(parentBeaconBlockRoot === undefined ? {} : { parentBeaconBlockRoot }),
      },
      pool: entries.map(({ bytes }) => bytes),
      decoded: entries.map(({ transaction }) => transaction),
    }
  }
}

/** What was built, as the consensus layer takes it. */
const builtPayload = (
  built: BuiltBlock,
  forced: readonly TransactionObject[],
  first: readonly Uint8Array[],
  entries: readonly PoolEntry[],
  chain: OpRules | undefined,
): BuiltPayload => {
  const { block, hash, order, requests } = built
  const { header, withdrawals } = block
  const transactions = [...first, ...order.map((at) => entries[at]!.bytes)]
  return {
    payload: payloadOf(hash, header, { transactions, ...(withdrawals === undefined ? {} : { withdrawals }) }, chain),
    value: feesOf(built, [...forced, ...order.map((at) => entries[at]!.transaction)], header),
    blobs: bundleOf(order.map((at) => entries[at]!.sideCar)),
    requests: requests === undefined ? [] : requestList(requests),
  }
}

/** Side-cars of a block's transactions, in their order. */
const bundleOf = (sideCars: readonly (SideCar | undefined)[]): BlobsBundle => ({
  commitments: sideCars.flatMap((sideCar) => sideCar?.commitments ?? []),
  proofs: sideCars.flatMap((sideCar) => sideCar?.proofs ?? []),
  blobs: sideCars.flatMap((sideCar) => sideCar?.blobs ?? []),
})

const TYPE_DEPOSIT = 0x7e

/** Wei that the fee recipient gets: what each transaction pays above the base fee; a deposit pays nothing. */
const feesOf = (
  { execution }: BuiltBlock,
  transactions: readonly TransactionObject[],
  { baseFeePerGas = 0n }: BlockHeader,
): bigint => {
  const { receipts } = execution
  let value = 0n
  let n = 0
  for (let i = 0; i < receipts.count; i++) {
    if (receipts.get(i) === undefined) continue
    const transaction = transactions[n++]!
    if (transaction.type === TYPE_DEPOSIT) continue
    value += receipts.gasUsedOf(i) * (gasPriceOf(transaction, baseFeePerGas) - baseFeePerGas)
  }
  return value
}

/** Each its type and its data in one; those without data are left out (EIP-7685). */
const requestList = ({ deposits, withdrawals, consolidations }: Requests): readonly Uint8Array[] =>
  [deposits, withdrawals, consolidations].flatMap((data, type) =>
    data.length === 0 ? [] : [Uint8Array.of(type, ...data)],
  )
