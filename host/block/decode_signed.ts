import { RLP } from 'micro-eth-signer/core/rlp.js'
import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import { keccak256 } from '../state/keccak.ts'
import { addressFromBytes, wordFromBytes } from '../state/word.ts'
import type { TransactionBatch } from './batch.ts'
import { emptyBatch, TransactionInputError } from './encode_batch.ts'
import { addressOfPublicKey, HALF_ORDER, recoverPublicKey } from './recover.ts'

/** A decoded RLP item: bytes as views of the input, lists as arrays. */
type Item = Uint8Array | Item[]

/** Positions of the fields in the list of each type (EIP-2718; EIP-155, EIP-2930, EIP-1559). -1: the type has none. */
interface Shape {
  readonly fields: number
  readonly chainId: number
  readonly nonce: number
  readonly tip: number
  readonly fee: number
  readonly gasLimit: number
  readonly to: number
  readonly value: number
  readonly data: number
  readonly accessList: number
  readonly v: number
}

const SHAPES: readonly Shape[] = [
  { fields: 9, chainId: -1, nonce: 0, tip: 1, fee: 1, gasLimit: 2, to: 3, value: 4, data: 5, accessList: -1, v: 6 },
  { fields: 11, chainId: 0, nonce: 1, tip: 2, fee: 2, gasLimit: 3, to: 4, value: 5, data: 6, accessList: 7, v: 8 },
  { fields: 12, chainId: 0, nonce: 1, tip: 2, fee: 3, gasLimit: 4, to: 5, value: 6, data: 7, accessList: 8, v: 9 },
]

interface Parsed {
  readonly type: number
  readonly raw: Uint8Array
  readonly items: readonly Item[]
}

/**
 * Signed transactions of types 0, 1 and 2 as they come over the wire, to columns, with their senders recovered.
 *
 * Strict: canonical RLP and integers, fields of the right length, the chain's id, s in the lower half (EIP-2), r and s in
 * range. A legacy transaction without a chain id (before EIP-155) is accepted. Throws TransactionInputError.
 *
 * Cost: about 25 us per transaction plus the recovery of its sender (recover.ts), which dominates.
 */
export const decodeSigned = (
  transactions: readonly Uint8Array[],
  { chainId }: { readonly chainId: bigint },
): TransactionBatch => {
  const parsed = transactions.map(parse)
  const batch = emptyBatch(parsed.length, sizesOf(parsed))
  let entry = 0
  let key = 0
  for (let i = 0; i < parsed.length; i++) {
    const { type, items } = parsed[i]!
    const shape = SHAPES[type]!
    batch.type[i] = type
    readQuantity(batch.nonce, 2 * i, 2, items[shape.nonce]!, 'nonce', i)
    readQuantity(batch.gasLimit, 2 * i, 2, items[shape.gasLimit]!, 'gas limit', i)
    readQuantity(batch.maxFeePerGas, LIMBS_PER_WORD * i, LIMBS_PER_WORD, items[shape.fee]!, 'fee per gas', i)
    readQuantity(batch.maxPriorityFeePerGas, LIMBS_PER_WORD * i, LIMBS_PER_WORD, items[shape.tip]!, 'priority fee', i)
    readQuantity(batch.value, LIMBS_PER_WORD * i, LIMBS_PER_WORD, items[shape.value]!, 'value', i)
    const to = bytesOf(items[shape.to]!, 'to', i)
    if (to.length === 0) batch.creates[i] = 1
    else if (to.length === 20) addressFromBytes(batch.to, LIMBS_PER_ADDRESS * i, to, 0)
    else throw new TransactionInputError(i, `to has ${to.length} bytes, expected 0 or 20`)
    const data = bytesOf(items[shape.data]!, 'data', i)
    batch.data.set(data, batch.dataStart[i]!)
    batch.dataStart[i + 1] = batch.dataStart[i]! + data.length
    for (const { address, keys } of shape.accessList < 0 ? [] : accessListOf(items[shape.accessList]!, i)) {
      addressFromBytes(batch.accessAddress, LIMBS_PER_ADDRESS * entry, address, 0)
      for (const bytes of keys) wordFromBytes(batch.accessKey, LIMBS_PER_WORD * key++, bytes, 0)
      batch.accessKeyStart[++entry] = key
    }
    batch.accessStart[i + 1] = entry
    addressFromBytes(batch.from, LIMBS_PER_ADDRESS * i, senderOf(parsed[i]!, chainId, i), 0)
  }
  return batch
}

const parse = (raw: Uint8Array, i: number): Parsed => {
  const first = raw[0]
  if (first === undefined) throw new TransactionInputError(i, 'no bytes')
  const type = first >= 0xc0 ? 0 : first
  if (type > 2 || (type === 0 && first < 0xc0)) throw new TransactionInputError(i, `type ${first} is not supported`)
  let decoded: Item
  try {
    decoded = RLP.decode(type === 0 ? raw : raw.subarray(1)) as Item
  } catch (cause) {
    throw new TransactionInputError(i, `malformed RLP: ${(cause as Error).message.replace('RLP.decode: ', '')}`)
  }
  const { fields } = SHAPES[type]!
  if (!Array.isArray(decoded) || decoded.length !== fields) {
    throw new TransactionInputError(i, `a transaction of type ${type} is a list of ${fields} fields`)
  }
  return { type, raw, items: decoded }
}

const sizesOf = (parsed: readonly Parsed[]) => {
  let dataBytes = 0
  let accessEntries = 0
  let accessKeys = 0
  parsed.forEach(({ type, items }, i) => {
    const { data, accessList } = SHAPES[type]!
    dataBytes += bytesOf(items[data]!, 'data', i).length
    if (accessList < 0) return
    const entries = accessListOf(items[accessList]!, i)
    accessEntries += entries.length
    for (const { keys } of entries) accessKeys += keys.length
  })
  return { dataBytes, accessEntries, accessKeys }
}

const accessListOf = (item: Item, i: number): { readonly address: Uint8Array; readonly keys: Uint8Array[] }[] => {
  const refuse = (what: string): never => {
    throw new TransactionInputError(i, `access list: ${what}`)
  }
  if (!Array.isArray(item)) return refuse('expected a list')
  return item.map((entry) => {
    if (!Array.isArray(entry) || entry.length !== 2) return refuse('an entry is an address and a list of keys')
    const [address, keys] = entry as [Item, Item]
    if (Array.isArray(address) || address.length !== 20) return refuse('an address has 20 bytes')
    if (!Array.isArray(keys)) return refuse('expected a list of keys')
    for (const key of keys) if (Array.isArray(key) || key.length !== 32) return refuse('a storage key has 32 bytes')
    return { address, keys: keys as Uint8Array[] }
  })
}

const bytesOf = (item: Item, name: string, i: number): Uint8Array => {
  if (Array.isArray(item)) throw new TransactionInputError(i, `${name} is a list, expected bytes`)
  return item
}

/** An integer without leading zeros into `limbs` limbs. */
const readQuantity = (dst: Uint32Array, at: number, limbs: number, item: Item, name: string, i: number): void => {
  const bytes = integerBytes(item, 4 * limbs, name, i)
  for (let n = 0; n < bytes.length; n++) {
    const shift = bytes.length - 1 - n
    const limb = at + (shift >>> 2)
    dst[limb] = dst[limb]! | (bytes[n]! << (8 * (shift & 3)))
  }
}

const integerBytes = (item: Item, maxBytes: number, name: string, i: number): Uint8Array => {
  const bytes = bytesOf(item, name, i)
  if (bytes.length > maxBytes) throw new TransactionInputError(i, `${name} has more than ${8 * maxBytes} bits`)
  if (bytes[0] === 0) throw new TransactionInputError(i, `${name} has leading zeros`)
  return bytes
}

const bigintOf = (bytes: Uint8Array): bigint => {
  let value = 0n
  for (const byte of bytes) value = (value << 8n) | BigInt(byte)
  return value
}

const senderOf = ({ type, raw, items }: Parsed, chainId: bigint, i: number): Uint8Array => {
  const shape = SHAPES[type]!
  const v = integerBytes(items[shape.v]!, 32, 'v', i)
  const r = integerBytes(items[shape.v + 1]!, 32, 'r', i)
  const s = integerBytes(items[shape.v + 2]!, 32, 's', i)
  const vValue = bigintOf(v)
  let parity = vValue
  let suffix = new Uint8Array(0)
  if (type !== 0) {
    requireChain(bigintOf(integerBytes(items[shape.chainId]!, 32, 'chain id', i)), chainId, i)
  } else if (vValue >= 35n) {
    requireChain((vValue - 35n) >> 1n, chainId, i)
    parity = (vValue - 35n) & 1n
    suffix = RLP.encode([chainId, 0n, 0n]).slice(1) as Uint8Array<ArrayBuffer>
  } else {
    parity = vValue - 27n
  }
  if (parity !== 0n && parity !== 1n) throw new TransactionInputError(i, `v is ${vValue}`)
  if (bigintOf(s) > HALF_ORDER) throw new TransactionInputError(i, 's is in the upper half of the order')
  const signature = new Uint8Array(64)
  signature.set(r, 32 - r.length)
  signature.set(s, 64 - s.length)
  const publicKey = recoverPublicKey(keccak256(signedMessage(type, raw, v, suffix)), signature, parity === 0n ? 0 : 1)
  if (publicKey === undefined) throw new TransactionInputError(i, 'the signature has no public key')
  return addressOfPublicKey(publicKey)
}

const requireChain = (got: bigint, want: bigint, i: number): void => {
  if (got !== want) throw new TransactionInputError(i, `chain id ${got}, expected ${want}`)
}

/**
 * The bytes that were signed: the list without its signature, under a new header. The fields in front of v stand in `raw`
 * as they must be hashed, because the RLP is canonical, so that nothing is encoded again.
 */
const signedMessage = (type: number, raw: Uint8Array, v: Uint8Array, suffix: Uint8Array): Uint8Array => {
  const listStart = type === 0 ? 0 : 1
  const lengthBytes = raw[listStart]! > 0xf7 ? raw[listStart]! - 0xf7 : 0
  const start = listStart + 1 + lengthBytes
  const isSingleByte = v.length === 1 && v[0]! < 0x80
  const end = v.byteOffset - raw.byteOffset - (isSingleByte ? 0 : 1)
  const length = end - start + suffix.length
  const header = listHeader(length)
  const message = new Uint8Array(listStart + header.length + length)
  if (type !== 0) message[0] = type
  message.set(header, listStart)
  message.set(raw.subarray(start, end), listStart + header.length)
  message.set(suffix, message.length - suffix.length)
  return message
}

const listHeader = (length: number): Uint8Array => {
  if (length < 56) return Uint8Array.of(0xc0 + length)
  const bytes: number[] = []
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256)
  return Uint8Array.of(0xf7 + bytes.length, ...bytes)
}
