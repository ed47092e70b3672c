import { LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import { type Fork, isAtLeast } from '../../transpiler/spec/forks.ts'
import { MAX_INITCODE_BYTES } from '../../transpiler/spec/gas.ts'
import { wordCompare, wordIsZero } from '../state/word.ts'
import type { TransactionBatch, TransactionExtras, TransactionObject } from './batch.ts'
import { encodeBatch } from './encode_batch.ts'
import type { BlockEnvironment } from './environment.ts'
import { REJECTION, type Rejection } from './rejection.ts'
import { type TransactionRules, transactionRules } from './rules.ts'

/** A call to simulate. Addresses and data are 0x-hex. Absent: from address zero, no value, all gas of the block, free gas. */
export interface CallObject extends Omit<TransactionExtras, 'deposit'> {
  readonly from?: string
  /** Absent for a creation. */
  readonly to?: string
  readonly value?: bigint
  readonly data?: string
  readonly gas?: bigint
  readonly gasPrice?: bigint
  readonly maxFeePerGas?: bigint
  readonly maxPriorityFeePerGas?: bigint
  readonly accessList?: NonNullable<TransactionObject['accessList']>
}

const NOBODY = `0x${'0'.repeat(40)}`

/** Calls as a batch, their nonces zero. Throws TransactionInputError. */
export const encodeCalls = (calls: readonly CallObject[], env: BlockEnvironment): TransactionBatch =>
  encodeBatch(
    calls.map(({ gas, from, ...call }) => ({
      ...(call.maxFeePerGas === undefined && call.maxPriorityFeePerGas === undefined ? { gasPrice: 0n } : {}),
      ...call,
      from: from ?? NOBODY,
      nonce: 0n,
      gasLimit: gas ?? env.gasLimit,
    })),
  )

/**
 * The rules of `transactionRules` as a call meets them: gas that costs nothing needs no base fee, no cap on the gas limit
 * (EIP-7825), and the nonces do not count. The batch's nonces must be zero.
 */
export const callRules = (batch: TransactionBatch, fork: Fork, env: BlockEnvironment): TransactionRules => {
  const free = { ...env, baseFeePerGas: 0n }
  const { maxFeePerGas, maxPriorityFeePerGas } = batch
  if (allZero(maxFeePerGas)) return uncapped(batch, fork, transactionRules(batch, fork, free))
  const rules = uncapped(batch, fork, transactionRules(batch, fork, env))
  let freeRules: TransactionRules | undefined
  for (let i = 0; i < batch.count; i++) {
    const at = LIMBS_PER_WORD * i
    if (!wordIsZero(maxFeePerGas, at) || !wordIsZero(maxPriorityFeePerGas, at)) continue
    freeRules ??= uncapped(batch, fork, transactionRules(batch, fork, free))
    rules.rejection[i] = freeRules.rejection[i]!
    for (const word of ['price', 'priority', 'cost'] as const)
      rules[word].set(freeRules[word].subarray(at, at + LIMBS_PER_WORD), at)
  }
  return rules
}

/** Lifts the cap on the gas limit, which hides the checks behind it. */
const uncapped = (batch: TransactionBatch, fork: Fork, rules: TransactionRules): TransactionRules => {
  const { rejection } = rules
  for (let i = 0; i < batch.count; i++)
    if (rejection[i] === REJECTION.gasLimitTooHigh) rejection[i] = uncappedRejection(batch, fork, rules, i)
  return rules
}

const uncappedRejection = (
  batch: TransactionBatch,
  fork: Fork,
  { gasLimit, intrinsic, floor, price }: TransactionRules,
  i: number,
): Rejection | 0 => {
  const at = LIMBS_PER_WORD * i
  const { maxFeePerGas, maxPriorityFeePerGas, type, creates, dataStart } = batch
  if (type[i]! >= 2 && wordCompare(maxPriorityFeePerGas, at, maxFeePerGas, at) > 0) return REJECTION.tipAboveFeeCap
  if (wordIsZero(price, at) && !wordIsZero(maxFeePerGas, at)) return REJECTION.feeCapBelowBaseFee
  if (gasLimit[i]! < intrinsic[i]!) return REJECTION.intrinsicGas
  if (gasLimit[i]! < floor[i]!) return REJECTION.floorGas
  const initcode = creates[i] === 1 ? dataStart[i + 1]! - dataStart[i]! : 0
  return isAtLeast(fork, 'shanghai') && initcode > MAX_INITCODE_BYTES ? REJECTION.initcodeSize : 0
}

const allZero = (words: Uint32Array): boolean => {
  for (let i = 0; i < words.length; i++) if (words[i] !== 0) return false
  return true
}
