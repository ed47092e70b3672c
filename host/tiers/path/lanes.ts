import {
  CONDITION_NO_OVERFLOW,
  CONDITION_NO_UNDERFLOW,
  CONDITION_SAME_ZERONESS,
} from '../../../transpiler/layout/settle.ts'
import { LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { HINT_COLUMNS } from '../../../transpiler/path_kernel.ts'
import { wordAdd, wordCopy, wordEquals, wordIsZero, wordSub } from '../../primitives/word.ts'
import type { SlotTable } from '../../state/tables/slot_table.ts'
import type { PathGroup } from './columns.ts'
import { COLUMN_LIMBS } from './plan.ts'

/** Slot id of slot look-up `k` of a lane. */
export const laneSlot = (group: PathGroup, lane: number, k: number): number =>
  group.lanesOut[group.slotAt[k]! + lane * COLUMN_LIMBS]!

/** Account id of account look-up `k` of a lane; -1 is the entry account. */
export const laneParty = ({ plan, lanesOut, laneCount }: PathGroup, lane: number, k: number, entry: number): number => {
  if (k < 0) return entry
  const { columns, components } = plan.accounts
  return lanesOut[(columns[k]! * laneCount + lane) * COLUMN_LIMBS + components[k]!]!
}

const read = new Uint32Array(LIMBS_PER_WORD)
const amount = new Uint32Array(LIMBS_PER_WORD)
const moved = new Uint32Array(LIMBS_PER_WORD)

/**
 * Whether slot look-up `k` of a lane, which read slot `slot`, holds for the current value at `words[at]`: it read that
 * value, or it only moves the slot by an amount and the delta's conditions hold for this value
 * (transpiler/path_kernel.ts).
 */
export const laneReadHolds = (
  group: PathGroup,
  lane: number,
  k: number,
  slot: number,
  slots: SlotTable,
  words: Uint32Array,
  at: number,
): boolean => {
  readWord(group, lane, k, slot, slots)
  if (wordEquals(read, 0, words, at)) return true
  const store = group.plan.deltaStores[k]! - 1
  return store >= 0 && deltaHolds(group, lane, store, words, at)
}

/** Whether every slot look-up of a lane holds for the running values of the table. */
export const laneReadsHold = (group: PathGroup, lane: number, slots: SlotTable): boolean => {
  const { lanesOut, slotAt, hinted } = group
  const { entryOf } = slots
  const offset = lane * COLUMN_LIMBS
  for (let k = 0; k < slotAt.length; k++) {
    const slot = lanesOut[slotAt[k]! + offset]!
    if (!hinted && entryOf[slot] === 0) continue
    if (!laneReadHolds(group, lane, k, slot, slots, slots.values, slot * LIMBS_PER_WORD)) return false
  }
  return true
}

/** dst = the word of a lane at `column` of lanesOut. */
export const laneWord = (group: PathGroup, lane: number, column: number, dst: Uint32Array): void =>
  copyColumns(dst, 0, group.lanesOut, (column * group.laneCount + lane) * COLUMN_LIMBS, group.laneCount)

/** Enters the stores of a lane as running values of the table. */
export const storeLane = (group: PathGroup, lane: number, slots: SlotTable): void => {
  const { lanesOut, slotAt, storeAt, laneCount } = group
  const { storeSlots, storeSigns } = group.plan
  const { entryOf, values } = slots
  const offset = lane * COLUMN_LIMBS
  for (let store = 0; store < storeAt.length; store++) {
    const slot = lanesOut[slotAt[storeSlots[store]!]! + offset]!
    if (entryOf[slot] === 0) slots.write(slot)
    const low = storeAt[store]! + offset
    const sign = storeSigns[store]!
    if (sign === 0) copyColumns(values, slot * LIMBS_PER_WORD, lanesOut, low, laneCount)
    else moveByColumns(values, slot * LIMBS_PER_WORD, lanesOut, low, laneCount, sign)
  }
}

/** dst = what store `store` of a lane leaves in its slot, whose current value is at `words[at]`. */
export const laneStored = (
  group: PathGroup,
  lane: number,
  store: number,
  words: Uint32Array,
  at: number,
  dst: Uint32Array,
  di: number,
): void => {
  const { lanesOut, laneCount } = group
  const sign = group.plan.storeSigns[store]!
  const low = group.storeAt[store]! + lane * COLUMN_LIMBS
  if (sign === 0) {
    copyColumns(dst, di, lanesOut, low, laneCount)
    return
  }
  wordCopy(dst, di, words, at)
  moveByColumns(dst, di, lanesOut, low, laneCount, sign)
}

const LIMB = 0x1_0000_0000

/**
 * dst += sign * the word in two columns. Amounts are mostly below 2^128, so the upper half is left alone where nothing
 * moves it. Doubles: a sum of limbs and a carry is exact, and its floor is the carry, -1 for a borrow.
 */
const moveByColumns = (
  dst: Uint32Array,
  di: number,
  columns: Uint32Array,
  low: number,
  laneCount: number,
  sign: number,
): void => {
  const high = low + laneCount * COLUMN_LIMBS
  const s0 = dst[di]! + sign * columns[low]!
  dst[di] = s0
  const s1 = dst[di + 1]! + sign * columns[low + 1]! + Math.floor(s0 / LIMB)
  dst[di + 1] = s1
  const s2 = dst[di + 2]! + sign * columns[low + 2]! + Math.floor(s1 / LIMB)
  dst[di + 2] = s2
  const s3 = dst[di + 3]! + sign * columns[low + 3]! + Math.floor(s2 / LIMB)
  dst[di + 3] = s3
  let carry = Math.floor(s3 / LIMB)
  if (carry === 0 && (columns[high]! | columns[high + 1]! | columns[high + 2]! | columns[high + 3]!) === 0) return
  for (let limb = 0; limb < COLUMN_LIMBS; limb++) {
    const sum = dst[di + COLUMN_LIMBS + limb]! + sign * columns[high + limb]! + carry
    dst[di + COLUMN_LIMBS + limb] = sum
    carry = Math.floor(sum / LIMB)
  }
}

/** What the look-up read: its hint where the hint names the slot, else the slot's base value. Goes to `read`. */
const readWord = (group: PathGroup, lane: number, k: number, slot: number, slots: SlotTable): void => {
  if (group.hinted) {
    const { laneCount, lanesIn } = group
    const low = ((group.plan.kernel.hintColumn + HINT_COLUMNS * k) * laneCount + lane) * COLUMN_LIMBS
    if (lanesIn[low + 2 * laneCount * COLUMN_LIMBS] === slot) {
      copyColumns(read, 0, lanesIn, low, laneCount)
      return
    }
  }
  const entry = slots.entryOf[slot]!
  if (entry === 0) wordCopy(read, 0, slots.values, slot * LIMBS_PER_WORD)
  else wordCopy(read, 0, slots.base, (entry - 1) * LIMBS_PER_WORD)
}

/** The conditions of a delta for the current value at `words[at]`, where the lane read `read`. */
const deltaHolds = (group: PathGroup, lane: number, store: number, words: Uint32Array, at: number): boolean => {
  const { plan, lanesOut, laneCount } = group
  const conditions = plan.storeConditions[store]!
  const grows = plan.storeSigns[store]! > 0
  copyColumns(amount, 0, lanesOut, group.storeAt[store]! + lane * COLUMN_LIMBS, laneCount)
  const wraps = grows ? wordAdd(moved, 0, words, at, amount, 0) : wordSub(moved, 0, words, at, amount, 0)
  if (wraps !== 0 && (conditions & (grows ? CONDITION_NO_OVERFLOW : CONDITION_NO_UNDERFLOW)) !== 0) return false
  if ((conditions & CONDITION_SAME_ZERONESS) === 0) return true
  if (wordIsZero(words, at) !== wordIsZero(read, 0)) return false
  const endsZero = wordIsZero(moved, 0)
  if (grows) wordAdd(moved, 0, read, 0, amount, 0)
  else wordSub(moved, 0, read, 0, amount, 0)
  return endsZero === wordIsZero(moved, 0)
}

/** A word kept in two columns, limbs 0..3 at `low` and 4..7 one column on. */
const copyColumns = (dst: Uint32Array, di: number, columns: Uint32Array, low: number, laneCount: number): void => {
  const high = low + laneCount * COLUMN_LIMBS
  dst[di] = columns[low]! | 0
  dst[di + 1] = columns[low + 1]! | 0
  dst[di + 2] = columns[low + 2]! | 0
  dst[di + 3] = columns[low + 3]! | 0
  dst[di + 4] = columns[high]! | 0
  dst[di + 5] = columns[high + 1]! | 0
  dst[di + 6] = columns[high + 2]! | 0
  dst[di + 7] = columns[high + 3]! | 0
}
