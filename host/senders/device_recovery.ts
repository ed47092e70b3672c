import { KERNELS } from '../../kernels/linked.generated.ts'
import { WORKGROUP_SIZE } from '../../transpiler/layout/environment.ts'
import {
  COMB_WORDS,
  RECOVERY_ENTRIES,
  RECOVERY_EXCEPTIONAL,
  RECOVERY_FOUND,
  RECOVERY_INVERSION_LANES,
  RECOVERY_WORDS_PER_HALF,
} from '../../transpiler/layout/recovery.ts'
import { LIMBS_PER_ADDRESS } from '../../transpiler/layout/word.ts'
import type { Signatures } from '../chain/signatures.ts'
import type { Binding } from '../device/binding.ts'
import { type BufferLease, BufferPool } from '../device/buffer_pool.ts'
import type { Command, ComputeDevice } from '../device/compute_device.ts'
import type { Kernel } from '../device/kernel.ts'
import { mostWaveBytes } from '../device/limits.ts'
import { addressOfPublicKey, recoverPublicKey } from '../primitives/secp256k1.ts'
import { addressFromBytes } from '../primitives/word.ts'
import { combEntries } from './comb.ts'
import type { RecoveredSenders, SenderRecovery } from './sender_recovery.ts'

/** Buffers of a recovery by name: columns of the signatures, columns of a chunk, results. */
type BufferName = keyof typeof ROW_BYTES | 'rows' | 'comb'

/** Bytes of a row. */
const SIGNATURE_BYTES = { hash: 32, rs: 64, parity: 1, addresses: 4 * LIMBS_PER_ADDRESS, outcomes: 4 } as const
/** The others are results. */
const UPLOADED: readonly string[] = ['hash', 'rs', 'parity']
const CHUNK_BYTES = {
  points: 64,
  status: 4,
  inverses: 32,
  digits: 4 * (2 * RECOVERY_WORDS_PER_HALF + COMB_WORDS),
  table: 96 * RECOVERY_ENTRIES,
  sums: 128,
} as const
const ROW_BYTES = { ...SIGNATURE_BYTES, ...CHUNK_BYTES }

/** The kernels in order, with what they bind from binding 1 on; binding 0 is the rows. `>`: written. */
const STAGES: readonly (readonly [entry: string, ...bindings: string[]])[] = [
  ['secp256k1_point', 'rs', 'parity', '>points', '>status'],
  ['secp256k1_invert_r', 'points', 'status', '>inverses'],
  ['secp256k1_scalars', 'hash', 'rs', 'inverses', '>digits'],
  ['secp256k1_table', 'points', '>table', '>sums'],
  ['secp256k1_main', 'digits', 'table', '>sums'],
  ['secp256k1_comb', 'digits', 'comb', '>sums'],
  ['secp256k1_invert_z', 'sums', '>inverses'],
  ['secp256k1_finish', 'sums', 'inverses', 'status', '>addresses', '>outcomes'],
]
/** They have one lane for many rows. */
const INVERSIONS = ['secp256k1_invert_r', 'secp256k1_invert_z']

interface Stage {
  readonly kernel: Kernel
  readonly buffers: readonly BufferName[]
}

/** Rows of a lane that inverts: an inversion costs as much as 330 products. */
const MOST_ROWS_PER_INVERSION = 32
/** Rows of a chunk. Of a CPU's caches a small one uses more; a GPU needs many lanes. */
const CHUNK_ROWS = { software: 1 << 13, hardware: 1 << 16 } as const
/** Signatures of one submission, which nothing ends early. */
const MOST_SIGNATURES = { software: 1 << 14, hardware: 1 << 18 } as const

const nameOf = (binding: string): BufferName => (binding.startsWith('>') ? binding.slice(1) : binding) as BufferName

const bindingsOf = (names: readonly string[]): readonly Binding[] => [
  { binding: 0, type: 'uniform' },
  ...names.map((name, i) => ({
    binding: 1 + i,
    type: name.startsWith('>') ? ('storage' as const) : ('read-only-storage' as const),
  })),
]

const compileStages = (device: ComputeDevice): Promise<Stage[]> =>
  Promise.all(
    STAGES.map(async ([entry, ...names]) => {
      const wgsl = KERNELS[entry]
      if (wgsl === undefined) throw new Error(`kernels/linked.generated.ts has no ${entry}`)
      const kernel = await device.kernel({ label: entry, wgsl, entryPoint: entry, bindings: bindingsOf(names) })
      return { kernel, buffers: names.map(nameOf) }
    }),
  )

/** `SenderRecovery` on a device. */
export interface DeviceRecovery extends SenderRecovery {
  readonly name: 'device'
  /** Rows so far that the host recovered, since an addition on the device was exceptional. */
  readonly exceptional: number
}

/**
 * Recovers senders by the kernels of kernels/secp256k1 (docs/decisions/0030-senders-on-the-device.md). Signatures are
 * uploaded once; up to 262,144 of them, on a software device 16,384, are one submission and one readback. The few rows
 * whose additions meet equal or opposite points are recovered on the host.
 *
 * A fault of the device (fault.ts) or a kernel that does not compile (ShaderCompileError) rejects the call, which has
 * changed nothing. The first call compiles. Calls may overlap. `close` frees the buffers and leaves the device open:
 * those in use when their submission has ended, after which its call rejects where rows are left.
 */
export const createDeviceRecovery = (device: ComputeDevice): DeviceRecovery => {
  const pool = new BufferPool(device)
  let stages: Promise<Stage[]> | undefined
  let comb: GPUBuffer | undefined
  let exceptional = 0
  /** Submissions that have not ended. */
  let running = 0
  let isClosed = false
  const compiled = (): Promise<Stage[]> => {
    stages ??= compileStages(device).catch((thrown: unknown) => {
      stages = undefined
      throw thrown
    })
    return stages
  }
  const combBuffer = (): GPUBuffer => {
    if (comb !== undefined) return comb
    const entries = combEntries()
    comb = device.storage('comb', entries.byteLength)
    device.upload(comb, 0, entries)
    return comb
  }
  const dropComb = (): void => {
    comb?.destroy()
    comb = undefined
  }
  return {
    name: 'device',
    get exceptional() {
      return exceptional
    },
    async recover(signatures, stop) {
      const count = signatures.parity.length
      const recovered = { addresses: new Uint32Array(LIMBS_PER_ADDRESS * count), found: new Uint8Array(count) }
      const kernels = await compiled()
      const most = device.software ? MOST_SIGNATURES.software : MOST_SIGNATURES.hardware
      for (let first = 0; first < count; first += most) {
        stop?.check()
        if (isClosed) throw new Error('the recovery on the device is closed')
        const range = { first, end: Math.min(count, first + most) }
        const lease = pool.lease()
        running++
        try {
          exceptional += await recoverRange(device, kernels, lease, combBuffer(), signatures, range, recovered)
          if (!isClosed) lease.put()
        } catch (thrown) {
          lease.drop()
          // It may be what there was no memory for.
          dropComb()
          throw thrown
        } finally {
          running--
          if (isClosed) {
            lease.drop()
            if (running === 0) dropComb()
          }
        }
      }
      return recovered
    },
    close() {
      isClosed = true
      pool.trim()
      if (running === 0) dropComb()
    },
  }
}

interface Range {
  readonly first: number
  readonly end: number
}

/** Recovers a range in place; how many rows were exceptional. */
const recoverRange = async (
  device: ComputeDevice,
  stages: readonly Stage[],
  lease: BufferLease,
  comb: GPUBuffer,
  signatures: Signatures,
  { first, end }: Range,
  { addresses, found }: RecoveredSenders,
): Promise<number> => {
  const count = end - first
  const rowsPerChunk = chunkRows(device)
  const buffers = new Map<BufferName, GPUBuffer>([['comb', comb]])
  for (const [name, bytes] of Object.entries(SIGNATURE_BYTES)) {
    const sizeBytes = 4 * Math.ceil((bytes * count) / 4)
    buffers.set(name as BufferName, UPLOADED.includes(name) ? lease.input(sizeBytes) : lease.storage(sizeBytes))
  }
  const { rows } = chunkShape(Math.min(rowsPerChunk, count))
  for (const [name, bytes] of Object.entries(CHUNK_BYTES)) buffers.set(name as BufferName, lease.storage(bytes * rows))
  device.upload(buffers.get('hash')!, 0, signatures.hash.subarray(32 * first, 32 * end))
  device.upload(buffers.get('rs')!, 0, signatures.rs.subarray(64 * first, 64 * end))
  device.upload(buffers.get('parity')!, 0, wholeWords(signatures.parity.subarray(first, end)))
  const commands: Command[] = []
  for (let at = 0; at < count; at += rowsPerChunk) {
    const shape = chunkShape(Math.min(rowsPerChunk, count - at))
    const uniform = lease.uniform(16)
    device.upload(uniform, 0, Uint32Array.of(shape.rows, at, count, shape.lanes))
    buffers.set('rows', uniform)
    commands.push(...chunkCommands(device, stages, buffers, shape))
  }
  const reads = (['addresses', 'outcomes'] as const).map((name) => ({
    buffer: buffers.get(name)!,
    byteOffset: 0,
    byteLength: SIGNATURE_BYTES[name] * count,
  }))
  const exceptional: number[] = []
  await device.run(commands, {
    reads,
    consume: ([limbs, outcomes]) => {
      addresses.set(limbs!, LIMBS_PER_ADDRESS * first)
      for (let i = 0; i < count; i++) {
        if (outcomes![i] === RECOVERY_FOUND) found[first + i] = 1
        else if (outcomes![i] === RECOVERY_EXCEPTIONAL) exceptional.push(first + i)
      }
    },
  })
  for (const i of exceptional) recoverOnHost(signatures, i, addresses, found)
  return exceptional.length
}

const chunkRows = (device: ComputeDevice): number => {
  const widest = Math.max(...Object.values(CHUNK_BYTES))
  const unit = RECOVERY_INVERSION_LANES * MOST_ROWS_PER_INVERSION
  const most = Math.floor(mostWaveBytes(device.limits) / widest / unit) * unit
  return Math.min(most, device.software ? CHUNK_ROWS.software : CHUNK_ROWS.hardware)
}

interface ChunkShape {
  readonly rows: number
  /** Lanes that invert. */
  readonly lanes: number
}

/** Rows of a chunk for so many signatures: the same number for each lane that inverts. */
const chunkShape = (count: number): ChunkShape => {
  const lanes = RECOVERY_INVERSION_LANES * Math.ceil(count / (RECOVERY_INVERSION_LANES * MOST_ROWS_PER_INVERSION))
  return { rows: lanes * Math.ceil(count / lanes), lanes }
}

const chunkCommands = (
  device: ComputeDevice,
  stages: readonly Stage[],
  buffers: ReadonlyMap<BufferName, GPUBuffer>,
  { rows, lanes }: ChunkShape,
): Command[] =>
  stages.map(({ kernel, buffers: names }) => ({
    kind: 'dispatch',
    kernel,
    bindGroup: device.bindGroup(
      kernel,
      (['rows', ...names] as const).map((name, binding) => ({ binding, buffer: buffers.get(name)! })),
    ),
    workgroups: (INVERSIONS.includes(kernel.label) ? lanes : rows) / WORKGROUP_SIZE,
  }))

/** The bytes, up to a multiple of four. */
const wholeWords = (bytes: Uint8Array): Uint8Array => {
  if (bytes.length % 4 === 0) return bytes
  const padded = new Uint8Array(4 * Math.ceil(bytes.length / 4))
  padded.set(bytes)
  return padded
}

const recoverOnHost = (
  { hash, rs, parity }: Signatures,
  i: number,
  addresses: Uint32Array,
  found: Uint8Array,
): void => {
  const signature = rs.subarray(64 * i, 64 * (i + 1))
  const publicKey = recoverPublicKey(hash.subarray(32 * i, 32 * (i + 1)), signature, parity[i] === 0 ? 0 : 1)
  if (publicKey === undefined) return
  addressFromBytes(addresses, LIMBS_PER_ADDRESS * i, addressOfPublicKey(publicKey), 0)
  found[i] = 1
}
