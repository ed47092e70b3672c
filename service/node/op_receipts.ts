import { daFootprint, estimatedSize, type L1Attributes, l1FeeOf, l1Measures } from '../../host/chain/op/l1_fees.ts'
import { isOpAtLeast, type OpFork } from '../../host/chain/op/op_forks.ts'
import type { TransactionObject } from '../../host/index.ts'

export const TYPE_DEPOSIT = 0x7e

/** What a transaction of a block paid for its data, and by what. */
export interface L1FeeView {
  readonly fee: bigint
  readonly gasUsed: bigint
  readonly gasPrice: bigint
  /** Before Ecotone, in millionths. */
  readonly scalar: bigint | undefined
  /** From Ecotone on. */
  readonly baseFeeScalar: bigint | undefined
  readonly blobBaseFee: bigint | undefined
  readonly blobBaseFeeScalar: bigint | undefined
  /** From Isthmus on, where the operator takes something. */
  readonly operatorFeeScalar: bigint | undefined
  readonly operatorFeeConstant: bigint | undefined
  /** From Jovian on, with the gas of the block that its data takes. */
  readonly daFootprintGasScalar: bigint | undefined
  readonly daFootprint: bigint | undefined
}

/** Calls that set the attributes, by selector: setL1BlockValues, and those of Ecotone, Isthmus and Jovian. */
const BEDROCK = '0x015d8eb9'
const ECOTONE = '0x440a5e20'
const ISTHMUS = '0x098999be'
const JOVIAN = '0x3db6be2b'

const NO_ATTRIBUTES: L1Attributes = {
  baseFee: 0n,
  overhead: 0n,
  scalar: 0n,
  blobBaseFee: 0n,
  baseFeeScalar: 0n,
  blobBaseFeeScalar: 0n,
  operatorFeeScalar: 0n,
  operatorFeeConstant: 0n,
  daFootprintGasScalar: 0n,
}

/**
 * What the first deposit of a block says of the L1 (op-stack specification, ecotone, isthmus and jovian l1-attributes);
 * undefined where it is no such call. The first block of a fork still has the call of the fork before it.
 */
const l1AttributesOf = (first: TransactionObject | undefined): L1Attributes | undefined => {
  const data = first?.type === TYPE_DEPOSIT ? (first.data ?? '0x') : '0x'
  /** Big-endian bytes at an offset; what is beyond the end is zero. */
  const field = (offset: number, bytes: number): bigint =>
    BigInt(`0x${data.slice(2 + 2 * offset, 2 + 2 * (offset + bytes)).padEnd(2 * bytes, '0')}`)
  const word = (n: number): bigint => field(4 + 32 * n, 32)
  const selector = data.slice(0, 10)
  if (selector === BEDROCK) return { ...NO_ATTRIBUTES, baseFee: word(2), overhead: word(6), scalar: word(7) }
  if (selector !== ECOTONE && selector !== ISTHMUS && selector !== JOVIAN) return undefined
  return {
    ...NO_ATTRIBUTES,
    baseFeeScalar: field(4, 4),
    blobBaseFeeScalar: field(8, 4),
    baseFee: field(36, 32),
    blobBaseFee: field(68, 32),
    ...(selector === ECOTONE ? {} : { operatorFeeScalar: field(164, 4), operatorFeeConstant: field(168, 8) }),
    ...(selector === JOVIAN ? { daFootprintGasScalar: field(176, 2) } : {}),
  }
}

/** By transaction; deposits pay nothing and have none. */
export const l1FeeViews = (
  fork: OpFork,
  bytes: readonly Uint8Array[],
  transactions: readonly TransactionObject[],
): readonly (L1FeeView | undefined)[] => {
  const l1 = l1AttributesOf(transactions[0])
  if (l1 === undefined) return transactions.map(() => undefined)
  const measures = l1Measures(bytes, fork)
  return transactions.map(({ type }, i) => (type === TYPE_DEPOSIT ? undefined : l1FeeView(l1, fork, measures[i]!)))
}

const MILLION = 1_000_000n

const l1FeeView = (l1: L1Attributes, fork: OpFork, measure: number): L1FeeView => {
  const hasScalars = l1.baseFeeScalar !== 0n || l1.blobBaseFeeScalar !== 0n
  const isEcotone = isOpAtLeast(fork, 'fjord') || (isOpAtLeast(fork, 'ecotone') && hasScalars)
  const hasOperator = isOpAtLeast(fork, 'isthmus') && (l1.operatorFeeScalar !== 0n || l1.operatorFeeConstant !== 0n)
  const isJovian = isOpAtLeast(fork, 'jovian')
  const gasUsed = isOpAtLeast(fork, 'fjord')
    ? (BigInt(estimatedSize(measure)) * 16n) / MILLION
    : BigInt(measure) + (isEcotone ? 0n : l1.overhead)
  return {
    fee: l1FeeOf(l1, fork, measure),
    gasUsed,
    gasPrice: l1.baseFee,
    scalar: isEcotone ? undefined : l1.scalar,
    baseFeeScalar: isEcotone ? l1.baseFeeScalar : undefined,
    blobBaseFee: isEcotone ? l1.blobBaseFee : undefined,
    blobBaseFeeScalar: isEcotone ? l1.blobBaseFeeScalar : undefined,
    operatorFeeScalar: hasOperator ? l1.operatorFeeScalar : undefined,
    operatorFeeConstant: hasOperator ? l1.operatorFeeConstant : undefined,
    daFootprintGasScalar: isJovian ? l1.daFootprintGasScalar : undefined,
    daFootprint: isJovian ? BigInt(daFootprint(measure, l1.daFootprintGasScalar)) : undefined,
  }
}
