import { type Common, type CustomCrypto, createCustomCommon, Mainnet } from '@ethereumjs/common'
import { ethereumjsHardfork, type Fork } from '../../transpiler/spec/forks.ts'
import { keccak256 } from '../primitives/keccak.ts'
import { recoverPublicKey } from '../primitives/secp256k1.ts'
import { verifyKzgProof } from './kzg.ts'

/** @ethereumjs' public key recovery: the key of 64 bytes, an error where there is none. */
export const recoverSigner: NonNullable<CustomCrypto['ecrecover']> = (hash, v, r, s, chainId) => {
  const recovery = recoveryOf(v, chainId)
  if (recovery !== 0n && recovery !== 1n) throw new Error('Invalid signature v value')
  const signature = new Uint8Array(64)
  signature.set(r, 32 - r.length)
  signature.set(s, 64 - s.length)
  const publicKey = recoverPublicKey(hash, signature, recovery === 0n ? 0 : 1)
  if (publicKey === undefined) throw new Error('no public key has this signature')
  return publicKey
}

/** EIP-155: v is 35 or 36 and twice the chain id; without a chain id 27 or 28; of a typed transaction 0 or 1. */
const recoveryOf = (v: bigint, chainId: bigint | undefined): bigint => {
  if (v === 0n || v === 1n) return v
  return chainId === undefined ? v - 27n : v - (chainId * 2n + 35n)
}

/**
 * The primitives that @ethereumjs/evm is given in place of its own: keccak-256 eight times as fast, public key recovery
 * thirty times where the native binding loads.
 */
export const CUSTOM_CRYPTO: CustomCrypto = {
  keccak256,
  ecrecover: recoverSigner,
  // The EVM asks for nothing else of it; blobs are not made or checked here.
  kzg: { verifyProof: verifyKzgProof } as NonNullable<CustomCrypto['kzg']>,
}

/** The rules of `fork` on a chain of this id, as @ethereumjs packages take them. */
export const commonOf = (fork: Fork, chainId: bigint): Common =>
  createCustomCommon({ chainId: chainId.toString() }, Mainnet, {
    hardfork: ethereumjsHardfork(fork),
    customCrypto: CUSTOM_CRYPTO,
  })
