import package::lane::lane::{lane_environment, lane_index, lanes_in, lanes_out};
import package::layout::lane_vm::{LANE_COUNTS, LANE_OUTPUT, LANE_PARTIES, LANE_STATE, SLOT_VECTORS};
import package::layout::lane_vm::{VM_ACCOUNT_VECTORS, VM_EXIT_SUCCEEDED};
import package::vm::held::{vm_held_account, vm_held_slot, vm_take_up};
import package::vm::lane::{vm_at, vm_columns, vm_vector};

/// Copies what ended lanes left to two dense runs of vectors: what settling needs, and what receipts keep.
///
/// `lanes_in`: (entries, 0, 0, 0), then one for each lane: (lane, vector of its held slots, which its held accounts
/// follow, vector of its logs, which its output follows, 0). One invocation for each entry.

@group(0) @binding(3) var<storage, read_write> taken_records: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read_write> taken_words: array<vec4<u32>>;

/// Copies a held record of `vectors` vectors. Gives the vector after it.
fn take_record(place: u32, vectors: u32, to: u32) -> u32 {
  if (vectors == 0u) {
    return to;
  }
  taken_records[to] = vec4<u32>(lanes_out[place].xyz, vectors);
  for (var k = 1u; k < vectors; k++) {
    taken_records[to + k] = lanes_out[vm_vector(place, k)];
  }
  return to + vectors;
}

fn take_words(place: u32, vectors: u32, to: u32) -> u32 {
  for (var k = 0u; k < vectors; k++) {
    taken_words[to + k] = lanes_out[vm_vector(place, k)];
  }
  return to + vectors;
}

@compute @workgroup_size(64)
fn lane_vm_take(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let entry = lane_index(workgroup, workgroups, local);
  if (entry >= lanes_in[0].x) {
    return;
  }
  let listed = lanes_in[1u + entry];
  vm_take_up(listed.x);
  let counts = lanes_out[vm_columns(LANE_COUNTS)];
  let sender = lanes_out[vm_columns(LANE_PARTIES)].x;
  var to = listed.y;
  for (var n = 0u; n < counts.x; n++) {
    let place = vm_at(lane_environment.slots_at + SLOT_VECTORS * n);
    to = take_record(place, vm_held_slot(place), to);
  }
  for (var n = 0u; n < counts.y; n++) {
    let place = vm_at(lane_environment.accounts_at + VM_ACCOUNT_VECTORS * n);
    to = take_record(place, vm_held_account(place, sender), to);
  }
  to = listed.z;
  if (lanes_out[vm_columns(LANE_STATE)].x == VM_EXIT_SUCCEEDED) {
    to = take_words(vm_at(lane_environment.logs_at), counts.z, to);
  }
  let output = lanes_out[vm_columns(LANE_OUTPUT)];
  let first = output.x >> 4u;
  let vectors = select(((output.x + output.y + 15u) >> 4u) - first, 0u, output.y == 0u);
  take_words(vm_at(lane_environment.memory_at + first), vectors, to);
}
