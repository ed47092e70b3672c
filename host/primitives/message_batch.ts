import { keccak256 } from './keccak.ts'
import { DIGESTS, keccakModule, keccakOn } from './keccak_memory.ts'
import { wasm } from './web_assembly.ts'

/** Messages of a batch at most; a batch of theirs stays in the second level of cache. */
const MOST_MESSAGES = 1024
const MOST_BYTES = 1 << 17
/** What a message may be long. */
const LONGEST = 1 << 12
const PAGE_BYTES = 1 << 16

/** Where tables and messages begin, after the digests: address and length of each message, and ends of no holes. */
const TABLES = DIGESTS + 32 * MOST_MESSAGES
const BYTES = TABLES + 4 * (3 * MOST_MESSAGES + 4)
const SIZE_BYTES = BYTES + MOST_BYTES + LONGEST

interface HashedMemory {
  readonly buffer: ArrayBufferLike
  readonly hash: (count: number) => void
}

/**
 * Messages that are written where they are hashed, a batch at a time: no plan, and no copy of it. One thread's.
 *
 * Where there is no WebAssembly the same memory is hashed in JavaScript.
 */
export class MessageBatch {
  readonly bytes: Uint8Array
  readonly view: DataView
  /** Of each message, whatever its writer wants to know when it has the digest. */
  readonly places = new Int32Array(MOST_MESSAGES)
  count = 0
  /** Where the next message begins. */
  at = BYTES
  readonly #words: Uint32Array
  readonly #hash: (count: number) => void

  /** Null: hashes in JavaScript. */
  constructor(memory: HashedMemory | null = inWebAssembly()) {
    const buffer = memory?.buffer ?? new ArrayBuffer(SIZE_BYTES)
    this.bytes = new Uint8Array(buffer)
    this.view = new DataView(buffer)
    this.#words = new Uint32Array(buffer)
    this.#hash = memory?.hash ?? ((count) => this.#hashInJavaScript(count))
  }

  /** Whether the next message may be too much. */
  get isFull(): boolean {
    return this.count === MOST_MESSAGES || this.at >= BYTES + MOST_BYTES
  }

  /** Ends a message of this length, which began at `this.at`. Returns its number. */
  end(length: number, place: number): number {
    const message = this.count++
    this.#words[TABLES / 4 + message] = this.at
    this.#words[TABLES / 4 + MOST_MESSAGES + message] = length
    this.places[message] = place
    this.at = (this.at + length + 7) & ~7
    return message
  }

  /** No message waits for the digest of another one here. */
  hole(): never {
    throw new Error('a batch has no digests of messages that are not hashed')
  }

  /** Digests of all messages, 8 words each, those of message m from 8 m on. The batch is empty then. */
  digests(): Uint32Array {
    if (this.count > 0) this.#hash(this.count)
    this.count = 0
    this.at = BYTES
    return this.#words.subarray(DIGESTS / 4, DIGESTS / 4 + 8 * MOST_MESSAGES)
  }

  #hashInJavaScript(count: number): void {
    for (let m = 0; m < count; m++) {
      const at = this.#words[TABLES / 4 + m]!
      const message = this.bytes.slice(at, at + this.#words[TABLES / 4 + MOST_MESSAGES + m]!)
      this.bytes.set(keccak256(message), DIGESTS + 32 * m)
    }
  }
}

/** Null where there is no WebAssembly with vectors and shared memory. */
const inWebAssembly = (): HashedMemory | null => {
  try {
    const pages = Math.ceil(SIZE_BYTES / PAGE_BYTES)
    const memory = new wasm.Memory({ initial: pages, maximum: pages, shared: true })
    const hash = keccakOn(keccakModule(), memory, 0)
    const lengths = TABLES + 4 * MOST_MESSAGES
    const chunk = { at: TABLES, lengths, holeStart: TABLES + 8 * MOST_MESSAGES, holeAt: 0, holeOf: 0, own: 0 }
    return { buffer: memory.buffer, hash: (count: number) => hash({ ...chunk, count }, 0, count) }
  } catch {
    return null
  }
}
