import { LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { wordAdd, wordMulNumber, wordSub } from '../../primitives/word.ts'

/**
 * Wei of one transaction, on balances in place. Words and offsets as in host/primitives/word.ts.
 *
 * Prices below 2^64, gas up to 2^21 and values below 2^128 take a path in doubles: every limb product stays below 2^53,
 * and sums of limbs carry late. All else takes the general functions (docs/decisions/0008-the-sweep-is-arithmetic.md).
 */

const LIMB = 0x1_0000_0000
const EXACT_GAS = 0x1f_ffff

const scratch = new Uint32Array(LIMBS_PER_WORD)

/** Whether price * gas may go in doubles. */
export const isShort = (price: Uint32Array, at: number, gas: number): boolean =>
  gas <= EXACT_GAS &&
  (price[at + 2]! | price[at + 3]! | price[at + 4]! | price[at + 5]! | price[at + 6]! | price[at + 7]!) === 0

/** balance -= price * gas + value. The caller has checked that the balance covers it. */
export const debit = (
  balances: Uint32Array,
  at: number,
  price: Uint32Array,
  priceAt: number,
  gas: number,
  values: Uint32Array,
  valueAt: number,
): void => {
  const valueTop = values[valueAt + 4]! | values[valueAt + 5]! | values[valueAt + 6]! | values[valueAt + 7]!
  if (valueTop !== 0 || !isShort(price, priceAt, gas)) {
    wordMulNumber(scratch, 0, price, priceAt, gas)
    wordSub(balances, at, balances, at, scratch, 0)
    wordSub(balances, at, balances, at, values, valueAt)
    return
  }
  const p0 = price[priceAt]! * gas
  const c0 = Math.floor(p0 / LIMB)
  const p1 = price[priceAt + 1]! * gas + c0
  const c1 = Math.floor(p1 / LIMB)
  const d0 = balances[at]! - (p0 - c0 * LIMB) - values[valueAt]!
  balances[at] = d0
  const d1 = balances[at + 1]! - (p1 - c1 * LIMB) - values[valueAt + 1]! + Math.floor(d0 / LIMB)
  balances[at + 1] = d1
  const d2 = balances[at + 2]! - c1 - values[valueAt + 2]! + Math.floor(d1 / LIMB)
  balances[at + 2] = d2
  const d3 = balances[at + 3]! - values[valueAt + 3]! + Math.floor(d2 / LIMB)
  balances[at + 3] = d3
  let carry = Math.floor(d3 / LIMB)
  for (let limb = 4; carry !== 0 && limb < LIMBS_PER_WORD; limb++) {
    const d = balances[at + limb]! + carry
    balances[at + limb] = d
    carry = Math.floor(d / LIMB)
  }
}

/** balance += value. No sum of balances passes 2^256: there is not that much wei. */
export const credit = (balances: Uint32Array, at: number, values: Uint32Array, valueAt: number): void => {
  const top = values[valueAt + 4]! | values[valueAt + 5]! | values[valueAt + 6]! | values[valueAt + 7]!
  if (top !== 0) {
    wordAdd(balances, at, balances, at, values, valueAt)
    return
  }
  let carry = 0
  for (let limb = 0; limb < 4; limb++) {
    const sum = balances[at + limb]! + values[valueAt + limb]! + carry
    balances[at + limb] = sum
    carry = sum >= LIMB ? 1 : 0
  }
  for (let limb = 4; carry !== 0 && limb < LIMBS_PER_WORD; limb++) {
    const sum = balances[at + limb]! + 1
    balances[at + limb] = sum
    carry = sum >= LIMB ? 1 : 0
  }
}
