import package::lane::lane::lane_index;
import package::layout::recovery::RECOVERY_ENTRIES;
import package::recovery::rows::recovery_rows;
import package::secp256k1::field::{field_mul, field_mul_sub, field_sqr, field_sqr_2, field_sqr_3, field_sqr_sub_3};
import package::secp256k1::limbs::{LIMBS_ONE, Limbs, limbs_add, limbs_unpack};
import package::secp256k1::modulo_p::{FIELD_BETA, field_pack, field_sub};
import package::secp256k1::point::{PointAffine, point_add_co_z};
import package::u256::u256::U256;

/// The odd multiples 1, 3, .. 15 of each point R, all with one Z, so that they are affine points of an isomorphic curve
/// (the effective affine coordinates of libsecp256k1), and that Z.
///
/// 2 R and R start with the Z of the doubling; each sum brings 2 R along to its own Z. Then the entries are brought to
/// the last Z, from the last one back. No addition is exceptional, since R has the order n.

@group(0) @binding(1) var<storage, read> secp256k1_table_points: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> secp256k1_table_entries: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read_write> secp256k1_table_sums: array<vec4<u32>>;

/// Part 0, 1 or 2 of entry i: x, y, and beta x or, on the way, the next Z by this one.
fn secp256k1_table_store(i: u32, part: u32, row: u32, value: Limbs) {
  let rows = recovery_rows.rows;
  let word = field_pack(value);
  let at = (6u * i + 2u * part) * rows + row;
  secp256k1_table_entries[at] = word.lo;
  secp256k1_table_entries[at + rows] = word.hi;
}

fn secp256k1_table_load(i: u32, part: u32, row: u32) -> Limbs {
  let rows = recovery_rows.rows;
  let at = (6u * i + 2u * part) * rows + row;
  return limbs_unpack(U256(secp256k1_table_entries[at], secp256k1_table_entries[at + rows]));
}

@compute @workgroup_size(64)
fn secp256k1_table(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let row = lane_index(workgroup, workgroups, local);
  let rows = recovery_rows.rows;
  let x = limbs_unpack(U256(secp256k1_table_points[row], secp256k1_table_points[rows + row]));
  let y = limbs_unpack(U256(secp256k1_table_points[2u * rows + row], secp256k1_table_points[3u * rows + row]));
  // As point_double with Z = 1; (s, c) is R with the Z of 2 R, which is 2 y.
  let a = field_sqr_2(y);
  let s = field_mul(limbs_add(x, x), a);
  let c = field_sqr_2(a);
  let e = field_sqr_3(x);
  let x2 = field_sqr_sub_3(e, limbs_add(s, s));
  var twice = PointAffine(x2, field_mul_sub(e, field_sub(s, x2), c));
  var entry = PointAffine(s, c);
  for (var i = 0u; i < RECOVERY_ENTRIES; i++) {
    secp256k1_table_store(i, 0u, row, entry.x);
    secp256k1_table_store(i, 1u, row, entry.y);
    let next = point_add_co_z(twice, entry);
    secp256k1_table_store(i, 2u, row, next.ratio);
    twice = next.p;
    entry = next.sum;
  }
  var ratio = LIMBS_ONE;
  for (var turn = 1u; turn <= RECOVERY_ENTRIES; turn++) {
    let i = RECOVERY_ENTRIES - turn;
    if (turn > 1u) {
      ratio = field_mul(ratio, secp256k1_table_load(i, 2u, row));
    }
    let square = field_sqr(ratio);
    let entry_x = field_mul(secp256k1_table_load(i, 0u, row), square);
    let entry_y = field_mul(secp256k1_table_load(i, 1u, row), field_mul(square, ratio));
    secp256k1_table_store(i, 0u, row, entry_x);
    secp256k1_table_store(i, 1u, row, entry_y);
    secp256k1_table_store(i, 2u, row, field_mul(entry_x, FIELD_BETA));
  }
  let z = field_pack(field_mul(limbs_add(y, y), ratio));
  secp256k1_table_sums[6u * rows + row] = z.lo;
  secp256k1_table_sums[7u * rows + row] = z.hi;
}
