import package::keccak::keccak::KeccakState;

/// The filter bit of two digest bytes, the first in the low bits.
fn bloom_bit(bytes: u32) -> u32 {
  return ((bytes & 7u) << 8u) | ((bytes >> 8u) & 0xffu);
}

/// The three bits that hashed bytes set in a bloom filter (YP 4.3.1), of their digest: the low 11 bits of its first
/// three big-endian 16-bit pairs, as (bit 0 | bit 1 << 16, bit 2). Bit b of the filter is bit b mod 8 of its byte 255 -
/// b / 8.
fn bloom_bits(digest: KeccakState) -> vec2<u32> {
  // Bytes 0..3 of the digest are a0l, the first in the low bits.
  return vec2<u32>(bloom_bit(digest.a0l) | (bloom_bit(digest.a0l >> 16u) << 16u), bloom_bit(digest.a0h));
}
