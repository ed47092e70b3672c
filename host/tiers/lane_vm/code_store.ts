import type { LiftedCode } from '../../../transpiler/index.ts'
import {
  CODE_DELEGATION,
  CODE_HEADER_VECTORS,
  CODE_PRESENT,
  MICRO_CODES,
  VM_BLOCK_LIMBS,
  VM_INSTRUCTION_LIMBS,
} from '../../../transpiler/layout/lane_vm.ts'
import { LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import type { ComputeDevice } from '../../device/compute_device.ts'
import { mostStorageBytes } from '../../device/limits.ts'
import { grown } from '../../primitives/shared_words.ts'
import type { CodeMove, CodeTable } from '../../state/tables/code_table.ts'

const VECTOR_LIMBS = 4
const VECTOR_BYTES = 16
/** Entries of the jump table in a vector. */
const JUMPS_PER_VECTOR = 8
const FIRST_VECTORS = 1 << 12
const FIRST_HEADERS = 256
/** Of an entry in the maps of skeletons, about. */
const ENTRY_BYTES = 256
/** One part in so many of the device's largest buffer is kept for headers. */
const HEADER_SHARE = 8

/** The transpiler's lift for a fork and form. */
export interface CodeLifter {
  lift(code: Uint8Array): LiftedCode
  /** A form that is made sooner and runs slower, for codes that few lanes have run. */
  liftFirst?(code: Uint8Array): LiftedCode
  /** By index of MICRO_CODES. */
  readonly micro: readonly (LiftedCode | undefined)[]
  /** Whether the fork knows delegations (EIP-7702); before it, their bytes are a code like any other. */
  readonly delegates: boolean
}

/** One table of code headers, and which of its ids the device has not seen. */
interface HeaderTable {
  readonly at: number
  readonly capacity: number
  changedFrom: number
  changedEnd: number
}

/** A skeleton's code where it was placed, all of it in one piece. */
interface Placed {
  /** The first header vector: where its four parts begin. */
  readonly header: Uint32Array
  readonly end: number
  /** Counts `trim` calls: when lanes last ran it. */
  usedAt: number
}

/**
 * The code store of the lane VM (transpiler/layout/lane_vm.ts) on the host and on the device. Lifted code is placed
 * once for each skeleton, bytes once for each code. Nothing that was placed moves, but in `trim`: lanes hold vectors of
 * it.
 *
 * The header table of code ids is followed by a larger one when they outgrow it. Lanes that run may hold headers of the
 * older ones, so every header is written to all tables that have its id.
 *
 * A code is lifted in its first form until `hotLanes` lanes have run it; both forms then stay, since nothing moves.
 */
export class VmCodes {
  /** Header table of the codes, and of the micro codes; vectors. */
  codesAt = 0
  readonly microAt: number
  readonly #device: ComputeDevice
  #codes: CodeTable
  readonly #lifter: CodeLifter
  readonly #mostVectors: number
  #words: Uint32Array = new Uint32Array(FIRST_VECTORS * VECTOR_LIMBS)
  #bytes = new Uint8Array(this.#words.buffer)
  #used = 0
  /** Vectors that the device has, but for changed headers. */
  #uploaded = 0
  #tables: HeaderTable[] = []
  /** By skeleton id. */
  #lifted = new Map<number, Placed>()
  #trims = 0
  readonly #hotLanes: number
  /** Lanes by skeleton id, and the skeletons that stand in their first form. */
  #lanes = new Map<number, number>()
  #first = new Set<number>()
  #buffer: GPUBuffer | undefined

  constructor(device: ComputeDevice, codes: CodeTable, lifter: CodeLifter, hotLanes = 0) {
    this.#hotLanes = hotLanes
    this.#device = device
    this.#codes = codes
    this.#lifter = lifter
    this.#mostVectors = mostStorageBytes(device.limits) / VECTOR_BYTES
    this.microAt = this.#placeMicro()
  }

  /** Bytes held on the host, about; the device holds a copy of the words. */
  get sizeBytes(): number {
    return this.#words.byteLength + ENTRY_BYTES * (this.#lifted.size + this.#lanes.size)
  }

  /**
   * While no lane runs: goes on with the ids of another code table, and where it takes more than `mostBytes`, drops the
   * code that no lane has run for longest, to half of that. Headers and bytes come back as they are required.
   */
  trim(move: CodeMove | undefined, mostBytes: number): void {
    this.#trims++
    if (move === undefined && this.sizeBytes <= mostBytes) return
    const isOver = this.sizeBytes > mostBytes
    const words = this.#words
    const lifted = [...this.#lifted].sort(([, a], [, b]) => b.usedAt - a.usedAt)
    const [lanes, first] = [this.#lanes, this.#first]
    if (move !== undefined) this.#codes = move.to
    this.#empty()
    this.#placeMicro()
    for (const [skeleton, placed] of lifted) {
      const from = placed.header[0]!
      const vectors = placed.end - from
      if (isOver && 2 * (this.#used + vectors) * VECTOR_BYTES > mostBytes) break
      const id = move === undefined ? skeleton : move.to.skeletonId(move.from.skeletonKey(skeleton))
      const at = this.#take(vectors)
      this.#words.set(words.subarray(from * VECTOR_LIMBS, placed.end * VECTOR_LIMBS), at * VECTOR_LIMBS)
      const header = placed.header.map((part) => part - from + at)
      this.#lifted.set(id, { header, end: at + vectors, usedAt: placed.usedAt })
      this.#lanes.set(id, lanes.get(skeleton) ?? 0)
      if (first.has(skeleton)) this.#first.add(id)
    }
  }

  has(codeId: number): boolean {
    return (this.#flags(codeId) & CODE_PRESENT) !== 0
  }

  /** Code id whose header is at vector `header`, in any of the tables; undefined for a micro code. */
  idAt(header: number): number | undefined {
    for (const { at, capacity } of this.#tables)
      if (header >= at && header < at + CODE_HEADER_VECTORS * capacity) return (header - at) / CODE_HEADER_VECTORS
    return undefined
  }

  /** Vector of the first instruction of the code whose header is at vector `header`. */
  firstInstruction(header: number): number {
    return this.#words[header * VECTOR_LIMBS]!
  }

  /**
   * So many lanes are about to run this code. Those that make it hot find it lifted once more: to be called while no
   * lane runs, whose place in the code would be lost.
   */
  note(codeId: number, lanes: number): void {
    const { skeleton, bytes } = this.#codes.codes[codeId]!
    const placed = this.#lifted.get(skeleton)
    if (placed !== undefined) placed.usedAt = this.#trims
    if (placed !== undefined && !this.#first.has(skeleton)) return
    const noted = (this.#lanes.get(skeleton) ?? 0) + lanes
    this.#lanes.set(skeleton, noted)
    if (noted < this.#hotLanes || !this.#first.delete(skeleton)) return
    const code = this.#lifter.lift(bytes)
    if (!this.#fits(vectorsOf(code, bytes.length))) return
    const lifted = this.#place(code, bytes.length)
    this.#keep(skeleton, lifted)
    this.#codes.codes.forEach((one, id) => {
      if (one.skeleton !== skeleton || !this.has(id)) return
      const at = this.#headerAt(id)
      const header = this.#words.slice(at, at + CODE_HEADER_VECTORS * VECTOR_LIMBS)
      header.set(lifted)
      this.#setHeader(id, header)
    })
  }

  /** Places a code that is not there; those of a delegation come with their bytes. False where the store is full. */
  require(codeId: number): boolean {
    if (this.has(codeId)) return true
    const { bytes, skeleton, delegation: looksSo } = this.#codes.codes[codeId]!
    const delegation = looksSo && this.#lifter.delegates
    let lifted = this.#lifted.get(skeleton)?.header
    if (lifted === undefined) {
      const isHot = this.#lifter.liftFirst === undefined || (this.#lanes.get(skeleton) ?? 0) >= this.#hotLanes
      const code = isHot ? this.#lifter.lift(bytes) : this.#lifter.liftFirst!(bytes)
      if (!this.#fits(vectorsOf(code, bytes.length))) return false
      lifted = this.#place(code, bytes.length)
      this.#keep(skeleton, lifted)
      if (!isHot) this.#first.add(skeleton)
    }
    this.#reserveHeader(codeId)
    const place = delegation ? this.#placeBytes(bytes) : 0
    if (place === undefined) return false
    const flags = delegation ? CODE_PRESENT | CODE_DELEGATION : CODE_PRESENT
    this.#setHeader(codeId, [...lifted, place, bytes.length, flags, 0])
    return true
  }

  /** Places the bytes of a code, and the code itself. False where the store is full. */
  requireBytes(codeId: number): boolean {
    if (!this.require(codeId)) return false
    const at = this.#headerAt(codeId)
    if (this.#words[at + VECTOR_LIMBS] !== 0) return true
    const place = this.#placeBytes(this.#codes.codes[codeId]!.bytes)
    if (place === undefined) return false
    const header = this.#words.slice(at, at + CODE_HEADER_VECTORS * VECTOR_LIMBS)
    header[VECTOR_LIMBS] = place
    this.#setHeader(codeId, header)
    return true
  }

  /**
   * Uploads what is behind; the buffer for binding `lanesIn`, another one after it had to grow. Every code id of the
   * code table has a header then.
   */
  sync(): GPUBuffer {
    this.#reserveHeader(this.#codes.codes.length - 1)
    const needed = this.#used * VECTOR_BYTES
    let buffer = this.#buffer
    if (buffer === undefined || buffer.size < needed) {
      buffer?.destroy()
      buffer = this.#device.storage('lifted code', Math.min(this.#words.byteLength, this.#mostVectors * VECTOR_BYTES))
      this.#buffer = buffer
      this.#uploaded = 0
    }
    const before = this.#uploaded
    if (before < this.#used) this.#upload(buffer, before, this.#used)
    this.#uploaded = this.#used
    for (const table of this.#tables) {
      const from = table.at + CODE_HEADER_VECTORS * table.changedFrom
      const end = Math.min(before, table.at + CODE_HEADER_VECTORS * table.changedEnd)
      if (from < end) this.#upload(buffer, from, end)
      table.changedFrom = table.capacity
      table.changedEnd = 0
    }
    return buffer
  }

  /** The next `sync` fills another buffer. */
  renew(): void {
    this.destroy()
    this.#uploaded = 0
  }

  destroy(): void {
    this.#buffer?.destroy()
    this.#buffer = undefined
  }

  #upload(buffer: GPUBuffer, from: number, end: number): void {
    this.#device.upload(buffer, from * VECTOR_BYTES, this.#words.subarray(from * VECTOR_LIMBS, end * VECTOR_LIMBS))
  }

  #flags(codeId: number): number {
    const { capacity } = this.#tables.at(-1)!
    return codeId < capacity ? this.#words[this.#headerAt(codeId) + VECTOR_LIMBS + 2]! : 0
  }

  /** Limb of the header in the newest table. */
  #headerAt(codeId: number): number {
    return (this.codesAt + CODE_HEADER_VECTORS * codeId) * VECTOR_LIMBS
  }

  #setHeader(codeId: number, header: ArrayLike<number>): void {
    for (const table of this.#tables) {
      if (codeId >= table.capacity) continue
      this.#words.set(header, (table.at + CODE_HEADER_VECTORS * codeId) * VECTOR_LIMBS)
      table.changedFrom = Math.min(table.changedFrom, codeId)
      table.changedEnd = Math.max(table.changedEnd, codeId + 1)
    }
  }

  #reserveHeader(codeId: number): void {
    let { capacity } = this.#tables.at(-1)!
    if (codeId < capacity) return
    while (capacity <= codeId) capacity *= 2
    this.#addTable(capacity)
  }

  #addTable(capacity: number): void {
    const before = this.#tables.at(-1)
    const at = this.#take(CODE_HEADER_VECTORS * capacity)
    if (before !== undefined) {
      const end = before.at + CODE_HEADER_VECTORS * before.capacity
      this.#words.copyWithin(at * VECTOR_LIMBS, before.at * VECTOR_LIMBS, end * VECTOR_LIMBS)
    }
    this.#tables.push({ at, capacity, changedFrom: capacity, changedEnd: 0 })
    this.codesAt = at
  }

  /** Drops everything, on the device as well. */
  #empty(): void {
    this.#words = new Uint32Array(FIRST_VECTORS * VECTOR_LIMBS)
    this.#bytes = new Uint8Array(this.#words.buffer)
    this.#used = 0
    this.#tables = []
    this.#lifted = new Map()
    this.#lanes = new Map()
    this.#first = new Set()
    this.renew()
  }

  /** Headers of micro codes come first, then the first table of the others, then the micro codes. */
  #placeMicro(): number {
    const microAt = this.#take(CODE_HEADER_VECTORS * MICRO_CODES)
    this.#addTable(FIRST_HEADERS)
    this.#lifter.micro.forEach((code, index) => {
      if (code === undefined) return
      const at = (microAt + CODE_HEADER_VECTORS * index) * VECTOR_LIMBS
      const header = this.#place(code, 0)
      this.#words.set(header, at)
      this.#words[at + VECTOR_LIMBS + 2] = CODE_PRESENT
    })
    return microAt
  }

  /** What was placed last is the code of this skeleton. */
  #keep(skeleton: number, header: Uint32Array): void {
    this.#lifted.set(skeleton, { header, end: this.#used, usedAt: this.#trims })
  }

  /** The first header vector of a code that is placed. */
  #place({ instructions, constants, blocks, jumps }: LiftedCode, sizeBytes: number): Uint32Array {
    const header = Uint32Array.of(
      this.#take(instructions.length / VM_INSTRUCTION_LIMBS),
      this.#take((constants.length / LIMBS_PER_WORD) * 2),
      this.#take(blocks.length / VM_BLOCK_LIMBS),
      this.#take(jumpVectors(jumps, sizeBytes)),
    )
    this.#words.set(instructions, header[0]! * VECTOR_LIMBS)
    this.#words.set(constants, header[1]! * VECTOR_LIMBS)
    this.#words.set(blocks, header[2]! * VECTOR_LIMBS)
    this.#bytes.set(new Uint8Array(jumps.buffer, jumps.byteOffset, jumps.byteLength), header[3]! * VECTOR_BYTES)
    return header
  }

  #placeBytes(bytes: Uint8Array): number | undefined {
    const vectors = Math.ceil(bytes.length / VECTOR_BYTES)
    if (!this.#fits(vectors)) return undefined
    const at = this.#take(vectors)
    this.#bytes.set(bytes, at * VECTOR_BYTES)
    return at
  }

  /** Headers may take the rest. */
  #fits(vectors: number): boolean {
    return this.#used + vectors <= this.#mostVectors - this.#mostVectors / HEADER_SHARE
  }

  #take(vectors: number): number {
    const at = this.#used
    this.#used += vectors
    let length = this.#words.length
    while (length < this.#used * VECTOR_LIMBS) length *= 2
    if (length !== this.#words.length) {
      this.#words = grown(this.#words, length)
      this.#bytes = new Uint8Array(this.#words.buffer)
    }
    return at
  }
}

const jumpVectors = (jumps: Uint16Array, sizeBytes: number): number =>
  Math.ceil(Math.max(jumps.length, sizeBytes) / JUMPS_PER_VECTOR)

const vectorsOf = (code: LiftedCode, sizeBytes: number): number =>
  (code.instructions.length + code.constants.length + code.blocks.length) / VECTOR_LIMBS +
  jumpVectors(code.jumps, sizeBytes)
