import package::lane::lane::lane_index;
import package::layout::path::MISSING;
import package::layout::settle::{SETTLE_OVERLAY_VECTORS, SETTLE_PLACE_FIRST, SETTLE_STATE_VECTORS};
import package::layout::tables::{ACCOUNT_BALANCE_AT, ACCOUNT_ROW_VECTORS};
import package::settle::range::settle_range;
import package::u256::u256::{U256, U256_ZERO};

/// The order of all entries: the sorted ones, then those of the block; and where a cell begins, its value before the
/// range.

@group(0) @binding(1) var<storage, read> settle_pairs: array<vec2<u32>>;
/// The number of the sorted entries.
@group(0) @binding(2) var<storage, read> settle_total: array<u32>;
@group(0) @binding(3) var<storage, read> settle_slot_values: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read> settle_account_rows: array<vec4<u32>>;
/// Vectors of accounts as the host has them: (nonce, code id, marks).
@group(0) @binding(5) var<storage, read> settle_account_hosts: array<vec4<u32>>;
/// By cell: 1 + its overlay.
@group(0) @binding(6) var<storage, read> settle_overlay_of: array<u32>;
@group(0) @binding(7) var<storage, read> settle_overlays: array<vec4<u32>>;
@group(0) @binding(8) var<storage, read_write> settle_places: array<vec4<u32>>;

struct SettleBase {
  nonce: vec2<u32>,
  value: U256,
}

fn settle_base(cell: u32) -> SettleBase {
  let account = cell - settle_range.slots;
  if (account == settle_range.accounts) {
    let used = vec4<u32>(0u, 0u, settle_range.used_low, settle_range.used_high);
    return SettleBase(vec2<u32>(0u), U256(U256_ZERO.lo, used));
  }
  let overlay = settle_overlay_of[cell];
  if (overlay != 0u) {
    let at = (overlay - 1u) * SETTLE_OVERLAY_VECTORS;
    return SettleBase(settle_overlays[at].xy, U256(settle_overlays[at + 1u], settle_overlays[at + 2u]));
  }
  if (cell < settle_range.slots) {
    return SettleBase(vec2<u32>(0u), U256(settle_slot_values[2u * cell], settle_slot_values[2u * cell + 1u]));
  }
  let row = account * ACCOUNT_ROW_VECTORS + ACCOUNT_BALANCE_AT;
  let balance = U256(settle_account_rows[row], settle_account_rows[row + 1u]);
  return SettleBase(settle_account_hosts[account].xy, balance);
}

@compute @workgroup_size(64)
fn settle_order(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let place = lane_index(workgroup, workgroups, local);
  if (place >= settle_range.capacity + settle_range.transactions) {
    return;
  }
  let total = settle_total[0];
  let at = place * SETTLE_STATE_VECTORS;
  if (place >= total + settle_range.transactions) {
    settle_places[at] = vec4<u32>(MISSING, 0u, 0u, 0u);
    return;
  }
  var number = place;
  var first = place == total;
  var cell = settle_range.slots + settle_range.accounts;
  if (place < total) {
    let pair = settle_pairs[place];
    cell = pair.x;
    number = pair.y;
    first = true;
    if (place != 0u) {
      first = settle_pairs[place - 1u].x != cell;
    }
  }
  if (!first) {
    settle_places[at] = vec4<u32>(number, 0u, 0u, 0u);
    return;
  }
  let base = settle_base(cell);
  settle_places[at] = vec4<u32>(number | SETTLE_PLACE_FIRST, base.nonce, 0u);
  settle_places[at + 1u] = base.value.lo;
  settle_places[at + 2u] = base.value.hi;
}
