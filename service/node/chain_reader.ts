import { blobBaseFee, blobGas } from '../../host/chain/blob_schedule.ts'
import { encodeHeader, nextExcessBlobGas } from '../../host/chain/header.ts'
import { type BlockHeader, type ChainBlock, type ChainReads, isAtLeast } from '../../host/index.ts'
import type { BlockName } from '../json_rpc/codec.ts'
import { RPC_CODE, RpcError } from '../rpc_error.ts'
import { baseFeeAfter, blobPriceOf, blobsOf, forkOf } from './block_place.ts'
import type { BlockReader } from './block_reader.ts'
import type { ChainCalls } from './chain_calls.ts'
import { suggestedTip, type Tips, tipsAt, tipsOf } from './fees.ts'
import type { Pool } from './pool.ts'
import { capabilitiesOf, configOf } from './rules_views.ts'
import type {
  BlockView,
  CapabilitiesView,
  ConfigView,
  FeeHistory,
  LogFilter,
  LogView,
  ReceiptView,
  TransactionView,
} from './views.ts'

/** How far one call may reach. */
export interface RangeLimits {
  /** Blocks of one query for logs. */
  readonly logBlocks: number
  readonly logs: number
}

/** What builds blocks. */
export interface Building {
  readonly pending: string | undefined
}

/** The node's thread alone builds. */
const NOT_BUILDING: Building = { pending: undefined }

const MOST_HISTORY = 1024n
const MOST_PERCENTILES = 100
const TIP_BLOCKS = 20n

/** Answers about blocks and what is in them. */
export class ChainReader implements ChainCalls {
  readonly #chain: ChainReads
  readonly #blocks: BlockReader
  readonly #pool: Pick<Pool, 'find' | 'view'>
  readonly #limits: RangeLimits
  readonly #building: Building

  constructor(
    chain: ChainReads,
    blocks: BlockReader,
    pool: Pick<Pool, 'find' | 'view'>,
    limits: RangeLimits,
    building: Building = NOT_BUILDING,
  ) {
    this.#chain = chain
    this.#blocks = blocks
    this.#pool = pool
    this.#limits = limits
    this.#building = building
  }

  async pending(): Promise<string | undefined> {
    return this.#building.pending
  }

  async chainId(): Promise<bigint> {
    return this.#chain.config.chainId
  }

  async blockNumber(): Promise<bigint> {
    return this.#chain.head.header.number
  }

  block(name: BlockName, isFull: boolean): Promise<BlockView | undefined> {
    return this.#blocks.block(name, isFull)
  }

  async blockBytes(name: BlockName): Promise<Uint8Array | undefined> {
    return this.#blocks.blockBytes(name)
  }

  async headerBytes(name: BlockName): Promise<Uint8Array | undefined> {
    const found = this.#blocks.find(name)
    return found === undefined ? undefined : encodeHeader(found.header)
  }

  async receiptBytes(name: BlockName): Promise<readonly Uint8Array[] | undefined> {
    return this.#blocks.receiptBytes(name)
  }

  async transactionCount(name: BlockName): Promise<number | undefined> {
    return this.#blocks.transactionCount(name)
  }

  async uncleCount(name: BlockName): Promise<number | undefined> {
    return (await this.#blocks.block(name, false))?.uncles.length
  }

  async transaction(hash: string): Promise<TransactionView | undefined> {
    const place = this.#chain.transaction(hash)
    if (place === undefined) return this.#pool.view(hash)
    return this.#blocks.transactionAt(nameOf(place.blockHash), place.index)
  }

  async transactionBytes(hash: string): Promise<Uint8Array | undefined> {
    const place = this.#chain.transaction(hash)
    if (place === undefined) return this.#pool.find(hash)?.bytes
    return this.#blocks.transactionBytes(nameOf(place.blockHash), place.index)
  }

  transactionAt(name: BlockName, index: number): Promise<TransactionView | undefined> {
    return this.#blocks.transactionAt(name, index)
  }

  async receipt(hash: string): Promise<ReceiptView | undefined> {
    const place = this.#chain.transaction(hash)
    if (place === undefined) return undefined
    return (await this.#blocks.receipts(nameOf(place.blockHash)))?.[place.index]
  }

  receipts(name: BlockName): Promise<readonly ReceiptView[] | undefined> {
    return this.#blocks.receipts(name)
  }

  async logsOfBlock(hash: string, filter: LogFilter): Promise<readonly LogView[]> {
    const block = this.#chain.block(hash)
    if (block === undefined) throw new RpcError(RPC_CODE.server, 'unknown block')
    return this.#blocks.logs(block, filter)
  }

  async logsOfRange(from: BlockName, to: BlockName, filter: LogFilter): Promise<readonly LogView[]> {
    const first = this.#numberOf(from)
    const last = this.#numberOf(to)
    if (last < first) throw new RpcError(RPC_CODE.invalidParams, 'invalid block range params')
    const { logBlocks, logs: most } = this.#limits
    if (last - first >= BigInt(logBlocks))
      throw new RpcError(RPC_CODE.limitExceeded, `the range has ${last - first + 1n} blocks, at most ${logBlocks}`)
    const found: LogView[] = []
    for (let number = first; number <= last; number++) {
      const block = this.#chain.block(number)
      if (block !== undefined) found.push(...this.#blocks.logs(block, filter))
      if (found.length > most)
        throw new RpcError(
          RPC_CODE.limitExceeded,
          `more than ${most} logs; a range up to block ${number - 1n} has fewer`,
        )
    }
    return found
  }

  /** The number that a range names: no further than the head. */
  #numberOf(name: BlockName): bigint {
    const head = this.#chain.head.header.number
    if (!('number' in name)) return this.#blocks.known(name).header.number
    if (name.number > head) throw new RpcError(RPC_CODE.invalidParams, 'block range extends beyond current head block')
    return name.number
  }

  async feeHistory(count: bigint, newest: BlockName, percentiles: readonly number[]): Promise<FeeHistory> {
    checkPercentiles(percentiles)
    const last = this.#blocks.known(newest)
    const wanted = count < MOST_HISTORY ? count : MOST_HISTORY
    const oldest = wanted > last.header.number ? 0n : last.header.number - wanted + 1n
    if (wanted === 0n) return { ...NO_HISTORY, reward: percentiles.length === 0 ? undefined : [] }
    const blocks = this.#ancestors(last, oldest)
    const rewards: (readonly bigint[])[] = []
    for (const block of percentiles.length === 0 ? [] : blocks)
      rewards.push(tipsAt(await this.#tips(block), block.header.gasUsed, percentiles))
    const headers = blocks.map(({ header }) => header)
    return {
      oldestBlock: oldest,
      baseFeePerGas: [...headers.map(({ baseFeePerGas = 0n }) => baseFeePerGas), this.#baseFeeAfter(last.header) ?? 0n],
      gasUsedRatio: headers.map(({ gasUsed, gasLimit }) => Number(gasUsed) / Number(gasLimit)),
      baseFeePerBlobGas: [
        ...headers.map((header) => blobPriceOf(this.#chain.config, header) ?? 0n),
        this.#blobFeeAfter(last) ?? 0n,
      ],
      blobGasUsedRatio: headers.map((header) => this.#blobShare(header)),
      reward: percentiles.length === 0 ? undefined : rewards,
    }
  }

  /** Blocks from `oldest` to `last`, along the parents. */
  #ancestors(last: ChainBlock, oldest: bigint): readonly ChainBlock[] {
    const found = [last]
    while (found[0]!.header.number > oldest) found.unshift(this.#blocks.known(nameOf(found[0]!.header.parentHash)))
    return found
  }

  async #tips({ hash, header }: ChainBlock): Promise<Tips> {
    return tipsOf((await this.#blocks.receipts(nameOf(hash))) ?? [], header.baseFeePerGas ?? 0n)
  }

  #blobShare(header: BlockHeader): number {
    const blobs = blobsOf(this.#chain.config, forkOf(this.#chain.config, header), header.timestamp)
    if (blobs === undefined || blobs.maxBlobs === 0) return 0
    return Number(header.blobGasUsed ?? 0n) / Number(blobGas(blobs.maxBlobs))
  }

  async priorityFee(): Promise<bigint> {
    const { head } = this.#chain
    const { number } = head.header
    const blocks = this.#ancestors(head, number < TIP_BLOCKS ? 0n : number - TIP_BLOCKS + 1n)
    const tips: Tips[] = []
    for (const block of blocks) tips.push(await this.#tips(block))
    return suggestedTip(tips)
  }

  async nextBaseFee(): Promise<bigint | undefined> {
    return this.#baseFeeAfter(this.#chain.head.header)
  }

  #baseFeeAfter(header: BlockHeader): bigint | undefined {
    const next = { ...header, number: header.number + 1n }
    return isAtLeast(forkOf(this.#chain.config, next), 'london')
      ? baseFeeAfter(this.#chain.config, header, header.timestamp + 1n)
      : undefined
  }

  async nextBlobFee(): Promise<bigint | undefined> {
    return this.#blobFeeAfter(this.#chain.head)
  }

  async config(): Promise<ConfigView> {
    return configOf(this.#chain)
  }

  async capabilities(): Promise<CapabilitiesView> {
    return capabilitiesOf(this.#chain)
  }

  /** Of a block after this one at once: its blob limits are taken to be the same. */
  #blobFeeAfter({ hash, header }: ChainBlock): bigint | undefined {
    const { fork, blobSchedule } = this.#chain.rulesAfter(hash, header.timestamp + 1n)
    if (blobSchedule === undefined) return undefined
    return blobBaseFee(nextExcessBlobGas(header, fork, blobSchedule), blobSchedule)
  }
}

const NO_HISTORY: FeeHistory = {
  oldestBlock: 0n,
  baseFeePerGas: [],
  gasUsedRatio: [],
  baseFeePerBlobGas: [],
  blobGasUsedRatio: [],
  reward: undefined,
}

const nameOf = (hash: string): BlockName => ({ hash, requireCanonical: false })

const checkPercentiles = (percentiles: readonly number[]): void => {
  if (percentiles.length > MOST_PERCENTILES)
    throw new RpcError(RPC_CODE.invalidParams, `over the query limit ${MOST_PERCENTILES}`)
  for (const [n, percentile] of percentiles.entries()) {
    if (percentile < 0 || percentile > 100)
      throw new RpcError(RPC_CODE.invalidParams, `invalid reward percentile: ${percentile}`)
    if (n > 0 && percentile < percentiles[n - 1]!)
      throw new RpcError(RPC_CODE.invalidParams, 'invalid reward percentile: they must ascend')
  }
}
