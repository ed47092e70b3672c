import { describe, expect, test } from 'vitest'
import { createRandom, createZipf, permutation } from '../../bench/random.ts'
import { median, medianIndex, spread } from '../../bench/report/statistics.ts'

describe('a seeded stream', () => {
  test('is the same for the same seed and name, and another for either changed', () => {
    const draw = (seed: number, name: string) => Array.from({ length: 8 }, createRandom(seed, name).u32)
    expect(draw(7, 'a')).toEqual(draw(7, 'a'))
    expect(draw(7, 'a')).not.toEqual(draw(8, 'a'))
    expect(draw(7, 'a')).not.toEqual(draw(7, 'b'))
  })

  test('stays the stream that published results were made with', () => {
    expect(Array.from({ length: 4 }, createRandom(1, 'erc20').u32)).toMatchInlineSnapshot(`
      [
        763969097,
        253138970,
        154279076,
        3925170201,
      ]
    `)
  })

  test('permutes without losing a number', () => {
    const order = permutation(1000, createRandom(1, 'order'))
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i))
    expect([...order.subarray(0, 5)]).not.toEqual([0, 1, 2, 3, 4])
  })

  test("draws the first rank of Zipf's law about 1 / H(n) of the time and stays in range", () => {
    const draw = createZipf(100, createRandom(1, 'zipf'))
    const counts = new Uint32Array(100)
    for (let i = 0; i < 20_000; i++) counts[draw()]!++
    const harmonic = counts.reduce((sum, _, rank) => sum + 1 / (rank + 1), 0)
    expect(counts[0]! / 20_000).toBeCloseTo(1 / harmonic, 2)
    expect(counts[99]).toBeGreaterThan(0)
  })
})

describe('statistics of samples', () => {
  test('take the middle value, or the mean of the two in the middle', () => {
    expect(median([3, 1, 2])).toBe(2)
    expect(median([4, 1, 2, 3])).toBe(2.5)
    expect(medianIndex([9, 1, 5])).toBe(2)
  })

  test('give the spread as half the range over the median', () => {
    expect(spread([90, 100, 110])).toBeCloseTo(0.1)
    expect(spread([100])).toBe(0)
  })
})
