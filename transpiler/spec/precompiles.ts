import { type Fork, isAtLeast } from './forks.ts'

/**
 * Addresses [from, to] at which precompiles stand since a fork (YP appendix E, EIP-197, EIP-198, EIP-152, EIP-4844,
 * EIP-2537, EIP-7951).
 */
export const PRECOMPILES: readonly { readonly since: Fork; readonly from: number; readonly to: number }[] = [
  { since: 'frontier', from: 0x01, to: 0x04 },
  { since: 'byzantium', from: 0x05, to: 0x08 },
  { since: 'istanbul', from: 0x09, to: 0x09 },
  { since: 'cancun', from: 0x0a, to: 0x0a },
  { since: 'prague', from: 0x0b, to: 0x11 },
  { since: 'osaka', from: 0x100, to: 0x100 },
]

/** The precompile that chains of the OP stack have from Fjord on, forks before Ethereum (RIP-7212, EIP-7951). */
export const P256_ADDRESS = 0x100

/** Whether a precompile stands at this low address. `hasP256`: it does at that of P256 whatever the fork. */
export const isPrecompile = (fork: Fork, low: number, hasP256 = false): boolean =>
  PRECOMPILES.some(({ since, from, to }) => low >= from && low <= to && isAtLeast(fork, since)) ||
  (hasP256 && low === P256_ADDRESS)
