import package::lane::lane::lane_index;
import package::layout::open_batch::{OUTCOME_NONE, STATUS_NONE, TIER_NONE, TYPE_BLOB};
import package::layout::path::MISSING;
import package::layout::settle::{SETTLE_OVERLAY_VECTORS, SETTLE_PLAN_CALLS, SETTLE_PLAN_MOVES, SETTLE_PLAN_TAKEN};
import package::layout::settle::SETTLE_PLAN_TOUCHES;
import package::layout::tables::{ACCOUNT_CODE_AT, ACCOUNT_CODE_SHIFT, ACCOUNT_FLAG_EXISTS, ACCOUNT_ROW_VECTORS};
import package::settle::columns::{settle_integer, settle_pair, settle_u32, settle_u8, settle_word};
import package::settle::range::{settle_account_cell, settle_range};
import package::u256::compare::u256_is_zero;

/// What each transaction of the range is: how many entries it has in the log, what it does, and the gas that it pays.
/// One that this form does not know, or that no values could make stand, ends the range.

@group(0) @binding(2) var<storage, read> settle_lanes: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> settle_account_rows: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read> settle_overlay_of: array<u32>;
@group(0) @binding(5) var<storage, read> settle_overlays: array<vec4<u32>>;
@group(0) @binding(6) var<storage, read_write> settle_counts: array<u32>;
/// (SETTLE_PLAN_*, gas)
@group(0) @binding(7) var<storage, read_write> settle_plans: array<vec2<u32>>;
/// The first transaction that is left.
@group(0) @binding(8) var<storage, read_write> settle_stop: atomic<u32>;

/// (code id, flags) of an account.
fn settle_code(account: u32) -> vec2<u32> {
  let overlay = settle_overlay_of[settle_account_cell(account)];
  let flags = settle_account_rows[account * ACCOUNT_ROW_VECTORS + ACCOUNT_CODE_AT].w;
  let head = settle_overlays[select(overlay - 1u, 0u, overlay == 0u) * SETTLE_OVERLAY_VECTORS];
  return select(head.zw, vec2<u32>(flags >> ACCOUNT_CODE_SHIFT, flags), overlay == 0u);
}

struct SettlePlan {
  entries: u32,
  bits: u32,
  gas: u32,
}

/// No bits where it is left. What a transaction of another kind has not is read at 0, and not looked at.
fn settle_plan(i: u32) -> SettlePlan {
  let sender = settle_u32(settle_range.from_at, i);
  let paid = settle_u32(settle_range.to_at, i);
  let called = select(0u, paid, paid < settle_range.accounts);
  let callee = settle_code(called);
  let price = settle_word(settle_range.price_at, i);
  let intrinsic = settle_integer(settle_pair(settle_range.intrinsic_at, i));
  let least = settle_integer(settle_pair(settle_range.floor_at, i));
  let limit = settle_integer(settle_pair(settle_range.gas_limit_at, i));
  let moves = !u256_is_zero(settle_word(settle_range.value_at, i));
  let is_transfer = settle_u8(settle_range.tier_at, i) == TIER_NONE;
  let number = settle_u32(settle_range.execution_of_at, i);
  let described = settle_u32(settle_range.described_at, select(number, 0u, is_transfer | (number == MISSING)));
  let execution = settle_lanes[described];
  let spent = settle_integer(settle_pair(settle_range.gas_at, i));
  let refund = settle_integer(settle_pair(settle_range.refund_at, i));
  let before = intrinsic.x + spent.x;
  let after = before - min(refund.x, before / settle_range.refund_quotient);
  let has_ended = (settle_u8(settle_range.status_at, i) != STATUS_NONE) & (number != MISSING) & (described != 0u);
  let has_gas = ((spent.z & refund.z) != 0u) & ((spent.y | refund.y) == 0u) & (before >= spent.x);
  let is_known = is_transfer | (has_ended & has_gas);
  let stands = (settle_u8(settle_range.rejection_at, i) == 0u)
    & (settle_u8(settle_range.type_at, i) < TYPE_BLOB)
    & (paid < settle_range.accounts)
    & (settle_code(sender).x == 0u)
    & (callee.x == settle_u32(settle_range.to_code_at, i))
    & ((price.lo.z | price.lo.w | price.hi.x | price.hi.y | price.hi.z | price.hi.w) == 0u)
    & ((intrinsic.z & least.z & limit.z) != 0u)
    & ((intrinsic.y | least.y) == 0u);
  let pays = moves & (is_transfer | (execution.y != 0u));
  let exists = (callee.y & ACCOUNT_FLAG_EXISTS) != 0u;
  let touches = is_transfer & !moves & (sender != paid) & exists & (callee.x == 0u);
  let bits = SETTLE_PLAN_TAKEN
    | select(0u, SETTLE_PLAN_CALLS, !is_transfer)
    | select(0u, SETTLE_PLAN_MOVES, pays)
    | select(0u, SETTLE_PLAN_TOUCHES, touches);
  let entries = 1u + select(0u, 1u, pays | touches) + select(execution.z, 0u, is_transfer);
  let gas = max(select(after, intrinsic.x, is_transfer), least.x);
  let taken = stands & is_known;
  return SettlePlan(select(0u, entries, taken), select(0u, bits, taken), gas);
}

@compute @workgroup_size(64)
fn settle_count(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let i = lane_index(workgroup, workgroups, local);
  if (i >= settle_range.transactions) {
    return;
  }
  var plan = SettlePlan(0u, 0u, 0u);
  // One that has an outcome has entered what it changes.
  if (settle_u8(settle_range.outcome_at, i) == OUTCOME_NONE) {
    plan = settle_plan(i);
    if (plan.bits == 0u) {
      atomicMin(&settle_stop, i);
    }
  }
  settle_counts[i] = plan.entries;
  settle_plans[i] = vec2<u32>(plan.bits, plan.gas);
}
