import { keccak_256 } from '@noble/hashes/sha3.js'
import { bytesToHex } from '@noble/hashes/utils.js'
import { createKeccak } from 'hash-wasm'

/** The hash in JavaScript, until WebAssembly is compiled: a module that awaited it could not be loaded by require(). */
let digest = (bytes: Uint8Array): Uint8Array => keccak_256(bytes)
let hexDigest = (bytes: Uint8Array): string => bytesToHex(keccak_256(bytes))

/** Settles when the hash runs in WebAssembly, ten times as fast; where there is none, JavaScript stays. */
export const keccakCompiled: Promise<void> = createKeccak(256).then(
  (hasher) => {
    digest = (bytes) => hasher.init().update(bytes).digest('binary')
    hexDigest = (bytes) => hasher.init().update(bytes).digest('hex')
  },
  () => {},
)

/** Keccak-256 on the CPU: about 1.5 us for one block of up to 135 bytes. The result is a fresh array of 32 bytes. */
export const keccak256 = (bytes: Uint8Array): Uint8Array => digest(bytes)

/** The same as 0x-hex. */
export const keccak256Hex = (bytes: Uint8Array): string => `0x${hexDigest(bytes)}`
