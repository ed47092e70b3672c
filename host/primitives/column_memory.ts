import { SHARED_MEMORY, type WordMemory } from './shared_words.ts'
import { hasWasm, type WasmMemory, type WasmModule, wasm } from './web_assembly.ts'

const PAGE_BYTES = 1 << 16
const MOST_PAGES = 1 << 16
/** A cache line, and a row of an account. */
const ALIGN_BYTES = 64

/**
 * Columns in one WebAssembly memory, so that a module can pass over them. Words are given from the lower end up and
 * never taken back: the memory goes as a whole, with the last view of it.
 *
 * bytes 0           the module's own: its request, and columns that one call brings
 * from `ownBytes`   words that were given
 */
export class ColumnMemory implements WordMemory {
  readonly isShared = true
  /** Some words that were asked for lie elsewhere, because there was no room. */
  isFull = false
  readonly memory: WasmMemory
  readonly ownBytes: number
  readonly #mostPages: number
  #pages: number
  #end: number
  /** It has another buffer each time that it grows; views of the ones before stay good. */
  readonly #buffers = new WeakSet<ArrayBufferLike>()
  readonly #instances = new Map<WasmModule, Readonly<Record<string, unknown>>>()

  /** Keeps the first `ownBytes` for modules. Throws a RangeError where there is no such memory. */
  constructor(ownBytes: number, mostPages = MOST_PAGES) {
    this.ownBytes = ownBytes
    this.#mostPages = mostPages
    this.#pages = Math.ceil(ownBytes / PAGE_BYTES)
    this.#end = this.#pages * PAGE_BYTES
    this.memory = new wasm.Memory({ initial: this.#pages, maximum: mostPages, shared: true })
  }

  /** The same; undefined where the platform has no such memory, or no more of it. */
  static of(ownBytes: number): ColumnMemory | undefined {
    if (!hasWasm) return undefined
    try {
      return new ColumnMemory(ownBytes)
    } catch (error) {
      if (error instanceof RangeError) return undefined
      throw error
    }
  }

  words(length: number): Uint32Array {
    const words = this.wordsWithin(length)
    if (words !== undefined) return words
    this.isFull = true
    return SHARED_MEMORY.words(length)
  }

  /** The same; undefined where there is no room, and it is not full then. */
  wordsWithin(length: number): Uint32Array | undefined {
    const at = this.#end
    const end = at + Math.ceil((4 * length) / ALIGN_BYTES) * ALIGN_BYTES
    if (!this.#reaches(end)) return undefined
    this.#end = end
    const { buffer } = this.memory
    this.#buffers.add(buffer)
    return new Uint32Array(buffer, at, length)
  }

  /** Whether these words are some of its own, or a part of some. */
  has({ buffer }: Uint32Array): boolean {
    return this.#buffers.has(buffer)
  }

  /** Bytes of words that were given, whether or not they are still in use. */
  get givenBytes(): number {
    return this.#end - Math.ceil(this.ownBytes / PAGE_BYTES) * PAGE_BYTES
  }

  /** What a module exports on this memory, which it imports as `env.memory`. */
  exportsOf(module: WasmModule): Readonly<Record<string, unknown>> {
    let exports = this.#instances.get(module)
    if (exports === undefined) {
      exports = new wasm.Instance(module, { env: { memory: this.memory } }).exports
      this.#instances.set(module, exports)
    }
    return exports
  }

  /** Grows the memory to so many bytes. Whether there was room. */
  #reaches(end: number): boolean {
    const pages = Math.ceil(end / PAGE_BYTES)
    if (pages <= this.#pages) return true
    if (pages > this.#mostPages) return false
    // By an eighth at least: growing is a call into the system.
    const grown = Math.min(this.#mostPages, Math.max(pages, Math.ceil((9 / 8) * this.#pages)))
    try {
      this.memory.grow(grown - this.#pages)
    } catch {
      return false
    }
    this.#pages = grown
    return true
  }
}
