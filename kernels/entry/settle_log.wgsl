import package::lane::lane::lane_index;
import package::layout::settle::{SETTLE_ADDS, SETTLE_ENTRY_VECTORS, SETTLE_KIND_BLOCK, SETTLE_KIND_PAID};
import package::layout::settle::{SETTLE_KIND_SENDER, SETTLE_KIND_SHIFT, SETTLE_PLAN_CALLS, SETTLE_PLAN_MOVES};
import package::layout::settle::{SETTLE_PLAN_TAKEN, SETTLE_PLAN_TOUCHES, SETTLE_READ_VECTORS, SETTLE_SHRINKS};
import package::layout::settle::SETTLE_TRANSACTION_SHIFT;
import package::settle::columns::{settle_limb, settle_pair, settle_integer, settle_u32, settle_word};
import package::settle::range::{settle_account_cell, settle_block_cell, settle_range};
import package::u256::add::u256_add;
import package::u256::mul::{u256_column_add, u256_column_next};
import package::u256::u256::{U256, U256_ZERO, u256_select};

/// Writes the entries of each transaction, in the order of transactions: its sender, the account that it pays, and each
/// slot that its execution looked up. After all of them stands one of the block for every transaction.

@group(0) @binding(2) var<storage, read> settle_lanes: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> settle_slot_values: array<vec4<u32>>;
/// Where the entries of each transaction begin; then their number.
@group(0) @binding(4) var<storage, read> settle_offsets: array<u32>;
@group(0) @binding(5) var<storage, read> settle_plans: array<vec2<u32>>;
@group(0) @binding(6) var<storage, read_write> settle_entries: array<vec4<u32>>;
/// (cell, number of the entry), to be sorted.
@group(0) @binding(7) var<storage, read_write> settle_pairs: array<vec2<u32>>;

fn settle_put(number: u32, head: vec4<u32>, argument: U256, test: U256) {
  let at = number * SETTLE_ENTRY_VECTORS;
  settle_entries[at] = head;
  settle_entries[at + 1u] = argument.lo;
  settle_entries[at + 2u] = argument.hi;
  settle_entries[at + 3u] = test.lo;
  settle_entries[at + 4u] = test.hi;
}

/// price * gas, of which the price is below 2^64.
fn settle_fee(price: U256, gas: u32) -> U256 {
  let low = u256_column_add(vec3<u32>(0u), price.lo.x, gas);
  let high = u256_column_add(u256_column_next(low), price.lo.y, gas);
  return U256(vec4<u32>(low.x, high.x, high.y, high.z), vec4<u32>(0u));
}

/// What an entry is made of.
struct SettleLine {
  cell: u32,
  bits: u32,
  argument: U256,
  test: U256,
}

/// Entry of read k of the execution that is described at a vector.
fn settle_read(i: u32, described: u32, k: u32) -> SettleLine {
  let execution = settle_lanes[described];
  let lane = settle_u32(settle_range.lane_of_at, i) - execution.w;
  let read = settle_lanes[described + 1u + k * SETTLE_READ_VECTORS];
  let stored = settle_lanes[described + 2u + k * SETTLE_READ_VECTORS].x;
  let slot = settle_limb(settle_lanes[read.x + lane], read.y);
  // Vector 0 stands for none, and lies before all lanes.
  let hint = select(read.z + lane, 0u, read.z == 0u);
  let stride = select(execution.x, 0u, read.z == 0u);
  let given = (read.z != 0u) & (settle_lanes[hint + 2u * stride].x == slot);
  let base = U256(settle_slot_values[2u * slot], settle_slot_values[2u * slot + 1u]);
  let seen = u256_select(base, U256(settle_lanes[hint], settle_lanes[hint + stride]), given);
  let word = select(stored + lane, 0u, stored == 0u);
  let width = select(execution.x, 0u, stored == 0u);
  return SettleLine(slot, read.w, U256(settle_lanes[word], settle_lanes[word + width]), seen);
}

@compute @workgroup_size(64)
fn settle_log(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let i = lane_index(workgroup, workgroups, local);
  if (i >= settle_range.transactions) {
    return;
  }
  let tag = i << SETTLE_TRANSACTION_SHIFT;
  let plan = settle_plans[i];
  let moves = (plan.x & SETTLE_PLAN_MOVES) != 0u;
  let value = u256_select(U256_ZERO, settle_word(settle_range.value_at, i), moves);
  let fee = settle_fee(settle_word(settle_range.price_at, i), plan.y);
  let tip = settle_fee(settle_word(settle_range.priority_at, i), plan.y);
  let limit = settle_integer(settle_pair(settle_range.gas_limit_at, i));
  let nonce = settle_pair(settle_range.nonce_at, i);
  let cost = settle_word(settle_range.cost_at, i);
  let sender = settle_account_cell(settle_u32(settle_range.from_at, i));
  let called = settle_account_cell(settle_u32(settle_range.to_at, i));
  var described = 0u;
  if ((plan.x & SETTLE_PLAN_CALLS) != 0u) {
    described = settle_u32(settle_range.described_at, settle_u32(settle_range.execution_of_at, i));
  }
  let first = settle_offsets[i];
  let end = settle_offsets[i + 1u];
  let block = settle_offsets[settle_range.transactions] + i;
  let parties = select(1u, 2u, (plan.x & (SETTLE_PLAN_MOVES | SETTLE_PLAN_TOUCHES)) != 0u);
  let taken = (plan.x & SETTLE_PLAN_TAKEN) != 0u;
  // The entry of the block is the last one here.
  let count = end - first + 1u;
  for (var k = 0u; k < count; k++) {
    let is_block = k + 1u == count;
    let is_sender = !is_block & (k == 0u);
    let is_paid = !is_block & (k == 1u) & (parties == 2u);
    var line = SettleLine(settle_block_cell(), SETTLE_KIND_BLOCK << SETTLE_KIND_SHIFT, U256_ZERO, U256_ZERO);
    if (!is_block & (k >= parties)) {
      line = settle_read(i, described, k - parties);
    }
    if (is_block & taken) {
      line.bits |= SETTLE_ADDS;
      line.argument = U256(tip.lo, vec4<u32>(0u, 0u, plan.y, 0u));
      line.test = U256(vec4<u32>(limit.xy, 0u, 0u), vec4<u32>(0u));
    }
    if (is_sender) {
      let bits = SETTLE_ADDS | SETTLE_SHRINKS | (SETTLE_KIND_SENDER << SETTLE_KIND_SHIFT);
      line = SettleLine(sender, bits, u256_add(fee, value), cost);
    }
    if (is_paid) {
      let bits = select(0u, SETTLE_ADDS, moves) | (SETTLE_KIND_PAID << SETTLE_KIND_SHIFT);
      line = SettleLine(called, bits, value, U256_ZERO);
    }
    let number = select(first + k, block, is_block);
    if (!is_block) {
      settle_pairs[number] = vec2<u32>(line.cell, number);
    }
    let head = vec4<u32>(line.cell, tag | line.bits, select(vec2<u32>(0u), nonce, is_sender));
    settle_put(number, head, line.argument, line.test);
  }
}
