import package::keccak::keccak::{KeccakBlock, keccak_absorb, keccak_digest, keccak_f, keccak_zero};
import package::layout::word::{KECCAK_RATE_BYTES, KECCAK_RATE_LIMBS};
import package::lane::lane::lane_index;

/// keccak-256 of messages of any length in one byte buffer. One invocation per message; a workgroup takes as long as
/// its longest message, so a caller with mixed lengths sorts them.

/// (message count, 0, 0, 0)
@group(0) @binding(0) var<uniform> keccak256_parameters: vec4<u32>;
/// The bytes, four to a u32, the first in the low bits.
@group(0) @binding(1) var<storage, read> keccak256_bytes: array<u32>;
/// (offset, length) of message i in bytes; any alignment.
@group(0) @binding(2) var<storage, read> keccak256_messages: array<vec2<u32>>;
/// The digest of message i as a word: limbs 0..3 at 2 i, limbs 4..7 at 2 i + 1.
@group(0) @binding(3) var<storage, read_write> keccak256_digests: array<vec4<u32>>;

/// Four bytes from any byte offset. Bytes past the end of the buffer are unspecified.
fn keccak256_load(offset: u32) -> u32 {
  let last = arrayLength(&keccak256_bytes) - 1u;
  let at = offset >> 2u;
  let shift = (offset & 3u) * 8u;
  let low = keccak256_bytes[min(at, last)] >> shift;
  return low | ((keccak256_bytes[min(at + 1u, last)] << 1u) << (31u - shift));
}

/// The four bytes of a padded message at `position`: the message, then 0x01, then zeros. The closing 0x80 is not in it.
fn keccak256_padded(offset: u32, length: u32, position: u32) -> u32 {
  let left = length - min(position, length);
  let bits = 8u * min(left, 3u);
  let part = (keccak256_load(offset + position) & ((1u << bits) - 1u)) | (1u << bits);
  let inside = select(part, keccak256_load(offset + position), left >= 4u);
  return select(inside, 0u, position > length);
}

@compute @workgroup_size(64)
fn keccak256(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let message = lane_index(workgroup, workgroups, local);
  if (message >= keccak256_parameters.x) {
    return;
  }
  let offset = keccak256_messages[message].x;
  let length = keccak256_messages[message].y;
  let block_count = length / KECCAK_RATE_BYTES + 1u;
  var state = keccak_zero();
  for (var b = 0u; b < block_count; b++) {
    var block: KeccakBlock;
    // A loop instead of 34 load sites: storage loads are what compiles slowly.
    for (var i = 0u; i < KECCAK_RATE_LIMBS; i++) {
      block.w[i] = keccak256_padded(offset, length, b * KECCAK_RATE_BYTES + 4u * i);
    }
    block.w[33] ^= select(0u, 0x80000000u, b + 1u == block_count);
    state = keccak_f(keccak_absorb(state, block));
  }
  let digest = keccak_digest(state);
  keccak256_digests[2u * message] = digest.lo;
  keccak256_digests[2u * message + 1u] = digest.hi;
}
