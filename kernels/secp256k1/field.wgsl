import package::secp256k1::limbs::{Limbs, limbs_add, limbs_columns, limbs_product, limbs_square};
import package::secp256k1::modulo_p::{FIELD_PRIME, field_minus, field_minus_3, field_pack, field_reduce};
import package::u256::add::u256_sub;
import package::u256::compare::u256_lt;
import package::u256::u256::{U256, u256_select};

/// Numbers modulo p = 2^256 - 2^32 - 977, normal ones where nothing else is said. Never in Montgomery's form: p folds
/// with two products a limb.

/// a b; the limbs of a in normal numbers times those of b are three at most.
fn field_mul(a: Limbs, b: Limbs) -> Limbs {
  return field_reduce(limbs_product(a, b));
}

/// a b - c for a normal c.
fn field_mul_sub(a: Limbs, b: Limbs, c: Limbs) -> Limbs {
  return field_reduce(field_minus(limbs_product(a, b), c));
}

/// a^2 for a normal a.
fn field_sqr(a: Limbs) -> Limbs {
  return field_reduce(limbs_square(a, limbs_add(a, a), a));
}

/// 2 a^2.
fn field_sqr_2(a: Limbs) -> Limbs {
  let d = limbs_add(a, a);
  return field_reduce(limbs_square(a, d, d));
}

/// 3 a^2.
fn field_sqr_3(a: Limbs) -> Limbs {
  let d = limbs_add(a, a);
  return field_reduce(limbs_square(a, d, limbs_add(d, a)));
}

/// a^2 - b for b up to three normal numbers.
fn field_sqr_sub_3(a: Limbs, b: Limbs) -> Limbs {
  return field_reduce(field_minus_3(limbs_square(a, limbs_add(a, a), a), b));
}

/// The least word of a normal number modulo p.
fn field_canonical(x: Limbs) -> U256 {
  let word = field_pack(x);
  return u256_select(u256_sub(word, FIELD_PRIME), word, u256_lt(word, FIELD_PRIME));
}

/// Up to three normal numbers as a normal one.
fn field_normal(a: Limbs) -> Limbs {
  return field_reduce(limbs_columns(a));
}
