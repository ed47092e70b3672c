import package::u256::u256::{U256, U256_ZERO};
import package::u256::compare::u256_eq;
import package::lane::lane::{lane_environment, lanes_out};
import package::vm::lane::{VM_REGION_ACCOUNTS, VM_REGION_JOURNAL, VM_REGION_SLOTS, VM_REGION_TRANSIENTS, vm_spread, vm_stride};
import package::vm::lane::{vm_accounts, vm_at, vm_depth, vm_full, vm_journal, vm_slots, vm_transients};
import package::vm::lane::{vm_put_word, vm_turns, vm_word};

/// What a lane keeps of slots, accounts and transient slots: records of (header, word, present word, ...), so that one journal undoes
/// all three. A search gives the record's vector in the arena, or makes a new record there, or finds no room.

const VM_NONE = 0xffffffffu;
/// Flags of a header that a revert takes back: warm, touched.
const VM_UNDONE_FLAGS = 17u;
const VM_PRESENT_AT = 3u;

const VM_SLOT_VECTORS = 5u;
const VM_ACCOUNT_VECTORS = 7u;
const VM_TRANSIENT_VECTORS = 5u;
const VM_JOURNAL_VECTORS = 3u;

/// A record, counted in vectors of the lane's arena; VM_NONE where the region is full.
struct VmRecord {
  at: u32,
  is_new: bool,
}

/// The record of a slot by its id. A new one has an empty header but for the id.
fn vm_slot_record(id: u32, account: u32) -> VmRecord {
  let mask = lane_environment[22].y;
  let buckets = vm_at(lane_environment[19].w);
  var bucket = ((id * 0x9e3779b1u) >> 16u) & mask;
  var found = VM_NONE;
  var is_new = false;
  for (var probe = 0u; probe <= mask; probe++) {
    let place = buckets + ((bucket >> 2u) << vm_spread);
    let entry = lanes_out[place][bucket & 3u];
    let at = lane_environment[19].z + VM_SLOT_VECTORS * (entry - 1u);
    if (entry == 0u) {
      if (vm_slots < lane_environment[22].x) {
        found = lane_environment[19].z + VM_SLOT_VECTORS * vm_slots;
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
  var at = lane_environment[20].x;
  var is_new = true;
  for (var n = 0u; n < vm_accounts; n++) {
    if (lanes_out[vm_at(at)].x == id) {
      is_new = false;
      break;
    }
    at += VM_ACCOUNT_VECTORS;
  }
  if (is_new) {
    if (vm_accounts < lane_environment[22].z) {
      vm_accounts++;
    } else {
      at = VM_NONE;
      vm_full(VM_REGION_ACCOUNTS);
    }
  }
  return VmRecord(at, is_new);
}

fn vm_transient_record(account: u32, key: U256) -> VmRecord {
  var at = lane_environment[20].w;
  var is_new = true;
  for (var n = 0u; n < vm_transients; n++) {
    let place = vm_at(at);
    if ((lanes_out[place].x == account) & u256_eq(vm_word(place + vm_stride, vm_stride), key)) {
      is_new = false;
      break;
    }
    at += VM_TRANSIENT_VECTORS;
  }
  if (is_new) {
    if (vm_transients < lane_environment[23].y) {
      vm_transients++;
      let place = vm_at(at);
      lanes_out[place] = vec4<u32>(account, 0u, 0u, 0u);
      vm_put_word(place + vm_stride, key);
      vm_put_word(place + (VM_PRESENT_AT << vm_spread), U256_ZERO);
    } else {
      at = VM_NONE;
      vm_full(VM_REGION_TRANSIENTS);
    }
  }
  return VmRecord(at, is_new);
}

/// Notes a record before it changes. What the transaction's own frame does is void as a whole where it fails: the host drops it.
fn vm_note(at: u32) {
  if (vm_depth == 0u) {
    return;
  }
  if (vm_journal >= lane_environment[22].w) {
    vm_full(VM_REGION_JOURNAL);
    return;
  }
  let place = vm_at(lane_environment[20].y + VM_JOURNAL_VECTORS * vm_journal);
  let record = vm_at(at);
  for (var k = 0u; k < vm_turns(3u); k++) {
    var noted = lanes_out[record + (select(VM_PRESENT_AT - 1u + k, 0u, k == 0u) << vm_spread)];
    noted.x = select(noted.x, at, k == 0u);
    lanes_out[place + (k << vm_spread)] = noted;
  }
  vm_journal++;
}

/// Takes back what was noted since the journal had `mark` entries. What was looked at stays looked at.
fn vm_undo(mark: u32) {
  for (; vm_journal > mark; vm_journal--) {
    let place = vm_at(lane_environment[20].y + VM_JOURNAL_VECTORS * (vm_journal - 1u));
    let noted = lanes_out[place];
    let record = vm_at(noted.x);
    let header = lanes_out[record];
    let flags = (header.y & ~VM_UNDONE_FLAGS) | (noted.y & VM_UNDONE_FLAGS);
    for (var k = 0u; k < vm_turns(3u); k++) {
      var old = vec4<u32>(header.x, flags, header.zw);
      if (k != 0u) {
        old = lanes_out[place + (k << vm_spread)];
      }
      lanes_out[record + (select(VM_PRESENT_AT - 1u + k, 0u, k == 0u) << vm_spread)] = old;
    }
  }
}
