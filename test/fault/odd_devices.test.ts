import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FORMS, type Form, runForm } from '../../bench/forms.ts'
import { createRandom } from '../../bench/random.ts'
import { adapterRequest, openAdapter } from '../../host/device/adapter.ts'
import type { ComputeDevice } from '../../host/device/compute_device.ts'
import { decorated } from '../../host/device/decorated.ts'
import { deviceOn, openDevice } from '../../host/device/device.ts'

/** Kernels are compiled for each path, so form has a workload of one. */
const batchOf = (form: Form) => ({ workload: form === 'kernel' ? 'erc20' : 'mixed', size: 128, blocks: 2 })
const TIERS = { kernel: 'pathKernel', program: 'pathProgram', laneVm: 'laneVm' } as const

/** A device whose answers come 0 to 3 ms late, in another order than they were asked for. */
const lateDevice = (device: ComputeDevice, seed: number): ComputeDevice => {
  const random = createRandom(seed, 'late answers')
  const late =
    <A extends readonly unknown[], T>(call: (...args: A) => Promise<T>) =>
    async (...args: A): Promise<T> => {
      const delayMs = random.below(4)
      const answer = await call(...args)
      if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs))
      return answer
    }
  const own: Partial<ComputeDevice> = {
    run: late(device.run.bind(device)),
    kernel: late(device.kernel.bind(device)),
    readback: late(device.readback.bind(device)),
    settle: late(device.settle.bind(device)),
  }
  return decorated(device, own)
}

describe("a device with WebGPU's default limits", () => {
  let device: ComputeDevice
  beforeAll(async () => {
    device = await deviceOn(await openAdapter(adapterRequest(undefined), []), { limits: 'default' })
  })
  afterAll(() => device.destroy())

  test('has them', () => {
    expect(device.limits.maxStorageBufferBindingSize).toBe(2 ** 27)
    expect(device.limits.maxStorageBuffersPerShaderStage).toBe(8)
  })

  test.each(Object.keys(FORMS) as Form[])('executes as on any other in form %s', async (form) => {
    const tiers = await runForm(device, form, batchOf(form))
    for (const counts of tiers) expect(counts[TIERS[form]]).toBeGreaterThan(0)
  })
})

describe('a device that answers late and out of order', () => {
  let device: ComputeDevice
  beforeAll(async () => {
    device = await openDevice()
  })
  afterAll(() => device.destroy())

  test.each(Object.keys(FORMS) as Form[])('gives the same blocks by the same tiers in form %s', async (form) => {
    const inTime = await runForm(device, form, batchOf(form))
    for (const seed of [1, 2]) expect(await runForm(lateDevice(device, seed), form, batchOf(form))).toEqual(inTime)
  })
})
