/** A set of small whole numbers that gives them back in ascending order: a bit for each. */
export class IdSet {
  #words = new Uint32Array(64)
  #count = 0

  get count(): number {
    return this.#count
  }

  get sizeBytes(): number {
    return this.#words.byteLength
  }

  /** Returns whether it was not in the set. */
  add(id: number): boolean {
    const at = id >> 5
    if (at >= this.#words.length) this.#grow(at)
    const word = this.#words[at]!
    const bit = 1 << (id & 31)
    if ((word & bit) !== 0) return false
    this.#words[at] = word | bit
    this.#count++
    return true
  }

  delete(id: number): void {
    const at = id >> 5
    const bit = 1 << (id & 31)
    if (at >= this.#words.length || (this.#words[at]! & bit) === 0) return
    this.#words[at]! &= ~bit
    this.#count--
  }

  addAll(ids: Int32Array): void {
    for (let n = 0; n < ids.length; n++) this.add(ids[n]!)
  }

  clear(): void {
    if (this.#count > 0) this.#words.fill(0)
    this.#count = 0
  }

  /** All of them, ascending. */
  ids(): Int32Array {
    const ids = new Int32Array(this.#count)
    let next = 0
    for (let at = 0; next < ids.length; at++) {
      for (let word = this.#words[at]!; word !== 0; word &= word - 1)
        ids[next++] = 32 * at + 31 - Math.clz32(word & -word)
    }
    return ids
  }

  #grow(least: number): void {
    const words = new Uint32Array(2 * Math.max(this.#words.length, least))
    words.set(this.#words)
    this.#words = words
  }
}
