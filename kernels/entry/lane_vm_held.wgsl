import package::lane::lane::{lane_environment, lane_index, lanes_out};
import package::layout::lane_vm::{LANE_COUNTS, LANE_HELD, LANE_PARTIES, LANE_STATE, SLOT_VECTORS, VM_ACCOUNT_VECTORS};
import package::layout::lane_vm::{VM_EXIT_HALTED, VM_EXIT_SUCCEEDED};
import package::vm::held::{vm_held_account, vm_held_slot, vm_take_up};
import package::vm::lane::{vm_at, vm_columns};

/// Counts what is held of each lane that ended in the dispatch before: column LANE_HELD.
///
/// One invocation for each lane of that dispatch.
@compute @workgroup_size(64)
fn lane_vm_held(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let number = lane_index(workgroup, workgroups, local);
  if (number >= lane_environment.count) {
    return;
  }
  vm_take_up(lanes_out[lane_environment.list_at + (number >> 2u)][number & 3u]);
  let exit = lanes_out[vm_columns(LANE_STATE)].x;
  if ((exit < VM_EXIT_SUCCEEDED) | (exit > VM_EXIT_HALTED)) {
    return;
  }
  let counts = lanes_out[vm_columns(LANE_COUNTS)];
  let sender = lanes_out[vm_columns(LANE_PARTIES)].x;
  var held = vec4<u32>(0u);
  for (var n = 0u; n < counts.x; n++) {
    let vectors = vm_held_slot(vm_at(lane_environment.slots_at + SLOT_VECTORS * n));
    held += vec4<u32>(min(vectors, 1u), 0u, vectors, 0u);
  }
  for (var n = 0u; n < counts.y; n++) {
    let vectors = vm_held_account(vm_at(lane_environment.accounts_at + VM_ACCOUNT_VECTORS * n), sender);
    held += vec4<u32>(0u, min(vectors, 1u), 0u, vectors);
  }
  lanes_out[vm_columns(LANE_HELD)] = held;
}
