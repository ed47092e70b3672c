import { describe, expect, test } from 'vitest'
import {
  type AccessSets,
  conflictMatrix,
  conflictRate,
  countedConflicts,
  longestChain,
  matrixProduct,
  plainProduct,
} from '../../bench/conflict_matrix.ts'
import { createRandom } from '../../bench/random.ts'

const randomSets = (seed: number, count: number, slotCount: number): AccessSets => {
  const random = createRandom(seed, 'access sets')
  const draw = (most: number) =>
    Array.from({ length: count }, () => [
      ...new Set(Array.from({ length: random.below(most + 1) }, () => random.below(slotCount))),
    ])
  return { slotCount, reads: draw(6), writes: draw(3) }
}

describe('the conflict matrix', () => {
  test('as a product of f32 matrices equals the one counted in integers', async () => {
    for (const [seed, count, slots] of [
      [1, 5, 3],
      [2, 40, 17],
      [3, 97, 400],
    ] as const) {
      const sets = randomSets(seed, count, slots)
      const product = await conflictMatrix(sets)
      expect(product.entries, `seed ${seed}`).toEqual(countedConflicts(sets).entries)
      expect(product.entries.some((entry) => entry > 1)).toBe(true)
    }
  })

  test('is the same product in the loop that takes over where gpu.js is not installed', async () => {
    const random = createRandom(4, 'matrices')
    const matrix = () => Array.from({ length: 9 }, () => Float32Array.from({ length: 31 }, () => random.below(5)))
    const [rows, columns] = [matrix(), matrix()]
    expect(plainProduct(rows, columns)).toEqual(await matrixProduct(rows, columns, 31))
  })

  test('counts a transaction as conflicting only with an earlier writer', () => {
    const sets = { slotCount: 2, reads: [[0], [], [1], [0]], writes: [[], [0], [], []] }
    // Transaction 0 reads before 1 writes; 2 is alone; 3 reads what 1 wrote.
    expect(conflictRate(countedConflicts(sets))).toBe(0.25)
    expect(longestChain(countedConflicts(sets))).toBe(2)
  })

  test('counts two writers of one slot as conflicting', () => {
    const sets = { slotCount: 1, reads: [[], []], writes: [[0], [0]] }
    expect(conflictRate(countedConflicts(sets))).toBe(0.5)
  })

  test('of readers of one slot holds no conflict', () => {
    const sets = { slotCount: 1, reads: [[0], [0], [0]], writes: [[], [], []] }
    expect(conflictRate(countedConflicts(sets))).toBe(0)
    expect(longestChain(countedConflicts(sets))).toBe(1)
  })

  test('finds the chain of transactions that follow each other', () => {
    const sets = { slotCount: 3, reads: [[], [0], [1], []], writes: [[0], [1], [2], [0]] }
    expect(longestChain(countedConflicts(sets))).toBe(3)
  })
})
