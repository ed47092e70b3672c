import { type ByFork, type Fork, isAtLeast } from './forks.ts'

/**
 * Protocol numbers of execution and of transactions, in gas where not said otherwise. Base gas of an opcode stands in
 * its row of opcodes.ts; here are the prices behind `dynamicGas` and the rules around a transaction.
 * Tables `..._BY_FORK` are read with `valueAt` of forks.ts.
 */

/** EIP-2929 (Berlin): the full price of an access, cold (first in the transaction) or warm. */
export const GAS_COLD_SLOAD = 2100
export const GAS_COLD_ACCOUNT = 2600
export const GAS_WARM = 100

/** YP appendix G: G_exp byte; 50 since EIP-160. Per byte of the exponent, the highest zero bytes not counted. */
export const GAS_EXP_BYTE = 50
export const GAS_EXP_BYTE_BY_FORK: ByFork = [
  ['frontier', 10],
  ['spuriousDragon', GAS_EXP_BYTE],
]

/** YP appendix G. Words are 32 bytes, rounded up. */
export const GAS_KECCAK_WORD = 6
export const GAS_COPY_WORD = 3
export const GAS_LOG = 375
export const GAS_LOG_TOPIC = 375
export const GAS_LOG_BYTE = 8

/** YP (328): memory of a words costs 3 a + floor(a^2 / 512) in all. */
export const GAS_MEMORY_WORD = 3
export const MEMORY_QUADRATIC_DIVISOR = 512

/** What `words` words of memory have cost in all (YP 328). Exact while words < 2^26 (a cost of 9e12 gas). */
export const memoryGas = (words: number): number =>
  GAS_MEMORY_WORD * words + Math.floor((words * words) / MEMORY_QUADRATIC_DIVISOR)

/** YP appendix G: surcharges of CALL and CALLCODE with value, and what the callee is given for it. */
export const GAS_CALL_VALUE = 9000
export const GAS_CALL_STIPEND = 2300
/**
 * A call with value to an account that does not exist (EIP-161: that is empty); SELFDESTRUCT likewise from EIP-150 on.
 */
export const GAS_NEW_ACCOUNT = 25000
/** EIP-150 (Tangerine Whistle): a caller keeps at least gas / 64. */
export const CALL_GAS_SHIFT = 6
export const CALL_GAS_DIVISOR = 1 << CALL_GAS_SHIFT

/** EIP-2200 (Istanbul): SSTORE halts where gas left is not above this. */
export const GAS_SSTORE_SENTRY = 2300
export const GAS_SSTORE_SET = 20000
/** Before Berlin; EIP-2929 takes GAS_COLD_SLOAD off and charges it apart. */
export const GAS_SSTORE_RESET = 5000
/** EIP-3529 (London); 15000 before. */
export const REFUND_SSTORE_CLEAR = 4800
export const REFUND_SSTORE_CLEAR_BY_FORK: ByFork = [
  ['frontier', 15000],
  ['london', REFUND_SSTORE_CLEAR],
]
/** YP appendix G; gone with EIP-3529 (London). */
export const REFUND_SELFDESTRUCT_BY_FORK: ByFork = [
  ['frontier', 24000],
  ['london', 0],
]

/**
 * The prices of SSTORE at a fork; `storeCost` applies them.
 *
 * net      false: Frontier to Byzantium and Petersburg (YP H, 0x55); the original value plays no part
 *          true: Constantinople (EIP-1283) and from Istanbul on (EIP-2200)
 * sentry   gas left must be above it; 0 = no check
 * cold     charged on top where the slot is cold (EIP-2929); 0 before Berlin. The warm price is in the others.
 * dirty    no change, or the slot was changed before in this transaction
 * set      from zero; reset: from non-zero
 */
export interface StoreGas {
  readonly net: boolean
  readonly sentry: number
  readonly cold: number
  readonly dirty: number
  readonly set: number
  readonly reset: number
  readonly clearRefund: number
}

export const storeGasAt = (fork: Fork): StoreGas => {
  const set = GAS_SSTORE_SET
  if (isAtLeast(fork, 'berlin')) {
    const clearRefund = isAtLeast(fork, 'london') ? REFUND_SSTORE_CLEAR : 15000
    const reset = GAS_SSTORE_RESET - GAS_COLD_SLOAD
    return { net: true, sentry: GAS_SSTORE_SENTRY, cold: GAS_COLD_SLOAD, dirty: GAS_WARM, set, reset, clearRefund }
  }
  const reset = GAS_SSTORE_RESET
  if (fork === 'istanbul') {
    return { net: true, sentry: GAS_SSTORE_SENTRY, cold: 0, dirty: 800, set, reset, clearRefund: 15000 }
  }
  if (fork === 'constantinople') return { net: true, sentry: 0, cold: 0, dirty: 200, set, reset, clearRefund: 15000 }
  return { net: false, sentry: 0, cold: 0, dirty: reset, set, reset, clearRefund: 15000 }
}

export interface StoreCost {
  readonly gas: number
  /** Added to the refund counter; negative where an earlier refund is taken back. */
  readonly refund: number
}

/**
 * Gas (without the cold part) and refund of an SSTORE that changes `current` to `next`; `original` is the slot's value
 * at the start of the transaction (EIP-2200, the case list of its specification).
 */
export const storeCost = (prices: StoreGas, original: bigint, current: bigint, next: bigint): StoreCost => {
  const { dirty, set, reset, clearRefund } = prices
  if (!prices.net) {
    if (current === 0n) return { gas: next === 0n ? reset : set, refund: 0 }
    return { gas: reset, refund: next === 0n ? clearRefund : 0 }
  }
  if (next === current) return { gas: dirty, refund: 0 }
  if (current === original) {
    if (original === 0n) return { gas: set, refund: 0 }
    return { gas: reset, refund: next === 0n ? clearRefund : 0 }
  }
  let refund = 0
  if (original !== 0n && current === 0n) refund -= clearRefund
  if (original !== 0n && next === 0n) refund += clearRefund
  if (next === original) refund += (original === 0n ? set : reset) - dirty
  return { gas: dirty, refund }
}

/** Refund cap: gas used / quotient, rounded down (YP 6.2; EIP-3529 from London on). */
export const MAX_REFUND_QUOTIENT = 5
export const MAX_REFUND_QUOTIENT_BY_FORK: ByFork = [
  ['frontier', 2],
  ['london', MAX_REFUND_QUOTIENT],
]

/** YP 6.2, intrinsic gas. A creation costs the same as a call in Frontier (EIP-2). */
export const GAS_TRANSACTION = 21000
export const GAS_TRANSACTION_CREATE = 32000
export const GAS_TRANSACTION_CREATE_BY_FORK: ByFork = [['homestead', GAS_TRANSACTION_CREATE]]
export const GAS_CALLDATA_ZERO = 4
/** EIP-2028 (Istanbul); 68 before. */
export const GAS_CALLDATA_NONZERO = 16
export const GAS_CALLDATA_NONZERO_BY_FORK: ByFork = [
  ['frontier', 68],
  ['istanbul', GAS_CALLDATA_NONZERO],
]
/** EIP-2930 (Berlin). */
export const GAS_ACCESS_LIST_ADDRESS = 2400
export const GAS_ACCESS_LIST_KEY = 1900
/** EIP-3860 (Shanghai): per word of initcode, of creating transactions and of CREATE and CREATE2. */
export const GAS_INITCODE_WORD = 2
/** EIP-7702 (Prague): per authorization; the refund where the authority already exists is the difference of both. */
export const GAS_AUTHORIZATION_NEW_ACCOUNT = 25000
export const GAS_AUTHORIZATION = 12500
/** EIP-7623 (Prague): gas used is at least GAS_TRANSACTION + 10 tokens; a zero byte is 1 token, another one 4. */
export const GAS_FLOOR_TOKEN = 10
export const TOKENS_PER_NONZERO_BYTE = 4
/** EIP-7825 (Osaka): gas limit of one transaction. */
export const MAX_TRANSACTION_GAS = 2 ** 24
/** EIP-4844 (Cancun). */
export const GAS_PER_BLOB = 131072
/** EIP-4844, EIP-7691 (Prague): blobs of one block, where the chain's blob schedule (EIP-7892) says nothing else. */
export const MAX_BLOBS_BY_FORK: ByFork = [
  ['cancun', 6],
  ['prague', 9],
]
/** EIP-7594 (Osaka): blobs of one transaction. */
export const MAX_TRANSACTION_BLOBS = 6
/** EIP-4844: first byte of the versioned hash of a blob. */
export const BLOB_HASH_VERSION = 0x01

/** YP 7: per byte of deployed code. */
export const GAS_CODE_DEPOSIT_BYTE = 200
/** EIP-170 (Spurious Dragon), bytes. */
export const MAX_CODE_BYTES = 24576
/** EIP-3860 (Shanghai), bytes. */
export const MAX_INITCODE_BYTES = 2 * MAX_CODE_BYTES
/** EIP-3541 (London): deployed code must not begin with this byte. */
export const RESERVED_CODE_BYTE = 0xef

/** YP 9.4.2. */
export const MAX_STACK_WORDS = 1024
export const MAX_CALL_DEPTH = 1024
/** EIP-2681: a nonce stays below 2^64 - 1. */
export const MAX_NONCE = 2n ** 64n - 1n
/** BLOCKHASH answers for this many ancestors (YP H, 0x40). */
export const BLOCK_HASH_WINDOW = 256
