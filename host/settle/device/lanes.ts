import {
  SETTLE_ADDS,
  SETTLE_MOVES,
  SETTLE_READ_VECTORS,
  SETTLE_SETS,
  SETTLE_SHRINKS,
} from '../../../transpiler/layout/settle.ts'
import type { SlotColumns } from '../../batch/executions.ts'
import type { UploadWords } from './upload_words.ts'

const VECTOR_BYTES = 16
const VECTOR_LIMBS = 4
const WORD_COLUMNS = 2
/** A word and its slot. */
const HINT_COLUMNS = 3

/** Lanes of one execution that a range has. */
export interface RangeLanes {
  first: number
  last: number
}

/** Columns of lanes that the device has: where they lie, and the vector at which the range wants them. */
export interface LaneCopy {
  readonly from: GPUBuffer
  readonly fromOffset: number
  readonly vector: number
  readonly sizeBytes: number
}

/** Whether each read has one store at most, and what moves it is that one. */
export const isDescribable = ({ slotAt, storeSlots, storeSigns, deltaStores }: SlotColumns): boolean => {
  for (let k = 0; k < slotAt.length; k++) {
    const store = storeSlots.indexOf(k)
    if (storeSlots.indexOf(k, store + 1) > store) return false
    const moved = deltaStores[k]!
    if (moved !== 0 && (moved !== store + 1 || storeSigns[store] === 0)) return false
  }
  return true
}

const laneCountOf = ({ first, last }: RangeLanes): number => last - first + 1

/** Columns of `lanesOut` that settling looks at. */
const leftColumns = ({ slotAt, storeAt }: SlotColumns): number => slotAt.length + WORD_COLUMNS * storeAt.length

const hintColumns = ({ slotAt, hintAt }: SlotColumns): number =>
  hintAt === undefined ? 0 : HINT_COLUMNS * slotAt.length

/**
 * The lanes of a range in one buffer: columns that the device has, which are copied, before what goes up. Vector 0
 * stands for none.
 */
export class PlacedLanes {
  readonly copies: LaneCopy[] = []
  /** The vector at which what is uploaded begins. */
  uploadedAt = 1
  readonly #into: UploadWords
  readonly #mostBytes: number
  readonly #reserved = new Set<SlotColumns>()
  #copyAt = 1

  /** `mostBytes`: of the buffer. */
  constructor(into: UploadWords, mostBytes: number) {
    into.length = 0
    this.#into = into
    this.#mostBytes = mostBytes
  }

  /** Makes room for what the device has of these lanes. Before the first that is described, for all of them. */
  reserve(columns: SlotColumns, lanes: RangeLanes): void {
    const end = this.uploadedAt + leftColumns(columns) * laneCountOf(lanes)
    if (columns.onDevice?.place === undefined || VECTOR_BYTES * end > this.#mostBytes) return
    this.#reserved.add(columns)
    this.uploadedAt = end
  }

  /** Puts lanes there. Gives the vector of their description, 0 where there is no room for them. */
  describe(columns: SlotColumns, lanes: RangeLanes): number {
    const { laneCount, lanesIn, slotAt, storeAt, hintAt, storeSlots, storeSigns, storeConditions } = columns
    const count = laneCountOf(lanes)
    const uploaded = (this.#reserved.has(columns) ? 0 : leftColumns(columns)) + hintColumns(columns)
    const headVectors = 1 + SETTLE_READ_VECTORS * slotAt.length
    const into = this.#into
    const vectors = this.uploadedAt + into.length / VECTOR_LIMBS + headVectors + uploaded * count
    if (VECTOR_BYTES * vectors > this.#mostBytes) return 0
    const at = into.take(VECTOR_LIMBS * headVectors)
    into.words.set([count, columns.succeeds ? 1 : 0, slotAt.length, lanes.first], at)
    for (let k = 0; k < slotAt.length; k++) {
      const limb = slotAt[k]! % VECTOR_LIMBS
      const slot = this.#left(columns, lanes, slotAt[k]! - limb, 1)
      const hint = hintAt === undefined ? 0 : this.#put(lanesIn, laneCount, lanes, hintAt[k]!, HINT_COLUMNS)
      const store = storeSlots.indexOf(k)
      const word = store < 0 ? 0 : this.#left(columns, lanes, storeAt[store]!, WORD_COLUMNS)
      const sign = store < 0 ? 0 : storeSigns[store]!
      const writes = store < 0 ? 0 : sign === 0 ? SETTLE_SETS : SETTLE_ADDS | (sign < 0 ? SETTLE_SHRINKS : 0)
      const moves = columns.deltaStores[k] === 0 ? 0 : SETTLE_MOVES | storeConditions[store]!
      const described = at + VECTOR_LIMBS * (1 + SETTLE_READ_VECTORS * k)
      into.words.set([slot, limb, hint, writes | moves, word, 0, 0, 0], described)
    }
    return this.uploadedAt + at / VECTOR_LIMBS
  }

  /** `n` neighbouring columns of `lanesOut`: copied where the device has them. The vector of the first. */
  #left(columns: SlotColumns, lanes: RangeLanes, from: number, n: number): number {
    const { laneCount, lanesOut, onDevice } = columns
    const place = onDevice?.place
    if (place === undefined || !this.#reserved.has(columns)) return this.#put(lanesOut, laneCount, lanes, from, n)
    const count = laneCountOf(lanes)
    const vector = this.#copyAt
    for (let m = 0; m < n; m++) {
      const fromOffset = place.byteOffset + 4 * from + VECTOR_BYTES * (m * laneCount + lanes.first)
      const sizeBytes = VECTOR_BYTES * count
      this.copies.push({ from: place.buffer, fromOffset, vector: vector + m * count, sizeBytes })
    }
    this.#copyAt += n * count
    return vector
  }

  /** Uploads `n` neighbouring columns, of which the first begins at limb `from`. The vector of the first. */
  #put(column: Uint32Array, laneCount: number, lanes: RangeLanes, from: number, n: number): number {
    const count = laneCountOf(lanes)
    const vector = this.uploadedAt + this.#into.length / VECTOR_LIMBS
    for (let m = 0; m < n; m++) {
      const begin = from + VECTOR_LIMBS * (m * laneCount + lanes.first)
      this.#into.put(column.subarray(begin, begin + VECTOR_LIMBS * count))
    }
    return vector
  }
}
