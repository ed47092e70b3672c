import package::layout::settle::{SCAN_BLOCK, SCAN_ITEMS};
import package::scan::workgroup::{scan_before, scan_block};

/// Last step of an exclusive scan (scan_reduce.wgsl), in place: value i becomes the sum of those before it, and the
/// element after the last value the sum of all.

/// (values, SCAN_ITEMS, WORKGROUP_SIZE, 0)
@group(0) @binding(0) var<uniform> scan_parameters: vec4<u32>;
@group(0) @binding(1) var<storage, read> scan_parts_of: array<u32>;
@group(0) @binding(2) var<storage, read_write> scan_values: array<u32>;

@compute @workgroup_size(64)
fn scan_spread(
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
  var before = scan_parts_of[block] + scan_before(local, scan_parameters.z, sum);
  for (var k = 0u; k < scan_parameters.y; k++) {
    let i = first + k;
    var value = 0u;
    if (i < count) {
      value = scan_values[i];
    }
    if (i <= count) {
      scan_values[i] = before;
    }
    before += value;
  }
}
