import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import type { OutputWord, PathKernel } from '../../../transpiler/path_kernel.ts'
import {
  addBits,
  addSameBits,
  type BloomSet,
  bloomIndicesOfWord,
  type KnownBits,
  waitingTopic,
} from '../../chain/bloom.ts'
import { type LaneRows, NO_LENGTH } from '../../chain/lane_rows.ts'
import { WORDS_AHEAD, type WordColumn } from '../../chain/topic_bits.ts'
import { addressToBytes, wordFromBigInt } from '../../primitives/word.ts'
import { ROW_LIMBS } from '../../state/tables/account_table.ts'
import { type EncodedLogs, encodedLogs } from './encoded_logs.ts'
import { COLUMN_LIMBS } from './plan.ts'
import { accountIds, bloomItems, constantsBase, type DecodedLanes, entryColumnOf } from './receipts.ts'

const WORD_BYTES = 32
const HALF_LIMBS = 4

/** A column of the lanes: that of lane l begins at limb `from` + 4 l of `limbs`. */
interface LaneColumn {
  readonly limbs: Uint32Array
  readonly from: number
}

/** What the blooms of a path's lanes are of. */
interface BloomParts {
  /** Bits of all constant topics. */
  readonly constants: Uint16Array
  /** Topics of the lanes' own, in the order of `bloomItems`. */
  readonly items: readonly LaneWord[]
  /** Emitters, and topics that are constants of a contract instance: their bits follow from an account id. */
  readonly keyed: readonly { readonly account: number; readonly index: number | undefined }[]
}

type LaneWord = Extract<OutputWord, { readonly kind: 'input' | 'lane' }>

/** What all lanes of a path have of their logs. A path that runs lane by lane has a dispatch for each. */
interface LogForm {
  readonly encoded: EncodedLogs | undefined
  readonly bloom: BloomParts
}

const forms = new WeakMap<PathKernel, LogForm>()

const logForm = (kernel: PathKernel): LogForm => {
  let form = forms.get(kernel)
  if (form === undefined) {
    form = { encoded: encodedLogs(kernel.logs), bloom: bloomParts(kernel) }
    forms.set(kernel, form)
  }
  return form
}

const bloomParts = (kernel: PathKernel): BloomParts => {
  const topics = kernel.logs.flatMap((log) => log.topics)
  const constants = topics.flatMap((topic) => (topic.kind === 'constant' ? [...bitsOfConstant(topic.value)] : []))
  const instances = topics.flatMap((topic) =>
    topic.kind === 'instance' ? [{ account: topic.account, index: topic.index }] : [],
  )
  const emitters = kernel.logs.map(({ emitter }) => ({ account: emitter, index: undefined }))
  const keyed = new Map([...emitters, ...instances].map((part) => [`${part.account} ${part.index}`, part]))
  const items = bloomItems(kernel).map(({ source, column }): LaneWord => ({ kind: source, column }))
  return { constants: Uint16Array.from(new Set(constants)), items, keyed: [...keyed.values()] }
}

/** The logs of many lanes of one dispatch of a path, written by columns, and their blooms. @internal */
export class LaneLogs {
  readonly #group: DecodedLanes
  /** Of the batch. */
  readonly #to: Uint32Array
  readonly #form: LogForm

  constructor(group: DecodedLanes, to: Uint32Array) {
    this.#group = group
    this.#to = to
    this.#form = logForm(group.kernel)
  }

  get #encoded(): EncodedLogs | undefined {
    return this.#form.encoded
  }

  /** All lanes have logs of one length, or each its own. */
  lengths({ transactions, first, end }: LaneRows, lengths: Uint32Array): void {
    const length = this.#encoded?.bytes.length ?? NO_LENGTH
    for (let place = first; place < end; place++) lengths[transactions[place]!] = length
  }

  write(rows: LaneRows, to: Uint8Array, at: Uint32Array): void {
    if (this.#encoded === undefined || this.#encoded.bytes.length === 0) return
    const { bytes, emitters, words } = this.#encoded
    const { transactions, first, end } = rows
    for (let place = first; place < end; place++) to.set(bytes, at[transactions[place]!]!)
    for (const { account, at: offset } of emitters) this.#writeEmitters(rows, account, to, at, offset)
    const view = new DataView(to.buffer, to.byteOffset, to.byteLength)
    for (const { word, at: offset, length } of words) {
      if (length < WORD_BYTES) this.#writeCut(rows, word, length, to, at, offset)
      else if (word.kind === 'instance') this.#writeConstants(rows, word, view, at, offset)
      else this.#writeWords(rows, word as LaneWord, view, at, offset)
    }
  }

  /** `bits`: of the items, from the device (kernels/entry/bloom.wgsl); without them the host hashes. */
  addBlooms(rows: LaneRows, blooms: BloomSet, bits: Uint32Array | undefined): void {
    const { constants, items, keyed } = this.#form.bloom
    addSameBits(blooms, rows, constants)
    for (const { account, index } of keyed) this.#addKeyed(rows, account, index, blooms)
    for (const [k, item] of items.entries()) {
      if (bits === undefined) this.#addHashed(rows, item, blooms)
      else addBitsOf(rows, bits, 2 * k * this.#group.laneCount, blooms)
    }
  }

  markEmitting(rows: LaneRows, address: Uint32Array, marks: Uint8Array): void {
    const { transactions, lanes, first, end } = rows
    const { accountRows } = this.#group.tables
    for (const account of new Set(this.#group.kernel.logs.map(({ emitter }) => emitter))) {
      const ids = this.#ids(account)
      let last = -1
      let isIt = false
      for (let place = first; place < end; place++) {
        const i = transactions[place]!
        if (account < 0) isIt = isAddress(this.#to, LIMBS_PER_ADDRESS * i, address)
        else {
          const id = ids.limbs[ids.from + COLUMN_LIMBS * lanes[place]!]!
          if (id !== last) isIt = isAddress(accountRows, ROW_LIMBS * id, address)
          last = id
        }
        if (isIt) marks[i] = 1
      }
    }
  }

  #writeEmitters(rows: LaneRows, account: number, to: Uint8Array, at: Uint32Array, offset: number): void {
    const { transactions, lanes, first, end } = rows
    const { accountRows } = this.#group.tables
    const { limbs, from } = this.#ids(account)
    for (let place = first; place < end; place++) {
      const i = transactions[place]!
      if (account < 0) addressToBytes(to, at[i]! + offset, this.#to, LIMBS_PER_ADDRESS * i)
      else addressToBytes(to, at[i]! + offset, accountRows, ROW_LIMBS * limbs[from + COLUMN_LIMBS * lanes[place]!]!)
    }
  }

  #writeWords(rows: LaneRows, word: LaneWord, view: DataView, at: Uint32Array, offset: number): void {
    const { transactions, lanes, first, end } = rows
    const { limbs, from } = this.#column(word)
    const high = from + COLUMN_LIMBS * this.#group.laneCount
    for (let place = first; place < end; place++) {
      const lane = COLUMN_LIMBS * lanes[place]!
      const start = at[transactions[place]!]! + offset
      writeHalf(view, start, limbs, high + lane)
      writeHalf(view, start + WORD_BYTES / 2, limbs, from + lane)
    }
  }

  #writeConstants(
    rows: LaneRows,
    word: OutputWord & { kind: 'instance' },
    view: DataView,
    at: Uint32Array,
    offset: number,
  ): void {
    const { transactions, lanes, first, end } = rows
    const { limbs, from } = this.#ids(word.account)
    const { constants } = this.#group.tables
    for (let place = first; place < end; place++) {
      const id = limbs[from + COLUMN_LIMBS * lanes[place]!]!
      const constant = LIMBS_PER_WORD * (constantsBase(this.#group, id) + word.index)
      const start = at[transactions[place]!]! + offset
      writeHalf(view, start, constants, constant + HALF_LIMBS)
      writeHalf(view, start + WORD_BYTES / 2, constants, constant)
    }
  }

  /** The first bytes of a word: of the last one of a log's data. */
  #writeCut(rows: LaneRows, word: OutputWord, length: number, to: Uint8Array, at: Uint32Array, offset: number): void {
    const { transactions, first, end } = rows
    const whole = this.#words(rows, word)
    for (let place = first; place < end; place++) {
      const start = at[transactions[place]!]! + offset
      const from = WORD_BYTES * (place - first)
      for (let n = 0; n < length; n++) to[start + n] = whole[from + n]!
    }
  }

  /** A word of each of the rows, 32 bytes each. */
  #words(rows: LaneRows, word: OutputWord): Uint8Array {
    const count = rows.end - rows.first
    const words = new Uint8Array(WORD_BYTES * count)
    const places = Uint32Array.from({ length: count }, (_, k) => k)
    const own = { transactions: places, lanes: rows.lanes.subarray(rows.first, rows.end), first: 0, end: count }
    const view = new DataView(words.buffer)
    const at = places.map((k) => WORD_BYTES * k)
    if (word.kind === 'instance') this.#writeConstants(own, word, view, at, 0)
    else this.#writeWords(own, word as LaneWord, view, at, 0)
    return words
  }

  #addHashed(rows: LaneRows, item: LaneWord, blooms: BloomSet): void {
    const { limbs, from } = this.#column(item)
    const column = { limbs, low: from, high: from + COLUMN_LIMBS * this.#group.laneCount }
    const numbers = new Int32Array(WORDS_AHEAD)
    for (let first = rows.first; first < rows.end; first += WORDS_AHEAD) {
      const end = Math.min(rows.end, first + WORDS_AHEAD)
      blooms.topics.findRows(rows, first, end, column, numbers)
      this.#addTopics(rows, first, end, column, numbers, blooms)
    }
  }

  /** Of the rows at places `first` up to `end`; `numbers` are those of their words in `blooms.topics`. */
  #addTopics(
    { transactions, lanes }: LaneRows,
    first: number,
    end: number,
    { limbs, low, high }: WordColumn,
    numbers: Int32Array,
    blooms: BloomSet,
  ): void {
    const { topics, waiting } = blooms
    for (let place = first; place < end; place++) {
      const number = numbers[place - first]!
      if (number >= 0) addBits(blooms, transactions[place]!, topics.bits, 2 * number)
      else {
        const lane = COLUMN_LIMBS * lanes[place]!
        const to = waitingTopic(blooms, transactions[place]!)
        writeHalf(waiting.view, to, limbs, high + lane)
        writeHalf(waiting.view, to + WORD_BYTES / 2, limbs, low + lane)
      }
    }
  }

  /** `index`: of a constant of the account's code; undefined: the account as emitter. */
  #addKeyed(rows: LaneRows, account: number, index: number | undefined, blooms: BloomSet): void {
    const { transactions, lanes, first, end } = rows
    const { limbs, from } = this.#ids(account)
    // Rows of one account one after another have the same bits.
    for (let run = first; run < end; ) {
      const id = limbs[from + COLUMN_LIMBS * lanes[run]!]!
      let next = run + 1
      while (next < end && limbs[from + COLUMN_LIMBS * lanes[next]!] === id) next++
      addSameBits(blooms, { transactions, lanes, first: run, end: next }, this.#keyedBits(index, id, blooms.known))
      run = next
    }
  }

  #keyedBits(index: number | undefined, id: number, known: KnownBits): Uint16Array {
    const { constants, accountRows } = this.#group.tables
    if (index === undefined) return known.ofAddress(accountRows, ROW_LIMBS * id)
    return known.ofWord(constants, LIMBS_PER_WORD * (constantsBase(this.#group, id) + index))
  }

  #column({ kind, column }: LaneWord): LaneColumn {
    const { lanesIn, lanesOut, laneCount } = this.#group
    return { limbs: kind === 'input' ? lanesIn : lanesOut, from: COLUMN_LIMBS * column * laneCount }
  }

  /** Ids of the entry account (-1) or of an account look-up, as the lanes used it. */
  #ids(account: number): LaneColumn {
    return accountIds(this.#group, entryColumnOf(this.#group.kernel), account)
  }
}

const isAddress = (limbs: Uint32Array, at: number, address: Uint32Array): boolean => {
  for (let limb = 0; limb < LIMBS_PER_ADDRESS; limb++) if (limbs[at + limb] !== address[limb]) return false
  return true
}

const bitsOfConstant = (value: bigint): Uint16Array => {
  const word = new Uint32Array(LIMBS_PER_WORD)
  const bits = new Uint16Array(3)
  wordFromBigInt(word, 0, value)
  bloomIndicesOfWord(bits, word, 0)
  return bits
}

/** Four limbs, least significant first, as 16 big-endian bytes. */
const writeHalf = (view: DataView, to: number, limbs: Uint32Array, from: number): void => {
  view.setUint32(to, limbs[from + 3]!)
  view.setUint32(to + 4, limbs[from + 2]!)
  view.setUint32(to + 8, limbs[from + 1]!)
  view.setUint32(to + 12, limbs[from]!)
}

/** Bits of one item of the lanes: those of lane l from `first` + 2 l on. */
const addBitsOf = (rows: LaneRows, bits: Uint32Array, from: number, blooms: BloomSet): void => {
  const { transactions, lanes, first, end } = rows
  for (let place = first; place < end; place++) addBits(blooms, transactions[place]!, bits, from + 2 * lanes[place]!)
}
