import type { TransactionBatch } from '../chain/batch.ts'
import { type DecodeOptions, decodeSignedBatch } from '../chain/signed_batch.ts'
import { recoverSenders } from '../senders/recover.ts'

/**
 * Signed transactions as they come over the wire (blobs without their sidecar), to columns, with their senders and
 * authorities recovered.
 *
 * Strict: canonical RLP and integers, fields of the right length, the chain's id, s in the lower half (EIP-2), r and s
 * in range. A legacy transaction without a chain id (before EIP-155) is accepted. Throws TransactionInputError.
 *
 * Cost: about 25 us per transaction plus the recovery of its sender (secp256k1.ts), which dominates.
 */
export const decodeSigned = (transactions: readonly Uint8Array[], options: DecodeOptions): TransactionBatch =>
  recoverSenders(decodeSignedBatch(transactions, options), options.faults)
