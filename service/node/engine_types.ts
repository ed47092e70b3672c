import type { PackedTransactions, Withdrawal } from '../../host/index.ts'
import type { BlobWithProofs } from './side_cars.ts'

/** Blocks as the consensus layer has them (execution-apis src/engine), without a word of JSON. */
export interface ExecutionPayload {
  readonly parentHash: string
  readonly feeRecipient: string
  readonly stateRoot: string
  readonly receiptsRoot: string
  readonly logsBloom: string
  readonly prevRandao: string
  readonly blockNumber: bigint
  readonly gasLimit: bigint
  readonly gasUsed: bigint
  readonly timestamp: bigint
  readonly extraData: string
  readonly baseFeePerGas: bigint
  readonly blockHash: string
  readonly transactions: readonly Uint8Array[]
  /** From Shanghai on. */
  readonly withdrawals?: readonly Withdrawal[] | undefined
  /** From Cancun on. */
  readonly blobGasUsed?: bigint | undefined
  readonly excessBlobGas?: bigint | undefined
  /** On the OP stack from Isthmus on: the root of a part of the state. */
  readonly withdrawalsRoot?: string | undefined
}

/** A payload on its way from thread to thread, as both directions have it: its transactions are in one buffer. */
export interface SentPayload extends Omit<ExecutionPayload, 'transactions'> {
  readonly transactions: PackedTransactions
}

/** What comes beside a payload. */
export interface PayloadExtras {
  /** From Cancun on. */
  readonly versionedHashes?: readonly string[] | undefined
  readonly parentBeaconBlockRoot?: string | undefined
  /** From Prague on: type and data in one. */
  readonly requests?: readonly Uint8Array[] | undefined
}

export type PayloadStatusName = 'VALID' | 'INVALID' | 'SYNCING' | 'ACCEPTED'

export interface PayloadStatus {
  readonly status: PayloadStatusName
  /** The last ancestor that may stand, or the payload; `zero`: none of those of proof of stake. */
  readonly latestValidHash: string | undefined
  readonly validationError: string | undefined
}

/** Hashes; all zero where there is none yet. */
export interface ForkchoiceState {
  readonly headBlockHash: string
  readonly safeBlockHash: string
  readonly finalizedBlockHash: string
}

export interface PayloadAttributes {
  readonly timestamp: bigint
  readonly prevRandao: string
  readonly suggestedFeeRecipient: string
  readonly withdrawals?: readonly Withdrawal[] | undefined
  readonly parentBeaconBlockRoot?: string | undefined
  /** On the OP stack: what the block begins with, and may not leave out. */
  readonly transactions?: readonly Uint8Array[] | undefined
  /** Nothing comes from the pool. */
  readonly noTxPool?: boolean | undefined
  readonly gasLimit?: bigint | undefined
  /** From Holocene on: 8 bytes, 0x-hex. */
  readonly eip1559Params?: string | undefined
  /** From Jovian on. */
  readonly minBaseFee?: bigint | undefined
}

export interface ForkchoiceReply {
  readonly payloadStatus: PayloadStatus
  /** Of 8 bytes, 0x-hex. */
  readonly payloadId: string | undefined
  /** What the node has chosen when this is said: the one that was asked for, or what it stays at. */
  readonly chosen: ForkchoiceState
  /** It waited for payloads that came before it. */
  readonly hasWaited: boolean
}

const ZERO_HASH = `0x${'0'.repeat(64)}`

/** Whether a choice asks for what is chosen already; zero leaves the safe and the finalized block as they are. */
export const isSameChoice = (asked: ForkchoiceState, chosen: ForkchoiceState): boolean =>
  asked.headBlockHash === chosen.headBlockHash &&
  (asked.safeBlockHash === ZERO_HASH || asked.safeBlockHash === chosen.safeBlockHash) &&
  (asked.finalizedBlockHash === ZERO_HASH || asked.finalizedBlockHash === chosen.finalizedBlockHash)

/** Blobs of a payload, as their side-cars have them. */
export interface BlobsBundle {
  readonly commitments: readonly Uint8Array[]
  readonly proofs: readonly Uint8Array[]
  readonly blobs: readonly Uint8Array[]
}

export interface BuiltPayload {
  readonly payload: SentPayload
  /** Wei that the fee recipient gets. */
  readonly value: bigint
  readonly blobs: BlobsBundle
  readonly requests: readonly Uint8Array[]
  /** On the OP stack. */
  readonly parentBeaconBlockRoot?: string
}

export interface PayloadBody {
  readonly transactions: readonly Uint8Array[]
  readonly withdrawals: readonly Withdrawal[] | undefined
}

/** The consensus layer's calls. The versions are those of the method names. */
export interface EngineCalls {
  newPayload(version: 1 | 2 | 3 | 4, payload: SentPayload, extras: PayloadExtras): Promise<PayloadStatus>
  forkchoiceUpdated(
    version: 1 | 2 | 3,
    state: ForkchoiceState,
    attributes: PayloadAttributes | undefined,
  ): Promise<ForkchoiceReply>
  getPayload(version: 1 | 2 | 3 | 4 | 5, id: string): Promise<BuiltPayload>
  /**
   * Builds a block on a known one, of these transactions or, without them, of those of the pool; `extraData` is 0x-hex
   * (execution-apis src/testing).
   */
  buildBlock(
    parentHash: string,
    attributes: PayloadAttributes,
    transactions: readonly Uint8Array[] | undefined,
    extraData: string | undefined,
  ): Promise<BuiltPayload>
  /**
   * Blobs of the pool by their versioned hashes; undefined where one is not there. Version 1 is for the time before
   * Osaka.
   */
  blobs(version: 1 | 2 | 3, hashes: readonly string[]): Promise<readonly (BlobWithProofs | undefined)[]>
  bodiesByHash(hashes: readonly string[]): Promise<readonly (PayloadBody | undefined)[]>
  bodiesByRange(start: bigint, count: bigint): Promise<readonly (PayloadBody | undefined)[]>
}
