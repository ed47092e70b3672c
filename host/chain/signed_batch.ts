import { RLP } from 'micro-eth-signer/core/rlp.js'
import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import { bytesToHex } from '../primitives/hex.ts'
import { checkArray, checkObject, checkUnsigned } from '../primitives/input.ts'
import { keccak256 } from '../primitives/keccak.ts'
import { HALF_ORDER } from '../primitives/secp256k1.ts'
import { addressFromBytes, wordFromBytes } from '../primitives/word.ts'
import {
  type Authorization,
  type BatchSizes,
  emptyBatch,
  type TransactionBatch,
  type TransactionExtras,
  TYPE_BLOB,
  TYPE_DEPOSIT,
  TYPE_SET_CODE,
} from './batch.ts'
import { TransactionInputError } from './encode_batch.ts'

/** A decoded RLP item: bytes as views of the input, lists as arrays. */
type Item = Uint8Array | Item[]

/**
 * Positions of the fields in the list of each type (EIP-2718; EIP-155, 2930, 1559, 4844, 7702; OP-stack specification
 * of deposits). -1: the type has none.
 */
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

const LEGACY: Shape = {
  fields: 9,
  chainId: -1,
  nonce: 0,
  tip: 1,
  fee: 1,
  gasLimit: 2,
  to: 3,
  value: 4,
  data: 5,
  accessList: -1,
  v: 6,
}
const DYNAMIC: Shape = {
  fields: 12,
  chainId: 0,
  nonce: 1,
  tip: 2,
  fee: 3,
  gasLimit: 4,
  to: 5,
  value: 6,
  data: 7,
  accessList: 8,
  v: 9,
}
const SHAPES: ReadonlyMap<number, Shape> = new Map([
  [0, LEGACY],
  [1, { ...DYNAMIC, fields: 11, fee: 2, gasLimit: 3, to: 4, value: 5, data: 6, accessList: 7, v: 8 }],
  [2, DYNAMIC],
  [TYPE_BLOB, { ...DYNAMIC, fields: 14, v: 11 }],
  [TYPE_SET_CODE, { ...DYNAMIC, fields: 13, v: 10 }],
  [
    TYPE_DEPOSIT,
    {
      fields: 8,
      chainId: -1,
      nonce: -1,
      tip: -1,
      fee: -1,
      gasLimit: 5,
      to: 2,
      value: 4,
      data: 7,
      accessList: -1,
      v: -1,
    },
  ],
])

/** Blob fields of type 3 and authorizations of type 4 stand after the access list. */
const BLOB_FEE = 9
const BLOB_HASHES = 10
const AUTHORIZATIONS = 9
/** Fields of a deposit: source hash, sender, to, mint, value, gas limit, is system, data. */
const DEPOSIT_SOURCE = 0
const DEPOSIT_FROM = 1
const DEPOSIT_MINT = 3
const DEPOSIT_SYSTEM = 6

/** go-ethereum's name of the types whose `to` may not be empty. */
const NOT_CREATING: Readonly<Record<number, string>> = { [TYPE_BLOB]: 'BlobTx', [TYPE_SET_CODE]: 'SetCodeTx' }

interface Parsed {
  readonly type: number
  readonly shape: Shape
  readonly raw: Uint8Array
  readonly items: readonly Item[]
}

/**
 * Options of `decodeSigned`. `chainId` is what every transaction that names a chain must name (EIP-155).
 *
 * @example
 * import { type DecodeOptions, decodeSigned, type TransactionInputError } from 'wgevm'
 *
 * const faults = new Map<number, TransactionInputError>()
 * const options: DecodeOptions = { chainId: 1n, faults }
 * decodeSigned([Uint8Array.of(0xff)], options)
 * console.log(faults.has(0)) // true
 */
export interface DecodeOptions {
  readonly chainId: bigint
  /** Whether deposits, which are not signed, are read: only on a chain of the OP stack. */
  readonly deposits?: boolean
  /** Takes by index why a transaction cannot be read, where that must not end the call: its row then means nothing. */
  readonly faults?: Map<number, TransactionInputError>
}

/** The parity of a row without a signature: of a deposit, which is not signed, and of a row that cannot be read. */
export const NO_SIGNATURE = 2

/**
 * What senders are recovered from. Row i:
 *
 * hash     u8[32 n]   keccak-256 of what was signed
 * rs       u8[64 n]   r and s, big-endian
 * parity   u8[n]      of the y of the signature's point: 0, 1, or NO_SIGNATURE
 */
export interface Signatures {
  readonly hash: Uint8Array
  readonly rs: Uint8Array
  readonly parity: Uint8Array
}

/**
 * Decoded transactions before recovery: `from` is zero but for deposits, and authorizations have no authority. `fault`
 * ended the decoding at row `decoded`; the rows before it stand.
 */
export interface SignedBatch {
  readonly batch: DecodedBatch
  readonly signatures: Signatures
  readonly decoded: number
  readonly fault: TransactionInputError | undefined
}

type DecodedBatch = TransactionBatch & { readonly extras: Map<number, TransactionExtras> }

/**
 * Signed transactions as they come over the wire (blobs without their sidecar), to columns.
 *
 * Strict: canonical RLP and integers, fields of the right length, the chain's id, s in the lower half (EIP-2). A legacy
 * transaction without a chain id (before EIP-155) is accepted. Throws TransactionInputError where the bytes are no
 * transaction, before any row is decoded.
 *
 * Cost: about 25 us per transaction.
 */
export const decodeSignedBatch = (transactions: readonly Uint8Array[], options: DecodeOptions): SignedBatch => {
  checkArray(transactions, 'transactions', 'an array of signed transactions')
  checkUnsigned(checkObject(options, 'options')['chainId'], 256, 'options.chainId')
  const { chainId, deposits = false, faults } = options
  const sizes = { dataBytes: 0, accessEntries: 0, accessKeys: 0 }
  const parsed = transactions.map((raw, i) =>
    reading(faults, () => {
      const one = parse(raw, i, deposits)
      addSizes(sizes, one, i)
      return one
    }),
  )
  const count = parsed.length
  const extras = new Map<number, TransactionExtras>()
  const batch = { ...emptyBatch(count, sizes), extras }
  const signatures: Signatures = {
    hash: new Uint8Array(32 * count),
    rs: new Uint8Array(64 * count),
    parity: new Uint8Array(count).fill(NO_SIGNATURE),
  }
  const cursor = { entry: 0, key: 0 }
  const rowFaults = faults ?? new Map<number, TransactionInputError>()
  for (let i = 0; i < count; i++) {
    const one = parsed[i]
    const { entry, key } = cursor
    const isRead =
      one !== undefined &&
      reading(rowFaults, () => {
        decodeRow(batch, cursor, one, i)
        if (one.type !== TYPE_DEPOSIT) decodeSignature(signatures, one, chainId, i)
        return true
      })
    if (!isRead) {
      if (faults === undefined) return { batch, signatures, decoded: i, fault: rowFaults.get(i) }
      Object.assign(cursor, { entry, key })
      batch.dataStart[i + 1] = batch.dataStart[i]!
      extras.delete(i)
    }
    batch.accessStart[i + 1] = cursor.entry
  }
  return { batch, signatures, decoded: count, fault: undefined }
}

/** What `read` gives; undefined, and the fault where it belongs, where it throws one that is to be kept. */
const reading = <Value>(
  faults: Map<number, TransactionInputError> | undefined,
  read: () => Value,
): Value | undefined => {
  try {
    return read()
  } catch (thrown) {
    if (faults === undefined || !(thrown instanceof TransactionInputError)) throw thrown
    faults.set(thrown.index, thrown)
    return undefined
  }
}

/** Entries and keys of access lists so far. */
interface AccessCursor {
  entry: number
  key: number
}

/** Row i of the batch without its signature. */
const decodeRow = (batch: DecodedBatch, cursor: AccessCursor, { type, shape, items }: Parsed, i: number): void => {
  batch.type[i] = type
  if (shape.nonce >= 0) readQuantity(batch.nonce, 2 * i, 2, items[shape.nonce]!, 'nonce', i)
  readQuantity(batch.gasLimit, 2 * i, 2, items[shape.gasLimit]!, 'gas limit', i)
  if (shape.fee >= 0) {
    readQuantity(batch.maxFeePerGas, LIMBS_PER_WORD * i, LIMBS_PER_WORD, items[shape.fee]!, 'fee per gas', i)
    readQuantity(batch.maxPriorityFeePerGas, LIMBS_PER_WORD * i, LIMBS_PER_WORD, items[shape.tip]!, 'priority fee', i)
  }
  readQuantity(batch.value, LIMBS_PER_WORD * i, LIMBS_PER_WORD, items[shape.value]!, 'value', i)
  const to = bytesOf(items[shape.to]!, 'to', i)
  const notCreating = NOT_CREATING[type]
  if (to.length === 0 && notCreating !== undefined) throw new TransactionInputError(i, emptyTo(notCreating))
  if (to.length === 0) batch.creates[i] = 1
  else if (to.length === 20) addressFromBytes(batch.to, LIMBS_PER_ADDRESS * i, to, 0)
  else throw new TransactionInputError(i, `to has ${to.length} bytes, expected 0 or 20`)
  const data = bytesOf(items[shape.data]!, 'data', i)
  batch.data.set(data, batch.dataStart[i]!)
  batch.dataStart[i + 1] = batch.dataStart[i]! + data.length
  for (const { address, keys } of shape.accessList < 0 ? [] : accessListOf(items[shape.accessList]!, i)) {
    addressFromBytes(batch.accessAddress, LIMBS_PER_ADDRESS * cursor.entry, address, 0)
    for (const bytes of keys) wordFromBytes(batch.accessKey, LIMBS_PER_WORD * cursor.key++, bytes, 0)
    batch.accessKeyStart[++cursor.entry] = cursor.key
  }
  if (type === TYPE_BLOB) batch.extras.set(i, blobExtras(items, i))
  if (type === TYPE_SET_CODE) batch.extras.set(i, { authorizations: authorizationsOf(items[AUTHORIZATIONS]!, i) })
  if (type !== TYPE_DEPOSIT) return
  batch.extras.set(i, depositExtras(items, i))
  addressFromBytes(batch.from, LIMBS_PER_ADDRESS * i, fixedBytes(items[DEPOSIT_FROM]!, 20, 'from', i), 0)
}

/** What go-ethereum says of it. */
const emptyTo = (type: string): string =>
  `rlp: input string too short for common.Address, decoding into (types.Transaction)(types.${type}).To`

const blobExtras = (items: readonly Item[], i: number): TransactionExtras => {
  const hashes = items[BLOB_HASHES]!
  if (!Array.isArray(hashes)) throw new TransactionInputError(i, 'blob hashes: expected a list')
  return {
    maxFeePerBlobGas: bigintOf(integerBytes(items[BLOB_FEE]!, 32, 'fee per blob gas', i)),
    blobVersionedHashes: hashes.map((hash) => bytesToHex(fixedBytes(hash, 32, 'a versioned hash', i))),
  }
}

const depositExtras = (items: readonly Item[], i: number): TransactionExtras => {
  const isSystem = bigintOf(integerBytes(items[DEPOSIT_SYSTEM]!, 1, 'is system', i))
  if (isSystem > 1n) throw new TransactionInputError(i, `is system is ${isSystem}, expected 0 or 1`)
  return {
    deposit: {
      sourceHash: bytesToHex(fixedBytes(items[DEPOSIT_SOURCE]!, 32, 'source hash', i)),
      mint: bigintOf(integerBytes(items[DEPOSIT_MINT]!, 32, 'mint', i)),
      isSystem: isSystem === 1n,
    },
  }
}

/** EIP-7702: (chain id, address, nonce, y parity, r, s) each. */
const authorizationsOf = (item: Item, i: number): Authorization[] => {
  if (!Array.isArray(item)) throw new TransactionInputError(i, 'authorizations: expected a list')
  return item.map((tuple) => {
    if (!Array.isArray(tuple) || tuple.length !== 6) {
      throw new TransactionInputError(i, 'an authorization is a list of 6 fields')
    }
    const integer = (field: number, maxBytes: number, name: string): bigint =>
      bigintOf(integerBytes(tuple[field]!, maxBytes, `authorization ${name}`, i))
    const signed = {
      chainId: integer(0, 32, 'chain id'),
      address: bytesToHex(fixedBytes(tuple[1]!, 20, 'authorization address', i)),
      nonce: integer(2, 8, 'nonce'),
    }
    const signature = { yParity: integer(3, 1, 'y parity'), r: integer(4, 32, 'r'), s: integer(5, 32, 's') }
    return { ...signed, authority: undefined, signature }
  })
}

const fixedBytes = (item: Item, length: number, name: string, i: number): Uint8Array => {
  const bytes = bytesOf(item, name, i)
  if (bytes.length === length) return bytes
  throw new TransactionInputError(i, `${name} has ${bytes.length} bytes, expected ${length}`)
}

const parse = (raw: Uint8Array, i: number, deposits: boolean): Parsed => {
  if (!(raw instanceof Uint8Array)) throw new TransactionInputError(i, 'expected the bytes of a signed transaction')
  const first = raw[0]
  if (first === undefined) throw new TransactionInputError(i, 'no bytes')
  const type = first >= 0xc0 ? 0 : first
  const shape = SHAPES.get(type)
  if (shape === undefined || (type === 0 && first < 0xc0) || (type === TYPE_DEPOSIT && !deposits)) {
    throw new TransactionInputError(i, `type ${first} is not supported`)
  }
  let decoded: Item
  try {
    decoded = RLP.decode(type === 0 ? raw : raw.subarray(1)) as Item
  } catch (cause) {
    throw new TransactionInputError(i, `malformed RLP: ${(cause as Error).message.replace('RLP.decode: ', '')}`)
  }
  const { fields } = shape
  if (!Array.isArray(decoded) || decoded.length !== fields) {
    throw new TransactionInputError(i, `a transaction of type ${type} is a list of ${fields} fields`)
  }
  return { type, shape, raw, items: decoded }
}

const addSizes = (sizes: Mutable<BatchSizes>, { shape, items }: Parsed, i: number): void => {
  const { data, accessList } = shape
  const dataBytes = bytesOf(items[data]!, 'data', i).length
  const entries = accessList < 0 ? [] : accessListOf(items[accessList]!, i)
  sizes.dataBytes += dataBytes
  sizes.accessEntries += entries.length
  for (const { keys } of entries) sizes.accessKeys += keys.length
}

type Mutable<Fields> = { -readonly [Name in keyof Fields]: Fields[Name] }

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

const decodeSignature = (
  { hash, rs, parity: parities }: Signatures,
  { type, shape, raw, items }: Parsed,
  chainId: bigint,
  i: number,
): void => {
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
  rs.set(r, 64 * i + 32 - r.length)
  rs.set(s, 64 * (i + 1) - s.length)
  hash.set(keccak256(signedMessage(type, raw, v, suffix)), 32 * i)
  parities[i] = Number(parity)
}

const requireChain = (got: bigint, want: bigint, i: number): void => {
  if (got !== want) throw new TransactionInputError(i, `chain id ${got}, expected ${want}`)
}

/**
 * The bytes that were signed: the list without its signature, under a new header. The fields before v stand in
 * `raw` as they must be hashed, because the RLP is canonical, so nothing is encoded again.
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
