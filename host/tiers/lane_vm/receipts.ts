import { VM_EXITS } from '../../../transpiler/layout/lane_vm.ts'
import { LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import {
  addBits,
  addBloomIndices,
  addTopic,
  type BloomSet,
  bloomIndicesOfAddress,
  bloomIndicesOfWord,
} from '../../chain/bloom.ts'
import type { LaneRows } from '../../chain/lane_rows.ts'
import type { Log } from '../../chain/log.ts'
import { bytesToHex } from '../../primitives/hex.ts'
import { rlpHeadBytes, writeRlpHead } from '../../primitives/rlp.ts'
import { addressToBytes, addressToHex, wordCopy, wordEquals, wordToBytes, wordToHex } from '../../primitives/word.ts'
import { ROW_LIMBS } from '../../state/tables/account_table.ts'
import { type VmGroup, vmExit, vmOutput } from './group.ts'

const HEAD_LIMBS = 4
const ADDRESS_BYTES = 20
/** Of a topic in RLP. */
const TOPIC_BYTES = 33
/** Of the bits of a topic, and of a log. */
const BITS_LIMBS = 2
const LOG_BITS_LIMBS = 8

/** Reads logs, outputs and blooms of one wave of the lane VM. `accountRows`: the rows that account ids point into. */
export class VmReceipts {
  readonly #group: VmGroup
  /** The group's words as bytes. */
  readonly #bytes: Uint8Array
  readonly #accountRows: Uint32Array
  /** The first topic of the last log, and its bloom bits. */
  readonly #firstTopic = new Uint32Array(LIMBS_PER_WORD)
  readonly #firstIndices = new Uint16Array(3)
  #knowsTopic = false
  /** Bloom bits of emitters by account id. */
  readonly #emitters = new Map<number, Uint16Array>()

  constructor(group: VmGroup, accountRows: Uint32Array) {
    this.#group = group
    const { buffer, byteOffset, byteLength } = group.words
    this.#bytes = new Uint8Array(buffer, byteOffset, byteLength)
    this.#accountRows = accountRows
  }

  logs(lane: number): readonly Log[] {
    const { words } = this.#group
    const logs: Log[] = []
    this.#forEachLog(lane, (at, topics, bytes) => {
      const data = at + HEAD_LIMBS + topics * LIMBS_PER_WORD
      logs.push({
        address: addressToHex(this.#accountRows, words[at]! * ROW_LIMBS),
        topics: Array.from({ length: topics }, (_, n) => wordToHex(words, at + HEAD_LIMBS + n * LIMBS_PER_WORD)),
        data: bytesToHex(new Uint8Array(words.buffer, words.byteOffset + 4 * data, bytes)),
      })
    })
    return logs
  }

  /** Bytes of the RLP of the logs of lanes, one after another, by transaction. */
  logsLengths({ transactions, lanes, first, end }: LaneRows, lengths: Uint32Array): void {
    for (let place = first; place < end; place++) {
      let length = 0
      this.#forEachLog(lanes[place]!, (at, topics, bytes) => {
        const payload = this.#payload(at, topics, bytes)
        length += rlpHeadBytes(payload) + payload
      })
      lengths[transactions[place]!] = length
    }
  }

  /** Writes it, for each of the transactions from at[i] on. */
  writeLogs({ transactions, lanes, first, end }: LaneRows, to: Uint8Array, at: Uint32Array): void {
    for (let place = first; place < end; place++) this.#writeLane(lanes[place]!, to, at[transactions[place]!]!)
  }

  #writeLane(lane: number, to: Uint8Array, start: number): void {
    const { words } = this.#group
    let end = start
    this.#forEachLog(lane, (at, topics, bytes) => {
      end = writeRlpHead(to, end, 0xc0, this.#payload(at, topics, bytes))
      to[end] = 0x80 + ADDRESS_BYTES
      addressToBytes(to, end + 1, this.#accountRows, words[at]! * ROW_LIMBS)
      end = writeRlpHead(to, end + 1 + ADDRESS_BYTES, 0xc0, TOPIC_BYTES * topics)
      for (let n = 0; n < topics; n++, end += TOPIC_BYTES) {
        to[end] = 0x80 + 32
        wordToBytes(to, end + 1, words, at + HEAD_LIMBS + n * LIMBS_PER_WORD)
      }
      const data = 4 * (at + HEAD_LIMBS + topics * LIMBS_PER_WORD)
      if (!this.#isItself(data, bytes)) end = writeRlpHead(to, end, 0x80, bytes)
      to.set(this.#bytes.subarray(data, data + bytes), end)
      end += bytes
    })
  }

  /** Bytes of the fields of the log at limb `at`. */
  #payload(at: number, topics: number, bytes: number): number {
    const topicBytes = TOPIC_BYTES * topics
    const data = 4 * (at + HEAD_LIMBS + topics * LIMBS_PER_WORD)
    const head = this.#isItself(data, bytes) ? 0 : rlpHeadBytes(bytes)
    return 1 + ADDRESS_BYTES + rlpHeadBytes(topicBytes) + topicBytes + head + bytes
  }

  /** Whether data is one byte that stands for itself in RLP. */
  #isItself(data: number, bytes: number): boolean {
    return bytes === 1 && this.#bytes[data]! < 0x80
  }

  output(lane: number): Uint8Array {
    return vmExit(this.#group, lane) === VM_EXITS.halted ? NO_BYTES : vmOutput(this.#group, lane)
  }

  /** `bits`: what became of the group's `bloomBits`. */
  addBlooms({ transactions, lanes, first, end }: LaneRows, blooms: BloomSet, bits: Uint32Array | undefined): void {
    for (let place = first; place < end; place++) this.#addBloom(blooms, lanes[place]!, transactions[place]!, bits)
  }

  markEmitting({ transactions, lanes, first, end }: LaneRows, address: Uint32Array, marks: Uint8Array): void {
    const { words } = this.#group
    const hex = addressToHex(address, 0)
    const known = new Map<number, boolean>()
    for (let place = first; place < end; place++)
      this.#forEachLog(lanes[place]!, (at) => {
        const id = words[at]!
        if (!known.has(id)) known.set(id, addressToHex(this.#accountRows, id * ROW_LIMBS) === hex)
        if (known.get(id) === true) marks[transactions[place]!] = 1
      })
  }

  #addBloom(blooms: BloomSet, lane: number, i: number, bits: Uint32Array | undefined): void {
    const { words } = this.#group
    let hashed = bits === undefined ? 0 : this.#group.bloomsAt![lane]!
    this.#forEachLog(lane, (at, topics) => {
      addBloomIndices(blooms, i, this.#emitter(words[at]!))
      if (topics > 0) addBloomIndices(blooms, i, this.#ofFirstTopic(at + HEAD_LIMBS))
      for (let n = 1; n < topics; n++) {
        if (bits === undefined) addTopic(blooms, i, words, at + HEAD_LIMBS + n * LIMBS_PER_WORD)
        else addBits(blooms, i, bits, hashed + BITS_LIMBS * (n - 1))
      }
      hashed += LOG_BITS_LIMBS
    })
  }

  /** Bits of the first topic of a log, which names the event and is mostly that of the log before. */
  #ofFirstTopic(at: number): Uint16Array {
    const { words } = this.#group
    if (this.#knowsTopic && wordEquals(this.#firstTopic, 0, words, at)) return this.#firstIndices
    wordCopy(this.#firstTopic, 0, words, at)
    bloomIndicesOfWord(this.#firstIndices, words, at)
    this.#knowsTopic = true
    return this.#firstIndices
  }

  #emitter(id: number): Uint16Array {
    let indices = this.#emitters.get(id)
    if (indices === undefined) {
      indices = new Uint16Array(3)
      bloomIndicesOfAddress(indices, this.#accountRows, id * ROW_LIMBS)
      this.#emitters.set(id, indices)
    }
    return indices
  }

  #forEachLog(lane: number, visit: (at: number, topics: number, bytes: number) => void): void {
    const group = this.#group
    if (vmExit(group, lane) !== VM_EXITS.succeeded) return
    const { words } = group
    let at = group.logsAt[lane]!
    for (let n = group.logCounts[lane]!; n > 0; n--) {
      visit(at, words[at + 1]!, words[at + 2]!)
      at += HEAD_LIMBS * words[at + 3]!
    }
  }
}

const NO_BYTES = new Uint8Array(0)
