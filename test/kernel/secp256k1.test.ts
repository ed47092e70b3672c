import { readFileSync } from 'node:fs'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { expect, it } from 'vitest'
import { PRELUDE } from '../../kernels/linked.generated.ts'
import { NORMAL, numberOfLimbs } from '../../scripts/secp256k1/text.ts'
import { WORKGROUP_SIZE } from '../../transpiler/layout/environment.ts'
import { EDGE_WORDS, randomWords } from '../fixtures/edge_words.ts'
import { describeOnAdapters, type Rig } from './rig.ts'

const SEED = 256
const LIMBS = 20
const { Fp, Fn, BASE } = secp256k1.Point
const [P, N] = [Fp.ORDER, Fn.ORDER]

/** The modules as one text: all names are of their own. */
const moduleText = (name: string): string =>
  readFileSync(new URL(`../../kernels/secp256k1/${name}.wgsl`, import.meta.url), 'utf8').replaceAll(
    /^import .*;$/gm,
    '',
  )
const LIBRARY = [
  PRELUDE,
  ...['limbs.generated', 'modulo_p.generated', 'modulo_n.generated', 'field', 'scalar', 'point'].map(moduleText),
].join('\n')

/**
 * Limbs in, limbs out. The body reads in0, in1, .. and sets out0, out1, .. Storage has one site in a loop each: sites
 * of storage are what compiles slowly. The arrays are one longer than the loops, which Mesa unrolls otherwise.
 */
const run = async (
  rig: Rig,
  label: string,
  body: string,
  cases: readonly (readonly Uint32Array[])[],
  outputs: number,
): Promise<bigint[][]> => {
  const inputs = cases[0]!.length
  const lanes = WORKGROUP_SIZE * Math.ceil(cases.length / WORKGROUP_SIZE)
  const data = new Uint32Array(LIMBS * inputs * lanes)
  cases.forEach((numbers, i) => {
    numbers.forEach((limbs, k) => {
      data.set(limbs, LIMBS * (inputs * i + k))
    })
  })
  const limbs = Array.from({ length: LIMBS }, (_, i) => i)
  const loads = Array.from(
    { length: inputs },
    (_, k) => `let in${k} = Limbs(${limbs.map((i) => `read[${LIMBS * k + i}]`).join(', ')});`,
  )
  const stores = Array.from({ length: outputs }, (_, k) => limbs.map((i) => `made[${LIMBS * k + i}] = out${k}.l${i};`))
  const names = Array.from({ length: outputs }, (_, k) => `var out${k}: Limbs;`)
  const [out] = await rig.run({
    label,
    wgsl: `${LIBRARY}
@group(0) @binding(0) var<storage, read> test_in: array<u32>;
@group(0) @binding(1) var<storage, read_write> test_out: array<u32>;
@compute @workgroup_size(${WORKGROUP_SIZE})
fn test(@builtin(global_invocation_id) invocation: vec3<u32>) {
  let lane = invocation.x;
  var read: array<u32, ${LIMBS * inputs + 1}>;
  for (var i = 0u; i < ${LIMBS * inputs}u; i++) { read[i] = test_in[${LIMBS * inputs}u * lane + i]; }
  ${loads.join('\n')}
  ${names.join('\n')}
  ${body}
  var made: array<u32, ${LIMBS * outputs + 1}>;
  ${stores.flat().join('\n')}
  for (var i = 0u; i < ${LIMBS * outputs}u; i++) { test_out[${LIMBS * outputs}u * lane + i] = made[i]; }
}`,
    entryPoint: 'test',
    buffers: [
      { binding: 0, type: 'read-only-storage', data },
      { binding: 1, type: 'storage', sizeBytes: 4 * LIMBS * outputs * lanes, output: true },
    ],
    invocations: lanes,
  })
  return cases.map((_, i) =>
    Array.from({ length: outputs }, (_unused, k) =>
      numberOf(out!.subarray(LIMBS * (outputs * i + k), LIMBS * (outputs * i + k + 1))),
    ),
  )
}

const numberOf = (limbs: Uint32Array): bigint => numberOfLimbs([...limbs].map(BigInt))
const limbsOf = (value: bigint): Uint32Array =>
  Uint32Array.from({ length: LIMBS }, (_, i) => Number((value >> BigInt(13 * i)) & 8191n))

/** Numbers of the limbs that operations take at most: all at the bound, one at it, and random ones up to it. */
const worstLimbs = (times: number): Uint32Array[] => {
  const most = NORMAL.map((limb) => Number(limb) * times)
  const words = randomWords(SEED + times, 60)
  return [
    Uint32Array.from(most),
    ...most.map((_, k) => Uint32Array.from(most, (limb, i) => (i === k ? limb : 0))),
    ...most.map((_, k) => Uint32Array.from(most, (limb, i) => (i === k ? 0 : limb))),
    ...words.map((word) =>
      Uint32Array.from(most, (limb, i) => limb - (Number((word >> BigInt(11 * i)) & 2047n) % (limb + 1))),
    ),
  ]
}

/** Words, and the same numbers modulo p or n up to the largest that 20 limbs hold. */
const plainLimbs = (modulus: bigint): Uint32Array[] => {
  const around = [0n, 1n, 7n].flatMap((d) => [modulus - d, modulus + d, 2n * modulus - d, 15n * modulus + d, d])
  const ends = [(1n << 256n) - 1n, 1n << 256n, (1n << 256n) + 977n, (1n << 260n) - 1n, (1n << 260n) - 977n]
  return [...around, ...ends, ...EDGE_WORDS, ...randomWords(SEED, 90)].map(limbsOf)
}

const pairs = (a: readonly Uint32Array[], b: readonly Uint32Array[], c: readonly Uint32Array[]): Uint32Array[][] =>
  Array.from({ length: Math.max(a.length, b.length, c.length) + 7 }, (_, i) => [
    a[i % a.length]!,
    b[(5 * i) % b.length]!,
    c[(3 * i) % c.length]!,
  ])

const normal = (value: bigint): boolean => value <= numberOfLimbs(NORMAL)

describeOnAdapters('secp256k1', (rig) => {
  it('field_mul, field_mul_sub and the squares are those of the field for the largest limbs', async () => {
    const [one, three] = [
      [...worstLimbs(1), ...plainLimbs(P)],
      [...worstLimbs(3), ...worstLimbs(2)],
    ]
    const cases = [...pairs(three, one, one), ...pairs(one, one, three).map(([a, b, c]) => [a!, b!, a!, c!])].map(
      ([a, b, c, wide]) => [a!, b!, c!, wide ?? c!],
    )
    // in0 up to three normal numbers, in3 up to three, in1 and in2 normal ones.
    const results = await run(
      rig,
      'field products',
      `out0 = field_mul(in0, in1);
       out1 = field_mul_sub(in0, in1, in2);
       out2 = field_sqr(in1);
       out3 = field_sqr_2(in1);
       out4 = field_sqr_3(in1);
       out5 = field_sqr_sub_3(in1, in3);
       out6 = field_normal(in0);
       out7 = field_normal(field_sub(in1, in2));
       out8 = limbs_unpack(field_pack(in1));
       out9 = limbs_unpack(field_canonical(in1));`,
      cases,
      10,
    )
    results.forEach((got, i) => {
      const [a, b, c, wide] = cases[i]!.map(numberOf) as [bigint, bigint, bigint, bigint]
      const want = [a * b, a * b - c, b * b, 2n * b * b, 3n * b * b, b * b - wide, a, b - c, b, b].map((x) =>
        Fp.create(x),
      )
      expect(got.map((x) => x % P)).toEqual(want)
      expect(got.slice(0, 8).every(normal)).toBe(true)
      expect(got[8]! < 1n << 256n).toBe(true)
      expect(got[9]).toBe(want[9])
    })
  })

  it('scalar_mul and scalar_canonical are those of the order for the largest limbs', async () => {
    const cases = pairs([...worstLimbs(1), ...plainLimbs(N)], [...plainLimbs(N), ...worstLimbs(1)], plainLimbs(N))
    const results = await run(
      rig,
      'scalar products',
      `out0 = scalar_mul(in0, in1);
       out1 = limbs_unpack(scalar_pack(in0));
       out2 = limbs_unpack(scalar_canonical(in0));`,
      cases,
      3,
    )
    results.forEach((got, i) => {
      const [a, b] = cases[i]!.map(numberOf) as [bigint, bigint]
      expect(got.map((x) => x % N)).toEqual([(a * b) % N, a % N, a % N])
      expect(normal(got[0]!)).toBe(true)
      expect(got[1]! < 1n << 256n).toBe(true)
      expect(got[2]).toBe(a % N)
    })
  })

  it('scalar_split gives two odd halves below 2^129', async () => {
    const lambda = Fn.create(0x5363ad4cc05c30e0a5261c028812645a122e22ea20816678df02967c1b23bd72n)
    const small = [0n, 1n, 2n, 3n, 15n, 16n].flatMap((a) => [
      a,
      N - 1n - a,
      a * lambda,
      N - 1n - a * lambda,
      a + lambda,
    ])
    // Between two points of the lattice, where the rounding turns.
    const halves = [1n, 2n, 3n, 5n].flatMap((d) => [N / (2n * d), N / (2n * d) + 1n, ((2n * d - 1n) * N) / (2n * d)])
    const scalars = [...small, ...halves, ...EDGE_WORDS, ...randomWords(SEED, 600)].map((k) => Fn.create(k))
    const results = await run(
      rig,
      'scalar split',
      `let halves = scalar_split(in0);
       out0 = limbs_unpack(U256(vec4<u32>(halves.w0, halves.w1, halves.w2, halves.w3), vec4<u32>(halves.w4, 0u, 0u, 0u)));
       out1 = limbs_unpack(U256(vec4<u32>(halves.w5, halves.w6, halves.w7, halves.w8), vec4<u32>(halves.w9, 0u, 0u, 0u)));`,
      scalars.map((k) => [limbsOf(k)]),
      2,
    )
    results.forEach(([first, second], i) => {
      const [k1, k2] = [first!, second!].map((digits) => 2n * digits - ((1n << 132n) - 1n)) as [bigint, bigint]
      expect(Fn.create(k1 + k2 * lambda)).toBe(scalars[i])
      for (const half of [k1, k2]) expect((half < 0n ? -half : half) < 1n << 129n).toBe(true)
      expect([k1 & 1n, k2 & 1n]).toEqual([1n, 1n])
    })
  })

  it('point formulas give the sums of the curve, and Z = 0 for equal and opposite points', async () => {
    const scalars = [1n, 2n, 3n, N - 1n, N - 2n, ...randomWords(SEED, 24).map((k) => Fn.create(k) || 1n)]
    const points = scalars.map((k) => BASE.multiply(k))
    const zs = [1n, 2n, P - 1n, ...randomWords(SEED + 1, 9).map((z) => Fp.create(z) || 1n)]
    const cases: { p: number; q: number; z: bigint; limbs: Uint32Array[] }[] = []
    points.forEach((p, i) => {
      for (const j of [0, 1, 2, 3, 4, i, (i * 7 + 5) % points.length]) {
        const z = zs[(i + j) % zs.length]!
        const [a, b] = [p.toAffine(), points[j]!.toAffine()]
        const scaled = [Fp.create(a.x * z * z), Fp.create(a.y * z * z * z), z, b.x, b.y]
        // What Q is with the same Z, for the additions that share it; a multiple of p above changes nothing.
        const shared = [Fp.create(b.x * z * z) + 3n * P, Fp.create(b.y * z * z * z) + P]
        cases.push({ p: i, q: j, z, limbs: [...scaled, ...shared].map(limbsOf) })
      }
    })
    const results = await run(
      rig,
      'points',
      `let p = PointJacobian(in0, in1, in2);
       let q = PointAffine(in3, in4);
       let twice = point_double(p);
       let sum = point_add(p, q);
       let zz = field_sqr(in2);
       let extended = point_add_extended(PointExtended(in0, in1, zz, field_mul(in2, zz)), q);
       let together = point_add_co_z(PointAffine(in0, in1), PointAffine(in5, in6));
       out0 = twice.x; out1 = twice.y; out2 = twice.z;
       out3 = sum.x; out4 = sum.y; out5 = sum.z;
       out6 = extended.x; out7 = extended.y; out8 = extended.zz; out9 = extended.zzz;
       out10 = together.sum.x; out11 = together.sum.y; out12 = together.ratio;
       out13 = together.p.x; out14 = together.p.y;`,
      cases.map(({ limbs }) => limbs),
      15,
    )
    const affine = (x: bigint, y: bigint, zz: bigint, zzz: bigint) => ({ x: Fp.div(x, zz), y: Fp.div(y, zzz) })
    const jacobian = ([x, y, z]: readonly bigint[]) => affine(x!, y!, Fp.create(z! * z!), Fp.create(z! * z! * z!))
    results.forEach((raw, i) => {
      const got = raw.map((x) => Fp.create(x))
      expect(raw.every(normal)).toBe(true)
      const { p, q, z } = cases[i]!
      const [a, b] = [points[p]!, points[q]!]
      expect(jacobian(got.slice(0, 3))).toEqual(a.double().toAffine())
      if (a.equals(b) || a.equals(b.negate())) {
        expect([got[5], got[8], got[9], got[12]]).toEqual([0n, 0n, 0n, 0n])
        return
      }
      const sum = a.add(b).toAffine()
      expect(jacobian(got.slice(3, 6))).toEqual(sum)
      expect(affine(got[6]!, got[7]!, got[8]!, got[9]!)).toEqual(sum)
      const newZ = Fp.create(z * got[12]!)
      expect(jacobian([got[10]!, got[11]!, newZ])).toEqual(sum)
      expect(jacobian([got[13]!, got[14]!, newZ])).toEqual(a.toAffine())
    })
  })
})
