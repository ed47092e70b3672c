import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ComputeDevice, openDevice } from '../../host/index.ts'
import { newVmTally, VmCheck, vmTallyText } from '../fixtures/vm_check.ts'
import { keptVmFailures } from '../fixtures/vm_failures.ts'
import { fuzzLaneVm } from '../fixtures/vm_fuzz.ts'

/** Programs in all; WGEVM_RUNS asks for more, WGEVM_SEED for another first seed. `npm run fuzz` runs millions. */
const RUNS = Number(process.env['WGEVM_RUNS'] ?? 20_000)
const FIRST_SEED = Number(process.env['WGEVM_SEED'] ?? 1)
const BATCH = 500
/** Of the programs made from the opcode table, in percent: fewer on the device, and the test claims more than it shows. */
const LEAST_ON_DEVICE = 60

let device: ComputeDevice
beforeAll(async () => {
  device = await openDevice()
})
afterAll(() => device.destroy())

describe('random programs on the lane VM', () => {
  for (const { name, cases } of keptVmFailures())
    test(`the programs kept as ${name} end as on the CPU tier`, async () => {
      const check = new VmCheck(cases[0]!.fork, device)
      expect(await check.run(cases)).toBeUndefined()
      check.close()
    })

  test(`${RUNS} from seed ${FIRST_SEED} end as on the CPU tier, most of them on the device`, async () => {
    const tally = newVmTally()
    const failure = await fuzzLaneVm({ device, firstSeed: FIRST_SEED, count: RUNS, batchSize: BATCH, tally })
    console.info(`seeds ${FIRST_SEED} to ${FIRST_SEED + RUNS - 1}; ${vmTallyText(tally)}`)
    if (failure !== undefined) {
      const { fork, firstSeed, difference, file } = failure
      expect.fail(`${fork}, the batch from seed ${firstSeed}: ${difference}\nkept in ${file}`)
    }
    const { total, onDevice } = tally.program
    expect((100 * onDevice) / total).toBeGreaterThanOrEqual(LEAST_ON_DEVICE)
  }, 3_600_000)
})
