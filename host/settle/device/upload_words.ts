const VECTOR_LIMBS = 4

/** Words that grow, for uploads: what one range takes, the next one takes again. */
export class UploadWords {
  #words = new Uint32Array(1 << 12)
  /** In use, a multiple of a vector. */
  length = 0

  get used(): Uint32Array {
    return this.#words.subarray(0, this.length)
  }

  get words(): Uint32Array {
    return this.#words
  }

  /** Where `count` more words begin, in words. They hold what was there before. */
  take(count: number): number {
    const at = this.length
    this.length = Math.ceil((at + count) / VECTOR_LIMBS) * VECTOR_LIMBS
    if (this.length > this.#words.length) {
      const grown = new Uint32Array(Math.max(this.length, 2 * this.#words.length))
      grown.set(this.#words.subarray(0, at))
      this.#words = grown
    }
    return at
  }

  /** Puts a column there. Gives the vector at which it begins. */
  put(column: ArrayBufferView): number {
    const at = this.take(Math.ceil(column.byteLength / 4))
    const from = new Uint8Array(column.buffer, column.byteOffset, column.byteLength)
    new Uint8Array(this.#words.buffer, 4 * at, column.byteLength).set(from)
    return at / VECTOR_LIMBS
  }
}
