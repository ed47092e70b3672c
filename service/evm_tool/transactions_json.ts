import {
  type At,
  bytesOf,
  field,
  hashOf,
  listOf,
  matching,
  type ObjectAt,
  objectOf,
  optional,
  refuse,
} from '../../conformance/json_field.ts'
import { hexToBytes } from '../../host/primitives/hex.ts'
import { rlpHex, rlpInteger, rlpList } from '../../host/primitives/rlp.ts'
import { numberOf, optionalNumber, toolAddress } from './json_values.ts'
import {
  isInRange,
  isSecretKey,
  type Signature,
  signTransaction,
  type UnsignedTransaction,
  wireBytes,
} from './signing.ts'

/**
 * Transactions in JSON, as they come over the wire. One with `v`, `r` and `s` of zero and a `secretKey` is signed here,
 * with the chain's id unless it says `"protected": false`. Throws FixtureError.
 */
export const readTransactions = (at: At, chainId: bigint): Uint8Array[] =>
  listOf(at).map((one) => readTransaction(objectOf(one), chainId))

const readTransaction = (at: ObjectAt, chainId: bigint): Uint8Array => {
  const type = Number(optionalNumber(at, 'type', 8) ?? 0n)
  if (type > 4) refuse(field(at, 'type'), 'a transaction type (0x0 to 0x4)')
  const given = givenSignature(at, type)
  const key = given === undefined ? optional(at, 'secretKey') : undefined
  const unsigned = { type, fields: fieldsOf(at, type, key === undefined ? undefined : chainId) }
  if (key === undefined) return wireBytes(unsigned, given ?? NO_SIGNATURE)
  return wireBytes(unsigned, signed(at, unsigned, readKey(key), chainId))
}

const NO_SIGNATURE: Signature = { v: 0n, r: 0n, s: 0n }

/**
 * The fields of the list up to v (EIP-155, 2930, 1559, 4844, 7702), encoded; `signingFor`: the chain that it will be
 * signed for, which a typed one must name, or leave open with zero.
 */
const fieldsOf = (at: ObjectAt, type: number, signingFor: bigint | undefined): Uint8Array[] => {
  const integer = (name: string, bits = 256): Uint8Array => rlpInteger(numberOf(field(at, name), bits))
  const nonce = integer('nonce', 64)
  const call = [integer('gas', 64), readTo(at, type), integer('value'), readInput(at)]
  if (type === 0) return [nonce, integer('gasPrice'), ...call]
  const prices = type === 1 ? [integer('gasPrice')] : [integer('maxPriorityFeePerGas'), integer('maxFeePerGas')]
  const chainId = numberOf(field(at, 'chainId'))
  if (signingFor !== undefined && chainId !== 0n && chainId !== signingFor)
    refuse(field(at, 'chainId'), `the chain that is signed for, ${signingFor}`)
  const chain = rlpInteger(signingFor ?? chainId)
  return [chain, nonce, ...prices, ...call, readAccessList(at), ...extrasOf(at, type)]
}

const extrasOf = (at: ObjectAt, type: number): Uint8Array[] => {
  if (type === 3) {
    const hashes = listOf(field(at, 'blobVersionedHashes')).map((hash) => rlpHex(hashOf(hash)))
    return [rlpInteger(numberOf(field(at, 'maxFeePerBlobGas'))), rlpList(hashes)]
  }
  if (type !== 4) return []
  return [rlpList(listOf(field(at, 'authorizationList')).map((tuple) => readAuthorization(objectOf(tuple))))]
}

/** Nothing stands for a creation, which types 3 and 4 cannot be. */
const readTo = (at: ObjectAt, type: number): Uint8Array => {
  const to = optional(at, 'to')
  if (to !== undefined && to.value !== '' && to.value !== '0x') return rlpHex(toolAddress(to))
  return type < 3 ? rlpHex('0x') : refuse(field(at, 'to'), `an address: no transaction of type ${type} is a creation`)
}

const readInput = (at: ObjectAt): Uint8Array =>
  rlpHex(bytesOf(optional(at, 'input') ?? optional(at, 'data') ?? field(at, 'input')))

const readAccessList = (at: ObjectAt): Uint8Array => {
  const list = optional(at, 'accessList')
  if (list === undefined) return rlpList([])
  return rlpList(
    listOf(list).map((entry) => {
      const access = objectOf(entry)
      const keys = listOf(field(access, 'storageKeys')).map((key) => rlpHex(hashOf(key)))
      return rlpList([rlpHex(toolAddress(field(access, 'address'))), rlpList(keys)])
    }),
  )
}

const readAuthorization = (at: ObjectAt): Uint8Array =>
  rlpList([
    rlpInteger(numberOf(field(at, 'chainId'))),
    rlpHex(toolAddress(field(at, 'address'))),
    rlpInteger(numberOf(field(at, 'nonce'), 64)),
    rlpInteger(numberOf(optional(at, 'yParity') ?? field(at, 'v'), 8)),
    rlpInteger(numberOf(field(at, 'r'))),
    rlpInteger(numberOf(field(at, 's'))),
  ])

/** Undefined where all of it is zero: it is to be signed. */
const givenSignature = (at: ObjectAt, type: number): Signature | undefined => {
  const isTyped = type !== 0
  const v = numberOf((isTyped ? optional(at, 'yParity') : undefined) ?? field(at, 'v'))
  const given = { v, r: numberOf(field(at, 'r')), s: numberOf(field(at, 's')) }
  if (given.v === 0n && given.r === 0n && given.s === 0n) return undefined
  for (const name of ['r', 's'] as const)
    if (!isInRange(given[name]))
      refuse(field(at, name), 'a number of a signature: above 0 and below the order of the curve')
  const isV = isTyped ? v <= 1n : v === 27n || v === 28n || v >= 35n
  return isV ? given : refuse(field(at, 'v'), isTyped ? '0 or 1' : '27, 28 or a number from 35 on')
}

const readKey = (at: At): Uint8Array => {
  const hex = matching(at, /^0x[0-9a-fA-F]{64}$/, 'a secret key (0x and 64 hex digits)')
  const key = hexToBytes(hex)
  return isSecretKey(key) ? key : refuse(at, 'a secret key: above 0 and below the order of the curve')
}

const signed = (at: ObjectAt, unsigned: UnsignedTransaction, key: Uint8Array, chainId: bigint): Signature => {
  const isProtected = optional(at, 'protected')
  if (isProtected !== undefined && typeof isProtected.value !== 'boolean') refuse(isProtected, 'true or false')
  if (isProtected?.value === false && unsigned.type !== 0)
    refuse(isProtected, 'no false: a typed transaction always names its chain')
  return signTransaction(unsigned, key, chainId, isProtected?.value !== false)
}
