/**
 * Why a transaction may not be included. The numbers follow the order in which a client checks: where several apply, the
 * lowest is the one to report. Texts are those of go-ethereum where it has one.
 *
 * Which checks need the state at the transaction's place: `nonceTooLow`, `nonceTooHigh`, `senderNotEoa`,
 * `insufficientFunds` and `gasLimitReached`. The others follow from the transaction and the block alone (rules.ts).
 */
export const REJECTION = {
  none: 0,
  typeNotSupported: 1,
  nonceTooLow: 2,
  nonceTooHigh: 3,
  nonceMax: 4,
  gasLimitTooHigh: 5,
  senderNotEoa: 6,
  tipAboveFeeCap: 7,
  feeCapBelowBaseFee: 8,
  insufficientFunds: 9,
  gasLimitReached: 10,
  intrinsicGas: 11,
  floorGas: 12,
  initcodeSize: 13,
} as const

/** One of the numbers of REJECTION, never `none`. */
export type Rejection = Exclude<(typeof REJECTION)[keyof typeof REJECTION], 0>

const TEXTS: Readonly<Record<Rejection, string>> = {
  1: 'transaction type not supported',
  2: 'nonce too low',
  3: 'nonce too high',
  4: 'nonce has max value',
  5: 'transaction gas limit too high',
  6: 'sender not an eoa',
  7: 'max priority fee per gas higher than max fee per gas',
  8: 'max fee per gas less than block base fee',
  9: 'insufficient funds for gas * price + value',
  10: 'gas limit reached',
  11: 'intrinsic gas too low',
  12: 'insufficient gas for floor data gas cost',
  13: 'max initcode size exceeded',
}

export const rejectionText = (rejection: Rejection): string => TEXTS[rejection]
