import { ACCOUNT_ROW_VECTORS } from '../../transpiler/layout/tables.ts'
import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import type { ByteString, OutputWord, PathKernel } from '../../transpiler/path_kernel.ts'
import { addressToHex, wordCopy, wordFromBigInt, wordToBytes, wordToHex } from '../state/word.ts'
import type { TransactionBatch } from './batch.ts'
import { BLOOM_BYTES, bloomIndicesOfAddress, bloomIndicesOfWord, setBloomBits } from './bloom.ts'
import { bytesToHex } from './encode_batch.ts'
import { REJECTION, type Rejection } from './rejection.ts'

export interface Log {
  readonly address: string
  readonly topics: readonly string[]
  readonly data: string
}

/** Hex is 0x and lower case. `output` is return or revert data, which a consensus receipt does not carry. */
export interface Receipt {
  readonly type: number
  readonly status: 0 | 1
  readonly gasUsed: bigint
  readonly cumulativeGasUsed: bigint
  readonly logs: readonly Log[]
  readonly logsBloom: string
  readonly output: string
  /** Of a creation that succeeded. */
  readonly contractAddress?: string
}

/** What the receipts take from an execution in object form. */
export interface ObjectOutcome {
  readonly status: 0 | 1
  readonly gasUsed: bigint
  readonly logs: readonly Log[]
  readonly output: Uint8Array
  readonly contractAddress?: string
}

/** The arrays that a lane's account ids point into (transpiler/layout/tables.ts); read at the time of access. */
export interface LaneTables {
  readonly accountRows: Uint32Array
  readonly constants: Uint32Array
}

/**
 * One dispatch of a path. The arrays are kept until the receipts go: the dispatcher must not write to them again.
 *
 * lanesIn, lanesOut   transpiler/path_kernel.ts
 * bloomIndices        u32[2 * items * laneCount], optional: item k (of `bloomItems(kernel)`) of lane l at 2 (k laneCount + l):
 *                     (index 0 | index 1 << 16, index 2); without it the host hashes
 */
export interface LaneGroup {
  readonly kernel: PathKernel
  readonly laneCount: number
  readonly lanesIn: Uint32Array
  readonly lanesOut: Uint32Array
  readonly tables: LaneTables
  readonly bloomIndices?: Uint32Array
}

/** A topic whose bloom bits differ from lane to lane: the word at `column` of lanesIn or of lanesOut. */
export interface BloomItem {
  readonly source: 'input' | 'lane'
  readonly column: number
}

/** The items whose bloom indices the device can compute for a path: each topic column once, in order of first use. */
export const bloomItems = (kernel: PathKernel): readonly BloomItem[] => {
  const items: BloomItem[] = []
  for (const log of kernel.logs) {
    for (const topic of log.topics) {
      if (topic.kind !== 'input' && topic.kind !== 'lane') continue
      if (itemIndex(items, topic) < 0) items.push({ source: topic.kind, column: topic.column })
    }
  }
  return items
}

const itemIndex = (items: readonly BloomItem[], word: { kind: 'input' | 'lane'; column: number }): number =>
  items.findIndex((item) => item.source === word.kind && item.column === word.column)

export const STATUS_FAILURE = 0
export const STATUS_SUCCESS = 1
/** Not included in the block: no gas, no receipt. */
export const STATUS_REJECTED = 2

const FROM_TRANSFER = 0
const FROM_LANE = 1
const FROM_OBJECT = 2

const ROW_LIMBS = 4 * ACCOUNT_ROW_VECTORS
const ROW_CONSTANTS_BASE = 6

/**
 * The receipts of a batch in columns; a receipt in object form is made on demand, and so are logs and blooms.
 *
 * status              u8[n]    STATUS_*
 * gasUsed             f64[n]   0 where rejected
 * cumulativeGasUsed   f64[n]   running sum in transaction order; a double is exact below 9e15 gas
 *
 * Each transaction must be set once; setting it again replaces what was set.
 */
export class Receipts {
  readonly count: number
  readonly type: Uint8Array
  readonly status: Uint8Array
  readonly gasUsed: Float64Array
  readonly #batch: TransactionBatch
  readonly #cumulative: Float64Array
  readonly #from: Uint8Array
  /** Group number of a lane; REJECTION code where rejected. */
  readonly #group: Uint32Array
  readonly #lane: Uint32Array
  readonly #groups: Group[] = []
  readonly #objects = new Map<number, ObjectOutcome>()
  #summed = false
  #blooms: Uint8Array | undefined

  constructor(batch: TransactionBatch) {
    const { count } = batch
    this.count = count
    this.type = batch.type
    this.status = new Uint8Array(count)
    this.gasUsed = new Float64Array(count)
    this.#batch = batch
    this.#cumulative = new Float64Array(count)
    this.#from = new Uint8Array(count)
    this.#group = new Uint32Array(count)
    this.#lane = new Uint32Array(count)
  }

  /** Makes a dispatch known; returns the number that `setLane` takes. */
  addGroup(group: LaneGroup): number {
    return this.#groups.push(new Group(group)) - 1
  }

  /** A plain transfer that succeeded: no logs, no output. */
  setTransfer(i: number, gasUsed: number): void {
    this.#set(i, STATUS_SUCCESS, gasUsed, FROM_TRANSFER)
  }

  /** Lane `lane` of a dispatch; the path says the status. */
  setLane(i: number, group: number, lane: number, gasUsed: number): void {
    this.#set(i, this.#groups[group]!.status, gasUsed, FROM_LANE)
    this.#group[i] = group
    this.#lane[i] = lane
  }

  setCpu(i: number, outcome: ObjectOutcome): void {
    this.#set(i, outcome.status, Number(outcome.gasUsed), FROM_OBJECT)
    this.#objects.set(i, outcome)
  }

  setRejected(i: number, rejection: Rejection): void {
    this.#set(i, STATUS_REJECTED, 0, FROM_TRANSFER)
    this.#group[i] = rejection
  }

  #set(i: number, status: number, gasUsed: number, from: number): void {
    this.status[i] = status
    this.gasUsed[i] = gasUsed
    this.#from[i] = from
    this.#summed = false
    this.#blooms = undefined
  }

  get cumulativeGasUsed(): Float64Array {
    if (!this.#summed) {
      let sum = 0
      for (let i = 0; i < this.count; i++) {
        sum += this.gasUsed[i]!
        this.#cumulative[i] = sum
      }
      this.#summed = true
    }
    return this.#cumulative
  }

  /** Gas used by the whole batch. */
  get totalGasUsed(): number {
    return this.count === 0 ? 0 : this.cumulativeGasUsed[this.count - 1]!
  }

  /** Why transaction i is not included; REJECTION.none where it is. */
  rejection(i: number): Rejection | 0 {
    return this.status[i] === STATUS_REJECTED ? (this.#group[i] as Rejection) : REJECTION.none
  }

  /** The receipt of transaction i, or undefined where it was rejected. */
  get(i: number): Receipt | undefined {
    if (i < 0 || i >= this.count) throw new RangeError(`no transaction ${i} in a batch of ${this.count}`)
    const status = this.status[i]!
    if (status === STATUS_REJECTED) return undefined
    const contractAddress = this.#objects.get(i)?.contractAddress
    return {
      type: this.type[i]!,
      status: status as 0 | 1,
      gasUsed: BigInt(this.gasUsed[i]!),
      cumulativeGasUsed: BigInt(this.cumulativeGasUsed[i]!),
      logs: this.logs(i),
      logsBloom: bytesToHex(this.blooms().subarray(BLOOM_BYTES * i, BLOOM_BYTES * (i + 1))),
      output: bytesToHex(this.output(i)),
      ...(this.#from[i] === FROM_OBJECT && contractAddress !== undefined ? { contractAddress } : {}),
    }
  }

  logs(i: number): readonly Log[] {
    if (this.#from[i] === FROM_OBJECT) return this.#objects.get(i)!.logs
    if (this.#from[i] === FROM_LANE) return this.#groups[this.#group[i]!]!.logs(this.#lane[i]!, this.#batch.to, i)
    return []
  }

  /** Return or revert data of transaction i. */
  output(i: number): Uint8Array {
    if (this.#from[i] === FROM_OBJECT) return this.#objects.get(i)!.output
    if (this.#from[i] === FROM_LANE) return this.#groups[this.#group[i]!]!.output(this.#lane[i]!)
    return new Uint8Array(0)
  }

  /** Bloom of every transaction, 256 bytes each, zero where rejected (YP 4.3.1). */
  blooms(): Uint8Array {
    if (this.#blooms !== undefined) return this.#blooms
    const blooms = new Uint8Array(BLOOM_BYTES * this.count)
    const cache = new Map<string, Uint16Array>()
    for (let i = 0; i < this.count; i++) {
      const from = this.#from[i]
      if (from === FROM_LANE) {
        this.#groups[this.#group[i]!]!.addBloom(blooms, BLOOM_BYTES * i, this.#lane[i]!, this.#batch.to, i)
      } else if (from === FROM_OBJECT) {
        for (const log of this.#objects.get(i)!.logs) {
          for (const item of [log.address, ...log.topics]) {
            let indices = cache.get(item)
            if (indices === undefined) {
              indices = bloomIndicesOfHex(item)
              cache.set(item, indices)
            }
            setBloomBits(blooms, BLOOM_BYTES * i, indices)
          }
        }
      }
    }
    this.#blooms = blooms
    return blooms
  }

  /** The bloom of the block: all of them together. */
  blockBloom(): Uint8Array {
    const blooms = this.blooms()
    const words = new Uint32Array(blooms.buffer)
    const block = new Uint32Array(BLOOM_BYTES / 4)
    for (let i = 0; i < this.count; i++) {
      if (this.#from[i] === FROM_TRANSFER) continue
      const at = (BLOOM_BYTES / 4) * i
      for (let w = 0; w < BLOOM_BYTES / 4; w++) block[w] = block[w]! | words[at + w]!
    }
    return new Uint8Array(block.buffer)
  }
}

const bloomIndicesOfHex = (hex: string): Uint16Array => {
  const limbs = new Uint32Array(LIMBS_PER_WORD)
  wordFromBigInt(limbs, 0, BigInt(hex))
  const indices = new Uint16Array(3)
  if (hex.length === 42) bloomIndicesOfAddress(indices, limbs, 0)
  else bloomIndicesOfWord(indices, limbs, 0)
  return indices
}

/** How one topic or emitter of a path finds its bloom indices. */
type BloomPart =
  | { readonly kind: 'fixed'; readonly indices: Uint16Array }
  | { readonly kind: 'item'; readonly item: number; readonly word: OutputWord }
  | {
      readonly kind: 'instance'
      readonly word: OutputWord & { kind: 'instance' }
      readonly cache: Map<number, Uint16Array>
    }
  | { readonly kind: 'emitter'; readonly account: number; readonly cache: Map<number, Uint16Array> }

/** Decodes the lanes of one dispatch. */
class Group {
  readonly status: number
  readonly #group: LaneGroup
  readonly #gasColumn: number
  readonly #scratch = new Uint32Array(LIMBS_PER_WORD)
  readonly #indices = new Uint16Array(3)
  #parts: readonly BloomPart[] | undefined

  constructor(group: LaneGroup) {
    this.#group = group
    this.status = group.kernel.status === 'success' ? STATUS_SUCCESS : STATUS_FAILURE
    this.#gasColumn = group.kernel.inputs.find((input) => input.kind === 'gas')?.column ?? -1
  }

  logs(lane: number, to: Uint32Array, i: number): Log[] {
    return this.#group.kernel.logs.map((log) => ({
      address: this.#emitter(log.emitter, lane, to, i),
      topics: log.topics.map((topic) => {
        this.#word(topic, lane)
        return wordToHex(this.#scratch, 0)
      }),
      data: bytesToHex(this.#bytes(log.data, lane)),
    }))
  }

  output(lane: number): Uint8Array {
    return this.#bytes(this.#group.kernel.output, lane)
  }

  addBloom(blooms: Uint8Array, at: number, lane: number, to: Uint32Array, i: number): void {
    const { bloomIndices, laneCount } = this.#group
    this.#parts ??= this.#bloomParts()
    for (const part of this.#parts) {
      if (part.kind === 'fixed') {
        setBloomBits(blooms, at, part.indices)
      } else if (part.kind === 'item') {
        const indices = this.#indices
        if (bloomIndices === undefined) {
          this.#word(part.word, lane)
          bloomIndicesOfWord(indices, this.#scratch, 0)
        } else {
          const from = 2 * (part.item * laneCount + lane)
          indices[0] = bloomIndices[from]!
          indices[1] = bloomIndices[from]! >>> 16
          indices[2] = bloomIndices[from + 1]!
        }
        setBloomBits(blooms, at, indices)
      } else if (part.kind === 'instance') {
        setBloomBits(blooms, at, this.#instanceIndices(part, lane))
      } else {
        setBloomBits(blooms, at, this.#emitterIndices(part, lane, to, i))
      }
    }
  }

  #instanceIndices(part: BloomPart & { kind: 'instance' }, lane: number): Uint16Array {
    const id = this.#accountId(part.word.account, lane)
    let indices = part.cache.get(id)
    if (indices === undefined) {
      indices = new Uint16Array(3)
      this.#word(part.word, lane)
      bloomIndicesOfWord(indices, this.#scratch, 0)
      part.cache.set(id, indices)
    }
    return indices
  }

  #emitterIndices(part: BloomPart & { kind: 'emitter' }, lane: number, to: Uint32Array, i: number): Uint16Array {
    const id = this.#accountId(part.account, lane)
    let indices = part.cache.get(id)
    if (indices === undefined) {
      indices = new Uint16Array(3)
      if (part.account < 0) bloomIndicesOfAddress(indices, to, LIMBS_PER_ADDRESS * i)
      else bloomIndicesOfAddress(indices, this.#group.tables.accountRows, ROW_LIMBS * id)
      part.cache.set(id, indices)
    }
    return indices
  }

  #bloomParts(): BloomPart[] {
    const { kernel } = this.#group
    const items = bloomItems(kernel)
    const parts: BloomPart[] = []
    const emitters = new Set<number>()
    const seen = new Set<string>()
    for (const log of kernel.logs) {
      if (!emitters.has(log.emitter)) {
        emitters.add(log.emitter)
        parts.push({ kind: 'emitter', account: log.emitter, cache: new Map() })
      }
      for (const topic of log.topics) {
        const key = JSON.stringify(topic, (_, value) => (typeof value === 'bigint' ? value.toString() : value))
        if (seen.has(key)) continue
        seen.add(key)
        if (topic.kind === 'constant') {
          const indices = new Uint16Array(3)
          wordFromBigInt(this.#scratch, 0, topic.value)
          bloomIndicesOfWord(indices, this.#scratch, 0)
          parts.push({ kind: 'fixed', indices })
        } else if (topic.kind === 'instance') {
          parts.push({ kind: 'instance', word: topic, cache: new Map() })
        } else {
          parts.push({ kind: 'item', item: itemIndex(items, topic), word: topic })
        }
      }
    }
    return parts
  }

  #emitter(account: number, lane: number, to: Uint32Array, i: number): string {
    if (account < 0) return addressToHex(to, LIMBS_PER_ADDRESS * i)
    return addressToHex(this.#group.tables.accountRows, ROW_LIMBS * this.#accountId(account, lane))
  }

  /** Id of the entry account (-1) or of an account look-up, as the lane used it. */
  #accountId(account: number, lane: number): number {
    const { kernel, lanesIn, lanesOut, laneCount } = this.#group
    if (account < 0) return lanesIn[4 * (this.#gasColumn * laneCount + lane) + 1]!
    const lookup = kernel.lookups[account]!
    return lanesOut[4 * (lookup.column * laneCount + lane) + lookup.component]!
  }

  /** Puts the word into the scratch word. */
  #word(word: OutputWord, lane: number): void {
    const { tables, lanesIn, lanesOut, laneCount } = this.#group
    const dst = this.#scratch
    if (word.kind === 'constant') {
      wordFromBigInt(dst, 0, word.value)
    } else if (word.kind === 'instance') {
      const base = tables.accountRows[ROW_LIMBS * this.#accountId(word.account, lane) + ROW_CONSTANTS_BASE]!
      wordCopy(dst, 0, tables.constants, LIMBS_PER_WORD * (base + word.index))
    } else {
      const lanes = word.kind === 'input' ? lanesIn : lanesOut
      for (let half = 0; half < 2; half++) {
        const from = 4 * ((word.column + half) * laneCount + lane)
        for (let limb = 0; limb < 4; limb++) dst[4 * half + limb] = lanes[from + limb]!
      }
    }
  }

  #bytes(string: ByteString, lane: number): Uint8Array {
    const whole = new Uint8Array(32 * string.words.length)
    for (let w = 0; w < string.words.length; w++) {
      this.#word(string.words[w]!, lane)
      wordToBytes(whole, 32 * w, this.#scratch, 0)
    }
    return whole.subarray(0, string.bytes)
  }
}
