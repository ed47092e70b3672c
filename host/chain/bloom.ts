import { LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import { keccak256 } from '../primitives/keccak.ts'
import { keccakMany } from '../primitives/keccak_many.ts'
import { addressToBytes, wordFromBytes, wordToBytes } from '../primitives/word.ts'
import type { LaneRows } from './lane_rows.ts'
import type { TopicBits } from './topic_bits.ts'

/** Bytes of a log bloom: 2048 bits, bit 0 in the last byte (YP 4.3.1). */
export const BLOOM_BYTES = 256

const wordBytes = new Uint8Array(32)
const addressBytes = new Uint8Array(20)

/**
 * The three bit numbers of 32 hashed bytes: the low 11 bits of each of the first three byte pairs of their keccak-256.
 */
export const bloomIndicesOfWord = (dst: Uint16Array, word: Uint32Array, at: number): void => {
  wordToBytes(wordBytes, 0, word, at)
  bloomIndices(dst, wordBytes)
}

/** The three bit numbers of an address: 20 bytes are hashed. */
export const bloomIndicesOfAddress = (dst: Uint16Array, address: Uint32Array, at: number): void => {
  addressToBytes(addressBytes, 0, address, at)
  bloomIndices(dst, addressBytes)
}

/** The three bit numbers of what these bytes hash to. */
const bloomIndices = (dst: Uint16Array, bytes: Uint8Array): void => indicesOfDigest(dst, 0, keccak256(bytes), 0)

const indicesOfDigest = (dst: Uint16Array, di: number, digests: Uint8Array, at: number): void => {
  for (let n = 0; n < 3; n++) dst[di + n] = ((digests[at + 2 * n]! << 8) | digests[at + 2 * n + 1]!) & 2047
}

/** The same for 0x-hex. */
export const bloomIndicesOfHex = (hex: string): Uint16Array => {
  const indices = new Uint16Array(3)
  bloomIndices(indices, Buffer.from(hex.slice(2), 'hex'))
  return indices
}

/** Sets bit `index` (0 to 2047) in the bloom at `blooms[at..at + 256]`. */
export const setBloomBit = (blooms: Uint8Array, at: number, index: number): void => {
  const byte = at + BLOOM_BYTES - 1 - (index >>> 3)
  blooms[byte] = blooms[byte]! | (1 << (index & 7))
}

/**
 * Blooms of a batch, wherever they lie.
 *
 * bytes     u8[]       the bloom of transaction i is 256 bytes from at[i] on
 * at        u32[n]
 * seen      u8[2048]   1 for each bit that any of them has
 * waiting   topics whose bits are not in the blooms before `addWaiting`
 * known     the bits of what many logs share
 * topics    the bits of words that were topics before, also of other batches
 */
export interface BloomSet {
  readonly bytes: Uint8Array
  readonly at: Uint32Array
  readonly seen: Uint8Array
  readonly waiting: WaitingTopics
  readonly known: KnownBits
  readonly topics: TopicBits
}

/** Topics that are hashed together, since hashing one alone costs several times as much. */
const MOST_WAITING = 1024
const TOPIC_BYTES = 32

/**
 * Topics of logs, each of one transaction.
 *
 * bytes          u8[32 n]   big-endian words
 * transactions   u32[n]
 */
export interface WaitingTopics {
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly transactions: Uint32Array
  count: number
}

export const noWaiting = (): WaitingTopics => {
  const bytes = new Uint8Array(TOPIC_BYTES * MOST_WAITING)
  return { bytes, view: new DataView(bytes.buffer), transactions: new Uint32Array(MOST_WAITING), count: 0 }
}

/** Room for one more topic, of transaction i: where its 32 bytes are to be written in `waiting`. */
export const waitingTopic = (blooms: BloomSet, i: number): number => {
  const { waiting } = blooms
  if (waiting.count === MOST_WAITING) addWaiting(blooms)
  waiting.transactions[waiting.count] = i
  return TOPIC_BYTES * waiting.count++
}

/** Adds the bits of the topic at `words[from]` to the bloom of transaction i, at once or when those that wait are. */
export const addTopic = (blooms: BloomSet, i: number, words: Uint32Array, from: number): void => {
  const { topics, waiting } = blooms
  const number = topics.find(words, from, from + LIMBS_PER_WORD / 2)
  if (number >= 0) addBits(blooms, i, topics.bits, 2 * number)
  else wordToBytes(waiting.bytes, waitingTopic(blooms, i), words, from)
}

/** Adds the bits of all waiting topics, and keeps them. */
export const addWaiting = (blooms: BloomSet): void => {
  const { waiting, topics } = blooms
  const { count, bytes, transactions } = waiting
  if (count === 0) return
  const offsets = Uint32Array.from({ length: count }, (_, k) => TOPIC_BYTES * k)
  const digests = keccakMany({ count, bytes, offsets, lengths: new Uint32Array(count).fill(TOPIC_BYTES) })
  const indices = new Uint16Array(3)
  const word = new Uint32Array(LIMBS_PER_WORD)
  for (let k = 0; k < count; k++) {
    indicesOfDigest(indices, 0, digests, TOPIC_BYTES * k)
    addBloomIndices(blooms, transactions[k]!, indices)
    wordFromBytes(word, 0, bytes, TOPIC_BYTES * k)
    topics.add(word, 0, indices)
  }
  waiting.count = 0
}

/** Bloom bits by where the hashed address or word lies: an array and a place in it, whose limbs stay as they are. */
export class KnownBits {
  readonly #byArray = new Map<Uint32Array, Map<number, Uint16Array>>()

  ofAddress(limbs: Uint32Array, at: number): Uint16Array {
    return this.#of(limbs, at, bloomIndicesOfAddress)
  }

  ofWord(limbs: Uint32Array, at: number): Uint16Array {
    return this.#of(limbs, at, bloomIndicesOfWord)
  }

  #of(limbs: Uint32Array, at: number, hash: typeof bloomIndicesOfWord): Uint16Array {
    const byPlace = this.#byArray.get(limbs) ?? new Map<number, Uint16Array>()
    if (byPlace.size === 0) this.#byArray.set(limbs, byPlace)
    let bits = byPlace.get(at)
    if (bits === undefined) {
      bits = new Uint16Array(3)
      hash(bits, limbs, at)
      byPlace.set(at, bits)
    }
    return bits
  }
}

export const addBloomIndices = ({ bytes, at, seen }: BloomSet, i: number, indices: Uint16Array): void => {
  for (let n = 0; n < indices.length; n++) {
    const index = indices[n]!
    setBloomBit(bytes, at[i]!, index)
    seen[index] = 1
  }
}

/** Adds the bits (index 0 | index 1 << 16, index 2) at `bits[from]`, as a device hashes them. */
export const addBits = ({ bytes, at, seen }: BloomSet, i: number, bits: Uint32Array, from: number): void => {
  const bloom = at[i]!
  const both = bits[from]!
  const [first, second, third] = [both & 2047, both >>> 16, bits[from + 1]!]
  setBloomBit(bytes, bloom, first)
  setBloomBit(bytes, bloom, second)
  setBloomBit(bytes, bloom, third)
  seen[first] = 1
  seen[second] = 1
  seen[third] = 1
}

/** Adds the same bits to the blooms of the transactions of all rows. */
export const addSameBits = ({ bytes, at, seen }: BloomSet, rows: LaneRows, indices: Uint16Array): void => {
  const { transactions, first, end } = rows
  for (let n = 0; n < indices.length && first < end; n++) {
    const index = indices[n]!
    const mask = 1 << (index & 7)
    const byte = BLOOM_BYTES - 1 - (index >>> 3)
    seen[index] = 1
    for (let place = first; place < end; place++) {
      const to = at[transactions[place]!]! + byte
      bytes[to] = bytes[to]! | mask
    }
  }
}
