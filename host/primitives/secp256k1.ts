import { createRequire } from 'node:module'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { keccak256 } from './keccak.ts'

type NativeRecover = (
  signature: Uint8Array,
  recovery: number,
  hash: Uint8Array,
  compressed: boolean,
  output: Uint8Array,
) => Uint8Array

/**
 * The native binding of the optional package `secp256k1`, or undefined where the platform has none. Its index falls
 * back to a slow script without a word, so the binding is asked for by name.
 */
const loadNative = (): NativeRecover | undefined => {
  try {
    const binding = createRequire(import.meta.url)('secp256k1/bindings.js') as { ecdsaRecover: NativeRecover }
    return binding.ecdsaRecover
  } catch {
    return undefined
  }
}

const native = loadNative()

/** Whether keys are recovered by the native binding, ten times as fast as by noble. */
export const hasNativeRecovery = native !== undefined

/** Half of the order of secp256k1: a larger s is refused in transactions since EIP-2. */
export const HALF_ORDER = secp256k1.Point.Fn.ORDER >> 1n

/**
 * The 64 bytes (x, y) of the public key that signed `hash`, or undefined where there is none. `signature` is r and s,
 * 32 bytes each; `recovery` is the parity of the point's y, 0 or 1. A high s is accepted, as the ECRECOVER precompile
 * does.
 */
export const recoverPublicKey = (hash: Uint8Array, signature: Uint8Array, recovery: 0 | 1): Uint8Array | undefined => {
  if (native === undefined) return recoverPublicKeyByNoble(hash, signature, recovery)
  try {
    return native(signature, recovery, hash, false, new Uint8Array(65)).subarray(1)
  } catch {
    return undefined
  }
}

/** The same without the native binding, for tests and where it is not trusted. */
export const recoverPublicKeyByNoble = (
  hash: Uint8Array,
  signature: Uint8Array,
  recovery: 0 | 1,
): Uint8Array | undefined => {
  try {
    return secp256k1.Signature.fromBytes(signature, 'compact')
      .addRecoveryBit(recovery)
      .recoverPublicKey(hash)
      .toBytes(false)
      .subarray(1)
  } catch {
    return undefined
  }
}

/** The address of a public key of 64 bytes: the last 20 bytes of its keccak-256. A view of fresh bytes. */
export const addressOfPublicKey = (publicKey: Uint8Array): Uint8Array => keccak256(publicKey).subarray(12)
