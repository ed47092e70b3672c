import package::secp256k1::field::{field_mul, field_mul_sub, field_normal, field_sqr, field_sqr_2, field_sqr_3};
import package::secp256k1::field::field_sqr_sub_3;
import package::secp256k1::limbs::{LIMBS_ONE, Limbs, limbs_add};
import package::secp256k1::modulo_p::field_sub;

/// Points of y^2 = x^3 + 7 in normal numbers. No formula here has a branch: an addition of equal or opposite points
/// gives Z = 0, and Z stays 0 in whatever follows, so the last Z tells of every addition that met such points. A
/// doubling has no exception, since no point has order 2.

/// (X / Z^2, Y / Z^3).
struct PointJacobian {
  x: Limbs,
  y: Limbs,
  z: Limbs,
}

/// (X / ZZ, Y / ZZZ) with ZZ^3 = ZZZ^2.
struct PointExtended {
  x: Limbs,
  y: Limbs,
  zz: Limbs,
  zzz: Limbs,
}

struct PointAffine {
  x: Limbs,
  y: Limbs,
}

/// 2 P. 3 M + 4 S: "dbl-2009-l" of the Explicit-Formulas Database, with 4 X Y^2 as a product instead of a difference.
fn point_double(p: PointJacobian) -> PointJacobian {
  let a = field_sqr_2(p.y);
  let s = field_mul(limbs_add(p.x, p.x), a);
  let c = field_sqr_2(a);
  let e = field_sqr_3(p.x);
  let x = field_sqr_sub_3(e, limbs_add(s, s));
  let y = field_mul_sub(e, field_sub(s, x), c);
  let z = field_mul(limbs_add(p.y, p.y), p.z);
  return PointJacobian(x, y, z);
}

/// P + Q for an affine Q, whose y may be two normal numbers. 8 M + 3 S (Guide to ECC, algorithm 3.22).
fn point_add(p: PointJacobian, q: PointAffine) -> PointJacobian {
  let zz = field_sqr(p.z);
  let h = field_mul_sub(q.x, zz, p.x);
  let zzz = field_mul(p.z, zz);
  let r = field_mul_sub(q.y, zzz, p.y);
  let hh = field_sqr(h);
  let hhh = field_mul(h, hh);
  let v = field_mul(p.x, hh);
  let x = field_sqr_sub_3(r, limbs_add(hhh, limbs_add(v, v)));
  let y = field_mul_sub(r, field_sub(v, x), field_mul(p.y, hhh));
  return PointJacobian(x, y, field_mul(p.z, h));
}

/// The same in extended coordinates. 8 M + 2 S: "madd-2008-s" for XYZZ of the Explicit-Formulas Database.
fn point_add_extended(p: PointExtended, q: PointAffine) -> PointExtended {
  let h = field_mul_sub(q.x, p.zz, p.x);
  let r = field_mul_sub(q.y, p.zzz, p.y);
  let hh = field_sqr(h);
  let hhh = field_mul(h, hh);
  let v = field_mul(p.x, hh);
  let x = field_sqr_sub_3(r, limbs_add(hhh, limbs_add(v, v)));
  let y = field_mul_sub(r, field_sub(v, x), field_mul(p.y, hhh));
  return PointExtended(x, y, field_mul(p.zz, hh), field_mul(p.zzz, hhh));
}

/// P + Q and P, with one new Z.
struct PointSum {
  sum: PointAffine,
  p: PointAffine,
  /// The new Z by the old one.
  ratio: Limbs,
}

/// P + Q of points with one Z, and P brought to the Z of the sum. 5 M + 2 S: ZADDU (Meloni 2007).
fn point_add_co_z(p: PointAffine, q: PointAffine) -> PointSum {
  let ratio = field_normal(field_sub(p.x, q.x));
  let slope = field_normal(field_sub(p.y, q.y));
  let c = field_sqr(ratio);
  let w1 = field_mul(p.x, c);
  let w2 = field_mul(q.x, c);
  let a = field_mul(field_sub(w1, w2), p.y);
  let x = field_sqr_sub_3(slope, limbs_add(w1, w2));
  let y = field_mul_sub(slope, field_sub(w1, x), a);
  return PointSum(PointAffine(x, y), PointAffine(w1, a), ratio);
}
