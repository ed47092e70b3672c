import { slotHash } from '../../../transpiler/layout/tables.ts'
import { LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { byteLengths, grown, movedTo, PRIVATE_MEMORY, type WordMemory } from '../../primitives/shared_words.ts'
import { wordCopy, wordEquals } from '../../primitives/word.ts'
import { BucketIndex, NO_WORDS, powerOfTwo } from './bucket_index.ts'

/**
 * Storage slots by dense id, the same arrays as on the device, plus what only the host needs.
 *
 * keys      u32[8 count]   storage key
 * values    u32[8 count]   running value of the batch
 * owners    u32[count]     account id
 * epochs    u32[count]     when it was last touched (ResidentState.epoch)
 *
 * `write(id)` must come before the first change of a value in a batch and keeps the base value:
 *
 * journal entry e (one per slot written in the batch)
 *   written    u32[entries]     slot id
 *   base       u32[8 entries]   value before the batch
 *   entryOf    u32[count]       e + 1, or 0 where the slot was not written
 */
export class SlotTable {
  readonly index: BucketIndex
  keys: Uint32Array
  values: Uint32Array
  owners: Uint32Array
  epochs: Uint32Array
  entryOf: Uint32Array
  count = 0
  written: Uint32Array
  base: Uint32Array
  entries = 0
  #capacity: number
  #memory: WordMemory

  constructor(capacity = 1024, memory: WordMemory = PRIVATE_MEMORY) {
    this.#capacity = capacity
    this.#memory = memory
    this.index = new BucketIndex(powerOfTwo(2 * capacity), memory)
    this.keys = memory.words(LIMBS_PER_WORD * capacity)
    this.values = memory.words(LIMBS_PER_WORD * capacity)
    this.owners = memory.words(capacity)
    this.epochs = memory.words(capacity)
    this.entryOf = memory.words(capacity)
    this.written = memory.words(256)
    this.base = memory.words(256 * LIMBS_PER_WORD)
  }

  /** Moves all words to another memory, for good. */
  moveTo(memory: WordMemory): void {
    this.#memory = memory
    this.index.moveTo(memory)
    this.keys = movedTo(memory, this.keys)
    this.values = movedTo(memory, this.values)
    this.owners = movedTo(memory, this.owners)
    this.entryOf = movedTo(memory, this.entryOf)
    this.epochs = movedTo(memory, this.epochs)
    this.written = movedTo(memory, this.written)
    this.base = movedTo(memory, this.base)
  }

  /** Makes room for `count` more written slots. */
  reserveWritten(count: number): void {
    const needed = Math.min(this.count, this.entries + count)
    if (needed <= this.written.length) return
    const length = Math.max(needed, 2 * this.written.length)
    this.written = grown(this.written, length, this.#memory)
    this.base = grown(this.base, length * LIMBS_PER_WORD, this.#memory)
  }

  get sizeBytes(): number {
    return this.wordBytes + this.index.changed.byteLength
  }

  /** Bytes in its memory. */
  get wordBytes(): number {
    const { index, keys, values, owners, epochs, entryOf, written, base } = this
    return byteLengths(index.words, keys, values, owners, epochs, entryOf, written, base)
  }

  /** Another table has taken its place: nothing reads this one. */
  release(): void {
    this.index.release()
    this.keys = NO_WORDS
    this.values = NO_WORDS
    this.owners = NO_WORDS
    this.epochs = NO_WORDS
    this.entryOf = NO_WORDS
    this.written = NO_WORDS
    this.base = NO_WORDS
  }

  /** Id of the slot of account `owner` with the key at `keys[at..]`, or -1. */
  find(owner: number, keys: Uint32Array, at: number): number {
    const { words, mask } = this.index
    const stored = this.keys
    let bucket = slotHash(owner, keys, at) & mask
    for (;;) {
      const entry = words[2 * bucket]!
      if (entry === 0) return -1
      if (words[2 * bucket + 1] === owner) {
        const key = (entry - 1) * LIMBS_PER_WORD
        let limb = 0
        while (limb < LIMBS_PER_WORD && stored[key + limb] === keys[at + limb]) limb++
        if (limb === LIMBS_PER_WORD) return entry - 1
      }
      bucket = (bucket + 1) & mask
    }
  }

  /** Adds a slot that is not in the table, with value zero. Returns its id. */
  add(owner: number, keys: Uint32Array, at: number): number {
    if (this.count === this.#capacity) this.#grow()
    const id = this.count++
    const key = id * LIMBS_PER_WORD
    for (let limb = 0; limb < LIMBS_PER_WORD; limb++) this.keys[key + limb] = keys[at + limb]!
    this.owners[id] = owner
    this.index.reserve(this.count, this.#rehash)
    this.index.put(slotHash(owner, keys, at), id + 1, owner)
    return id
  }

  /** Notes that the value of `id` is about to change. */
  write(id: number): void {
    if (this.entryOf[id] !== 0) return
    if (this.entries === this.written.length) this.reserveWritten(1)
    const entry = this.entries++
    this.written[entry] = id
    this.entryOf[id] = entry + 1
    wordCopy(this.base, entry * LIMBS_PER_WORD, this.values, id * LIMBS_PER_WORD)
  }

  /** Whether the value before the batch equals the word at `words[at]`. */
  equalsBase(id: number, words: Uint32Array, at: number): boolean {
    const entry = this.entryOf[id]!
    return entry === 0
      ? wordEquals(this.values, id * LIMBS_PER_WORD, words, at)
      : wordEquals(this.base, (entry - 1) * LIMBS_PER_WORD, words, at)
  }

  /** The batch is committed: running values are the base of the next one. */
  settle(): void {
    for (let entry = 0; entry < this.entries; entry++) this.entryOf[this.written[entry]!] = 0
    this.entries = 0
  }

  readonly #rehash = (put: (hash: number, entry: number, tag: number) => void): void => {
    for (let id = 0; id < this.count; id++) {
      const owner = this.owners[id]!
      put(slotHash(owner, this.keys, id * LIMBS_PER_WORD), id + 1, owner)
    }
  }

  #grow(): void {
    this.#capacity *= 2
    this.keys = grown(this.keys, LIMBS_PER_WORD * this.#capacity, this.#memory)
    this.values = grown(this.values, LIMBS_PER_WORD * this.#capacity, this.#memory)
    this.owners = grown(this.owners, this.#capacity, this.#memory)
    this.epochs = grown(this.epochs, this.#capacity, this.#memory)
    this.entryOf = grown(this.entryOf, this.#capacity, this.#memory)
  }
}
