import package::lane::lane::lane_index;
import package::layout::recovery::RECOVERY_FOUND;
import package::recovery::rows::recovery_rows;
import package::secp256k1::limbs::{LIMBS_ONE, Limbs, limbs_select, limbs_unpack};
import package::secp256k1::modulo_n::scalar_pack;
import package::secp256k1::power::scalar_inverse;
import package::secp256k1::scalar::scalar_mul;
import package::u256::u256::{U256, U256_ONE, u256_select};

/// 1 / r modulo n of all rows, by Montgomery's trick over the rows of a lane: 3 products a row and one inversion.

@group(0) @binding(1) var<storage, read> secp256k1_invert_r_points: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> secp256k1_invert_r_status: array<u32>;
@group(0) @binding(3) var<storage, read_write> secp256k1_invert_r_inverses: array<vec4<u32>>;

/// r of a row, or 1 where the row has no point: a zero would be the product of its lane.
fn secp256k1_invert_r_factor(row: u32) -> Limbs {
  let rows = recovery_rows.rows;
  let r = U256(secp256k1_invert_r_points[row], secp256k1_invert_r_points[rows + row]);
  return limbs_unpack(u256_select(U256_ONE, r, secp256k1_invert_r_status[row] == RECOVERY_FOUND));
}

@compute @workgroup_size(64)
fn secp256k1_invert_r(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let lane = lane_index(workgroup, workgroups, local);
  let rows = recovery_rows.rows;
  let lanes = recovery_rows.lanes;
  // Workgroups past the lanes exist where a dispatch has two dimensions.
  if (lane >= lanes) {
    return;
  }
  var all = LIMBS_ONE;
  for (var row = lane; row < rows; row += lanes) {
    let before = scalar_pack(all);
    secp256k1_invert_r_inverses[row] = before.lo;
    secp256k1_invert_r_inverses[rows + row] = before.hi;
    all = scalar_mul(all, secp256k1_invert_r_factor(row));
  }
  var inverse = scalar_inverse(all);
  let turns = rows / lanes;
  for (var turn = 1u; turn <= turns; turn++) {
    let row = lane + (turns - turn) * lanes;
    let before = limbs_unpack(U256(secp256k1_invert_r_inverses[row], secp256k1_invert_r_inverses[rows + row]));
    // At one site, since a product modulo n is long: the inverse of the row, then that of the rows before it.
    var one = U256_ONE;
    var product = U256_ONE;
    for (var i = 0u; i < 2u; i++) {
      one = product;
      product = scalar_pack(scalar_mul(inverse, limbs_select(before, secp256k1_invert_r_factor(row), i == 1u)));
    }
    secp256k1_invert_r_inverses[row] = one.lo;
    secp256k1_invert_r_inverses[rows + row] = one.hi;
    inverse = limbs_unpack(product);
  }
}
