import { OPERATOR_CONSTANT, OPERATOR_MILLIONTH, OPERATOR_SCALAR } from './layout'

/** The upper 64 bits of what `operatorFee` gave. */
export let operatorHigh: u64 = 0

/**
 * What the operator of a chain of the OP stack takes for gas below 2^32 (host/chain/op/charges.ts): the lower 64 bits.
 * `mark` is not OPERATOR_NONE.
 */
@inline
export function operatorFee(gas: u64, mark: u32): u64 {
  // Gas below 2^32 times a scalar of 32 bits stays below 64 bits; the hundredfold does not.
  const product = gas * <u64>load<u32>(OPERATOR_SCALAR)
  let low = product / 1000000
  let high: u64 = 0
  if (mark != OPERATOR_MILLIONTH) {
    const part = (product & 0xffffffff) * 100
    const upper = (product >> 32) * 100 + (part >> 32)
    low = (upper << 32) | (part & 0xffffffff)
    high = upper >> 32
  }
  const constant = load<u64>(OPERATOR_CONSTANT)
  low += constant
  operatorHigh = high + u64(low < constant)
  return low
}
