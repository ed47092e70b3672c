import { expect, test } from 'vitest'
import { builtBlocks, builtGenesis } from '../fixtures/built_chain.ts'
import { crashRounds } from '../fixtures/crash_rounds.ts'

const ROUNDS = 3

test('a chain whose process is killed at any moment is whole when it is opened again, and goes on to the same end', async () => {
  const blocks = await builtBlocks(10, 11)
  const heads = await crashRounds({ genesis: builtGenesis(), blocks, count: ROUNDS, seed: 2 })
  expect(heads.length).toBe(ROUNDS)
  // Some were killed at work.
  expect(heads.some((head) => head > 0n)).toBe(true)
})
