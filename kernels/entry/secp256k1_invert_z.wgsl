import package::lane::lane::lane_index;
import package::recovery::rows::recovery_rows;
import package::secp256k1::field::{field_canonical, field_mul};
import package::secp256k1::limbs::{LIMBS_ONE, Limbs, limbs_unpack};
import package::secp256k1::modulo_p::field_pack;
import package::secp256k1::power::field_inverse;
import package::u256::compare::u256_is_zero;
import package::u256::u256::{U256, U256_ONE, u256_select};

/// 1 / Z^3 of all rows, by Montgomery's trick over the rows of a lane: 3 products a row and one inversion. A row with
/// Z = 0, which met an exceptional addition, counts as 1: a zero would be the product of its lane.

@group(0) @binding(1) var<storage, read> secp256k1_invert_z_sums: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> secp256k1_invert_z_inverses: array<vec4<u32>>;

fn secp256k1_invert_z_factor(row: u32) -> Limbs {
  let at = 6u * recovery_rows.rows + row;
  let word = U256(secp256k1_invert_z_sums[at], secp256k1_invert_z_sums[at + recovery_rows.rows]);
  let is_zero = u256_is_zero(field_canonical(limbs_unpack(word)));
  return limbs_unpack(u256_select(word, U256_ONE, is_zero));
}

@compute @workgroup_size(64)
fn secp256k1_invert_z(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let lane = lane_index(workgroup, workgroups, local);
  let rows = recovery_rows.rows;
  let lanes = recovery_rows.lanes;
  if (lane >= lanes) {
    return;
  }
  var product = LIMBS_ONE;
  for (var row = lane; row < rows; row += lanes) {
    let before = field_pack(product);
    secp256k1_invert_z_inverses[row] = before.lo;
    secp256k1_invert_z_inverses[rows + row] = before.hi;
    product = field_mul(product, secp256k1_invert_z_factor(row));
  }
  var inverse = field_inverse(product);
  let turns = rows / lanes;
  for (var turn = 1u; turn <= turns; turn++) {
    let row = lane + (turns - turn) * lanes;
    let before = limbs_unpack(U256(secp256k1_invert_z_inverses[row], secp256k1_invert_z_inverses[rows + row]));
    let one = field_pack(field_mul(inverse, before));
    secp256k1_invert_z_inverses[row] = one.lo;
    secp256k1_invert_z_inverses[rows + row] = one.hi;
    inverse = field_mul(inverse, secp256k1_invert_z_factor(row));
  }
}
