import package::lane::lane::lane_index;
import package::layout::recovery::{RECOVERY_DIGITS_PER_WORD, RECOVERY_ENTRIES, RECOVERY_WINDOWS};
import package::layout::recovery::RECOVERY_WINDOW_BITS;
import package::layout::recovery::RECOVERY_WORDS_PER_HALF;
import package::recovery::rows::recovery_rows;
import package::secp256k1::field::{field_mul, field_normal};
import package::secp256k1::limbs::{LIMBS_ONE, LIMBS_ZERO, Limbs, limbs_select, limbs_unpack};
import package::secp256k1::modulo_p::{field_pack, field_sub};
import package::secp256k1::point::{PointAffine, PointJacobian, point_add, point_double};
import package::u256::u256::U256;

/// u2 R in Jacobian coordinates: both halves of u2 window by window, 128 doublings and 65 additions.

@group(0) @binding(1) var<storage, read> secp256k1_main_digits: array<u32>;
@group(0) @binding(2) var<storage, read> secp256k1_main_entries: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read_write> secp256k1_main_sums: array<vec4<u32>>;

fn secp256k1_main_load(column: u32, row: u32) -> Limbs {
  let at = column * recovery_rows.rows + row;
  return limbs_unpack(U256(secp256k1_main_entries[at], secp256k1_main_entries[at + recovery_rows.rows]));
}

/// What digit `window` of a half adds: an odd multiple of R, times lambda for the second half.
fn secp256k1_main_entry(half: u32, window: u32, row: u32) -> PointAffine {
  let word = half * RECOVERY_WORDS_PER_HALF + window / RECOVERY_DIGITS_PER_WORD;
  let shift = RECOVERY_WINDOW_BITS * (window % RECOVERY_DIGITS_PER_WORD);
  let digit = (secp256k1_main_digits[word * recovery_rows.rows + row] >> shift) & (2u * RECOVERY_ENTRIES - 1u);
  let positive = digit >= RECOVERY_ENTRIES;
  let entry = select(RECOVERY_ENTRIES - 1u - digit, digit - RECOVERY_ENTRIES, positive);
  let x = secp256k1_main_load(6u * entry + 4u * half, row);
  let y = secp256k1_main_load(6u * entry + 2u, row);
  return PointAffine(x, limbs_select(field_sub(LIMBS_ZERO, y), y, positive));
}

fn secp256k1_main_store(column: u32, row: u32, value: Limbs) {
  let word = field_pack(value);
  let at = column * recovery_rows.rows + row;
  secp256k1_main_sums[at] = word.lo;
  secp256k1_main_sums[at + recovery_rows.rows] = word.hi;
}

@compute @workgroup_size(64)
fn secp256k1_main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let row = lane_index(workgroup, workgroups, local);
  let rows = recovery_rows.rows;
  let first = secp256k1_main_entry(0u, RECOVERY_WINDOWS - 1u, row);
  var sum = PointJacobian(first.x, field_normal(first.y), LIMBS_ONE);
  // The second half of a window is added, then the first half of the next one after its doublings.
  for (var i = 1u; i < 2u * RECOVERY_WINDOWS; i++) {
    let half = i & 1u;
    for (var doubling = 0u; doubling < (1u - half) * RECOVERY_WINDOW_BITS; doubling++) {
      sum = point_double(sum);
    }
    sum = point_add(sum, secp256k1_main_entry(half, RECOVERY_WINDOWS - 1u - (i >> 1u), row));
  }
  secp256k1_main_store(0u, row, sum.x);
  secp256k1_main_store(2u, row, sum.y);
  let z = limbs_unpack(U256(secp256k1_main_sums[6u * rows + row], secp256k1_main_sums[7u * rows + row]));
  secp256k1_main_store(4u, row, field_mul(sum.z, z));
}
