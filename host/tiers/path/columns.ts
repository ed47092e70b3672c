import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { HINT_COLUMNS, MISSING } from '../../../transpiler/path_kernel.ts'
import type { OnDevice } from '../../batch/executions.ts'
import type { TransactionBatch } from '../../chain/batch.ts'
import {
  COLUMN_LIMBS,
  HINT_LIMBS,
  INPUT_CALLDATA,
  INPUT_CALLER,
  INPUT_GAS,
  INPUT_GASPRICE,
  INPUT_VALUE,
  type PathPlan,
} from './plan.ts'

/**
 * The transactions of one dispatch of one path.
 *
 * transactions   i32[laneCount]                            transaction of lane l, ascending
 * lanesIn        vec4<u32>[input columns (+ hints)][laneCount]
 * lanesOut       vec4<u32>[result columns][laneCount]      all output columns where a lane missed
 */
export interface PathGroup {
  readonly plan: PathPlan
  readonly laneCount: number
  readonly transactions: Int32Array
  readonly lanesIn: Uint32Array
  readonly lanesOut: Uint32Array
  /** `lanesOut` on the device, where it keeps them. */
  readonly onDevice?: OnDevice
  /** Whether the lanes ran the path's program, not its own kernel. */
  readonly isProgram?: true
  /** Whether it did so on the host (HostRunner), not on the device. */
  readonly onHost?: true
  /** Whether lanesIn carries hints, so a slot's read value is not the base value. */
  readonly hinted: boolean
  /** Where slot look-up k of lane 0 stands in lanesOut; a lane is COLUMN_LIMBS further. */
  readonly slotAt: Uint32Array
  /** Where the word of store s of lane 0 begins in lanesOut. */
  readonly storeAt: Uint32Array
  /**
   * Bloom indices as Receipts takes them (host/receipts/receipts.ts), when the device has hashed the topics; undefined
   * where it failed to, so the host must. Absent for a path without topics of its own. Never rejects.
   */
  readonly bloomIndices?: Promise<Uint32Array | undefined>
}

export const slotPlaces = ({ slots }: PathPlan, laneCount: number): Uint32Array =>
  Uint32Array.from(slots.columns, (column, k) => column * laneCount * COLUMN_LIMBS + slots.components[k]!)

export const storePlaces = ({ storeColumns }: PathPlan, laneCount: number): Uint32Array =>
  Uint32Array.from(storeColumns, (column) => column * laneCount * COLUMN_LIMBS)

/** Per-transaction values that lane inputs are made of. */
export interface PathSource {
  readonly batch: TransactionBatch
  /** Gas limit less intrinsic gas. */
  readonly executionGas: Float64Array
  readonly toIds: Int32Array
  /** Effective gas price, words. */
  readonly gasPrice: Uint32Array
}

/** Writes the input columns of `laneCount` lanes into `lanesIn`. */
export const gatherLanes = (
  plan: PathPlan,
  transactions: Int32Array,
  laneCount: number,
  source: PathSource,
  lanesIn: Uint32Array,
): void => {
  for (let input = 0; input < plan.inputKinds.length; input++) {
    const at = plan.inputColumns[input]! * laneCount * COLUMN_LIMBS
    switch (plan.inputKinds[input]) {
      case INPUT_GAS:
        gatherGas(transactions, laneCount, source, lanesIn, at)
        break
      case INPUT_CALLER:
        gatherWords(transactions, laneCount, source.batch.from, LIMBS_PER_ADDRESS, lanesIn, at)
        break
      case INPUT_GASPRICE:
        gatherWords(transactions, laneCount, source.gasPrice, LIMBS_PER_WORD, lanesIn, at)
        break
      case INPUT_VALUE:
        gatherWords(transactions, laneCount, source.batch.value, LIMBS_PER_WORD, lanesIn, at)
        break
      case INPUT_CALLDATA:
        gatherCalldata(transactions, laneCount, source.batch, plan.inputOffsets[input]!, lanesIn, at)
        break
    }
  }
}

const gatherGas = (
  transactions: Int32Array,
  laneCount: number,
  source: PathSource,
  lanesIn: Uint32Array,
  at: number,
): void => {
  const { executionGas, toIds } = source
  for (let lane = 0; lane < laneCount; lane++) {
    const i = transactions[lane]!
    const to = at + lane * COLUMN_LIMBS
    lanesIn[to] = executionGas[i]!
    lanesIn[to + 1] = toIds[i]!
    lanesIn[to + 2] = 0
    lanesIn[to + 3] = 0
  }
}

/** `limbs` limbs per transaction (8, or 5 for addresses) into two columns. */
const gatherWords = (
  transactions: Int32Array,
  laneCount: number,
  words: Uint32Array,
  limbs: number,
  lanesIn: Uint32Array,
  at: number,
): void => {
  const upper = at + laneCount * COLUMN_LIMBS
  for (let lane = 0; lane < laneCount; lane++) {
    const from = transactions[lane]! * limbs
    const low = at + lane * COLUMN_LIMBS
    const high = upper + lane * COLUMN_LIMBS
    lanesIn[low] = words[from]!
    lanesIn[low + 1] = words[from + 1]!
    lanesIn[low + 2] = words[from + 2]!
    lanesIn[low + 3] = words[from + 3]!
    lanesIn[high] = words[from + 4]!
    for (let limb = 5; limb < limbs; limb++) lanesIn[high + limb - 4] = words[from + limb]!
    for (let limb = limbs; limb < LIMBS_PER_WORD; limb++) lanesIn[high + limb - 4] = 0
  }
}

const gatherCalldata = (
  transactions: Int32Array,
  laneCount: number,
  batch: TransactionBatch,
  offset: number,
  lanesIn: Uint32Array,
  at: number,
): void => {
  const { data, dataStart } = batch
  const bytes = new DataView(data.buffer, data.byteOffset, data.byteLength)
  const upper = at + laneCount * COLUMN_LIMBS
  for (let lane = 0; lane < laneCount; lane++) {
    const i = transactions[lane]!
    const from = dataStart[i]! + offset
    const end = dataStart[i + 1]!
    const low = at + lane * COLUMN_LIMBS
    const high = upper + lane * COLUMN_LIMBS
    if (from + 32 <= end) {
      lanesIn[low] = bytes.getUint32(from + 28)
      lanesIn[low + 1] = bytes.getUint32(from + 24)
      lanesIn[low + 2] = bytes.getUint32(from + 20)
      lanesIn[low + 3] = bytes.getUint32(from + 16)
      lanesIn[high] = bytes.getUint32(from + 12)
      lanesIn[high + 1] = bytes.getUint32(from + 8)
      lanesIn[high + 2] = bytes.getUint32(from + 4)
      lanesIn[high + 3] = bytes.getUint32(from)
      continue
    }
    for (let limb = 0; limb < LIMBS_PER_WORD; limb++) {
      let x = 0
      const first = from + 28 - 4 * limb
      for (let b = 0; b < 4; b++) x = (x << 8) | (first + b < end ? data[first + b]! : 0)
      lanesIn[limb < 4 ? low + limb : high + limb - 4] = x
    }
  }
}

/** Writes the hint columns of a job's lanes after its input columns. */
export const gatherHints = (
  plan: PathPlan,
  transactions: Int32Array,
  hints: { readonly words: Uint32Array; readonly at: Uint32Array },
  lanesIn: Uint32Array,
): void => {
  const laneCount = transactions.length
  const column = laneCount * COLUMN_LIMBS
  for (let k = 0; k < plan.slots.count; k++) {
    const first = (plan.kernel.hintColumn + HINT_COLUMNS * k) * column
    for (let lane = 0; lane < laneCount; lane++) {
      const from = hints.at[lane]! + k * HINT_LIMBS
      const to = first + lane * COLUMN_LIMBS
      for (let limb = 0; limb < COLUMN_LIMBS; limb++) {
        lanesIn[to + limb] = hints.words[from + limb]!
        lanesIn[to + column + limb] = hints.words[from + COLUMN_LIMBS + limb]!
      }
      lanesIn[to + 2 * column] = hints.words[from + LIMBS_PER_WORD] ?? MISSING
    }
  }
}
