import { afterAll, describe, expect, it } from 'vitest'
import { createRandom } from '../../bench/random.ts'
import { StateTestRunner } from '../../conformance/run_state_test.ts'
import type { StateTestEntry } from '../../conformance/state_test.ts'
import { openDevice } from '../../host/device/device.ts'
import { SLOW_STATE_TESTS, sampleStateTests, stateTestFolders } from '../fixtures/state_test_sample.ts'

const SEED = Number(process.env['WGEVM_SEED'] ?? 1)
const folders = stateTestFolders()
const sample = (names: readonly string[], count: number, stream: string): StateTestEntry[] =>
  sampleStateTests(folders, names, count, createRandom(SEED, stream))

describe.skipIf(folders.size === 0)(
  `Ethereum state tests, a sample of every folder by seed ${SEED} (skipped where ../shared/data/state-tests is absent)`,
  () => {
    const names = [...folders.keys()].sort()
    const runner = new StateTestRunner()
    afterAll(() => runner.close())

    it('pass on the CPU tier and as transfers', async () => {
      expect(names.length).toBeGreaterThan(150)
      for (const entry of sample(names, 1, 'cpu')) {
        const { pass, error } = await runner.run(entry)
        expect(pass, `${entry.file} ${entry.name} ${entry.forkName} ${JSON.stringify(entry.indexes)}: ${error}`).toBe(
          true,
        )
      }
    }, 60_000)

    it('pass on the device, where every path is recorded and run at once', async () => {
      const random = createRandom(SEED, 'folders')
      const quick = names.filter((name) => !SLOW_STATE_TESTS.test(name))
      const drawn = Array.from({ length: 40 }, () => quick[random.below(quick.length)]!)
      const device = await openDevice()
      const onDevice = new StateTestRunner({
        device,
        recordFrom: 1,
        compile: 'wait',
        laneVm: 'never',
        kernels: 'never',
        waves: 'always',
      })
      let programs = 0
      for (const entry of sample(drawn, 1, 'device')) {
        const { pass, error, tier } = await onDevice.run(entry)
        if (tier === 'pathProgram') programs++
        expect(pass, `${entry.file} ${entry.name} ${entry.forkName} ${JSON.stringify(entry.indexes)}: ${error}`).toBe(
          true,
        )
      }
      onDevice.close()
      device.destroy()
      expect(programs).toBeGreaterThan(5)
    }, 120_000)
  },
)
