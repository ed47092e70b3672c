import package::lane::lane::lane_index;
import package::layout::recovery::{COMB_BITS, COMB_DIGITS_PER_WORD, COMB_ENTRIES, COMB_WINDOWS};
import package::layout::recovery::RECOVERY_WORDS_PER_HALF;
import package::recovery::rows::recovery_rows;
import package::secp256k1::field::{field_mul, field_sqr};
import package::secp256k1::limbs::{LIMBS_ZERO, Limbs, limbs_select, limbs_unpack};
import package::secp256k1::modulo_p::{field_pack, field_sub};
import package::secp256k1::point::{PointAffine, PointExtended, point_add_extended};
import package::u256::u256::U256;

/// u1 G on top of u2 R: one entry of the comb for each digit of u1.

@group(0) @binding(1) var<storage, read> secp256k1_comb_digits: array<u32>;
@group(0) @binding(2) var<storage, read> secp256k1_comb_entries: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read_write> secp256k1_comb_sums: array<vec4<u32>>;

/// What a digit of u1 adds.
fn secp256k1_comb_entry(window: u32, row: u32) -> PointAffine {
  let word = 2u * RECOVERY_WORDS_PER_HALF + window / COMB_DIGITS_PER_WORD;
  let shift = COMB_BITS * (window % COMB_DIGITS_PER_WORD);
  let digit = (secp256k1_comb_digits[word * recovery_rows.rows + row] >> shift) & (2u * COMB_ENTRIES - 1u);
  let positive = digit >= COMB_ENTRIES;
  let entry = select(COMB_ENTRIES - 1u - digit, digit - COMB_ENTRIES, positive);
  let at = 4u * (window * COMB_ENTRIES + entry);
  let x = limbs_unpack(U256(secp256k1_comb_entries[at], secp256k1_comb_entries[at + 1u]));
  let y = limbs_unpack(U256(secp256k1_comb_entries[at + 2u], secp256k1_comb_entries[at + 3u]));
  return PointAffine(x, limbs_select(field_sub(LIMBS_ZERO, y), y, positive));
}

fn secp256k1_comb_load(column: u32, row: u32) -> Limbs {
  let at = column * recovery_rows.rows + row;
  return limbs_unpack(U256(secp256k1_comb_sums[at], secp256k1_comb_sums[at + recovery_rows.rows]));
}

fn secp256k1_comb_store(column: u32, row: u32, value: Limbs) {
  let word = field_pack(value);
  let at = column * recovery_rows.rows + row;
  secp256k1_comb_sums[at] = word.lo;
  secp256k1_comb_sums[at + recovery_rows.rows] = word.hi;
}

@compute @workgroup_size(64)
fn secp256k1_comb(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let row = lane_index(workgroup, workgroups, local);
  let z = secp256k1_comb_load(4u, row);
  let zz = field_sqr(z);
  var sum = PointExtended(secp256k1_comb_load(0u, row), secp256k1_comb_load(2u, row), zz, field_mul(zz, z));
  for (var window = 0u; window < COMB_WINDOWS; window++) {
    sum = point_add_extended(sum, secp256k1_comb_entry(window, row));
  }
  secp256k1_comb_store(0u, row, sum.x);
  secp256k1_comb_store(2u, row, sum.y);
  secp256k1_comb_store(4u, row, sum.zz);
  secp256k1_comb_store(6u, row, sum.zzz);
}
