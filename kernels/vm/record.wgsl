import package::u256::compare::u256_eq;
import package::u256::u256::{U256, U256_ZERO};
import package::layout::lane_vm::{ENTRY_UNDONE, JOURNAL_VECTORS, RECORD_BEFORE_AT, RECORD_PRESENT_AT, SLOT_VECTORS};
import package::layout::lane_vm::{TRANSIENT_VECTORS, VM_ACCOUNT_VECTORS, VM_NONE, VM_REGION_ACCOUNTS};
import package::layout::lane_vm::{VM_REGION_JOURNAL, VM_REGION_SLOTS, VM_REGION_TRANSIENTS};
import package::layout::tables::HASH_MULTIPLIER;
import package::lane::lane::{lane_environment, lanes_out};
import package::vm::lane::{vm_accounts, vm_at, vm_depth, vm_full, vm_journal, vm_put_word, vm_slots, vm_stride};
import package::vm::lane::{vm_transients, vm_turns, vm_vector, vm_word};

/// What a lane keeps of slots, accounts and transient slots: records of (header, word, present word, ...), so that one
/// journal undoes all three. A search gives the record's vector in the arena, or makes a new record there, or finds no
/// room.

/// A record, counted in vectors of the lane's arena; VM_NONE where the region is full.
struct VmRecord {
  at: u32,
  is_new: bool,
}

/// The record of a slot by its id. A new one has an empty header but for the id.
fn vm_slot_record(id: u32, account: u32) -> VmRecord {
  let mask = lane_environment.bucket_mask;
  let buckets = vm_at(lane_environment.buckets_at);
  var bucket = ((id * HASH_MULTIPLIER) >> 16u) & mask;
  var found = VM_NONE;
  var is_new = false;
  for (var probe = 0u; probe <= mask; probe++) {
    let place = vm_vector(buckets, bucket >> 2u);
    let entry = lanes_out[place][bucket & 3u];
    let at = lane_environment.slots_at + SLOT_VECTORS * (entry - 1u);
    if (entry == 0u) {
      if (vm_slots < lane_environment.slots) {
        found = lane_environment.slots_at + SLOT_VECTORS * vm_slots;
        is_new = true;
        vm_slots++;
        lanes_out[place][bucket & 3u] = vm_slots;
        lanes_out[vm_at(found)] = vec4<u32>(id, 0u, account, 0u);
      } else {
        vm_full(VM_REGION_SLOTS);
      }
      break;
    }
    if (lanes_out[vm_at(at)].x == id) {
      found = at;
      break;
    }
    bucket = (bucket + 1u) & mask;
  }
  return VmRecord(found, is_new);
}

fn vm_account_record(id: u32) -> VmRecord {
  var at = lane_environment.accounts_at;
  var is_new = true;
  for (var n = 0u; n < vm_accounts; n++) {
    if (lanes_out[vm_at(at)].x == id) {
      is_new = false;
      break;
    }
    at += VM_ACCOUNT_VECTORS;
  }
  if (is_new) {
    if (vm_accounts < lane_environment.accounts) {
      vm_accounts++;
    } else {
      at = VM_NONE;
      vm_full(VM_REGION_ACCOUNTS);
    }
  }
  return VmRecord(at, is_new);
}

fn vm_transient_record(account: u32, key: U256) -> VmRecord {
  var at = lane_environment.transient_at;
  var is_new = true;
  for (var n = 0u; n < vm_transients; n++) {
    let place = vm_at(at);
    if ((lanes_out[place].x == account) & u256_eq(vm_word(vm_vector(place, RECORD_BEFORE_AT), vm_stride), key)) {
      is_new = false;
      break;
    }
    at += TRANSIENT_VECTORS;
  }
  if (is_new) {
    if (vm_transients < lane_environment.transients) {
      vm_transients++;
      let place = vm_at(at);
      lanes_out[place] = vec4<u32>(account, 0u, 0u, 0u);
      vm_put_word(vm_vector(place, RECORD_BEFORE_AT), key);
      vm_put_word(vm_vector(place, RECORD_PRESENT_AT), U256_ZERO);
    } else {
      at = VM_NONE;
      vm_full(VM_REGION_TRANSIENTS);
    }
  }
  return VmRecord(at, is_new);
}

/// Notes a record before it changes. What the transaction's own frame does is void as a whole where it fails: the host
/// drops it.
fn vm_note(at: u32) {
  if (vm_depth == 0u) {
    return;
  }
  if (vm_journal >= lane_environment.journal) {
    vm_full(VM_REGION_JOURNAL);
    return;
  }
  let place = vm_at(lane_environment.journal_at + JOURNAL_VECTORS * vm_journal);
  let record = vm_at(at);
  for (var k = 0u; k < vm_turns(JOURNAL_VECTORS); k++) {
    var noted = lanes_out[vm_vector(record, select(RECORD_PRESENT_AT - 1u + k, 0u, k == 0u))];
    noted.x = select(noted.x, at, k == 0u);
    lanes_out[vm_vector(place, k)] = noted;
  }
  vm_journal++;
}

/// Takes back what was noted since the journal had `mark` entries. What was looked at stays looked at.
fn vm_undo(mark: u32) {
  for (; vm_journal > mark; vm_journal--) {
    let place = vm_at(lane_environment.journal_at + JOURNAL_VECTORS * (vm_journal - 1u));
    let noted = lanes_out[place];
    let record = vm_at(noted.x);
    let header = lanes_out[record];
    let flags = (header.y & ~ENTRY_UNDONE) | (noted.y & ENTRY_UNDONE);
    for (var k = 0u; k < vm_turns(JOURNAL_VECTORS); k++) {
      var old = vec4<u32>(header.x, flags, header.zw);
      if (k != 0u) {
        old = lanes_out[vm_vector(place, k)];
      }
      lanes_out[vm_vector(record, select(RECORD_PRESENT_AT - 1u + k, 0u, k == 0u))] = old;
    }
  }
}
