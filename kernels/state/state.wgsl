import package::u256::compare::u256_eq;
import package::u256::u256::{U256, U256_ZERO, u256_select};
import package::layout::path::MISSING;
import package::layout::tables::{ACCOUNT_ADDRESS_AT, ACCOUNT_BALANCE_AT, ACCOUNT_CODE_AT, ACCOUNT_FLAG_EXISTS};
import package::layout::tables::{ACCOUNT_HASH_SEED, ACCOUNT_ROW_VECTORS, HASH_MULTIPLIER, HASH_SHIFT, MAX_PROBES};
import package::layout::tables::SLOT_HASH_SEED;
import package::lane::lane::lane_environment;

/// The state tables; layout and hashes in transpiler/layout/tables.ts. Every row array holds at least one row.
@group(0) @binding(3) var<storage, read> state_slot_index: array<vec2<u32>>;
@group(0) @binding(4) var<storage, read> state_slot_keys: array<vec4<u32>>;
@group(0) @binding(5) var<storage, read> state_slot_values: array<vec4<u32>>;
@group(0) @binding(6) var<storage, read> state_account_index: array<vec2<u32>>;
@group(0) @binding(7) var<storage, read> state_account_rows: array<vec4<u32>>;
@group(0) @binding(8) var<storage, read> state_constants: array<vec4<u32>>;

fn state_mix(hash: u32, limb: u32) -> u32 {
  let h = (hash ^ limb) * HASH_MULTIPLIER;
  return h ^ (h >> HASH_SHIFT);
}

fn state_mix_quad(hash: u32, limbs: vec4<u32>) -> u32 {
  return state_mix(state_mix(state_mix(state_mix(hash, limbs.x), limbs.y), limbs.z), limbs.w);
}

fn state_slot_hash(account: u32, key: U256) -> u32 {
  return state_mix_quad(state_mix_quad(state_mix(SLOT_HASH_SEED, account), key.lo), key.hi);
}

fn state_account_hash(address: U256) -> u32 {
  return state_mix(state_mix_quad(ACCOUNT_HASH_SEED, address.lo), address.hi.x);
}

/// Id of the slot `key` of an account, or MISSING: linear probing until the key, an empty bucket, or MAX_PROBES.
/// A MISSING account matches no bucket. Lanes of one wave leave the loop when the slowest has its answer.
fn state_slot(account: u32, key: U256) -> u32 {
  let mask = lane_environment.slot_mask;
  let hash = state_slot_hash(account, key);
  var found = MISSING;
  var open = true;
  for (var probe = 0u; probe < MAX_PROBES; probe++) {
    if (!open) {
      break;
    }
    let bucket = state_slot_index[(hash + probe) & mask];
    open = bucket.x != 0u;
    if (open & (bucket.y == account)) {
      let row = 2u * (bucket.x - 1u);
      let same = u256_eq(U256(state_slot_keys[row], state_slot_keys[row + 1u]), key);
      found = select(found, bucket.x - 1u, same);
      open = !same;
    }
  }
  return found;
}

/// Committed value of a slot; 0 for MISSING.
fn state_slot_value(slot: u32) -> U256 {
  let missing = slot == MISSING;
  let row = select(2u * slot, 0u, missing);
  return u256_select(U256(state_slot_values[row], state_slot_values[row + 1u]), U256_ZERO, missing);
}

/// Id of the account at an address (upper 96 bits zero), or MISSING. The same probes as state_slot.
fn state_account(address: U256) -> u32 {
  let mask = lane_environment.account_mask;
  let hash = state_account_hash(address);
  var found = MISSING;
  var open = true;
  for (var probe = 0u; probe < MAX_PROBES; probe++) {
    if (!open) {
      break;
    }
    let bucket = state_account_index[(hash + probe) & mask];
    open = bucket.x != 0u;
    if (open & (bucket.y == address.lo.x)) {
      let row = ACCOUNT_ROW_VECTORS * (bucket.x - 1u);
      let low = state_account_rows[row + ACCOUNT_ADDRESS_AT] ^ address.lo;
      let same = (low.x | low.y | low.z | low.w | (state_account_rows[row + ACCOUNT_CODE_AT].x ^ address.hi.x)) == 0u;
      found = select(found, bucket.x - 1u, same);
      open = !same;
    }
  }
  return found;
}

/// Vector i of an account's row; 0 for MISSING.
fn state_account_vector(id: u32, i: u32) -> vec4<u32> {
  let missing = id == MISSING;
  return select(state_account_rows[select(ACCOUNT_ROW_VECTORS * id, 0u, missing) + i], vec4<u32>(0u), missing);
}

/// The account's code skeleton, 0 without code.
fn state_account_skeleton(id: u32) -> u32 {
  return state_account_vector(id, ACCOUNT_CODE_AT).y;
}

fn state_account_address(id: u32) -> U256 {
  let last = state_account_vector(id, ACCOUNT_CODE_AT).x;
  return U256(state_account_vector(id, ACCOUNT_ADDRESS_AT), vec4<u32>(last, 0u, 0u, 0u));
}

fn state_account_balance(id: u32) -> U256 {
  return U256(state_account_vector(id, ACCOUNT_BALANCE_AT), state_account_vector(id, ACCOUNT_BALANCE_AT + 1u));
}

/// Whether the account exists and is not empty (EIP-161).
fn state_account_exists(id: u32) -> bool {
  return (state_account_vector(id, ACCOUNT_CODE_AT).w & ACCOUNT_FLAG_EXISTS) != 0u;
}

/// Word `index` behind the account's constants base; 0 for MISSING, and where the table ends before: a lane that asks
/// an account of another code than its path was recorded on leaves by a guard.
fn state_constant(account: u32, index: u32) -> U256 {
  let at = 2u * (state_account_vector(account, ACCOUNT_CODE_AT).z + index);
  let missing = (account == MISSING) | (at + 1u >= arrayLength(&state_constants));
  let row = select(at, 0u, missing);
  return u256_select(U256(state_constants[row], state_constants[row + 1u]), U256_ZERO, missing);
}
