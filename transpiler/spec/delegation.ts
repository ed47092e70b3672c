/** A delegation designator (EIP-7702) is these bytes and the address whose code runs, and nothing else. */
const PREFIX = [0xef, 0x01, 0x00] as const
const ADDRESS_BYTES = 20

/**
 * Whether an account with this code runs another one's, from Prague on. Code of any other length is code that halts at
 * once.
 */
export const isDelegation = (code: Uint8Array): boolean =>
  code.length === PREFIX.length + ADDRESS_BYTES && PREFIX.every((byte, i) => code[i] === byte)

/** The address that a delegation names, 20 bytes. */
export const delegateOf = (designator: Uint8Array): Uint8Array => designator.subarray(PREFIX.length)

/** The code of an account that runs the code of `address`, 20 bytes. */
export const designatorOf = (address: Uint8Array): Uint8Array => Uint8Array.of(...PREFIX, ...address)
