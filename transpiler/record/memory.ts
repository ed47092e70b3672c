import type { Builder } from '../ir/builder.ts'
import { type Cell, cellsOfWord, wordOfCells } from '../ir/cells.ts'
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

const wordToBytes = (value: bigint): Uint8Array => {
  const bytes = new Uint8Array(32)
  for (let i = 31, rest = value; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 0xffn)
  return bytes
}

export const bytesOfWord = (builder: Builder, word: Word): Bytes => ({
  concrete: wordToBytes(word.concrete),
  cells: cellsOfWord(builder, word.value),
})

/** `length` bytes from `start`, zero padded past the end. */
export const sliceBytes = (bytes: Bytes, start: number, length: number): Bytes => {
  const concrete = new Uint8Array(length)
  const cells: Cell[] = new Array<Cell>(length).fill(0)
  for (let i = 0; i < length && start + i < bytes.concrete.length; i++) {
    concrete[i] = bytes.concrete[start + i]!
    cells[i] = bytes.cells[start + i]!
  }
  return { concrete, cells }
}

/** The word at `start`, zero padded past the end. */
export const wordAt = (builder: Builder, bytes: Bytes, start: number): Word => {
  const { concrete, cells } = sliceBytes(bytes, start, 32)
  let value = 0n
  for (const byte of concrete) value = (value << 8n) | BigInt(byte)
  return { concrete: value, value: wordOfCells(builder, cells) }
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

  write(start: number, bytes: Bytes): void {
    this.concrete.set(bytes.concrete, start)
    for (let i = 0; i < bytes.cells.length; i++) this.cells[start + i] = bytes.cells[i]!
  }
}
