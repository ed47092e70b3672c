/**
 * Why a transaction may not be included. The numbers follow the order in which go-ethereum checks: where several apply,
 * the lowest is the one to report. Texts are its own where it has one; `blobGasReached` and `blobHashVersion` leave out
 * its numbers.
 *
 * Which checks need the state, or what the block has left, at the transaction's place: `blobGasReached`, `nonceTooLow`,
 * `nonceTooHigh`, `senderNotEoa`, `insufficientFunds` and `gasLimitReached`. The others follow from the transaction and
 * the block alone (rules.ts). `malformed` is only said of an entry of a pool: a batch of transactions that cannot be
 * read is refused.
 *
 * Example: {@link rejectionText}.
 */
export const REJECTION = {
  none: 0,
  typeNotSupported: 1,
  blobGasReached: 2,
  nonceTooLow: 3,
  nonceTooHigh: 4,
  nonceMax: 5,
  gasLimitTooHigh: 6,
  senderNotEoa: 7,
  tipAboveFeeCap: 8,
  feeCapBelowBaseFee: 9,
  blobCreation: 10,
  blobsMissing: 11,
  tooManyBlobs: 12,
  blobHashVersion: 13,
  blobFeeCapTooLow: 14,
  authorizationCreation: 15,
  authorizationsMissing: 16,
  insufficientFunds: 17,
  gasLimitReached: 18,
  intrinsicGas: 19,
  floorGas: 20,
  initcodeSize: 21,
  malformed: 22,
} as const

/**
 * One of the numbers of REJECTION, never `none`.
 *
 * Example: {@link rejectionText}.
 */
export type Rejection = Exclude<(typeof REJECTION)[keyof typeof REJECTION], 0>

const TEXTS: Readonly<Record<Rejection, string>> = {
  1: 'transaction type not supported',
  2: 'blob gas would exceed maximum allowance',
  3: 'nonce too low',
  4: 'nonce too high',
  5: 'nonce has max value',
  6: 'transaction gas limit too high',
  7: 'sender not an eoa',
  8: 'max priority fee per gas higher than max fee per gas',
  9: 'max fee per gas less than block base fee',
  10: 'blob transaction of type create',
  11: 'blob transaction missing blob hashes',
  12: 'blob transaction has too many blobs',
  13: 'blob has invalid hash version',
  14: 'max fee per blob gas less than block blob gas fee',
  15: 'EIP-7702 transaction cannot be used to create contract',
  16: 'EIP-7702 transaction with empty auth list',
  17: 'insufficient funds for gas * price + value',
  18: 'gas limit reached',
  19: 'intrinsic gas too low',
  20: 'insufficient gas for floor data gas cost',
  21: 'max initcode size exceeded',
  22: 'malformed transaction',
}

/**
 * A rejection in words, as go-ethereum says it where it has the same one.
 *
 * @example
 * import { REJECTION, rejectionText } from 'wgevm'
 *
 * console.log(rejectionText(REJECTION.nonceTooLow)) // nonce too low
 */
export const rejectionText = (rejection: Rejection): string => TEXTS[rejection]
