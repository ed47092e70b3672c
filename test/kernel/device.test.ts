import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { globals } from 'webgpu'
import { openAdapter } from '../../host/device/adapter.ts'
import type { ComputeDevice } from '../../host/device/compute_device.ts'
import { deviceOn, openDevice } from '../../host/device/device.ts'
import type { Kernel } from '../../host/device/kernel.ts'
import { measureRates } from '../../host/device/rate.ts'
import * as usage from '../../host/device/usage.ts'
import { ADAPTERS } from './rig.ts'

const NUMBER = `
@group(0) @binding(0) var<storage, read_write> words: array<u32>;
@compute @workgroup_size(64) fn number(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let lane = (workgroup.x + workgroup.y * workgroups.x) * 64u + local;
  if (lane < arrayLength(&words)) { words[lane] += lane; }
}`

const counted = (length: number, step = 1): Uint32Array => Uint32Array.from({ length }, (_, i) => Math.imul(i, step))

describe.each(ADAPTERS)('a device on %s', (adapter) => {
  let device: ComputeDevice
  let kernel: Kernel
  const source = {
    label: 'number',
    wgsl: NUMBER,
    entryPoint: 'number',
    bindings: [{ binding: 0, type: 'storage' }],
  } as const
  beforeAll(async () => {
    device = await openDevice({ adapter })
    kernel = await device.kernel(source)
  })
  afterAll(() => device.destroy())

  test('is of the kind that was asked for', () => {
    if (['gpu', 'lavapipe', 'swiftshader'].includes(adapter)) expect(device.kind).toBe(adapter)
    expect(device.software).toBe(device.kind !== 'gpu')
    expect(device.limits.maxStorageBuffersPerShaderStage).toBeGreaterThanOrEqual(8)
  })

  test('gives back what was uploaded, at any offset and past 4 MiB', async () => {
    const sizeBytes = 9 << 20
    const buffer = device.storage('words', sizeBytes)
    const words = counted(sizeBytes / 4, 0x9e3779b1)
    device.upload(buffer, 0, words)
    // Matchers take seconds for arrays of this length.
    const all = await device.readback(buffer, 0, sizeBytes)
    expect(Buffer.compare(Buffer.from(all.buffer), Buffer.from(words.buffer))).toBe(0)
    expect(await device.readback(buffer, 4, 12)).toEqual(words.slice(1, 4))
    expect(await device.readback(buffer, sizeBytes - 4, 4)).toEqual(words.slice(-1))
    // A view that starts inside its memory, put to an odd word.
    device.upload(buffer, 20, words.subarray(1000, 1003))
    expect(await device.readback(buffer, 16, 20)).toEqual(
      Uint32Array.of(words[4]!, words[1000]!, words[1001]!, words[1002]!, words[8]!),
    )
    buffer.destroy()
  })

  test('takes the bytes of an upload when it is called', async () => {
    const buffer = device.storage('words', 16)
    const view = Uint32Array.of(1, 2)
    device.upload(buffer, 0, view)
    view.fill(9)
    expect(await device.readback(buffer, 0, 16)).toEqual(Uint32Array.of(1, 2, 0, 0))
    buffer.destroy()
  })

  test('runs dispatches, copies and clears in order and reads several ranges in one submission', async () => {
    const a = device.storage('a', 1024)
    const b = device.storage('b', 1024)
    const bindGroup = device.bindGroup(kernel, [{ binding: 0, buffer: a }])
    const dispatch = { kind: 'dispatch', kernel, bindGroup, workgroups: 4 } as const
    const { reads } = await device.run(
      [
        dispatch,
        dispatch,
        { kind: 'copy', from: a, fromOffset: 0, to: b, toOffset: 512, sizeBytes: 512 },
        { kind: 'clear', buffer: b, byteOffset: 512, sizeBytes: 8 },
        dispatch,
      ],
      {
        reads: [
          { buffer: a, byteOffset: 1020, byteLength: 4 },
          { buffer: b, byteOffset: 512, byteLength: 12 },
          { buffer: a, byteOffset: 0, byteLength: 0 },
          { buffer: a, byteOffset: 4, byteLength: 4 },
        ],
      },
    )
    expect(reads.map((words) => [...words])).toEqual([[3 * 255], [0, 0, 2 * 2], [], [3]])
    for (const buffer of [a, b]) buffer.destroy()
  })

  test('binds a range of a buffer', async () => {
    const buffer = device.storage('words', 2048)
    const bound = { binding: 0, buffer, byteOffset: 1024, byteLength: 16 }
    const bindGroup = device.bindGroup(kernel, [bound])
    await device.run([{ kind: 'dispatch', kernel, bindGroup, workgroups: 4 }])
    expect(await device.readback(buffer, 1020, 24)).toEqual(Uint32Array.of(0, 0, 1, 2, 3, 0))
    buffer.destroy()
  })

  test('numbers lanes through when a dispatch needs two dimensions', async () => {
    const workgroups = device.limits.maxComputeWorkgroupsPerDimension + 1
    const buffer = device.storage('words', workgroups * 64 * 4)
    const bindGroup = device.bindGroup(kernel, [{ binding: 0, buffer }])
    await device.run([{ kind: 'dispatch', kernel, bindGroup, workgroups }])
    const last = workgroups * 64 - 1
    expect(await device.readback(buffer, last * 4, 4)).toEqual(Uint32Array.of(last))
    expect(await device.readback(buffer, (last >> 1) * 4, 4)).toEqual(Uint32Array.of(last >> 1))
    buffer.destroy()
  })

  test('reads through as many buffers as it may stage in', async () => {
    const narrow = await deviceOn(await openAdapter(adapter, []), { mostStagedBytes: 64 })
    const own = await narrow.kernel(source)
    const buffer = narrow.storage('words', 1024)
    const bindGroup = narrow.bindGroup(own, [{ binding: 0, buffer }])
    const ranges = [16, 48, 0, 4, 512, 8].map((byteLength, n) => ({ buffer, byteOffset: 4 * n, byteLength }))
    const commands = [{ kind: 'dispatch', kernel: own, bindGroup, workgroups: 4 }] as const
    const { reads, dispatchNs } = await narrow.run(commands, { reads: ranges, timestamps: true })
    expect(reads.map((words) => [...words])).toEqual(
      ranges.map(({ byteLength }, n) => Array.from({ length: byteLength / 4 }, (_, i) => n + i)),
    )
    expect(dispatchNs?.length).toBe(narrow.features.has('timestamp-query') ? 1 : undefined)
    narrow.destroy()
  })

  test('lets a caller consume the reads in place', async () => {
    const buffer = device.storage('words', 16)
    device.upload(buffer, 0, Uint32Array.of(5, 6, 7, 8))
    const seen: number[][] = []
    const { reads } = await device.run([], {
      reads: [{ buffer, byteOffset: 4, byteLength: 8 }],
      consume: (views) => seen.push(...views.map((view) => [...view])),
    })
    expect(seen).toEqual([[6, 7]])
    expect(reads).toEqual([])
    const thrown = device.run([], {
      reads: [{ buffer, byteOffset: 0, byteLength: 4 }],
      consume: () => {
        throw new Error('mine')
      },
    })
    await expect(thrown).rejects.toThrow('mine')
    expect(await device.readback(buffer, 0, 4)).toEqual(Uint32Array.of(5))
    buffer.destroy()
  })

  test('keeps overlapping runs and their reads apart', async () => {
    const buffers = [0, 1, 2, 3, 4, 5].map((i) => device.storage(`words ${i}`, 65536 * (i + 1)))
    for (const [i, buffer] of buffers.entries()) device.upload(buffer, 0, new Uint32Array(buffer.size / 4).fill(i + 1))
    const reads = await Promise.all(buffers.map((buffer) => device.readback(buffer, 0, buffer.size)))
    reads.forEach((words, i) => {
      expect(words.length).toBe(16384 * (i + 1))
      expect(words.every((word) => word === i + 1)).toBe(true)
    })
    for (const buffer of buffers) buffer.destroy()
  })

  test('gives the same kernel for the same text, entry and layout, and shares layouts', async () => {
    const again = device.kernel({ ...source, label: 'other name' })
    expect(await again).toBe(kernel)
    const other = await device.kernel({ ...source, wgsl: `${NUMBER}\n` })
    expect(other).not.toBe(kernel)
    expect(other.layout).toBe(kernel.layout)
  })

  test('warms a kernel up once', async () => {
    const first = kernel.warmUp()
    expect(kernel.warmUp()).toBe(first)
    expect(await first).toBeGreaterThan(0)
  })

  test('times dispatches where it offers timestamps', async () => {
    const buffer = device.storage('words', 4 << 20)
    const bindGroup = device.bindGroup(kernel, [{ binding: 0, buffer }])
    const dispatch = { kind: 'dispatch', kernel, bindGroup, workgroups: 16384 } as const
    const { dispatchNs, elapsedMs, reads } = await device.run([dispatch, dispatch], {
      timestamps: true,
      reads: [{ buffer, byteOffset: 8, byteLength: 4 }],
    })
    expect(reads).toEqual([Uint32Array.of(4)])
    if (device.features.has('timestamp-query')) {
      expect(dispatchNs).toHaveLength(2)
      for (const ns of dispatchNs!) expect(ns / 1e6).toBeLessThanOrEqual(elapsedMs)
    } else expect(dispatchNs).toBeUndefined()
    expect((await device.run([dispatch])).dispatchNs).toBeUndefined()
    buffer.destroy()
  })

  test('computes the rate kernels as the host does', async () => {
    const rates = await measureRates(device, 100)
    expect(rates.map(({ name, verifiedLanes }) => [name, verifiedLanes])).toEqual([
      ['keccak-f', 4],
      ['mul256', 4],
    ])
    for (const { perSecond } of rates) expect(perSecond).toBeGreaterThan(0)
  })

  test('with robustness on keeps indices in range', async () => {
    const debug = await openDevice({ adapter, robustness: 'on' })
    const wgsl = `
      @group(0) @binding(0) var<storage, read_write> words: array<u32>;
      @compute @workgroup_size(1) fn far() {
        var local = array<u32, 4>(1, 2, 3, 4);
        words[0] = local[words[1]];
      }`
    const far = await debug.kernel({ label: 'far', wgsl, entryPoint: 'far', bindings: source.bindings })
    const buffer = debug.storage('words', 16)
    debug.upload(buffer, 4, Uint32Array.of(1_000_000))
    const bindGroup = debug.bindGroup(far, [{ binding: 0, buffer }])
    await debug.run([{ kind: 'dispatch', kernel: far, bindGroup, workgroups: 1 }])
    expect([1, 2, 3, 4]).toContain((await debug.readback(buffer, 0, 4))[0])
    debug.destroy()
  })

  test('lets the process exit by itself once it is destroyed', () => {
    const root = resolve(import.meta.dirname, '../..')
    const program = `
      const { openDevice } = await import('./host/device/device.ts')
      const device = await openDevice({ adapter: '${adapter}' })
      const buffer = device.storage('words', 64)
      await device.readback(buffer, 0, 64)
      device.destroy()
      console.log('done')`
    const args = ['--import', 'tsx', '--input-type=module', '--eval', program]
    const { status, stdout, signal } = spawnSync(process.execPath, args, { cwd: root, timeout: 60_000 })
    expect([stdout.toString().trim(), signal, status]).toEqual(['done', null, 0])
  })
})

test.runIf(ADAPTERS.length > 1)('devices of several drivers work side by side in one process', async () => {
  const environment = { ...process.env }
  const devices = await Promise.all(ADAPTERS.map((adapter) => openDevice({ adapter })))
  expect(new Set(devices.map(({ kind }) => kind)).size).toBe(devices.length)
  const results = await Promise.all(
    devices.map(async (device, i) => {
      const buffer = device.storage('words', 16)
      device.upload(buffer, 0, Uint32Array.of(i + 1))
      return (await device.readback(buffer, 0, 4))[0]
    }),
  )
  expect(results).toEqual(devices.map((_, i) => i + 1))
  for (const device of devices) device.destroy()
  expect({ ...process.env }).toEqual(environment)
})

test('an adapter that is not there is refused in one line that names those that are', async () => {
  const failed = openDevice({ adapter: 'no such adapter' })
  await expect(failed).rejects.toMatchObject({
    name: 'NoAdapterError',
    message: expect.stringMatching(/^no adapter 'no such adapter' here; there is [^\n]*$/),
  })
})

test('the usage flags are those of the binding', () => {
  const { GPUBufferUsage, GPUMapMode, GPUShaderStage } = globals as unknown as Record<string, Record<string, number>>
  const { MAP_MODE_READ, STAGE_COMPUTE, ...flags } = usage
  for (const [name, flag] of Object.entries(flags)) expect([name, GPUBufferUsage![name]]).toEqual([name, flag])
  expect(GPUMapMode!['READ']).toBe(MAP_MODE_READ)
  expect(GPUShaderStage!['COMPUTE']).toBe(STAGE_COMPUTE)
})
