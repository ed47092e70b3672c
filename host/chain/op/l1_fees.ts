import { LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { repeatWord, wordCopy, wordFromBigInt } from '../../primitives/word.ts'
import { type SignedTransactions, signedCount, signedLength } from '../packed.ts'
import { fastLzLengths, zeroByteCounts } from './fast_lz.ts'
import { isOpAtLeast, type OpFork } from './op_forks.ts'

/**
 * What the L1Block contract says of the L1 and of the fees of this chain, as its slots hold it
 * (optimism rust/op-revm, l1block.rs and constants.rs).
 */
export interface L1Attributes {
  /** Wei per gas of the L1. */
  readonly baseFee: bigint
  /** Before Ecotone, and in its first block. */
  readonly overhead: bigint
  readonly scalar: bigint
  /** From Ecotone on. */
  readonly blobBaseFee: bigint
  readonly baseFeeScalar: bigint
  readonly blobBaseFeeScalar: bigint
  /** From Isthmus on. */
  readonly operatorFeeScalar: bigint
  readonly operatorFeeConstant: bigint
  /** From Jovian on. */
  readonly daFootprintGasScalar: bigint
}

/** Slots of the L1Block contract. Fields of one lie at big-endian byte offsets. */
const BASE_FEE_SLOT = 1n
const SCALARS_SLOT = 3n
const OVERHEAD_SLOT = 5n
const SCALAR_SLOT = 6n
const BLOB_BASE_FEE_SLOT = 7n
const FEES_SLOT = 8n

/** Reads what a fork knows of the attributes; the rest is zero. `slot` answers for the L1Block contract. */
export const readL1Attributes = async (
  fork: OpFork,
  slot: (key: bigint) => bigint | Promise<bigint>,
): Promise<L1Attributes> => {
  const hasBlobs = isOpAtLeast(fork, 'ecotone')
  const baseFee = await slot(BASE_FEE_SLOT)
  const scalars = hasBlobs ? await slot(SCALARS_SLOT) : 0n
  const blobBaseFee = hasBlobs ? await slot(BLOB_BASE_FEE_SLOT) : 0n
  const fees = isOpAtLeast(fork, 'isthmus') ? await slot(FEES_SLOT) : 0n
  const attributes = {
    baseFee,
    overhead: 0n,
    scalar: 0n,
    blobBaseFee,
    baseFeeScalar: fieldOf(scalars, 16, 4),
    blobBaseFeeScalar: fieldOf(scalars, 20, 4),
    operatorFeeScalar: fieldOf(fees, 20, 4),
    operatorFeeConstant: fieldOf(fees, 24, 8),
    daFootprintGasScalar: isOpAtLeast(fork, 'jovian') ? fieldOf(fees, 18, 2) : 0n,
  }
  if (isOpAtLeast(fork, 'fjord') || (hasBlobs && !isWithoutScalars(attributes))) return attributes
  return { ...attributes, overhead: await slot(OVERHEAD_SLOT), scalar: await slot(SCALAR_SLOT) }
}

const WORD_BYTES = 32

const fieldOf = (word: bigint, offset: number, bytes: number): bigint =>
  BigInt.asUintN(8 * bytes, word >> BigInt(8 * (WORD_BYTES - offset - bytes)))

const MOST = (1n << 256n) - 1n
/** Products and sums stay at the largest word. */
const saturated = (value: bigint): bigint => (value > MOST ? MOST : value)

const NONZERO_GAS = 16
const ZERO_GAS = 4
/** Bytes of a signature, none of them zero, that were counted twice before Regolith. */
const SIGNATURE_BYTES = 68
const MILLION = 1_000_000n

/** Linear estimate of what a batch compresses a transaction to, in millionths of a byte (Fjord). */
const FASTLZ_COEFFICIENT = 836_500
const FASTLZ_INTERCEPT = -42_585_600
const LEAST_SIZE = 100_000_000

/** Millionths of a byte that a transaction whose FastLZ length this is counts for. */
export const estimatedSize = (fastLzLength: number): number =>
  Math.max(LEAST_SIZE, FASTLZ_COEFFICIENT * fastLzLength + FASTLZ_INTERCEPT)

/** Gas of the bytes of a transaction before Fjord: of its `zeroes` zero bytes among `length`. */
const l1DataGas = (length: number, zeroes: number, fork: OpFork): number =>
  ZERO_GAS * zeroes + NONZERO_GAS * (length - zeroes + (isOpAtLeast(fork, 'regolith') ? 0 : SIGNATURE_BYTES))

/** Wei for data of this gas before Ecotone. */
const bedrockFee = ({ baseFee, overhead, scalar }: L1Attributes, gas: number): bigint =>
  saturated(saturated((BigInt(gas) + overhead) * baseFee) * scalar) / MILLION

/** What the L1 takes for a byte, times 16 and a million. */
const scaledFee = (l1: L1Attributes): bigint =>
  saturated(
    saturated(saturated(l1.baseFee * 16n) * l1.baseFeeScalar) + saturated(l1.blobBaseFee * l1.blobBaseFeeScalar),
  )

/** In the first Ecotone block the contract does not have the scalars yet: the fee is that of before. */
const isWithoutScalars = ({ baseFeeScalar, blobBaseFeeScalar }: L1Attributes): boolean =>
  baseFeeScalar === 0n && blobBaseFeeScalar === 0n

/** The fee of a transaction by its gas of data (l1DataGas), from Fjord on by its FastLZ length. */
export const l1FeeOf = (l1: L1Attributes, fork: OpFork, measure: number): bigint => {
  if (isOpAtLeast(fork, 'fjord')) return saturated(BigInt(estimatedSize(measure)) * scaledFee(l1)) / (MILLION * MILLION)
  if (!isOpAtLeast(fork, 'ecotone') || isWithoutScalars(l1)) return bedrockFee(l1, measure)
  return saturated(scaledFee(l1) * BigInt(measure)) / (16n * MILLION)
}

/**
 * Bytes of a transaction that has LEAST_SIZE whatever its bytes are. A match takes a byte less than it stands for, at
 * least, and ends a run of literals, which takes one more: so FastLZ makes at most n + ceil(n / 32) bytes of n, and
 * LEAST_SIZE is that of 170 and less.
 */
export const LEAST_SIZE_BYTES = 164

/**
 * What a fork measures of each signed transaction, u32: from Fjord on its FastLZ length, or 0 where it is so short that
 * any length has one size; before, the gas of its bytes. Those of a deposit mean nothing.
 */
export const l1Measures = (signed: SignedTransactions, fork: OpFork): Uint32Array => {
  if (isOpAtLeast(fork, 'fjord')) return fastLzLengths(signed, LEAST_SIZE_BYTES)
  const zeroes = zeroByteCounts(signed)
  for (let i = 0; i < signedCount(signed); i++) zeroes[i] = l1DataGas(signedLength(signed, i), zeroes[i]!, fork)
  return zeroes
}

/** fees[8 i ..] = the L1 fee of the transaction with measures[i]. Each different measure is reckoned once. */
export const l1FeeWords = (l1: L1Attributes, fork: OpFork, measures: Uint32Array): Uint32Array => {
  const fees = new Uint32Array(LIMBS_PER_WORD * measures.length)
  /** By measure: the first transaction with it. */
  const first = new Map<number, number>()
  for (let i = 0; i < measures.length; ) {
    const measure = measures[i]!
    const at = LIMBS_PER_WORD * i
    const known = first.get(measure)
    if (known === undefined) {
      wordFromBigInt(fees, at, l1FeeOf(l1, fork, measure))
      first.set(measure, i)
    } else wordCopy(fees, at, fees, LIMBS_PER_WORD * known)
    let end = i + 1
    while (end < measures.length && measures[end] === measure) end++
    repeatWord(fees, at, end - i)
    i = end
  }
  return fees
}

/** What the operator of the chain takes beside gas (Isthmus; ten thousand times the scalar from Jovian on). */
export interface OperatorFee {
  readonly scalar: bigint
  readonly constant: bigint
  readonly fork: OpFork
}

/** Undefined where nothing is taken. */
export const operatorFeeOf = (l1: L1Attributes, fork: OpFork): OperatorFee | undefined => {
  const { operatorFeeScalar: scalar, operatorFeeConstant: constant } = l1
  if (!isOpAtLeast(fork, 'isthmus') || (scalar === 0n && constant === 0n)) return undefined
  return { scalar, constant, fork }
}

const JOVIAN_MULTIPLIER = 100n

/** Wei for so much gas. */
export const operatorFee = ({ scalar, constant, fork }: OperatorFee, gas: bigint): bigint => {
  const product = saturated(gas * scalar)
  const part = isOpAtLeast(fork, 'jovian') ? saturated(product * JOVIAN_MULTIPLIER) : product / MILLION
  return saturated(part + constant)
}

/** Gas that the data of a transaction counts for in its block (Jovian): by its FastLZ length. */
export const daFootprint = (fastLzLength: number, gasScalar: bigint): number =>
  Math.floor(estimatedSize(fastLzLength) / Number(MILLION)) * Number(gasScalar)
