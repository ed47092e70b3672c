import package::layout::environment::WORKGROUP_SIZE;
import package::layout::settle::{SORT_BLOCK, SORT_DIGITS, SORT_ITEMS};
import package::scan::workgroup::scan_block;
import package::sort::digits::{sort_columns, sort_count_own, sort_digit, sort_pairs, sort_pass, sort_total};

/// Moves each pair to its place by the digit (sort/digits.wgsl). `sort_places` are the scanned counts.
@group(0) @binding(3) var<storage, read> sort_places: array<u32>;
@group(0) @binding(4) var<storage, read_write> sort_sorted: array<vec2<u32>>;

@compute @workgroup_size(64)
fn sort_scatter(
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
    var place = sort_places[local * sort_pass.blocks + block];
    for (var lane = 0u; lane < sort_pass.size; lane++) {
      let column = local * WORKGROUP_SIZE + lane;
      let count = sort_columns[column];
      sort_columns[column] = place;
      place += count;
    }
  }
  workgroupBarrier();
  let total = min(sort_pass.capacity, sort_total[0]);
  let first = block * SORT_BLOCK + local * SORT_ITEMS;
  for (var k = 0u; k < sort_pass.items; k++) {
    let i = first + k;
    if (i < total) {
      let pair = sort_pairs[i];
      let column = sort_digit(pair.x) * WORKGROUP_SIZE + local;
      let place = sort_columns[column];
      sort_columns[column] = place + 1u;
      sort_sorted[place] = pair;
    }
  }
}
