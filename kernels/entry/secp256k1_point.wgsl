import package::lane::lane::lane_index;
import package::layout::recovery::{RECOVERY_FOUND, RECOVERY_NONE};
import package::recovery::rows::{recovery_rows, recovery_signature, recovery_word};
import package::secp256k1::field::{field_canonical, field_mul, field_normal, field_sqr};
import package::secp256k1::limbs::{LIMBS_ONE, LIMBS_ZERO, Limbs, limbs_add, limbs_select, limbs_unpack};
import package::secp256k1::modulo_n::SCALAR_ORDER;
import package::secp256k1::modulo_p::field_sub;
import package::secp256k1::power::field_root;
import package::u256::compare::{u256_eq, u256_is_zero, u256_lt};
import package::u256::u256::{U256, u256_low, u256_select};

/// The signature's point: x is r, y the square root of x^3 + 7 of the parity asked for (SEC 1, 2.3.4); and whether r
/// and s are in range and there is such a point. A row without one goes on with numbers that mean nothing.

/// r and s of signature i at 4 i: 32 bytes each, most significant first.
@group(0) @binding(1) var<storage, read> secp256k1_point_rs: array<vec4<u32>>;
/// Parity of y, a byte each; above 1: not signed.
@group(0) @binding(2) var<storage, read> secp256k1_point_parity: array<u32>;
@group(0) @binding(3) var<storage, read_write> secp256k1_point_points: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read_write> secp256k1_point_status: array<u32>;

fn secp256k1_point_in_range(x: U256) -> bool {
  return u256_lt(x, SCALAR_ORDER) & !u256_is_zero(x);
}

@compute @workgroup_size(64)
fn secp256k1_point(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let row = lane_index(workgroup, workgroups, local);
  let rows = recovery_rows.rows;
  let signature = recovery_signature(row);
  let r = recovery_word(secp256k1_point_rs[4u * signature], secp256k1_point_rs[4u * signature + 1u]);
  let s = recovery_word(secp256k1_point_rs[4u * signature + 2u], secp256k1_point_rs[4u * signature + 3u]);
  let parity = (secp256k1_point_parity[signature >> 2u] >> (8u * (signature & 3u))) & 255u;

  let x = limbs_unpack(r);
  var square = field_mul(field_sqr(x), x);
  square.l0 += 7u;
  square = field_normal(square);
  let root = field_root(square);
  let y = field_canonical(root);
  let negative = field_canonical(field_normal(field_sub(LIMBS_ZERO, root)));
  let is_point = u256_eq(field_canonical(field_sqr(root)), field_canonical(square));
  let signed_y = u256_select(y, negative, (u256_low(y) & 1u) != parity);

  secp256k1_point_points[row] = r.lo;
  secp256k1_point_points[rows + row] = r.hi;
  secp256k1_point_points[2u * rows + row] = signed_y.lo;
  secp256k1_point_points[3u * rows + row] = signed_y.hi;
  let found = is_point & secp256k1_point_in_range(r) & secp256k1_point_in_range(s) & (parity < 2u);
  secp256k1_point_status[row] = select(RECOVERY_NONE, RECOVERY_FOUND, found);
}
