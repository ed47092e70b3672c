import package::u256::add::{u256_is_negative, u256_negate_if};
import package::u256::bits::u256_bit_length;
import package::u256::compare::u256_is_zero;
import package::u256::digits::{u256_append_digit, u256_digit_reciprocal, u256_divide_digit, u256_from_digits};
import package::u256::digits::u256_to_digits;
import package::u256::shift::{u256_shift_left, u256_shift_right};
import package::u256::u256::{U256, U256_ONE, U256_ZERO, u256_select};

struct U256DivMod {
  quotient: U256,
  remainder: U256,
}

/// n / d and n mod d; both 0 for d = 0 (YP appendix H, 0x04 and 0x06).
///
/// Knuth's algorithm D (TAOCP 4.3.1) in base 2^16 with a fixed shape: the divisor is shifted to fill 256 bits, so that
/// every digit has a constant place and only the number of quotient digits varies. With k = bits(n) - bits(d) the
/// quotient has m = k / 16 + 1 digits. The dividend is shifted to fill 256 bits less t = 16 m - k (1..16), so it stays
/// below the divisor; the t bits pushed out are the only digit that is not zero among those fed to the remainder.
fn u256_divmod(n: U256, d: U256) -> U256DivMod {
  let by_zero = u256_is_zero(d);
  let divisor = u256_select(d, U256_ONE, by_zero);
  let n_bits = u256_bit_length(n);
  let d_bits = u256_bit_length(divisor);
  let smaller = n_bits < d_bits;
  let difference = n_bits - d_bits;
  let digit_count = select((difference >> 4u) + 1u, 0u, smaller | by_zero);
  let tail_bits = 16u - (difference & 15u);
  let digits = u256_to_digits(u256_shift_left(divisor, 256u - d_bits));
  let reciprocal = u256_digit_reciprocal(digits.d3.w);
  let full = u256_shift_left(n, 256u - n_bits);
  var remainder = u256_to_digits(u256_shift_right(full, tail_bits));
  var next = (full.lo.x << (16u - tail_bits)) & 0xffffu;
  var quotient = U256_ZERO;
  for (var i = 0u; i < digit_count; i++) {
    let step = u256_divide_digit(remainder, next, digits, reciprocal);
    remainder = step.remainder;
    quotient = u256_append_digit(quotient, step.digit);
    next = 0u;
  }
  let rest = u256_shift_right(u256_from_digits(remainder), 256u - d_bits);
  return U256DivMod(quotient, u256_select(u256_select(rest, n, smaller), U256_ZERO, by_zero));
}

fn u256_div(n: U256, d: U256) -> U256 {
  return u256_divmod(n, d).quotient;
}

fn u256_mod(n: U256, d: U256) -> U256 {
  return u256_divmod(n, d).remainder;
}

/// Signed division, rounded to zero; -2^255 / -1 = -2^255 falls out of the wrap (YP appendix H, 0x05).
fn u256_sdiv(n: U256, d: U256) -> U256 {
  let n_negative = u256_is_negative(n);
  let d_negative = u256_is_negative(d);
  let quotient = u256_div(u256_negate_if(n, n_negative), u256_negate_if(d, d_negative));
  return u256_negate_if(quotient, n_negative != d_negative);
}

/// Signed remainder with the sign of the dividend (YP appendix H, 0x07).
fn u256_smod(n: U256, d: U256) -> U256 {
  let n_negative = u256_is_negative(n);
  let remainder = u256_mod(u256_negate_if(n, n_negative), u256_negate_if(d, u256_is_negative(d)));
  return u256_negate_if(remainder, n_negative);
}
