import { keccakMany } from '../primitives/keccak_many.ts'
import type { TransactionBatch } from './batch.ts'
import { TransactionInputError } from './encode_batch.ts'
import { messagesOf, type SignedTransactions } from './packed.ts'
import type { Signatures } from './signatures.ts'
import { type DecodeOptions, decodeSignedBatch, NO_TRANSACTION_BYTES, packedOf } from './signed_batch.ts'

/**
 * Decoded transactions whose senders have not been recovered.
 *
 * Example: {@link decode}.
 */
export interface DecodedTransactions {
  /** `from` is zero but for deposits, which name their sender, and authorizations have no authority. */
  readonly batch: TransactionBatch
  readonly signatures: Signatures
}

/**
 * Signed transactions to columns, without the recovery of their senders: for a caller that knows them, or recovers them
 * elsewhere. Strictness and errors are those of `decodeSigned`, but that r and s may be out of range.
 *
 * Cost: less than 1 us per ERC-20 payment in one buffer, and as much for its signing hash.
 *
 * @example
 * import { decode, packTransactions, wordToBigInt } from 'wgevm'
 *
 * // the example of EIP-155
 * const signed = Buffer.from(
 *   'f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a028ef61340bd939bc21' +
 *     '95fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83',
 *   'hex',
 * )
 * const { batch, signatures } = decode(packTransactions([signed]), { chainId: 1n })
 * console.log(wordToBigInt(batch.value, 0)) // 1000000000000000000n
 * console.log(Buffer.from(signatures.hash).toString('hex').slice(0, 8)) // daf5a779
 */
export const decode = (transactions: SignedTransactions, options: DecodeOptions): DecodedTransactions => {
  const { batch, signatures, fault } = decodeSignedBatch(transactions, options)
  if (fault !== undefined) throw fault
  const { hash, rs, parity } = signatures
  return { batch, signatures: { hash, rs, parity } }
}

/**
 * Hashes of signed transactions, by which nodes and explorers name them (keccak-256 of all bytes): 32 bytes each.
 *
 * Cost: less than 1 us per ERC-20 payment in one buffer.
 *
 * @example
 * import { transactionHashes } from 'wgevm'
 *
 * console.log(transactionHashes([Uint8Array.of(2, 0xc0), Uint8Array.of(0xc0)]).length) // 64
 */
export const transactionHashes = (transactions: SignedTransactions): Uint8Array => {
  const { packed, missing } = packedOf(transactions)
  for (const i of missing ?? []) throw new TransactionInputError(i, NO_TRANSACTION_BYTES)
  return keccakMany(messagesOf(packed))
}
