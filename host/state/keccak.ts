import { createKeccak } from 'hash-wasm'

const hasher = await createKeccak(256)

/** Keccak-256 on the CPU: about 1.5 us for one block of up to 135 bytes. The result is a fresh array of 32 bytes. */
export const keccak256 = (bytes: Uint8Array): Uint8Array => hasher.init().update(bytes).digest('binary')

/** The same as 0x-hex. */
export const keccak256Hex = (bytes: Uint8Array): string => `0x${hasher.init().update(bytes).digest('hex')}`

/** keccak-256 of no bytes: the code hash of an account without code (YP 4.1). */
export const EMPTY_CODE_HASH = '0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470'
