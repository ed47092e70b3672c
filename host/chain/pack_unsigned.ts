import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import { rlpHeadBytes, rlpInteger, writeRlpHead } from '../primitives/rlp.ts'
import { addressToBytes } from '../primitives/word.ts'
import type { TransactionBatch } from './batch.ts'
import { decodeTransaction } from './encode_batch.ts'
import { encodeUnsigned } from './encode_transaction.ts'
import type { PackedTransactions } from './packed.ts'

const EMPTY_STRING = 0x80
const EMPTY_LIST = 0xc0
/** v, r and s of zero. */
const NO_SIGNATURE_BYTES = 3

/**
 * The transactions of a batch as `encodeUnsigned` has them, in one buffer. Those of types 0 and 2 without access list
 * are written from their columns.
 */
export const packUnsigned = (batch: TransactionBatch, chainId: bigint): PackedTransactions => {
  const { count, type } = batch
  const chain = rlpInteger(chainId)
  const payloads = new Uint32Array(count)
  const offsets = new Uint32Array(count + 1)
  const others = new Map<number, Uint8Array>()
  for (let i = 0; i < count; i++) {
    let length: number
    if (isPlain(batch, i)) {
      const payload = payloadBytes(batch, i) + (type[i] === 0 ? 0 : chain.length)
      payloads[i] = payload
      length = (type[i] === 0 ? 0 : 1) + rlpHeadBytes(payload) + payload
    } else {
      const encoded = encodeUnsigned(decodeTransaction(batch, i), chainId)
      others.set(i, encoded)
      length = encoded.length
    }
    offsets[i + 1] = offsets[i]! + length
  }
  const bytes = new Uint8Array(offsets[count]!)
  for (let i = 0; i < count; i++) if (isPlain(batch, i)) writeOne(bytes, offsets[i]!, batch, i, payloads[i]!, chain)
  for (const [i, encoded] of others) bytes.set(encoded, offsets[i])
  return { bytes, offsets }
}

const isPlain = ({ type, accessStart }: TransactionBatch, i: number): boolean =>
  type[i] === 0 || (type[i] === 2 && accessStart[i] === accessStart[i + 1])

/** Of the fields but the chain's id. */
const payloadBytes = (batch: TransactionBatch, i: number): number => {
  const { type, nonce, gasLimit, maxFeePerGas, maxPriorityFeePerGas, value, creates } = batch
  const at = LIMBS_PER_WORD * i
  let length = numberBytes(nonce, 2 * i, 2) + numberBytes(gasLimit, 2 * i, 2) + numberBytes(value, at, LIMBS_PER_WORD)
  length += numberBytes(maxFeePerGas, at, LIMBS_PER_WORD) + (creates[i] === 1 ? 1 : 21) + dataBytes(batch, i)
  if (type[i] === 2) length += numberBytes(maxPriorityFeePerGas, at, LIMBS_PER_WORD) + 1
  return length + NO_SIGNATURE_BYTES
}

const writeOne = (
  to: Uint8Array,
  from: number,
  batch: TransactionBatch,
  i: number,
  payload: number,
  chain: Uint8Array,
): void => {
  const { type, nonce, gasLimit, maxFeePerGas, maxPriorityFeePerGas, value, creates } = batch
  const word = LIMBS_PER_WORD * i
  const isTyped = type[i] === 2
  let at = from
  if (isTyped) to[at++] = 2
  at = writeRlpHead(to, at, 0xc0, payload)
  if (isTyped) for (let n = 0; n < chain.length; n++) to[at++] = chain[n]!
  at = writeNumber(to, at, nonce, 2 * i, 2)
  if (isTyped) at = writeNumber(to, at, maxPriorityFeePerGas, word, LIMBS_PER_WORD)
  at = writeNumber(to, at, maxFeePerGas, word, LIMBS_PER_WORD)
  at = writeNumber(to, at, gasLimit, 2 * i, 2)
  if (creates[i] === 1) to[at++] = EMPTY_STRING
  else {
    to[at++] = EMPTY_STRING + 20
    addressToBytes(to, at, batch.to, LIMBS_PER_ADDRESS * i)
    at += 20
  }
  at = writeNumber(to, at, value, word, LIMBS_PER_WORD)
  at = writeData(to, at, batch, i)
  if (isTyped) to[at++] = EMPTY_LIST
  for (let n = 0; n < NO_SIGNATURE_BYTES; n++) to[at++] = EMPTY_STRING
}

/** Bytes of a number of so many limbs, without leading zeros. */
const significantBytes = (limbs: Uint32Array, from: number, count: number): number => {
  for (let limb = count - 1; limb >= 0; limb--) {
    const value = limbs[from + limb]!
    if (value !== 0) return 4 * limb + 4 - (Math.clz32(value) >>> 3)
  }
  return 0
}

/** Bytes of its RLP. */
const numberBytes = (limbs: Uint32Array, from: number, count: number): number => {
  const bytes = significantBytes(limbs, from, count)
  return bytes === 1 && limbs[from]! < 0x80 ? 1 : 1 + bytes
}

const writeNumber = (to: Uint8Array, at: number, limbs: Uint32Array, from: number, count: number): number => {
  const bytes = significantBytes(limbs, from, count)
  if (bytes === 1 && limbs[from]! < 0x80) to[at++] = limbs[from]!
  else {
    to[at++] = EMPTY_STRING + bytes
    for (let n = bytes - 1; n >= 0; n--) to[at++] = limbs[from + (n >>> 2)]! >>> (8 * (n & 3))
  }
  return at
}

const dataBytes = ({ data, dataStart }: TransactionBatch, i: number): number => {
  const start = dataStart[i]!
  const length = dataStart[i + 1]! - start
  return length === 1 && data[start]! < 0x80 ? 1 : rlpHeadBytes(length) + length
}

const writeData = (to: Uint8Array, from: number, { data, dataStart }: TransactionBatch, i: number): number => {
  const start = dataStart[i]!
  const end = dataStart[i + 1]!
  let at = from
  if (end - start !== 1 || data[start]! >= 0x80) at = writeRlpHead(to, at, EMPTY_STRING, end - start)
  // Calldata is short: a view of it would cost more.
  for (let n = start; n < end; n++) to[at++] = data[n]!
  return at
}
