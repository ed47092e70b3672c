import package::layout::environment::WORKGROUP_SIZE;
import package::scan::workgroup::scan_before;

/// Exclusive scan in place by one workgroup: an invocation takes a run of values.

/// (values, 0, WORKGROUP_SIZE, 0)
@group(0) @binding(0) var<uniform> scan_parameters: vec4<u32>;
@group(0) @binding(1) var<storage, read_write> scan_parts_of: array<u32>;

@compute @workgroup_size(64)
fn scan_parts(@builtin(local_invocation_index) local: u32) {
  let count = scan_parameters.x;
  let run = (count + WORKGROUP_SIZE - 1u) / WORKGROUP_SIZE;
  let first = min(count, local * run);
  let end = min(count, first + run);
  var sum = 0u;
  for (var i = first; i < end; i++) {
    sum += scan_parts_of[i];
  }
  var before = scan_before(local, scan_parameters.z, sum);
  for (var i = first; i < end; i++) {
    let value = scan_parts_of[i];
    scan_parts_of[i] = before;
    before += value;
  }
}
