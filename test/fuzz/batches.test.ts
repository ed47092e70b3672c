import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ComputeDevice, openDevice } from '../../host/index.ts'
import type { Fork } from '../../transpiler/spec/forks.ts'
import { BatchCheck, minimized, printBatch } from '../fixtures/batch_check.ts'
import { batchState, randomBatch } from '../fixtures/batch_world.ts'

/** Batches in all; WGEVM_RUNS asks for more, WGEVM_SEED for another first seed. */
const RUNS = Number(process.env['WGEVM_RUNS'] ?? 300)
const FIRST_SEED = Number(process.env['WGEVM_SEED'] ?? 1)

/** Share of the batches by fork. Two thirds run at the newest, since every fork compiles paths of its own. */
const FORKS: readonly (readonly [Fork, number])[] = [
  ['osaka', 4],
  ['cancun', 1],
  ['shanghai', 1],
]

let device: ComputeDevice
beforeAll(async () => {
  device = await openDevice()
})
afterAll(() => device.destroy())

describe('random batches', () => {
  const shares = FORKS.reduce((sum, [, share]) => sum + share, 0)
  let first = FIRST_SEED
  for (const [fork, share] of FORKS) {
    const runs = Math.ceil((RUNS * share) / shares)
    const seeds = Array.from({ length: runs }, (_, n) => first + n)
    first += runs
    test(`${runs} batches at ${fork} equal serial execution, seeds ${seeds[0]} to ${seeds.at(-1)}`, async () => {
      // Every third batch goes to the device in ranges, so that rounds and misses happen in the middle of it.
      const checks = [undefined, undefined, 16].map(
        (range) => new BatchCheck({ fork, device, recordFrom: 4, ...(range === undefined ? {} : { range }) }),
      )
      const state = batchState()
      const tiers = { pathKernel: 0, transfer: 0, cpu: 0 }
      for (const seed of seeds) {
        const transactions = randomBatch(seed, state)
        const check = checks[seed % checks.length]!
        let failure: string | undefined
        try {
          const { difference, result } = await check.run(state, transactions)
          failure = difference
          tiers.pathKernel += result.tiers.pathKernel
          tiers.transfer += result.tiers.transfer
          tiers.cpu += result.tiers.cpu
        } catch (error) {
          failure = String(error)
        }
        if (failure === undefined) continue
        const fewest = await minimized(check, state, transactions)
        expect.fail(`seed ${seed} at ${fork}: ${failure}\nfewest transactions that differ: ${printBatch(fewest)}`)
      }
      for (const check of checks) check.executor.close()
      // The batches must exercise every tier, or the test claims more than it shows.
      expect(tiers.pathKernel).toBeGreaterThan(runs)
      expect(tiers.transfer).toBeGreaterThan(runs)
      expect(tiers.cpu).toBeGreaterThan(runs)
    }, 3_600_000)
  }
})
