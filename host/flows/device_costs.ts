import { createHash } from 'node:crypto'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type DeviceCosts, SOFTWARE_COSTS } from '../batch/cost.ts'
import type { ComputeDevice } from '../device/compute_device.ts'
import { cacheRoots } from '../device/swiftshader.ts'
import { makeFolder } from '../primitives/folder.ts'
import { transpilerVersion } from '../tiers/path/store/version.ts'
import { measureCosts } from './measure_costs.ts'

/** One file for each adapter, driver and version of the kernels. */
const fileOf = (device: ComputeDevice, root: string): string => {
  const { kind, name, driver, vendor } = device
  const key = JSON.stringify([kind, vendor, name, driver, transpilerVersion() ?? 'unknown'])
  return join(root, 'costs', `${createHash('sha256').update(key).digest('hex').slice(0, 32)}.json`)
}

const NAMES = Object.keys(SOFTWARE_COSTS) as (keyof DeviceCosts)[]

/** What `text` holds, where it is costs: every one a number from 0 on. */
export const parseCosts = (text: string): DeviceCosts | undefined => {
  try {
    const found: unknown = JSON.parse(text)
    if (typeof found !== 'object' || found === null) return undefined
    const values = new Map(Object.entries(found))
    const isCost = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value) && value >= 0
    return NAMES.every((name) => isCost(values.get(name))) ? (found as DeviceCosts) : undefined
  } catch {
    return undefined
  }
}

/** Costs that were measured on this device before; undefined where there are none. `root`: the cache folder. */
export const knownCosts = (device: ComputeDevice, root = cacheRoots()[0]!): DeviceCosts | undefined => {
  try {
    return parseCosts(readFileSync(fileOf(device, root), 'utf8'))
  } catch {
    return undefined
  }
}

/** Measures, and keeps what was found where files can be written. */
export const measureAndKeep = async (device: ComputeDevice, root = cacheRoots()[0]!): Promise<DeviceCosts> => {
  const costs = await measureCosts(device)
  try {
    const file = fileOf(device, root)
    makeFolder(join(root, 'costs'))
    const half = `${file}.${process.pid}`
    writeFileSync(half, `${JSON.stringify(costs, null, 2)}\n`)
    renameSync(half, file)
  } catch {
    // The next process measures again.
  }
  return costs
}

/**
 * The costs of a device for `ExecutorOptions.costs`, in microseconds: on hardware those of the cache folder, measured
 * at first use; a software device shares the host's cores and has the built-in ones.
 *
 * @example
 * import { createExecutor, deviceCosts, MemoryState, openDevice } from 'wgevm'
 *
 * const device = await openDevice()
 * const costs = await deviceCosts(device)
 * const executor = createExecutor({ fork: 'osaka', chainId: 1n, state: new MemoryState(), device, costs })
 * executor.close()
 * device.destroy()
 */
export const deviceCosts = async (device: ComputeDevice): Promise<DeviceCosts> =>
  device.software ? SOFTWARE_COSTS : (knownCosts(device) ?? (await measureAndKeep(device)))
