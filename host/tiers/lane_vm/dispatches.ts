import { BINDINGS, ENVIRONMENT_BYTES } from '../../../transpiler/layout/environment.ts'
import {
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
import type { Command, RunOptions } from '../../device/compute_device.ts'
import type { Kernel } from '../../device/kernel.ts'
import type { BatchWords } from '../../primitives/batch_words.ts'
import type { DeviceSession } from '../../session/device_session.ts'
import { GatherList, type VmGather } from './gather.ts'
import type { VmGroup } from './group.ts'
import { takeLanes } from './left_lanes.ts'
import { noteMissedAccount, noteMissedSlot } from './profiles.ts'
import { serveRequests, type VmAsked, type VmServer } from './requests.ts'
import type { VmTake } from './take.ts'
import { type VmBlock, vmUniform } from './uniform.ts'
import { VECTOR_BYTES, type VmWave } from './wave.ts'

const VECTOR_LIMBS = 4
/** Columns that a lane writes: the first ones. */
const RESULT_COLUMNS = LANE_PARTIES
/** Columns [first, end) that hold zeros until a lane writes them. */
const ZERO_COLUMNS = [LANE_REQUEST, LANE_OUTPUT] as const
const MOST_GROWTH = 16
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
  /** The first dispatch, where it was sent ahead; settled whatever comes of it. */
  #sent: Promise<SentDispatch> | undefined

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

  /** Sends the first dispatch, and does not wait for it. */
  send({ dispatchSteps }: VmBudget, counters: VmCounters): void {
    const { device } = this.#machine.session
    const running = device.run(this.#commands(this.#stepsOf(0, dispatchSteps), counters), this.#reads)
    this.#sent = running.then(
      () => undefined,
      (thrown: unknown) => ({ thrown }),
    )
  }

  /** Waits for what was sent. */
  async abandon(): Promise<void> {
    const sent = await this.#sent
    if (sent === undefined) this.release()
    else this.drop()
  }

  /** Dispatches until every lane ended or left. Few lanes take more steps in each. */
  async finish(budget: VmBudget, counters: VmCounters): Promise<void> {
    for (let n = 0; this.#running > 0; n++) {
      if (n === budget.dispatches) {
        for (let k = 0; k < this.#running; k++) this.#reasons.set(this.#lanes[k]!, STEP_BUDGET)
        break
      }
      if (n === 0 && this.#sent !== undefined) await this.#arrived(this.#sent, counters)
      else await this.step(this.#stepsOf(n, budget.dispatchSteps), counters)
      await this.serve(budget.laneSteps, counters)
    }
  }

  #stepsOf(n: number, dispatchSteps: number): number {
    return dispatchSteps * Math.min(Math.max(2 ** n, Math.floor(FEW_LANES / this.#running)), MOST_GROWTH)
  }

  async #arrived(sent: Promise<SentDispatch>, counters: VmCounters): Promise<void> {
    const startedMs = performance.now()
    const failed = await sent
    if (failed !== undefined) throw failed.thrown
    counters.execute += performance.now() - startedMs
    counters.dispatches++
  }

  /** One dispatch of the lanes that are not done. */
  async step(steps: number, counters: VmCounters): Promise<void> {
    const commands = this.#commands(steps, counters)
    const sentMs = performance.now()
    await this.#machine.session.device.run(commands, this.#reads)
    counters.execute += performance.now() - sentMs
    counters.dispatches++
  }

  get #reads(): RunOptions {
    const byteLength = RESULT_COLUMNS * this.#wave.laneCount * VECTOR_BYTES
    return {
      reads: [{ buffer: this.#store, byteOffset: 0, byteLength }],
      consume: ([columns]) => this.#columns.set(columns!),
    }
  }

  /** Brings the device up to date. What runs the lanes that are not done, and counts what is held of those that end. */
  #commands(steps: number, counters: VmCounters): readonly Command[] {
    const startedMs = performance.now()
    const { session, kernel, server, take } = this.#machine
    const { device, tables } = session
    const { slots, accounts } = server.resident
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
    const commands: Command[] = [
      { kind: 'dispatch', kernel, bindGroup, workgroups },
      take.count({ store: this.#store, uniform: this.#uniform }, this.#running),
    ]
    if (!this.#isCleared) {
      const [byteOffset, end] = this.#zeros
      commands.unshift({ kind: 'clear', buffer: this.#store, byteOffset, sizeBytes: end - byteOffset })
      this.#isCleared = true
    }
    counters.upload += performance.now() - startedMs
    return commands
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
    const columns = this.#columns
    for (const [lane, reason] of this.#reasons) {
      columns[this.#at(LANE_STATE, lane)] = VM_EXITS.refused
      reasons.set(lane, reason)
    }
    for (let lane = 0; lane < this.#wave.laneCount; lane++) {
      const request = this.#at(LANE_REQUEST, lane)
      counters.steps += columns[request + 3]!
      if (this.#exit(lane) === VM_EXITS.refused && !reasons.has(lane))
        reasons.set(lane, refusalText(columns[request + 1]!))
    }
    const { session, take, words } = this.#machine
    const buffers = { store: this.#store, uniform: this.#uniform }
    const left = await takeLanes({ take, words, blooms: session.blooms }, this.#wave.laneCount, columns, buffers)
    counters.readback += performance.now() - startedMs
    return { ...left, transactions, reasons }
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

/** What came of a dispatch that was sent ahead. */
type SentDispatch = { readonly thrown: unknown } | undefined

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
