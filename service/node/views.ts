import type { BlobSchedule, BlockHeader } from '../../host/chain/header.ts'
import type { AccountProof, TransactionObject, Withdrawal } from '../../host/index.ts'
import type { L1FeeView } from './op_receipts.ts'

/** What the node answers, without a word of JSON: hashes and addresses are 0x-hex in lower case, numbers bigint. */
export interface BlockView {
  readonly hash: string
  readonly header: BlockHeader
  readonly sizeBytes: number
  /** In order: in full where that was asked for, else their hashes. */
  readonly transactions: readonly (TransactionView | string)[]
  readonly uncles: readonly string[]
  readonly withdrawals: readonly Withdrawal[] | undefined
}

/** Where a transaction stands. */
export interface PlaceView {
  readonly blockHash: string
  readonly blockNumber: bigint
  readonly blockTimestamp: bigint
  readonly index: number
}

export interface TransactionView {
  readonly hash: string
  readonly transaction: TransactionObject
  /** What it pays per gas: by the base fee of its block, or at most, where it has none. */
  readonly gasPrice: bigint
  /** Absent where a legacy transaction names no chain. */
  readonly chainId: bigint | undefined
  readonly v: bigint
  readonly r: bigint
  readonly s: bigint
  /** Undefined in the pool. */
  readonly place: PlaceView | undefined
  /** Of a deposit, where its receipt says so. */
  readonly depositReceipt?: DepositReceiptView | undefined
}

/** What only receipts of deposits have: the sender's nonce before it, and from Canyon on a version. */
export interface DepositReceiptView {
  readonly nonce: bigint
  readonly version: bigint | undefined
}

export interface LogView {
  readonly address: string
  readonly topics: readonly string[]
  readonly data: Uint8Array
  readonly place: PlaceView
  readonly transactionHash: string
  /** In its block. */
  readonly logIndex: number
}

export interface ReceiptView {
  readonly transactionHash: string
  readonly place: PlaceView
  readonly type: number
  readonly from: string
  readonly to: string | undefined
  readonly contractAddress: string | undefined
  readonly gasUsed: bigint
  readonly cumulativeGasUsed: bigint
  readonly effectiveGasPrice: bigint
  readonly blobGasUsed: bigint | undefined
  readonly blobGasPrice: bigint | undefined
  readonly logsBloom: string
  readonly logs: readonly LogView[]
  /** From Byzantium on; before it `root`. */
  readonly status: number | undefined
  readonly root: string | undefined
  /** On the OP stack: of deposits, and of the others. */
  readonly deposit?: DepositReceiptView | undefined
  readonly l1Fee?: L1FeeView | undefined
}

/** Logs that a caller wants: of a block, or of a range, by address and by topics. */
export interface LogFilter {
  readonly addresses: readonly string[]
  /** By position: those that will do; none: any. */
  readonly topics: readonly (readonly string[])[]
}

export interface AccountView {
  readonly nonce: bigint
  readonly balance: bigint
  readonly codeHash: string
}

export interface FeeHistory {
  readonly oldestBlock: bigint
  /** One more than there are blocks: that of the next one comes last. */
  readonly baseFeePerGas: readonly bigint[]
  readonly gasUsedRatio: readonly number[]
  readonly baseFeePerBlobGas: readonly bigint[]
  readonly blobGasUsedRatio: readonly number[]
  /** By block and percentile, where percentiles were asked for. */
  readonly reward: readonly (readonly bigint[])[] | undefined
}

export interface ProofView {
  readonly address: string
  readonly proof: AccountProof
}

/** Rules from a second on (EIP-7910). */
export interface RulesView {
  readonly activationTime: bigint
  readonly blobs: BlobSchedule | undefined
  readonly chainId: bigint
  /** 0x-hex (EIP-2124). */
  readonly forkId: string
  /** Addresses by name. */
  readonly precompiles: Readonly<Record<string, string>>
  readonly systemContracts: Readonly<Record<string, string>>
}

/** Rules of the head, of the next change and of the last one that is known; undefined where there is none. */
export interface ConfigView {
  readonly current: RulesView | undefined
  readonly next: RulesView | undefined
  readonly last: RulesView | undefined
}

/** What can be asked for, besides blocks, of which all are here. */
export interface CapabilitiesView {
  readonly head: { readonly number: bigint; readonly hash: string }
  /** The first block after which the state is known. */
  readonly oldestState: bigint
}
