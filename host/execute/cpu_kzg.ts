import { bls12_381 } from '@noble/curves/bls12-381.js'

const G1 = bls12_381.G1.Point
const G2 = bls12_381.G2.Point
const { Fr, Fp12 } = bls12_381.fields
type G1Point = typeof G1.BASE
type G2Point = typeof G2.BASE

/** [tau] G2 of the Ethereum KZG ceremony (consensus-specs, trusted_setup_4096.json, g2_monomial[1]). */
const TAU_G2 =
  'b5bfd7dd8cdeb128843bc287230af38926187075cbfbefa81009a2ce615ac53d2914e5870cb452d2afaaab24f3499f72185cbfee53492714734429b7b38608e23926c911cceceac9a36851477ba4c60b087041de621000edc98edada20c1def2'

/**
 * Whether the polynomial behind `commitment` is y at z (EIP-4844, point evaluation): e(C - y G1, G2) = e(proof, tau G2 - z G2).
 * Verifying needs one point of the trusted setup only. About 30 ms. Arguments are hex; throws `C_KZG_BADARGS`, the word that
 * @ethereumjs/evm looks for, where one of them is no canonical point or scalar.
 */
export const verifyKzgProof = (commitment: string, z: string, y: string, proof: string): boolean => {
  const c = pointOf(commitment)
  const pi = pointOf(proof)
  const at = scalarOf(z)
  const value = scalarOf(y)
  const tau = G2.fromHex(TAU_G2)
  return pairingIsOne([
    [c.subtract(times(G1.BASE, value)), G2.BASE.negate()],
    [pi, tau.subtract(at === 0n ? G2.ZERO : G2.BASE.multiply(at))],
  ])
}

const times = (point: G1Point, scalar: bigint): G1Point => (scalar === 0n ? G1.ZERO : point.multiply(scalar))

const pairingIsOne = (pairs: readonly (readonly [G1Point, G2Point])[]): boolean => {
  const terms = pairs.filter(([g1, g2]) => !g1.is0() && !g2.is0()).map(([g1, g2]) => ({ g1, g2 }))
  return terms.length === 0 || Fp12.eql(bls12_381.pairingBatch(terms), Fp12.ONE)
}

const pointOf = (hex: string): G1Point => {
  try {
    const point = G1.fromHex(hex.replace('0x', ''))
    point.assertValidity()
    return point
  } catch (cause) {
    throw new Error('C_KZG_BADARGS: not a point of G1', { cause })
  }
}

const scalarOf = (hex: string): bigint => {
  const scalar = BigInt(hex)
  if (scalar >= Fr.ORDER) throw new Error('C_KZG_BADARGS: not a field element')
  return scalar
}
