import package::layout::path::MISSING;
import package::layout::settle::{SETTLE_ADDS, SETTLE_ENTRY_VECTORS, SETTLE_KIND_MASK, SETTLE_KIND_SENDER};
import package::layout::settle::{SETTLE_KIND_SHIFT, SETTLE_PLACE_FIRST, SETTLE_SETS, SETTLE_SHRINKS};
import package::layout::settle::SETTLE_STATE_ABSOLUTE;
import package::layout::settle::{SETTLE_STATE_FIRST, SETTLE_STATE_VECTORS, SETTLE_STATE_WRITTEN};
import package::settle::range::settle_add_pair;
import package::u256::add::{u256_add, u256_negate_if};
import package::u256::u256::{U256, U256_ZERO, u256_select};

/// The sorted log, and what its entries make of their cells.

@group(0) @binding(1) var<storage, read> settle_places: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> settle_entries: array<vec4<u32>>;

/// What a run of entries makes of a cell: a value and a nonce to add, or the cell's own (SETTLE_STATE_ABSOLUTE).
/// Two in a row compose to one, so they can be scanned.
struct SettleState {
  marks: u32,
  nonce: vec2<u32>,
  value: U256,
}

struct SettleEntry {
  cell: u32,
  transaction_bits: u32,
  nonce: vec2<u32>,
  argument: U256,
}

fn settle_nothing() -> SettleState {
  return SettleState(0u, vec2<u32>(0u), U256_ZERO);
}

/// a, then b.
fn settle_then(a: SettleState, b: SettleState) -> SettleState {
  let begins = (b.marks & SETTLE_STATE_FIRST) != 0u;
  let absolute = (b.marks & SETTLE_STATE_ABSOLUTE) != 0u;
  return SettleState(
    b.marks | select(a.marks, 0u, begins),
    settle_add_pair(b.nonce, select(a.nonce, vec2<u32>(0u), begins)),
    u256_add(b.value, u256_select(a.value, U256_ZERO, absolute)),
  );
}

fn settle_entry(number: u32) -> SettleEntry {
  let at = number * SETTLE_ENTRY_VECTORS;
  let head = settle_entries[at];
  return SettleEntry(head.x, head.y, head.zw, U256(settle_entries[at + 1u], settle_entries[at + 2u]));
}

fn settle_test(number: u32) -> U256 {
  let at = number * SETTLE_ENTRY_VECTORS + 3u;
  return U256(settle_entries[at], settle_entries[at + 1u]);
}

fn settle_kind(bits: u32) -> u32 {
  return (bits >> SETTLE_KIND_SHIFT) & SETTLE_KIND_MASK;
}

/// What the entry does.
fn settle_change(entry: SettleEntry) -> SettleState {
  let bits = entry.transaction_bits;
  let sets = (bits & SETTLE_SETS) != 0u;
  let writes = sets | ((bits & SETTLE_ADDS) != 0u);
  let value = u256_negate_if(entry.argument, (bits & SETTLE_SHRINKS) != 0u);
  let nonce = vec2<u32>(select(0u, 1u, settle_kind(bits) == SETTLE_KIND_SENDER), 0u);
  let marks = select(0u, SETTLE_STATE_WRITTEN, writes) | select(0u, SETTLE_STATE_ABSOLUTE, sets);
  return SettleState(marks, nonce, u256_select(U256_ZERO, value, writes));
}

fn settle_place(place: u32) -> vec4<u32> {
  return settle_places[place * SETTLE_STATE_VECTORS];
}

fn settle_begins(head: vec4<u32>) -> bool {
  return (head.x != MISSING) & ((head.x & SETTLE_PLACE_FIRST) != 0u);
}

/// The number of the entry at a place.
fn settle_number(head: vec4<u32>) -> u32 {
  return head.x & ~SETTLE_PLACE_FIRST;
}

/// The state with which a cell begins at a place.
fn settle_begin(place: u32, head: vec4<u32>) -> SettleState {
  let at = place * SETTLE_STATE_VECTORS;
  let value = U256(settle_places[at + 1u], settle_places[at + 2u]);
  return SettleState(SETTLE_STATE_FIRST | SETTLE_STATE_ABSOLUTE, head.yz, value);
}
