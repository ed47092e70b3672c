import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ComputeDevice, openDevice } from '../../host/index.ts'
import { isAtLeast } from '../../transpiler/spec/forks.ts'
import { keepFailure, keptFailures } from '../fixtures/batch_failures.ts'
import { BatchFuzzer, FUZZ_RULES, type FuzzFailure } from '../fixtures/batch_fuzz.ts'

/** Runs in all, of two batches on average; WGEVM_RUNS asks for more, WGEVM_SEED for another first seed. */
const RUNS = Number(process.env['WGEVM_RUNS'] ?? 120)
const FIRST_SEED = Number(process.env['WGEVM_SEED'] ?? 1)

let device: ComputeDevice
beforeAll(async () => {
  device = await openDevice()
})
afterAll(() => device.destroy())

const told = ({ seed, difference, run, onNew }: FuzzFailure): string =>
  `seed ${seed} at ${run.kind.fork}, ${onNew ? '' : 'not on new executors, '}${difference}`

describe('random batches', () => {
  for (const failure of keptFailures()) {
    const { fork, forms } = failure.run.kind
    test(`the run kept as ${fork}-${forms.join('-')}-${failure.seed} equals serial execution`, async () => {
      const fuzzer = new BatchFuzzer(device)
      expect(await fuzzer.repeat(failure.run)).toBeUndefined()
      fuzzer.close()
    })
  }

  const shares = FUZZ_RULES.reduce((sum, { share }) => sum + share, 0)
  let first = FIRST_SEED
  for (const { fork, chainId, share } of FUZZ_RULES) {
    const runs = Math.ceil((RUNS * share) / shares)
    const seeds = Array.from({ length: runs }, (_, n) => first + n)
    first += runs
    test(`${runs} runs at ${fork}, chain ${chainId}, equal serial execution, seeds ${seeds[0]} to ${seeds.at(-1)}`, async () => {
      const fuzzer = new BatchFuzzer(device)
      for (const seed of seeds) {
        const failure = await fuzzer.run(seed, fork, chainId)
        if (failure !== undefined)
          expect.fail(`${told(failure)}\nfewest transactions that differ: ${keepFailure(failure)}`)
      }
      fuzzer.close()
      const { tiers, compared, comparedTiers } = fuzzer.tally
      // The batches must exercise every tier, or the test claims more than it shows. A few batches may not.
      if (runs < 50) return
      expect(compared).toBeGreaterThan(runs / 10)
      expect(comparedTiers.pathKernel).toBeGreaterThan(0)
      for (const form of ['pathProgram', 'pathHost', 'cpu'] as const)
        expect(comparedTiers[form]).toBeGreaterThan(isAtLeast(fork, 'berlin') ? runs / 10 : runs / 25)
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
