import { LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import { type Fork, isAtLeast } from '../../transpiler/spec/forks.ts'
import { MAX_INITCODE_BYTES, MAX_TRANSACTION_GAS } from '../../transpiler/spec/gas.ts'
import { checkArray, checkNames, checkObject, type InputError, type Names } from '../primitives/input.ts'
import { wordIsZero } from '../primitives/word.ts'
import type { TransactionBatch, TransactionExtras, TransactionObject } from './batch.ts'
import { encodeBatch, TransactionInputError } from './encode_batch.ts'
import type { BlockEnvironment } from './environment.ts'
import { REJECTION, type Rejection } from './rejection.ts'
import { gasBounds, type TransactionRules, transactionRules } from './rules.ts'
import type { RulesPass } from './rules_pass.ts'

/**
 * A call to simulate. Addresses and data are 0x-hex. Absent: from address zero, no value, free gas, and all gas of the
 * block, as far as a gas limit is that wide.
 *
 * @example
 * import type { CallObject } from 'wgevm'
 *
 * const bob = '0x0000000000000000000000000000000000000b0b'
 * const totalSupply: CallObject = { to: bob, data: '0x18160ddd' }
 * console.log(totalSupply.from) // undefined
 */
export interface CallObject extends Omit<TransactionExtras, 'deposit'> {
  /** Absent: what the other fields say, as in a TransactionObject. */
  readonly type?: NonNullable<TransactionObject['type']>
  readonly from?: string
  /** Absent for a creation. */
  readonly to?: string
  /** Wei. */
  readonly value?: bigint
  readonly data?: string
  /** Another name of `data`, as in eth_call; where both are given they must be equal. */
  readonly input?: string
  readonly gas?: bigint
  readonly gasPrice?: bigint
  readonly maxFeePerGas?: bigint
  readonly maxPriorityFeePerGas?: bigint
  readonly accessList?: NonNullable<TransactionObject['accessList']>
}

/** The widest gas limit of a transaction. */
const MOST_GAS = (1n << 64n) - 1n

const NOBODY = `0x${'0'.repeat(40)}`

const NAMES: Names<CallObject> = {
  type: true,
  from: true,
  to: true,
  value: true,
  data: true,
  input: true,
  gas: true,
  gasPrice: true,
  maxFeePerGas: true,
  maxPriorityFeePerGas: true,
  accessList: true,
  maxFeePerBlobGas: true,
  blobVersionedHashes: true,
  authorizations: true,
}

/** Calls as a batch, their nonces zero. Throws TransactionInputError, which names the call. */
export const encodeCalls = (calls: readonly CallObject[], env: BlockEnvironment): TransactionBatch => {
  checkArray(calls, 'calls', 'an array of calls or a TransactionBatch')
  try {
    return encodeBatch(calls.map((call, i) => transactionOf(call, env, i)))
  } catch (thrown) {
    if (!(thrown instanceof TransactionInputError)) throw thrown
    const { index, reason, field, value } = thrown
    throw new TransactionInputError(index, reason, field, value, 'call')
  }
}

const NAMES_WITH_NONCE = { ...NAMES, nonce: true } as const

/** Of the calls of a simulated block, which may name their nonces. Throws TransactionInputError. */
export const checkCallNames = (calls: readonly object[]): void => {
  for (const [i, call] of checkArray(calls, 'calls', 'an array of calls').entries()) {
    try {
      checkNames(checkObject(call, 'it'), NAMES_WITH_NONCE, 'field')
    } catch (thrown) {
      const { message, field, value } = thrown as InputError
      throw new TransactionInputError(i, message, field, value, 'call')
    }
  }
}

const transactionOf = (call: CallObject, env: BlockEnvironment, i: number): TransactionObject => {
  try {
    checkNames(checkObject(call, 'it'), NAMES, 'field')
  } catch (thrown) {
    const { message, field, value } = thrown as InputError
    throw new TransactionInputError(i, message, field, value)
  }
  const { gas, from, input, ...rest } = call
  const { data, maxFeePerGas, maxPriorityFeePerGas } = call
  if (input !== undefined && data !== undefined && input !== data)
    throw new TransactionInputError(i, 'data and input must be equal where both are given', 'input', input)
  const calldata = data ?? input
  return {
    ...(maxFeePerGas === undefined && maxPriorityFeePerGas === undefined ? { gasPrice: 0n } : {}),
    ...rest,
    ...(calldata === undefined ? {} : { data: calldata }),
    from: from ?? NOBODY,
    nonce: 0n,
    gasLimit: gas ?? (env.gasLimit < MOST_GAS ? env.gasLimit : MOST_GAS),
  }
}

/**
 * The rules of `transactionRules` as a call meets them: gas that costs nothing needs no base fee, no cap on the gas
 * limit (EIP-7825), and the nonces do not count. The batch's nonces must be zero.
 */
export const callRules = (batch: TransactionBatch, fork: Fork, env: BlockEnvironment): TransactionRules => {
  const free = { ...env, baseFeePerGas: 0n }
  const { maxFeePerGas, maxPriorityFeePerGas } = batch
  if (isFree(batch)) return freeRules(batch, fork, env)
  const rules = simulatedRules(batch, fork, env)
  let unpriced: TransactionRules | undefined
  for (let i = 0; i < batch.count; i++) {
    const at = LIMBS_PER_WORD * i
    if (!wordIsZero(maxFeePerGas, at) || !wordIsZero(maxPriorityFeePerGas, at)) continue
    unpriced ??= simulatedRules(batch, fork, free)
    rules.rejection[i] = unpriced.rejection[i]!
    for (const word of ['price', 'priority', 'cost'] as const)
      rules[word].set(unpriced[word].subarray(at, at + LIMBS_PER_WORD), at)
  }
  return rules
}

/**
 * The rules of `transactionRules` but for the cap on the gas limit (EIP-7825), which no simulation has. The cap would
 * hide the checks after it, so they are made of a limit below it; those of the gas itself of the limit that is given.
 */
const simulatedRules = (batch: TransactionBatch, fork: Fork, env: BlockEnvironment): TransactionRules => {
  const rules = transactionRules(batch, fork, env)
  const { rejection } = rules
  if (!rejection.includes(REJECTION.gasLimitTooHigh)) return rules
  const gasLimit = batch.gasLimit.slice()
  for (let i = 0; i < batch.count; i++)
    if (rejection[i] === REJECTION.gasLimitTooHigh) gasLimit.set([MAX_TRANSACTION_GAS, 0], 2 * i)
  const capped = transactionRules({ ...batch, gasLimit }, fork, env)
  for (let i = 0; i < batch.count; i++) {
    if (rejection[i] !== REJECTION.gasLimitTooHigh) continue
    const found = capped.rejection[i]! as Rejection | 0
    rejection[i] = found === 0 || found >= REJECTION.intrinsicGas ? gasRejection(batch, fork, rules, i) : found
  }
  return rules
}

/**
 * The rules of the calls of a simulated block: with `validation` those of transactions. With `pass` they stand in its
 * columns.
 */
export const rulesOfCalls = (
  batch: TransactionBatch,
  fork: Fork,
  env: BlockEnvironment,
  validation: boolean,
  pass?: RulesPass,
): TransactionRules => {
  const rules = validation ? simulatedRules(batch, fork, env) : callRules(batch, fork, env)
  if (pass === undefined) return rules
  const columns = transactionRules(batch, fork, env, pass)
  for (const name of ['gasLimit', 'intrinsic', 'floor'] as const) columns[name].set(rules[name])
  for (const name of ['price', 'priority', 'cost'] as const) columns[name].set(rules[name])
  columns.rejection.set(rules.rejection)
  const { gasLimit, intrinsic, floor, price, priority, cost, rejection } = columns
  return { ...rules, gasLimit, intrinsic, floor, price, priority, cost, rejection }
}

const gasRejection = (
  { creates, dataStart }: TransactionBatch,
  fork: Fork,
  { gasLimit, intrinsic, floor }: TransactionRules,
  i: number,
): Rejection | 0 => {
  if (gasLimit[i]! < intrinsic[i]!) return REJECTION.intrinsicGas
  if (gasLimit[i]! < floor[i]!) return REJECTION.floorGas
  if (creates[i] === 0) return 0
  const initcode = dataStart[i + 1]! - dataStart[i]!
  return isAtLeast(fork, 'shanghai') && initcode > MAX_INITCODE_BYTES ? REJECTION.initcodeSize : 0
}

/** The usual simulation: no prices, and only types 0 to 2. */
const isFree = ({ count, type, maxFeePerGas, maxPriorityFeePerGas, extras }: TransactionBatch): boolean => {
  if (extras.size > 0) return false
  for (let i = 0; i < count; i++) if (type[i]! > 2) return false
  return allZero(maxFeePerGas) && allZero(maxPriorityFeePerGas)
}

/** What is left of the rules where gas is free: the caller needs the value, and the gas must do for the data. */
const freeRules = (batch: TransactionBatch, fork: Fork, env: BlockEnvironment): TransactionRules => {
  const { count, type } = batch
  const { intrinsic, floor } = gasBounds(batch, fork)
  const gasLimit = new Float64Array(count)
  const rejection = new Uint8Array(count)
  const price = new Uint32Array(LIMBS_PER_WORD * count)
  const highestType = isAtLeast(fork, 'london') ? 2 : isAtLeast(fork, 'berlin') ? 1 : 0
  const none = new Float64Array(0)
  const rules: TransactionRules = {
    ...{ intrinsic, floor, gasLimit, rejection, price, priority: price, cost: batch.value },
    ...{ blobGas: none, extraFee: new Uint32Array(0), maxBlobGas: env.maxBlobs ?? 0 },
  }
  for (let i = 0; i < count; i++) {
    gasLimit[i] = batch.gasLimit[2 * i + 1]! * 0x1_0000_0000 + batch.gasLimit[2 * i]!
    rejection[i] = type[i]! > highestType ? REJECTION.typeNotSupported : gasRejection(batch, fork, rules, i)
  }
  return rules
}

const allZero = (words: Uint32Array): boolean => {
  for (let i = 0; i < words.length; i++) if (words[i] !== 0) return false
  return true
}
