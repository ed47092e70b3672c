/// A 256-bit word of the EVM: 8 limbs of u32, least significant first (limb 0 = lo.x, limb 7 = hi.w).
///
/// Every function of this library takes words by value, in EVM stack order (top of stack first), and has no branch that
/// depends on data unless its comment says so: neighbouring lanes hold different words, and a select is cheaper than
/// divergence.
struct U256 {
  lo: vec4<u32>,
  hi: vec4<u32>,
}

const U256_ZERO = U256(vec4<u32>(0u), vec4<u32>(0u));
const U256_ONE = U256(vec4<u32>(1u, 0u, 0u, 0u), vec4<u32>(0u));

fn u256_from_u32(x: u32) -> U256 {
  return U256(vec4<u32>(x, 0u, 0u, 0u), vec4<u32>(0u));
}

fn u256_from_bool(b: bool) -> U256 {
  return u256_from_u32(select(0u, 1u, b));
}

/// t where cond holds, else f: the argument order of the WGSL builtin.
fn u256_select(f: U256, t: U256, cond: bool) -> U256 {
  return U256(select(f.lo, t.lo, cond), select(f.hi, t.hi, cond));
}

/// Limb 0.
fn u256_low(x: U256) -> u32 {
  return x.lo.x;
}

fn u256_fits_u32(x: U256) -> bool {
  let high = x.hi | vec4<u32>(x.lo.yzw, 0u);
  return (high.x | high.y | high.z | high.w) == 0u;
}

/// Limb k of x, k < 8. A select tree: a dynamic vector index would put the word in memory on several drivers.
fn u256_limb(x: U256, k: u32) -> u32 {
  let quad = select(x.lo, x.hi, (k & 4u) != 0u);
  let pair = select(quad.xy, quad.zw, (k & 2u) != 0u);
  return select(pair.x, pair.y, (k & 1u) != 0u);
}

/// The 32 bytes in reverse order: between limbs and the byte order in which the EVM stores and hashes a word.
fn u256_reverse_bytes(x: U256) -> U256 {
  return U256(u256_reverse_half(x.hi), u256_reverse_half(x.lo));
}

fn u256_reverse_half(v: vec4<u32>) -> vec4<u32> {
  let pairs = ((v << vec4<u32>(8u)) & vec4<u32>(0xff00ff00u)) | ((v >> vec4<u32>(8u)) & vec4<u32>(0x00ff00ffu));
  return ((pairs << vec4<u32>(16u)) | (pairs >> vec4<u32>(16u))).wzyx;
}
