import package::u256::u256::{U256, u256_fits_u32, u256_from_u32, u256_limb, u256_select};

fn u256_and(a: U256, b: U256) -> U256 {
  return U256(a.lo & b.lo, a.hi & b.hi);
}

fn u256_or(a: U256, b: U256) -> U256 {
  return U256(a.lo | b.lo, a.hi | b.hi);
}

fn u256_xor(a: U256, b: U256) -> U256 {
  return U256(a.lo ^ b.lo, a.hi ^ b.hi);
}

fn u256_not(x: U256) -> U256 {
  return U256(~x.lo, ~x.hi);
}

/// Byte i of x, counted from the most significant; 0 for i >= 32 (YP appendix H, 0x1a).
fn u256_byte(i: U256, x: U256) -> U256 {
  let index = i.lo.x & 31u;
  let limb = u256_limb(x, 7u - (index >> 2u));
  let byte = (limb >> ((3u - (index & 3u)) * 8u)) & 0xffu;
  return u256_from_u32(select(0u, byte, u256_fits_u32(i) & (i.lo.x < 32u)));
}

/// Extends the sign of the (b + 1)-byte integer in the low bytes of x; x itself for b >= 31 (YP appendix H, 0x0b).
fn u256_signextend(b: U256, x: U256) -> U256 {
  let sign_bit = (b.lo.x & 31u) * 8u + 7u;
  let limb_index = sign_bit >> 5u;
  let limb = u256_limb(x, limb_index);
  let negative = ((limb >> (sign_bit & 31u)) & 1u) != 0u;
  // Bits above the sign bit, limb by limb: none below its limb, a part of it, all above it.
  let part = vec4<u32>(~((2u << (sign_bit & 31u)) - 1u));
  let low_index = vec4<u32>(0u, 1u, 2u, 3u);
  let high_index = vec4<u32>(4u, 5u, 6u, 7u);
  let at = vec4<u32>(limb_index);
  let all = vec4<u32>(0xffffffffu);
  let none = vec4<u32>(0u);
  let mask_lo = select(select(none, part, low_index == at), all, low_index > at);
  let mask_hi = select(select(none, part, high_index == at), all, high_index > at);
  let extended = U256(
    select(x.lo & ~mask_lo, x.lo | mask_lo, negative),
    select(x.hi & ~mask_hi, x.hi | mask_hi, negative),
  );
  return u256_select(x, extended, u256_fits_u32(b) & (b.lo.x < 31u));
}

/// Number of significant bits: 0 for 0, else 256 - CLZ. One count-leading-zeros on the highest limb that is not zero:
/// Tint expands each to about 20 operations.
fn u256_bit_length(x: U256) -> u32 {
  let in_hi = (x.hi.x | x.hi.y | x.hi.z | x.hi.w) != 0u;
  let quad = select(x.lo, x.hi, in_hi);
  let in_zw = (quad.z | quad.w) != 0u;
  let pair = select(quad.xy, quad.zw, in_zw);
  let in_y = pair.y != 0u;
  let limb = select(pair.x, pair.y, in_y);
  let below = select(0u, 128u, in_hi) + select(0u, 64u, in_zw) + select(0u, 32u, in_y);
  return below + 32u - countLeadingZeros(limb);
}

/// Number of significant bytes: the unit in which EXP charges its exponent (EIP-160).
fn u256_byte_length(x: U256) -> u32 {
  return (u256_bit_length(x) + 7u) >> 3u;
}

/// Count of leading zero bits, 256 for 0 (EIP-7939).
fn u256_clz(x: U256) -> U256 {
  return u256_from_u32(256u - u256_bit_length(x));
}
