import package::u256::add::u256_add_carry;
import package::u256::bits::{u256_bit_length, u256_or};
import package::u256::compare::u256_is_zero;
import package::u256::digits::{u256_append_digit, u256_digit_reciprocal, u256_divide_digit, u256_from_digits};
import package::u256::digits::u256_to_digits;
import package::u256::div::U256DivMod;
import package::u256::mul::{U512, u256_mul_wide};
import package::u256::shift::{u256_shift_left, u256_shift_right};
import package::u256::u256::{U256, U256_ONE, U256_ZERO, u256_from_u32, u256_select};

/// x / d, low 256 bits, and x mod d for a 512-bit x; both 0 for d = 0.
///
/// The divider of u256_divmod over up to 32 quotient digits: the upper half of the shifted dividend starts as the
/// remainder, the lower half and the t bits pushed out of it are fed digit by digit.
fn u256_divmod_wide(x: U512, d: U256) -> U256DivMod {
  let by_zero = u256_is_zero(d);
  let divisor = u256_select(d, U256_ONE, by_zero);
  let short = u256_is_zero(x.hi);
  // Whole words first, so that the upper one is zero only for x = 0.
  let upper = u256_select(x.hi, x.lo, short);
  let lower = u256_select(x.lo, U256_ZERO, short);
  let upper_bits = u256_bit_length(upper);
  let x_bits = upper_bits + select(256u, 0u, short);
  let d_bits = u256_bit_length(divisor);
  let smaller = x_bits < d_bits;
  let difference = x_bits - d_bits;
  let digit_count = select((difference >> 4u) + 1u, 0u, smaller | by_zero);
  let tail_bits = 16u - (difference & 15u);
  let digits = u256_to_digits(u256_shift_left(divisor, 256u - d_bits));
  let reciprocal = u256_digit_reciprocal(digits.d3.w);
  let crossing = u256_select(u256_shift_right(lower, upper_bits & 255u), U256_ZERO, upper_bits == 256u);
  let full_upper = u256_or(u256_shift_left(upper, 256u - upper_bits), crossing);
  let full_lower = u256_shift_left(lower, 256u - upper_bits);
  var remainder = u256_to_digits(u256_shift_right(full_upper, tail_bits));
  var feed = u256_shift_right(full_lower, tail_bits);
  feed.hi.w |= full_upper.lo.x << (32u - tail_bits);
  var tail = (full_lower.lo.x << (16u - tail_bits)) & 0xffffu;
  var quotient = U256_ZERO;
  for (var i = 0u; i < digit_count; i++) {
    let step = u256_divide_digit(remainder, feed.hi.w >> 16u, digits, reciprocal);
    remainder = step.remainder;
    quotient = u256_append_digit(quotient, step.digit);
    feed = u256_append_digit(feed, tail);
    tail = 0u;
  }
  let rest = u256_shift_right(u256_from_digits(remainder), 256u - d_bits);
  return U256DivMod(quotient, u256_select(u256_select(rest, x.lo, smaller), U256_ZERO, by_zero));
}

fn u256_mod_wide(x: U512, d: U256) -> U256 {
  return u256_divmod_wide(x, d).remainder;
}

/// (a + b) mod n over the 257-bit sum; 0 for n = 0 (YP appendix H, 0x08).
fn u256_addmod(a: U256, b: U256, n: U256) -> U256 {
  let total = u256_add_carry(a, b);
  return u256_mod_wide(U512(total.sum, u256_from_u32(total.carry)), n);
}

/// (a * b) mod n over the 512-bit product; 0 for n = 0 (YP appendix H, 0x09).
fn u256_mulmod(a: U256, b: U256, n: U256) -> U256 {
  return u256_mod_wide(u256_mul_wide(a, b), n);
}
