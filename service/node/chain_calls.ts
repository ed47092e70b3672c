import type { BlockName } from '../json_rpc/codec.ts'
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

/** Blocks, and what is in them. Undefined: there is no such thing. */
export interface ChainCalls {
  /** The hash of the block that is being built on the head, as it stands; undefined where none is. */
  pending(): Promise<string | undefined>
  chainId(): Promise<bigint>
  /** Of the head. */
  blockNumber(): Promise<bigint>
  block(name: BlockName, isFull: boolean): Promise<BlockView | undefined>
  blockBytes(name: BlockName): Promise<Uint8Array | undefined>
  headerBytes(name: BlockName): Promise<Uint8Array | undefined>
  receiptBytes(name: BlockName): Promise<readonly Uint8Array[] | undefined>
  transactionCount(name: BlockName): Promise<number | undefined>
  uncleCount(name: BlockName): Promise<number | undefined>
  /** Of the chain, or of the pool. */
  transaction(hash: string): Promise<TransactionView | undefined>
  transactionBytes(hash: string): Promise<Uint8Array | undefined>
  transactionAt(name: BlockName, index: number): Promise<TransactionView | undefined>
  receipt(hash: string): Promise<ReceiptView | undefined>
  receipts(name: BlockName): Promise<readonly ReceiptView[] | undefined>
  logsOfBlock(hash: string, filter: LogFilter): Promise<readonly LogView[]>
  logsOfRange(from: BlockName, to: BlockName, filter: LogFilter): Promise<readonly LogView[]>
  feeHistory(count: bigint, newest: BlockName, percentiles: readonly number[]): Promise<FeeHistory>
  /** What a transaction pays for itself per gas in the last blocks, in the middle. */
  priorityFee(): Promise<bigint>
  /** Of the block after the head; undefined before London. */
  nextBaseFee(): Promise<bigint | undefined>
  nextBlobFee(): Promise<bigint | undefined>
  config(): Promise<ConfigView>
  capabilities(): Promise<CapabilitiesView>
}
