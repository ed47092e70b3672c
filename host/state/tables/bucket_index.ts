import { movedTo, PRIVATE_MEMORY, type WordMemory } from '../../primitives/shared_words.ts'

/**
 * The open-addressing index of a table: linear probing over a power-of-two number of buckets, at most half full, never
 * a removal. It is byte for byte the index that the device probes (transpiler/layout/tables.ts).
 *
 * words    u32[2 capacity]   bucket b: (id + 1, tag) at 2 b; (0, 0) is empty
 * changed  buckets written since `settleChanges`, so a mirror need not upload all; `rebuilt`: all moved or many changed
 */
export class BucketIndex {
  words: Uint32Array
  mask: number
  changed = new Uint32Array(FIRST_CHANGES)
  changedCount = 0
  rebuilt = true

  #memory: WordMemory

  constructor(capacity: number, memory: WordMemory = PRIVATE_MEMORY) {
    if ((capacity & (capacity - 1)) !== 0) throw new RangeError(`capacity ${capacity} is not a power of two`)
    this.#memory = memory
    this.words = memory.words(2 * capacity)
    this.mask = capacity - 1
  }

  moveTo(memory: WordMemory): void {
    this.#memory = memory
    this.words = movedTo(memory, this.words)
  }

  get capacity(): number {
    return this.mask + 1
  }

  /** Nothing reads it any more. */
  release(): void {
    this.words = NO_WORDS
    this.changed = NO_WORDS
  }

  /** Makes room for `count` entries; where the index must grow, `rehash` puts every entry again. */
  reserve(count: number, rehash: (put: (hash: number, entry: number, tag: number) => void) => void): void {
    if (2 * count <= this.capacity) return
    let capacity = this.capacity
    while (capacity < 2 * count) capacity *= 2
    capacity *= 2
    this.words = this.#memory.words(2 * capacity)
    this.mask = capacity - 1
    this.rebuilt = true
    this.changedCount = 0
    rehash((hash, entry, tag) => this.#place(hash, entry, tag))
  }

  put(hash: number, entry: number, tag: number): void {
    this.note(this.#place(hash, entry, tag))
  }

  /** Changes the entry of the bucket that holds `from`, found from `hash` on. */
  replace(hash: number, from: number, to: number): void {
    let bucket = hash & this.mask
    while (this.words[2 * bucket] !== from) {
      if (this.words[2 * bucket] === 0) throw new Error(`entry ${from} is not in the index`)
      bucket = (bucket + 1) & this.mask
    }
    this.words[2 * bucket] = to
    this.note(bucket)
  }

  settleChanges(): void {
    this.changedCount = 0
    this.rebuilt = false
  }

  #place(hash: number, entry: number, tag: number): number {
    const { words, mask } = this
    let bucket = hash & mask
    while (words[2 * bucket] !== 0) bucket = (bucket + 1) & mask
    words[2 * bucket] = entry
    words[2 * bucket + 1] = tag
    return bucket
  }

  /** A bucket was written. */
  note(bucket: number): void {
    if (this.rebuilt) return
    if (this.changedCount * BUCKETS_PER_CHANGE >= this.capacity) {
      this.rebuilt = true
      return
    }
    if (this.changedCount === this.changed.length) {
      const grown = new Uint32Array(2 * this.changedCount)
      grown.set(this.changed)
      this.changed = grown
    }
    this.changed[this.changedCount++] = bucket
  }
}

export const NO_WORDS = new Uint32Array(0)

/** The least power of two from `count` on. */
export const powerOfTwo = (count: number): number => 2 ** Math.ceil(Math.log2(count))

const FIRST_CHANGES = 64
/** Where more than one of so many buckets has changed, a list of them is not worth having. */
const BUCKETS_PER_CHANGE = 8
