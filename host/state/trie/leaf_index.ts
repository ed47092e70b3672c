/**
 * An index of leaves: open addressing with linear probing, at most half full. A removal moves later entries of the same
 * run back, so there are no marks of what was removed.
 *
 * words   i32[2 capacity]   bucket b: leaf id, never 0, and the hash of what it is found by; (0, 0) is empty
 */
export class LeafIndex {
  words = new Int32Array(2 * 128)
  mask = 127
  #count = 0

  get sizeBytes(): number {
    return this.words.byteLength
  }

  /** The first leaf with this hash, or -1. */
  first(hash: number): number {
    const { words, mask } = this
    for (let bucket = hash & mask; ; bucket = (bucket + 1) & mask) {
      const leaf = words[2 * bucket]!
      if (leaf === 0) return -1
      if (words[2 * bucket + 1] === hash) return leaf
    }
  }

  put(hash: number, leaf: number): void {
    if (2 * ++this.#count > this.mask + 1) this.#grow()
    this.#place(hash, leaf)
  }

  take(hash: number, leaf: number): void {
    const { words, mask } = this
    let hole = hash & mask
    while (words[2 * hole] !== leaf) {
      if (words[2 * hole] === 0) throw new Error(`leaf ${leaf} is not in the index`)
      hole = (hole + 1) & mask
    }
    this.#count--
    for (let bucket = (hole + 1) & mask; words[2 * bucket] !== 0; bucket = (bucket + 1) & mask) {
      // An entry may move back to the hole unless that lies before where its probing starts.
      const start = words[2 * bucket + 1]! & mask
      if (((bucket - start) & mask) < ((bucket - hole) & mask)) continue
      words[2 * hole] = words[2 * bucket]!
      words[2 * hole + 1] = words[2 * bucket + 1]!
      hole = bucket
    }
    words[2 * hole] = 0
    words[2 * hole + 1] = 0
  }

  /** Leaf first + n is now leaf ids[n]. */
  rename(first: number, ids: Int32Array): void {
    const { words } = this
    for (let at = 0; at < words.length; at += 2) {
      const leaf = words[at]! - first
      if (leaf >= 0 && leaf < ids.length) words[at] = ids[leaf]!
    }
  }

  #place(hash: number, leaf: number): void {
    const { words, mask } = this
    let bucket = hash & mask
    while (words[2 * bucket] !== 0) bucket = (bucket + 1) & mask
    words[2 * bucket] = leaf
    words[2 * bucket + 1] = hash
  }

  #grow(): void {
    const before = this.words
    this.words = new Int32Array(2 * before.length)
    this.mask = 2 * this.mask + 1
    for (let at = 0; at < before.length; at += 2) if (before[at] !== 0) this.#place(before[at + 1]!, before[at]!)
  }
}
