import { TransactionInputError } from './encode_batch.ts'
import { isListAt, payloadAt } from './rlp_items.ts'

/** Items of transaction i by what they must be. The item lies at head .. end and is RLP; `name` is for its refusal. */

/** Where the bytes of the item start: they end with it. */
export const bytesAt = (bytes: Uint8Array, head: number, name: string, i: number): number => {
  if (isListAt(bytes, head)) throw new TransactionInputError(i, `${name} is a list, expected bytes`)
  return payloadAt(bytes, head)
}

/** Of exactly so many bytes. */
export const fixedAt = (
  bytes: Uint8Array,
  head: number,
  end: number,
  length: number,
  name: string,
  i: number,
): number => {
  const start = bytesAt(bytes, head, name, i)
  if (end - start === length) return start
  throw new TransactionInputError(i, `${name} has ${end - start} bytes, expected ${length}`)
}

/** An integer without leading zeros. */
export const integerAt = (
  bytes: Uint8Array,
  head: number,
  end: number,
  maxBytes: number,
  name: string,
  i: number,
): number => {
  const start = bytesAt(bytes, head, name, i)
  if (end - start > maxBytes) throw new TransactionInputError(i, `${name} has more than ${8 * maxBytes} bits`)
  if (start < end && bytes[start] === 0) throw new TransactionInputError(i, `${name} has leading zeros`)
  return start
}

/** For rows of types that are rare, and for messages. */
export const bigintOf = (bytes: Uint8Array, start: number, end: number): bigint => {
  let value = 0n
  for (let n = start; n < end; n++) value = (value << 8n) | BigInt(bytes[n]!)
  return value
}

/** Bytes from `start` up to `end`, to `at`. A loop where they are few: it makes no view. */
export const copyBytes = (to: Uint8Array, at: number, from: Uint8Array, start: number, end: number): void => {
  if (end - start > MOST_LOOPED) {
    to.set(from.subarray(start, end), at)
    return
  }
  for (let n = start, m = at; n < end; n++, m++) to[m] = from[n]!
}

const MOST_LOOPED = 256
