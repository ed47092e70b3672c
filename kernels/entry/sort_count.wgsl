import package::layout::environment::WORKGROUP_SIZE;
import package::layout::settle::SORT_DIGITS;
import package::scan::workgroup::scan_block;
import package::sort::digits::{sort_columns, sort_count_own, sort_pass};

/// Pairs of each digit in each block, by digit, then by block (sort/digits.wgsl).
@group(0) @binding(3) var<storage, read_write> sort_counts: array<u32>;

@compute @workgroup_size(64)
fn sort_count(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let block = scan_block(workgroup, workgroups);
  if (block >= sort_pass.blocks) {
    return;
  }
  sort_count_own(block, local);
  if (local < SORT_DIGITS) {
    var sum = 0u;
    for (var lane = 0u; lane < sort_pass.size; lane++) {
      sum += sort_columns[local * WORKGROUP_SIZE + lane];
    }
    sort_counts[local * sort_pass.blocks + block] = sum;
  }
}
