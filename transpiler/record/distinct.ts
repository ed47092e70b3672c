import type { Builder } from '../ir/builder.ts'
import type { ValueId } from '../ir/path_ir.ts'

/** Where values are looked up: a builder, or the values of a finished path. */
export type ValueSource = Pick<Builder, 'value' | 'constantOf'>

interface KeyShape {
  readonly base: ValueId
  readonly offset: bigint
}

const HALF_RANGE = 1n << 64n
const WORD = 1n << 256n

const shapeOf = (builder: ValueSource, id: ValueId): KeyShape => {
  const value = builder.value(id)
  if (value.op === 'add') {
    const offset = builder.constantOf(value.args[1]!)
    if (offset !== undefined) return { base: value.args[0]!, offset }
  }
  return { base: id, offset: 0n }
}

/** Pairs of keys that one question may look at: a nested mapping needs a few; chains of hashes would need 2^depth. */
const MAX_PAIRS = 64

const isSmall = (offset: bigint): boolean => offset < HALF_RANGE || WORD - offset < HALF_RANGE

/**
 * True when two keys differ for every lane, so no guard is needed.
 *
 * Claims: unequal constants differ; k + a and k + b differ for constants a != b; hashes of different lengths, or of
 * inputs that provably differ in one word, differ, also after adding offsets below 2^64 (collision resistance of
 * keccak-256, on which Solidity's layout rests); a hash plus such an offset is no constant below 2^64.
 * Everything else is left to a guard.
 */
export const provablyDistinct = (builder: ValueSource, a: ValueId, b: ValueId): boolean =>
  differ(builder, a, b, { pairs: MAX_PAIRS })

const differ = (builder: ValueSource, a: ValueId, b: ValueId, budget: { pairs: number }): boolean => {
  if (a === b || budget.pairs-- <= 0) return false
  const ca = builder.constantOf(a)
  const cb = builder.constantOf(b)
  if (ca !== undefined && cb !== undefined) return ca !== cb
  const left = shapeOf(builder, a)
  const right = shapeOf(builder, b)
  if (left.base === right.base) return left.offset !== right.offset
  if (!isSmall(left.offset) || !isSmall(right.offset)) return false
  const leftBase = builder.value(left.base)
  const rightBase = builder.value(right.base)
  if (leftBase.op === 'keccak' && cb !== undefined) return cb < HALF_RANGE
  if (rightBase.op === 'keccak' && ca !== undefined) return ca < HALF_RANGE
  if (leftBase.op !== 'keccak' || rightBase.op !== 'keccak') return false
  if (leftBase.attribute !== rightBase.attribute) return true
  return leftBase.args.some((argument, index) => differ(builder, argument, rightBase.args[index]!, budget))
}
