import { LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import type { LaneRows } from './lane_rows.ts'

/** Words of lanes: that of lane l is limbs 0..3 at low + 4 l of `limbs`, and 4..7 at high + 4 l. */
export interface WordColumn {
  readonly limbs: Uint32Array
  readonly low: number
  readonly high: number
}

/** Words that are looked for at a time, so that their cache misses overlap. */
export const WORDS_AHEAD = 64
const HALF_LIMBS = 4
const FIRST_WORDS = 256
/** Of a word: its limbs, its bits, and the buckets of an index that is at most half full. */
const WORD_BYTES = 4 * LIMBS_PER_WORD + 8 + 4 * 2
const DEFAULT_BYTES = 1 << 24
const NOT_MET = -1
/** Callers choose topics, and may choose those of one bucket: what is further away counts as not met. */
const MOST_PROBES = 32

/**
 * The bloom bits of words that were topics of logs: most topics of a batch are accounts that batches before it have
 * met, and one hash of a word is enough. Forgets all of them when there is no room for one more.
 *
 * words   u32[8 count]
 * bits    u32[2 count]      (index 0 | index 1 << 16, index 2), as from a device (kernels/entry/bloom.wgsl)
 * index   u32[capacity]     number + 1; open addressing with linear probing, 0 is empty
 */
export class TopicBits {
  bits = new Uint32Array(0)
  #words = new Uint32Array(0)
  #index = new Uint32Array(0)
  #count = 0
  readonly #most: number
  readonly #hashes = new Uint32Array(WORDS_AHEAD)
  /** What was read ahead, so that it is read. */
  seen = 0

  constructor(mostBytes = DEFAULT_BYTES) {
    // Arrays double.
    this.#most = Math.max(FIRST_WORDS, 2 ** Math.floor(Math.log2(mostBytes / WORD_BYTES)))
  }

  get sizeBytes(): number {
    return this.bits.byteLength + this.#words.byteLength + this.#index.byteLength
  }

  /** numbers[n] = that of the word of the row at place first + n, up to `end`, at most WORDS_AHEAD; -1: not met. */
  findRows({ lanes }: LaneRows, first: number, end: number, column: WordColumn, numbers: Int32Array): void {
    const count = end - first
    if (this.#count === 0) {
      numbers.fill(NOT_MET, 0, count)
      return
    }
    const { limbs, low, high } = column
    const index = this.#index
    const mask = index.length - 1
    const hashes = this.#hashes
    const words = this.#words
    let seen = 0
    for (let n = 0; n < count; n++) {
      const lane = HALF_LIMBS * lanes[first + n]!
      hashes[n] = topicHash(limbs, low + lane, high + lane) & mask
    }
    // Apart from the hashes, of which few fit into what a core does at a time.
    for (let n = 0; n < count; n++) seen ^= index[hashes[n]!]!
    for (let n = 0; n < count; n++) seen ^= words[LIMBS_PER_WORD * Math.max(0, index[hashes[n]!]! - 1)]!
    this.seen = seen
    for (let n = 0; n < count; n++) {
      const lane = HALF_LIMBS * lanes[first + n]!
      numbers[n] = this.#from(hashes[n]!, limbs, low + lane, high + lane)
    }
  }

  /** Number of the word whose halves begin at `limbs[low]` and `limbs[high]`; -1: not met. */
  find(limbs: Uint32Array, low: number, high: number): number {
    if (this.#count === 0) return NOT_MET
    return this.#from(topicHash(limbs, low, high) & (this.#index.length - 1), limbs, low, high)
  }

  /** Keeps the bits of the word at `words[at]`. */
  add(words: Uint32Array, at: number, indices: Uint16Array): void {
    if (this.find(words, at, at + HALF_LIMBS) !== NOT_MET) return
    if (this.#count === this.#most) this.#forget()
    else if (2 * this.#count === this.#index.length) this.#grow()
    const number = this.#count
    this.#words.set(words.subarray(at, at + LIMBS_PER_WORD), LIMBS_PER_WORD * number)
    this.bits[2 * number] = indices[0]! | (indices[1]! << 16)
    this.bits[2 * number + 1] = indices[2]!
    if (this.#enter(number)) this.#count++
  }

  #from(bucket: number, limbs: Uint32Array, low: number, high: number): number {
    const index = this.#index
    const mask = index.length - 1
    for (let probe = 0; probe < MOST_PROBES; probe++) {
      const number = index[(bucket + probe) & mask]! - 1
      if (number < 0 || this.#isAt(number, limbs, low, high)) return number
    }
    return NOT_MET
  }

  #isAt(number: number, limbs: Uint32Array, low: number, high: number): boolean {
    const words = this.#words
    const at = LIMBS_PER_WORD * number
    return (
      words[at] === limbs[low] &&
      words[at + 1] === limbs[low + 1] &&
      words[at + 2] === limbs[low + 2] &&
      words[at + 3] === limbs[low + 3] &&
      words[at + 4] === limbs[high] &&
      words[at + 5] === limbs[high + 1] &&
      words[at + 6] === limbs[high + 2] &&
      words[at + 7] === limbs[high + 3]
    )
  }

  /** Whether its bucket has room. */
  #enter(number: number): boolean {
    const index = this.#index
    const mask = index.length - 1
    const word = LIMBS_PER_WORD * number
    const bucket = topicHash(this.#words, word, word + HALF_LIMBS)
    for (let probe = 0; probe < MOST_PROBES; probe++) {
      const at = (bucket + probe) & mask
      if (index[at] !== 0) continue
      index[at] = number + 1
      return true
    }
    return false
  }

  #grow(): void {
    const most = Math.max(FIRST_WORDS, 2 * this.#count)
    this.#words = lengthened(this.#words, LIMBS_PER_WORD * most)
    this.bits = lengthened(this.bits, 2 * most)
    this.#index = new Uint32Array(2 * most)
    for (let number = 0; number < this.#count; number++) this.#enter(number)
  }

  #forget(): void {
    this.#index.fill(0)
    this.#count = 0
  }
}

const lengthened = (words: Uint32Array, length: number): Uint32Array<ArrayBuffer> => {
  const longer = new Uint32Array(length)
  longer.set(words)
  return longer
}

/** Of a word. Two chains, so that not each step waits for the one before. @internal */
export const topicHash = (limbs: Uint32Array, low: number, high: number): number => {
  let a = Math.imul(limbs[low]! ^ 0x9e3779b1, 0x85ebca6b)
  let b = Math.imul(limbs[high]! ^ 0xc2b2ae35, 0x27d4eb2f)
  a = Math.imul(a ^ limbs[low + 1]! ^ (a >>> 15), 0x85ebca6b)
  b = Math.imul(b ^ limbs[high + 1]! ^ (b >>> 15), 0x27d4eb2f)
  a = Math.imul(a ^ limbs[low + 2]! ^ (a >>> 15), 0x85ebca6b)
  b = Math.imul(b ^ limbs[high + 2]! ^ (b >>> 15), 0x27d4eb2f)
  a = Math.imul(a ^ limbs[low + 3]! ^ (a >>> 15), 0x85ebca6b)
  b = Math.imul(b ^ limbs[high + 3]! ^ (b >>> 15), 0x27d4eb2f)
  const hash = Math.imul(a ^ (a >>> 15) ^ b, 0x7feb352d)
  return hash ^ (hash >>> 15)
}
