import package::layout::environment::WORKGROUP_SIZE;
import package::layout::settle::{SCAN_BLOCK, SCAN_ITEMS};
import package::scan::workgroup::{scan_before, scan_block, scan_sums};

/// First step of an exclusive scan: the sum of each block. Then `scan_parts` scans the sums, and `scan_spread` each
/// block from its sum on (reduce, then scan: no workgroup waits for another). Sums wrap at 2^32.

/// (values, SCAN_ITEMS, WORKGROUP_SIZE, 0)
@group(0) @binding(0) var<uniform> scan_parameters: vec4<u32>;
@group(0) @binding(1) var<storage, read> scan_values: array<u32>;
@group(0) @binding(2) var<storage, read_write> scan_parts_of: array<u32>;

@compute @workgroup_size(64)
fn scan_reduce(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let block = scan_block(workgroup, workgroups);
  let count = scan_parameters.x;
  if (block * SCAN_BLOCK > count) {
    return;
  }
  let first = block * SCAN_BLOCK + local * SCAN_ITEMS;
  var sum = 0u;
  for (var k = 0u; k < scan_parameters.y; k++) {
    let i = first + k;
    if (i < count) {
      sum += scan_values[i];
    }
  }
  let before = scan_before(local, scan_parameters.z, sum);
  if (local == WORKGROUP_SIZE - 1u) {
    scan_parts_of[block] = before + sum;
  }
}
