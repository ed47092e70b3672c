import type { HashPlan } from '../../primitives/hash_plan.ts'

/** Where nodes are written: to a plan, or to a batch that is hashed at once. */
export interface NodeWriter {
  readonly bytes: Uint8Array
  readonly view: DataView
  /** By message: where its digest is wanted, a place of the trie's; or -1. */
  readonly places: Int32Array
  /** Where the next message begins. */
  readonly at: number
  /** The digest of an earlier message goes to `at`, in the message that is written. */
  hole(at: number, message: number): void
  /** Ends a message of this length, which began at `this.at`. Returns its number. */
  end(length: number, place: number): number
}

/** Memory in which plans are written one after the other: messages, their holes, and where their digests go. */
export class PlanWriter implements NodeWriter {
  bytes = new Uint8Array(0)
  view = new DataView(this.bytes.buffer)
  /** By message: where its digest is wanted, a place of the trie's; or -1. */
  places = new Int32Array(0)
  count = 0
  /** Where the next message begins. */
  at = 0
  #offsets = new Uint32Array(0)
  #lengths = new Uint32Array(0)
  #holeStart = new Uint32Array(1)
  #holeAt = new Uint32Array(0)
  #holeOf = new Uint32Array(0)
  #holes = 0
  #levels: number[] = [0]

  get sizeBytes(): number {
    const arrays = [this.bytes, this.places, this.#offsets, this.#lengths, this.#holeStart, this.#holeAt, this.#holeOf]
    return arrays.reduce((bytes, { byteLength }) => bytes + byteLength, 0)
  }

  /** Begins a plan of at most so many messages, with at most so many bytes and one hole to fill with each. */
  begin(messages: number, bytes: number): void {
    this.count = 0
    this.at = 0
    this.#holes = 0
    this.#levels = [0]
    const room = bytes + 4 * messages
    // Whoever hashed the last plan may have taken its memory.
    if (this.bytes.length < room) {
      this.bytes = new Uint8Array(room)
      this.view = new DataView(this.bytes.buffer)
    }
    if (this.places.length >= messages) return
    this.places = new Int32Array(messages)
    this.#offsets = new Uint32Array(messages)
    this.#lengths = new Uint32Array(messages)
    this.#holeStart = new Uint32Array(messages + 1)
    this.#holeAt = new Uint32Array(messages)
    this.#holeOf = new Uint32Array(messages)
  }

  /** The plan's memory is still read: the next plan takes other memory. */
  leave(): void {
    this.bytes = new Uint8Array(0)
    this.view = new DataView(this.bytes.buffer)
    this.places = new Int32Array(0)
  }

  /** The digest of an earlier message goes to `at`, in the message that is written. */
  hole(at: number, message: number): void {
    this.#holeAt[this.#holes] = at
    this.#holeOf[this.#holes++] = message
  }

  /** Ends a message of this length, which began at `this.at`. Returns its number. */
  end(length: number, place: number): number {
    const message = this.count++
    this.#offsets[message] = this.at
    this.#lengths[message] = length
    this.#holeStart[message + 1] = this.#holes
    this.places[message] = place
    this.at = (this.at + length + 3) & ~3
    return message
  }

  /** The next message may have holes for those up to here. */
  endLevel(): void {
    if (this.count > this.#levels[this.#levels.length - 1]!) this.#levels.push(this.count)
  }

  plan(): HashPlan {
    this.endLevel()
    return {
      count: this.count,
      bytes: this.bytes.subarray(0, this.at),
      offsets: this.#offsets.subarray(0, this.count),
      lengths: this.#lengths.subarray(0, this.count),
      holeStart: this.#holeStart.subarray(0, this.count + 1),
      holeAt: this.#holeAt.subarray(0, this.#holes),
      holeOf: this.#holeOf.subarray(0, this.#holes),
      levels: Uint32Array.from(this.#levels),
    }
  }
}
