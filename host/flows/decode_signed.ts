import type { TransactionBatch } from '../chain/batch.ts'
import { type SignedTransactions, signedCount } from '../chain/packed.ts'
import { type DecodeOptions, decodeSignedBatch } from '../chain/signed_batch.ts'
import { checkNames, checkObject, checkSignal, type Names } from '../primitives/input.ts'
import { checkKnownSenders, type KnownSenders, knownColumn } from '../senders/known_senders.ts'
import { type RecoverRows, recoverSenders, recoverSendersBulk } from '../senders/recover.ts'

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

/**
 * Options of `decode` of an executor. Those of `decodeSigned` but the chain id and the fork, which are the executor's.
 *
 * @example
 * import { createExecutor, type DecodeRequest, MemoryState, type TransactionInputError } from 'wgevm'
 *
 * const faults = new Map<number, TransactionInputError>()
 * const request: DecodeRequest = { faults, senders: [undefined] }
 * const executor = createExecutor({ fork: 'osaka', chainId: 1n, state: new MemoryState() })
 * await executor.decode([Uint8Array.of(0xff)], request)
 * console.log(faults.get(0)?.reason) // malformed RLP: out of range
 * executor.close()
 */
export interface DecodeRequest extends Omit<DecodeOptions, 'chainId' | 'fork'> {
  /** Senders that the caller knows. They are **taken as given**. */
  readonly senders?: KnownSenders
  /** Ends the call early: it rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

const REQUEST: Names<DecodeRequest> = { deposits: true, faults: true, senders: true, signal: true }

/** Names of the options, and their signal. Throws InputError. */
export const checkDecodeRequest = (request: DecodeRequest): void => {
  checkNames(checkObject(request, 'options'), REQUEST, 'option')
  checkSignal(request.signal)
}

/**
 * Decodes, and recovers in one bulk call; the names of the options are checked. Throws InputError;
 * TransactionInputError where `request` has no faults.
 */
export const decodeInBulk = (
  transactions: SignedTransactions,
  { chainId, fork }: Required<Pick<DecodeOptions, 'chainId' | 'fork'>>,
  recover: RecoverRows,
  request: DecodeRequest,
): Promise<TransactionBatch> => {
  const { senders, signal: _, ...options } = request
  const signed = decodeSignedBatch(transactions, { ...options, chainId, fork })
  if (senders !== undefined) checkKnownSenders(senders, signedCount(transactions))
  return recoverSendersBulk(signed, recover, { faults: options.faults, known: knownColumn(senders) })
}
