import { bls12_381 } from '@noble/curves/bls12-381.js'
import { Curve, type Mcl } from './curves.ts'

const G1 = bls12_381.G1.Point
const G2 = bls12_381.G2.Point
const { Fr, Fp12 } = bls12_381.fields
type G1Point = typeof G1.BASE
type G2Point = typeof G2.BASE

/** [tau] G2 of the Ethereum KZG ceremony (consensus-specs, trusted_setup_4096.json, g2_monomial[1]). */
const TAU_G2 =
  'b5bfd7dd8cdeb128843bc287230af38926187075cbfbefa81009a2ce615ac53d2914e5870cb452d2afaaab24f3499f72185cbfee53492714734429b7b38608e23926c911cceceac9a36851477ba4c60b087041de621000edc98edada20c1def2'

interface Fixed {
  readonly base: InstanceType<Mcl['G1']>
  /** Coefficients of the Miller loops of tau G2 and of -G2. */
  readonly tau: InstanceType<Mcl['PrecomputedG2']>
  readonly negated: InstanceType<Mcl['PrecomputedG2']>
}

let fixed: Fixed

/** Of precompile 10, with points in their compressed form (EIP-4844). */
export const kzgCurve = new Curve('BLS12_381', (mcl) => {
  mcl.setETHserialization(true)
  mcl.verifyOrderG1(true)
  const base = new mcl.G1()
  base.deserializeHexStr(G1.BASE.toHex(true))
  const coefficientsOf = (hex: string): InstanceType<Mcl['PrecomputedG2']> => {
    const point = new mcl.G2()
    point.deserializeHexStr(hex)
    return new mcl.PrecomputedG2(point)
  }
  fixed = { base, tau: coefficientsOf(TAU_G2), negated: coefficientsOf(G2.BASE.negate().toHex(true)) }
})

/**
 * Whether the polynomial behind `commitment` is y at z (EIP-4844, point evaluation): e(C - y G1 + z proof, G2) =
 * e(proof, tau G2). Verifying needs one point of the trusted setup only. 3 ms where `kzgCurve` is loaded, else 30.
 * Arguments are hex; throws `C_KZG_BADARGS`, the word that @ethereumjs/evm looks for, where one of them is no canonical
 * point or scalar.
 */
export const verifyKzgProof = (commitment: string, z: string, y: string, proof: string): boolean =>
  quickly(commitment, z, y, proof) ?? slowly(commitment, z, y, proof)

/** Undefined where mcl is not there, for a point that is not of its group or written otherwise, and for infinity. */
const quickly = (commitment: string, z: string, y: string, proof: string): boolean | undefined => {
  const mcl = kzgCurve.mcl
  const c = mcl && wasmPoint(mcl, commitment)
  const pi = mcl && wasmPoint(mcl, proof)
  if (!c || !pi) return undefined
  const at = wasmScalar(mcl, z)
  const value = wasmScalar(mcl, y)
  const left = mcl.add(mcl.sub(c, mcl.mul(fixed.base, value)), mcl.mul(pi, at))
  if (left.isZero()) return undefined
  return mcl.finalExp(mcl.precomputedMillerLoop2(left, fixed.negated, pi, fixed.tau)).isOne()
}

/**
 * Reading a point checks its form, the curve and its order; only infinity may have other forms, and is not decided
 * here.
 */
const wasmPoint = (mcl: Mcl, hex: string): InstanceType<Mcl['G1']> | undefined => {
  const point = new mcl.G1()
  try {
    point.deserializeHexStr(hex.replace('0x', ''))
  } catch {
    return undefined
  }
  return point.isZero() ? undefined : point
}

const wasmScalar = (mcl: Mcl, hex: string): InstanceType<Mcl['Fr']> => {
  const scalar = new mcl.Fr()
  scalar.setStr(scalarOf(hex).toString(16), 16)
  return scalar
}

const slowly = (commitment: string, z: string, y: string, proof: string): boolean => {
  const c = pointOf(commitment)
  const pi = pointOf(proof)
  const at = scalarOf(z)
  const value = scalarOf(y)
  return pairingIsOne([
    [c.subtract(times(G1.BASE, value)).add(times(pi, at)), G2.BASE.negate()],
    [pi, G2.fromHex(TAU_G2)],
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
