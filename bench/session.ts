import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { adapterRequest } from '../host/device/adapter.ts'
import type { ComputeDevice } from '../host/device/compute_device.ts'
import { openDevice } from '../host/device/device.ts'
import type { Fork } from '../transpiler/spec/forks.ts'
import { commitOfCheckout, machine } from './machine.ts'
import type { Progress } from './report/progress.ts'
import type { BenchReport, WorkloadResult } from './report/schema.ts'
import { runWorkload } from './run.ts'
import type { Workload } from './workloads/workload.ts'

export interface SessionOptions {
  readonly workloads: readonly Workload[]
  readonly adapter?: string
  readonly fork: Fork
  /** Transactions per block; absent = what fits the time. */
  readonly size?: number
  readonly samples: number
  readonly seed: number
  readonly revm: boolean
  /** Start with an empty driver cache and measure kernel compilation both ways. */
  readonly cold: boolean
  readonly progress: Progress
  /** Called with each result as soon as it is there. */
  readonly onResult: (result: WorkloadResult) => void
}

/** The whole default run, and one workload when named: the sizes follow from these where none is given. */
const SESSION_MS = 95_000
const NAMED_WORKLOAD_MS = 30_000
/** A workload is not begun with less time than this left. */
const LEAST_MS = 3_000

/** Runs the workloads one after another on one device. Throws NoAdapterError, VerificationError, AnvilError. */
export const runSession = async (options: SessionOptions): Promise<BenchReport> => {
  const { workloads, size, cold } = options
  const emptyCache = cold ? useEmptyDriverCache() : undefined
  const asked = adapterRequest(options.adapter)
  const request = asked === undefined ? {} : { adapter: asked }
  const device = await openDevice(request)
  try {
    const results: WorkloadResult[] = []
    const skipped: { workload: string; reason: string }[] = []
    const timeMs = Math.max(SESSION_MS, NAMED_WORKLOAD_MS * Math.min(3, workloads.length))
    const end = performance.now() + timeMs
    for (const [i, workload] of workloads.entries()) {
      const leftMs = end - performance.now()
      if (size === undefined && i > 0 && leftMs < LEAST_MS) {
        skipped.push({ workload: workload.name, reason: `the ${timeMs / 1000} s of this run are used up; name it` })
        continue
      }
      const budgetMs = Math.min(NAMED_WORKLOAD_MS, leftMs / (workloads.length - i))
      const second = cold ? { openSecond: () => openDevice(request) } : {}
      const result = await runWorkload(workload, { ...options, device, budgetMs, ...second })
      results.push(result)
      options.onResult(result)
    }
    return {
      schema: 'wgevm-bench/1',
      commit: commitOfCheckout(),
      date: new Date().toISOString(),
      machine: machine(),
      adapter: adapterOf(device, asked),
      node: process.version,
      results,
      skipped,
    }
  } finally {
    device.destroy()
    if (emptyCache !== undefined) rmSync(emptyCache, { recursive: true, force: true })
  }
}

const adapterOf = (device: ComputeDevice, asked: string | undefined): BenchReport['adapter'] => ({
  kind: device.kind,
  name: device.name,
  driver: device.driver,
  reason: asked === undefined ? 'the best that answers' : `asked for: ${asked}`,
})

/** Points the shader caches of Mesa and of NVIDIA's driver at an empty folder; drivers read this when a device opens. */
const useEmptyDriverCache = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'wgevm-driver-cache-'))
  process.env['MESA_SHADER_CACHE_DIR'] = folder
  process.env['__GL_SHADER_DISK_CACHE_PATH'] = folder
  return folder
}
