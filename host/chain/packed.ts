import { checkArray, checkObject, InputError, refuse } from '../primitives/input.ts'
import { rlpHeadBytes } from '../primitives/rlp.ts'

/**
 * Signed transactions as they come over the wire, one after another in one buffer. Transaction i is the bytes
 * offsets[i] .. offsets[i + 1].
 *
 * bytes     u8           the transactions
 * offsets   u32[n + 1]   ascending; the first is 0 and the last the length of `bytes`
 *
 * @example
 * import { type PackedTransactions, transactionsRoot } from 'wgevm'
 *
 * const none: PackedTransactions = { bytes: new Uint8Array(0), offsets: Uint32Array.of(0) }
 * console.log(transactionsRoot(none) === transactionsRoot([])) // true
 */
export interface PackedTransactions {
  readonly bytes: Uint8Array
  readonly offsets: Uint32Array
}

/**
 * Signed transactions as they come over the wire (typed: type byte and payload; legacy: RLP; blobs without their
 * sidecar): in one buffer, which is the fast way in, or one by one.
 *
 * Example: {@link decode}.
 */
export type SignedTransactions = PackedTransactions | readonly Uint8Array[]

/**
 * Copies transactions into one buffer. Throws InputError where they are no array, or more than 2^32 - 1 bytes.
 *
 * @example
 * import { packTransactions } from 'wgevm'
 *
 * const { bytes, offsets } = packTransactions([Uint8Array.of(2, 0xc0), Uint8Array.of(0xc0)])
 * console.log(bytes.length, [...offsets]) // 3 [ 0, 2, 3 ]
 */
export const packTransactions = (transactions: readonly Uint8Array[]): PackedTransactions => {
  checkArray(transactions, 'transactions', 'an array of signed transactions')
  const offsets = new Uint32Array(transactions.length + 1)
  let end = 0
  for (let i = 0; i < transactions.length; i++) {
    end += byteLengthOf(transactions[i])
    offsets[i + 1] = end
  }
  if (end > MOST_BYTES)
    throw new InputError(`transactions must be at most ${MOST_BYTES} bytes, got ${end}`, 'transactions')
  const bytes = new Uint8Array(end)
  for (let i = 0; i < transactions.length; i++)
    if (offsets[i + 1]! > offsets[i]!) bytes.set(transactions[i]!, offsets[i]!)
  return { bytes, offsets }
}

const MOST_BYTES = 2 ** 32 - 1

/** Zero for what is not bytes: who reads it finds no transaction there. */
const byteLengthOf = (raw: unknown): number => (raw instanceof Uint8Array ? raw.length : 0)

/** Each transaction as a message to hash. */
export const messagesOf = ({ bytes, offsets }: PackedTransactions) => {
  const count = offsets.length - 1
  const lengths = new Uint32Array(count)
  for (let i = 0; i < count; i++) lengths[i] = offsets[i + 1]! - offsets[i]!
  return { count, bytes, offsets, lengths }
}

export const isPacked = (transactions: object): transactions is PackedTransactions => 'offsets' in transactions

const SIGNED = 'an array of signed transactions, or their bytes and offsets'

/** That every transaction lies inside of the buffer. Throws InputError. */
export const checkPacked = (value: unknown, field: string): PackedTransactions => {
  const { bytes, offsets } = checkObject(value, field, SIGNED)
  if (!(bytes instanceof Uint8Array)) return refuse(`${field}.bytes`, bytes, 'a Uint8Array')
  if (!(offsets instanceof Uint32Array)) return refuse(`${field}.offsets`, offsets, 'a Uint32Array')
  const count = offsets.length - 1
  if (count < 0) return refuse(`${field}.offsets`, offsets, 'one more than the transactions')
  if (offsets[0] !== 0) return refuse(`${field}.offsets[0]`, offsets[0], '0')
  for (let i = 0; i < count; i++)
    if (offsets[i + 1]! < offsets[i]!)
      return refuse(`${field}.offsets[${i + 1}]`, offsets[i + 1], `at least the one before it, ${offsets[i]}`)
  if (offsets[count] !== bytes.length)
    return refuse(`${field}.offsets[${count}]`, offsets[count], `the length of the bytes, ${bytes.length}`)
  return { bytes, offsets }
}

/** That the value is transactions as they come over the wire. Throws InputError. */
export const checkSigned = (value: unknown, field: string): SignedTransactions => {
  if (!Array.isArray(value)) return checkPacked(value, field)
  for (const [n, raw] of value.entries())
    if (!(raw instanceof Uint8Array)) refuse(`${field}[${n}]`, raw, 'the bytes of a signed transaction', n)
  return value as readonly Uint8Array[]
}

export const signedCount = (signed: SignedTransactions): number =>
  isPacked(signed) ? signed.offsets.length - 1 : signed.length

/** Bytes of transaction i. */
export const signedLength = (signed: SignedTransactions, i: number): number =>
  isPacked(signed) ? signed.offsets[i + 1]! - signed.offsets[i]! : signed[i]!.length

/** Bytes that transaction i takes in the RLP of a block: a typed one is a byte string there, a legacy one an item. */
export const signedItemLength = (signed: SignedTransactions, i: number): number => {
  const length = signedLength(signed, i)
  const first = isPacked(signed) ? signed.bytes[signed.offsets[i]!]! : signed[i]![0]!
  const isItself = length > 0 && (first >= 0xc0 || (length === 1 && first < 0x80))
  return isItself ? length : rlpHeadBytes(length) + length
}

/** The transactions that `order` names, in its order, in the form they came in. */
export const selectSigned = (signed: SignedTransactions, order: ArrayLike<number>): SignedTransactions => {
  if (!isPacked(signed)) return Array.from(order, (i) => signed[i]!)
  const { bytes, offsets } = signed
  const selected = new Uint32Array(order.length + 1)
  for (let n = 0; n < order.length; n++) selected[n + 1] = selected[n]! + signedLength(signed, order[n]!)
  const to = new Uint8Array(selected[order.length]!)
  for (let n = 0; n < order.length; n++)
    to.set(bytes.subarray(offsets[order[n]!]!, offsets[order[n]! + 1]!), selected[n]!)
  return { bytes: to, offsets: selected }
}
