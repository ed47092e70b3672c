import { type Common, type CustomCrypto, createCustomCommon, Mainnet } from '@ethereumjs/common'
import { ethereumjsHardfork, type Fork } from '../../transpiler/spec/forks.ts'
import { recoverPublicKey } from '../block/recover.ts'
import { keccak256 } from '../state/keccak.ts'
import { verifyKzgProof } from './cpu_kzg.ts'

/**
 * The primitives that @ethereumjs/evm is given in place of its own: keccak-256 eight times as fast, public key recovery
 * thirty times where the native binding loads.
 */
export const CUSTOM_CRYPTO: CustomCrypto = {
  keccak256,
  ecrecover: (hash, v, r, s) => {
    const signature = new Uint8Array(64)
    signature.set(r, 32 - r.length)
    signature.set(s, 64 - s.length)
    const publicKey = recoverPublicKey(hash, signature, v === 27n ? 0 : 1)
    if (publicKey === undefined) throw new Error('no public key has this signature')
    return publicKey
  },
  // The EVM asks for nothing else of it; blobs are not made or checked here.
  kzg: { verifyProof: verifyKzgProof } as NonNullable<CustomCrypto['kzg']>,
}

/** The rules of `fork` on a chain of this id, as @ethereumjs packages take them. */
export const commonOf = (fork: Fork, chainId: bigint): Common =>
  createCustomCommon({ chainId: chainId.toString() }, Mainnet, {
    hardfork: ethereumjsHardfork(fork),
    customCrypto: CUSTOM_CRYPTO,
  })
