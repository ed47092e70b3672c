import { LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { repeatWord, wordAdd } from '../../primitives/word.ts'
import { type TransactionBatch, TYPE_BLOB, TYPE_DEPOSIT } from '../batch.ts'
import type { BlockEnvironment } from '../environment.ts'
import { REJECTION } from '../rejection.ts'
import type { TransactionRules } from '../rules.ts'
import { type OpCharges, operatorFeeWord } from './charges.ts'

/**
 * Adds what a chain of the OP stack charges to rules: the sender must hold it, data must fit into the block, and there
 * are no blobs. `cost` and `rejection` change in place.
 */
export const chargeRules = (
  rules: TransactionRules,
  batch: TransactionBatch,
  env: BlockEnvironment,
  charges: OpCharges,
): TransactionRules => {
  const { count, type } = batch
  const { gasLimit } = rules
  const { operator, l1Fee, footprint, runs } = charges
  const extraFee = operator === undefined ? l1Fee : new Uint32Array(LIMBS_PER_WORD * count)
  for (let run = 0, first = 0; first < count; run++) {
    const last = runs === undefined ? first + 1 : runs[run]!
    if (type[first] === TYPE_DEPOSIT) first = last
    // Payments have one gas limit as well: what they pay is reckoned where it changes.
    while (first < last) {
      let end = first + 1
      while (end < last && (operator === undefined || gasLimit[end] === gasLimit[first])) end++
      const overflow = operator === undefined ? 0 : addOperatorFee(extraFee, first, charges, gasLimit[first]!)
      if (operator !== undefined) repeatWord(extraFee, LIMBS_PER_WORD * first, end - first)
      addToCosts(rules, batch, first, end, extraFee, overflow)
      first = end
    }
  }
  return { ...rules, extraFee, charges, blobGas: footprint, maxBlobGas: Number(env.gasLimit) }
}

const scratch = new Uint32Array(LIMBS_PER_WORD)

/** extraFee[i] = both fees of transaction i; returns the carry. */
const addOperatorFee = (extraFee: Uint32Array, i: number, { operator, l1Fee }: OpCharges, gas: number): number => {
  const at = LIMBS_PER_WORD * i
  operatorFeeWord(scratch, 0, operator!, gas)
  return wordAdd(extraFee, at, l1Fee, at, scratch, 0)
}

/** Transactions of [first, end) pay the same, which `overflow` says is more than a word holds. */
const addToCosts = (
  { cost, rejection }: TransactionRules,
  { type }: TransactionBatch,
  first: number,
  end: number,
  extraFee: Uint32Array,
  overflow: number,
): void => {
  const from = LIMBS_PER_WORD * first
  const low = extraFee[from]!
  const high = extraFee[from + 1]!
  const isShort = extraFee.subarray(from + 2, from + LIMBS_PER_WORD).every((limb) => limb === 0)
  for (let i = first; i < end; i++) {
    if (type[i] === TYPE_BLOB) rejection[i] = REJECTION.typeNotSupported
    const at = LIMBS_PER_WORD * i
    const isOver = isShort ? addShort(cost, at, low, high) : wordAdd(cost, at, cost, at, extraFee, from)
    if ((overflow | isOver) === 0) continue
    const code = rejection[i]!
    if (code === 0 || code > REJECTION.insufficientFunds) rejection[i] = REJECTION.insufficientFunds
  }
}

const LIMB = 0x1_0000_0000

/** dst += a word of two limbs; returns the carry. */
const addShort = (dst: Uint32Array, at: number, low: number, high: number): number => {
  const first = dst[at]! + low
  dst[at] = first
  const second = dst[at + 1]! + high + (first >= LIMB ? 1 : 0)
  dst[at + 1] = second
  if (second < LIMB) return 0
  for (let limb = at + 2; limb < at + LIMBS_PER_WORD; limb++) {
    dst[limb]!++
    if (dst[limb] !== 0) return 0
  }
  return 1
}
