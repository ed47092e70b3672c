import package::u256::u256::U256;
import package::keccak::keccak::{keccak_init_20, keccak_init_32, keccak_f};
import package::bloom::bits::bloom_bits;
import package::lane::lane::lane_index;

/// The bits that each log topic or address sets in a bloom filter. Reads words straight from the columns of a path kernel's `lanesOut`.
///
/// One invocation per (item, lane): lane count * item count in all.

/// vector 0     (lane count, item count up to 16, output stride, 0)
/// vector 1..4  item k in component k mod 4 of vector 1 + k / 4: first column of its word; bit 31 set for an address,
///              of which the low 20 bytes are hashed instead of all 32
@group(0) @binding(0) var<uniform> bloom_parameters: array<vec4<u32>, 5>;
/// Column c of lane l at c * lane count + l.
@group(0) @binding(1) var<storage, read> bloom_columns: array<vec4<u32>>;
/// bloom_bits of item k of lane l at k * output stride + l.
@group(0) @binding(2) var<storage, read_write> bloom_bits_out: array<vec2<u32>>;

const BLOOM_ADDRESS = 0x80000000u;

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
