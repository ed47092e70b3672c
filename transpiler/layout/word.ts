/**
 * The layout of 256-bit words and addresses, on the host and on the device.
 *
 * word      8 limbs of u32, least significant first; two vec4<u32> on the device (`U256 { lo, hi }`)
 * address   the low 5 limbs of the word the EVM sees (160 bits); on the device the upper 3 limbs are zero
 */
export const LIMBS_PER_WORD = 8
export const LIMBS_PER_ADDRESS = 5
export const BYTES_PER_WORD = 32
/** Bytes that keccak-256 absorbs at a time (FIPS 202: the rate). */
export const KECCAK_RATE_BYTES = 136
export const KECCAK_RATE_LIMBS = KECCAK_RATE_BYTES / 4
