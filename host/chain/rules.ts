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
import { REJECTION, type Rejection } from './rejection.ts'

/**
 * The gas of each transaction that does not depend on execution. Doubles are exact: calldata is below 2^32 bytes.
 *
 * intrinsic   f64[n]   charged before the first step (YP 6.2; EIP-2, 2028, 2930, 3860, 7702)
 * floor       f64[n]   least gas used in the end (EIP-7623, Prague); 0 before
 */
export interface GasBounds {
  readonly intrinsic: Float64Array
  readonly floor: Float64Array
}

/**
 * The rules that a transaction meets whatever the state is. Words are in limb order, 8 u32 each.
 *
 * gasLimit    f64[n]     as a double: exact below 2^53, and no rule tells larger ones apart; the block's gas does,
 *                        and reads the batch's own column (settle/block_gas.ts)
 * price       u32[8 n]   wei per gas that the sender pays (EIP-1559 effective gas price)
 * priority    u32[8 n]   the part of it that the coinbase gets; the rest is burnt
 * cost        u32[8 n]   wei the sender must hold: gas limit * max fee per gas + value + blob gas * max fee per blob
 *                        gas
 * rejection   u8[n]      REJECTION code, 0 where no static rule is broken; the columns above are zero where one is
 *                        broken that makes them meaningless
 * blobGas     f64[n]     EIP-4844; both are empty where no transaction of the batch has blobs
 * blobFee     u32[8 n]   wei burnt for it beside gas used * price: blob gas * blob base fee
 * maxBlobGas             of the whole block
 *
 * A deposit pays nothing and breaks no static rule: its price, priority and cost are zero.
 */
export interface TransactionRules extends GasBounds {
  readonly gasLimit: Float64Array
  readonly price: Uint32Array
  readonly priority: Uint32Array
  readonly cost: Uint32Array
  readonly rejection: Uint8Array
  readonly blobGas: Float64Array
  readonly blobFee: Uint32Array
  readonly maxBlobGas: number
}

/** Intrinsic gas and floor of every transaction of the batch at `fork`. */
export const gasBounds = (batch: TransactionBatch, fork: Fork): GasBounds => {
  const { count, data, dataStart, creates, accessStart, accessKeyStart } = batch
  const intrinsic = new Float64Array(count)
  const floor = new Float64Array(count)
  const nonZeroGas = valueAt(GAS_CALLDATA_NONZERO_BY_FORK, fork)
  const createGas = valueAt(GAS_TRANSACTION_CREATE_BY_FORK, fork)
  const initcodeWordGas = isAtLeast(fork, 'shanghai') ? GAS_INITCODE_WORD : 0
  const hasFloor = isAtLeast(fork, 'prague')
  const words = new Uint32Array(data.buffer, data.byteOffset & ~3, ((data.byteOffset & 3) + data.length) >>> 2)
  for (let i = 0; i < count; i++) {
    const start = dataStart[i]!
    const end = dataStart[i + 1]!
    const nonZero = nonZeroBytes(data, words, start, end)
    const zero = end - start - nonZero
    let gas = GAS_TRANSACTION + zero * GAS_CALLDATA_ZERO + nonZero * nonZeroGas
    if (creates[i] === 1) gas += createGas + initcodeWordGas * Math.ceil((end - start) / 32)
    const entries = accessStart[i + 1]! - accessStart[i]!
    if (entries !== 0) {
      const keys = accessKeyStart[accessStart[i + 1]!]! - accessKeyStart[accessStart[i]!]!
      gas += entries * GAS_ACCESS_LIST_ADDRESS + keys * GAS_ACCESS_LIST_KEY
    }
    intrinsic[i] = gas
    if (hasFloor) floor[i] = GAS_TRANSACTION + GAS_FLOOR_TOKEN * (zero + TOKENS_PER_NONZERO_BYTE * nonZero)
  }
  for (const [i, { authorizations }] of batch.extras) {
    if (authorizations !== undefined) intrinsic[i]! += GAS_AUTHORIZATION_NEW_ACCOUNT * authorizations.length
  }
  return { intrinsic, floor }
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

/**
 * Applies every static rule of `fork` to the batch.
 * Cost on the machine of host/primitives/word.ts: 0.35 us per ERC-20 transfer (68 bytes of calldata), 0.25 us per plain
 * transfer.
 */
export const transactionRules = (batch: TransactionBatch, fork: Fork, env: BlockEnvironment): TransactionRules => {
  const { count } = batch
  const { intrinsic, floor } = gasBounds(batch, fork)
  const gasLimit = new Float64Array(count)
  const price = new Uint32Array(LIMBS_PER_WORD * count)
  const priority = new Uint32Array(LIMBS_PER_WORD * count)
  const cost = new Uint32Array(LIMBS_PER_WORD * count)
  const rejection = new Uint8Array(count)
  const baseFee = new Uint32Array(LIMBS_PER_WORD)
  wordFromBigInt(baseFee, 0, isAtLeast(fork, 'london') ? env.baseFeePerGas : 0n)
  const base = wordToNumber(baseFee, 0)
  const highestType = highestTypeAt(fork)
  const special: number[] = []
  const gasCap = isAtLeast(fork, 'osaka') ? MAX_TRANSACTION_GAS : Infinity
  const initcodeCap = isAtLeast(fork, 'shanghai') ? MAX_INITCODE_BYTES : Infinity
  for (let i = 0; i < count; i++) {
    const limit = batch.gasLimit[2 * i + 1]! * 0x1_0000_0000 + batch.gasLimit[2 * i]!
    gasLimit[i] = limit
    const type = batch.type[i]!
    if (type > highestType) {
      const isDeposit = type === TYPE_DEPOSIT && batch.extras.get(i)?.deposit !== undefined
      if (!isDeposit) rejection[i] = REJECTION.typeNotSupported
      continue
    }
    if (type >= TYPE_BLOB) special.push(i)
    let code: number = feePrices(batch, i, baseFee, base, price, priority)
    if (upfrontCost(batch, i, cost) && code === 0) code = REJECTION.insufficientFunds
    if (code === 0) {
      if (limit < intrinsic[i]!) code = REJECTION.intrinsicGas
      else if (limit < floor[i]!) code = REJECTION.floorGas
      else if (batch.creates[i] === 1 && batch.dataStart[i + 1]! - batch.dataStart[i]! > initcodeCap)
        code = REJECTION.initcodeSize
    }
    if (limit > gasCap) code = REJECTION.gasLimitTooHigh
    if (batch.nonce[2 * i] === 0xffff_ffff && batch.nonce[2 * i + 1] === 0xffff_ffff) code = REJECTION.nonceMax
    rejection[i] = code
  }
  const { blobGas, blobFee, maxBlobGas } = extraRules(batch, special, fork, env, cost, rejection)
  return { intrinsic, floor, gasLimit, price, priority, cost, rejection, blobGas, blobFee, maxBlobGas }
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
): Pick<TransactionRules, 'blobGas' | 'blobFee' | 'maxBlobGas'> => {
  const maxBlobGas = GAS_PER_BLOB * (env.maxBlobs ?? valueAt(MAX_BLOBS_BY_FORK, fork))
  const hasBlobs = special.some((i) => batch.type[i] === TYPE_BLOB)
  const blobGas = new Float64Array(hasBlobs ? batch.count : 0)
  const blobFee = new Uint32Array(hasBlobs ? LIMBS_PER_WORD * batch.count : 0)
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
      wordFromBigInt(blobFee, at, BigInt.asUintN(256, BigInt(gas) * blobBaseFee))
      if (gas > maxBlobGas) code = REJECTION.blobGasReached
    }
    if (code !== 0 && (rejection[i] === 0 || code < rejection[i]!)) rejection[i] = code
  }
  return { blobGas, blobFee, maxBlobGas }
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
