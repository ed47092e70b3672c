import { RLP } from 'micro-eth-signer/core/rlp.js'
import { BLOOM_BYTES } from './bloom.ts'

/** Receipts side by side, each as the receipts trie holds it. */
export interface EncodedReceipts {
  readonly bytes: Uint8Array
  /** Of each. */
  readonly lengths: Uint32Array
}

/**
 * The receipts of a block as they are kept: all of each but its bloom, and the bytes of the bloom that are not zero,
 * since nearly all of them are. After MARK, for each receipt
 *
 * length u32      of all of it
 * bloom u16       where its bloom begins
 * filled u8       bytes of the bloom that are not zero, or MANY: then all of it follows in place of them
 * filled times    place u8, value u8
 * rest            what is before the bloom and after it
 *
 * Numbers are big-endian. Folders of schemas before 4 have an RLP list of byte strings, which MARK does not begin.
 */
const MARK = 0
const HEAD_BYTES = 7
/** More than this, and the whole bloom is shorter. */
const MOST_FILLED = 127
const MANY = 255
const BLOOM_HEAD_BYTES = 3

/** Writes the receipts of a block as they are kept, some at a time. */
export class ReceiptListWriter {
  #list = Uint8Array.of(MARK)
  #at = 1

  /** Receipts that follow those before. */
  add({ bytes, lengths }: EncodedReceipts): void {
    const most = this.#at + bytes.length + HEAD_BYTES * lengths.length
    if (most > this.#list.length) this.#grow(most)
    const list = this.#list
    const from = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    const to = new DataView(list.buffer)
    let start = 0
    let at = this.#at
    for (const length of lengths) {
      const bloom = bloomAt(bytes, start)
      to.setUint32(at, length)
      to.setUint16(at + 4, bloom - start)
      const pairs = at + HEAD_BYTES
      const end = writeFilled(list, pairs, from, bloom)
      const filled = (end - pairs) / 2
      list[pairs - 1] = filled > MOST_FILLED ? MANY : filled
      at = filled > MOST_FILLED ? copy(list, pairs, bytes, bloom, bloom + BLOOM_BYTES) : end
      at = copy(list, at, bytes, start, bloom)
      start += length
      at = copy(list, at, bytes, bloom + BLOOM_BYTES, start)
    }
    this.#at = at
  }

  /** All of them. */
  finish(): Uint8Array {
    return this.#list.slice(0, this.#at)
  }

  #grow(least: number): void {
    const list = new Uint8Array(Math.max(least, 2 * this.#list.length))
    list.set(this.#list.subarray(0, this.#at))
    this.#list = list
  }
}

/** The receipts of a block as they are kept. */
export const encodeReceiptList = (receipts: EncodedReceipts): Uint8Array => {
  const writer = new ReceiptListWriter()
  writer.add(receipts)
  return writer.finish()
}

/** Where the bloom of a receipt begins: after the status, or the state root, and the gas. */
const bloomAt = (bytes: Uint8Array, start: number): number => {
  let at = start
  if (bytes[at]! < 0xc0) at++
  const list = bytes[at++]!
  if (list > 0xf7) at += list - 0xf7
  for (let field = 0; field < 2; field++) {
    const first = bytes[at++]!
    if (first > 0x80) at += first - 0x80
  }
  return at + BLOOM_HEAD_BYTES
}

/** Places and values of the bytes of a bloom that are not zero. Returns where they end. */
const writeFilled = (to: Uint8Array, first: number, from: DataView, bloom: number): number => {
  let at = first
  for (let n = 0; n < BLOOM_BYTES; n += 4) {
    if (from.getUint32(bloom + n) === 0) continue
    for (let k = n; k < n + 4; k++) {
      const value = from.getUint8(bloom + k)
      if (value === 0) continue
      to[at++] = k
      to[at++] = value
    }
  }
  return at
}

/** Mostly a few bytes, of which a view costs more. Returns where they end. */
const copy = (to: Uint8Array, first: number, from: Uint8Array, start: number, end: number): number => {
  if (end - start > 64) to.set(from.subarray(start, end), first)
  else for (let n = start; n < end; n++) to[first + n - start] = from[n]!
  return first + end - start
}

/** The receipts of such a list, each as the receipts trie holds it. Throws RangeError where the list is none. */
export const decodeReceiptList = (list: Uint8Array): readonly Uint8Array[] => {
  if (list[0] !== MARK) return decodeOldList(list)
  const view = new DataView(list.buffer, list.byteOffset, list.length)
  const receipts: Uint8Array[] = []
  for (let at = 1; at < list.length; ) {
    const length = view.getUint32(at)
    const bloom = view.getUint16(at + 4)
    const filled = view.getUint8(at + HEAD_BYTES - 1)
    at += HEAD_BYTES
    const rest = at + (filled === MANY ? BLOOM_BYTES : 2 * filled)
    const end = rest + length - BLOOM_BYTES
    if (end > list.length || end < rest + bloom)
      throw new RangeError(`a receipt ends at ${end} of ${list.length} bytes`)
    const receipt = new Uint8Array(length)
    receipt.set(list.subarray(rest, rest + bloom))
    if (filled === MANY) receipt.set(list.subarray(at, rest), bloom)
    else for (; at < rest; at += 2) receipt[bloom + list[at]!] = list[at + 1]!
    receipt.set(list.subarray(rest + bloom, end), bloom + BLOOM_BYTES)
    receipts.push(receipt)
    at = end
  }
  return receipts
}

const decodeOldList = (list: Uint8Array): readonly Uint8Array[] => {
  const items = decodeRlp(list)
  if (!Array.isArray(items) || !items.every((item) => item instanceof Uint8Array))
    throw new RangeError('receipts are no list of byte strings')
  return items
}

const decodeRlp = (list: Uint8Array): unknown => {
  try {
    return RLP.decode(list)
  } catch (thrown) {
    throw new RangeError(`receipts are no RLP: ${(thrown as Error).message}`, { cause: thrown })
  }
}
