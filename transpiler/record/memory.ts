import type { Builder } from '../ir/builder.ts'
import { bytesOfWordValue, type Cell, cellsOfWord, wordOfCells } from '../ir/cells.ts'
import type { ValueId } from '../ir/path_ir.ts'

/** A word of the concolic run: what it was in the recorded transaction, and the value that computes it in any lane. */
export interface Word {
  readonly concrete: bigint
  readonly value: ValueId
}

/** Bytes of the concolic run; `concrete.length === cells.length`. */
export interface Bytes {
  readonly concrete: Uint8Array
  readonly cells: readonly Cell[]
}

export const EMPTY_BYTES: Bytes = { concrete: new Uint8Array(0), cells: [] }

export const constantBytes = (bytes: Uint8Array): Bytes => ({ concrete: bytes, cells: Array.from(bytes) })

export const bytesOfWord = (builder: Builder, word: Word): Bytes => ({
  concrete: bytesOfWordValue(word.concrete),
  cells: cellsOfWord(builder, word.value),
})

/** `length` bytes from `start`, zero padded past the end. */
export const sliceBytes = (bytes: Bytes, start: number, length: number): Bytes => {
  const end = Math.min(start + length, bytes.concrete.length)
  if (end - start === length)
    return { concrete: bytes.concrete.slice(start, end), cells: bytes.cells.slice(start, end) }
  const concrete = new Uint8Array(length)
  if (end > start) concrete.set(bytes.concrete.subarray(start, end))
  const cells = bytes.cells.slice(Math.min(start, end), end)
  while (cells.length < length) cells.push(0)
  return { concrete, cells }
}

const wordOfBytes = (bytes: Uint8Array): bigint => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 32)
  return (
    (((view.getBigUint64(0) << 64n) | view.getBigUint64(8)) << 128n) |
    (view.getBigUint64(16) << 64n) |
    view.getBigUint64(24)
  )
}

/** The word at `start`, zero padded past the end. */
export const wordAt = (builder: Builder, bytes: Bytes, start: number): Word => {
  const { concrete, cells } = sliceBytes(bytes, start, 32)
  return { concrete: wordOfBytes(concrete), value: wordOfCells(builder, cells) }
}

/** The bytes as whole words, the last one zero padded: what hashes, logs and outputs are made of. */
export const wordsOfBytes = (builder: Builder, bytes: Bytes): ValueId[] => {
  const words: ValueId[] = []
  for (let at = 0; at < bytes.cells.length; at += 32) words.push(wordAt(builder, bytes, at).value)
  return words
}

/** Memory of one frame. Offsets are concrete (guarded by the recorder), bytes are symbolic. */
export class Memory {
  private concrete = new Uint8Array(1024)
  private cells: Cell[] = []
  /** Whole words at multiples of 32 that nothing has been written over: most loads are of one. */
  private readonly whole: (Word | undefined)[] = []
  /** Touched size in whole words. */
  words = 0

  expand(words: number): void {
    if (words <= this.words) return
    if (words * 32 > this.concrete.length) {
      const grown = new Uint8Array(Math.max(words * 32, this.concrete.length * 2))
      grown.set(this.concrete)
      this.concrete = grown
    }
    for (let i = this.words * 32; i < words * 32; i++) this.cells.push(0)
    this.words = words
  }

  read(start: number, length: number): Bytes {
    return { concrete: this.concrete.slice(start, start + length), cells: this.cells.slice(start, start + length) }
  }

  readWord(builder: Builder, start: number): Word {
    const known = start % 32 === 0 ? this.whole[start / 32] : undefined
    if (known !== undefined) return known
    const word = wordAt(builder, this.read(start, 32), 0)
    if (start % 32 === 0) this.whole[start / 32] = word
    return word
  }

  write(start: number, bytes: Bytes): void {
    const { length } = bytes.cells
    if (length === 0) return
    this.concrete.set(bytes.concrete, start)
    for (let i = 0; i < length; i++) this.cells[start + i] = bytes.cells[i]!
    for (let word = Math.floor(start / 32); word <= Math.floor((start + length - 1) / 32); word++) {
      this.whole[word] = undefined
    }
  }

  writeWord(builder: Builder, start: number, word: Word): void {
    this.write(start, bytesOfWord(builder, word))
    if (start % 32 === 0) this.whole[start / 32] = word
  }
}
