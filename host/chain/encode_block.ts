import { rlpHeadBytes, rlpList, writeRlpHead } from '../primitives/rlp.ts'
import { type DecodedBlock, decodeBlock } from './decode_block.ts'
import { encodeHeader } from './header.ts'
import { type PackedTransactions, signedItemLength } from './packed.ts'
import { endAt, payloadAt } from './rlp_items.ts'
import { encodeWithdrawal, type Withdrawal } from './withdrawals.ts'

/** The lists of bodies that were read, without the head of the whole: what encoding them again would give. */
const readBodies = new WeakMap<object, Uint8Array>()

/** Decodes a block of which no caller has the bytes; its body is then stored as it came. Throws BlockInputError. */
export const decodeOwnBlock = (rlp: Uint8Array): DecodedBlock => {
  const block = decodeBlock(rlp)
  readBodies.set(block, rlp.subarray(endAt(rlp, payloadAt(rlp, 0))))
  return block
}

/**
 * What a block has beside its header, as it is stored: RLP of transactions, uncles and, from Shanghai on, withdrawals.
 */
export const encodeBody = (block: Omit<DecodedBlock, 'header'>): Uint8Array => {
  const read = readBodies.get(block)
  if (read !== undefined) return rlpList([read])
  const { transactions, uncles, withdrawals } = block
  return rlpList([
    encodeTransactions(transactions),
    rlpList(uncles.map(encodeHeader)),
    ...(withdrawals === undefined ? [] : [rlpList(withdrawals.map(encodeWithdrawal))]),
  ])
}

/** A typed transaction is a byte string in the list, a legacy one a list (EIP-2718). */
const encodeTransactions = (transactions: readonly Uint8Array[]): Uint8Array => {
  let length = 0
  for (const bytes of transactions) length += (isPlain(bytes) ? 0 : rlpHeadBytes(bytes.length)) + bytes.length
  const list = new Uint8Array(rlpHeadBytes(length) + length)
  let at = writeRlpHead(list, 0, 0xc0, length)
  for (const bytes of transactions) {
    if (!isPlain(bytes)) at = writeRlpHead(list, at, 0x80, bytes.length)
    list.set(bytes, at)
    at += bytes.length
  }
  return list
}

/** Whether these bytes stand as they are in a list: a list, or a single byte that stands for itself. */
const isPlain = (bytes: Uint8Array): boolean => bytes[0]! >= 0xc0 || (bytes.length === 1 && bytes[0]! < 0x80)

/** RLP of a block (YP 4.3) from that of its header and of its body. */
export const joinBlock = (header: Uint8Array, body: Uint8Array): Uint8Array =>
  rlpList([header, body.subarray(headLength(body))])

/** Bytes before the payload of a list. */
const headLength = (list: Uint8Array): number => (list[0]! < 0xf8 ? 1 : 1 + list[0]! - 0xf7)

/** Bytes of the RLP of a block without uncles. */
export const blockLength = (
  header: Uint8Array,
  transactions: PackedTransactions,
  withdrawals: readonly Withdrawal[] | undefined,
): number => {
  let items = 0
  for (let i = 0; i < transactions.offsets.length - 1; i++) items += signedItemLength(transactions, i)
  const rest = encodeBody({ transactions: [], uncles: [], ...(withdrawals === undefined ? {} : { withdrawals }) })
  // The empty list of transactions in there takes a byte.
  const payload = header.length + rlpHeadBytes(items) + items + rest.length - headLength(rest) - 1
  return rlpHeadBytes(payload) + payload
}
