import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ComputeDevice, openDevice } from '../../host/index.ts'
import { newVmTally, VmCheck, vmTallyText } from '../fixtures/vm_check.ts'
import { keptVmFailures } from '../fixtures/vm_failures.ts'
import { fuzzLaneVm } from '../fixtures/vm_fuzz.ts'

/** Programs in all; WGEVM_RUNS asks for more, WGEVM_SEED for another first seed. `npm run fuzz` runs millions. */
const RUNS = Number(process.env['WGEVM_RUNS'] ?? 20_000)
const FIRST_SEED = Number(process.env['WGEVM_SEED'] ?? 1)
const BATCH = 500
/** A fifth of them on codes that are not hot. */
const FORMS = [
  ['superblocks', Math.ceil(0.8 * RUNS), FIRST_SEED],
  ['first', Math.floor(0.2 * RUNS), FIRST_SEED + Math.ceil(0.8 * RUNS)],
] as const
/**
 * Of the programs made from the opcode table, in percent: fewer on the device, and the test claims more than it shows.
 */
const LEAST_ON_DEVICE = 60

let device: ComputeDevice
beforeAll(async () => {
  device = await openDevice()
})
afterAll(() => device.destroy())

describe('random programs on the lane VM', () => {
  for (const { name, cases } of keptVmFailures())
    test(`the programs kept as ${name} end as on the CPU tier`, async () => {
      for (const form of ['superblocks', 'first'] as const) {
        const check = new VmCheck(cases[0]!.fork, device, form)
        expect(await check.run(cases)).toBeUndefined()
        check.close()
      }
    })

  for (const [form, runs, firstSeed] of FORMS)
    test(`${runs} in ${form} from seed ${firstSeed} end as on the CPU tier, most of them on the device`, async () => {
      const tally = newVmTally()
      const failure = await fuzzLaneVm({ device, form, firstSeed, count: runs, batchSize: BATCH, tally })
      console.info(`seeds ${firstSeed} to ${firstSeed + runs - 1}; ${vmTallyText(tally)}`)
      if (failure !== undefined) {
        const { fork, firstSeed: first, difference, file } = failure
        expect.fail(`${fork}, the batch from seed ${first}: ${difference}\nkept in ${file}`)
      }
      const { total, onDevice } = tally.program
      expect((100 * onDevice) / total).toBeGreaterThanOrEqual(LEAST_ON_DEVICE)
    }, 3_600_000)
})
