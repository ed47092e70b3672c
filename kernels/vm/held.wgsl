import package::layout::lane_vm::{ENTRY_BALANCE, ENTRY_SEEN, HELD_ACCOUNT_VECTORS, HELD_SLOT_VECTORS};
import package::layout::lane_vm::{RECORD_BEFORE_AT, RECORD_LEAST_AT, RECORD_PRESENT_AT, SLOT_READ, SLOT_VECTORS};
import package::layout::lane_vm::VM_ACCOUNT_VECTORS;
import package::lane::lane::{lane_environment, lanes_out};
import package::vm::lane::{vm_arena, vm_lane, vm_spread, vm_stride, vm_vector};

/// What the host is told of the records of a lane that ended: HELD RECORD of transpiler/layout/lane_vm.ts.

/// Makes a lane the present one: its number, and where its arena lies.
fn vm_take_up(lane: u32) {
  vm_lane = lane;
  vm_spread = lane_environment.spread;
  let group = (lane >> vm_spread) * lane_environment.lane_vectors;
  vm_stride = 1u << vm_spread;
  let neighbour = lane & (vm_stride - 1u);
  vm_arena = lane_environment.arenas_at + vm_vector(neighbour, group);
}

/// Whether words of the record at `place` differ.
fn vm_words_differ(place: u32, one: u32, other: u32) -> bool {
  let low = lanes_out[vm_vector(place, one)] != lanes_out[vm_vector(place, other)];
  let high = lanes_out[vm_vector(place, one + 1u)] != lanes_out[vm_vector(place, other + 1u)];
  return any(low | high);
}

/// Vectors that are held of the slot whose record stands at `place`.
fn vm_held_slot(place: u32) -> u32 {
  if (vm_words_differ(place, RECORD_BEFORE_AT, RECORD_PRESENT_AT)) {
    return SLOT_VECTORS;
  }
  return select(0u, HELD_SLOT_VECTORS, (lanes_out[place].y & SLOT_READ) != 0u);
}

/// The same of an account.
fn vm_held_account(place: u32, sender: u32) -> u32 {
  let header = lanes_out[place];
  if (
    ((header.y & ENTRY_BALANCE) != 0u) |
    vm_words_differ(place, RECORD_BEFORE_AT, RECORD_PRESENT_AT) |
    vm_words_differ(place, RECORD_BEFORE_AT, RECORD_LEAST_AT)
  ) {
    return VM_ACCOUNT_VECTORS;
  }
  let is_seen = (header.y & ENTRY_SEEN) != 0u;
  return select(0u, HELD_ACCOUNT_VECTORS, is_seen | (header.x == sender));
}
