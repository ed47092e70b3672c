/**
 * The layout of sender recovery on the device (kernels/secp256k1, host/senders/device_recovery.ts).
 *
 * A chunk has R rows, a multiple of `RECOVERY_INVERSION_LANES`; rows past the signatures repeat the last one. Columns
 * of a chunk, element i of row l at i * R + l:
 *
 * points     vec4<u32>[4][R]    the signature's point R: x, y
 * status     u32[R]             RECOVERY_NONE, _FOUND or _EXCEPTIONAL
 * inverses   vec4<u32>[2][R]    of r modulo n, then of Z^3 modulo p; while they are computed, running products
 * digits     u32[18][R]         of the two halves of u2, then of u1: RECOVERY_DIGITS_PER_WORD or COMB_DIGITS_PER_WORD
 *                               to a word, the first in the low bits
 * table      vec4<u32>[48][R]   odd multiples 1, 3, .. 15 of the point: x, y, beta x each
 * sums       vec4<u32>[8][R]    X, Y, Z and the table's Z; then X, Y, Z^2, Z^3
 *
 * comb       vec4<u32>[32][128][4]   x, y of (2 j + 1) 2^(8 w) G, for all rows
 */

/** A scalar k is odd digits: k = sum of (2 b - (2^bits - 1)) 2^(bits i) over its digits b. */
export const RECOVERY_WINDOW_BITS = 4
export const RECOVERY_WINDOWS = 33
export const RECOVERY_DIGITS_PER_WORD = 8
export const RECOVERY_WORDS_PER_HALF = 5
export const RECOVERY_ENTRIES = 8

export const COMB_BITS = 8
export const COMB_WINDOWS = 32
export const COMB_DIGITS_PER_WORD = 4
export const COMB_WORDS = 8
export const COMB_ENTRIES = 128

/** The signature has no public key. */
export const RECOVERY_NONE = 0
export const RECOVERY_FOUND = 1
/** An addition met equal or opposite points, which its formula does not know: for the host. */
export const RECOVERY_EXCEPTIONAL = 2

/** Rows are inverted by so many lanes, or a multiple of it. */
export const RECOVERY_INVERSION_LANES = 64
