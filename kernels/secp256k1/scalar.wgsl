import package::secp256k1::limbs::{Limbs, limbs_product};
import package::secp256k1::modulo_n::{SCALAR_ORDER, scalar_pack, scalar_reduce};
import package::u256::add::u256_sub;
import package::u256::compare::u256_lt;
import package::u256::u256::{U256, u256_select};

/// Numbers modulo n, the order of the group. A product costs twice one modulo p: 2^260 is 11 limbs modulo n.

/// a b for normal numbers.
fn scalar_mul(a: Limbs, b: Limbs) -> Limbs {
  return scalar_reduce(limbs_product(a, b));
}

/// The least word of a normal number modulo n.
fn scalar_canonical(x: Limbs) -> U256 {
  let word = scalar_pack(x);
  return u256_select(u256_sub(word, SCALAR_ORDER), word, u256_lt(word, SCALAR_ORDER));
}
