import package::u256::u256::{U256, U256_ZERO, u256_fits_u32, u256_select};

/// x << n mod 2^256 for n < 256: whole limbs by 128, 64 and 32 bits, then one stage inside the limbs. The part that
/// crosses limbs is shifted in two steps, so that n = 0 mod 32 needs no case of its own.
fn u256_shift_left(x: U256, n: u32) -> U256 {
  var lo = x.lo;
  var hi = x.hi;
  let by128 = (n & 128u) != 0u;
  hi = select(hi, lo, by128);
  lo = select(lo, vec4<u32>(0u), by128);
  let by64 = (n & 64u) != 0u;
  hi = select(hi, vec4<u32>(lo.zw, hi.xy), by64);
  lo = select(lo, vec4<u32>(0u, 0u, lo.xy), by64);
  let by32 = (n & 32u) != 0u;
  hi = select(hi, vec4<u32>(lo.w, hi.xyz), by32);
  lo = select(lo, vec4<u32>(0u, lo.xyz), by32);
  let up = vec4<u32>(n & 31u);
  let down = vec4<u32>(31u) - up;
  return U256(
    (lo << up) | ((vec4<u32>(0u, lo.xyz) >> vec4<u32>(1u)) >> down),
    (hi << up) | ((vec4<u32>(lo.w, hi.xyz) >> vec4<u32>(1u)) >> down),
  );
}

/// x >> n for n < 256, zeros from the top. The mirror image of u256_shift_left.
fn u256_shift_right(x: U256, n: u32) -> U256 {
  var lo = x.lo;
  var hi = x.hi;
  let by128 = (n & 128u) != 0u;
  lo = select(lo, hi, by128);
  hi = select(hi, vec4<u32>(0u), by128);
  let by64 = (n & 64u) != 0u;
  lo = select(lo, vec4<u32>(lo.zw, hi.xy), by64);
  hi = select(hi, vec4<u32>(hi.zw, 0u, 0u), by64);
  let by32 = (n & 32u) != 0u;
  lo = select(lo, vec4<u32>(lo.yzw, hi.x), by32);
  hi = select(hi, vec4<u32>(hi.yzw, 0u), by32);
  let down = vec4<u32>(n & 31u);
  let up = vec4<u32>(31u) - down;
  return U256(
    (lo >> down) | ((vec4<u32>(lo.yzw, hi.x) << vec4<u32>(1u)) << up),
    (hi >> down) | ((vec4<u32>(hi.yzw, 0u) << vec4<u32>(1u)) << up),
  );
}

/// value << shift; 0 for shift >= 256 (EIP-145).
fn u256_shl(shift: U256, value: U256) -> U256 {
  let inside = u256_fits_u32(shift) & (shift.lo.x < 256u);
  return u256_select(U256_ZERO, u256_shift_left(value, shift.lo.x & 255u), inside);
}

/// value >> shift, zeros from the top; 0 for shift >= 256 (EIP-145).
fn u256_shr(shift: U256, value: U256) -> U256 {
  let inside = u256_fits_u32(shift) & (shift.lo.x < 256u);
  return u256_select(U256_ZERO, u256_shift_right(value, shift.lo.x & 255u), inside);
}

/// value >> shift, sign bits from the top; 0 or -1 for shift >= 256 (EIP-145). Shifting ~value and inverting the
/// result shifts in ones, so SHR's body serves both.
fn u256_sar(shift: U256, value: U256) -> U256 {
  let sign = vec4<u32>(select(0u, 0xffffffffu, (value.hi.w >> 31u) != 0u));
  let shifted = u256_shr(shift, U256(value.lo ^ sign, value.hi ^ sign));
  return U256(shifted.lo ^ sign, shifted.hi ^ sign);
}
