import type { HashPlan } from './hash_plan.ts'
import { KECCAK_MODULE } from './keccak_module.generated.ts'
import { type WasmMemory, type WasmModule, wasm } from './web_assembly.ts'

/**
 * Messages in one buffer: message k is lengths[k] bytes from offsets[k] on. A plan has holes in them too (HashPlan).
 */
export type Messages = Pick<HashPlan, 'count' | 'bytes' | 'offsets' | 'lengths'> &
  Partial<Pick<HashPlan, 'holeStart' | 'holeAt' | 'holeOf'>>

/** A message that begins up to this many bytes after the last one is copied together with it. */
const GAP_BYTES = 64
/** Bytes of a chunk that holds `count` messages, of so many bytes together. */
export const chunkBytesOf = (sizeBytes: number, count: number): number => sizeBytes + GAP_BYTES * count + SLACK_BYTES

/** The module reads this much past a message. */
const SLACK_BYTES = 8

const PAGE_BYTES = 1 << 16
const MOST_PAGES = 1 << 16
const STATES = 1024
/** Threads that may hash in one memory. */
export const MOST_THREADS = 64
const STATE_BYTES = 672
export const DIGESTS = PAGE_BYTES

/** What the module is asked to hash; all but `count` are addresses, and `own` the number of the first digest. */
export interface KeccakChunk {
  readonly count: number
  readonly at: number
  readonly lengths: number
  readonly holeStart: number
  readonly holeAt: number
  readonly holeOf: number
  readonly own: number
}

type HashExport = (
  state: number,
  first: number,
  end: number,
  at: number,
  lengths: number,
  holeStart: number,
  holeAt: number,
  holeOf: number,
  digests: number,
  own: number,
) => void

let compiled: WasmModule | undefined

/** Throws where there is no WebAssembly with vectors and shared memory. */
export const keccakModule = (): WasmModule => {
  compiled ??= new wasm.Module(Buffer.from(KECCAK_MODULE, 'base64'))
  return compiled
}

/** The module over a memory, for thread number `thread` of those that share it. */
export const keccakOn = (
  module: WasmModule,
  memory: WasmMemory,
  thread: number,
): ((chunk: KeccakChunk, first: number, end: number) => void) => {
  const { exports } = new wasm.Instance(module, { host: { memory } })
  const hash = exports['hash'] as HashExport
  if (thread >= MOST_THREADS) throw new RangeError(`no state for thread ${thread}`)
  const state = STATES + STATE_BYTES * thread
  return ({ at, lengths, holeStart, holeAt, holeOf, own }, first, end) =>
    hash(state, first, end, at, lengths, holeStart, holeAt, holeOf, DIGESTS, own)
}

/**
 * The memory in which the WebAssembly module hashes. Messages pass through it a chunk at a time, in two places by
 * turns; the digests of a plan stay until the next one.
 *
 * bytes 0        round constants
 * 512            words by which threads share a chunk (keccak_claims.ts)
 * 1024           a state for each thread, 672 bytes each
 * 65,536         digests, 32 bytes each
 * from there     two chunks: their messages, then address and length of each (u32), ends of their holes (u32, one
 *                more), addresses of the holes and the numbers of the digests that go there (u32 each)
 */
export class KeccakMemory {
  readonly memory: WasmMemory = new wasm.Memory({ initial: 2, maximum: MOST_PAGES, shared: true })
  #bytes = new Uint8Array(this.memory.buffer)
  #words = new Uint32Array(this.memory.buffer)
  /** Of the messages of a chunk; a longer message is a chunk of its own. */
  #chunkBytes = 0
  #count = 0
  /** Bytes from one chunk's place to the other's. */
  #stride = 0

  get sizeBytes(): number {
    return this.#bytes.length
  }

  /**
   * Makes room for the digests of these messages, and for chunks of so many bytes. Throws a RangeError where there is
   * no such memory.
   */
  begin({ count, lengths, holeStart }: Messages, chunkBytes: number): void {
    this.#count = count
    this.#chunkBytes = chunkBytes
    let longest = 0
    for (let m = 0; m < count; m++) longest = Math.max(longest, lengths[m]!)
    const bytes = this.#chunkBytes + longest + GAP_BYTES
    // A hole takes 32 bytes of a message.
    const holes = holeStart === undefined ? 0 : Math.min(holeStart[count]!, Math.ceil(bytes / 32))
    const messages = Math.min(count, Math.ceil(this.#chunkBytes / GAP_BYTES) + 1)
    this.#stride = (bytes + SLACK_BYTES + 4 * (3 * messages + 1 + 2 * holes) + 31) & -16
    this.#reserve(DIGESTS + 32 * count + 2 * this.#stride)
  }

  /** Copies messages [first, ...) to place 0 or 1, as many as a chunk holds, none from `end` on. */
  place(messages: Messages, first: number, end: number, place: number): KeccakChunk {
    const { lengths, holeStart } = messages
    let sizeBytes = SLACK_BYTES
    let last = first
    while (last < end) {
      sizeBytes += lengths[last]! + GAP_BYTES
      if (sizeBytes > this.#chunkBytes && last > first) {
        sizeBytes -= lengths[last]! + GAP_BYTES
        break
      }
      last++
    }
    const count = last - first
    const holes = holeStart === undefined ? 0 : holeStart[last]! - holeStart[first]!
    const from = DIGESTS + 32 * this.#count + place * this.#stride
    const at = (from + sizeBytes + 15) & -16
    const chunk: KeccakChunk = {
      count,
      at,
      lengths: at + 4 * count,
      holeStart: at + 8 * count,
      holeAt: at + 4 * (3 * count + 1),
      holeOf: at + 4 * (3 * count + 1 + holes),
      own: first,
    }
    this.#words.set(lengths.subarray(first, last), chunk.lengths / 4)
    this.#copy(messages, first, last, from, at / 4)
    this.#words.fill(0, chunk.holeStart / 4, chunk.holeAt / 4)
    if (holes > 0) this.#placeHoles(messages as HashPlan, first, chunk)
    return chunk
  }

  /** A copy of the digests, 32 bytes each. */
  digests(): Uint8Array {
    return this.#bytes.slice(DIGESTS, DIGESTS + 32 * this.#count)
  }

  /** Copies messages to `to`, neighbours together, and writes where each of them lies. */
  #copy({ bytes, offsets, lengths }: Messages, first: number, end: number, to: number, at: number): void {
    const words = this.#words
    let runStart = offsets[first]!
    let runEnd = runStart
    for (let m = first; m < end; m++) {
      const offset = offsets[m]!
      if (offset < runEnd || offset > runEnd + GAP_BYTES) {
        this.#bytes.set(bytes.subarray(runStart, runEnd), to)
        to += runEnd - runStart
        runStart = offset
      }
      words[at + m - first] = to + offset - runStart
      runEnd = offset + lengths[m]!
    }
    this.#bytes.set(bytes.subarray(runStart, runEnd), to)
  }

  #placeHoles({ offsets, holeStart, holeAt, holeOf }: HashPlan, first: number, chunk: KeccakChunk): void {
    const words = this.#words
    const before = holeStart[first]!
    const ends = chunk.holeStart / 4
    const places = chunk.holeAt / 4
    for (let m = 0; m < chunk.count; m++) {
      const moved = words[chunk.at / 4 + m]! - offsets[first + m]!
      const end = holeStart[first + m + 1]! - before
      for (let hole = words[ends + m]!; hole < end; hole++) words[places + hole] = holeAt[before + hole]! + moved
      words[ends + m + 1] = end
    }
    words.set(holeOf.subarray(before, holeStart[first + chunk.count]!), chunk.holeOf / 4)
  }

  #reserve(sizeBytes: number): void {
    if (sizeBytes <= this.#bytes.length) return
    const pages = Math.ceil(Math.max(sizeBytes, 1.5 * this.#bytes.length) / PAGE_BYTES)
    this.memory.grow(pages - this.#bytes.length / PAGE_BYTES)
    this.#bytes = new Uint8Array(this.memory.buffer)
    this.#words = new Uint32Array(this.memory.buffer)
  }
}
