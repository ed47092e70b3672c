import { KERNELS } from '../../kernels/linked.generated.ts'
import { WORKGROUP_SIZE } from '../../transpiler/layout/environment.ts'
import { KECCAK_RATE_BYTES } from '../../transpiler/layout/word.ts'
import type { Binding } from '../device/binding.ts'
import { type BufferLease, BufferPool } from '../device/buffer_pool.ts'
import type { Command, ComputeDevice } from '../device/compute_device.ts'
import type { Kernel, KernelSource } from '../device/kernel.ts'
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
 * Hashes plans on a device, all levels in one submission with one readback: a dispatch for each level
 * (kernels/hash/level.wgsl), and before it one that fills the level's holes (hash_holes.wgsl). In a level,
 * messages of as many blocks stand together: a workgroup takes as long as its longest.
 *
 * No kernel writes messages and tables (`BufferPool`): holes are filled in a copy, made on the device, of the bytes
 * from the first level with holes on.
 *
 * A fault of the device (fault.ts), a kernel that does not compile (ShaderCompileError) and a plan that does not fit
 * (OutOfMemoryError) reject the call. Calls may overlap. `close` frees the buffers and leaves the device open.
 */
export const createDeviceHasher = (device: ComputeDevice): DeviceHasher => {
  const pool = new BufferPool(device)
  let compiling: Promise<HashKernels> | undefined
  const compiled = (): Promise<HashKernels> => {
    compiling ??= compile(device).catch((thrown: unknown) => {
      compiling = undefined
      throw thrown
    })
    return compiling
  }
  return {
    name: 'device',
    warmUp: async () => {
      let ms = 0
      for (const kernel of Object.values(await compiled())) ms += kernel.compileMs + (await kernel.warmUp())
      return ms
    },
    fits: (plan) =>
      Math.max(plan.bytes.length + SLACK_BYTES, tableBytes(plan), 32 * plan.count) <= mostStorageBytes(device.limits),
    hash: async (plan) => {
      if (plan.count === 0) return new Uint8Array(0)
      const kernels = await compiled()
      const lease = pool.lease()
      try {
        const digests = await hashOn(device, kernels, lease, plan)
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

/** The kernel of a level reads so much past the first byte of a message's last block. */
const SLACK_BYTES = 160

interface HashKernels {
  readonly level: Kernel
  readonly holes: Kernel
}

const compile = async (device: ComputeDevice): Promise<HashKernels> => {
  const [level, holes] = await Promise.all([
    device.kernel(sourceOf(levelKernel(device), ['read-only-storage', 'storage'])),
    device.kernel(sourceOf('hash_holes', ['storage', 'read-only-storage'])),
  ])
  return { level, holes }
}

type KernelName = 'hash_level' | 'hash_level_long' | 'hash_holes'

/** With vectors of 512 bits the long form is faster, with 256 slower (docs/decisions/0034-hashing-in-bulk.md). */
const levelKernel = ({ kind, name }: ComputeDevice): KernelName =>
  kind === 'lavapipe' && name.includes('512-bits') ? 'hash_level_long' : 'hash_level'

/** `types`: of messages and digests. */
const sourceOf = (name: KernelName, types: readonly [Binding['type'], Binding['type']]): KernelSource => ({
  label: name,
  wgsl: KERNELS[name]!,
  entryPoint: name,
  bindings: [
    { binding: 0, type: 'uniform' },
    { binding: 1, type: 'read-only-storage' },
    { binding: 2, type: types[0] },
    { binding: 3, type: types[1] },
  ],
})

/** Tables of messages, of holes. */
const tableBytes = ({ count, holeAt }: HashPlan): number => Math.max(12 * count, 8 * holeAt.length)

const hashOn = async (
  device: ComputeDevice,
  kernels: HashKernels,
  lease: BufferLease,
  plan: HashPlan,
): Promise<Uint8Array> => {
  const { count, bytes, lengths, offsets, holeStart, holeAt, holeOf, levels } = plan
  const messages = lease.input(bytes.length + SLACK_BYTES)
  uploadBytes(device, messages, bytes)
  const tables = uploadTables(device, lease, [orderOf(plan), offsets, lengths])
  const digests = lease.storage(32 * count)
  const commands: Command[] = []
  const dispatch = (kernel: Kernel, range: readonly number[], buffers: readonly GPUBuffer[]): void => {
    const uniform = lease.uniform(16)
    device.upload(uniform, 0, Uint32Array.from(range))
    const bindGroup = device.bindGroup(
      kernel,
      [uniform, ...buffers].map((buffer, binding) => ({ binding, buffer })),
    )
    commands.push({
      kind: 'dispatch',
      kernel,
      bindGroup,
      workgroups: Math.ceil((range[1]! - range[0]!) / WORKGROUP_SIZE),
    })
  }
  let filled: { readonly buffer: GPUBuffer; readonly from: number; readonly holes: GPUBuffer } | undefined
  for (let level = 1; level < levels.length; level++) {
    const [first, end] = [levels[level - 1]!, levels[level]!]
    if (first === end) continue
    const [hole, holesEnd] = [holeStart[first]!, holeStart[end]!]
    if (hole < holesEnd && filled === undefined) {
      const from = firstByte(plan, first)
      const sizeBytes = ((bytes.length + 3) & -4) - from
      const buffer = lease.storage(sizeBytes + SLACK_BYTES)
      filled = { buffer, from, holes: uploadTables(device, lease, [holeAt, holeOf]) }
      commands.push({ kind: 'copy', from: messages, fromOffset: from, to: buffer, toOffset: 0, sizeBytes })
    }
    if (hole < holesEnd) {
      const { buffer, from, holes } = filled!
      dispatch(kernels.holes, [hole, holesEnd, holeAt.length, from], [holes, buffer, digests])
    }
    const { buffer, from } = filled ?? { buffer: messages, from: 0 }
    dispatch(kernels.level, [first, end, count, from / 4], [tables, buffer, digests])
  }
  const result = new Uint32Array(8 * count)
  await device.run(commands, {
    reads: [{ buffer: digests, byteOffset: 0, byteLength: 32 * count }],
    consume: ([words]) => result.set(words!),
  })
  return new Uint8Array(result.buffer)
}

/** Where the messages from `first` on begin in the plan's bytes, down to a multiple of 16. */
const firstByte = ({ count, offsets }: HashPlan, first: number): number => {
  let least = offsets[first]!
  for (let m = first + 1; m < count; m++) least = Math.min(least, offsets[m]!)
  return least & -16
}

const uploadTables = (device: ComputeDevice, lease: BufferLease, tables: readonly Uint32Array[]): GPUBuffer => {
  const buffer = lease.input(tables.reduce((bytes, { byteLength }) => bytes + byteLength, 0))
  let at = 0
  for (const table of tables) {
    if (table.length > 0) device.upload(buffer, at, table)
    at += table.byteLength
  }
  return buffer
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
