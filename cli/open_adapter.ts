import { NoAdapterError } from '../host/device/adapter.ts'
import type { ComputeDevice } from '../host/device/compute_device.ts'
import { openDevice } from '../host/device/device.ts'

/** `--adapter` of the commands that execute blocks of a chain. */
export const ADAPTER_OPTION = {
  adapter: { type: 'string', describe: 'gpu, lavapipe, swiftshader, a part of a name, or none' },
} as const

/** The device of `--adapter`; undefined where it is none, or nothing was named and there is none. */
export const openAdapter = async (adapter: string | undefined): Promise<ComputeDevice | undefined> => {
  if (adapter === 'none') return undefined
  if (adapter !== undefined) return openDevice({ adapter })
  try {
    return await openDevice()
  } catch (thrown) {
    if (thrown instanceof NoAdapterError) return undefined
    throw thrown
  }
}
