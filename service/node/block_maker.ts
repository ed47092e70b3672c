import {
  addressFromHex,
  type BlockHeader,
  type BuiltBlock,
  type Chain,
  type ChainBlock,
  type ChainBuildRequest,
  type Fork,
  type OpRules,
  type PackedTransactions,
  packTransactions,
  type Requests,
  type SignedTransactions,
  type TransactionObject,
} from '../../host/index.ts'
import type { KnownRoot } from '../../host/roots/rooted_transactions.ts'
import { RPC_CODE, RpcError } from '../rpc_error.ts'
import { baseFeeAfter } from './block_place.ts'
import { fittingTogether, type SizeLimits, smallEnough } from './built_size.ts'
import type { BlobsBundle, BuiltPayload, PayloadAttributes } from './engine_types.ts'
import { type InclusionTerms, isGuarded, isOpen } from './inclusion_terms.ts'
import { KnownStorage, StorageChanges } from './known_accounts.ts'
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

/** How blocks are made of what the consensus layer leaves open. */
export interface MakerSettings {
  /** What the gas limit of blocks should come to. Absent: the parent's. */
  readonly gasLimit?: bigint | undefined
  /** 0x-hex, at most 32 bytes. */
  readonly extraData: string
  /** Wei per gas above the base fee. */
  readonly leastTip: bigint
  /** On the OP stack. */
  readonly sizes: SizeLimits
}

/** What a block begins with after the transactions of its attributes, and what its others are chosen for. */
export interface Begun {
  readonly taken: readonly PoolEntry[]
  /** The index of the sub-block that the others make. */
  readonly flashblock: bigint | undefined
}

/** A block, and which transactions of the pool it has, those that it began with included. */
export interface MadeBlock {
  readonly built: BuiltBlock
  readonly payload: BuiltPayload
  readonly taken: readonly PoolEntry[]
}

const NOTHING: Begun = { taken: [], flashblock: undefined }
/** Builds of one block until those whose failure leaves them out are left out at once. */
const MOST_ROUNDS = 3
/** Blocks whose transactions are kept for a payload that comes back. */
const MOST_ROOTS = 2

/** Makes blocks of what is in the pool. */
export class BlockMaker {
  readonly #chain: Chain
  readonly #pool: Pool
  settings: MakerSettings
  /** By hash of the block; the oldest first. */
  readonly #roots = new Map<string, KnownRoot>()

  constructor(chain: Chain, pool: Pool, settings: MakerSettings) {
    this.#chain = chain
    this.#pool = pool
    this.settings = settings
  }

  /**
   * A block of what the pool has now. It is built again without transactions that fail in it and must not, whose known
   * accounts are others at their places, or that are too many together.
   */
  async make(terms: BuildTerms, begun: Begun = NOTHING): Promise<MadeBlock> {
    let candidates = this.candidates(terms, begun)
    for (let round = 1; ; round++) {
      const built = await this.#chain.build(this.#request(terms, begun.taken, candidates))
      const included = built.order.map((at) => candidates[at]!)
      const wrong = await this.#wrong(terms, begun, built, included)
      const right = wrong.size === 0 ? included : included.filter((entry) => !wrong.has(entry))
      const fitting = terms.chain === undefined ? right : fittingTogether(right, this.settings.sizes)
      if (fitting.length === included.length)
        return {
          built,
          payload: this.#payloadOf(terms, built, begun.taken, included),
          taken: [...begun.taken, ...included],
        }
      const isFitting = new Set(fitting)
      const isOut = new Set(included.filter((entry) => !isFitting.has(entry)))
      // What is wrong makes room for those that have found none.
      const others = (wrong.size === 0 ? included : candidates).filter((entry) => !isOut.has(entry))
      candidates =
        wrong.size === 0 || round < MOST_ROUNDS
          ? others
          : others.filter(({ terms: own }) => own === undefined || !isGuarded(own))
    }
  }

  /** A block of nothing but what its attributes name. */
  async makeEmpty(terms: BuildTerms): Promise<MadeBlock> {
    const built = await this.#chain.build(this.#request(terms, [], []))
    return { built, payload: this.#payloadOf(terms, built, [], []), taken: [] }
  }

  /**
   * A block of these transactions, in their order and no others (testing_buildBlockV1). Throws RpcError where one of
   * them cannot be in it.
   */
  async makeOf(terms: BuildTerms, bytes: readonly Uint8Array[], extraData: string): Promise<BuiltPayload> {
    const entries = await this.#pool.read(bytes)
    const built = await this.#chain.build(this.#request(terms, [], entries, extraData))
    const [rejection] = [...built.dropped, ...built.left]
    if (rejection !== undefined)
      throw new RpcError(RPC_CODE.server, `transaction ${rejection.index}: ${rejection.reason}`)
    if (built.order.some((at, n) => at !== n))
      throw new RpcError(RPC_CODE.server, 'the transactions cannot be taken in this order: blocks are built by price')
    return this.#payloadOf(terms, built, [], entries)
  }

  /** What of the pool may be in the block by itself. */
  candidates(terms: BuildTerms, { taken, flashblock }: Begun): readonly PoolEntry[] {
    const { parent, attributes, fork, chain } = terms
    if (attributes.noTxPool === true) return []
    const { leastTip, sizes } = this.settings
    const version = sideCarVersion(fork)
    const place = { number: parent.header.number + 1n, timestamp: attributes.timestamp, flashblock }
    const isTaken = taken.length === 0 ? undefined : new Set(taken.map(({ hash }) => hash))
    const found = this.#pool
      .pending()
      .filter(
        ({ hash, sideCar, terms: own }) =>
          isTaken?.has(hash) !== true &&
          (sideCar === undefined || sideCar.version === version) &&
          (own === undefined || isOpen(own, place)),
      )
    const paying = leastTip === 0n ? found : found.filter((entry) => this.#paysEnough(entry, terms))
    return chain === undefined ? paying : smallEnough(paying, sizes)
  }

  #paysEnough({ transaction }: PoolEntry, { parent, attributes }: BuildTerms): boolean {
    const baseFee = baseFeeAfter(this.#chain.config, parent.header, attributes.timestamp)
    return gasPriceOf(transaction, baseFee) - baseFee >= this.settings.leastTip
  }

  /** Transactions of a block that must not be in it, as it has come out. */
  async #wrong(
    { parent, attributes }: BuildTerms,
    { taken }: Begun,
    { execution: { receipts, changes } }: BuiltBlock,
    included: readonly PoolEntry[],
  ): Promise<ReadonlySet<PoolEntry>> {
    const wrong = new Set<PoolEntry>()
    if (!included.some(({ terms }) => terms !== undefined && isGuarded(terms))) return wrong
    const known = included.flatMap(({ terms }) =>
      terms === undefined || terms.knownAccounts.length === 0 ? [] : [terms],
    )
    const storage = known.length === 0 ? undefined : await KnownStorage.read(this.#chain, parent.hash, known)
    const soFar = new StorageChanges(known)
    const first = (attributes.transactions?.length ?? 0) + taken.length
    let n = 0
    for (let i = 0; i < receipts.count; i++) {
      if (receipts.status[i] === STATUS_REJECTED) continue
      if (i >= first) {
        const entry = included[n++]!
        const { terms } = entry
        if (terms !== undefined && !isRight(terms, receipts.status[i] === 1, storage, soFar)) wrong.add(entry)
      }
      if (changes !== undefined) soFar.add(changes[i]!)
    }
    return wrong
  }

  #payloadOf(
    { attributes, chain }: BuildTerms,
    built: BuiltBlock,
    taken: readonly PoolEntry[],
    included: readonly PoolEntry[],
  ): BuiltPayload {
    const { block, hash, requests } = built
    const { header, withdrawals } = block
    const forced = chain === undefined ? [] : forcedOf(attributes, chain, this.#chain.config.chainId)
    const entries = [...taken, ...included]
    const transactions = packed(block.transactions as SignedTransactions)
    const { parentBeaconBlockRoot } = header
    this.#noteRoot(hash, { packed: transactions, root: header.transactionsRoot })
    return {
      payload: payloadOf(hash, header, { transactions, ...(withdrawals === undefined ? {} : { withdrawals }) }, chain),
      value: feesOf(built, [...forced, ...entries.map(({ transaction }) => transaction)], header),
      blobs: bundleOf(included.map(({ sideCar }) => sideCar)),
      requests: requests === undefined ? [] : requestList(requests),
      ...(chain === undefined || parentBeaconBlockRoot === undefined ? {} : { parentBeaconBlockRoot }),
    }
  }

  #noteRoot(hash: string, root: KnownRoot): void {
    this.#roots.delete(hash)
    this.#roots.set(hash, root)
    const [oldest] = this.#roots.keys()
    if (this.#roots.size > MOST_ROOTS) this.#roots.delete(oldest!)
  }

  /** Transactions of a block that was made here lately, with their root. */
  rootOf(hash: string): KnownRoot | undefined {
    return this.#roots.get(hash)
  }

  #request(
    { parent, attributes, chain }: BuildTerms,
    taken: readonly PoolEntry[],
    entries: readonly PoolEntry[],
    extraData = this.settings.extraData,
  ): ChainBuildRequest {
    const { gasLimit } = this.settings
    const ethereum = { extraData, ...(gasLimit === undefined ? {} : { gasLimit }) }
    const { timestamp, prevRandao, suggestedFeeRecipient, withdrawals, parentBeaconBlockRoot } = attributes
    const begun =
      taken.length === 0
        ? attributes
        : { ...attributes, transactions: [...(attributes.transactions ?? []), ...taken.map(({ bytes }) => bytes)] }
    return {
      parent: parent.hash,
      attributes: {
        timestamp,
        prevRandao,
        coinbase: suggestedFeeRecipient,
        ...(chain === undefined ? ethereum : opPartOf(begun)),
        ...(withdrawals === undefined ? {} : { withdrawals }),
        ...(parentBeaconBlockRoot === undefined ? {} : { parentBeaconBlockRoot }),
      },
      pool: packTransactions(entries.map(({ bytes }) => bytes)),
      senders: sendersOf(entries),
      ...(entries.some(({ terms }) => (terms?.knownAccounts.length ?? 0) > 0) ? { changes: true } : {}),
    }
  }
}

const packed = (signed: SignedTransactions): PackedTransactions =>
  'offsets' in signed ? signed : packTransactions(signed)

const LIMBS_PER_ADDRESS = 5

/** They were recovered when the transactions came. */
const sendersOf = (entries: readonly PoolEntry[]): Uint32Array => {
  const limbs = new Uint32Array(LIMBS_PER_ADDRESS * entries.length)
  for (let i = 0; i < entries.length; i++) addressFromHex(limbs, LIMBS_PER_ADDRESS * i, entries[i]!.transaction.from)
  return limbs
}

const STATUS_REJECTED = 2

const isRight = (
  terms: InclusionTerms,
  succeeded: boolean,
  storage: KnownStorage | undefined,
  soFar: StorageChanges,
): boolean => {
  if (!succeeded && !terms.mayFail) return false
  if (terms.knownAccounts.length === 0) return true
  return storage !== undefined && storage.fault(terms, soFar) === undefined
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
    if (receipts.status[i] === STATUS_REJECTED) continue
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
