import package::u256::u256::U256;
import package::keccak::keccak::{keccak_init_20, keccak_init_32, keccak_f};
import package::lane::lane::lane_index;

/// The three bits that each log topic or address sets in a bloom filter (YP 4.3.1): the low 11 bits of the first three
/// big-endian 16-bit pairs of its keccak-256. Reads words straight from the columns of a path kernel's `lanesOut`.
///
/// bit b of the filter is bit b mod 8 of its byte 255 - b / 8.
/// One invocation per (item, lane): lane count * item count in all.

/// vector 0     (lane count, item count up to 16, output stride, 0)
/// vector 1..4  item k in component k mod 4 of vector 1 + k / 4: first column of its word; bit 31 set for an address,
///              of which the low 20 bytes are hashed instead of all 32
@group(0) @binding(0) var<uniform> bloom_parameters: array<vec4<u32>, 5>;
/// Column c of lane l at c * lane count + l.
@group(0) @binding(1) var<storage, read> bloom_columns: array<vec4<u32>>;
/// Item k of lane l at k * output stride + l: (bit 0 | bit 1 << 16, bit 2).
@group(0) @binding(2) var<storage, read_write> bloom_bits: array<vec2<u32>>;

const BLOOM_ADDRESS = 0x80000000u;

/// The filter bit of two digest bytes, the first in the low bits.
fn bloom_bit(bytes: u32) -> u32 {
  return ((bytes & 7u) << 8u) | ((bytes >> 8u) & 0xffu);
}

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
  state = keccak_f(state);
  // Bytes 0..3 of the digest are a0l, the first in the low bits.
  let pair = bloom_bit(state.a0l) | (bloom_bit(state.a0l >> 16u) << 16u);
  bloom_bits[item * bloom_parameters[0].z + lane] = vec2<u32>(pair, bloom_bit(state.a0h));
}
