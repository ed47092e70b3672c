import { appendFileSync } from 'node:fs'
import { FORMS, type Form } from '../../bench/forms.ts'
import { verifyBlock } from '../../bench/verify.ts'
import { WORKLOADS } from '../../bench/workloads/index.ts'
import { EXECUTION_BINDINGS } from '../../host/device/binding.ts'
import { BufferPool } from '../../host/device/buffer_pool.ts'
import type { Command, ComputeDevice, RunOptions } from '../../host/device/compute_device.ts'
import { decorated } from '../../host/device/decorated.ts'
import { openDevice } from '../../host/device/device.ts'
import { measureRates } from '../../host/device/rate.ts'
import { createExecutor } from '../../host/flows/executor.ts'
import { MemoryState } from '../../host/state/memory_state.ts'
import { KERNELS } from '../../kernels/linked.generated.ts'

/**
 * What a new GPU does, one JSON line a finding, on stdout and in $OUT/probe.jsonl:
 *
 *   tsx scripts/gpu/probe.ts basics                      limits, round trips, GB/s, large buffers, compile times, rates
 *   tsx scripts/gpu/probe.ts exec WORKLOAD SIZE FORM     blocks of a workload as kernel, program or laneVm, with device
 *                                                        time by kernel
 *
 * Up to 65,536 transactions the first block is verified. Exit code 3: the device had a fault. Adapter: WGEVM_ADAPTER.
 */
const VERIFIED = 65_536

const out = process.env['OUT'] ?? '.'
const startedMs = performance.now()
const say = (finding: Readonly<Record<string, unknown>>): void => {
  const at = (performance.now() - startedMs) / 1000
  const line = JSON.stringify({ at, ...finding }, (_, value: unknown) =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toFixed(3)) : value,
  )
  console.log(line)
  appendFileSync(`${out}/probe.jsonl`, `${line}\n`)
}
const sorted = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b)
const quantile = (values: readonly number[], share: number): number =>
  sorted(values)[Math.floor(share * values.length)]!

const timedMs = async (work: () => Promise<unknown>): Promise<number> => {
  const began = performance.now()
  await work()
  return performance.now() - began
}

const LIMITS = [
  'maxStorageBufferBindingSize',
  'maxBufferSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupsPerDimension',
  'minStorageBufferOffsetAlignment',
] as const

const MIB = 2 ** 20

const roundTrips = async (device: ComputeDevice): Promise<void> => {
  const word = device.storage('round trip', 64)
  const times: number[] = []
  for (let i = 0; i < 200; i++) times.push(await timedMs(() => device.readback(word, 0, 64)))
  const warm = times.slice(50)
  say({ roundTripMs: quantile(warm, 0.5), p90: quantile(warm, 0.9) })
  word.destroy()
}

const bandwidth = async (device: ComputeDevice, mib: number): Promise<void> => {
  const bytes = mib * MIB
  const buffer = device.storage('bandwidth', bytes)
  const words = new Uint32Array(bytes / 4).fill(1)
  const up: number[] = []
  const down: number[] = []
  for (let i = 0; i < 5; i++) {
    up.push(
      await timedMs(async () => {
        device.upload(buffer, 0, words)
        await device.readback(buffer, 0, 16)
      }),
    )
    const reads = [{ buffer, byteOffset: 0, byteLength: bytes }]
    down.push(await timedMs(() => device.run([], { reads, consume: ([view]) => void view!.at(-1) })))
  }
  const gigabytes = bytes / 1e6
  say({ mib, uploadGBs: gigabytes / quantile(up, 0.5), readGBs: gigabytes / quantile(down, 0.5) })
  buffer.destroy()
}

const largeBuffer = async (device: ComputeDevice, mib: number): Promise<void> => {
  const pool = new BufferPool(device)
  try {
    const buffer = pool.storage(mib * MIB)
    await device.settle()
    device.upload(buffer, mib * MIB - 16, Uint32Array.of(7, 7, 7, 9))
    const last = await device.readback(buffer, mib * MIB - 4, 4)
    say({ poolMiB: mib, size: buffer.size, last: last[0] })
  } catch (thrown) {
    say({ poolMiB: mib, failed: String(thrown) })
  }
  pool.destroy()
}

/** In order of size: where a driver hangs, the lines before are there. */
const KERNEL_NAMES = [
  'mul_rate',
  'keccak_rate',
  'lane_vm_gather',
  'scatter',
  'bloom',
  'lane_vm_bloom',
  'keccak256',
  'path_program',
  'lane_vm',
]

const compile = async (device: ComputeDevice, name: string): Promise<void> => {
  const wgsl = KERNELS[name]!
  const declared = [...wgsl.matchAll(/@group\(0\)\s*@binding\((\d+)\)\s*var<([^>]*)>/g)].map(([, binding, kind]) => ({
    binding: Number(binding),
    type: kind === 'uniform' ? 'uniform' : kind!.includes('read_write') ? 'storage' : 'read-only-storage',
  })) as { binding: number; type: 'uniform' | 'storage' | 'read-only-storage' }[]
  const bindings = declared.some(({ binding }) => binding > 3) ? EXECUTION_BINDINGS : declared
  const kernel = await device.kernel({ label: name, wgsl, entryPoint: name, bindings })
  say({ compile: name, pipelineMs: kernel.compileMs, firstDispatchMs: await kernel.warmUp() })
}

const basics = async (device: ComputeDevice): Promise<void> => {
  say({ limits: Object.fromEntries(LIMITS.map((name) => [name, device.limits[name]])) })
  await roundTrips(device)
  const most = Math.min(device.limits.maxStorageBufferBindingSize, device.limits.maxBufferSize) / MIB
  for (const mib of [1, 16, 256]) if (mib <= most) await bandwidth(device, mib)
  for (const mib of device.software ? [64, 100] : [1024, 1025, 1536, 2047]) await largeBuffer(device, mib)
  for (const name of KERNEL_NAMES) await compile(device, name)
  for (const rate of await measureRates(device)) say({ ...rate })
}

/** The device with the time of each kernel and the bytes of each block counted. */
const counted = (device: ComputeDevice) => {
  const counts = { kernels: {} as Record<string, { dispatches: number; ms: number }>, runs: 0, uploadMB: 0, readMB: 0 }
  const run = device.run.bind(device)
  const upload = device.upload.bind(device)
  const own: Partial<ComputeDevice> = {
    run: async (commands: readonly Command[], options: RunOptions = {}) => {
      const result = await run(commands, { ...options, timestamps: true })
      counts.runs++
      for (const { byteLength } of options.reads ?? []) counts.readMB += byteLength / 1e6
      const dispatches = commands.filter((command) => command.kind === 'dispatch')
      dispatches.forEach(({ kernel }, i) => {
        counts.kernels[kernel.label] ??= { dispatches: 0, ms: 0 }
        const row = counts.kernels[kernel.label]!
        row.dispatches++
        row.ms += (result.dispatchNs?.[i] ?? 0) / 1e6
      })
      return result
    },
    upload: (buffer, byteOffset, view) => {
      counts.uploadMB += view.byteLength / 1e6
      upload(buffer, byteOffset, view)
    },
  }
  const take = () => {
    const taken = { ...counts }
    Object.assign(counts, { kernels: {}, runs: 0, uploadMB: 0, readMB: 0 })
    return taken
  }
  return { device: decorated(device, own), take }
}

const BLOCKS = 4

const exec = async (open: ComputeDevice, name: string, size: number, form: Form): Promise<void> => {
  const workload = WORKLOADS.find((one) => one.name === name)
  if (workload === undefined || !Number.isInteger(size) || size < 1 || !(form in FORMS)) {
    console.error('usage: probe.ts exec WORKLOAD SIZE kernel|program|laneVm')
    process.exit(2)
  }
  const { device, take } = counted(open)
  const scenario = await workload.build({ fork: 'osaka', size, seed: 1, blocks: BLOCKS })
  const state = new MemoryState()
  state.commit(scenario.genesis)
  const { chainId } = scenario
  const executor = createExecutor({ fork: 'osaka', chainId, state, device, compile: 'wait', ...FORMS[form] })
  for (let number = 0; number < BLOCKS; number++) {
    const before = number === 0 && size <= VERIFIED ? state.clone() : undefined
    const block = scenario.next()
    take()
    const began = performance.now()
    const { receipts, timings, tiers, rounds, exits, faults, compileMs, chunks } = await executor.execute({
      env: block.env,
      transactions: block.transactions,
    })
    const elapsedMs = performance.now() - began
    const counts = take()
    const deviceMs = Object.values(counts.kernels).reduce((sum, { ms }) => sum + ms, 0)
    const rate = { txPerS: Math.round((1000 * size) / elapsedMs), deviceTxPerS: Math.round((1000 * size) / deviceMs) }
    const ran = {
      tiers,
      rounds,
      chunks,
      exits,
      faults,
      compileMs,
      timings,
      mgasPerS: receipts.totalGasUsed / 1000 / elapsedMs,
    }
    say({ workload: name, size, form, block: number, elapsedMs, deviceMs, ...rate, ...counts, ...ran })
    if (faults.length > 0) process.exit(3)
    if (before === undefined) continue
    const { count } = await verifyBlock({ scenario, shares: workload.shares, block, receipts, before, after: state }, 1)
    say({ verified: count })
  }
  executor.close()
}

const device = await openDevice()
const { kind, name, driver } = device
say({ adapter: kind, name, driver, features: [...device.features].sort(), robustness: process.env['WGEVM_ROBUSTNESS'] })
const [mode, ...rest] = process.argv.slice(2)
if (mode === 'basics') await basics(device)
else if (mode === 'exec') await exec(device, rest[0]!, Number(rest[1]), rest[2] as Form)
else {
  console.error('usage: probe.ts basics | exec WORKLOAD SIZE kernel|program|laneVm')
  process.exitCode = 2
}
device.destroy()
