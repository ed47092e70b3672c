import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import { addressFromBytes } from '../primitives/word.ts'
import type { TransactionBatch } from './batch.ts'
import { DYNAMIC, type FieldTable, type MutableSizes, ROW_ENTRIES } from './signed_fields.ts'
import { copyBytes } from './signed_items.ts'

/**
 * Plain transactions, which most are: of type 2 (EIP-1559), without access list, in every field as the rules of all
 * forks want it. One look finds that out, and their columns are filled without another. A transaction of which it does
 * not say so goes the way of all others, which names what is wrong with it.
 */

const TYPE = 2
const { nonce, tip, fee, gasLimit, to: recipient, value, data, accessList, v } = DYNAMIC
/** Most bytes of the integers before `to`, by field: chain id, nonce, priority fee, fee, gas limit. */
const MOST_BYTES = Uint8Array.of(0, 8, 32, 32, 8)
/** An s whose first byte is this or more may be in the upper half of the order (EIP-2). */
const HIGH_BYTE = 0x7f

/**
 * Whether transaction i is plain: then its row of the table is entered, and its calldata is counted. `chainId` is RLP.
 */
export const scanPlain = (table: FieldTable, chainId: Uint8Array, i: number, sizes: MutableSizes): boolean => {
  const { bytes, offsets, at } = table
  const row = ROW_ENTRIES * i
  const end = offsets[i + 1]!
  let p = offsets[i]!
  if (bytes[p] !== TYPE) return false
  p = listStart(bytes, p + 1, end)
  for (let n = 0; n < chainId.length; n++) if (bytes[p + n] !== chainId[n]) return false
  at[row] = p
  p += chainId.length
  for (let field = nonce; field < recipient; field++) {
    at[row + field] = p
    p = integerEnd(bytes, p, MOST_BYTES[field]!)
  }
  at[row + recipient] = p
  if (bytes[p] !== 0x94 && bytes[p] !== 0x80) return false
  p += bytes[p] === 0x94 ? 21 : 1
  at[row + value] = p
  p = integerEnd(bytes, p, 32)
  at[row + data] = p
  const dataEnd = stringEnd(bytes, p)
  at[row + accessList] = dataEnd
  at[row + v] = dataEnd + 1
  if (bytes[dataEnd] !== 0xc0 || (bytes[dataEnd + 1] !== 0x80 && bytes[dataEnd + 1] !== 1)) return false
  const r = dataEnd + 2
  const s = integerEnd(bytes, r, 32)
  at[row + v + 1] = r
  at[row + v + 2] = s
  at[row + v + 3] = end
  // What lies outside of the transaction ends after it, and so does all that follows.
  if (integerEnd(bytes, s, 32) !== end || (bytes[s] === 0xa0 && bytes[s + 1]! >= HIGH_BYTE)) return false
  sizes.dataBytes += dataEnd - dataStart(bytes, p)
  return true
}

/** No position: it is no other one's end. */
const NOWHERE = 0xffff_ffff

/** Where the items of a list that is all of at .. end start; NOWHERE where it is none of 56 to 65,535 bytes. */
const listStart = (bytes: Uint8Array, at: number, end: number): number => {
  const head = bytes[at]!
  if (head === 0xf8) return bytes[at + 1]! >= 56 && at + 2 + bytes[at + 1]! === end ? at + 2 : NOWHERE
  if (head !== 0xf9) return NOWHERE
  const length = (bytes[at + 1]! << 8) | bytes[at + 2]!
  return length >= 0x100 && at + 3 + length === end ? at + 3 : NOWHERE
}

/** Where an integer of at most so many bytes ends; NOWHERE where it is none, or not in its shortest form. */
const integerEnd = (bytes: Uint8Array, at: number, most: number): number => {
  const head = bytes[at]!
  if (head < 0x80) return head === 0 ? NOWHERE : at + 1
  const length = head - 0x80
  if (length > most) return NOWHERE
  if (length > 0 && (bytes[at + 1] === 0 || (length === 1 && bytes[at + 1]! < 0x80))) return NOWHERE
  return at + 1 + length
}

/** The same of bytes, of 65,535 at most. */
const stringEnd = (bytes: Uint8Array, at: number): number => {
  const head = bytes[at]!
  if (head < 0x80) return at + 1
  if (head < 0xb8) return head === 0x81 && bytes[at + 1]! < 0x80 ? NOWHERE : at + 1 + head - 0x80
  if (head === 0xb8) return bytes[at + 1]! < 56 ? NOWHERE : at + 2 + bytes[at + 1]!
  const length = (bytes[at + 1]! << 8) | bytes[at + 2]!
  return head !== 0xb9 || length < 0x100 ? NOWHERE : at + 3 + length
}

/** Where bytes that `stringEnd` found start. */
const dataStart = (bytes: Uint8Array, at: number): number => {
  const head = bytes[at]!
  return head < 0x80 ? at : head < 0xb8 ? at + 1 : at + head - 0xb6
}

/** Row i of the batch, of a plain transaction: all but its signature. Its calldata goes behind what is there. */
export const fillPlain = (batch: TransactionBatch, { bytes, at }: FieldTable, i: number): void => {
  const row = ROW_ENTRIES * i
  const word = LIMBS_PER_WORD * i
  batch.type[i] = TYPE
  readInteger(batch.nonce, 2 * i, bytes, at[row + nonce]!, at[row + nonce + 1]!)
  readInteger(batch.maxPriorityFeePerGas, word, bytes, at[row + tip]!, at[row + tip + 1]!)
  readInteger(batch.maxFeePerGas, word, bytes, at[row + fee]!, at[row + fee + 1]!)
  readInteger(batch.gasLimit, 2 * i, bytes, at[row + gasLimit]!, at[row + gasLimit + 1]!)
  readInteger(batch.value, word, bytes, at[row + value]!, at[row + value + 1]!)
  const to = at[row + recipient]!
  if (bytes[to] === 0x80) batch.creates[i] = 1
  else addressFromBytes(batch.to, LIMBS_PER_ADDRESS * i, bytes, to + 1)
  const start = dataStart(bytes, at[row + data]!)
  const end = at[row + accessList]!
  copyBytes(batch.data, batch.dataStart[i]!, bytes, start, end)
  batch.dataStart[i + 1] = batch.dataStart[i]! + end - start
}

/** An integer with its head, which lies at head .. end, into limbs that are zero. */
const readInteger = (dst: Uint32Array, at: number, bytes: Uint8Array, head: number, end: number): void => {
  const start = bytes[head]! < 0x80 ? head : head + 1
  let n = end - 1
  for (; n >= start + 3; n -= 4)
    dst[at++] = bytes[n]! | (bytes[n - 1]! << 8) | (bytes[n - 2]! << 16) | (bytes[n - 3]! << 24)
  if (n < start) return
  let limb = bytes[n]!
  if (n > start) limb |= bytes[n - 1]! << 8
  if (n > start + 1) limb |= bytes[n - 2]! << 16
  dst[at] = limb
}
