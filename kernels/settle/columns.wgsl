import package::u256::u256::U256;

/// Columns of the transactions of a range, one after another: each begins with a vector of its own.
@group(0) @binding(1) var<storage, read> settle_columns: array<vec4<u32>>;

/// Limb k of v, k < 4.
fn settle_limb(v: vec4<u32>, k: u32) -> u32 {
  let pair = select(v.xy, v.zw, (k & 2u) != 0u);
  return select(pair.x, pair.y, (k & 1u) != 0u);
}

/// Element i of a column of u8 that begins at vector `at`.
fn settle_u8(at: u32, i: u32) -> u32 {
  return (settle_limb(settle_columns[at + (i >> 4u)], (i >> 2u) & 3u) >> ((i & 3u) << 3u)) & 0xffu;
}

fn settle_u32(at: u32, i: u32) -> u32 {
  return settle_limb(settle_columns[at + (i >> 2u)], i & 3u);
}

/// Element i of a column of 64 bits each, low limb first.
fn settle_pair(at: u32, i: u32) -> vec2<u32> {
  let v = settle_columns[at + (i >> 1u)];
  return select(v.xy, v.zw, (i & 1u) != 0u);
}

fn settle_word(at: u32, i: u32) -> U256 {
  return U256(settle_columns[at + 2u * i], settle_columns[at + 2u * i + 1u]);
}

/// The whole number below 2^53 that a double is: (low limb, high limb, 1); (0, 0, 0) where it is none, or negative.
fn settle_integer(bits: vec2<u32>) -> vec3<u32> {
  let exponent = bits.y >> 20u;
  // 1,023 + 52: from there on the mantissa is shifted up.
  if ((bits.x | bits.y) == 0u) {
    return vec3<u32>(0u, 0u, 1u);
  }
  if ((exponent > 1075u) | (exponent < 1023u)) {
    return vec3<u32>(0u);
  }
  let shift = 1075u - exponent;
  let high = (bits.y & 0xfffffu) | 0x100000u;
  if (shift >= 32u) {
    return vec3<u32>(high >> (shift - 32u), 0u, 1u);
  }
  let carried = select(high << (32u - shift), 0u, shift == 0u);
  return vec3<u32>((bits.x >> shift) | carried, high >> shift, 1u);
}
