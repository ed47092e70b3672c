import package::keccak::keccak::{keccak_digest, keccak_f, keccak_init_64};
import package::lane::lane::lane_index;
import package::layout::recovery::{RECOVERY_EXCEPTIONAL, RECOVERY_FOUND};
import package::layout::word::LIMBS_PER_ADDRESS;
import package::recovery::rows::{recovery_is_padding, recovery_rows};
import package::secp256k1::field::{field_canonical, field_mul, field_sqr};
import package::secp256k1::limbs::{Limbs, limbs_unpack};
import package::u256::compare::u256_is_zero;
import package::u256::u256::U256;

/// The public key as an affine point, and its address: the last 20 bytes of the keccak-256 of x and y.

@group(0) @binding(1) var<storage, read> secp256k1_finish_sums: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> secp256k1_finish_inverses: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> secp256k1_finish_status: array<u32>;
/// Of signature i: limbs of the address at 5 i.
@group(0) @binding(4) var<storage, read_write> secp256k1_finish_addresses: array<u32>;
/// Of signature i: whether it has a public key.
@group(0) @binding(5) var<storage, read_write> secp256k1_finish_outcomes: array<u32>;

fn secp256k1_finish_load(column: u32, row: u32) -> Limbs {
  let at = column * recovery_rows.rows + row;
  return limbs_unpack(U256(secp256k1_finish_sums[at], secp256k1_finish_sums[at + recovery_rows.rows]));
}

@compute @workgroup_size(64)
fn secp256k1_finish(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let row = lane_index(workgroup, workgroups, local);
  let rows = recovery_rows.rows;
  if (recovery_is_padding(row) | (row >= rows)) {
    return;
  }
  let inverse = limbs_unpack(U256(secp256k1_finish_inverses[row], secp256k1_finish_inverses[rows + row]));
  let zzz = field_canonical(secp256k1_finish_load(6u, row));
  // 1 / Z = Z^2 / Z^3.
  let square = field_sqr(field_mul(secp256k1_finish_load(4u, row), inverse));
  let x = field_canonical(field_mul(secp256k1_finish_load(0u, row), square));
  let y = field_canonical(field_mul(secp256k1_finish_load(2u, row), inverse));
  let digest = keccak_digest(keccak_f(keccak_init_64(x, y)));
  var outcome = secp256k1_finish_status[row];
  if ((outcome == RECOVERY_FOUND) & u256_is_zero(zzz)) {
    outcome = RECOVERY_EXCEPTIONAL;
  }
  let found = outcome == RECOVERY_FOUND;
  let signature = recovery_rows.first + row;
  let at = LIMBS_PER_ADDRESS * signature;
  secp256k1_finish_addresses[at] = select(0u, digest.lo.x, found);
  secp256k1_finish_addresses[at + 1u] = select(0u, digest.lo.y, found);
  secp256k1_finish_addresses[at + 2u] = select(0u, digest.lo.z, found);
  secp256k1_finish_addresses[at + 3u] = select(0u, digest.lo.w, found);
  secp256k1_finish_addresses[at + 4u] = select(0u, digest.hi.x, found);
  secp256k1_finish_outcomes[signature] = outcome;
}
