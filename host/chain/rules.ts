import { LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import { type Fork, isAtLeast, valueAt } from '../../transpiler/spec/forks.ts'
import {
  BLOB_HASH_VERSION,
  GAS_ACCESS_LIST_ADDRESS,
  GAS_ACCESS_LIST_KEY,
  GAS_AUTHORIZATION_NEW_ACCOUNT,
  GAS_CALLDATA_NONZERO_BY_FORK,
  GAS_CALLDATA_ZERO,
  GAS_FLOOR_TOKEN,
  GAS_INITCODE_WORD,
  GAS_PER_BLOB,
  GAS_TRANSACTION,
  GAS_TRANSACTION_CREATE_BY_FORK,
  MAX_BLOBS_BY_FORK,
  MAX_INITCODE_BYTES,
  MAX_TRANSACTION_BLOBS,
  MAX_TRANSACTION_GAS,
  TOKENS_PER_NONZERO_BYTE,
} from '../../transpiler/spec/gas.ts'
import { OWN_COLUMNS } from '../primitives/column_pool.ts'
import {
  wordAdd,
  wordCompare,
  wordCopy,
  wordFromBigInt,
  wordIsZero,
  wordMulSmall,
  wordSub,
  wordToBigInt,
  wordToNumber,
} from '../primitives/word.ts'
import { type TransactionBatch, type TransactionExtras, TYPE_BLOB, TYPE_DEPOSIT, TYPE_SET_CODE } from './batch.ts'
import type { BlockEnvironment } from './environment.ts'
import type { OpCharges } from './op/charges.ts'
import { REJECTION, type Rejection } from './rejection.ts'
import { type GasBounds, type GasTerms, type RuleColumns, type RuleTerms, ruleColumns } from './rule_columns.ts'
import type { RulesPass } from './rules_pass.ts'
import { LEFT } from './rules_request.ts'

/**
 * The rules that a transaction meets whatever the state is: with RuleColumns, what only blobs have.
 *
 * blobGas     f64[n]     EIP-4844, or what data takes of a block of the OP stack; empty where no transaction has any
 * maxBlobGas             of the whole block
 * extraFee    u32[8 n]   wei that the sender pays beside gas * price before the first step: blob gas * blob base fee,
 *                        which is burnt, or the fees of `charges` for the whole gas limit; empty where none pays any
 * charges                what the transactions pay on a chain of the OP stack; undefined on Ethereum
 */
export interface TransactionRules extends RuleColumns {
  readonly blobGas: Float64Array
  readonly maxBlobGas: number
  readonly extraFee: Uint32Array
  readonly charges?: OpCharges | undefined
}

/** Intrinsic gas and floor of every transaction of the batch at `fork`. */
export const gasBounds = (batch: TransactionBatch, fork: Fork): GasBounds => {
  const terms = gasTerms(batch, fork)
  const bounds = { intrinsic: new Float64Array(batch.count), floor: new Float64Array(batch.count) }
  for (let i = 0; i < batch.count; i++) boundGas(batch, i, terms, bounds)
  return bounds
}

const gasTerms = ({ data }: TransactionBatch, fork: Fork): GasTerms => ({
  nonZeroGas: valueAt(GAS_CALLDATA_NONZERO_BY_FORK, fork),
  createGas: valueAt(GAS_TRANSACTION_CREATE_BY_FORK, fork),
  initcodeWordGas: isAtLeast(fork, 'shanghai') ? GAS_INITCODE_WORD : 0,
  hasFloor: isAtLeast(fork, 'prague'),
  words: new Uint32Array(data.buffer, data.byteOffset & ~3, ((data.byteOffset & 3) + data.length) >>> 2),
})

const boundGas = (batch: TransactionBatch, i: number, terms: GasTerms, { intrinsic, floor }: GasBounds): void => {
  const { data, dataStart, creates, accessStart, accessKeyStart, extras } = batch
  const start = dataStart[i]!
  const end = dataStart[i + 1]!
  const nonZero = nonZeroBytes(data, terms.words, start, end)
  const zero = end - start - nonZero
  let gas = GAS_TRANSACTION + zero * GAS_CALLDATA_ZERO + nonZero * terms.nonZeroGas
  if (creates[i] === 1) gas += terms.createGas + terms.initcodeWordGas * Math.ceil((end - start) / 32)
  const entries = accessStart[i + 1]! - accessStart[i]!
  if (entries !== 0) {
    const keys = accessKeyStart[accessStart[i + 1]!]! - accessKeyStart[accessStart[i]!]!
    gas += entries * GAS_ACCESS_LIST_ADDRESS + keys * GAS_ACCESS_LIST_KEY
  }
  if (extras.size !== 0) gas += GAS_AUTHORIZATION_NEW_ACCOUNT * (extras.get(i)?.authorizations?.length ?? 0)
  intrinsic[i] = gas
  if (terms.hasFloor) floor[i] = GAS_TRANSACTION + GAS_FLOOR_TOKEN * (zero + TOKENS_PER_NONZERO_BYTE * nonZero)
}

/**
 * Bytes of data[start .. end] that are not zero. `words` are the whole little-endian words of the same memory, from the
 * one that data begins in: most of calldata is zero, and four bytes of it are seen at once.
 */
const nonZeroBytes = (data: Uint8Array, words: Uint32Array, start: number, end: number): number => {
  const shift = data.byteOffset & 3
  let nonZero = 0
  let at = start
  for (; at < end && ((at + shift) & 3) !== 0; at++) if (data[at] !== 0) nonZero++
  for (; at + 4 <= end; at += 4) {
    let word = words[(at + shift) >>> 2]!
    if (word === 0) continue
    word |= word >>> 4
    word |= word >>> 2
    word |= word >>> 1
    nonZero += Math.imul(word & 0x0101_0101, 0x0101_0101) >>> 24
  }
  for (; at < end; at++) if (data[at] !== 0) nonZero++
  return nonZero
}

const ruleTerms = (batch: TransactionBatch, fork: Fork, env: BlockEnvironment): RuleTerms => {
  const baseFee = new Uint32Array(LIMBS_PER_WORD)
  const base = isAtLeast(fork, 'london') ? env.baseFeePerGas : 0n
  wordFromBigInt(baseFee, 0, base)
  return {
    ...gasTerms(batch, fork),
    highestType: highestTypeAt(fork),
    gasCap: isAtLeast(fork, 'osaka') ? MAX_TRANSACTION_GAS : Infinity,
    initcodeCap: isAtLeast(fork, 'shanghai') ? MAX_INITCODE_BYTES : Infinity,
    baseFee,
    base: base >> 64n === 0n ? base : undefined,
    baseNumber: wordToNumber(baseFee, 0),
  }
}

/**
 * Applies every static rule of `fork` to the batch; `pass` does most of it, and has the columns then.
 * Cost on the machine of host/primitives/word.ts without a pass: 0.35 us per ERC-20 transfer (68 bytes of calldata),
 * 0.25 us per plain transfer.
 */
export const transactionRules = (
  batch: TransactionBatch,
  fork: Fork,
  env: BlockEnvironment,
  pass?: RulesPass,
): TransactionRules => {
  const { count, type, extras } = batch
  const terms = ruleTerms(batch, fork, env)
  const columns = ruleColumns(count, pass?.columns ?? OWN_COLUMNS)
  const special: number[] = []
  const rule = (i: number): void => {
    applyRules(batch, i, terms, columns)
    if (type[i]! >= TYPE_BLOB && type[i]! <= terms.highestType) special.push(i)
  }
  if (pass === undefined) for (let i = 0; i < count; i++) rule(i)
  else {
    const left = pass.apply(terms, columns)
    if (left + extras.size > 0)
      for (let i = 0; i < count; i++) if (columns.rejection[i] === LEFT || extras.has(i)) rule(i)
  }
  return { ...columns, ...extraRules(batch, special, fork, env, columns.cost, columns.rejection) }
}

const applyRules = (batch: TransactionBatch, i: number, terms: RuleTerms, columns: RuleColumns): void => {
  const { gasLimit, price, priority, cost, rejection, intrinsic, floor } = columns
  const limit = batch.gasLimit[2 * i + 1]! * 0x1_0000_0000 + batch.gasLimit[2 * i]!
  gasLimit[i] = limit
  floor[i] = 0
  for (const words of [price, priority, cost]) words.fill(0, LIMBS_PER_WORD * i, LIMBS_PER_WORD * (i + 1))
  rejection[i] = 0
  boundGas(batch, i, terms, columns)
  const type = batch.type[i]!
  if (type > terms.highestType) {
    const isDeposit = type === TYPE_DEPOSIT && batch.extras.get(i)?.deposit !== undefined
    if (!isDeposit) rejection[i] = REJECTION.typeNotSupported
    return
  }
  let code: number = feePrices(batch, i, terms.baseFee, terms.baseNumber, price, priority)
  if (upfrontCost(batch, i, cost) && code === 0) code = REJECTION.insufficientFunds
  if (code === 0) {
    if (limit < intrinsic[i]!) code = REJECTION.intrinsicGas
    else if (limit < floor[i]!) code = REJECTION.floorGas
    else if (batch.creates[i] === 1 && batch.dataStart[i + 1]! - batch.dataStart[i]! > terms.initcodeCap)
      code = REJECTION.initcodeSize
  }
  if (limit > terms.gasCap) code = REJECTION.gasLimitTooHigh
  if (batch.nonce[2 * i] === 0xffff_ffff && batch.nonce[2 * i + 1] === 0xffff_ffff) code = REJECTION.nonceMax
  rejection[i] = code
}

const highestTypeAt = (fork: Fork): number => {
  if (isAtLeast(fork, 'prague')) return TYPE_SET_CODE
  if (isAtLeast(fork, 'cancun')) return TYPE_BLOB
  return isAtLeast(fork, 'london') ? 2 : isAtLeast(fork, 'berlin') ? 1 : 0
}

/**
 * The rules of types 3 and 4 (EIP-4844, 7594, 7702), which the transactions `special` are. Adds the most that blobs may
 * cost to `cost` and lowers `rejection` where a check of these types comes first.
 */
const extraRules = (
  batch: TransactionBatch,
  special: readonly number[],
  fork: Fork,
  env: BlockEnvironment,
  cost: Uint32Array,
  rejection: Uint8Array,
): Pick<TransactionRules, 'blobGas' | 'extraFee' | 'maxBlobGas'> => {
  const maxBlobGas = GAS_PER_BLOB * (env.maxBlobs ?? valueAt(MAX_BLOBS_BY_FORK, fork))
  const hasBlobs = special.some((i) => batch.type[i] === TYPE_BLOB)
  const blobGas = new Float64Array(hasBlobs ? batch.count : 0)
  const extraFee = new Uint32Array(hasBlobs ? LIMBS_PER_WORD * batch.count : 0)
  const blobBaseFee = env.blobBaseFee ?? 1n
  for (const i of special) {
    const extras = batch.extras.get(i) ?? {}
    let code: Rejection | 0 = 0
    if (batch.type[i] === TYPE_SET_CODE) {
      if (batch.creates[i] === 1) code = REJECTION.authorizationCreation
      else if ((extras.authorizations?.length ?? 0) === 0) code = REJECTION.authorizationsMissing
    } else if (batch.type[i] === TYPE_BLOB) {
      code = blobRejection(extras, batch.creates[i] === 1, blobBaseFee, isAtLeast(fork, 'osaka'))
      const gas = GAS_PER_BLOB * (extras.blobVersionedHashes?.length ?? 0)
      blobGas[i] = gas
      const at = LIMBS_PER_WORD * i
      const most = wordToBigInt(cost, at) + BigInt(gas) * (extras.maxFeePerBlobGas ?? 0n)
      if (most >> 256n === 0n) wordFromBigInt(cost, at, most)
      else if (code === 0) code = REJECTION.insufficientFunds
      // Beyond 2^256 only where the fee cap is too low, or the cost above what a word holds: refused either way.
      wordFromBigInt(extraFee, at, BigInt.asUintN(256, BigInt(gas) * blobBaseFee))
      if (gas > maxBlobGas) code = REJECTION.blobGasReached
    }
    if (code !== 0 && (rejection[i] === 0 || code < rejection[i]!)) rejection[i] = code
  }
  return { blobGas, extraFee, maxBlobGas }
}

const blobRejection = (
  { blobVersionedHashes = [], maxFeePerBlobGas = 0n }: TransactionExtras,
  creates: boolean,
  blobBaseFee: bigint,
  isLimited: boolean,
): Rejection | 0 => {
  if (creates) return REJECTION.blobCreation
  if (blobVersionedHashes.length === 0) return REJECTION.blobsMissing
  if (isLimited && blobVersionedHashes.length > MAX_TRANSACTION_BLOBS) return REJECTION.tooManyBlobs
  for (const hash of blobVersionedHashes) {
    if (Number.parseInt(hash.slice(2, 4), 16) !== BLOB_HASH_VERSION) return REJECTION.blobHashVersion
  }
  return maxFeePerBlobGas < blobBaseFee ? REJECTION.blobFeeCapTooLow : 0
}

/**
 * Effective gas price and priority fee of transaction i (EIP-1559): priority = min(tip, fee cap - base fee). Types 0
 * and 1 have both caps equal to their gas price. Returns the rejection code, 0 where the fees are in order.
 * `base` is the base fee as a number: fees below 2^53 wei are reckoned in doubles, in half the time.
 */
const feePrices = (
  batch: TransactionBatch,
  i: number,
  baseFee: Uint32Array,
  base: number,
  price: Uint32Array,
  priority: Uint32Array,
): number => {
  const at = LIMBS_PER_WORD * i
  const { maxFeePerGas, maxPriorityFeePerGas } = batch
  const fee = wordToNumber(maxFeePerGas, at)
  const tip = batch.type[i]! >= 2 ? wordToNumber(maxPriorityFeePerGas, at) : fee
  if (fee === Infinity || tip === Infinity || base === Infinity) {
    return wideFeePrices(batch, i, baseFee, price, priority)
  }
  if (tip > fee) return REJECTION.tipAboveFeeCap
  if (fee < base) return REJECTION.feeCapBelowBaseFee
  const paid = Math.min(tip, fee - base)
  priority[at] = paid
  priority[at + 1] = paid / 0x1_0000_0000
  price[at] = paid + base
  price[at + 1] = (paid + base) / 0x1_0000_0000
  return 0
}

const wideFeePrices = (
  batch: TransactionBatch,
  i: number,
  baseFee: Uint32Array,
  price: Uint32Array,
  priority: Uint32Array,
): number => {
  const at = LIMBS_PER_WORD * i
  const { maxFeePerGas, maxPriorityFeePerGas } = batch
  if (batch.type[i]! >= 2 && wordCompare(maxPriorityFeePerGas, at, maxFeePerGas, at) > 0) {
    return REJECTION.tipAboveFeeCap
  }
  if (wordSub(priority, at, maxFeePerGas, at, baseFee, 0) !== 0) {
    priority.fill(0, at, at + LIMBS_PER_WORD)
    return REJECTION.feeCapBelowBaseFee
  }
  if (batch.type[i]! < 2 || wordCompare(maxPriorityFeePerGas, at, priority, at) >= 0) {
    wordCopy(price, at, maxFeePerGas, at)
    return 0
  }
  wordCopy(priority, at, maxPriorityFeePerGas, at)
  wordAdd(price, at, maxPriorityFeePerGas, at, baseFee, 0)
  return 0
}

const scratch = new Uint32Array(LIMBS_PER_WORD)

/** cost[i] = gas limit * max fee + value. Returns whether it passes 2^256. */
const upfrontCost = (batch: TransactionBatch, i: number, cost: Uint32Array): boolean => {
  const at = LIMBS_PER_WORD * i
  let overflow = wordMulSmall(cost, at, batch.maxFeePerGas, at, batch.gasLimit[2 * i]!)
  const high = batch.gasLimit[2 * i + 1]!
  if (high !== 0) {
    overflow |= wordMulSmall(scratch, 0, batch.maxFeePerGas, at, high) | scratch[LIMBS_PER_WORD - 1]!
    scratch.copyWithin(1, 0, LIMBS_PER_WORD - 1)
    scratch[0] = 0
    overflow |= wordAdd(cost, at, cost, at, scratch, 0)
  }
  if (wordIsZero(batch.value, at)) return overflow !== 0
  return (overflow | wordAdd(cost, at, cost, at, batch.value, at)) !== 0
}
