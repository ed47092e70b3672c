import { ACCOUNT_ROW_VECTORS } from '../../../transpiler/layout/tables.ts'
import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { type ByteString, EXIT_NONE, type OutputWord, type PathKernel } from '../../../transpiler/path_kernel.ts'
import { addBloomIndices, type BloomSet, bloomIndicesOfAddress, bloomIndicesOfWord } from '../../chain/bloom.ts'
import type { Log } from '../../chain/log.ts'
import { bytesToHex } from '../../primitives/hex.ts'
import {
  addressToBytes,
  addressToHex,
  wordCopy,
  wordFromBigInt,
  wordToBytes,
  wordToHex,
} from '../../primitives/word.ts'
import type { BloomItem } from '../../session/device_blooms.ts'
import { type EncodedLogs, encodedLogs } from './encoded_logs.ts'

/** The arrays that a lane's account ids point into (transpiler/layout/tables.ts); read at the time of access. */
export interface LaneTables {
  readonly accountRows: Uint32Array
  readonly constants: Uint32Array
}

/**
 * One dispatch of a path. The arrays are kept until the receipts go: the dispatcher must not write to them again.
 *
 * lanesIn, lanesOut   transpiler/path_kernel.ts
 */
export interface DecodedLanes {
  readonly kernel: PathKernel
  readonly laneCount: number
  readonly lanesIn: Uint32Array
  readonly lanesOut: Uint32Array
  readonly tables: LaneTables
  /** Where the constants of accounts began when the lanes ran, by account id; else where they begin now. */
  readonly bases?: ReadonlyMap<number, number> | undefined
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

const WORD_BYTES = 32
const cutWord = new Uint8Array(WORD_BYTES)
const ROW_LIMBS = 4 * ACCOUNT_ROW_VECTORS
const ROW_CONSTANTS_BASE = 6

/** A topic that is a constant of a contract instance, or an emitter: its bits follow from an account id. */
interface KeyedPart {
  readonly account: number
  /** Undefined for an emitter. */
  readonly word: OutputWord | undefined
  readonly byId: Map<number, Uint16Array>
  lastId: number
  last: Uint16Array
}

const gasColumn = ({ inputs }: PathKernel): number => inputs.find((input) => input.kind === 'gas')?.column ?? -1

/** Id of the entry account (-1) or of an account look-up, as the lane used it. */
const accountId = (
  { kernel, lanesIn, lanesOut, laneCount }: Omit<DecodedLanes, 'tables'>,
  entryColumn: number,
  account: number,
  lane: number,
): number => {
  if (account < 0) return lanesIn[4 * (entryColumn * laneCount + lane) + 1]!
  const lookup = kernel.lookups[account]!
  return lanesOut[4 * (lookup.column * laneCount + lane) + lookup.component]!
}

/** The accounts whose constants are in the logs or the output of a path: look-ups, -1 for the entry account. */
export const constantAccounts = ({ logs, output }: PathKernel): readonly number[] => {
  const words = [...logs.flatMap(({ topics, data }) => [...topics, ...data.words]), ...output.words]
  return [...new Set(words.flatMap((word) => (word.kind === 'instance' ? [word.account] : [])))]
}

/**
 * Where the constants of these accounts begin, by account id, for all lanes that ended: for receipts that are read when
 * an account has other code (EIP-7702).
 */
export const constantsBases = (
  lanes: Omit<DecodedLanes, 'tables'>,
  accounts: readonly number[],
  accountRows: Uint32Array,
): ReadonlyMap<number, number> => {
  const { kernel, laneCount, lanesOut } = lanes
  const entryColumn = gasColumn(kernel)
  const bases = new Map<number, number>()
  for (const account of accounts) {
    let last = -1
    for (let lane = 0; lane < laneCount; lane++) {
      if (lanesOut[4 * lane] !== EXIT_NONE) continue
      const id = accountId(lanes, entryColumn, account, lane)
      if (id !== last) bases.set(id, accountRows[ROW_LIMBS * id + ROW_CONSTANTS_BASE]!)
      last = id
    }
  }
  return bases
}

/** Where the bloom bits of a path's lanes come from. `items` are in the order of `bloomItems`. */
interface BloomParts {
  /** Bits of all constant topics. */
  readonly constants: Uint16Array
  readonly items: readonly OutputWord[]
  readonly keyed: readonly KeyedPart[]
}

/** Decodes the lanes of one dispatch. @internal */
export class PathDecoder {
  readonly #group: DecodedLanes
  readonly #gasColumn: number
  readonly #scratch = new Uint32Array(LIMBS_PER_WORD)
  readonly #indices = new Uint16Array(3)
  #parts: BloomParts | undefined
  #encoded: EncodedLogs | 'by lane' | undefined

  constructor(group: DecodedLanes) {
    this.#group = group
    this.#gasColumn = gasColumn(group.kernel)
  }

  logs(lane: number, to: Uint32Array, i: number): Log[] {
    return this.#group.kernel.logs.map((log) => ({
      address: this.#emitter(log.emitter, lane, to, i),
      topics: log.topics.map((topic) => {
        this.#word(topic, lane)
        return wordToHex(this.#scratch, 0)
      }),
      data: bytesToHex(this.bytes(log.data, lane)),
    }))
  }

  /** Bytes of the RLP of a lane's logs, one after another; undefined where they depend on the lane. */
  get logsLength(): number | undefined {
    return this.#encodedLogs()?.bytes.length
  }

  /** Writes it from `at` on, only where its length is known. Returns where it ends. */
  writeLogs(lane: number, to: Uint32Array, i: number, bytes: Uint8Array, at: number): number {
    const encoded = this.#encodedLogs()!
    bytes.set(encoded.bytes, at)
    for (const { at: place, account } of encoded.emitters) {
      if (account < 0) addressToBytes(bytes, at + place, to, LIMBS_PER_ADDRESS * i)
      else addressToBytes(bytes, at + place, this.#group.tables.accountRows, ROW_LIMBS * this.#accountId(account, lane))
    }
    for (const { at: place, word, length } of encoded.words) {
      this.#word(word, lane)
      if (length === WORD_BYTES) wordToBytes(bytes, at + place, this.#scratch, 0)
      else {
        wordToBytes(cutWord, 0, this.#scratch, 0)
        bytes.set(cutWord.subarray(0, length), at + place)
      }
    }
    return at + encoded.bytes.length
  }

  #encodedLogs(): EncodedLogs | undefined {
    if (this.#encoded === undefined) this.#encoded = encodedLogs(this.#group.kernel.logs) ?? 'by lane'
    return this.#encoded === 'by lane' ? undefined : this.#encoded
  }

  output(lane: number): Uint8Array {
    return this.bytes(this.#group.kernel.output, lane)
  }

  /**
   * `bloomIndices`: u32[2 * items * laneCount], item k (of `bloomItems(kernel)`) of lane l at 2 (k laneCount + l):
   * (index 0 | index 1 << 16, index 2); without them the host hashes.
   */
  addBloom(blooms: BloomSet, lane: number, to: Uint32Array, i: number, bloomIndices?: Uint32Array): void {
    const { laneCount } = this.#group
    this.#parts ??= this.#bloomParts()
    const { constants, items, keyed } = this.#parts
    addBloomIndices(blooms, i, constants)
    for (let k = 0; k < items.length; k++) {
      const indices = this.#indices
      if (bloomIndices === undefined) {
        this.#word(items[k]!, lane)
        bloomIndicesOfWord(indices, this.#scratch, 0)
      } else {
        const from = 2 * (k * laneCount + lane)
        indices[0] = bloomIndices[from]! & 2047
        indices[1] = bloomIndices[from]! >>> 16
        indices[2] = bloomIndices[from + 1]!
      }
      addBloomIndices(blooms, i, indices)
    }
    for (let k = 0; k < keyed.length; k++) addBloomIndices(blooms, i, this.#keyedIndices(keyed[k]!, lane, to, i))
  }

  #keyedIndices(part: KeyedPart, lane: number, to: Uint32Array, i: number): Uint16Array {
    const id = this.#accountId(part.account, lane)
    if (id === part.lastId) return part.last
    let indices = part.byId.get(id)
    if (indices === undefined) {
      indices = new Uint16Array(3)
      if (part.word !== undefined) {
        this.#word(part.word, lane)
        bloomIndicesOfWord(indices, this.#scratch, 0)
      } else if (part.account < 0) {
        bloomIndicesOfAddress(indices, to, LIMBS_PER_ADDRESS * i)
      } else {
        bloomIndicesOfAddress(indices, this.#group.tables.accountRows, ROW_LIMBS * id)
      }
      part.byId.set(id, indices)
    }
    part.lastId = id
    part.last = indices
    return indices
  }

  #bloomParts(): BloomParts {
    const { kernel } = this.#group
    const constants: number[] = []
    const keyed = new Map<string, KeyedPart>()
    const addKeyed = (account: number, word: (OutputWord & { kind: 'instance' }) | undefined): void => {
      const part = { account, word, byId: new Map(), lastId: -1, last: new Uint16Array(3) }
      keyed.set(`${account} ${word?.index}`, part)
    }
    for (const log of kernel.logs) {
      addKeyed(log.emitter, undefined)
      for (const topic of log.topics) {
        if (topic.kind === 'instance') addKeyed(topic.account, topic)
        if (topic.kind !== 'constant') continue
        wordFromBigInt(this.#scratch, 0, topic.value)
        bloomIndicesOfWord(this.#indices, this.#scratch, 0)
        constants.push(...this.#indices)
      }
    }
    const items = bloomItems(kernel).map(({ source, column }): OutputWord => ({ kind: source, column }))
    return { constants: Uint16Array.from(new Set(constants)), items, keyed: [...keyed.values()] }
  }

  #emitter(account: number, lane: number, to: Uint32Array, i: number): string {
    if (account < 0) return addressToHex(to, LIMBS_PER_ADDRESS * i)
    return addressToHex(this.#group.tables.accountRows, ROW_LIMBS * this.#accountId(account, lane))
  }

  /** Id of the entry account (-1) or of an account look-up, as the lane used it. */
  #accountId(account: number, lane: number): number {
    return accountId(this.#group, this.#gasColumn, account, lane)
  }

  /** Puts the word into the scratch word. */
  #word(word: OutputWord, lane: number): void {
    const { tables, bases, lanesIn, lanesOut, laneCount } = this.#group
    const dst = this.#scratch
    if (word.kind === 'constant') {
      wordFromBigInt(dst, 0, word.value)
    } else if (word.kind === 'instance') {
      const id = this.#accountId(word.account, lane)
      const base = bases?.get(id) ?? tables.accountRows[ROW_LIMBS * id + ROW_CONSTANTS_BASE]!
      wordCopy(dst, 0, tables.constants, LIMBS_PER_WORD * (base + word.index))
    } else {
      const lanes = word.kind === 'input' ? lanesIn : lanesOut
      for (let half = 0; half < 2; half++) {
        const from = 4 * ((word.column + half) * laneCount + lane)
        for (let limb = 0; limb < 4; limb++) dst[4 * half + limb] = lanes[from + limb]!
      }
    }
  }

  bytes(string: ByteString, lane: number): Uint8Array {
    const whole = new Uint8Array(32 * string.words.length)
    for (let w = 0; w < string.words.length; w++) {
      this.#word(string.words[w]!, lane)
      wordToBytes(whole, 32 * w, this.#scratch, 0)
    }
    return whole.subarray(0, string.bytes)
  }
}
