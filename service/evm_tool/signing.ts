import { secp256k1 } from '@noble/curves/secp256k1.js'
import { keccak256 } from '../../host/primitives/keccak.ts'
import { integerBytes, rlpBytes, rlpInteger, rlpList } from '../../host/primitives/rlp.ts'

/** A transaction before its signature: the encoded fields of its list up to v, and its type. */
export interface UnsignedTransaction {
  readonly type: number
  readonly fields: readonly Uint8Array[]
}

/** Of a typed transaction v is the parity of y. */
export interface Signature {
  readonly v: bigint
  readonly r: bigint
  readonly s: bigint
}

/** The transaction as it comes over the wire. */
export const wireBytes = ({ type, fields }: UnsignedTransaction, { v, r, s }: Signature): Uint8Array =>
  typed(type, rlpList([...fields, rlpInteger(v), rlpInteger(r), rlpInteger(s)]))

/**
 * Signs with a secret key. A legacy transaction names the chain (EIP-155) unless `isProtected` is false; v of a typed
 * one is the parity.
 */
export const signTransaction = (
  unsigned: UnsignedTransaction,
  secretKey: Uint8Array,
  chainId: bigint,
  isProtected: boolean,
): Signature => {
  const { type, fields } = unsigned
  const isOfChain = type === 0 && isProtected
  const suffix = isOfChain ? [rlpInteger(chainId), EMPTY, EMPTY] : []
  const hash = keccak256(typed(type, rlpList([...fields, ...suffix])))
  const signature = secp256k1.sign(hash, secretKey, { prehash: false, format: 'recovered' })
  const { r, s, recovery } = secp256k1.Signature.fromBytes(signature, 'recovered')
  const parity = BigInt(recovery!)
  const v = type !== 0 ? parity : parity + (isOfChain ? 35n + 2n * chainId : 27n)
  return { v, r, s }
}

/** Whether a number is a key of the curve. */
export const isSecretKey = (key: Uint8Array): boolean => secp256k1.utils.isValidSecretKey(key)

/** r and s of a signature that some key may have made. */
export const isInRange = (value: bigint): boolean => value > 0n && value < ORDER

const ORDER = secp256k1.Point.Fn.ORDER
const EMPTY = rlpBytes(integerBytes(0))

const typed = (type: number, list: Uint8Array): Uint8Array => {
  if (type === 0) return list
  const bytes = new Uint8Array(1 + list.length)
  bytes[0] = type
  bytes.set(list, 1)
  return bytes
}
