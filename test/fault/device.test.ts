import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BufferPool } from '../../host/device/buffer_pool.ts'
import type { ComputeDevice } from '../../host/device/compute_device.ts'
import { openDevice } from '../../host/device/device.ts'
import type { Kernel } from '../../host/device/kernel.ts'
import { openWaits } from '../../host/device/throttle.ts'
import { limitedDevice } from '../fixtures/limited_device.ts'
import { ADAPTERS } from '../kernel/rig.ts'
import { FaultyDevice, nullDevice } from './device_faults.ts'

const ADD_ONE = `
@group(0) @binding(0) var<storage, read_write> words: array<u32>;
@compute @workgroup_size(64) fn add_one(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x < arrayLength(&words)) { words[id.x] += 1u; }
}`
const addOne = (device: ComputeDevice): Promise<Kernel> =>
  device.kernel({
    label: 'add one',
    wgsl: ADD_ONE,
    entryPoint: 'add_one',
    bindings: [{ binding: 0, type: 'storage' }],
  })

describe.each(ADAPTERS)('a fault on %s', (adapter) => {
  const original = globalThis.setImmediate
  let device: ComputeDevice
  beforeAll(async () => {
    device = await openDevice({ adapter })
  })
  afterAll(() => {
    device.destroy()
    expect(openWaits()).toBe(0)
    expect(globalThis.setImmediate).toBe(original)
  })

  test('in WGSL is a ShaderCompileError with place and lines, and leaves the device usable', async () => {
    const wgsl = 'fn helper() {}\n@compute @workgroup_size(1) fn main() { let a: u32 = 1.5; }\n'
    const failed = device.kernel({ label: 'broken', wgsl, entryPoint: 'main', bindings: [] })
    await expect(failed).rejects.toMatchObject({
      name: 'ShaderCompileError',
      message: expect.stringMatching(/^kernel broken: .*u32.* \(line 2:54\)$/),
      excerpt: expect.stringContaining('2 | @compute'),
    })
    await expect(addOne(device)).resolves.toMatchObject({ label: 'add one' })
  })

  test('in the entry name or the layout is a ShaderCompileError too', async () => {
    const source = { label: 'x', wgsl: ADD_ONE, bindings: [{ binding: 0, type: 'storage' }] } as const
    await expect(device.kernel({ ...source, entryPoint: 'nobody' })).rejects.toMatchObject({
      name: 'ShaderCompileError',
      message: expect.stringContaining('nobody'),
    })
    const wrongType = device.kernel({ ...source, entryPoint: 'add_one', bindings: [{ binding: 0, type: 'uniform' }] })
    await expect(wrongType).rejects.toMatchObject({ name: 'ShaderCompileError' })
  })

  test('of size is an OutOfMemoryError at once', () => {
    const most = Math.min(device.limits.maxStorageBufferBindingSize, device.limits.maxBufferSize)
    expect(() => device.storage('huge', most + 16)).toThrow(/^huge: \d+ bytes, this device binds at most \d+$/)
    expect(() => device.uniform('huge', 65552)).toThrow('this device binds at most')
  })

  test('of size where the limits are no multiples of 16 is one too, and a pool keeps within them', async () => {
    const limited = limitedDevice(device, { bindingBytes: 2 ** 20 - 4 })
    expect(() => limited.storage('huge', 2 ** 20 - 4)).toThrow('this device binds at most 1048560')
    const pool = new BufferPool(limited)
    expect(pool.storage(600_000).size).toBe(2 ** 20 - 16)
    await limited.settle()
    pool.destroy()
  })

  test('of a range is a ValidationError for the run that has it, and not for the next', async () => {
    const buffer = device.storage('small', 64)
    await expect(device.readback(buffer, 64, 4)).rejects.toMatchObject({ name: 'ValidationError' })
    await expect(device.readback(buffer, 60, 4)).resolves.toEqual(Uint32Array.of(0))
    buffer.destroy()
  })

  test('of an upload is a ValidationError at once', async () => {
    const buffer = device.storage('small', 64)
    expect(() => device.upload(buffer, 64, Uint32Array.of(1))).toThrow('upload to small: 4 bytes at 64 of 64')
    expect(() => device.upload(buffer, 2, Uint32Array.of(1))).toThrow('in units of 4')
    expect(() => device.upload(buffer, 0, Uint8Array.of(1))).toThrow('in units of 4')
    device.upload(buffer, 60, Uint32Array.of(1))
    await expect(device.readback(buffer, 60, 4)).resolves.toEqual(Uint32Array.of(1))
    buffer.destroy()
  })

  test('of a bind group, or outside any call, comes with the next wait and only with it', async () => {
    const buffer = device.storage('small', 64)
    device.bindGroup(await addOne(device), [{ binding: 7, buffer }])
    await expect(device.settle()).rejects.toThrow('bind group of add one')
    buffer.destroy()
    device.upload(buffer, 0, Uint32Array.of(1))
    await expect(device.run([])).rejects.toMatchObject({ name: 'ValidationError' })
    await expect(device.run([])).resolves.toMatchObject({ reads: [] })
  })

  test('of spinning is none while a kernel compiles, on hardware either', async () => {
    const hardware = await nullDevice()
    expect(hardware.software).toBe(false)
    const compiling = addOne(hardware)
    expect(openWaits()).toBeGreaterThan(0)
    await compiling
    expect(openWaits()).toBe(0)
    hardware.destroy()
  })

  test('of loss rejects open waits and later calls, and resolves lost', async () => {
    const doomed = await openDevice({ adapter })
    const kernel = await addOne(doomed)
    const buffer = doomed.storage('words', 4 << 20)
    const bindGroup = doomed.bindGroup(kernel, [{ binding: 0, buffer }])
    const commands = Array(8).fill({ kind: 'dispatch', kernel, bindGroup, workgroups: 16384 } as const)
    const running = doomed.run(commands, { reads: [{ buffer, byteOffset: 0, byteLength: 4 << 20 }] })
    // The way a driver's loss looks from here: the device under the library goes away.
    doomed.gpu.destroy()
    await expect(running).rejects.toMatchObject({ name: 'DeviceLostError' })
    expect((await doomed.lost).name).toBe('DeviceLostError')
    expect(doomed.isLost).toBe(true)
    expect(() => doomed.storage('more', 4)).toThrow('device lost')
    expect(() => doomed.upload(buffer, 0, Uint32Array.of(1))).toThrow('device lost')
    await expect(doomed.run([])).rejects.toMatchObject({ name: 'DeviceLostError' })
    await expect(addOne(doomed)).rejects.toMatchObject({ name: 'DeviceLostError' })
    doomed.destroy()
    const next = await openDevice({ adapter })
    await expect(next.run([])).resolves.toMatchObject({ reads: [] })
    next.destroy()
  })

  test('of use after destroy is a DeviceLostError, and destroy is no loss', async () => {
    const closed = await openDevice({ adapter })
    const pending = closed.run([])
    closed.destroy()
    closed.destroy()
    await expect(pending).rejects.toThrow('the device was destroyed')
    await expect(closed.run([])).rejects.toThrow('the device was destroyed')
    const news = await Promise.race([closed.lost, new Promise((resolve) => setTimeout(resolve, 20, 'no news'))])
    expect(news).toBe('no news')
  })
})

test.runIf(ADAPTERS.includes('swiftshader'))('memory that runs out on SwiftShader is an OutOfMemoryError', async () => {
  const device = await openDevice({ adapter: 'swiftshader' })
  const buffers: GPUBuffer[] = []
  const fill = async () => {
    for (let i = 0; i < 16; i++) {
      buffers.push(device.storage(`fill ${i}`, device.limits.maxStorageBufferBindingSize))
      await device.settle()
    }
  }
  await expect(fill()).rejects.toMatchObject({ name: 'OutOfMemoryError', message: expect.stringContaining('fill') })
  for (const buffer of buffers) buffer.destroy()
  expect(device.isLost).toBe(false)
  const small = device.storage('small', 64)
  await expect(device.readback(small, 0, 4)).resolves.toEqual(Uint32Array.of(0))
  device.destroy()
})

describe('a planned fault', () => {
  const open = async (plan: ConstructorParameters<typeof FaultyDevice>[1]) => new FaultyDevice(await nullDevice(), plan)

  test('of loss hits the planned run and every call after it', async () => {
    const device = await open({ run: { 1: 'lost' } })
    await device.run([])
    await expect(device.run([])).rejects.toMatchObject({ name: 'DeviceLostError' })
    expect(device.isLost).toBe(true)
    expect((await device.lost).message).toBe('device lost: planned')
    await expect(device.run([])).rejects.toMatchObject({ name: 'DeviceLostError' })
    await expect(addOne(device)).rejects.toMatchObject({ name: 'DeviceLostError' })
    expect(device.calls.run).toBe(2)
    device.destroy()
  })

  test('of memory or validation hits one run', async () => {
    const device = await open({ run: { 0: 'outOfMemory', 1: 'validation', 3: 'lostAfter' } })
    await expect(device.run([])).rejects.toMatchObject({ name: 'OutOfMemoryError' })
    await expect(device.run([])).rejects.toMatchObject({ name: 'ValidationError' })
    await device.run([])
    await expect(device.run([])).rejects.toMatchObject({ name: 'DeviceLostError' })
    device.destroy()
  })

  test('of compilation or storage hits the planned call', async () => {
    const device = await open({ kernel: { 0: 'compile' }, storage: { 1: 'outOfMemory', 2: 'lost' } })
    await expect(addOne(device)).rejects.toMatchObject({ name: 'ShaderCompileError' })
    await expect(addOne(device)).resolves.toMatchObject({ label: 'add one' })
    device.storage('first', 16)
    expect(() => device.storage('second', 16)).toThrow('second: planned')
    expect(() => device.storage('third', 16)).toThrow('device lost: planned')
    device.destroy()
  })
})
