import package::u256::u256::U256;

fn u256_is_zero(x: U256) -> bool {
  let any = x.lo | x.hi;
  return (any.x | any.y | any.z | any.w) == 0u;
}

fn u256_eq(a: U256, b: U256) -> bool {
  let differ = (a.lo ^ b.lo) | (a.hi ^ b.hi);
  return (differ.x | differ.y | differ.z | differ.w) == 0u;
}

/// a < b, unsigned: the lowest limbs decide unless a higher limb differs.
fn u256_lt(a: U256, b: U256) -> bool {
  let less_lo = a.lo < b.lo;
  let less_hi = a.hi < b.hi;
  let same_lo = a.lo == b.lo;
  let same_hi = a.hi == b.hi;
  var less = less_lo.x;
  less = less_lo.y | (same_lo.y & less);
  less = less_lo.z | (same_lo.z & less);
  less = less_lo.w | (same_lo.w & less);
  less = less_hi.x | (same_hi.x & less);
  less = less_hi.y | (same_hi.y & less);
  less = less_hi.z | (same_hi.z & less);
  return less_hi.w | (same_hi.w & less);
}

fn u256_gt(a: U256, b: U256) -> bool {
  return u256_lt(b, a);
}

/// a < b in two's complement: flipping the sign bits maps the signed order to the unsigned one.
fn u256_slt(a: U256, b: U256) -> bool {
  let flip = vec4<u32>(0u, 0u, 0u, 0x80000000u);
  return u256_lt(U256(a.lo, a.hi ^ flip), U256(b.lo, b.hi ^ flip));
}

fn u256_sgt(a: U256, b: U256) -> bool {
  return u256_slt(b, a);
}
