import {
  ITEM_VECTORS,
  LANE_COLUMNS,
  LANE_COST,
  LANE_GAS_PRICE,
  LANE_LISTS,
  LANE_OUTPUT,
  LANE_PARTIES,
  LANE_STATE,
  LANE_VALUE,
  MICRO_P256,
  MICRO_P256_ADDRESS,
  MICRO_PRECOMPILE,
  MICRO_PRECOMPILE_LAST,
} from '../../../transpiler/layout/lane_vm.ts'
import { VM_QUOTAS, type VmArena, type VmQuota, vmArena } from '../../../transpiler/layout/lane_vm_quota.ts'
import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import type { TransactionBatch } from '../../chain/batch.ts'
import type { TransactionRules } from '../../chain/rules.ts'
import { wordAdd, wordFromHex, wordMulNumber } from '../../primitives/word.ts'
import type { ListedItems, VmHints } from './items.ts'
import type { VmKind } from './profiles.ts'

const VECTOR_LIMBS = 4
export const VECTOR_BYTES = 16
const WORD_VECTORS = 2
/** The arenas begin at a multiple of this. */
const ARENA_ALIGNMENT = 64

/** What the columns of lanes are made of, by transaction of the batch. */
export interface VmSource {
  readonly batch: TransactionBatch
  /** Gas limit less intrinsic gas. */
  readonly executionGas: Float64Array
  readonly fromIds: Int32Array
  readonly toIds: Int32Array
  readonly rules: Pick<TransactionRules, 'price' | 'extraFee'>
}

/** Transactions that may stand in waves together. */
export interface VmLanes {
  readonly source: VmSource
  readonly transactions: Int32Array
  readonly listed: ListedItems
  /** By micro code: defined where the fork has that precompile. */
  readonly natives: readonly unknown[]
  readonly hints?: VmHints
  /** By position. */
  readonly kinds?: readonly VmKind[]
}

/**
 * Lanes of one dispatch, laid out for one quota (transpiler/layout/lane_vm.ts).
 *
 * positions   u32[laneCount]   lane l is transactions[positions[l]] of the request
 * words       the store from its first vector up to the arenas: what is uploaded
 */
export interface VmWave {
  readonly quota: VmQuota
  readonly arena: VmArena
  readonly positions: Uint32Array
  /** By position. */
  readonly kinds: readonly VmKind[] | undefined
  readonly laneCount: number
  readonly words: Uint32Array
  /** Vectors. */
  readonly order: number
  readonly arenasAt: number
  readonly storeVectors: number
}

/** Vectors that the k-th transaction takes besides its columns and its arena. */
const listVectors = ({ source, transactions, listed, hints }: VmLanes, k: number): number => {
  const { batch } = source
  const i = transactions[k]!
  const items =
    listed.start[k + 1]! - listed.start[k]! + (hints === undefined ? 0 : hints.start[k + 1]! - hints.start[k]!)
  return (
    Math.ceil((batch.dataStart[i + 1]! - batch.dataStart[i]!) / VECTOR_BYTES) +
    ITEM_VECTORS * items +
    WORD_VECTORS * blobHashesOf(batch, i).length
  )
}

const NO_HASHES: readonly string[] = []
const blobHashesOf = ({ extras }: TransactionBatch, i: number): readonly string[] =>
  extras.size === 0 ? NO_HASHES : (extras.get(i)?.blobVersionedHashes ?? NO_HASHES)

const aligned = (vectors: number): number => Math.ceil(vectors / ARENA_ALIGNMENT) * ARENA_ALIGNMENT

const arenaVectors = (quota: VmQuota, laneVectors: number, laneCount: number): number =>
  Math.ceil(laneCount / quota.neighbours) * quota.neighbours * laneVectors

/** By quota: the most vectors that a wave of as few lanes as it may have takes, whichever of the lanes they are. */
export const leastWaves = (lanes: VmLanes): readonly number[] => {
  let mostLists = 0
  for (let k = 0; k < lanes.transactions.length; k++) mostLists = Math.max(mostLists, listVectors(lanes, k))
  const front = LANE_COLUMNS + mostLists + 1
  return VM_QUOTAS.map((quota) => aligned(front * quota.neighbours) + quota.neighbours * vmArena(quota).laneVectors)
}

/**
 * Cuts `positions` into waves, the fewest that fit `mostVectors` each: a wave that is not the last has a multiple of
 * the quota's neighbours. Ends of the waves; undefined where so many do not fit.
 */
export const cutWaves = (
  lanes: VmLanes,
  positions: Uint32Array,
  quota: VmQuota,
  mostVectors: number,
): readonly number[] | undefined => {
  const { laneVectors } = vmArena(quota)
  const ends: number[] = []
  let first = 0
  let end = 0
  let lists = 0
  while (end < positions.length) {
    const next = Math.min(end + quota.neighbours, positions.length)
    let more = lists
    for (let n = end; n < next; n++) more += listVectors(lanes, positions[n]!)
    const count = next - first
    const front = aligned(LANE_COLUMNS * count + more + Math.ceil(count / VECTOR_LIMBS))
    if (front + arenaVectors(quota, laneVectors, count) <= mostVectors) {
      end = next
      lists = more
      continue
    }
    if (end === first) return undefined
    ends.push(end)
    first = end
    lists = 0
  }
  if (end > first) ends.push(end)
  return ends
}

/** Memory for the words of one wave after another. */
export class WaveMemory {
  #words = new Uint32Array(0)

  /** So many zeros, which the next call takes back. */
  take(limbs: number): Uint32Array {
    if (this.#words.length < limbs) this.#words = new Uint32Array(limbs)
    else this.#words.fill(0, 0, limbs)
    return this.#words.subarray(0, limbs)
  }
}

/** `words` is the wave's until `memory` is asked again. */
export const layWave = (
  lanes: VmLanes,
  positions: Uint32Array,
  quota: VmQuota,
  memory: WaveMemory = new WaveMemory(),
): VmWave => {
  const laneCount = positions.length
  const arena = vmArena(quota)
  let lists = 0
  for (const k of positions) lists += listVectors(lanes, k)
  const order = LANE_COLUMNS * laneCount + lists
  const arenasAt = aligned(order + Math.ceil(laneCount / VECTOR_LIMBS))
  const words = memory.take(arenasAt * VECTOR_LIMBS)
  const wave: VmWave = {
    quota,
    arena,
    positions,
    kinds: lanes.kinds,
    laneCount,
    words,
    order,
    arenasAt,
    storeVectors: arenasAt + arenaVectors(quota, arena.laneVectors, laneCount),
  }
  fillColumns(lanes, wave)
  fillLists(lanes, wave)
  for (let lane = 0; lane < laneCount; lane++) words[order * VECTOR_LIMBS + lane] = lane
  return wave
}

const cost = new Uint32Array(LIMBS_PER_WORD)

const LIMB = 0x1_0000_0000
/** Gas is a float64 on the host: limits from 2^53 on are not the lane VM's. */
export const MOST_GAS_HIGH_LIMB = 0x1f_ffff

/**
 * Micro code of the precompile that transaction i calls, where it is one at its fork; 0 for an address that never is.
 */
export const calledMicroCode = (to: Uint32Array, i: number): number => {
  const at = LIMBS_PER_ADDRESS * i
  if ((to[at + 1]! | to[at + 2]! | to[at + 3]! | to[at + 4]!) !== 0) return 0
  const low = to[at]!
  if (low === MICRO_P256_ADDRESS) return MICRO_P256
  return low <= MICRO_PRECOMPILE_LAST ? MICRO_PRECOMPILE + low : 0
}

const fillColumns = ({ source, transactions, natives }: VmLanes, { positions, laneCount, words }: VmWave): void => {
  const { batch, executionGas, fromIds, toIds, rules } = source
  for (let lane = 0; lane < laneCount; lane++) {
    const i = transactions[positions[lane]!]!
    const state = (LANE_STATE * laneCount + lane) * VECTOR_LIMBS
    const native = calledMicroCode(batch.to, i)
    words[state + 2] = natives[native] === undefined ? 0 : native
    words[state + 3] = executionGas[i]!
    words[(LANE_OUTPUT * laneCount + lane) * VECTOR_LIMBS + 3] = Math.floor(executionGas[i]! / LIMB)
    const parties = (LANE_PARTIES * laneCount + lane) * VECTOR_LIMBS
    words[parties] = fromIds[i]!
    words[parties + 1] = toIds[i]!
    setWord(words, laneCount, LANE_GAS_PRICE, lane, rules.price, i)
    setWord(words, laneCount, LANE_VALUE, lane, batch.value, i)
    const gasLimit = batch.gasLimit[2 * i + 1]! * LIMB + batch.gasLimit[2 * i]!
    wordMulNumber(cost, 0, rules.price, LIMBS_PER_WORD * i, gasLimit)
    if (rules.extraFee.length !== 0) wordAdd(cost, 0, cost, 0, rules.extraFee, LIMBS_PER_WORD * i)
    setWord(words, laneCount, LANE_COST, lane, cost, 0)
  }
}

/** Columns `column` and `column + 1` of a lane = word i of `from`. */
const setWord = (
  words: Uint32Array,
  laneCount: number,
  column: number,
  lane: number,
  from: Uint32Array,
  i: number,
): void => {
  const low = (column * laneCount + lane) * VECTOR_LIMBS
  const high = low + laneCount * VECTOR_LIMBS
  const at = LIMBS_PER_WORD * i
  for (let limb = 0; limb < VECTOR_LIMBS; limb++) {
    words[low + limb] = from[at + limb]!
    words[high + limb] = from[at + VECTOR_LIMBS + limb]!
  }
}

/** Calldata, items and blob hashes of the lanes, one after the other, and where they stand. */
const fillLists = (lanes: VmLanes, { positions, laneCount, words }: VmWave): void => {
  const { source, transactions, listed, hints } = lanes
  const { batch } = source
  const { data, dataStart } = batch
  const bytes = new Uint8Array(words.buffer)
  let at = LANE_COLUMNS * laneCount
  for (let lane = 0; lane < laneCount; lane++) {
    const k = positions[lane]!
    const i = transactions[k]!
    const parties = (LANE_PARTIES * laneCount + lane) * VECTOR_LIMBS
    const start = dataStart[i]!
    const size = dataStart[i + 1]! - start
    words[parties + 2] = at
    words[parties + 3] = size
    const to = at * VECTOR_BYTES
    for (let b = 0; b < size; b++) bytes[to + b] = data[start + b]!
    at += Math.ceil(size / VECTOR_BYTES)

    const lists = (LANE_LISTS * laneCount + lane) * VECTOR_LIMBS
    words[lists] = at
    // What a record holds is settled by the first item that names it.
    if (hints !== undefined) at = fillHints(hints, k, words, at)
    for (let n = listed.start[k]!; n < listed.start[k + 1]!; n++) {
      words[at * VECTOR_LIMBS] = listed.flags[n]!
      words[at * VECTOR_LIMBS + 1] = listed.ids[n]!
      words[at * VECTOR_LIMBS + 2] = listed.owners[n]!
      at += ITEM_VECTORS
    }
    words[lists + 1] = (at - words[lists]!) / ITEM_VECTORS
    words[lists + 2] = at
    const hashes = blobHashesOf(batch, i)
    words[lists + 3] = hashes.length
    for (const hash of hashes) {
      wordFromHex(words, at * VECTOR_LIMBS, hash)
      at += WORD_VECTORS
    }
  }
}

/** Returns the vector after them. */
const fillHints = (hints: VmHints, k: number, words: Uint32Array, first: number): number => {
  let at = first
  for (let n = hints.start[k]!; n < hints.start[k + 1]!; n++) {
    const item = at * VECTOR_LIMBS
    words[item] = hints.flags[n]!
    words[item + 1] = hints.ids[n]!
    words[item + 2] = hints.owners[n]!
    for (let limb = 0; limb < LIMBS_PER_WORD; limb++)
      words[item + VECTOR_LIMBS + limb] = hints.values[LIMBS_PER_WORD * n + limb]!
    at += ITEM_VECTORS
  }
  return at
}
