import { RLP } from 'micro-eth-signer/core/rlp.js'
import { keccak256Hex } from '../../host/index.ts'

/** The address of a contract that a transaction makes (YP 7). */
export const createdAddress = (from: string, nonce: bigint): string =>
  `0x${keccak256Hex(RLP.encode([Buffer.from(from.slice(2), 'hex'), nonce])).slice(26)}`
