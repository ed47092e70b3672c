import package::lane::lane::lane_index;
import package::layout::recovery::RECOVERY_WORDS_PER_HALF;
import package::recovery::rows::{recovery_rows, recovery_signature, recovery_word};
import package::secp256k1::limbs::limbs_unpack;
import package::secp256k1::modulo_n::{SCALAR_ORDER, scalar_split};
import package::secp256k1::scalar::{scalar_canonical, scalar_mul};
import package::u256::add::u256_sub;
import package::u256::bits::u256_not;
import package::u256::shift::u256_shift_right;
import package::u256::u256::{U256, U256_ONE, u256_low, u256_select};

/// The digits of u2 = s / r, as two halves, and of u1 = -z / r (SEC 1, 4.1.6).

/// Signing hashes z, 32 bytes each, most significant first.
@group(0) @binding(1) var<storage, read> secp256k1_scalars_hash: array<vec4<u32>>;
/// r and s.
@group(0) @binding(2) var<storage, read> secp256k1_scalars_rs: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> secp256k1_scalars_inverses: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read_write> secp256k1_scalars_digits: array<u32>;

/// The digits of -t for t < n: (k + 2^256 - 1) / 2, where k is the odd one of -t and n - t: n - t for an even t, 0 too.
fn secp256k1_scalars_comb(t: U256) -> U256 {
  let even = (u256_low(t) & 1u) == 0u;
  let negated = u256_shift_right(u256_not(t), 1u);
  var rest = u256_shift_right(u256_sub(u256_sub(SCALAR_ORDER, U256_ONE), t), 1u);
  rest.hi.w |= 0x80000000u;
  return u256_select(negated, rest, even);
}

@compute @workgroup_size(64)
fn secp256k1_scalars(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let row = lane_index(workgroup, workgroups, local);
  let rows = recovery_rows.rows;
  let signature = recovery_signature(row);
  let z = recovery_word(secp256k1_scalars_hash[2u * signature], secp256k1_scalars_hash[2u * signature + 1u]);
  let s = recovery_word(secp256k1_scalars_rs[4u * signature + 2u], secp256k1_scalars_rs[4u * signature + 3u]);
  let inverse = limbs_unpack(U256(secp256k1_scalars_inverses[row], secp256k1_scalars_inverses[rows + row]));
  let comb = secp256k1_scalars_comb(scalar_canonical(scalar_mul(limbs_unpack(z), inverse)));
  let halves = scalar_split(limbs_unpack(scalar_canonical(scalar_mul(limbs_unpack(s), inverse))));
  secp256k1_scalars_digits[row] = halves.w0;
  secp256k1_scalars_digits[rows + row] = halves.w1;
  secp256k1_scalars_digits[2u * rows + row] = halves.w2;
  secp256k1_scalars_digits[3u * rows + row] = halves.w3;
  secp256k1_scalars_digits[4u * rows + row] = halves.w4;
  secp256k1_scalars_digits[5u * rows + row] = halves.w5;
  secp256k1_scalars_digits[6u * rows + row] = halves.w6;
  secp256k1_scalars_digits[7u * rows + row] = halves.w7;
  secp256k1_scalars_digits[8u * rows + row] = halves.w8;
  secp256k1_scalars_digits[9u * rows + row] = halves.w9;
  let at = 2u * RECOVERY_WORDS_PER_HALF * rows + row;
  secp256k1_scalars_digits[at] = comb.lo.x;
  secp256k1_scalars_digits[at + rows] = comb.lo.y;
  secp256k1_scalars_digits[at + 2u * rows] = comb.lo.z;
  secp256k1_scalars_digits[at + 3u * rows] = comb.lo.w;
  secp256k1_scalars_digits[at + 4u * rows] = comb.hi.x;
  secp256k1_scalars_digits[at + 5u * rows] = comb.hi.y;
  secp256k1_scalars_digits[at + 6u * rows] = comb.hi.z;
  secp256k1_scalars_digits[at + 7u * rows] = comb.hi.w;
}
