import { createRandom } from '../../bench/random.ts'
import { StateTestRunner } from '../../conformance/run_state_test.ts'
import { openDevice } from '../../host/device/device.ts'
import { SLOW_STATE_TESTS, sampleStateTests, stateTestFolders } from '../../test/fixtures/state_test_sample.ts'

/**
 * `tsx scripts/gpu/state_tests.ts SECONDS SEED`: random entries of the Ethereum state tests on the lane VM until the
 * time is over.
 */
const [seconds, seed] = [Number(process.argv[2] ?? 60), Number(process.argv[3] ?? 1)]
const folders = stateTestFolders()
const names = [...folders.keys()].sort().filter((name) => !SLOW_STATE_TESTS.test(name))
if (names.length === 0) {
  console.error('no state tests: $WGEVM_DATA/state-tests/state-tests.tar.gz')
  process.exit(2)
}
const device = await openDevice()
const runner = new StateTestRunner({ device, tier: 'lane-vm' })
const tiers: Record<string, number> = {}
let failed = 0
let count = 0
const endMs = performance.now() + 1000 * seconds
for (let round = 0; performance.now() < endMs; round++) {
  for (const entry of sampleStateTests(folders, names, 1, createRandom(1000 * seed + round, 'gpu'))) {
    const result = await runner.run(entry)
    count++
    tiers[result.tier] = (tiers[result.tier] ?? 0) + 1
    if (!result.pass) {
      failed++
      console.log(
        'FAIL',
        entry.file,
        entry.name,
        entry.forkName,
        JSON.stringify(entry.indexes),
        result.tier,
        result.error,
      )
    }
    if (performance.now() > endMs) break
  }
}
console.log(JSON.stringify({ stateTests: count, failed, tiers, seed, adapter: device.name }))
runner.close()
device.destroy()
process.exitCode = failed > 0 ? 1 : 0
