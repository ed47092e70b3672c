import type { TransactionBatch } from '../chain/batch.ts'
import type { SignedTransactions } from '../chain/packed.ts'
import { type DecodeOptions, decodeSignedBatch } from '../chain/signed_batch.ts'
import { recoverSenders } from '../senders/recover.ts'

/**
 * Signed transactions to columns, with their senders and authorities recovered.
 *
 * Strict: canonical RLP and integers, fields of the right length, the chain's id, s in the lower half (EIP-2), r and s
 * in range. A legacy transaction without a chain id (before EIP-155) is accepted. Throws TransactionInputError.
 *
 * Cost: that of `decode` and, on this thread, the recovery of each sender (secp256k1.ts), which dominates.
 *
 * @example
 * import { decodeSigned, decodeTransaction } from 'wgevm'
 *
 * // the example of EIP-155
 * const signed = Buffer.from(
 *   'f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a028ef61340bd939bc21' +
 *     '95fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83',
 *   'hex',
 * )
 * const batch = decodeSigned([signed], { chainId: 1n })
 * console.log(decodeTransaction(batch, 0).from) // 0x9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f
 */
export const decodeSigned = (transactions: SignedTransactions, options: DecodeOptions): TransactionBatch =>
  recoverSenders(decodeSignedBatch(transactions, options), { faults: options.faults })
