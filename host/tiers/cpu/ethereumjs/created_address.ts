import { keccak256 } from '../../../primitives/keccak.ts'
import { rlpBytes, rlpInteger, rlpList } from '../../../primitives/rlp.ts'

const ADDRESS_AT = 12

/** Address of a contract that an account creates at this nonce (YP 7). */
export const createdAddress = (from: Uint8Array, nonce: bigint): Uint8Array =>
  keccak256(rlpList([rlpBytes(from), rlpInteger(nonce)])).subarray(ADDRESS_AT)

/** Address of a contract that CREATE2 makes (EIP-1014). */
export const saltedAddress = (from: Uint8Array, salt: Uint8Array, initcode: Uint8Array): Uint8Array => {
  const named = new Uint8Array(85)
  named[0] = 0xff
  named.set(from, 1)
  named.set(salt, 21)
  named.set(keccak256(initcode), 53)
  return keccak256(named).subarray(ADDRESS_AT)
}
