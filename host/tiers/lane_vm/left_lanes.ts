import { LANE_COUNTS, LANE_HELD, LANE_OUTPUT, LANE_STATE, VM_EXITS } from '../../../transpiler/layout/lane_vm.ts'
import type { BatchWords } from '../../primitives/batch_words.ts'
import type { BloomRunner } from '../../session/device_blooms.ts'
import { HELD_LIMBS, type VmGroup, vmColumn } from './group.ts'
import type { TakeList, VmTake, WaveBuffers } from './take.ts'

const VECTOR_LIMBS = 4
const VECTOR_BYTES = 16
/** Of the bits of a log. */
const BLOOM_VECTORS = 2

interface TakingParts {
  readonly take: VmTake
  /** For what is of no use after the batch. */
  readonly words: BatchWords
  readonly blooms: BloomRunner
}

/** Fetches what the lanes of a wave left, whose columns the host has. Rejects with a fault of the device. */
export const takeLanes = async (
  { take, words: memory, blooms }: TakingParts,
  laneCount: number,
  columns: Uint32Array,
  buffers: WaveBuffers,
): Promise<Omit<VmGroup, 'transactions' | 'reasons'>> => {
  const { held, exits, logsAt, logCounts, outputAt, outputBytes, ...taken } = placesOf(laneCount, columns, memory)
  const records = memory.take(VECTOR_LIMBS * taken.recordVectors)
  const { words: taking, buffer, release } = take.start(buffers, taken, records)
  const bloomsAt = new Uint32Array(laneCount)
  const lists = blooms.isOn ? logLists(taken.list, logCounts, bloomsAt) : NO_LISTS
  const bloomBits = lists.vectors === 0 ? undefined : blooms.hashLogs(buffer, lists.words, lists.vectors)
  void Promise.allSettled([taking, bloomBits]).then(release)
  return {
    laneCount,
    exits,
    words: await taking,
    logsAt,
    logCounts,
    outputAt,
    outputBytes,
    bloomsAt,
    ...(bloomBits === undefined ? {} : { bloomBits }),
    columns,
    records,
    held,
  }
}

/** `held` to `outputBytes`: VmGroup. */
interface LanePlaces extends TakeList {
  readonly held: Uint32Array
  readonly exits: Uint8Array
  readonly logsAt: Uint32Array
  readonly logCounts: Uint32Array
  readonly outputAt: Uint32Array
  readonly outputBytes: Uint32Array
}

/** Where the records, logs and outputs of ended lanes come back. */
const placesOf = (laneCount: number, columns: Uint32Array, memory: BatchWords): LanePlaces => {
  const held = memory.take(HELD_LIMBS * laneCount).fill(0)
  const list = memory.take(VECTOR_LIMBS * (1 + laneCount))
  const exits = new Uint8Array(laneCount)
  const logsAt = new Uint32Array(laneCount)
  const logCounts = new Uint32Array(laneCount)
  const outputAt = new Uint32Array(laneCount)
  const outputBytes = new Uint32Array(laneCount)
  const column = (k: number, lane: number): number => vmColumn({ laneCount }, k, lane)
  let entries = 0
  let record = 0
  let word = 0
  for (let lane = 0; lane < laneCount; lane++) {
    const exit = columns[column(LANE_STATE, lane)]!
    exits[lane] = exit
    if (exit < VM_EXITS.succeeded || exit > VM_EXITS.halted) continue
    const entry = VECTOR_LIMBS * ++entries
    list[entry] = lane
    list[entry + 1] = record
    list[entry + 2] = word
    list[entry + 3] = 0
    const counted = column(LANE_HELD, lane)
    const to = HELD_LIMBS * lane
    held[to] = VECTOR_LIMBS * record
    held[to + 1] = columns[counted]!
    held[to + 2] = columns[counted + 1]!
    held[to + 3] = exit === VM_EXITS.succeeded ? 1 : 0
    record += columns[counted + 2]! + columns[counted + 3]!
    if (exit === VM_EXITS.succeeded) {
      const counts = column(LANE_COUNTS, lane)
      logsAt[lane] = VECTOR_LIMBS * word
      logCounts[lane] = columns[counts + 3]!
      word += columns[counts + 2]!
    }
    const output = column(LANE_OUTPUT, lane)
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
    exits,
    logsAt,
    logCounts,
    outputAt,
    outputBytes,
    list: list.subarray(0, VECTOR_LIMBS * (1 + entries)),
    recordVectors: record,
    wordVectors: word,
  }
}

/** What the device hashes of ended lanes (kernels/entry/lane_vm_bloom.wgsl); enters where their bits begin. */
const logLists = (
  list: Uint32Array,
  logCounts: Uint32Array,
  bloomsAt: Uint32Array,
): { readonly words: Uint32Array; readonly vectors: number } => {
  // The device may take it up when the batch is over.
  const lists = new Uint32Array(list.length)
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
    bloomsAt[lane] = VECTOR_LIMBS * vectors
    vectors += BLOOM_VECTORS * logs
  }
  return { words: lists.subarray(0, VECTOR_LIMBS * count), vectors }
}

const NO_LISTS = { words: new Uint32Array(0), vectors: 0 }
