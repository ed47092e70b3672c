import package::layout::environment::WORKGROUP_SIZE;
import package::layout::settle::{SORT_BLOCK, SORT_COUNTERS, SORT_DIGITS, SORT_ITEMS};

/// One pass of a stable radix sort of (key, number) by a digit of the key: `sort_count` counts each block's digits,
/// `scan_*` turns the counts into places, `sort_scatter` moves. An invocation takes SORT_ITEMS neighbours in order and
/// counts them in a column of its own, so equal keys keep their order without atomics.

struct SortPass {
  /// Of all blocks.
  capacity: u32,
  blocks: u32,
  /// Bits below the digit.
  shift: u32,
  /// SORT_ITEMS, SORT_DIGITS and WORKGROUP_SIZE: ends of loops (scan/workgroup.wgsl).
  items: u32,
  digits: u32,
  size: u32,
}

@group(0) @binding(0) var<uniform> sort_pass: SortPass;
/// The first element is the number of pairs.
@group(0) @binding(1) var<storage, read> sort_total: array<u32>;
@group(0) @binding(2) var<storage, read> sort_pairs: array<vec2<u32>>;

/// By digit, then by invocation.
var<workgroup> sort_columns: array<u32, SORT_COUNTERS>;

fn sort_digit(key: u32) -> u32 {
  return (key >> sort_pass.shift) & (SORT_DIGITS - 1u);
}

/// Counts the digits of this invocation's pairs.
fn sort_count_own(block: u32, local: u32) {
  for (var digit = 0u; digit < sort_pass.digits; digit++) {
    sort_columns[digit * WORKGROUP_SIZE + local] = 0u;
  }
  let total = min(sort_pass.capacity, sort_total[0]);
  let first = block * SORT_BLOCK + local * SORT_ITEMS;
  for (var k = 0u; k < sort_pass.items; k++) {
    let i = first + k;
    if (i < total) {
      let column = sort_digit(sort_pairs[i].x) * WORKGROUP_SIZE + local;
      sort_columns[column] = sort_columns[column] + 1u;
    }
  }
  workgroupBarrier();
}
