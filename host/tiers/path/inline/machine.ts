import { EXIT_MISS, MISSING } from '../../../../transpiler/index.ts'
import {
  OPERAND_INDEX_MASK,
  OPERAND_NONE,
  PROGRAM_INSTRUCTION_LIMBS,
  PROGRAM_INVERT,
  PROGRAM_OPCODES,
} from '../../../../transpiler/layout/program.ts'
import { KECCAK_RATE_BYTES, LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../../../transpiler/layout/word.ts'
import { HINT_COLUMNS, type PathProgram } from '../../../../transpiler/path_kernel.ts'
import { pureOperation, storeEffect } from '../../../../transpiler/program/evaluate.ts'
import { keccak256 } from '../../../primitives/keccak.ts'
import { wordToBigInt } from '../../../primitives/word.ts'
import { ROW_BALANCE, ROW_CONSTANTS, ROW_FLAGS, ROW_LIMBS, ROW_SKELETON } from '../../../state/tables/account_table.ts'
import type { ResidentState } from '../../../state/tables/resident_tables.ts'
import type { PathGroup } from '../columns.ts'
import { laneSlot } from '../lanes.ts'
import { COLUMN_LIMBS, type PathPlan } from '../plan.ts'
import { KNOWN_ID, placeProgram } from './place_program.ts'
import { copyLane, WordColumns } from './word_columns.ts'

const U32 = 0xffff_ffffn
const NO_LANE = -1
const BYTES_PER_WORD = 32
const FLAG_EXISTS = 1

/** What a lane needs and the tables have not: the address, or key and owner, in `HostLanes.key`. */
export interface Missing {
  readonly kind: 'account' | 'slot'
  readonly owner: number
}

/** The constants of programs for one wave: environment words, and what each skeleton key is in the tables. */
export interface HostConstants {
  readonly environment: readonly bigint[]
  readonly skeletonId: (key: string) => number
}

/** The lanes' inputs, with hint columns after them where `hinted`. */
export interface HostColumns {
  readonly lanesIn: Uint32Array
  readonly laneCount: number
  readonly hinted: boolean
}

/**
 * Runs the program of one path over lanes on the host: the meaning of kernels/entry/path_program.wgsl, with the columns
 * of `lanesIn` and `lanesOut` (transpiler/path_kernel.ts) and the tables' base values.
 *
 * Other than there, `run` stops where a look-up finds nothing, so the caller can load it and go on at the same
 * instruction; and a lane that failed a guard ends at once. A memo that is missing (transpiler/layout/memo.ts) ends the
 * lane with EXIT_MISS as on the device: what it looks up after is marked missing, and not loaded.
 */
export class HostLanes {
  /** Address or storage key of what is missing. */
  readonly key = new Uint32Array(LIMBS_PER_WORD)
  readonly lanesOut: Uint32Array
  /** Whether the caller loads what is missing. Else a lane goes on to EXIT_MISS, as on the device. */
  loads = true
  /** Whether lanes read running values. That of each slot they look up is then their hint, and so what they read. */
  readsRunning = false
  readonly #plan: PathPlan
  readonly #resident: ResidentState
  /** What the lane runs. */
  #code: Uint32Array
  readonly #whole: Uint32Array
  readonly #constants: bigint[]
  readonly #lanesIn: Uint32Array
  readonly #hasHints: boolean
  readonly #laneCount: number
  readonly #in: WordColumns
  readonly #out: WordColumns
  readonly #registers: bigint[] = []
  readonly #scratch: bigint[] = []
  readonly #program: KnownProgram
  readonly #keyWord = new WordColumns(this.key, 1)
  #lane = NO_LANE
  #at = 0
  #missed = false

  constructor(
    plan: PathPlan,
    resident: ResidentState,
    { environment, skeletonId }: HostConstants,
    { lanesIn, laneCount, hinted }: HostColumns,
  ) {
    const { kernel } = plan
    const { program } = kernel
    if (program === undefined) throw new Error(`path ${kernel.id} has no program`)
    this.#plan = plan
    this.#resident = resident
    this.#program = knownProgram(plan, program)
    this.#whole = program.code
    this.#code = program.code
    this.#constants = [
      ...environment,
      ...kernel.skeletons.map((key) => BigInt(skeletonId(key))),
      ...this.#program.constants,
    ]
    this.#lanesIn = lanesIn
    this.#laneCount = laneCount
    this.#hasHints = hinted
    this.lanesOut = new Uint32Array(kernel.outputColumns * laneCount * COLUMN_LIMBS)
    this.#in = new WordColumns(lanesIn, laneCount)
    this.#out = new WordColumns(this.lanesOut, laneCount)
  }

  begin(lane: number): void {
    this.#code = this.#whole
    this.#start(lane)
  }

  /**
   * The same for a transaction that ended on this path in lane `fromLane` of `from`: only what hangs on values that may
   * be others now runs again.
   */
  beginAgain(lane: number, from: PathGroup, fromLane: number): void {
    const { resultColumns, slots } = this.#plan
    copyLane(from.lanesOut, from.laneCount, fromLane, this.lanesOut, this.#laneCount, lane, resultColumns)
    for (let k = 0; k < slots.count; k++) this.#noteRunning(laneSlot(from, fromLane, k), k, lane)
    this.#code = this.#program.again
    this.#start(lane)
  }

  #start(lane: number): void {
    this.#lane = lane
    this.#at = 0
    this.#missed = false
  }

  /** Runs the lane on; undefined where it has ended. */
  run(): Missing | undefined {
    const code = this.#code
    const out = this.#out
    const lane = this.#lane
    for (; ; this.#at += PROGRAM_INSTRUCTION_LIMBS) {
      const at = this.#at
      const x = code[at]!
      const y = code[at + 1]!
      const z = code[at + 2]!
      const w = code[at + 3]!
      const opcode = x & 0xff
      const mode = (x >>> 8) & 0x7f
      const immediate = z >>> 16
      const column = w & 0xffff
      const a = this.#operand(y & 0xffff)
      const b = this.#operand(y >>> 16)
      if (opcode === PROGRAM_OPCODES.end) {
        this.#exit(this.#missed ? EXIT_MISS : 0, Number(a & U32), Number(b & U32))
        return undefined
      }
      let word: bigint
      if (opcode === PROGRAM_OPCODES.findSlot || opcode === PROGRAM_OPCODES.findAccount) {
        const isSlot = opcode === PROGRAM_OPCODES.findSlot
        const id = isSlot ? this.#findSlot(Number(a), b) : this.#findAccount(a)
        if (id < 0) {
          if (this.loads && !this.#missed && !(isSlot && this.#isMemo(immediate)))
            return { kind: isSlot ? 'slot' : 'account', owner: Number(a & U32) }
          this.#missed = true
          out.set(immediate, lane, isSlot ? b : a)
        } else if (isSlot && this.readsRunning) this.#noteRunning(id, this.#program.slots.get(immediate)!, lane)
        this.lanesOut[(column * this.#laneCount + lane) * COLUMN_LIMBS + mode] = id
        word = id < 0 ? BigInt(MISSING) : BigInt(id)
      } else if (opcode === KNOWN_ID)
        word = BigInt(this.lanesOut[(immediate * this.#laneCount + lane) * COLUMN_LIMBS + mode]!)
      else word = this.#compute(opcode, mode, a, b, z & 0xffff, immediate)
      if ((x & PROGRAM_INVERT) !== 0) word ^= 1n
      const guard = w >>> 16
      if (guard !== 0 && !this.#missed && (word & U32) === 0n) {
        this.#exit(guard, 0, 0)
        return undefined
      }
      const result = x >>> 16
      if (result !== OPERAND_NONE) {
        const registers = result >= 0x4000 ? this.#scratch : this.#registers
        registers[result & OPERAND_INDEX_MASK] = word
      }
      if (column !== OPERAND_NONE && opcode !== PROGRAM_OPCODES.findSlot && opcode !== PROGRAM_OPCODES.findAccount)
        out.set(column, lane, word)
    }
  }

  #exit(exit: number, gas: number, refund: number): void {
    this.lanesOut.set([exit, gas, refund, 0], this.#lane * COLUMN_LIMBS)
  }

  #operand(operand: number): bigint {
    const index = operand & OPERAND_INDEX_MASK
    if (operand < 0x4000) return this.#registers[index] ?? 0n
    if (operand < 0x8000) return this.#constants[index]!
    if (operand < 0xc000) return this.#in.get(index, this.#lane)
    return operand === OPERAND_NONE ? 0n : (this.#scratch[index] ?? 0n)
  }

  #findSlot(owner: number, key: bigint): number {
    this.#keyWord.set(0, 0, key)
    return this.#resident.slots.find(owner, this.key, 0)
  }

  #findAccount(address: bigint): number {
    this.#keyWord.set(0, 0, address)
    return this.#resident.accounts.find(this.key, 0)
  }

  #compute(opcode: number, mode: number, a: bigint, b: bigint, third: number, immediate: number): bigint {
    switch (opcode) {
      case PROGRAM_OPCODES.load:
        return this.#load(Number(a), immediate)
      case PROGRAM_OPCODES.account:
        return this.#account(Number(a), Number(b & U32), mode, immediate)
      case PROGRAM_OPCODES.keccak:
        return mode === 0 ? this.#shortKeccak(a, b, this.#operand(third)) : this.#longKeccak(mode, immediate)
      case PROGRAM_OPCODES.sstore:
        return storeEffect(a, b, this.#operand(third), mode, immediate)
      default:
        return pureOperation(opcode, mode, a, b, this.#operand(third), immediate)
    }
  }

  /** The value before the batch, or what the lane's hint tells. */
  #load(slot: number, ordinal: number): bigint {
    if (this.#hasHints) {
      const column = this.#plan.kernel.hintColumn + HINT_COLUMNS * ordinal
      if (this.#lanesIn[((column + 2) * this.#laneCount + this.#lane) * COLUMN_LIMBS] === slot)
        return this.#in.get(column, this.#lane)
    }
    if (slot === MISSING) return 0n
    const { values, base, entryOf } = this.#resident.slots
    const entry = entryOf[slot]!
    return entry === 0 ? wordToBigInt(values, slot * LIMBS_PER_WORD) : wordToBigInt(base, (entry - 1) * LIMBS_PER_WORD)
  }

  #noteRunning(slot: number, ordinal: number, lane: number): void {
    const column = COLUMN_LIMBS * this.#laneCount
    const to = (this.#plan.kernel.hintColumn + HINT_COLUMNS * ordinal) * column + lane * COLUMN_LIMBS
    const { values } = this.#resident.slots
    const from = slot * LIMBS_PER_WORD
    for (let limb = 0; limb < COLUMN_LIMBS; limb++) {
      this.#lanesIn[to + limb] = values[from + limb]!
      this.#lanesIn[to + column + limb] = values[from + COLUMN_LIMBS + limb]!
    }
    this.#lanesIn[to + 2 * column] = slot
  }

  #isMemo(keyColumn: number): boolean {
    return this.#plan.memos[this.#program.slots.get(keyColumn)!] !== undefined
  }

  #account(id: number, operand: number, mode: number, index: number): bigint {
    const { rows } = this.#resident.accounts
    const row = id * ROW_LIMBS
    if (id === MISSING) return mode === 4 && operand === 0 ? 1n : 0n
    switch (mode) {
      case 0: {
        let address = 0n
        for (let limb = LIMBS_PER_ADDRESS - 1; limb >= 0; limb--) address = (address << 32n) | BigInt(rows[row + limb]!)
        return address
      }
      case 1:
        return wordToBigInt(rows, row + ROW_BALANCE)
      case 2:
        return (rows[row + ROW_FLAGS]! & FLAG_EXISTS) !== 0 ? 1n : 0n
      case 3:
        return rows[row + ROW_SKELETON] !== 0 ? 1n : 0n
      case 4:
        return rows[row + ROW_SKELETON] === operand ? 1n : 0n
      default: {
        // Past the table where the account has another code than the path was recorded on: the lane then leaves by a
        // guard.
        const { constants } = this.#resident.codes
        const at = LIMBS_PER_WORD * (rows[row + ROW_CONSTANTS]! + index)
        return at < constants.length ? wordToBigInt(constants, at) : 0n
      }
    }
  }

  #shortKeccak(a: bigint, b: bigint, c: bigint): bigint {
    writeWord(0, a)
    writeWord(32, b)
    writeWord(64, c)
    return digestOf(3 * BYTES_PER_WORD)
  }

  #longKeccak(blocks: number, first: number): bigint {
    const bytes = blocks * KECCAK_RATE_BYTES
    if (bytes + BYTES_PER_WORD > message.length) growMessage(bytes + BYTES_PER_WORD)
    for (let i = 0; i * BYTES_PER_WORD < bytes; i++) writeWord(i * BYTES_PER_WORD, this.#scratch[first + i] ?? 0n)
    // The last bit of the padding.
    message[bytes - 1]! ^= 0x80
    return digestOf(bytes)
  }
}

let message = new Uint8Array(1024)
let messageView = new DataView(message.buffer)
const growMessage = (bytes: number): void => {
  message = new Uint8Array(2 * bytes)
  messageView = new DataView(message.buffer)
}

const writeWord = (at: number, word: bigint): void => {
  messageView.setBigUint64(at, word >> 192n)
  messageView.setBigUint64(at + 8, word >> 128n)
  messageView.setBigUint64(at + 16, word >> 64n)
  messageView.setBigUint64(at + 24, word)
}

/** Hash of the message before its padding, whose first byte is the last that is not zero. */
const digestOf = (paddedBytes: number): bigint => {
  let length = paddedBytes - 1
  while (message[length] === 0) length--
  const digest = keccak256(message.subarray(0, length))
  const view = new DataView(digest.buffer, digest.byteOffset, digest.byteLength)
  return (
    (view.getBigUint64(0) << 192n) |
    (view.getBigUint64(8) << 128n) |
    (view.getBigUint64(16) << 64n) |
    view.getBigUint64(24)
  )
}

interface KnownProgram {
  readonly constants: readonly bigint[]
  /** Ordinal among slot look-ups, by key column. */
  readonly slots: ReadonlyMap<number, number>
  /** What runs again at place. */
  readonly again: Uint32Array
}

const known = new WeakMap<PathPlan, KnownProgram>()

const knownProgram = (plan: PathPlan, program: PathProgram): KnownProgram => {
  const before = known.get(plan)
  if (before !== undefined) return before
  const { constants: limbs } = program
  const made = {
    constants: Array.from({ length: limbs.length / LIMBS_PER_WORD }, (_, i) => wordToBigInt(limbs, i * LIMBS_PER_WORD)),
    slots: new Map(Array.from(plan.slots.keyColumns, (column, k) => [column, k])),
    again: placeProgram(program),
  }
  known.set(plan, made)
  return made
}
