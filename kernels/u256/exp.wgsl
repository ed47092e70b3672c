import package::u256::bits::u256_bit_length;
import package::u256::mul::u256_mul;
import package::u256::shift::u256_shift_left;
import package::u256::u256::{U256, U256_ONE, u256_select};

/// base ^ exponent mod 2^256, 0 ^ 0 = 1 (YP appendix H, 0x0a).
///
/// Left-to-right square and multiply around a single multiplication site: each turn either squares, or multiplies by
/// the base when the bit just squared for was set. The number of turns is bits(exponent) + ones(exponent) - 2.
fn u256_exp(base: U256, exponent: U256) -> U256 {
  let bits = u256_bit_length(exponent);
  let ones_of_limb = countOneBits(exponent.lo) + countOneBits(exponent.hi);
  let ones = ones_of_limb.x + ones_of_limb.y + ones_of_limb.z + ones_of_limb.w;
  let turns = select(bits + ones - 2u, 0u, bits == 0u);
  // The bits that are left, from the top of the word; the leading one is spent by starting at the base.
  var left = u256_shift_left(u256_shift_left(exponent, 255u - min(bits - 1u, 255u)), 1u);
  var power = base;
  var multiply = false;
  for (var i = 0u; i < turns; i++) {
    let factor = u256_select(power, base, multiply);
    power = u256_mul(power, factor);
    let bit = (left.hi.w >> 31u) != 0u;
    left = u256_select(u256_shift_left(left, 1u), left, multiply);
    multiply = !multiply & bit;
  }
  return u256_select(power, U256_ONE, bits == 0u);
}
