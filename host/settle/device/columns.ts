import {
  SETTLE_ADDS,
  SETTLE_MOVES,
  SETTLE_READ_VECTORS,
  SETTLE_SETS,
  SETTLE_SHRINKS,
  type SETTLE_UNIFORM,
} from '../../../transpiler/layout/settle.ts'
import type { SlotColumns } from '../../batch/executions.ts'
import { type OpenBatch, OUTCOME_NONE } from '../../batch/open_batch.ts'

const VECTOR_BYTES = 16
const VECTOR_LIMBS = 4

export type SettleField = (typeof SETTLE_UNIFORM)[number]

/** Words that grow, for uploads: what one range takes, the next one takes again. */
export class UploadWords {
  #words = new Uint32Array(1 << 12)
  /** In use, a multiple of a vector. */
  length = 0

  get used(): Uint32Array {
    return this.#words.subarray(0, this.length)
  }

  get words(): Uint32Array {
    return this.#words
  }

  /** Where `count` more words begin, in words. They hold what was there before. */
  take(count: number): number {
    const at = this.length
    this.length = Math.ceil((at + count) / VECTOR_LIMBS) * VECTOR_LIMBS
    if (this.length > this.#words.length) {
      const grown = new Uint32Array(Math.max(this.length, 2 * this.#words.length))
      grown.set(this.#words.subarray(0, at))
      this.#words = grown
    }
    return at
  }

  /** Puts a column there. Gives the vector at which it begins. */
  put(column: ArrayBufferView): number {
    const at = this.take(Math.ceil(column.byteLength / 4))
    const from = new Uint8Array(column.buffer, column.byteOffset, column.byteLength)
    new Uint8Array(this.#words.buffer, 4 * at, column.byteLength).set(from)
    return at / VECTOR_LIMBS
  }
}

/** Lanes of one execution that a range has. */
interface RangeLanes {
  first: number
  last: number
}

/** What is uploaded of the executions of a range: `described` by their number. */
export interface RangeExecutions {
  readonly described: Uint32Array
  /** Where the range ends: sooner than asked for where the next transaction has no room. */
  readonly end: number
  /** Entries of the range at most, those of the block aside. */
  readonly capacity: number
}

/** Entries of a transaction beside its reads: sender and the account that it pays. */
export const PARTIES = 2

/**
 * Brings the lanes of [first, end) that pass over slots only, with their descriptions (transpiler/layout/settle.ts).
 * `mostEntries` and `mostBytes`: what the range may take of entries and of lanes.
 */
export const putExecutions = (
  batch: OpenBatch,
  { first, end }: { readonly first: number; readonly end: number },
  into: UploadWords,
  { mostEntries, mostBytes }: { readonly mostEntries: number; readonly mostBytes: number },
): RangeExecutions => {
  const { executions, executionOf, laneOf, outcome } = batch
  const lanes = new Map<number, RangeLanes>()
  let capacity = 0
  let i = first
  let lastNumber = -1
  let open: RangeLanes | undefined
  let reads = 0
  for (; i < end; i++) {
    const number = outcome[i] === OUTCOME_NONE ? executionOf[i]! : -1
    let own = PARTIES
    if (number >= 0) {
      if (number !== lastNumber) {
        lastNumber = number
        reads = executions[number]!.columns?.slotAt.length ?? 0
        open = lanes.get(number)
      }
      own += reads
    }
    // One more of the block.
    if (capacity + own + (i - first + 1) > mostEntries && i > first) break
    capacity += own
    if (number < 0) continue
    const lane = laneOf[i]!
    if (open === undefined) {
      open = { first: lane, last: lane }
      lanes.set(number, open)
    } else if (lane < open.first) open.first = lane
    else if (lane > open.last) open.last = lane
  }
  // Number 0 is read where there is none.
  const described = new Uint32Array(Math.max(1, executions.length))
  into.length = 0
  // Vector 0 stands for none.
  into.take(VECTOR_LIMBS)
  for (const [number, range] of lanes) {
    const { columns } = executions[number]!
    if (columns === undefined || !isDescribable(columns)) continue
    if (4 * into.length + bytesOf(columns, range) <= mostBytes) described[number] = describe(columns, range, into)
  }
  return { described, end: i, capacity: Math.max(1, capacity) }
}

const laneCountOf = ({ first, last }: RangeLanes): number => last - first + 1

const bytesOf = ({ slotAt, storeAt, hintAt }: SlotColumns, lanes: RangeLanes): number => {
  const columns = slotAt.length * (hintAt === undefined ? 1 : 4) + 2 * storeAt.length
  return VECTOR_BYTES * (1 + SETTLE_READ_VECTORS * slotAt.length + columns * laneCountOf(lanes))
}

/** Whether each read has one store at most, and what moves it is that one. */
const isDescribable = ({ slotAt, storeSlots, storeSigns, deltaStores }: SlotColumns): boolean => {
  for (let k = 0; k < slotAt.length; k++) {
    const store = storeSlots.indexOf(k)
    if (storeSlots.indexOf(k, store + 1) > store) return false
    const moved = deltaStores[k]!
    if (moved !== 0 && (moved !== store + 1 || storeSigns[store] === 0)) return false
  }
  return true
}

const describe = (columns: SlotColumns, lanes: RangeLanes, into: UploadWords): number => {
  const { laneCount, lanesIn, lanesOut, slotAt, storeAt, hintAt, storeSlots, storeSigns, storeConditions } = columns
  const count = laneCountOf(lanes)
  const at = into.take(VECTOR_LIMBS * (1 + SETTLE_READ_VECTORS * slotAt.length))
  into.words.set([count, columns.succeeds ? 1 : 0, slotAt.length, lanes.first], at)
  const put = (column: Uint32Array, from: number): number => {
    const begin = from + VECTOR_LIMBS * lanes.first
    return into.put(column.subarray(begin, begin + VECTOR_LIMBS * count))
  }
  /** Neighbouring columns. */
  const putAll = (column: Uint32Array, from: number, n: number): number => {
    const vector = put(column, from)
    for (let m = 1; m < n; m++) put(column, from + m * VECTOR_LIMBS * laneCount)
    return vector
  }
  for (let k = 0; k < slotAt.length; k++) {
    const limb = slotAt[k]! % VECTOR_LIMBS
    const slot = put(lanesOut, slotAt[k]! - limb)
    const hint = hintAt === undefined ? 0 : putAll(lanesIn, hintAt[k]!, HINT_COLUMNS)
    const store = storeSlots.indexOf(k)
    const word = store < 0 ? 0 : putAll(lanesOut, storeAt[store]!, WORD_COLUMNS)
    const sign = store < 0 ? 0 : storeSigns[store]!
    const writes = store < 0 ? 0 : sign === 0 ? SETTLE_SETS : SETTLE_ADDS | (sign < 0 ? SETTLE_SHRINKS : 0)
    const moves = columns.deltaStores[k] === 0 ? 0 : SETTLE_MOVES | storeConditions[store]!
    into.words.set([slot, limb, hint, writes | moves, word, 0, 0, 0], at + VECTOR_LIMBS * (1 + SETTLE_READ_VECTORS * k))
  }
  return at / VECTOR_LIMBS
}

const WORD_COLUMNS = 2
/** A word and its slot. */
const HINT_COLUMNS = 3

/** Brings what settling asks of the transactions of [first, end). Calls `put` with where each column begins. */
export const putTransactions = (
  batch: OpenBatch,
  { first, end }: { readonly first: number; readonly end: number },
  described: Uint32Array,
  into: UploadWords,
  put: (field: SettleField, vector: number) => void,
): void => {
  const { rules, fromIds, toIds, toCodes, tier, outcome, status, executionOf, laneOf, gas, refund } = batch
  const { type, nonce, value } = batch.batch
  const of = (column: { subarray(from: number, to: number): ArrayBufferView }, width = 1): number =>
    into.put(column.subarray(width * first, width * end))
  put('tierAt', of(tier))
  put('outcomeAt', of(outcome))
  put('statusAt', of(status))
  put('typeAt', of(type))
  put('rejectionAt', of(rules.rejection))
  put('fromAt', of(fromIds))
  put('toAt', of(toIds))
  put('toCodeAt', of(toCodes))
  put('executionOfAt', of(executionOf))
  put('laneOfAt', of(laneOf))
  put('nonceAt', of(nonce, 2))
  put('valueAt', of(value, 8))
  put('costAt', of(rules.cost, 8))
  put('priceAt', of(rules.price, 8))
  put('priorityAt', of(rules.priority, 8))
  put('intrinsicAt', of(rules.intrinsic))
  put('floorAt', of(rules.floor))
  put('gasLimitAt', of(rules.gasLimit))
  put('gasAt', of(gas))
  put('refundAt', of(refund))
  put('describedAt', into.put(described))
}
