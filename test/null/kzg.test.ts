import { bls12_381 } from '@noble/curves/bls12-381.js'
import { beforeAll, describe, expect, it } from 'vitest'
import { kzgCurve, verifyKzgProof } from '../../host/precompiles/kzg.ts'

/** From go-ethereum core/vm/testdata/precompiles/pointEvaluation.json and execution-specs: two openings of one blob. */
const COMMITMENT = '0x8f59a8d2a1a625a17f3fea0fe5eb8c896db3764f3185481bc22f91b4aaffcca25f26936857bc3a7c2539ea8ec3a952b7'
const OPENINGS = [
  {
    z: '0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000000',
    y: '0x1522a4a7f34e1ea350ae07c29c96c7e79655aa926122e95fe69fcbd932ca49e9',
    proof: '0xa62ad71d14c5719385c0686f1871430475bf3a00f0aa3f7b8dd99a9abc2160744faf0070725e00b60ad9a026a15b1a8c',
  },
  {
    z: '0x564c0a11a0f704f4fc3e8acfe0f8245f0ad1347b378fbf96e206da11a5d36306',
    y: '0x24d25032e67a7e6a4910df5834b8fe70e6bcfeeac0352434196bdf4b2485d5a1',
    proof: '0x873033e038326e87ed3e1276fd140253fa08e9fc25fb2d9a98527fc22a2c9612fbeafdad446cbc7bcdbdcd780af2c16a',
  },
] as const
const INFINITY = `0xc0${'00'.repeat(47)}`
const word = (value: bigint): string => `0x${value.toString(16).padStart(64, '0')}`
const ORDER = bls12_381.fields.Fr.ORDER

describe.each(['noble', 'mcl'])('verifyKzgProof over %s', (library) => {
  beforeAll(async () => {
    if (library === 'mcl') await kzgCurve.load()
    expect(kzgCurve.mcl !== undefined).toBe(library === 'mcl')
  })

  it.each(OPENINGS)('accepts a published opening and refuses it with anything else in its place', ({ z, y, proof }) => {
    const other = OPENINGS.find((opening) => opening.z !== z)!
    expect(verifyKzgProof(COMMITMENT, z, y, proof)).toBe(true)
    expect(verifyKzgProof(COMMITMENT, other.z, y, proof)).toBe(false)
    expect(verifyKzgProof(COMMITMENT, z, other.y, proof)).toBe(false)
    expect(verifyKzgProof(COMMITMENT, z, y, other.proof)).toBe(false)
    expect(verifyKzgProof(INFINITY, z, y, proof)).toBe(false)
  })

  it('opens constant polynomials, zero among them, with the point at infinity', () => {
    const constant = `0x${bls12_381.G1.Point.BASE.multiply(5n).toHex(true)}`
    expect(verifyKzgProof(constant, word(77n), word(5n), INFINITY)).toBe(true)
    expect(verifyKzgProof(constant, word(0n), word(5n), INFINITY)).toBe(true)
    expect(verifyKzgProof(constant, word(77n), word(6n), INFINITY)).toBe(false)
    expect(verifyKzgProof(INFINITY, word(77n), word(0n), INFINITY)).toBe(true)
    expect(verifyKzgProof(INFINITY, word(77n), word(1n), INFINITY)).toBe(false)
  })

  it('throws what the EVM looks for where an argument is no point or scalar', () => {
    const { z, y, proof } = OPENINGS[0]
    expect(() => verifyKzgProof(COMMITMENT, word(ORDER), y, proof)).toThrow('C_KZG_BADARGS')
    expect(() => verifyKzgProof(COMMITMENT, z, word(ORDER), proof)).toThrow('C_KZG_BADARGS')
    expect(() => verifyKzgProof(`0x${'ff'.repeat(48)}`, z, y, proof)).toThrow('C_KZG_BADARGS')
    expect(() => verifyKzgProof(COMMITMENT, z, y, `0x${'00'.repeat(48)}`)).toThrow('C_KZG_BADARGS')
  })

  it('refuses points in other forms than their own', () => {
    const { z, y, proof } = OPENINGS[0]
    const bits = BigInt(COMMITMENT)
    const forms = [bits ^ (1n << 383n), bits | (1n << 382n), BigInt(INFINITY) | 1n, BigInt(INFINITY) | (1n << 381n)]
    for (const form of [...forms, 0n].map((value) => `0x${value.toString(16).padStart(96, '0')}`)) {
      expect(() => verifyKzgProof(form, z, y, proof)).toThrow('C_KZG_BADARGS')
      expect(() => verifyKzgProof(COMMITMENT, z, y, form)).toThrow('C_KZG_BADARGS')
      expect(() => verifyKzgProof(form, word(77n), word(0n), INFINITY)).toThrow('C_KZG_BADARGS')
    }
  })

  it('refuses a point of the curve that is of another order', () => {
    const { z, y, proof } = OPENINGS[0]
    const { Fp } = bls12_381.fields
    // Of the points with small coordinates none is in the subgroup, which is one in 2^125 of the curve.
    const x = [1n, 2n, 3n, 4n, 5n, 6n, 7n].find((x) => Fp.eql(Fp.pow(x ** 3n + 4n, (Fp.ORDER - 1n) / 2n), 1n))!
    const stray = `0x${(x | (1n << 383n)).toString(16)}`
    expect(() => verifyKzgProof(stray, z, y, proof)).toThrow('C_KZG_BADARGS')
    expect(() => verifyKzgProof(COMMITMENT, z, y, stray)).toThrow('C_KZG_BADARGS')
  })
})
