import package::u256::u256::U256;

/// sum + a * b, where sum is a column sum of products: 96 bits as three limbs, least significant first. WGSL has no
/// 64-bit product: the high half is built from 16-bit halves in the "ladder" form, which LLVM based drivers recognise
/// as one wide multiplication; the low half is the plain wrapping product.
fn u256_column_add(sum: vec3<u32>, a: u32, b: u32) -> vec3<u32> {
  let a0 = a & 0xffffu;
  let a1 = a >> 16u;
  let b0 = b & 0xffffu;
  let b1 = b >> 16u;
  let middle = a1 * b0 + ((a0 * b0) >> 16u);
  let low = a * b;
  let high = a1 * b1 + (middle >> 16u) + (((middle & 0xffffu) + a0 * b1) >> 16u);
  let s0 = sum.x + low;
  // high is at most 2^32 - 2, so the carry cannot overflow it.
  let carried = high + select(0u, 1u, s0 < low);
  let s1 = sum.y + carried;
  return vec3<u32>(s0, s1, sum.z + select(0u, 1u, s1 < carried));
}

/// The sum that the next column starts from.
fn u256_column_next(sum: vec3<u32>) -> vec3<u32> {
  return vec3<u32>(sum.yz, 0u);
}

/// a * b mod 2^256 (YP appendix H, 0x02): 28 double-width products column by column, 8 single-width ones in the last.
fn u256_mul(a: U256, b: U256) -> U256 {
  var product: U256;
  var sum = vec3<u32>(0u);
  sum = u256_column_add(sum, a.lo.x, b.lo.x);
  product.lo.x = sum.x;
  sum = u256_column_next(sum);
  sum = u256_column_add(sum, a.lo.x, b.lo.y);
  sum = u256_column_add(sum, a.lo.y, b.lo.x);
  product.lo.y = sum.x;
  sum = u256_column_next(sum);
  sum = u256_column_add(sum, a.lo.x, b.lo.z);
  sum = u256_column_add(sum, a.lo.y, b.lo.y);
  sum = u256_column_add(sum, a.lo.z, b.lo.x);
  product.lo.z = sum.x;
  sum = u256_column_next(sum);
  sum = u256_column_add(sum, a.lo.x, b.lo.w);
  sum = u256_column_add(sum, a.lo.y, b.lo.z);
  sum = u256_column_add(sum, a.lo.z, b.lo.y);
  sum = u256_column_add(sum, a.lo.w, b.lo.x);
  product.lo.w = sum.x;
  sum = u256_column_next(sum);
  sum = u256_column_add(sum, a.lo.x, b.hi.x);
  sum = u256_column_add(sum, a.lo.y, b.lo.w);
  sum = u256_column_add(sum, a.lo.z, b.lo.z);
  sum = u256_column_add(sum, a.lo.w, b.lo.y);
  sum = u256_column_add(sum, a.hi.x, b.lo.x);
  product.hi.x = sum.x;
  sum = u256_column_next(sum);
  sum = u256_column_add(sum, a.lo.x, b.hi.y);
  sum = u256_column_add(sum, a.lo.y, b.hi.x);
  sum = u256_column_add(sum, a.lo.z, b.lo.w);
  sum = u256_column_add(sum, a.lo.w, b.lo.z);
  sum = u256_column_add(sum, a.hi.x, b.lo.y);
  sum = u256_column_add(sum, a.hi.y, b.lo.x);
  product.hi.y = sum.x;
  sum = u256_column_next(sum);
  sum = u256_column_add(sum, a.lo.x, b.hi.z);
  sum = u256_column_add(sum, a.lo.y, b.hi.y);
  sum = u256_column_add(sum, a.lo.z, b.hi.x);
  sum = u256_column_add(sum, a.lo.w, b.lo.w);
  sum = u256_column_add(sum, a.hi.x, b.lo.z);
  sum = u256_column_add(sum, a.hi.y, b.lo.y);
  sum = u256_column_add(sum, a.hi.z, b.lo.x);
  product.hi.z = sum.x;
  let top_lo = a.lo * b.hi.wzyx;
  let top_hi = a.hi * b.lo.wzyx;
  let top = top_lo + top_hi;
  product.hi.w = sum.y + top.x + top.y + top.z + top.w;
  return product;
}

/// A 512-bit product.
struct U512 {
  lo: U256,
  hi: U256,
}

/// The low half of a product, and the column sum that the other half starts from.
struct U256LowProduct {
  word: U256,
  sum: vec3<u32>,
}

/// a * b in full: 64 double-width products.
fn u256_mul_wide(a: U256, b: U256) -> U512 {
  let low = u256_mul_low(a, b);
  return U512(low.word, u256_mul_high(a, b, low.sum));
}

/// 36 of the products.
fn u256_mul_low(a: U256, b: U256) -> U256LowProduct {
  var word: U256;
  var sum = vec3<u32>(0u);
  sum = u256_column_add(sum, a.lo.x, b.lo.x);
  word.lo.x = sum.x;
  sum = u256_column_next(sum);
  sum = u256_column_add(sum, a.lo.x, b.lo.y);
  sum = u256_column_add(sum, a.lo.y, b.lo.x);
  word.lo.y = sum.x;
  sum = u256_column_next(sum);
  sum = u256_column_add(sum, a.lo.x, b.lo.z);
  sum = u256_column_add(sum, a.lo.y, b.lo.y);
  sum = u256_column_add(sum, a.lo.z, b.lo.x);
  word.lo.z = sum.x;
  sum = u256_column_next(sum);
  sum = u256_column_add(sum, a.lo.x, b.lo.w);
  sum = u256_column_add(sum, a.lo.y, b.lo.z);
  sum = u256_column_add(sum, a.lo.z, b.lo.y);
  sum = u256_column_add(sum, a.lo.w, b.lo.x);
  word.lo.w = sum.x;
  sum = u256_column_next(sum);
  sum = u256_column_add(sum, a.lo.x, b.hi.x);
  sum = u256_column_add(sum, a.lo.y, b.lo.w);
  sum = u256_column_add(sum, a.lo.z, b.lo.z);
  sum = u256_column_add(sum, a.lo.w, b.lo.y);
  sum = u256_column_add(sum, a.hi.x, b.lo.x);
  word.hi.x = sum.x;
  sum = u256_column_next(sum);
  sum = u256_column_add(sum, a.lo.x, b.hi.y);
  sum = u256_column_add(sum, a.lo.y, b.hi.x);
  sum = u256_column_add(sum, a.lo.z, b.lo.w);
  sum = u256_column_add(sum, a.lo.w, b.lo.z);
  sum = u256_column_add(sum, a.hi.x, b.lo.y);
  sum = u256_column_add(sum, a.hi.y, b.lo.x);
  word.hi.y = sum.x;
  sum = u256_column_next(sum);
  sum = u256_column_add(sum, a.lo.x, b.hi.z);
  sum = u256_column_add(sum, a.lo.y, b.hi.y);
  sum = u256_column_add(sum, a.lo.z, b.hi.x);
  sum = u256_column_add(sum, a.lo.w, b.lo.w);
  sum = u256_column_add(sum, a.hi.x, b.lo.z);
  sum = u256_column_add(sum, a.hi.y, b.lo.y);
  sum = u256_column_add(sum, a.hi.z, b.lo.x);
  word.hi.z = sum.x;
  sum = u256_column_next(sum);
  sum = u256_column_add(sum, a.lo.x, b.hi.w);
  sum = u256_column_add(sum, a.lo.y, b.hi.z);
  sum = u256_column_add(sum, a.lo.z, b.hi.y);
  sum = u256_column_add(sum, a.lo.w, b.hi.x);
  sum = u256_column_add(sum, a.hi.x, b.lo.w);
  sum = u256_column_add(sum, a.hi.y, b.lo.z);
  sum = u256_column_add(sum, a.hi.z, b.lo.y);
  sum = u256_column_add(sum, a.hi.w, b.lo.x);
  word.hi.w = sum.x;
  return U256LowProduct(word, u256_column_next(sum));
}

/// The other 28: a * b / 2^256.
fn u256_mul_high(a: U256, b: U256, low_sum: vec3<u32>) -> U256 {
  var word: U256;
  var sum = low_sum;
  sum = u256_column_add(sum, a.lo.y, b.hi.w);
  sum = u256_column_add(sum, a.lo.z, b.hi.z);
  sum = u256_column_add(sum, a.lo.w, b.hi.y);
  sum = u256_column_add(sum, a.hi.x, b.hi.x);
  sum = u256_column_add(sum, a.hi.y, b.lo.w);
  sum = u256_column_add(sum, a.hi.z, b.lo.z);
  sum = u256_column_add(sum, a.hi.w, b.lo.y);
  word.lo.x = sum.x;
  sum = u256_column_next(sum);
  sum = u256_column_add(sum, a.lo.z, b.hi.w);
  sum = u256_column_add(sum, a.lo.w, b.hi.z);
  sum = u256_column_add(sum, a.hi.x, b.hi.y);
  sum = u256_column_add(sum, a.hi.y, b.hi.x);
  sum = u256_column_add(sum, a.hi.z, b.lo.w);
  sum = u256_column_add(sum, a.hi.w, b.lo.z);
  word.lo.y = sum.x;
  sum = u256_column_next(sum);
  sum = u256_column_add(sum, a.lo.w, b.hi.w);
  sum = u256_column_add(sum, a.hi.x, b.hi.z);
  sum = u256_column_add(sum, a.hi.y, b.hi.y);
  sum = u256_column_add(sum, a.hi.z, b.hi.x);
  sum = u256_column_add(sum, a.hi.w, b.lo.w);
  word.lo.z = sum.x;
  sum = u256_column_next(sum);
  sum = u256_column_add(sum, a.hi.x, b.hi.w);
  sum = u256_column_add(sum, a.hi.y, b.hi.z);
  sum = u256_column_add(sum, a.hi.z, b.hi.y);
  sum = u256_column_add(sum, a.hi.w, b.hi.x);
  word.lo.w = sum.x;
  sum = u256_column_next(sum);
  sum = u256_column_add(sum, a.hi.y, b.hi.w);
  sum = u256_column_add(sum, a.hi.z, b.hi.z);
  sum = u256_column_add(sum, a.hi.w, b.hi.y);
  word.hi.x = sum.x;
  sum = u256_column_next(sum);
  sum = u256_column_add(sum, a.hi.z, b.hi.w);
  sum = u256_column_add(sum, a.hi.w, b.hi.z);
  word.hi.y = sum.x;
  sum = u256_column_next(sum);
  sum = u256_column_add(sum, a.hi.w, b.hi.w);
  word.hi.z = sum.x;
  word.hi.w = sum.y;
  return word;
}
