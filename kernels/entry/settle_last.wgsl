import package::lane::lane::lane_index;
import package::layout::path::MISSING;
import package::layout::settle::{SETTLE_PLACE_FIRST, SETTLE_STATE_VECTORS, SETTLE_STATE_WRITTEN};
import package::settle::range::settle_range;

/// Marks the places of last writers: what their cell is after the transactions that stand.

@group(0) @binding(1) var<storage, read> settle_places: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> settle_states: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> settle_stop: array<u32>;
@group(0) @binding(4) var<storage, read_write> settle_rows_before: array<u32>;

/// Whether an entry of a transaction that stands is at a place.
fn settle_stands(place: u32) -> bool {
  if (settle_places[place * SETTLE_STATE_VECTORS].x == MISSING) {
    return false;
  }
  return settle_states[place * SETTLE_STATE_VECTORS].w < settle_stop[0];
}

fn settle_is_last(place: u32, count: u32) -> bool {
  let next = place + 1u;
  if (!settle_stands(place) | ((settle_states[place * SETTLE_STATE_VECTORS].x & SETTLE_STATE_WRITTEN) == 0u)) {
    return false;
  }
  if (next == count) {
    return true;
  }
  let begins = (settle_places[next * SETTLE_STATE_VECTORS].x & SETTLE_PLACE_FIRST) != 0u;
  return begins | !settle_stands(next);
}

@compute @workgroup_size(64)
fn settle_last(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let place = lane_index(workgroup, workgroups, local);
  let count = settle_range.capacity + settle_range.transactions;
  if (place >= count) {
    return;
  }
  settle_rows_before[place] = select(0u, 1u, settle_is_last(place, count));
}
