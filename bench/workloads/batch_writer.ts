import type { TransactionBatch } from '../../host/chain/batch.ts'
import { wordToBytes } from '../../host/primitives/word.ts'
import type { Random } from '../random.ts'

/** Fees of every workload: a quiet mainnet block. The priority fee is 1, 2 or 3 times PRIORITY_UNIT. */
export const BASE_FEE = 10_000_000_000
const MAX_FEE = 30_000_000_000
const PRIORITY_UNIT = 1_000_000_000

const HIGH = 0x1_0000_0000

/**
 * Writes a TransactionBatch of EIP-1559 transactions straight into its columns: 65,536 transfers take about 20 ms.
 * `begin` starts transaction i; the calls that follow add its value and calldata.
 */
export class BatchWriter {
  readonly #capacity: number
  readonly #random: Random
  readonly #nonce: Uint32Array
  readonly #gasLimit: Uint32Array
  readonly #maxFee: Uint32Array
  readonly #priorityFee: Uint32Array
  readonly #value: Uint32Array
  readonly #from: Uint32Array
  readonly #to: Uint32Array
  readonly #creates: Uint8Array
  readonly #dataStart: Uint32Array
  #data: Uint8Array
  #view: DataView
  #dataEnd = 0
  #count = 0
  /** Sum of the gas limits so far. */
  gasLimitSum = 0

  constructor(capacity: number, bytesPerTransaction: number, random: Random) {
    this.#capacity = capacity
    this.#random = random
    this.#nonce = new Uint32Array(2 * capacity)
    this.#gasLimit = new Uint32Array(2 * capacity)
    this.#maxFee = new Uint32Array(8 * capacity)
    this.#priorityFee = new Uint32Array(8 * capacity)
    this.#value = new Uint32Array(8 * capacity)
    this.#from = new Uint32Array(5 * capacity)
    this.#to = new Uint32Array(5 * capacity)
    this.#creates = new Uint8Array(capacity)
    this.#dataStart = new Uint32Array(capacity + 1)
    this.#data = new Uint8Array(Math.max(64, capacity * bytesPerTransaction))
    this.#view = new DataView(this.#data.buffer)
  }

  get count(): number {
    return this.#count
  }

  /** Starts a transaction from `from[fromAt ..]` to `to[toAt ..]`; without `to` it creates a contract. */
  begin(from: Uint32Array, fromAt: number, to: Uint32Array | undefined, toAt: number, nonce: number, gasLimit: number) {
    const i = this.#count++
    if (i >= this.#capacity) throw new RangeError(`the batch holds ${this.#capacity} transactions`)
    for (let limb = 0; limb < 5; limb++) this.#from[5 * i + limb] = from[fromAt + limb]!
    if (to === undefined) this.#creates[i] = 1
    else for (let limb = 0; limb < 5; limb++) this.#to[5 * i + limb] = to[toAt + limb]!
    this.#nonce[2 * i] = nonce
    this.#gasLimit[2 * i] = gasLimit
    this.gasLimitSum += gasLimit
    this.#maxFee[8 * i] = MAX_FEE % HIGH
    this.#maxFee[8 * i + 1] = Math.floor(MAX_FEE / HIGH)
    const priorityFee = (1 + this.#random.below(3)) * PRIORITY_UNIT
    this.#priorityFee[8 * i] = priorityFee % HIGH
    this.#priorityFee[8 * i + 1] = Math.floor(priorityFee / HIGH)
    this.#dataStart[i + 1] = this.#dataEnd
  }

  /** Sets the value of the current transaction, in wei, below 2^53. */
  value(wei: number): void {
    const at = 8 * (this.#count - 1)
    this.#value[at] = wei % HIGH
    this.#value[at + 1] = Math.floor(wei / HIGH)
  }

  selector(value: number): void {
    this.#view.setUint32(this.#extend(4), value)
  }

  /** Appends an address as an ABI word. */
  address(addresses: Uint32Array, at: number): void {
    const to = this.#extend(32) + 12
    for (let limb = 0; limb < 5; limb++) this.#view.setUint32(to + 4 * (4 - limb), addresses[at + limb]!)
  }

  /** Appends a number below 2^53 as an ABI word. */
  number(value: number): void {
    const to = this.#extend(32)
    this.#view.setUint32(to + 24, Math.floor(value / HIGH))
    this.#view.setUint32(to + 28, value % HIGH)
  }

  /** Appends the word at `words[at]`. */
  word(words: Uint32Array, at: number): void {
    wordToBytes(this.#data, this.#extend(32), words, at)
  }

  bytes(bytes: Uint8Array): void {
    this.#data.set(bytes, this.#extend(bytes.length))
  }

  /** The batch; every transaction must have been begun. */
  finish(): TransactionBatch {
    const count = this.#count
    if (count !== this.#capacity) throw new RangeError(`${count} of ${this.#capacity} transactions written`)
    return {
      count,
      type: new Uint8Array(count).fill(2),
      nonce: this.#nonce,
      gasLimit: this.#gasLimit,
      maxFeePerGas: this.#maxFee,
      maxPriorityFeePerGas: this.#priorityFee,
      value: this.#value,
      from: this.#from,
      to: this.#to,
      creates: this.#creates,
      data: this.#data.subarray(0, this.#dataEnd),
      dataStart: this.#dataStart,
      accessStart: new Uint32Array(count + 1),
      accessAddress: new Uint32Array(0),
      accessKeyStart: new Uint32Array(1),
      accessKey: new Uint32Array(0),
      extras: new Map(),
    }
  }

  #extend(bytes: number): number {
    const at = this.#dataEnd
    this.#dataEnd += bytes
    if (this.#dataEnd > this.#data.length) {
      const grown = new Uint8Array(2 * this.#dataEnd)
      grown.set(this.#data)
      this.#data = grown
      this.#view = new DataView(grown.buffer)
    }
    this.#dataStart[this.#count] = this.#dataEnd
    return at
  }
}
