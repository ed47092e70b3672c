import package::lane::lane::lane_index;
import package::layout::path::MISSING;
import package::layout::settle::SETTLE_STATE_VECTORS;
import package::settle::range::settle_range;
import package::settle::states::{settle_begin, settle_begins, settle_change, settle_entry, settle_nothing};
import package::settle::states::{settle_number, settle_place, settle_then};

/// First step of the scan over states: what a run of places makes together. Then `settle_parts` scans the runs, and
/// `settle_check` goes through each from its state on.
@group(0) @binding(3) var<storage, read_write> settle_parts_of: array<vec4<u32>>;

@compute @workgroup_size(64)
fn settle_reduce(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let run = lane_index(workgroup, workgroups, local);
  let count = settle_range.capacity + settle_range.transactions;
  let first = run * settle_range.items;
  if (first >= count) {
    return;
  }
  let end = min(count, first + settle_range.items);
  var state = settle_nothing();
  for (var place = first; place < end; place++) {
    let head = settle_place(place);
    if (head.x != MISSING) {
      if (settle_begins(head)) {
        state = settle_begin(place, head);
      }
      state = settle_then(state, settle_change(settle_entry(settle_number(head))));
    }
  }
  let at = run * SETTLE_STATE_VECTORS;
  settle_parts_of[at] = vec4<u32>(state.marks, state.nonce, 0u);
  settle_parts_of[at + 1u] = state.value.lo;
  settle_parts_of[at + 2u] = state.value.hi;
}
