import { BINDINGS, ENVIRONMENT_BYTES } from '../../../transpiler/layout/environment.ts'
import {
  LANE_COUNTS,
  LANE_HELD,
  LANE_OUTPUT,
  LANE_PARTIES,
  LANE_REQUEST,
  LANE_REQUEST_WORD,
  LANE_STATE,
  VM_EXITS,
} from '../../../transpiler/layout/lane_vm.ts'
import { LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { REFUSED_STACK } from '../../../transpiler/lift/lifted_code.ts'
import { OPCODES } from '../../../transpiler/spec/opcodes.ts'
import type { BufferLease } from '../../device/buffer_pool.ts'
import type { Command } from '../../device/compute_device.ts'
import type { Kernel } from '../../device/kernel.ts'
import type { BatchWords } from '../../primitives/batch_words.ts'
import type { DeviceSession } from '../../session/device_session.ts'
import { GatherList, type VmGather } from './gather.ts'
import { HELD_LIMBS, type VmGroup } from './group.ts'
import { noteMissedAccount, noteMissedSlot } from './profiles.ts'
import { serveRequests, type VmAsked, type VmServer } from './requests.ts'
import type { TakeList, VmTake } from './take.ts'
import { type VmBlock, vmUniform } from './uniform.ts'
import { VECTOR_BYTES, type VmWave } from './wave.ts'

const VECTOR_LIMBS = 4
/** Columns that a lane writes: the first ones. */
const RESULT_COLUMNS = LANE_PARTIES
/** Columns [first, end) that hold zeros until a lane writes them. */
const ZERO_COLUMNS = [LANE_REQUEST, LANE_OUTPUT] as const
const MOST_GROWTH = 16
/** Of the bits of a log. */
const BLOOM_VECTORS = 2
const COMPANY = 32
const LIMB = 0x1_0000_0000
/** What a lane asks for: exit, LANE_REQUEST.y, the request word. */
const ASKED_LIMBS = 2 + LIMBS_PER_WORD

export interface VmMachine {
  readonly session: DeviceSession
  readonly kernel: Kernel
  readonly gather: VmGather
  readonly take: VmTake
  readonly server: VmServer
  /** For what is of no use after the batch. */
  readonly words: BatchWords
}

/** What lanes may take before they leave. */
export interface VmBudget {
  /** Instructions of a lane in the first dispatch; each later one has twice as many, up to MOST_GROWTH times these. */
  readonly dispatchSteps: number
  /** Instructions of a lane that has not COMPANY others beside it by then: alone it is faster on the CPU tier. */
  readonly laneSteps: number
  readonly dispatches: number
}

/** Milliseconds, and what ran. */
export interface VmCounters {
  upload: number
  execute: number
  readback: number
  codes: number
  dispatches: number
  steps: number
}

/** instruction: vector of the code store; height: words on the stack of the frame; depth: number of the frame. */
export interface VmProgress {
  readonly exit: number
  readonly instruction: number
  readonly height: number
  readonly gasLeft: number
  readonly depth: number
  readonly memoryWords: number
  readonly refund: number
}

/** One wave on the device, from its upload until all its lanes ended or left. */
export class VmDispatches {
  readonly #machine: VmMachine
  readonly #wave: VmWave
  readonly #block: VmBlock
  readonly #lease: BufferLease
  readonly #store: GPUBuffer
  readonly #uniform: GPUBuffer
  /** The lanes that are not done, and their number. */
  readonly #lanes: Uint32Array
  #running: number
  readonly #reasons = new Map<number, string>()
  readonly #columns: Uint32Array
  #isCleared = false
  /** By lane: what it asked for last. */
  readonly #lastAsked: Uint32Array

  constructor(machine: VmMachine, wave: VmWave, block: VmBlock) {
    this.#machine = machine
    this.#wave = wave
    this.#block = block
    this.#lease = machine.session.pool.lease()
    this.#store = this.#lease.storage(wave.storeVectors * VECTOR_BYTES)
    this.#uniform = this.#lease.uniform(ENVIRONMENT_BYTES)
    this.#running = wave.laneCount
    this.#lanes = new Uint32Array(wave.laneCount)
    for (let lane = 0; lane < wave.laneCount; lane++) this.#lanes[lane] = lane
    const columnLimbs = RESULT_COLUMNS * wave.laneCount * VECTOR_LIMBS
    this.#columns = machine.words.take(columnLimbs)
    this.#columns.set(wave.words.subarray(0, columnLimbs))
    this.#lastAsked = machine.words.take(ASKED_LIMBS * wave.laneCount).fill(0)
    const [zerosAt, zerosEnd] = this.#zeros
    const { device } = machine.session
    device.upload(this.#store, 0, wave.words.subarray(0, zerosAt / 4))
    device.upload(this.#store, zerosEnd, wave.words.subarray(zerosEnd / 4))
  }

  /** Bytes of the columns that are zero before the first dispatch; they are not uploaded. */
  get #zeros(): readonly [number, number] {
    const columnBytes = this.#wave.laneCount * VECTOR_BYTES
    return [ZERO_COLUMNS[0] * columnBytes, ZERO_COLUMNS[1] * columnBytes]
  }

  get bytes(): number {
    return this.#store.size
  }

  /** Lanes that are not done. */
  get running(): number {
    return this.#running
  }

  /** Dispatches until every lane ended or left. Few lanes take more steps in each. */
  async finish(budget: VmBudget, counters: VmCounters): Promise<void> {
    for (let n = 0; this.#running > 0; n++) {
      if (n === budget.dispatches) {
        for (let k = 0; k < this.#running; k++) this.#reasons.set(this.#lanes[k]!, STEP_BUDGET)
        break
      }
      const most = Math.max(2 ** n, Math.floor(FEW_LANES / this.#running))
      await this.step(budget.dispatchSteps * Math.min(most, MOST_GROWTH), counters)
      await this.serve(budget.laneSteps, counters)
    }
  }

  /** One dispatch of the lanes that are not done. */
  async step(steps: number, counters: VmCounters): Promise<void> {
    const startedMs = performance.now()
    const { session, kernel, server } = this.#machine
    const { device, tables } = session
    const { slots, accounts } = server.resident
    const { laneCount } = this.#wave
    await tables.open()
    const bound = tables.sync()
    const lanesIn = server.codes.sync()
    const uniform = vmUniform(this.#wave, this.#block, {
      lanes: this.#running,
      steps,
      slotMask: slots.index.mask,
      accountMask: accounts.index.mask,
      codesAt: server.codes.codesAt,
      microAt: server.codes.microAt,
    })
    device.upload(this.#uniform, 0, uniform)
    const bindGroup = device.bindGroup(kernel, [
      { binding: BINDINGS.environment, buffer: this.#uniform },
      { binding: BINDINGS.lanesIn, buffer: lanesIn },
      { binding: BINDINGS.lanesOut, buffer: this.#store },
      ...bound,
    ])
    const workgroups = Math.ceil(this.#running / this.#wave.quota.neighbours)
    const sentMs = performance.now()
    const commands: Command[] = [
      { kind: 'dispatch', kernel, bindGroup, workgroups },
      this.#machine.take.count({ store: this.#store, uniform: this.#uniform }, this.#running),
    ]
    if (!this.#isCleared) {
      const [byteOffset, end] = this.#zeros
      commands.unshift({ kind: 'clear', buffer: this.#store, byteOffset, sizeBytes: end - byteOffset })
      this.#isCleared = true
    }
    await tables.run(commands, {
      reads: [{ buffer: this.#store, byteOffset: 0, byteLength: RESULT_COLUMNS * laneCount * VECTOR_BYTES }],
      consume: ([columns]) => this.#columns.set(columns!),
    })
    counters.upload += sentMs - startedMs
    counters.execute += performance.now() - sentMs
    counters.dispatches++
  }

  /** Answers what lanes ask for, and drops from the list those that are done. */
  async serve(laneSteps: number, counters: VmCounters): Promise<void> {
    const startedMs = performance.now()
    const asking = new Uint32Array(this.#running)
    let count = 0
    for (let k = 0; k < this.#running; k++) {
      const lane = this.#lanes[k]!
      const exit = this.#exit(lane)
      if (exit < VM_EXITS.missAccount || exit >= VM_EXITS.refused) continue
      if (this.#asksAgain(lane, exit)) this.#reasons.set(lane, 'request without an answer')
      else {
        asking[count++] = lane
        this.#noteMiss(lane, exit)
      }
    }
    if (count > 0) {
      const asked: VmAsked = {
        lanes: asking,
        count,
        exit: (lane) => this.#exit(lane),
        subject: (lane) => this.#columns[this.#at(LANE_REQUEST, lane) + 1]!,
        word: (lane, to, at) => this.#copyWord(lane, to, at),
        inputs: (lanes) => this.#inputs(lanes),
      }
      await serveRequests(this.#machine.server, asked, (lane, reason) => this.#reasons.set(lane, reason))
    }
    let left = 0
    const mostSteps = this.#running > COMPANY ? Number.POSITIVE_INFINITY : laneSteps
    for (let k = 0; k < this.#running; k++) {
      const lane = this.#lanes[k]!
      const exit = this.#exit(lane)
      const isOpen = exit === VM_EXITS.running || (exit >= VM_EXITS.missAccount && exit < VM_EXITS.refused)
      if (isOpen && this.#columns[this.#at(LANE_REQUEST, lane) + 3]! >= mostSteps) this.#reasons.set(lane, STEP_BUDGET)
      if (isOpen && !this.#reasons.has(lane)) this.#lanes[left++] = lane
    }
    const dropped = left < this.#running
    this.#running = left
    if (dropped && left > 0)
      this.#machine.session.device.upload(this.#store, this.#wave.order * VECTOR_BYTES, this.#lanes.subarray(0, left))
    counters.codes += performance.now() - startedMs
  }

  /** What the lanes left. `transactions` are theirs; why lanes left goes to `reasons`, which stay the group's. */
  async collect(transactions: Int32Array, reasons: Map<number, string>, counters: VmCounters): Promise<VmGroup> {
    const startedMs = performance.now()
    const { laneCount } = this.#wave
    const columns = this.#columns
    for (const [lane, reason] of this.#reasons) {
      columns[this.#at(LANE_STATE, lane)] = VM_EXITS.refused
      reasons.set(lane, reason)
    }
    const exits = new Uint8Array(laneCount)
    for (let lane = 0; lane < laneCount; lane++) {
      counters.steps += columns[this.#at(LANE_REQUEST, lane) + 3]!
      const exit = columns[this.#at(LANE_STATE, lane)]!
      exits[lane] = exit
      if (exit === VM_EXITS.refused && !reasons.has(lane))
        reasons.set(lane, refusalText(columns[this.#at(LANE_REQUEST, lane) + 1]!))
    }
    const places = this.#places(exits)
    const { logCounts, logsAt, list, recordVectors } = places
    const records = this.#machine.words.take(VECTOR_LIMBS * recordVectors)
    const taken = this.#machine.take.start({ store: this.#store, uniform: this.#uniform }, places, records)
    const bloomsAt = new Uint32Array(laneCount)
    const bloomBits = this.#hashLogs(taken.buffer, list, logCounts, bloomsAt)
    void Promise.allSettled([taken.words, bloomBits]).then(taken.release)
    const words = await taken.words
    counters.readback += performance.now() - startedMs
    const { held, outputAt, outputBytes } = places
    return {
      transactions,
      laneCount,
      exits,
      words,
      logsAt,
      logCounts,
      outputAt,
      outputBytes,
      bloomsAt,
      bloomBits,
      reasons,
      columns,
      records,
      held,
    }
  }

  /** Where the records, logs and outputs of ended lanes come back. */
  #places(exits: Uint8Array): LanePlaces {
    const { laneCount } = this.#wave
    const columns = this.#columns
    const held = this.#machine.words.take(HELD_LIMBS * laneCount).fill(0)
    const logsAt = new Uint32Array(laneCount)
    const logCounts = new Uint32Array(laneCount)
    const outputAt = new Uint32Array(laneCount)
    const outputBytes = new Uint32Array(laneCount)
    const list = this.#machine.words.take(VECTOR_LIMBS * (1 + laneCount))
    let entries = 0
    let record = 0
    let word = 0
    for (let lane = 0; lane < laneCount; lane++) {
      const exit = exits[lane]!
      if (exit < VM_EXITS.succeeded || exit > VM_EXITS.halted) continue
      const entry = VECTOR_LIMBS * ++entries
      list[entry] = lane
      list[entry + 1] = record
      list[entry + 2] = word
      const counted = this.#at(LANE_HELD, lane)
      const to = HELD_LIMBS * lane
      held[to] = VECTOR_LIMBS * record
      held[to + 1] = columns[counted]!
      held[to + 2] = columns[counted + 1]!
      held[to + 3] = exit === VM_EXITS.succeeded ? 1 : 0
      record += columns[counted + 2]! + columns[counted + 3]!
      if (exit === VM_EXITS.succeeded) {
        const counts = this.#at(LANE_COUNTS, lane)
        logsAt[lane] = VECTOR_LIMBS * word
        logCounts[lane] = columns[counts + 3]!
        word += columns[counts + 2]!
      }
      const output = this.#at(LANE_OUTPUT, lane)
      const first = columns[output]!
      const bytes = columns[output + 1]!
      outputAt[lane] = VECTOR_BYTES * word + (first % VECTOR_BYTES)
      outputBytes[lane] = bytes
      if (bytes > 0) word += Math.ceil((first + bytes) / VECTOR_BYTES) - Math.floor(first / VECTOR_BYTES)
    }
    list.fill(0, 0, VECTOR_LIMBS)
    list[0] = entries
    return {
      held,
      logsAt,
      logCounts,
      outputAt,
      outputBytes,
      list: list.subarray(0, VECTOR_LIMBS * (1 + entries)),
      recordVectors: record,
      wordVectors: word,
    }
  }

  /** Has the device hash the topics of ended lanes, where blooms are asked for; enters where their bits begin. */
  async #hashLogs(
    words: GPUBuffer,
    list: Uint32Array,
    logCounts: Uint32Array,
    bloomsAt: Uint32Array,
  ): Promise<Uint32Array | undefined> {
    const { blooms } = this.#machine.session
    if (!blooms.isOn) return undefined
    const lists = this.#machine.words.take(list.length)
    let count = 0
    let vectors = 0
    for (let entry = VECTOR_LIMBS; entry < list.length; entry += VECTOR_LIMBS) {
      const lane = list[entry]!
      const logs = logCounts[lane]!
      if (logs === 0) continue
      const at = VECTOR_LIMBS * count++
      lists[at] = list[entry + 2]!
      lists[at + 1] = logs
      lists[at + 2] = vectors
      lists[at + 3] = 0
      bloomsAt[lane] = VECTOR_LIMBS * vectors
      vectors += BLOOM_VECTORS * logs
    }
    return count === 0 ? undefined : blooms.hashLogs(words, lists.subarray(0, VECTOR_LIMBS * count), vectors)
  }

  /** Gives the buffers back. */
  release(): void {
    this.#lease.put()
  }

  /** Frees the buffers after a fault of the device. */
  drop(): void {
    this.#lease.drop()
  }

  /** Where a lane stands. */
  progress(lane: number): VmProgress {
    const state = this.#at(LANE_STATE, lane)
    const request = this.#at(LANE_REQUEST, lane)
    const output = this.#at(LANE_OUTPUT, lane)
    return {
      exit: this.#columns[state]!,
      instruction: this.#columns[state + 1]!,
      height: this.#columns[state + 2]!,
      gasLeft: this.#columns[state + 3]! + LIMB * this.#columns[output + 3]!,
      depth: this.#columns[request]!,
      memoryWords: this.#columns[output + 2]!,
      refund: this.#columns[request + 2]! | 0,
    }
  }

  /** Vectors [k, k + count) of the arena of a lane. */
  async arena(lane: number, k: number, count: number): Promise<Uint32Array> {
    const list = new GatherList()
    this.#gatherRegion(list, lane, k, count)
    return this.#machine.gather.run(this.#store, list)
  }

  /** Limb of a column of a lane. */
  #at(column: number, lane: number): number {
    return (column * this.#wave.laneCount + lane) * VECTOR_LIMBS
  }

  #exit(lane: number): number {
    return this.#columns[this.#at(LANE_STATE, lane)]!
  }

  #copyWord(lane: number, to: Uint32Array, at: number): void {
    for (let limb = 0; limb < VECTOR_LIMBS; limb++) {
      to[at + limb] = this.#columns[this.#at(LANE_REQUEST_WORD, lane) + limb]!
      to[at + VECTOR_LIMBS + limb] = this.#columns[this.#at(LANE_REQUEST_WORD + 1, lane) + limb]!
    }
  }

  /** Whether the lane asks for just what it asked for the last time: no answer helps it. */
  #asksAgain(lane: number, exit: number): boolean {
    const at = ASKED_LIMBS * lane
    asked[0] = exit
    asked[1] = this.#columns[this.#at(LANE_REQUEST, lane) + 1]!
    this.#copyWord(lane, asked, 2)
    let same = true
    for (let limb = 0; limb < ASKED_LIMBS; limb++) {
      same &&= this.#lastAsked[at + limb] === asked[limb]
      this.#lastAsked[at + limb] = asked[limb]!
    }
    return same
  }

  #noteMiss(lane: number, exit: number): void {
    const { kinds, positions } = this.#wave
    const kind = kinds?.[positions[lane]!]
    if (kind === undefined) return
    if (exit === VM_EXITS.missBlockHash || exit === VM_EXITS.missPrecompile) kind.stopped++
    this.#copyWord(lane, missed, 0)
    if (exit === VM_EXITS.missAccount) noteMissedAccount(kind, missed)
    else if (exit === VM_EXITS.missSlot)
      noteMissedSlot(kind, this.#machine.server.resident, this.#columns[this.#at(LANE_REQUEST, lane) + 1]!, missed)
  }

  /** Vector `k` of the lane's arena, as a vector of the store. */
  #arenaVector(lane: number, k: number): number {
    const { arenasAt, arena, quota } = this.#wave
    const group = Math.floor(lane / quota.neighbours)
    return arenasAt + (group * arena.laneVectors + k) * quota.neighbours + (lane % quota.neighbours)
  }

  /** Limb of the first vector where it comes back. */
  #gatherRegion(list: GatherList, lane: number, at: number, vectors: number): number {
    return list.add(this.#arenaVector(lane, at), this.#wave.quota.neighbours, vectors) * VECTOR_LIMBS
  }

  /** The vectors of memory that the bytes at LANE_OUTPUT lie in. */
  #gatherBytes(list: GatherList, lane: number): number {
    const output = this.#at(LANE_OUTPUT, lane)
    const first = Math.floor(this.#columns[output]! / VECTOR_BYTES)
    const size = this.#columns[output + 1]!
    const end = Math.ceil((this.#columns[output]! + size) / VECTOR_BYTES)
    return this.#gatherRegion(list, lane, this.#wave.arena.memoryAt + first, size === 0 ? 0 : end - first)
  }

  async #inputs(lanes: readonly number[]): Promise<readonly Uint8Array[]> {
    const list = new GatherList()
    const places = lanes.map((lane) => this.#gatherBytes(list, lane))
    const words = await this.#machine.gather.run(this.#store, list)
    const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength)
    return lanes.map((lane, n) => {
      const output = this.#at(LANE_OUTPUT, lane)
      const first = places[n]! * 4 + (this.#columns[output]! % VECTOR_BYTES)
      return bytes.slice(first, first + this.#columns[output + 1]!)
    })
  }
}

/** `held` to `outputBytes`: VmGroup. */
interface LanePlaces extends TakeList {
  readonly held: Uint32Array
  readonly logsAt: Uint32Array
  readonly logCounts: Uint32Array
  readonly outputAt: Uint32Array
  readonly outputBytes: Uint32Array
}

const asked = new Uint32Array(ASKED_LIMBS)
const missed = new Uint32Array(LIMBS_PER_WORD)

const STEP_BUDGET = 'step budget'
/** Fewer lanes than this take more steps in a dispatch. */
const FEW_LANES = 256

const MNEMONICS: ReadonlyMap<number, string> = new Map(OPCODES.map(({ code, mnemonic }) => [code, mnemonic]))

/** Why the kernel refuses, from the immediate of `refuse`. */
const refusalText = (immediate: number): string => {
  if (immediate === REFUSED_STACK) return 'stack fault after a look'
  const mnemonic = MNEMONICS.get(immediate)
  return mnemonic === undefined ? 'code too large' : `opcode ${mnemonic}`
}
