import { describe, expect, test } from 'vitest'
import { conflictMap, countedMap, type Footprint } from '../../bench/conflict_map.ts'
import { createRandom } from '../../bench/random.ts'

const randomBlocks = (seed: number, blocks: number, count: number, slotCount: number): Footprint[][] => {
  const random = createRandom(seed, 'footprints')
  const draw = (most: number) => Array.from({ length: random.below(most + 1) }, () => `slot ${random.below(slotCount)}`)
  return Array.from({ length: blocks }, () =>
    Array.from({ length: count }, () => ({
      contract: random.below(8) === 0 ? undefined : `contract ${random.below(12)}`,
      reads: draw(6),
      writes: draw(3),
    })),
  )
}

const call = (contract: string | undefined, reads: string[], writes: string[]): Footprint => ({
  contract,
  reads,
  writes,
})

describe('the conflict map', () => {
  test('as products of f32 matrices equals the one counted pair by pair in integers', async () => {
    for (const [seed, blocks, count, slots, size] of [
      [1, 1, 30, 9, 16],
      [2, 3, 50, 40, 5],
      [3, 2, 80, 300, 12],
    ] as const) {
      const footprints = randomBlocks(seed, blocks, count, slots)
      const map = await conflictMap(footprints, size)
      expect(map, `seed ${seed}`).toEqual(countedMap(footprints, size))
      expect(map.counts.some((entry) => entry > 1)).toBe(true)
    }
  })

  test('counts the transactions of one contract against each other, and none against itself', async () => {
    const { contracts, counts } = await conflictMap([
      [call('a', ['x'], ['x']), call('a', ['x'], ['x']), call('a', [], [])],
    ])
    expect(contracts).toEqual(['a'])
    expect(counts).toEqual([2])
  })

  test('has the accessing contract as row and the changing one as column', async () => {
    const { contracts, counts } = await conflictMap([
      [call('a', ['x'], []), call('a', ['x'], []), call('b', [], ['x'])],
    ])
    expect(contracts).toEqual(['a', 'b'])
    expect(counts).toEqual([0, 2, 0, 0])
  })

  test('keeps the same slot of two blocks apart', async () => {
    const { counts } = await conflictMap([[call('a', ['x'], [])], [call('a', [], ['x'])]])
    expect(counts).toEqual([0])
  })

  test('says what it leaves out', async () => {
    const block = [call('a', [], []), call('a', [], []), call('b', [], []), call('c', [], []), call(undefined, [], [])]
    const { contracts, transactions, leftOut } = await conflictMap([block], 2)
    expect(contracts).toEqual(['a', 'b'])
    expect(transactions).toEqual([2, 1])
    expect(leftOut).toEqual({ contracts: 1, transactions: 1 })
  })

  test('of no calls is empty', async () => {
    expect((await conflictMap([])).counts).toEqual([])
    expect((await conflictMap([[call('a', [], [])]])).counts).toEqual([0])
  })

  test('refuses sums that f32 cannot hold exactly', async () => {
    const writers = Array.from({ length: 4097 }, () => call('a', [], ['x']))
    await expect(conflictMap([writers])).rejects.toThrow('not exact in f32')
  })
})
