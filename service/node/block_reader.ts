import { decodeBlock } from '../../host/chain/decode_block.ts'
import { headerHash } from '../../host/chain/header.ts'
import { type ChainBlock, type ChainReads, decodeTransaction } from '../../host/index.ts'
import type { BlockName } from '../json_rpc/codec.ts'
import { RPC_CODE, RpcError } from '../rpc_error.ts'
import { blobPriceOf, rulesOf } from './block_place.ts'
import type { Executors } from './executors.ts'
import { mayHold } from './log_bloom.ts'
import { passes } from './log_filter.ts'
import { l1FeeViews, TYPE_DEPOSIT } from './op_receipts.ts'
import { depositReceiptOf, logsOf, type ReceiptBlock, receiptViews } from './receipt_views.ts'
import { hashesOf, transactionView } from './transaction_views.ts'
import type { BlockView, LogFilter, LogView, ReceiptView, TransactionView } from './views.ts'

/** A block with the bytes of its transactions. */
interface WholeBlock {
  readonly at: ChainBlock
  readonly transactions: readonly Uint8Array[]
  readonly hashes: readonly string[]
}

/** Reads blocks, transactions, receipts and logs of a chain. */
export class BlockReader {
  readonly #chain: ChainReads
  readonly #executors: Executors

  constructor(chain: ChainReads, executors: Executors) {
    this.#chain = chain
    this.#executors = executors
  }

  /** The block of a name; undefined where there is none. There is no pending block: the head stands for it. */
  find(name: BlockName): ChainBlock | undefined {
    if ('number' in name) return this.#chain.block(name.number)
    if ('hash' in name) return this.#byHash(name)
    const { safe, finalized } = this.#chain.forkChoice
    switch (name.tag) {
      case 'latest':
      case 'pending':
        return this.#chain.head
      case 'earliest':
        return this.#chain.block(0n)
      case 'safe':
        return safe
      case 'finalized':
        return finalized
    }
  }

  #byHash({ hash, requireCanonical }: Extract<BlockName, { readonly hash: string }>): ChainBlock | undefined {
    const found = this.#chain.block(hash)
    if (found === undefined || !requireCanonical) return found
    if (this.#chain.isCanonical(hash)) return found
    throw new RpcError(RPC_CODE.server, `hash ${hash} is not currently canonical`)
  }

  /** The same, where a block must be there. */
  known(name: BlockName): ChainBlock {
    const found = this.find(name)
    if (found === undefined) throw new RpcError(RPC_CODE.server, 'header not found')
    return found
  }

  async block(name: BlockName, isFull: boolean): Promise<BlockView | undefined> {
    const at = this.find(name)
    const bytes = at === undefined ? undefined : this.#chain.blockBytes(at.hash)
    if (at === undefined || bytes === undefined) return undefined
    const { transactions, uncles, withdrawals } = decodeBlock(bytes)
    const hashes = hashesOf(transactions)
    return {
      hash: at.hash,
      header: at.header,
      sizeBytes: bytes.length,
      transactions: isFull ? await this.#views({ at, transactions, hashes }) : hashes,
      uncles: uncles.map(headerHash),
      withdrawals,
    }
  }

  blockBytes(name: BlockName): Uint8Array | undefined {
    const at = this.find(name)
    return at === undefined ? undefined : this.#chain.blockBytes(at.hash)
  }

  receiptBytes(name: BlockName): readonly Uint8Array[] | undefined {
    const at = this.find(name)
    return at === undefined ? undefined : this.#chain.receipts(at.hash)
  }

  transactionCount(name: BlockName): number | undefined {
    return this.#whole(name)?.transactions.length
  }

  transactionBytes(name: BlockName, index: number): Uint8Array | undefined {
    return this.#whole(name)?.transactions[index]
  }

  async transactionAt(name: BlockName, index: number): Promise<TransactionView | undefined> {
    const whole = this.#whole(name)
    return whole?.transactions[index] === undefined ? undefined : (await this.#views(whole))[index]
  }

  async receipts(name: BlockName): Promise<readonly ReceiptView[] | undefined> {
    const whole = this.#whole(name)
    const receipts = whole === undefined ? undefined : this.#chain.receipts(whole.at.hash)
    if (whole === undefined || receipts === undefined) return undefined
    const { at, transactions, hashes } = whole
    const rules = rulesOf(this.#chain.config, at.header)
    const batch = await this.#executors.decodeBlock(rules, transactions)
    const objects = transactions.map((_, i) => decodeTransaction(batch, i))
    const l1Fees = rules.chain === undefined ? [] : l1FeeViews(rules.chain.fork, transactions, objects)
    return receiptViews(this.#receiptBlock(at), receipts, objects, hashes, l1Fees)
  }

  /** Logs of a block that pass a filter; its bloom says at once where none can. */
  logs(at: ChainBlock, filter: LogFilter): readonly LogView[] {
    if (!mayHold(at.header.logsBloom, filter)) return []
    const receipts = this.#chain.receipts(at.hash)
    if (receipts === undefined) return []
    const hashes = hashesOf(this.#whole({ hash: at.hash, requireCanonical: false })!.transactions)
    return logsOf(this.#receiptBlock(at), receipts, hashes).filter((log) => passes(log, filter))
  }

  #receiptBlock({ hash, header }: ChainBlock): ReceiptBlock {
    const { number, timestamp, baseFeePerGas: baseFee } = header
    return { hash, number, timestamp, baseFee, blobPrice: blobPriceOf(this.#chain.config, header) }
  }

  #whole(name: BlockName): WholeBlock | undefined {
    const at = this.find(name)
    const bytes = at === undefined ? undefined : this.#chain.blockBytes(at.hash)
    if (at === undefined || bytes === undefined) return undefined
    const { transactions } = decodeBlock(bytes)
    return { at, transactions, hashes: hashesOf(transactions) }
  }

  async #views({ at, transactions, hashes }: WholeBlock): Promise<readonly TransactionView[]> {
    const { number, timestamp, baseFeePerGas } = at.header
    const batch = await this.#executors.decodeBlock(rulesOf(this.#chain.config, at.header), transactions)
    const receipts = this.#chain.config.op === undefined ? undefined : this.#chain.receipts(at.hash)
    return transactions.map((bytes, index) => {
      const isDeposit = bytes[0] === TYPE_DEPOSIT && receipts !== undefined
      const depositReceipt = isDeposit ? depositReceiptOf(receipts[index]!) : undefined
      const place = { blockHash: at.hash, blockNumber: number, blockTimestamp: timestamp, index }
      return { ...transactionView(batch, index, bytes, hashes[index]!, place, baseFeePerGas), depositReceipt }
    })
  }
}
