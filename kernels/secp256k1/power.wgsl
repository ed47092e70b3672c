import package::secp256k1::field::{field_mul, field_sqr};
import package::secp256k1::limbs::{LIMBS_ONE, Limbs, limbs_select, limbs_unpack};
import package::secp256k1::modulo_n::{SCALAR_ORDER, scalar_pack};
import package::secp256k1::modulo_p::field_pack;
import package::secp256k1::scalar::scalar_mul;
import package::u256::u256::{U256, u256_limb};

/// x to a power by an addition chain of libsecp256k1: step i squares so often as byte i of `squarings` says, then
/// multiplies by an earlier power, whose number is nibble i of `factors`; power 0 is x and power i + 1 the result of
/// step i. One site of each operation.
fn field_chain(x: Limbs, steps: u32, squarings: vec4<u32>, factors: vec2<u32>) -> Limbs {
  var powers: array<U256, 16>;
  powers[0] = field_pack(x);
  var y = x;
  for (var step = 0u; step < steps; step++) {
    let pair = select(squarings.xy, squarings.zw, step >= 8u);
    let count = (select(pair.x, pair.y, (step & 4u) != 0u) >> (8u * (step & 3u))) & 255u;
    for (var i = 0u; i < count; i++) {
      y = field_sqr(y);
    }
    let factor = (select(factors.x, factors.y, step >= 8u) >> (4u * (step & 7u))) & 15u;
    y = field_mul(y, limbs_unpack(powers[factor]));
    powers[step + 1u] = field_pack(y);
  }
  return y;
}

/// The powers x^(2^k - 1) for k = 2, 3, 6, 9, 11, 22, 44, 88, 176, 220 and 223 are steps 0 to 10 of both chains.
/// x^((p + 1) / 4), a square root of x where it has one. 253 S + 13 M.
fn field_root(x: Limbs) -> Limbs {
  let squarings = vec4<u32>(0x03030101u, 0x2c160b02u, 0x17032c58u, 0x00000006u);
  let y = field_chain(x, 13u, squarings, vec2<u32>(0x76512200u, 0x00016278u));
  return field_sqr(field_sqr(y));
}

/// x^(p - 2), the inverse of x, or 0 for 0. 255 S + 15 M.
fn field_inverse(x: Limbs) -> Limbs {
  let squarings = vec4<u32>(0x03030101u, 0x2c160b02u, 0x17032c58u, 0x00020305u);
  return field_chain(x, 15u, squarings, vec2<u32>(0x76512200u, 0x00106278u));
}

/// x^(n - 2), the inverse of x modulo n, or 0 for 0: 64 windows of 4 bits.
fn scalar_inverse(x: Limbs) -> Limbs {
  // Mesa unrolls a loop of as many turns as an array in it has elements: one more than are used.
  var powers: array<U256, 17>;
  var power = LIMBS_ONE;
  for (var i = 0u; i < 16u; i++) {
    powers[i] = scalar_pack(power);
    power = scalar_mul(power, x);
  }
  // n - 2 differs from n in its lowest limb only.
  let exponent = U256(SCALAR_ORDER.lo - vec4<u32>(2u, 0u, 0u, 0u), SCALAR_ORDER.hi);
  var y = LIMBS_ONE;
  for (var window = 0u; window < 64u; window++) {
    let bit = 252u - 4u * window;
    let digit = (u256_limb(exponent, bit >> 5u) >> (bit & 31u)) & 15u;
    // Four squarings and a product, at one site: a product modulo n is long.
    for (var i = 0u; i < 5u; i++) {
      y = scalar_mul(y, limbs_select(y, limbs_unpack(powers[digit]), i == 4u));
    }
  }
  return y;
}
