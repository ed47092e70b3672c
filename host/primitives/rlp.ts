/**
 * RLP encoding (YP appendix B) of byte strings, and of lists whose items are encoded already: what trie nodes, receipts
 * and headers are made of. Decoding is strict and lives with what it decodes.
 */

const EMPTY_STRING = Uint8Array.of(0x80)

/** A byte string. The result may be `bytes` itself: a single byte below 0x80 stands for itself. */
export const rlpBytes = (bytes: Uint8Array): Uint8Array => {
  const { length } = bytes
  if (length === 1 && bytes[0]! < 0x80) return bytes
  if (length === 0) return EMPTY_STRING
  const head = rlpHeadBytes(length)
  const encoded = new Uint8Array(head + length)
  writeRlpHead(encoded, 0, 0x80, length)
  encoded.set(bytes, head)
  return encoded
}

/** A list of items that are encoded already. */
export const rlpList = (items: readonly Uint8Array[]): Uint8Array => {
  let length = 0
  for (const item of items) length += item.length
  let at = rlpHeadBytes(length)
  const encoded = new Uint8Array(at + length)
  writeRlpHead(encoded, 0, 0xc0, length)
  for (const item of items) {
    encoded.set(item, at)
    at += item.length
  }
  return encoded
}

/** A whole number, big-endian without leading zeros; zero is the empty string. */
export const rlpInteger = (value: bigint | number): Uint8Array => {
  if (value < 0) throw new RangeError(`RLP has no negative numbers, got ${value}`)
  return rlpBytes(integerBytes(value))
}

/** 0x-hex as a byte string. */
export const rlpHex = (hex: string): Uint8Array => rlpBytes(Buffer.from(hex.slice(2), 'hex'))

/** Big-endian bytes without leading zeros. */
export const integerBytes = (value: bigint | number): Uint8Array => {
  if (value === 0 || value === 0n) return new Uint8Array(0)
  const hex = value.toString(16)
  return new Uint8Array(Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex'))
}

/** A decoded item: bytes as views of the input, lists as arrays. */
export type RlpItem = Uint8Array | RlpItem[]

/**
 * Decodes what the functions above have encoded. Input from elsewhere is for a strict decoder: nothing is checked here.
 */
export const rlpDecodeOwn = (encoded: Uint8Array): RlpItem => decodeAt(encoded, { at: 0 })

const decodeAt = (bytes: Uint8Array, cursor: { at: number }): RlpItem => {
  const first = bytes[cursor.at++]!
  if (first < 0x80) return bytes.subarray(cursor.at - 1, cursor.at)
  const isList = first >= 0xc0
  const short = first - (isList ? 0xc0 : 0x80)
  let length = short
  if (short > 55) {
    length = 0
    for (let n = short - 55; n > 0; n--) length = length * 256 + bytes[cursor.at++]!
  }
  const end = cursor.at + length
  if (!isList) {
    cursor.at = end
    return bytes.subarray(end - length, end)
  }
  const items: RlpItem[] = []
  while (cursor.at < end) items.push(decodeAt(bytes, cursor))
  return items
}

/** Bytes before a string or list of so many bytes; a single byte below 0x80, which has none, is for the caller. */
export const rlpHeadBytes = (length: number): number => (length < 56 ? 1 : 1 + lengthBytes(length))

const lengthBytes = (length: number): number =>
  length < 0x100 ? 1 : length < 0x1_0000 ? 2 : length < 0x100_0000 ? 3 : 4

/** Writes them, `base` 0x80 for a string and 0xc0 for a list. Returns where they end. */
export const writeRlpHead = (to: Uint8Array, at: number, base: number, length: number): number => {
  if (length < 56) {
    to[at] = base + length
    return at + 1
  }
  if (length >= 0x100 && length < 0x1_0000) {
    to[at] = base + 57
    to[at + 1] = length >>> 8
    to[at + 2] = length
    return at + 3
  }
  const count = lengthBytes(length)
  to[at] = base + 55 + count
  for (let shift = 8 * (count - 1); shift >= 0; shift -= 8) to[++at] = length >>> shift
  return at + 1
}
