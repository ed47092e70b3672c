import package::lane::lane::lane_index;
import package::layout::settle::{SETTLE_ENTRY_VECTORS, SETTLE_ROW_VECTORS, SETTLE_STATE_VECTORS};
import package::settle::range::settle_range;
import package::settle::states::{settle_entries, settle_number, settle_place};

/// Writes the rows of last writers one after another.

@group(0) @binding(3) var<storage, read> settle_states: array<vec4<u32>>;
/// Rows before each place; then their number.
@group(0) @binding(4) var<storage, read> settle_rows_before: array<u32>;
@group(0) @binding(5) var<storage, read_write> settle_rows_of: array<vec4<u32>>;

@compute @workgroup_size(64)
fn settle_rows(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let place = lane_index(workgroup, workgroups, local);
  if (place >= settle_range.capacity + settle_range.transactions) {
    return;
  }
  let row = settle_rows_before[place];
  if (settle_rows_before[place + 1u] == row) {
    return;
  }
  let state = place * SETTLE_STATE_VECTORS;
  let at = row * SETTLE_ROW_VECTORS;
  let cell = settle_entries[settle_number(settle_place(place)) * SETTLE_ENTRY_VECTORS].x;
  settle_rows_of[at] = vec4<u32>(cell, settle_states[state].yz, 0u);
  settle_rows_of[at + 1u] = settle_states[state + 1u];
  settle_rows_of[at + 2u] = settle_states[state + 2u];
}
