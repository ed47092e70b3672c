import package::layout::settle::{CONDITION_NO_OVERFLOW, CONDITION_NO_UNDERFLOW, CONDITION_SAME_ZERONESS};
import package::layout::settle::{SETTLE_SHRINKS, SettleUniform};
import package::u256::add::{u256_add_carry, u256_sub};
import package::u256::compare::{u256_is_zero, u256_lt};
import package::u256::u256::{U256, u256_select};

/// The range that is settled: transactions and tables (transpiler/layout/settle.ts).
@group(0) @binding(0) var<uniform> settle_range: SettleUniform;

/// Cell of an account's balance.
fn settle_account_cell(account: u32) -> u32 {
  return settle_range.slots + account;
}

/// Cell of the block.
fn settle_block_cell() -> u32 {
  return settle_range.slots + settle_range.accounts;
}

/// a + b of two u64, low limb first; a carry out of 64 bits is dropped.
fn settle_add_pair(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
  let low = a.x + b.x;
  return vec2<u32>(low, a.y + b.y + select(0u, 1u, low < a.x));
}

/// a < b of two u64, low limb first.
fn settle_pair_below(a: vec2<u32>, b: vec2<u32>) -> bool {
  return (a.y < b.y) | ((a.y == b.y) & (a.x < b.x));
}

/// Whether a delta holds for `value`, where the lane read `read`.
fn settle_delta_holds(value: U256, read: U256, delta: U256, bits: u32) -> bool {
  let shrinks = (bits & SETTLE_SHRINKS) != 0u;
  let grown = u256_add_carry(value, delta);
  let left = u256_select(grown.sum, u256_sub(value, delta), shrinks);
  let wraps = select(grown.carry != 0u, u256_lt(value, delta), shrinks);
  let guarded = (bits & select(CONDITION_NO_OVERFLOW, CONDITION_NO_UNDERFLOW, shrinks)) != 0u;
  let would = u256_select(u256_add_carry(read, delta).sum, u256_sub(read, delta), shrinks);
  let same = (u256_is_zero(value) == u256_is_zero(read)) & (u256_is_zero(left) == u256_is_zero(would));
  return !(wraps & guarded) & (same | ((bits & CONDITION_SAME_ZERONESS) == 0u));
}
