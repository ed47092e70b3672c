/**
 * Strict reading of RLP (YP appendix B) where it lies. An item is the position of its first byte, its payload the
 * bytes from `payloadAt` to the item's end: nothing is allocated, and lengths of any claim are compared before they
 * are used.
 */

/** Bytes that are not RLP, or not the shortest. */
export class RlpError extends Error {
  override readonly name = 'RlpError'
}

/** Lists may be inside of so many others. */
const MOST_DEPTH = 1024
/** A payload of up to so many bytes has its length in the first byte. */
const MOST_SHORT = 55

export const isListAt = (bytes: Uint8Array, at: number): boolean => bytes[at]! >= 0xc0

/**
 * Where the item ends: at `boundary` or before it. What is inside of a list is not looked at. Throws RlpError.
 */
export const checkHead = (bytes: Uint8Array, at: number, boundary: number): number => {
  if (at >= boundary) throw new RlpError('out of range')
  const first = bytes[at]!
  if (first < 0x80) return at + 1
  let start = at + 1
  let length = first < 0xc0 ? first - 0x80 : first - 0xc0
  if (length > MOST_SHORT) {
    const lengthEnd = start + length - MOST_SHORT
    if (lengthEnd > boundary) throw new RlpError('out of range')
    if (bytes[start] === 0) throw new RlpError('wrong length encoding with leading zeros')
    length = 0
    while (start < lengthEnd) length = length * 256 + bytes[start++]!
    if (length <= MOST_SHORT) throw new RlpError('length less than 56, but used multi-byte flag')
  }
  const end = start + length
  if (end > boundary) throw new RlpError('out of range')
  if (first === 0x81 && bytes[start]! < 0x80)
    throw new RlpError('wrong string length encoding, should use single byte mode')
  return end
}

/** Where the item ends, with all that is inside of it checked. `depth`: lists that it is inside of. Throws RlpError. */
export const checkItem = (bytes: Uint8Array, at: number, boundary: number, depth: number): number => {
  if (depth > MOST_DEPTH) throw new RlpError('too deep')
  const end = checkHead(bytes, at, boundary)
  if (isListAt(bytes, at))
    for (let item = payloadAt(bytes, at); item < end; ) item = checkItem(bytes, item, end, depth + 1)
  return end
}

/** Where the payload of a checked item starts. */
export const payloadAt = (bytes: Uint8Array, at: number): number => {
  const first = bytes[at]!
  if (first < 0x80) return at
  const short = first < 0xc0 ? first - 0x80 : first - 0xc0
  return short > MOST_SHORT ? at + 1 + short - MOST_SHORT : at + 1
}

/** Where a checked item ends. */
export const endAt = (bytes: Uint8Array, at: number): number => {
  const first = bytes[at]!
  if (first < 0x80) return at + 1
  const short = first < 0xc0 ? first - 0x80 : first - 0xc0
  if (short <= MOST_SHORT) return at + 1 + short
  const start = at + 1 + short - MOST_SHORT
  let length = 0
  for (let n = at + 1; n < start; n++) length = length * 256 + bytes[n]!
  return start + length
}
