import package::u256::mul::u256_mul;
import package::u256::u256::U256;
import package::layout::tables::HASH_MULTIPLIER;
import package::lane::lane::lane_index;

/// Measures 256-bit multiplications per second: x starts as y and becomes (x * y mod 2^256) ^ i for i = 0 .. iterations
/// - 1. Limb k of y in lane l is (8 l + k + 1) * HASH_MULTIPLIER mod 2^32.

/// (lane count, iterations, 0, 0)
@group(0) @binding(0) var<uniform> mul_rate_parameters: vec4<u32>;
/// The last x of lane l: limbs 0..3 at 2 l, limbs 4..7 at 2 l + 1.
@group(0) @binding(1) var<storage, read_write> mul_rate_words: array<vec4<u32>>;

@compute @workgroup_size(64)
fn mul_rate(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let lane = lane_index(workgroup, workgroups, local);
  if (lane >= mul_rate_parameters.x) {
    return;
  }
  let first = vec4<u32>(8u * lane) + vec4<u32>(1u, 2u, 3u, 4u);
  let y = U256(first * HASH_MULTIPLIER, (first + vec4<u32>(4u)) * HASH_MULTIPLIER);
  var x = y;
  let iterations = mul_rate_parameters.y;
  for (var i = 0u; i < iterations; i++) {
    x = u256_mul(x, y);
    x.lo.x ^= i;
  }
  mul_rate_words[2u * lane] = x.lo;
  mul_rate_words[2u * lane + 1u] = x.hi;
}
