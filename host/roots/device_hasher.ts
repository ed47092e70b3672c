import { KERNELS } from '../../kernels/linked.generated.ts'
import { WORKGROUP_SIZE } from '../../transpiler/layout/environment.ts'
import { KECCAK_RATE_BYTES } from '../../transpiler/layout/word.ts'
import { type BufferLease, BufferPool } from '../device/buffer_pool.ts'
import type { Command, ComputeDevice } from '../device/compute_device.ts'
import type { Kernel } from '../device/kernel.ts'
import { mostStorageBytes } from '../device/limits.ts'
import type { HashPlan, NodeHasher } from '../primitives/hash_plan.ts'

/** Messages of so many blocks and more stand together. */
const MOST_BLOCKS = 64

/** `NodeHasher` on a device. */
export interface DeviceHasher extends NodeHasher {
  /**
   * Compiles what is not compiled yet; `hash` waits for it. Resolves to milliseconds, the first dispatch included.
   * Rejects as `hash` does.
   */
  warmUp(): Promise<number>
  /** Whether the buffers of the plan fit this device. */
  fits(plan: HashPlan): boolean
}

/**
 * Hashes plans on a device, a dispatch for each level (kernels/entry/hash_level.wgsl), all in one submission with one
 * readback. In a level, messages of as many blocks stand together: a workgroup takes as long as its longest.
 *
 * A fault of the device (fault.ts), a kernel that does not compile (ShaderCompileError) and a plan that does not fit
 * (OutOfMemoryError) reject the call. Calls may overlap. `close` frees the buffers and leaves the device open.
 */
export const createDeviceHasher = (device: ComputeDevice): DeviceHasher => {
  const pool = new BufferPool(device)
  let compiling: Promise<Kernel> | undefined
  const compiled = (): Promise<Kernel> => {
    compiling ??= device.kernel(SOURCE).catch((thrown: unknown) => {
      compiling = undefined
      throw thrown
    })
    return compiling
  }
  return {
    name: 'device',
    warmUp: async () => {
      const kernel = await compiled()
      return kernel.compileMs + (await kernel.warmUp())
    },
    fits: (plan) => Math.max(plan.bytes.length, tableBytes(plan), 32 * plan.count) <= mostStorageBytes(device.limits),
    hash: async (plan) => {
      if (plan.count === 0) return new Uint8Array(0)
      const kernel = await compiled()
      const lease = pool.lease()
      try {
        const digests = await hashOn(device, kernel, lease, plan)
        lease.put()
        return digests
      } catch (thrown) {
        lease.drop()
        throw thrown
      }
    },
    close: () => pool.destroy(),
  }
}

const SOURCE = {
  label: 'hash_level',
  wgsl: KERNELS['hash_level']!,
  entryPoint: 'hash_level',
  bindings: [
    { binding: 0, type: 'uniform' },
    { binding: 1, type: 'read-only-storage' },
    { binding: 2, type: 'storage' },
    { binding: 3, type: 'storage' },
  ],
} as const

const tableBytes = ({ count, holeAt }: HashPlan): number => 4 * (4 * count + 1 + 2 * holeAt.length)

const hashOn = async (
  device: ComputeDevice,
  kernel: Kernel,
  lease: BufferLease,
  plan: HashPlan,
): Promise<Uint8Array> => {
  const { count, bytes, holeAt, levels } = plan
  const tables = lease.storage(tableBytes(plan))
  const messages = lease.storage(bytes.length + 3)
  const digests = lease.storage(32 * count)
  let at = 0
  for (const table of [orderOf(plan), plan.offsets, plan.lengths, plan.holeStart, holeAt, plan.holeOf]) {
    if (table.length > 0) device.upload(tables, at, table)
    at += table.byteLength
  }
  uploadBytes(device, messages, bytes)
  const commands: Command[] = []
  for (let level = 1; level < levels.length; level++) {
    const [first, end] = [levels[level - 1]!, levels[level]!]
    if (first === end) continue
    const range = lease.uniform(16)
    device.upload(range, 0, Uint32Array.of(first, end, count, holeAt.length))
    const buffers = [range, tables, messages, digests].map((buffer, binding) => ({ binding, buffer }))
    const bindGroup = device.bindGroup(kernel, buffers)
    commands.push({ kind: 'dispatch', kernel, bindGroup, workgroups: Math.ceil((end - first) / WORKGROUP_SIZE) })
  }
  const result = new Uint32Array(8 * count)
  await device.run(commands, {
    reads: [{ buffer: digests, byteOffset: 0, byteLength: 32 * count }],
    consume: ([words]) => result.set(words!),
  })
  return new Uint8Array(result.buffer)
}

/** Whole words of it are uploaded as they are. */
const uploadBytes = (device: ComputeDevice, buffer: GPUBuffer, bytes: Uint8Array): void => {
  const whole = bytes.length & -4
  if (whole > 0) device.upload(buffer, 0, bytes.subarray(0, whole))
  if (whole === bytes.length) return
  const last = new Uint8Array(4)
  last.set(bytes.subarray(whole))
  device.upload(buffer, whole, last)
}

/** Messages in the order in which they are hashed: within a level by their blocks, the longest first. */
const orderOf = ({ count, lengths, levels }: HashPlan): Uint32Array => {
  const order = new Uint32Array(count)
  const starts = new Uint32Array(MOST_BLOCKS + 1)
  for (let level = 1; level < levels.length; level++) {
    const [first, end] = [levels[level - 1]!, levels[level]!]
    starts.fill(0)
    for (let m = first; m < end; m++) starts[MOST_BLOCKS - blocksOf(lengths[m]!)]!++
    let at = first
    for (let n = 0; n <= MOST_BLOCKS; n++) {
      const size = starts[n]!
      starts[n] = at
      at += size
    }
    for (let m = first; m < end; m++) order[starts[MOST_BLOCKS - blocksOf(lengths[m]!)]!++] = m
  }
  return order
}

const blocksOf = (length: number): number => Math.min(MOST_BLOCKS, Math.floor(length / KECCAK_RATE_BYTES) + 1)
