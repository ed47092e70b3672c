import { LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { wordAdd } from '../../primitives/word.ts'
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
  const { count } = batch
  const extraFee = charges.operator === undefined ? charges.l1Fee : new Uint32Array(LIMBS_PER_WORD * count)
  const charged = chargedRules(rules, env, charges, extraFee)
  for (let i = 0; i < count; i++) chargeOne(charged, batch, charges, i)
  return charged
}

/** The rules with columns that `chargeOne` fills. */
export const chargedRules = (
  rules: TransactionRules,
  env: BlockEnvironment,
  charges: OpCharges,
  extraFee: Uint32Array,
): TransactionRules => ({
  ...rules,
  extraFee,
  charges,
  blobGas: charges.footprint,
  maxBlobGas: Number(env.gasLimit),
})

const scratch = new Uint32Array(LIMBS_PER_WORD)

/** Charges transaction i, whose L1 fee is known. */
export const chargeOne = (
  { cost, rejection, gasLimit, extraFee }: TransactionRules,
  { type }: TransactionBatch,
  { operator, l1Fee }: OpCharges,
  i: number,
): void => {
  const at = LIMBS_PER_WORD * i
  if (type[i] === TYPE_DEPOSIT) {
    extraFee.fill(0, at, at + LIMBS_PER_WORD)
    return
  }
  let overflow = 0
  if (operator !== undefined) {
    operatorFeeWord(scratch, 0, operator, gasLimit[i]!)
    overflow = wordAdd(extraFee, at, l1Fee, at, scratch, 0)
  }
  if (type[i] === TYPE_BLOB) rejection[i] = REJECTION.typeNotSupported
  overflow |= wordAdd(cost, at, cost, at, extraFee, at)
  if (overflow === 0) return
  const code = rejection[i]!
  if (code === 0 || code > REJECTION.insufficientFunds) rejection[i] = REJECTION.insufficientFunds
}
