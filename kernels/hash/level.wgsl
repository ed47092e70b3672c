import package::keccak::interleaved::{
  KeccakQuads,
  keccak_absorb_interleaved,
  keccak_deinterleave,
  keccak_f_interleaved,
  keccak_f_interleaved_long,
};
import package::keccak::keccak::keccak_zero;
import package::layout::word::{KECCAK_RATE_BYTES, KECCAK_RATE_LIMBS};

/// keccak-256 of the messages of one level of a plan (host/primitives/hash_plan.ts), one invocation each. Their holes
/// are filled (entry/hash_holes.wgsl).

/// (first place in the order, end, messages of the plan, word of the plan's bytes with which hash_level_quads begins)
@group(0) @binding(0) var<uniform> hash_level_range: vec4<u32>;
/// The order in which messages are hashed, offsets and lengths: a number of each message.
@group(0) @binding(1) var<storage, read> hash_level_tables: array<u32>;
/// The messages, four bytes to a u32, the first in the low bits; 160 bytes more after the last one.
@group(0) @binding(2) var<storage, read> hash_level_quads: array<vec4<u32>>;
/// Digest of message m: 32 bytes in order, at 2 m and 2 m + 1.
@group(0) @binding(3) var<storage, read_write> hash_level_digests: array<vec4<u32>>;

/// Four words from word `by` of quad and next on; of `by` only the last two bits count.
fn hash_level_shifted(quad: vec4<u32>, next: vec4<u32>, by: u32) -> vec4<u32> {
  let even = select(quad, vec4<u32>(quad.zw, next.xy), (by & 2u) != 0u);
  let after = select(next.x, next.z, (by & 2u) != 0u);
  return select(even, vec4<u32>(even.yzw, after), (by & 1u) != 0u);
}

/// Words n.x to n.w of a block, in which `whole` more words are the message's and then `length` modulo 4 bytes, padded;
/// the closing 0x80 is not in it.
fn hash_level_padded(words: vec4<u32>, n: vec4<u32>, whole: u32, length: u32) -> vec4<u32> {
  let pad = vec4<u32>(1u << (8u * (length & 3u)));
  let part = (words & (pad - 1u)) | pad;
  return select(select(vec4<u32>(0u), part, n == vec4<u32>(whole)), words, n < vec4<u32>(whole));
}

/// Hashes the message at `place` of the level. `long`: a constant, which permutation.
fn hash_level_message(place: u32, long: bool) {
  let count = hash_level_range.z;
  let message = hash_level_tables[place];
  let length = hash_level_tables[2u * count + message];
  let block_count = length / KECCAK_RATE_BYTES + 1u;
  var word = (hash_level_tables[count + message] >> 2u) - hash_level_range.w;
  var whole = length >> 2u;
  var state = keccak_zero();
  for (var b = 0u; b < block_count; b++) {
    var block: KeccakQuads;
    var quad = hash_level_quads[word >> 2u];
    // lavapipe looks at every lane of a load: one of four words takes half the time of four loads.
    for (var q = 0u; q < 9u; q++) {
      let next = hash_level_quads[(word >> 2u) + q + 1u];
      let n = 4u * q + vec4<u32>(0u, 1u, 2u, 3u);
      block.q[q] = hash_level_padded(hash_level_shifted(quad, next, word), n, whole, length);
      quad = next;
    }
    block.q[8].y ^= select(0u, 0x80000000u, b + 1u == block_count);
    state = keccak_absorb_interleaved(state, block);
    if (long) {
      state = keccak_f_interleaved_long(state);
    } else {
      state = keccak_f_interleaved(state);
    }
    word += KECCAK_RATE_LIMBS;
    whole -= KECCAK_RATE_LIMBS;
  }
  let a0 = keccak_deinterleave(state.a0l, state.a0h);
  let a1 = keccak_deinterleave(state.a1l, state.a1h);
  let a2 = keccak_deinterleave(state.a2l, state.a2h);
  let a3 = keccak_deinterleave(state.a3l, state.a3h);
  hash_level_digests[2u * message] = vec4<u32>(a0, a1);
  hash_level_digests[2u * message + 1u] = vec4<u32>(a2, a3);
}
