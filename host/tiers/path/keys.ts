/**
 * Ids of path keys, in flat columns so that routing makes no objects: key id by (skeleton id, selector, calldata bytes,
 * traits). Doubles, since a selector is -1 or any u32.
 */
export class PathKeys {
  count = 0
  /** f64[4 count] */
  #fields = new Float64Array(FIELDS * 32)
  #index = new Int32Array(64)
  #last = -1

  /** Id of a key; one not met before gets the next number. */
  id(skeleton: number, selector: number, calldataBytes: number, traits: number): number {
    if (this.#last >= 0 && this.#equal(this.#last, skeleton, selector, calldataBytes, traits)) return this.#last
    const mask = this.#index.length - 1
    let bucket = hashKey(skeleton, selector, calldataBytes, traits) & mask
    for (;;) {
      const id = this.#index[bucket]! - 1
      if (id < 0) break
      if (this.#equal(id, skeleton, selector, calldataBytes, traits)) {
        this.#last = id
        return id
      }
      bucket = (bucket + 1) & mask
    }
    const id = this.count++
    if (FIELDS * id === this.#fields.length) {
      const grown = new Float64Array(2 * this.#fields.length)
      grown.set(this.#fields)
      this.#fields = grown
    }
    this.#fields.set([skeleton, selector, calldataBytes, traits], FIELDS * id)
    this.#index[bucket] = id + 1
    if (2 * this.count > this.#index.length) this.#rehash()
    this.#last = id
    return id
  }

  get sizeBytes(): number {
    return this.#fields.byteLength + this.#index.byteLength
  }

  /** The skeleton and the traits of a key. */
  skeletonOf(id: number): number {
    return this.#fields[FIELDS * id]!
  }

  traitsOf(id: number): number {
    return this.#fields[FIELDS * id + 3]!
  }

  /** Only these keys, numbered in the order of the list, with other ids of skeletons. */
  kept(ids: readonly number[], skeletonId: (skeleton: number) => number): PathKeys {
    const keys = new PathKeys()
    for (const id of ids) {
      const [skeleton, selector, calldataBytes, traits] = this.#fields.subarray(FIELDS * id, FIELDS * (id + 1))
      keys.id(skeletonId(skeleton!), selector!, calldataBytes!, traits!)
    }
    return keys
  }

  #equal(id: number, skeleton: number, selector: number, calldataBytes: number, traits: number): boolean {
    const fields = this.#fields
    const at = FIELDS * id
    return (
      fields[at] === skeleton &&
      fields[at + 1] === selector &&
      fields[at + 2] === calldataBytes &&
      fields[at + 3] === traits
    )
  }

  #rehash(): void {
    this.#index = new Int32Array(2 * this.#index.length)
    const mask = this.#index.length - 1
    const fields = this.#fields
    for (let id = 0; id < this.count; id++) {
      const at = FIELDS * id
      let bucket = hashKey(fields[at]!, fields[at + 1]!, fields[at + 2]!, fields[at + 3]!) & mask
      while (this.#index[bucket] !== 0) bucket = (bucket + 1) & mask
      this.#index[bucket] = id + 1
    }
  }
}

const FIELDS = 4

const hashKey = (skeleton: number, selector: number, calldataBytes: number, traits: number): number => {
  let hash = Math.imul(skeleton, 0x9e3779b1) ^ selector
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b) ^ (calldataBytes + Math.imul(traits, 0x61c88647))
  hash = Math.imul(hash, 0xc2b2ae35)
  return hash ^ (hash >>> 13)
}
