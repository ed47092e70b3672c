import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ComputeDevice, openDevice } from '../../host/index.ts'
import { type Fork, isAtLeast } from '../../transpiler/spec/forks.ts'
import { BatchCheck, type BatchCheckOptions, minimized } from '../fixtures/batch_check.ts'
import { keepFailure, keptFailures } from '../fixtures/batch_failures.ts'
import { batchState, randomBatch, stateWithEmpty } from '../fixtures/batch_world.ts'

/** Batches in all; WGEVM_RUNS asks for more, WGEVM_SEED for another first seed. */
const RUNS = Number(process.env['WGEVM_RUNS'] ?? 1000)
const FIRST_SEED = Number(process.env['WGEVM_SEED'] ?? 1)

/** Share of the batches by fork. Most run at the newest, since every fork compiles paths of its own. */
const FORKS: readonly (readonly [Fork, number])[] = [
  ['osaka', 6],
  ['cancun', 1],
  ['shanghai', 1],
  ['istanbul', 1],
  ['petersburg', 1],
]

/** Transactions of a small batch, at most, and how often one of them is a large one. */
const MOST = 24
const LARGE_EVERY = 40
/** How often the state has accounts that exist and are empty. */
const EMPTY_EVERY = 3

/**
 * The executors that take turns: paths as programs, the same in ranges so that rounds and misses happen in the middle of a
 * batch, lanes on the host and at their places, no device but threads, and paths as kernels of their own, which are dear to
 * compile. Then the switches: the lane VM alone, paths alone, and both as nobody has switched anything.
 */
const EXECUTORS: Readonly<Record<string, BatchCheckOptions & { readonly hasDevice: boolean }>> = {
  programs: { hasDevice: true, recordFrom: 1, programs: 'always', workers: 1 },
  ranges: { hasDevice: true, recordFrom: 1, programs: 'always', range: 8 },
  host: { hasDevice: true, recordFrom: 1, programs: 'always', waves: 'worth', workers: 1 },
  threads: { hasDevice: false, workers: 2 },
  kernels: { hasDevice: true, recordFrom: 3 },
  laneVm: { hasDevice: true, paths: 'never', laneVm: 'always', range: 32 },
  laneVmOff: { hasDevice: true, recordFrom: 1, programs: 'always', laneVm: 'never' },
  both: { hasDevice: true, recordFrom: 2, programs: 'always', workers: 1 },
}
const TURNS: readonly string[] =
  'programs threads host ranges laneVm programs both threads laneVm programs kernels host ranges laneVmOff'.split(' ')

let device: ComputeDevice
beforeAll(async () => {
  device = await openDevice()
})
afterAll(() => device.destroy())

const plainState = batchState()
const emptyState = stateWithEmpty()
const stateOf = (seed: number) => (seed % EMPTY_EVERY === 0 ? emptyState : plainState)

const openCheck = async (fork: Fork, name: string): Promise<BatchCheck> => {
  const { hasDevice, ...options } = EXECUTORS[name]!
  const check = new BatchCheck({ fork, ...options, ...(hasDevice ? { device } : {}) })
  await check.executor.warm()
  return check
}

/** The first difference from serial execution, or what was thrown. */
const differenceOf = async (
  check: BatchCheck,
  ...batch: Parameters<BatchCheck['run']>
): Promise<string | undefined> => {
  try {
    return (await check.run(...batch)).difference
  } catch (error) {
    return String(error)
  }
}

describe('random batches', () => {
  for (const { fork, executor, seed, transactions } of keptFailures())
    test(`the batch kept as ${fork}-${executor}-${seed} equals serial execution`, async () => {
      const check = await openCheck(fork, executor)
      expect(await differenceOf(check, stateOf(seed), transactions)).toBeUndefined()
      check.executor.close()
    })

  const shares = FORKS.reduce((sum, [, share]) => sum + share, 0)
  let first = FIRST_SEED
  for (const [fork, share] of FORKS) {
    const runs = Math.ceil((RUNS * share) / shares)
    const seeds = Array.from({ length: runs }, (_, n) => first + n)
    first += runs
    test(`${runs} batches at ${fork} equal serial execution, seeds ${seeds[0]} to ${seeds.at(-1)}`, async () => {
      const checks = new Map<string, BatchCheck>()
      for (const name of Object.keys(EXECUTORS)) checks.set(name, await openCheck(fork, name))
      const tiers = { pathKernel: 0, pathProgram: 0, pathHost: 0, laneVm: 0, transfer: 0, cpu: 0, held: 0 }
      for (const seed of seeds) {
        const state = stateOf(seed)
        const transactions = randomBatch(seed, state, seed % LARGE_EVERY === 0 ? { fork } : { fork, most: MOST })
        const executor = TURNS[seed % TURNS.length]!
        const check = checks.get(executor)!
        let difference: string | undefined
        try {
          const checked = await check.run(state, transactions)
          difference = checked.difference
          tiers.pathKernel += checked.result.tiers.pathKernel
          tiers.pathProgram += checked.result.tiers.pathProgram
          tiers.laneVm += checked.result.tiers.laneVm
          tiers.pathHost += checked.result.tiers.pathHost
          tiers.transfer += checked.result.tiers.transfer
          tiers.cpu += checked.result.tiers.cpu
          tiers.held += checked.result.ahead.held
        } catch (error) {
          difference = String(error)
        }
        if (difference === undefined) continue
        const fewest = await minimized(check, state, transactions)
        const file = keepFailure({ fork, executor, seed, difference, transactions: fewest })
        expect.fail(`seed ${seed} at ${fork}, ${executor}: ${difference}\nfewest transactions that differ: ${file}`)
      }
      for (const check of checks.values()) check.executor.close()
      // The batches must exercise every tier, or the test claims more than it shows. A few batches may not.
      if (runs < 100) return
      expect(tiers.pathProgram).toBeGreaterThan(runs / 2)
      if (isAtLeast(fork, 'berlin')) {
        expect(tiers.pathKernel).toBeGreaterThan(0)
        expect(tiers.laneVm).toBeGreaterThan(runs / 2)
        // The lane VM has no older rules, and the few batches that kernels get at an older fork earn none.
      } else expect(tiers.laneVm).toBe(0)
      expect(tiers.pathHost).toBeGreaterThan(0)
      expect(tiers.transfer).toBeGreaterThan(runs / 2)
      expect(tiers.cpu).toBeGreaterThan(runs / 2)
      expect(tiers.held).toBeGreaterThan(0)
    }, 3_600_000)
  }
})
