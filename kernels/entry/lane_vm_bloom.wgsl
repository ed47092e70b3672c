import package::u256::u256::U256;
import package::keccak::keccak::{keccak_f, keccak_init_32};
import package::bloom::bits::bloom_bits;
import package::lane::lane::lane_index;

/// The bloom bits of the topics of lanes of the lane VM, where their logs were gathered. The first topic of a log names
/// the event and is left out: the host has mostly seen it.
///
/// One invocation per list entry.

/// (entries, 0, 0, 0)
@group(0) @binding(0) var<uniform> log_parameters: vec4<u32>;
/// The logs of one lane: (vector of the first LOG record (transpiler/layout/lane_vm.ts), records, vector of the first
/// of their bits, 0)
@group(0) @binding(1) var<storage, read> log_lists: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> log_words: array<vec4<u32>>;
/// Two vectors for each log: (bloom_bits of topic 1, of topic 2), (of topic 3, 0, 0); only those of topics that it has
/// are written.
@group(0) @binding(3) var<storage, read_write> log_bits: array<vec4<u32>>;

@compute @workgroup_size(64)
fn lane_vm_bloom(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let entry = lane_index(workgroup, workgroups, local);
  if (entry >= log_parameters.x) {
    return;
  }
  let list = log_lists[entry];
  var record = list.x;
  for (var n = 0u; n < list.y; n++) {
    let head = log_words[record];
    let to = list.z + 2u * n;
    for (var topic = 1u; topic < head.y; topic++) {
      let at = record + 1u + 2u * topic;
      let bits = bloom_bits(keccak_f(keccak_init_32(U256(log_words[at], log_words[at + 1u]))));
      if (topic == 1u) {
        log_bits[to] = vec4<u32>(bits, 0u, 0u);
      } else if (topic == 2u) {
        log_bits[to] = vec4<u32>(log_bits[to].xy, bits);
      } else {
        log_bits[to + 1u] = vec4<u32>(bits, 0u, 0u);
      }
    }
    record += head.w;
  }
}
