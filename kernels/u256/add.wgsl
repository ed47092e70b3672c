import package::u256::u256::U256;

/// (a + b + carry mod 2^32, carry out). carry is 0 or 1.
fn u256_limb_add(a: u32, b: u32, carry: u32) -> vec2<u32> {
  let partial = a + b;
  let sum = partial + carry;
  return vec2<u32>(sum, select(0u, 1u, (partial < a) | (sum < partial)));
}

/// (a - b - borrow mod 2^32, borrow out). borrow is 0 or 1.
fn u256_limb_sub(a: u32, b: u32, borrow: u32) -> vec2<u32> {
  let partial = a - b;
  return vec2<u32>(partial - borrow, select(0u, 1u, (a < b) | (partial < borrow)));
}

/// The low 256 bits of a sum and its bit 256.
struct U256Sum {
  sum: U256,
  carry: u32,
}

fn u256_add_carry(a: U256, b: U256) -> U256Sum {
  let s0 = u256_limb_add(a.lo.x, b.lo.x, 0u);
  let s1 = u256_limb_add(a.lo.y, b.lo.y, s0.y);
  let s2 = u256_limb_add(a.lo.z, b.lo.z, s1.y);
  let s3 = u256_limb_add(a.lo.w, b.lo.w, s2.y);
  let s4 = u256_limb_add(a.hi.x, b.hi.x, s3.y);
  let s5 = u256_limb_add(a.hi.y, b.hi.y, s4.y);
  let s6 = u256_limb_add(a.hi.z, b.hi.z, s5.y);
  let s7 = u256_limb_add(a.hi.w, b.hi.w, s6.y);
  return U256Sum(U256(vec4<u32>(s0.x, s1.x, s2.x, s3.x), vec4<u32>(s4.x, s5.x, s6.x, s7.x)), s7.y);
}

/// a + b mod 2^256. The last carry is dropped: EVM ADD wraps (YP appendix H, 0x01).
fn u256_add(a: U256, b: U256) -> U256 {
  return u256_add_carry(a, b).sum;
}

/// a - b mod 2^256: EVM SUB wraps (YP appendix H, 0x03).
fn u256_sub(a: U256, b: U256) -> U256 {
  let s0 = u256_limb_sub(a.lo.x, b.lo.x, 0u);
  let s1 = u256_limb_sub(a.lo.y, b.lo.y, s0.y);
  let s2 = u256_limb_sub(a.lo.z, b.lo.z, s1.y);
  let s3 = u256_limb_sub(a.lo.w, b.lo.w, s2.y);
  let s4 = u256_limb_sub(a.hi.x, b.hi.x, s3.y);
  let s5 = u256_limb_sub(a.hi.y, b.hi.y, s4.y);
  let s6 = u256_limb_sub(a.hi.z, b.hi.z, s5.y);
  let s7 = u256_limb_sub(a.hi.w, b.hi.w, s6.y);
  return U256(vec4<u32>(s0.x, s1.x, s2.x, s3.x), vec4<u32>(s4.x, s5.x, s6.x, s7.x));
}

/// -x mod 2^256 where negative holds, else x. With negative = sign of x this is |x|; |-2^255| is 2^255, as unsigned.
fn u256_negate_if(x: U256, negative: bool) -> U256 {
  let mask = select(0u, 0xffffffffu, negative);
  let s0 = u256_limb_add(x.lo.x ^ mask, 0u, select(0u, 1u, negative));
  let s1 = u256_limb_add(x.lo.y ^ mask, 0u, s0.y);
  let s2 = u256_limb_add(x.lo.z ^ mask, 0u, s1.y);
  let s3 = u256_limb_add(x.lo.w ^ mask, 0u, s2.y);
  let s4 = u256_limb_add(x.hi.x ^ mask, 0u, s3.y);
  let s5 = u256_limb_add(x.hi.y ^ mask, 0u, s4.y);
  let s6 = u256_limb_add(x.hi.z ^ mask, 0u, s5.y);
  let s7 = u256_limb_add(x.hi.w ^ mask, 0u, s6.y);
  return U256(vec4<u32>(s0.x, s1.x, s2.x, s3.x), vec4<u32>(s4.x, s5.x, s6.x, s7.x));
}

/// Bit 255: the sign of x read as two's complement.
fn u256_is_negative(x: U256) -> bool {
  return (x.hi.w >> 31u) != 0u;
}
