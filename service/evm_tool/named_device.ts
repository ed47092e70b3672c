import type { ComputeDevice } from '../../host/device/compute_device.ts'

/** The device that `--adapter` names: none for `none`. */
export const openAdapter = async (adapter: string | undefined): Promise<ComputeDevice | undefined> => {
  if (adapter === undefined || adapter === 'none') return undefined
  const { openDevice } = await import('../../host/device/device.ts')
  return openDevice({ adapter })
}
