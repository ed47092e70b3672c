import package::u256::u256::U256;
import package::keccak::keccak::{keccak_f, keccak_init_20, keccak_init_32};
import package::bloom::bits::bloom_bits;
import package::layout::bloom::{BLOOM_ADDRESS, BLOOM_PARAMETER_VECTORS};
import package::lane::lane::lane_index;

/// The bits that each log topic or address sets in a bloom filter. Reads words straight from the columns of a path
/// kernel's `lanesOut`.
///
/// One invocation per (item, lane): lane count * item count in all.

/// Layout in transpiler/layout/bloom.ts.
@group(0) @binding(0) var<uniform> bloom_parameters: array<vec4<u32>, BLOOM_PARAMETER_VECTORS>;
/// Column c of lane l at c * lane count + l.
@group(0) @binding(1) var<storage, read> bloom_columns: array<vec4<u32>>;
/// bloom_bits of item k of lane l at k * output stride + l.
@group(0) @binding(2) var<storage, read_write> bloom_bits_out: array<vec2<u32>>;

@compute @workgroup_size(64)
fn bloom(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let lane_count = bloom_parameters[0].x;
  let index = lane_index(workgroup, workgroups, local);
  if (index >= lane_count * bloom_parameters[0].y) {
    return;
  }
  let item = index / lane_count;
  let lane = index - item * lane_count;
  let place = bloom_parameters[1u + (item >> 2u)][item & 3u];
  let column = place & ~BLOOM_ADDRESS;
  let word = U256(bloom_columns[column * lane_count + lane], bloom_columns[(column + 1u) * lane_count + lane]);
  var state = keccak_init_32(word);
  if ((place & BLOOM_ADDRESS) != 0u) {
    state = keccak_init_20(word);
  }
  bloom_bits_out[item * bloom_parameters[0].z + lane] = bloom_bits(keccak_f(state));
}
