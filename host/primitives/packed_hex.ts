import { ColumnMemory } from './column_memory.ts'
import { HEX_MODULE } from './hex_module.generated.ts'
import { HEX_REQUEST, HEX_STATES } from './hex_request.ts'
import { hasWasm, type WasmModule, wasm } from './web_assembly.ts'

type Pack = (from: number, end: number, to: number, lengths: number, most: number) => number

/** Characters that lie in the module's memory at a time; an item that has more is not read. */
const WINDOW = 1 << 18
const ITEMS = 1 << 14
const OWN_BYTES = 4096
const SLACK_BYTES = 16

interface Packer {
  readonly pack: Pack
  readonly window: Uint8Array
  readonly bytes: Uint8Array
  readonly lengths: Uint32Array
  readonly results: Uint32Array
}

let compiled: WasmModule | undefined
let opened: Packer | undefined

const open = (): Packer => {
  if (opened !== undefined) return opened
  compiled ??= new wasm.Module(Buffer.from(HEX_MODULE, 'base64'))
  const memory = new ColumnMemory(OWN_BYTES)
  const bytesOf = (length: number): Uint8Array => {
    const { buffer, byteOffset, byteLength } = memory.words(length / 4)
    return new Uint8Array(buffer, byteOffset, byteLength)
  }
  const window = bytesOf(WINDOW)
  const bytes = bytesOf(WINDOW / 2 + SLACK_BYTES)
  const lengths = memory.words(ITEMS)
  if (memory.isFull) throw new RangeError('no memory for hex')
  const { pack } = memory.exportsOf(compiled) as { readonly pack: Pack }
  const results = new Uint32Array(memory.memory.buffer, 0, OWN_BYTES / 4)
  opened = { pack, window, bytes, lengths, results }
  return opened
}

/** Byte strings of an array of JSON, side by side: item i is offsets[i] .. offsets[i + 1]. In shared memory. */
export class PackedHex {
  readonly bytes: Uint8Array
  readonly offsets: Uint32Array

  constructor(bytes: Uint8Array, offsets: Uint32Array) {
    this.bytes = bytes
    this.offsets = offsets
  }
}

/**
 * Reads an array of JSON that holds byte strings (`0x` and pairs of hex digits) alone, as its text comes. It says only
 * that the array is such a one, and never why not.
 */
export class HexReader {
  /** Of the text that was pushed since the last item that ended. */
  #rest = new Uint8Array(0)
  #bytes: Uint8Array
  #offsets: Uint32Array
  #count = 0

  /** `characters`: about as many as are to come. */
  constructor(characters: number) {
    this.#bytes = sharedBytes(Math.ceil(characters / 2))
    this.#offsets = sharedWords(1024)
  }

  /** Where there is no WebAssembly with shared memory nothing is read. */
  static of(characters: number): HexReader | undefined {
    if (!hasWasm) return undefined
    try {
      open()
      return new HexReader(characters)
    } catch (thrown) {
      if (thrown instanceof RangeError) return undefined
      throw thrown
    }
  }

  /**
   * More of the text after the `[`. How many of these characters are of the array, its `]` with them, where it ends
   * here; -1 where it is none of byte strings; undefined where more is to come.
   */
  push(text: Uint8Array): number | undefined {
    const { pack, window, bytes, lengths, results } = open()
    let taken = 0
    for (;;) {
      const rest = this.#rest.length
      const part = text.subarray(taken, taken + WINDOW - rest)
      if (part.length === 0 && taken < text.length) return -1
      window.set(this.#rest)
      window.set(part, rest)
      const end = rest + part.length
      taken += part.length
      const from = window.byteOffset
      let at = 0
      let state: number = HEX_STATES.full
      while (state === HEX_STATES.full) {
        state = pack(from + at, from + end, bytes.byteOffset, lengths.byteOffset, ITEMS)
        at = results[HEX_REQUEST.next / 4]! - from
        this.#add(bytes.subarray(0, results[HEX_REQUEST.to / 4]! - bytes.byteOffset), results[HEX_REQUEST.count / 4]!)
      }
      if (state === HEX_STATES.other) return -1
      if (state === HEX_STATES.ended) return taken - (end - at)
      this.#rest = window.slice(at, end)
      if (taken === text.length) return undefined
    }
  }

  /** Of an array that has ended. */
  finish(): PackedHex {
    return new PackedHex(
      this.#bytes.subarray(0, this.#offsets[this.#count]),
      this.#offsets.subarray(0, this.#count + 1),
    )
  }

  #add(bytes: Uint8Array, count: number): void {
    const { lengths } = open()
    const start = this.#offsets[this.#count]!
    if (start + bytes.length > this.#bytes.length) this.#bytes = grownBytes(this.#bytes, start + bytes.length)
    if (this.#count + count >= this.#offsets.length) this.#offsets = grownWords(this.#offsets, this.#count + count + 1)
    this.#bytes.set(bytes, start)
    const offsets = this.#offsets
    let end = start
    for (let n = 0; n < count; n++) {
      end += lengths[n]!
      offsets[++this.#count] = end
    }
  }
}

const sharedBytes = (length: number): Uint8Array => new Uint8Array(new SharedArrayBuffer(length))
const sharedWords = (length: number): Uint32Array => new Uint32Array(new SharedArrayBuffer(4 * length))

const grownBytes = (from: Uint8Array, length: number): Uint8Array => {
  const to = sharedBytes(Math.max(length, 2 * from.length))
  to.set(from)
  return to
}

const grownWords = (from: Uint32Array, length: number): Uint32Array => {
  const to = sharedWords(Math.max(length, 2 * from.length))
  to.set(from)
  return to
}
