import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { adapterRequest } from '../host/device/adapter.ts'
import type { ComputeDevice } from '../host/device/compute_device.ts'
import { type DeviceOptions, openDevice } from '../host/device/device.ts'
import { deviceCosts } from '../host/flows/device_costs.ts'
import type { Fork } from '../transpiler/spec/forks.ts'
import { runBlockWorkload } from './block/run.ts'
import { commitOfCheckout, machine } from './machine.ts'
import { MissingPackageError } from './packages.ts'
import type { Progress } from './report/progress.ts'
import type { BenchLevel, BenchReport, WorkloadResult } from './report/schema.ts'
import { runWorkload } from './run.ts'
import { type TierChoice, tierChoiceText } from './tier_choice.ts'
import type { Workload } from './workloads/workload.ts'

export interface SessionOptions {
  readonly workloads: readonly Workload[]
  readonly level: BenchLevel
  readonly adapter?: string
  /** How to open it. */
  readonly opened?: Pick<DeviceOptions, 'robustness' | 'compileLimitMs'>
  readonly fork: Fork
  readonly tiers: TierChoice
  /** Transactions per block; absent = what fits the time. */
  readonly size?: number
  /** The same of single workloads, where `size` is absent. */
  readonly sizes?: ReadonlyMap<string, number>
  readonly samples: number
  readonly seed: number
  /** Of the level `block`: also through chains in new folders below this one, which are removed. */
  readonly data?: string
  /** With the peer of native code, which is not installed with the package. */
  readonly native: boolean
  /** A workload whose packages are not installed is left out with the reason, instead of ending the run. */
  readonly leavesOut: boolean
  /** Start with an empty driver cache and measure kernel compilation both ways. */
  readonly cold: boolean
  /** Time for the whole run, where sizes follow from the time; absent = WORKLOAD_MS for each workload. */
  readonly timeMs?: number
  readonly progress: Progress
  /** Called with each result as soon as it is there. */
  readonly onResult: (result: WorkloadResult) => void
}

/** The time that the default run keeps to. */
export const DEFAULT_RUN_MS = 95_000
/** Where no size is given, it follows from the time for the workload: this much at most. */
const WORKLOAD_MS = 30_000
/** A workload is not begun with less time than this left. */
const LEAST_MS = 3_000

/** Runs the workloads one after another on one device. Throws NoAdapterError, VerificationError, AnvilError. */
export const runSession = async (options: SessionOptions): Promise<BenchReport> => {
  const { workloads, cold, leavesOut } = options
  const emptyCache = cold ? useEmptyDriverCache() : undefined
  const asked = adapterRequest(options.adapter)
  const request = { ...options.opened, ...(asked === undefined ? {} : { adapter: asked }) }
  const device = await openDevice(request)
  try {
    const tiers = { ...options.tiers, costs: await deviceCosts(device) }
    const results: WorkloadResult[] = []
    const skipped: { workload: string; reason: string }[] = []
    const end = performance.now() + (options.timeMs ?? Number.POSITIVE_INFINITY)
    let late = false
    for (const [i, workload] of workloads.entries()) {
      const leftMs = end - performance.now()
      const budgetMs = Math.min(WORKLOAD_MS, leftMs / (workloads.length - i))
      const second = cold ? { openSecond: () => openDevice(request) } : {}
      late ||= leftMs < LEAST_MS
      const size = options.size ?? options.sizes?.get(workload.name)
      const run = { ...options, tiers, ...(size === undefined ? {} : { size }), device, budgetMs, ...second }
      const measure = options.level === 'block' ? runBlockWorkload : async () => [await runWorkload(workload, run)]
      const result = late ? undefined : await within(leftMs, withPackages(measure(workload, run), leavesOut))
      if (result instanceof MissingPackageError) {
        skipped.push({ workload: workload.name, reason: result.message })
        continue
      }
      late ||= result === undefined
      if (result === undefined) {
        skipped.push({ workload: workload.name, reason: OUT_OF_TIME })
      } else {
        results.push(...result)
        for (const row of result) options.onResult(row)
      }
    }
    return {
      schema: 'wgevm-bench/1',
      commit: commitOfCheckout(),
      date: new Date().toISOString(),
      machine: machine(),
      adapter: adapterOf(device, asked),
      node: process.version,
      ...(options.level === 'execute' ? {} : { level: options.level }),
      ...(tierChoiceText(options.tiers) === undefined ? {} : { tierChoice: options.tiers }),
      results,
      skipped,
    }
  } finally {
    device.destroy()
    if (emptyCache !== undefined) rmSync(emptyCache, { recursive: true, force: true })
  }
}

/** What `running` gives, or, where that is asked for, what it lacks. */
const withPackages = async <T>(running: Promise<T>, leavesOut: boolean): Promise<T | MissingPackageError> => {
  try {
    return await running
  } catch (thrown) {
    if (leavesOut && thrown instanceof MissingPackageError) return thrown
    throw thrown
  }
}

const OUT_OF_TIME = 'the time of the default run is over; name it to run it alone'

/**
 * What `running` gives, or undefined when it takes longer: it then goes on unheard, so nothing may be measured after
 * it.
 */
const within = async <T>(limitMs: number, running: Promise<T>): Promise<T | undefined> => {
  if (limitMs === Number.POSITIVE_INFINITY) return running
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, limitMs, undefined)
  })
  try {
    return await Promise.race([running, late])
  } finally {
    clearTimeout(timer)
    running.catch(() => {})
  }
}

/** The adapter of a device, and why it is that one. */
export const adapterOf = (device: ComputeDevice, asked: string | undefined): BenchReport['adapter'] => ({
  kind: device.kind,
  name: device.name,
  driver: device.driver,
  reason: asked === undefined ? 'the best that answers' : `asked for: ${asked}`,
})

/**
 * Points the shader caches of Mesa and of NVIDIA's driver at an empty folder; drivers read this when a device opens.
 */
const useEmptyDriverCache = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'wgevm-driver-cache-'))
  process.env['MESA_SHADER_CACHE_DIR'] = folder
  process.env['__GL_SHADER_DISK_CACHE_PATH'] = folder
  return folder
}
