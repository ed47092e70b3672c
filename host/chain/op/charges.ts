import { LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { wordFromBigInt, wordFromNumber } from '../../primitives/word.ts'
import { type TransactionBatch, TYPE_DEPOSIT } from '../batch.ts'
import { daFootprint, type L1Attributes, l1FeeWords, type OperatorFee, operatorFee, operatorFeeOf } from './l1_fees.ts'
import { isOpAtLeast, type OpFork } from './op_forks.ts'

/**
 * What the transactions of a batch pay on a chain of the OP stack beside gas, and what they count for:
 *
 * l1Fee       u32[8 n]   wei for their data on the L1; zero for deposits
 * operator               what the operator takes by gas
 * footprint   f64[n]     gas of the block that their data takes (Jovian); zero for deposits, empty before
 */
export interface OpCharges {
  readonly fork: OpFork
  readonly l1Fee: Uint32Array
  readonly operator: OperatorFee | undefined
  readonly footprint: Float64Array
}

/** `measures` are those of `l1Measures` for the transactions of the batch. */
export const opChargesOf = (
  { count, type }: TransactionBatch,
  measures: Uint32Array,
  l1: L1Attributes,
  fork: OpFork,
): OpCharges => {
  const l1Fee = l1FeeWords(l1, fork, measures)
  const footprint = new Float64Array(isOpAtLeast(fork, 'jovian') ? count : 0)
  for (let i = 0; i < count; i++) {
    if (type[i] === TYPE_DEPOSIT) l1Fee.fill(0, LIMBS_PER_WORD * i, LIMBS_PER_WORD * (i + 1))
    else if (footprint.length !== 0) footprint[i] = daFootprint(measures[i]!, l1.daFootprintGasScalar)
  }
  return { fork, l1Fee, operator: operatorFeeOf(l1, fork), footprint }
}

/** Those of one call that no one has signed: it has no bytes to pay for, and pays the operator nothing (op-revm). */
export const noCharges = (fork: OpFork): OpCharges => ({
  fork,
  l1Fee: new Uint32Array(LIMBS_PER_WORD),
  operator: undefined,
  footprint: new Float64Array(isOpAtLeast(fork, 'jovian') ? 1 : 0),
})

/** The charges of the transactions `indices`. */
export const selectCharges = (charges: OpCharges, indices: readonly number[]): OpCharges => {
  const { l1Fee, footprint } = charges
  const selected = new Uint32Array(LIMBS_PER_WORD * indices.length)
  for (const [n, i] of indices.entries())
    selected.set(l1Fee.subarray(LIMBS_PER_WORD * i, LIMBS_PER_WORD * (i + 1)), LIMBS_PER_WORD * n)
  return {
    fork: charges.fork,
    operator: charges.operator,
    l1Fee: selected,
    footprint: footprint.length === 0 ? footprint : Float64Array.from(indices, (i) => footprint[i]!),
  }
}

const MILLION = 1_000_000
const JOVIAN_MULTIPLIER = 100

/** dst = what the operator takes for so much gas, below 2^53. */
export const operatorFeeWord = (dst: Uint32Array, at: number, fee: OperatorFee, gas: number): void => {
  const product = gas * Number(fee.scalar)
  const part = isOpAtLeast(fee.fork, 'jovian') ? product * JOVIAN_MULTIPLIER : Math.floor(product / MILLION)
  const whole = part + Number(fee.constant)
  if (product <= Number.MAX_SAFE_INTEGER && part <= Number.MAX_SAFE_INTEGER && whole <= Number.MAX_SAFE_INTEGER)
    wordFromNumber(dst, at, whole)
  else wordFromBigInt(dst, at, operatorFee(fee, BigInt(gas)))
}
