import { createRequire } from 'node:module'
import { createCustomCommon, Mainnet } from '@ethereumjs/common'
import { getActivePrecompiles, NobleBN254, type PrecompileFunc, type PrecompileInput, paramsEVM } from '@ethereumjs/evm'
import { bn254 } from '@noble/curves/bn254.js'
import { beforeAll, describe, expect, it } from 'vitest'
import { createRandom, type Random } from '../../bench/random.ts'
import { wasmBn254 } from '../../host/precompiles/bn254.ts'
import { precompilesOf } from '../../host/precompiles/by_fork.ts'
import { bn254Curve, Curve } from '../../host/precompiles/curves.ts'

const FIELD = bn254.fields.Fp.ORDER
const ORDER = bn254.fields.Fr.ORDER
const WORD = 2n ** 256n
const { G1, G2 } = bn254

beforeAll(() => bn254Curve.load())

const wordOf = (random: Random): bigint => {
  let word = 0n
  for (let limb = 0; limb < 8; limb++) word = (word << 32n) | BigInt(random.u32())
  return word
}

const bytesOf = (...words: readonly bigint[]): Uint8Array =>
  Uint8Array.from(Buffer.from(words.map((word) => (word % WORD).toString(16).padStart(64, '0')).join(''), 'hex'))

/** A point of the curve, infinity, one off the curve, or coordinates that are no field elements. */
const anyPoint = (random: Random): readonly [bigint, bigint] => {
  const roll = random.below(12)
  if (roll === 0) return [0n, 0n]
  const { x, y } = G1.Point.BASE.multiply(1n + BigInt(random.u32())).toAffine()
  if (roll === 1) return [x, (y + 1n) % FIELD]
  if (roll === 2) return [x + FIELD, y]
  if (roll === 3) return [x, FIELD]
  if (roll === 4) return [0n, FIELD]
  return [x, y]
}

/** What a precompile makes of it: bytes, or a failure. */
const outcome = (run: () => Uint8Array): string => {
  try {
    return Buffer.from(run()).toString('hex')
  } catch {
    return 'failed'
  }
}

const noble = new NobleBN254()
const EDGES = [0n, 1n, 2n, ORDER - 1n, ORDER, ORDER + 1n, WORD - 1n, FIELD, FIELD - 1n, 2n ** 128n, 2n ** 127n - 1n]

describe('bn254 over mcl', () => {
  it('adds and multiplies as NobleBN254 does, points and factors of every kind', () => {
    expect(bn254Curve.mcl).toBeDefined()
    const random = createRandom(254, 'points')
    const seen = { failed: 0, infinity: 0, point: 0 }
    for (let n = 0; n < 300; n++) {
      const factor = n % 2 === 0 ? EDGES[random.below(EDGES.length)]! : wordOf(random)
      const point = anyPoint(random)
      const input = bytesOf(...point, factor)
      const found = outcome(() => wasmBn254.mul(input))
      expect([Buffer.from(input).toString('hex'), found]).toEqual([
        Buffer.from(input).toString('hex'),
        outcome(() => noble.mul(input)),
      ])
      seen[found === 'failed' ? 'failed' : /^0+$/.test(found) ? 'infinity' : 'point']++
      // A point, the same one, its opposite, or another.
      const [x, y] = point
      const others = [point, [x, (FIELD - y) % FIELD] as const, anyPoint(random), anyPoint(random)]
      const sum = bytesOf(...point, ...others[random.below(4)]!)
      expect(outcome(() => wasmBn254.add(sum))).toBe(outcome(() => noble.add(sum)))
    }
    expect(seen.failed).toBeGreaterThan(20)
    expect(seen.infinity).toBeGreaterThan(20)
    expect(seen.point).toBeGreaterThan(100)
  })

  it('pairs as NobleBN254 does: equal products, unequal ones, infinity, and what is of no group', () => {
    const random = createRandom(254, 'pairs')
    const g2Words = (point: InstanceType<typeof G2.Point>): bigint[] => {
      if (point.is0()) return [0n, 0n, 0n, 0n]
      const { x, y } = point.toAffine()
      return [x.c1, x.c0, y.c1, y.c0]
    }
    const g1Words = (point: InstanceType<typeof G1.Point>): bigint[] => {
      if (point.is0()) return [0n, 0n]
      const { x, y } = point.toAffine()
      return [x, y]
    }
    /** On the twist, but of another order: found by solving y^2 = x^3 + b. */
    const stray = (): bigint[] => {
      const { Fp2 } = bn254.fields
      for (let n = 1n; ; n++) {
        const x = Fp2.create({ c0: n, c1: 1n })
        const square = Fp2.add(Fp2.mul(Fp2.sqr(x), x), G2.Point.CURVE().b)
        try {
          const y = Fp2.sqrt(square)
          return [x.c1, x.c0, y.c1, y.c0]
        } catch {}
      }
    }
    const results = new Map<string, number>()
    for (let n = 0; n < 24; n++) {
      const a = 1n + BigInt(random.u32())
      const b = 1n + BigInt(random.u32())
      const [p, q] = [G1.Point.BASE.multiply(a), G2.Point.BASE.multiply(b)]
      // e(aP, bQ) e(-abP, Q) = 1
      const closing = [...g1Words(G1.Point.BASE.multiply((a * b) % ORDER).negate()), ...g2Words(G2.Point.BASE)]
      const first = [...g1Words(p), ...g2Words(q)]
      const kinds: readonly bigint[][] = [
        [...first, ...closing],
        [...first, ...closing, 0n, 0n, ...g2Words(q), ...g1Words(p), 0n, 0n, 0n, 0n],
        first,
        [],
        [...g1Words(p), ...stray()],
        [0n, 0n, ...stray()],
        [...g1Words(p), ...g2Words(q).map((word, at) => (at === 1 ? word + FIELD : word))],
        [...first, 1n, 1n, ...g2Words(q)],
      ]
      const input = bytesOf(...kinds[n % kinds.length]!)
      const found = outcome(() => wasmBn254.pairing(input))
      expect(found).toBe(outcome(() => noble.pairing(input)))
      results.set(found, (results.get(found) ?? 0) + 1)
    }
    expect([...results.keys()].sort()).toEqual(['0'.repeat(64), `${'0'.repeat(63)}1`, 'failed'])
  })
})

describe('MODEXP', () => {
  const run = async (precompile: PrecompileFunc, hardfork: string, data: Uint8Array, gasLimit: bigint) => {
    const common = createCustomCommon({ chainId: 1 }, Mainnet, { hardfork })
    common.updateParams(paramsEVM)
    const { exceptionError, executionGasUsed, returnValue } = await precompile({
      data,
      gasLimit,
      common,
    } as PrecompileInput)
    return [exceptionError?.error, executionGasUsed, Buffer.from(returnValue).toString('hex')]
  }
  const of = (hardfork: string, own: boolean): PrecompileFunc => {
    const common = createCustomCommon({ chainId: 1 }, Mainnet, { hardfork })
    return (own ? precompilesOf(common) : getActivePrecompiles(common)).get('5'.padStart(40, '0')) as PrecompileFunc
  }

  it.each(['byzantium', 'berlin', 'osaka'])('gives price and power of the reference in %s', async (hardfork) => {
    const random = createRandom(254, 'powers')
    const [ours, reference] = [of(hardfork, true), of(hardfork, false)]
    for (let n = 0; n < 120; n++) {
      const [base, exponent] = [0, 1].map(() =>
        random.below(2) === 0 ? EDGES[random.below(EDGES.length)]! : wordOf(random),
      ) as [bigint, bigint]
      const modulus = [ORDER, FIELD, ORDER, FIELD, ORDER - 1n, wordOf(random)][random.below(6)]!
      const lengths = random.below(8) === 0 ? [32n, 31n, 32n] : [32n, 32n, 32n]
      const whole = bytesOf(...lengths, base, exponent, modulus, 7n)
      const data = whole.subarray(0, whole.length - [0, 32, 33][random.below(3)]!)
      const gasLimit = random.below(6) === 0 ? 300n : 1_000_000n
      expect(await run(ours, hardfork, data, gasLimit)).toEqual(await run(reference, hardfork, data, gasLimit))
    }
  })
})

it('leaves a curve that does not load to the reference, after one try', async () => {
  let tries = 0
  const curve = new Curve('BLS12_381', () => {
    tries++
    throw new Error('no memory')
  })
  expect([curve.use(), curve.isTried]).toEqual([undefined, false])
  await curve.load()
  await curve.load()
  expect([curve.use(), curve.mcl, curve.isTried, tries]).toEqual([undefined, undefined, true, 1])
})

it('has a copy of mcl that others do not initialise anew', async () => {
  const mcl = createRequire(import.meta.url)('mcl-wasm') as typeof import('mcl-wasm')
  const input = bytesOf(1n, 2n, 12345n)
  const before = wasmBn254.mul(input)
  await mcl.init(mcl.BLS12_381)
  expect(mcl).not.toBe(bn254Curve.mcl)
  expect(wasmBn254.mul(input)).toEqual(before)
  expect(before).toEqual(noble.mul(input))
})
