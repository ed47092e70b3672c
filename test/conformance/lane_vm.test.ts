import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createRandom } from '../../bench/random.ts'
import { countEntries, type TestOutcome } from '../../bench/report/conformance_schema.ts'
import { StateTestRunner } from '../../conformance/run_state_test.ts'
import type { StateTestEntry } from '../../conformance/state_test.ts'
import type { ComputeDevice } from '../../host/device/compute_device.ts'
import { openDevice } from '../../host/device/device.ts'
import { SLOW_STATE_TESTS, sampleStateTests, stateTestFolders } from '../fixtures/state_test_sample.ts'
import { LANE_VM_ONLY } from '../fixtures/vm_check.ts'

/**
 * What the sample did when this list was written: WGEVM_UPDATE=1 writes it anew, and says in the diff what has changed.
 */
const LIST = new URL('./lane_vm.json', import.meta.url)
interface KnownGaps {
  readonly entries: number
  /** Executed on the device. */
  readonly device: number
  /** Entries that the CPU tier executed, by reason. */
  readonly reasons: Readonly<Record<string, number>>
}

const ENTRIES = 600
/** Fixed: the list belongs to this sample. */
const SEED = 7

const folders = stateTestFolders()
const names = [...folders.keys()].filter((name) => !SLOW_STATE_TESTS.test(name)).sort()

/** Entries of every folder in turn, until there are enough. */
const stratified = (): StateTestEntry[] => {
  const random = createRandom(SEED, 'conformance')
  const drawn: StateTestEntry[] = []
  while (drawn.length < ENTRIES) drawn.push(...sampleStateTests(folders, names, 2, random))
  return drawn.slice(0, ENTRIES)
}

describe.skipIf(folders.size === 0)(
  'Ethereum state tests on the lane VM (skipped where ../shared/data/state-tests is absent)',
  () => {
    let device: ComputeDevice
    let runner: StateTestRunner
    beforeAll(async () => {
      device = await openDevice()
      runner = new StateTestRunner({ device, ...LANE_VM_ONLY })
    })
    afterAll(() => {
      runner.close()
      device.destroy()
    })

    it(`pass, ${ENTRIES} of every folder, and leave the device for the reasons on the list, as often as it says`, async () => {
      const outcomes: TestOutcome[] = []
      for (const entry of stratified()) {
        const { pass, error, tier, reason, file } = await runner.run(entry)
        const name = `${entry.file} ${entry.name} ${entry.forkName} ${JSON.stringify(entry.indexes)}`
        expect(pass, `${name}: ${error}`).toBe(true)
        outcomes.push({ file, pass, tier, ...(reason === undefined ? {} : { reason }) })
      }
      const { entries, device: onDevice, reasons } = countEntries(outcomes)
      const found: KnownGaps = { entries, device: onDevice, reasons }
      if (process.env['WGEVM_UPDATE'] === '1') writeFileSync(LIST, `${JSON.stringify(found, null, 2)}\n`)
      const known = JSON.parse(readFileSync(LIST, 'utf8')) as KnownGaps
      expect(found, 'better or worse than the list: run with WGEVM_UPDATE=1 and look at the diff').toEqual(known)
    }, 600_000)
  },
)
