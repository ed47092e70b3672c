import package::u256::u256::u256_from_u32;
import package::keccak::keccak::{keccak_digest, keccak_f, keccak_init_32};
import package::lane::lane::lane_index;

/// Measures permutations per second: lane l starts with the word l and replaces it `iterations` times by the keccak-256
/// of its 32 bytes.

/// (lane count, iterations, 0, 0)
@group(0) @binding(0) var<uniform> keccak_rate_parameters: vec4<u32>;
/// The last word of lane l: limbs 0..3 at 2 l, limbs 4..7 at 2 l + 1.
@group(0) @binding(1) var<storage, read_write> keccak_rate_words: array<vec4<u32>>;

@compute @workgroup_size(64)
fn keccak_rate(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let lane = lane_index(workgroup, workgroups, local);
  if (lane >= keccak_rate_parameters.x) {
    return;
  }
  var word = u256_from_u32(lane);
  let iterations = keccak_rate_parameters.y;
  for (var i = 0u; i < iterations; i++) {
    word = keccak_digest(keccak_f(keccak_init_32(word)));
  }
  keccak_rate_words[2u * lane] = word.lo;
  keccak_rate_words[2u * lane + 1u] = word.hi;
}
