import package::lane::lane::lane_index;
import package::layout::path::MISSING;
import package::layout::settle::{SETTLE_ADDS, SETTLE_KIND_BLOCK, SETTLE_KIND_SENDER, SETTLE_KIND_SLOT, SETTLE_MOVES};
import package::layout::settle::{SETTLE_STATE_VECTORS, SETTLE_TRANSACTION_SHIFT};
import package::settle::range::{settle_add_pair, settle_delta_holds, settle_pair_below, settle_range};
import package::settle::states::{SettleEntry, SettleState, settle_begin, settle_begins, settle_change, settle_entry};
import package::settle::states::{settle_kind, settle_number, settle_place, settle_test, settle_then};
import package::u256::compare::{u256_eq, u256_is_zero, u256_lt};
import package::u256::u256::U256;

/// Last step of the scan over states, and the check: every entry meets the value before it. The first transaction with
/// an entry that does not hold ends the range; those before it stand, since a value depends on lower entries only.

@group(0) @binding(3) var<storage, read> settle_parts_of: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read_write> settle_states: array<vec4<u32>>;
@group(0) @binding(5) var<storage, read_write> settle_stop: atomic<u32>;

/// Without branches: neighbours are of one kind, and a branch costs more to compile than what it saves.
fn settle_holds(entry: SettleEntry, test: U256, before: SettleState) -> bool {
  let bits = entry.transaction_bits;
  let kind = settle_kind(bits);
  let moves = ((bits & SETTLE_MOVES) != 0u) & settle_delta_holds(before.value, test, entry.argument, bits);
  let stands = u256_eq(before.value, test) | moves;
  let pays = all(before.nonce == entry.nonce) & !u256_lt(before.value, test);
  let most = settle_add_pair(before.value.hi.zw, test.lo.xy);
  let fits = !settle_pair_below(vec2<u32>(settle_range.sure_low, settle_range.sure_high), most);
  // An account that is not paid must not be empty.
  let is_some = !u256_is_zero(before.value) | any(before.nonce != vec2<u32>(0u));
  var holds = ((bits & SETTLE_ADDS) != 0u) | is_some;
  holds = select(holds, stands, kind == SETTLE_KIND_SLOT);
  holds = select(holds, pays, kind == SETTLE_KIND_SENDER);
  return select(holds, fits, kind == SETTLE_KIND_BLOCK);
}

/// Transaction and bits of the entry at a place; MISSING where none stands there.
fn settle_bits_at(place: u32) -> u32 {
  let head = settle_place(place);
  let is_none = head.x == MISSING;
  return select(settle_entry(select(settle_number(head), 0u, is_none)).transaction_bits, MISSING, is_none);
}

@compute @workgroup_size(64)
fn settle_check(
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
  let part = run * SETTLE_STATE_VECTORS;
  let start = settle_parts_of[part];
  var state = SettleState(start.x, start.yz, U256(settle_parts_of[part + 1u], settle_parts_of[part + 2u]));
  // Of the entry before: two of one transaction in one slot are not for this form.
  var last_bits = settle_bits_at(select(first - 1u, 0u, first == 0u));
  for (var place = first; place < end; place++) {
    let head = settle_place(place);
    if (head.x != MISSING) {
      let begins = settle_begins(head);
      if (begins) {
        state = settle_begin(place, head);
      }
      let number = settle_number(head);
      let entry = settle_entry(number);
      let bits = entry.transaction_bits;
      let transaction = bits >> SETTLE_TRANSACTION_SHIFT;
      let follows = !begins & (transaction == (last_bits >> SETTLE_TRANSACTION_SHIFT));
      let again = follows & (settle_kind(bits) == SETTLE_KIND_SLOT);
      if (again | !settle_holds(entry, settle_test(number), state)) {
        atomicMin(&settle_stop, transaction);
      }
      state = settle_then(state, settle_change(entry));
      let at = place * SETTLE_STATE_VECTORS;
      settle_states[at] = vec4<u32>(state.marks, state.nonce, transaction);
      settle_states[at + 1u] = state.value.lo;
      settle_states[at + 2u] = state.value.hi;
      last_bits = bits;
    }
  }
}
