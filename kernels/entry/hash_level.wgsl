import package::keccak::keccak::{KeccakBlock, keccak_absorb, keccak_f, keccak_zero};
import package::layout::word::{KECCAK_RATE_BYTES, KECCAK_RATE_LIMBS};
import package::lane::lane::lane_index;

/// keccak-256 of the messages of one level of a plan (host/primitives/hash_plan.ts), one invocation each. An invocation
/// first writes the digests of earlier levels into the holes of its message: a message begins at a multiple of 4, so no
/// two share a word.

/// (first place in the order, end, messages of the plan, holes of the plan)
@group(0) @binding(0) var<uniform> hash_level_range: vec4<u32>;
/// The order in which messages are hashed, offsets and lengths (n each), holeStart (n + 1), holeAt and holeOf (h each).
@group(0) @binding(1) var<storage, read> hash_level_tables: array<u32>;
/// The messages, four bytes to a u32, the first in the low bits.
@group(0) @binding(2) var<storage, read_write> hash_level_bytes: array<u32>;
/// Digest of message m: 32 bytes in order, from 8 m on.
@group(0) @binding(3) var<storage, read_write> hash_level_digests: array<u32>;

/// Writes digest `number` to the 32 bytes from byte `at` on, of any alignment.
fn hash_level_fill(at: u32, number: u32) {
  let shift = 8u * (at & 3u);
  let word = at >> 2u;
  // Of the first and the last word only a part is the hole's.
  let below = (1u << shift) - 1u;
  var carried = hash_level_bytes[word] & below;
  for (var n = 0u; n < 8u; n++) {
    let part = hash_level_digests[8u * number + n];
    hash_level_bytes[word + n] = carried | (part << shift);
    carried = (part >> 1u) >> (31u - shift);
  }
  if (shift != 0u) {
    hash_level_bytes[word + 8u] = (hash_level_bytes[word + 8u] & ~below) | carried;
  }
}

/// Word n of a padded message of `length` bytes that begins at word `start`; the closing 0x80 is not in it.
fn hash_level_padded(start: u32, length: u32, n: u32) -> u32 {
  let left = length - min(4u * n, length);
  let pad = 1u << (8u * min(left, 3u));
  let last = arrayLength(&hash_level_bytes) - 1u;
  let inside = hash_level_bytes[min(start + n, last)];
  return select(select((inside & (pad - 1u)) | pad, inside, left >= 4u), 0u, 4u * n > length);
}

@compute @workgroup_size(64)
fn hash_level(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let place = hash_level_range.x + lane_index(workgroup, workgroups, local);
  if (place >= hash_level_range.y) {
    return;
  }
  let count = hash_level_range.z;
  let message = hash_level_tables[place];
  let start = hash_level_tables[count + message] >> 2u;
  let length = hash_level_tables[2u * count + message];
  let holes = 4u * count + 1u;
  let hole_end = hash_level_tables[3u * count + message + 1u];
  for (var hole = hash_level_tables[3u * count + message]; hole < hole_end; hole++) {
    hash_level_fill(hash_level_tables[holes + hole], hash_level_tables[holes + hash_level_range.w + hole]);
  }
  let block_count = length / KECCAK_RATE_BYTES + 1u;
  var state = keccak_zero();
  for (var b = 0u; b < block_count; b++) {
    var block: KeccakBlock;
    // A loop instead of 34 load sites: storage loads are what compiles slowly.
    for (var n = 0u; n < KECCAK_RATE_LIMBS; n++) {
      block.w[n] = hash_level_padded(start, length, b * KECCAK_RATE_LIMBS + n);
    }
    block.w[33] ^= select(0u, 0x80000000u, b + 1u == block_count);
    state = keccak_f(keccak_absorb(state, block));
  }
  let digest = 8u * message;
  hash_level_digests[digest] = state.a0l;
  hash_level_digests[digest + 1u] = state.a0h;
  hash_level_digests[digest + 2u] = state.a1l;
  hash_level_digests[digest + 3u] = state.a1h;
  hash_level_digests[digest + 4u] = state.a2l;
  hash_level_digests[digest + 5u] = state.a2h;
  hash_level_digests[digest + 6u] = state.a3l;
  hash_level_digests[digest + 7u] = state.a3h;
}
