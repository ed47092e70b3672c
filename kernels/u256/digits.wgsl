import package::u256::u256::U256;

/// A word as 16 digits of 16 bits, least significant first (digit 0 = d0.x): the form in which the divider works.
struct U256Digits {
  d0: vec4<u32>,
  d1: vec4<u32>,
  d2: vec4<u32>,
  d3: vec4<u32>,
}

fn u256_to_digits(x: U256) -> U256Digits {
  return U256Digits(
    u256_split_pair(x.lo.xy),
    u256_split_pair(x.lo.zw),
    u256_split_pair(x.hi.xy),
    u256_split_pair(x.hi.zw),
  );
}

fn u256_split_pair(limbs: vec2<u32>) -> vec4<u32> {
  return vec4<u32>(limbs.x & 0xffffu, limbs.x >> 16u, limbs.y & 0xffffu, limbs.y >> 16u);
}

fn u256_from_digits(x: U256Digits) -> U256 {
  return U256(
    vec4<u32>(x.d0.xz, x.d1.xz) | (vec4<u32>(x.d0.yw, x.d1.yw) << vec4<u32>(16u)),
    vec4<u32>(x.d2.xz, x.d3.xz) | (vec4<u32>(x.d2.yw, x.d3.yw) << vec4<u32>(16u)),
  );
}

/// x * 2^16 + digit mod 2^256.
fn u256_append_digit(x: U256, digit: u32) -> U256 {
  let by16 = vec4<u32>(16u);
  return U256(
    (x.lo << by16) | vec4<u32>(digit, x.lo.xyz >> vec3<u32>(16u)),
    (x.hi << by16) | (vec4<u32>(x.lo.w, x.hi.xyz) >> by16),
  );
}

/// floor((2^32 - 1) / top) - 2^16 for a divisor's top digit in 2^15 .. 2^16 - 1; fits 16 bits.
fn u256_digit_reciprocal(top: u32) -> u32 {
  return 0xffffffffu / top - 0x10000u;
}

/// One digit of minuend - factor * d: (digit, what the next digit owes). owed and factor are at most 2^16 - 1.
fn u256_digit_multiply_sub(minuend: u32, d: u32, factor: u32, owed: u32) -> vec2<u32> {
  let product = factor * d + owed;
  let difference = minuend - (product & 0xffffu);
  return vec2<u32>(difference & 0xffffu, (product >> 16u) + (difference >> 31u));
}

struct U256DivideStep {
  remainder: U256Digits,
  digit: u32,
}

/// Steps D3 to D6 of algorithm D: divides remainder * 2^16 + next by the divisor d, whose top bit is set and which is
/// greater than remainder. Gives the quotient digit and the new remainder.
///
/// The digit is estimated from the two top digits of the dividend by a reciprocal instead of a division, which most
/// targets lack. With v = floor((2^32 - 1) / top) the estimate floor(pair * v / 2^32) is short by at most 1, since pair
/// / top - pair * v / 2^32 <= pair / 2^32 < 1; it is mended, and then tested against the divisor's second digit twice.
/// The branch that adds the divisor back is taken about twice in 2^16 steps.
fn u256_divide_digit(remainder: U256Digits, next: u32, d: U256Digits, reciprocal: u32) -> U256DivideStep {
  let overflow = remainder.d3.w;
  let top = remainder.d3.z;
  let second = remainder.d3.y;
  let pair = (overflow << 16u) | top;
  let top_divisor = d.d3.w;
  var digit = overflow + ((top + overflow * reciprocal + ((top * reciprocal) >> 16u)) >> 16u);
  digit = min(digit, 0xffffu);
  var rest = pair - digit * top_divisor;
  let short = (rest >= top_divisor) & (digit < 0xffffu);
  digit += select(0u, 1u, short);
  rest -= select(0u, top_divisor, short);
  let long1 = (rest < 0x10000u) & (digit * d.d3.z > ((rest << 16u) | second));
  digit -= select(0u, 1u, long1);
  rest += select(0u, top_divisor, long1);
  let long2 = long1 & (rest < 0x10000u) & (digit * d.d3.z > ((rest << 16u) | second));
  digit -= select(0u, 1u, long2);
  let s0 = u256_digit_multiply_sub(next, d.d0.x, digit, 0u);
  let s1 = u256_digit_multiply_sub(remainder.d0.x, d.d0.y, digit, s0.y);
  let s2 = u256_digit_multiply_sub(remainder.d0.y, d.d0.z, digit, s1.y);
  let s3 = u256_digit_multiply_sub(remainder.d0.z, d.d0.w, digit, s2.y);
  let s4 = u256_digit_multiply_sub(remainder.d0.w, d.d1.x, digit, s3.y);
  let s5 = u256_digit_multiply_sub(remainder.d1.x, d.d1.y, digit, s4.y);
  let s6 = u256_digit_multiply_sub(remainder.d1.y, d.d1.z, digit, s5.y);
  let s7 = u256_digit_multiply_sub(remainder.d1.z, d.d1.w, digit, s6.y);
  let s8 = u256_digit_multiply_sub(remainder.d1.w, d.d2.x, digit, s7.y);
  let s9 = u256_digit_multiply_sub(remainder.d2.x, d.d2.y, digit, s8.y);
  let s10 = u256_digit_multiply_sub(remainder.d2.y, d.d2.z, digit, s9.y);
  let s11 = u256_digit_multiply_sub(remainder.d2.z, d.d2.w, digit, s10.y);
  let s12 = u256_digit_multiply_sub(remainder.d2.w, d.d3.x, digit, s11.y);
  let s13 = u256_digit_multiply_sub(remainder.d3.x, d.d3.y, digit, s12.y);
  let s14 = u256_digit_multiply_sub(remainder.d3.y, d.d3.z, digit, s13.y);
  let s15 = u256_digit_multiply_sub(remainder.d3.z, d.d3.w, digit, s14.y);
  var result = U256Digits(
    vec4<u32>(s0.x, s1.x, s2.x, s3.x),
    vec4<u32>(s4.x, s5.x, s6.x, s7.x),
    vec4<u32>(s8.x, s9.x, s10.x, s11.x),
    vec4<u32>(s12.x, s13.x, s14.x, s15.x),
  );
  if (overflow < s15.y) {
    digit -= 1u;
    result = u256_add_digits(result, d);
  }
  return U256DivideStep(result, digit);
}

/// a + b mod 2^256.
fn u256_add_digits(a: U256Digits, b: U256Digits) -> U256Digits {
  let s0 = a.d0.x + b.d0.x;
  let s1 = a.d0.y + b.d0.y + (s0 >> 16u);
  let s2 = a.d0.z + b.d0.z + (s1 >> 16u);
  let s3 = a.d0.w + b.d0.w + (s2 >> 16u);
  let s4 = a.d1.x + b.d1.x + (s3 >> 16u);
  let s5 = a.d1.y + b.d1.y + (s4 >> 16u);
  let s6 = a.d1.z + b.d1.z + (s5 >> 16u);
  let s7 = a.d1.w + b.d1.w + (s6 >> 16u);
  let s8 = a.d2.x + b.d2.x + (s7 >> 16u);
  let s9 = a.d2.y + b.d2.y + (s8 >> 16u);
  let s10 = a.d2.z + b.d2.z + (s9 >> 16u);
  let s11 = a.d2.w + b.d2.w + (s10 >> 16u);
  let s12 = a.d3.x + b.d3.x + (s11 >> 16u);
  let s13 = a.d3.y + b.d3.y + (s12 >> 16u);
  let s14 = a.d3.z + b.d3.z + (s13 >> 16u);
  let s15 = a.d3.w + b.d3.w + (s14 >> 16u);
  let low = vec4<u32>(0xffffu);
  return U256Digits(
    vec4<u32>(s0, s1, s2, s3) & low,
    vec4<u32>(s4, s5, s6, s7) & low,
    vec4<u32>(s8, s9, s10, s11) & low,
    vec4<u32>(s12, s13, s14, s15) & low,
  );
}
