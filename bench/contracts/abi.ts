import { keccak256 } from '../../host/primitives/keccak.ts'

/** The function selector of a Solidity signature such as `transfer(address,uint256)`. */
export const selector = (signature: string): number => {
  const digest = keccak256(new TextEncoder().encode(signature))
  return new DataView(digest.buffer, digest.byteOffset).getUint32(0)
}

/** A big-endian ABI word, 64 hex digits. */
export const abiWord = (value: bigint | string): string => BigInt(value).toString(16).padStart(64, '0')
