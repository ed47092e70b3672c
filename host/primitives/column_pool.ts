import type { ColumnMemory } from './column_memory.ts'

/** Gives arrays for the columns of one batch; what they hold is anything. */
export interface ColumnSource {
  u8(length: number): Uint8Array
  u16(length: number): Uint16Array
  i32(length: number): Int32Array
  u32(length: number): Uint32Array
  f64(length: number): Float64Array
}

/** Arrays that go with the batch. */
export const OWN_COLUMNS: ColumnSource = {
  u8: (length) => new Uint8Array(length),
  u16: (length) => new Uint16Array(length),
  i32: (length) => new Int32Array(length),
  u32: (length) => new Uint32Array(length),
  f64: (length) => new Float64Array(length),
}

const ALIGN_BYTES = 64
/** Of the columns of a batch at once: what is asked of it past that is more memory. */
const FIRST_BYTES = 1 << 16

/**
 * Columns in the memory of modules that every batch takes from the start again: fresh ones would be faulted in page by
 * page, and are garbage of many megabytes a batch that nothing else makes.
 */
export class ColumnPool implements ColumnSource {
  readonly memory: ColumnMemory
  #block: Uint32Array = new Uint32Array(0)
  /** Bytes of the block that are taken. */
  #taken = 0

  constructor(memory: ColumnMemory) {
    this.memory = memory
  }

  /** Bytes that it keeps. */
  get sizeBytes(): number {
    return this.#block.byteLength
  }

  /** The columns of the batch before are free, and there is room for so many bytes. Whether the memory has it. */
  begin(bytes: number): boolean {
    this.#taken = 0
    const needed = bytes + FIRST_BYTES
    if (needed > this.#block.byteLength) {
      // Half as much again, since its old block is lost to the memory.
      const block = this.memory.wordsWithin(Math.ceil(Math.max(needed, 1.5 * this.#block.byteLength) / 4))
      if (block === undefined) return false
      this.#block = block
    }
    return true
  }

  u8(length: number): Uint8Array {
    return new Uint8Array(this.#block.buffer, this.#take(length), length)
  }

  u16(length: number): Uint16Array {
    return new Uint16Array(this.#block.buffer, this.#take(2 * length), length)
  }

  i32(length: number): Int32Array {
    return new Int32Array(this.#block.buffer, this.#take(4 * length), length)
  }

  u32(length: number): Uint32Array {
    return new Uint32Array(this.#block.buffer, this.#take(4 * length), length)
  }

  f64(length: number): Float64Array {
    return new Float64Array(this.#block.buffer, this.#take(8 * length), length)
  }

  #take(bytes: number): number {
    const at = this.#taken
    this.#taken += Math.ceil(bytes / ALIGN_BYTES) * ALIGN_BYTES
    if (this.#taken > this.#block.byteLength) throw new Error('columns of a batch are more than was asked for')
    return this.#block.byteOffset + at
  }
}
