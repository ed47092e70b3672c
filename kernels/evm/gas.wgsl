import package::u256::compare::{u256_eq, u256_is_zero};
import package::u256::u256::{U256, u256_fits_u32};
import package::layout::gas::{CALL_GAS_SHIFT, GAS_SSTORE_SET};

/// Prices that more than one form of execution asks for (transpiler/spec/gas.ts).

/// What an SSTORE that changes `current` to `next` costs, its cold part apart, and what it adds to the refund counter,
/// modulo 2^32 (EIP-2200, the case list of its specification). dirty, reset and clears are those of a fork's
/// `StoreGas`: the price of a slot that was changed before, that of a clean one that is not zero, and the refund of a
/// cleared one.
fn evm_store(original: U256, current: U256, next: U256, dirty: u32, reset: u32, clears: u32) -> vec2<u32> {
  let original_zero = u256_is_zero(original);
  let clean = u256_eq(original, current);
  let unchanged = u256_eq(current, next);
  let fresh = select(reset, GAS_SSTORE_SET, original_zero);
  let gas = select(dirty, fresh, clean & !unchanged);
  let cleared = select(0u, clears, !original_zero & u256_is_zero(next));
  let uncleared = select(0u, clears, !original_zero & u256_is_zero(current));
  let restored = select(0u, fresh - dirty, u256_eq(original, next));
  let refund = select(select(cleared - uncleared + restored, cleared, clean), 0u, unchanged);
  return vec2<u32>(gas, refund);
}

/// Gas of a callee where gas fits 32 bits: what was asked for, at most all but one 64th of what is left (EIP-150).
fn evm_call_gas(requested: U256, left: u32) -> u32 {
  let cap = left - (left >> CALL_GAS_SHIFT);
  return select(cap, min(requested.lo.x, cap), u256_fits_u32(requested));
}
