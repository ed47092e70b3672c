import { NobleBN254 } from '@ethereumjs/evm'
import { bn254 } from '@noble/curves/bn254.js'
import { expect, test } from 'vitest'
import { createRandom, type Random } from '../../bench/random.ts'
import { publicBn254 } from '../../host/execute/cpu_bn254.ts'

const FIELD = bn254.fields.Fp.ORDER
const ORDER = bn254.fields.Fr.ORDER
const WORD = 2n ** 256n

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
  const { x, y } = bn254.G1.Point.BASE.multiply(1n + BigInt(random.u32())).toAffine()
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

test('multiplication on bn254 gives what NobleBN254 gives, for points and factors of every kind', () => {
  const random = createRandom(254, 'points')
  const noble = new NobleBN254()
  const edges = [0n, 1n, 2n, ORDER - 1n, ORDER, ORDER + 1n, WORD - 1n, FIELD, 2n ** 128n, 2n ** 127n - 1n]
  const seen = { failed: 0, infinity: 0, point: 0 }
  for (let n = 0; n < 300; n++) {
    const factor = n % 2 === 0 ? edges[random.below(edges.length)]! : wordOf(random)
    const input = bytesOf(...anyPoint(random), factor)
    const found = outcome(() => publicBn254.mul(input))
    expect([Buffer.from(input).toString('hex'), found]).toEqual([
      Buffer.from(input).toString('hex'),
      outcome(() => noble.mul(input)),
    ])
    seen[found === 'failed' ? 'failed' : /^0+$/.test(found) ? 'infinity' : 'point']++
  }
  expect(seen.failed).toBeGreaterThan(20)
  expect(seen.infinity).toBeGreaterThan(20)
  expect(seen.point).toBeGreaterThan(100)
})
