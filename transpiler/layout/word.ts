/**
 * The layout of 256-bit words and addresses, on the host and on the device.
 *
 * word      8 limbs of u32, least significant first; two vec4<u32> on the device (`U256 { lo, hi }`)
 * address   the low 5 limbs of the word the EVM sees (160 bits); on the device the upper 3 limbs are zero
 */
export const LIMBS_PER_WORD = 8
export const LIMBS_PER_ADDRESS = 5
export const BYTES_PER_WORD = 32
