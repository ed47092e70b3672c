import package::lane::lane::lane_index;

/// Copies digests into the holes of the messages of one level of a plan (host/primitives/hash_plan.ts), one invocation
/// for each hole. Holes have any alignment, so two of them may share a word: what is not theirs alone is added bit by
/// bit.

/// (first hole, end, holes of the plan, byte of the plan's bytes with which hash_holes_bytes begins)
@group(0) @binding(0) var<uniform> hash_holes_range: vec4<u32>;
/// First byte of each hole, then the message whose digest goes there.
@group(0) @binding(1) var<storage, read> hash_holes_tables: array<u32>;
/// The messages, four bytes to a u32, the first in the low bits.
@group(0) @binding(2) var<storage, read_write> hash_holes_bytes: array<atomic<u32>>;
/// Digest of message m: 32 bytes in order, from 8 m on.
@group(0) @binding(3) var<storage, read> hash_holes_digests: array<u32>;

@compute @workgroup_size(64)
fn hash_holes(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let hole = hash_holes_range.x + lane_index(workgroup, workgroups, local);
  if (hole >= hash_holes_range.y) {
    return;
  }
  let at = hash_holes_tables[hole] - hash_holes_range.w;
  let digest = 8u * hash_holes_tables[hash_holes_range.z + hole];
  let shift = 8u * (at & 3u);
  let word = at >> 2u;
  // Bits of the first word that are not the hole's; those of the ninth that are.
  let below = (1u << shift) - 1u;
  let first = hash_holes_digests[digest];
  atomicAnd(&hash_holes_bytes[word], below);
  atomicOr(&hash_holes_bytes[word], first << shift);
  var carried = (first >> 1u) >> (31u - shift);
  for (var n = 1u; n < 8u; n++) {
    let part = hash_holes_digests[digest + n];
    atomicStore(&hash_holes_bytes[word + n], carried | (part << shift));
    carried = (part >> 1u) >> (31u - shift);
  }
  if (shift != 0u) {
    atomicAnd(&hash_holes_bytes[word + 8u], ~below);
    atomicOr(&hash_holes_bytes[word + 8u], carried);
  }
}
