import { KERNELS } from '../../kernels/linked.generated.ts'
import { BLOOM_MAX_ITEMS, BLOOM_PARAMETER_VECTORS } from '../../transpiler/layout/bloom.ts'
import { WORKGROUP_SIZE } from '../../transpiler/layout/environment.ts'
import type { BufferLease, BufferPool } from '../device/buffer_pool.ts'
import type { BufferRange, Command, ComputeDevice } from '../device/compute_device.ts'
import type { Kernel } from '../device/kernel.ts'

const PARAMETER_BYTES = 16 * BLOOM_PARAMETER_VECTORS
const INDEX_BYTES = 8

/**
 * A word of every lane of a dispatch that the device hashes: it begins in this column of the lanes' inputs or outputs.
 */
export interface BloomItem {
  readonly source: 'input' | 'lane'
  readonly column: number
}

/** The columns of a dispatch on the device. */
export interface BloomSource {
  readonly laneCount: number
  readonly in: GPUBuffer
  readonly out: GPUBuffer
  /** Bytes before the columns, multiples of 256; 0 where absent. */
  readonly inOffset?: number
  readonly outOffset?: number
}

/**
 * Hashes the topics of a dispatch on the device, where they lie: the host would spend more on their keccak than on all
 * else. A submission of its own, which the host does not wait for before it needs receipts.
 */
export class BloomRunner {
  readonly #device: ComputeDevice
  readonly #pool: BufferPool
  /** Told what goes wrong in `hashLogs`. */
  readonly faults: string[]
  #kernel: Promise<Kernel> | undefined
  #logKernel: Promise<Kernel> | undefined
  /** Off where blooms will not be asked for: then nothing is hashed. */
  isOn = true

  constructor(device: ComputeDevice, pool: BufferPool, faults: string[] = []) {
    this.#device = device
    this.#pool = pool
    this.faults = faults
  }

  /** Number of read ranges that `append` adds for these items. */
  readsOf(items: readonly BloomItem[]): number {
    return this.#callsOf(items).length
  }

  /** The kernel for `append`, where one of these lists has items to hash. */
  open(lists: readonly (readonly BloomItem[])[]): Promise<Kernel | undefined> {
    return lists.some((items) => this.readsOf(items) > 0) ? this.kernel() : Promise.resolve(undefined)
  }

  /** Adds the commands and reads for a dispatch, with buffers that are held until they are done. */
  append(
    kernel: Kernel,
    items: readonly BloomItem[],
    source: BloomSource,
    commands: Command[],
    reads: BufferRange[],
    lease: BufferLease,
  ): void {
    for (const call of this.#callsOf(items)) {
      const { laneCount } = source
      const parameters = lease.uniform(PARAMETER_BYTES)
      const words = new Uint32Array(PARAMETER_BYTES / 4)
      words.set([laneCount, call.items.length, laneCount, 0])
      call.items.forEach((item, k) => {
        words[4 + k] = items[item]!.column
      })
      this.#device.upload(parameters, 0, words)
      const byteLength = call.items.length * laneCount * INDEX_BYTES
      const bits = lease.storage(byteLength)
      const bindGroup = this.#device.bindGroup(kernel, [
        { binding: 0, buffer: parameters },
        call.source === 'input'
          ? { binding: 1, buffer: source.in, byteOffset: source.inOffset ?? 0 }
          : { binding: 1, buffer: source.out, byteOffset: source.outOffset ?? 0 },
        { binding: 2, buffer: bits },
      ])
      const workgroups = Math.ceil((call.items.length * laneCount) / WORKGROUP_SIZE)
      commands.push({ kind: 'dispatch', kernel, bindGroup, workgroups })
      reads.push({ buffer: bits, byteOffset: 0, byteLength })
    }
  }

  /** The indices of all items in their order, from the ranges read at `first`; undefined where none were read. */
  take(items: readonly BloomItem[], results: readonly Uint32Array[], first: number): Uint32Array | undefined {
    if (results[first] === undefined) return undefined
    const calls = bloomCalls(items)
    if (calls.length === 1) return results[first]!
    const perItem = results[first]!.length / calls[0]!.items.length
    const indices = new Uint32Array(perItem * items.length)
    calls.forEach((call, c) => {
      call.items.forEach((item, k) => {
        indices.set(results[first + c]!.subarray(k * perItem, (k + 1) * perItem), item * perItem)
      })
    })
    return indices
  }

  /**
   * Hashes the topics of gathered logs (kernels/entry/lane_vm_bloom.wgsl), but the first of each: two vectors of bits
   * for each log, or undefined where the device fails, which `faults` tells. Never rejects. `words` is the device's
   * until it resolves.
   *
   * lists   u32[4 count]   (vector of the first record, records, vector of the first bits, 0) by lane
   */
  async hashLogs(words: GPUBuffer, lists: Uint32Array, vectors: number): Promise<Uint32Array | undefined> {
    const count = lists.length / 4
    const lease = this.#pool.lease()
    try {
      const kernel = await this.logKernel()
      const parameters = lease.uniform(16)
      const entries = lease.input(lists.byteLength)
      const bits = lease.storage(16 * vectors)
      this.#device.upload(parameters, 0, Uint32Array.of(count, 0, 0, 0))
      this.#device.upload(entries, 0, lists)
      const bindGroup = this.#device.bindGroup(
        kernel,
        [parameters, entries, words, bits].map((buffer, binding) => ({ binding, buffer })),
      )
      const workgroups = Math.ceil(count / WORKGROUP_SIZE)
      const { reads } = await this.#device.run([{ kind: 'dispatch', kernel, bindGroup, workgroups }], {
        reads: [{ buffer: bits, byteOffset: 0, byteLength: 16 * vectors }],
      })
      lease.put()
      return reads[0]!
    } catch (thrown) {
      lease.drop()
      this.faults.push(thrown instanceof Error ? thrown.message : String(thrown))
      return undefined
    }
  }

  logKernel(): Promise<Kernel> {
    this.#logKernel ??= this.#device.kernel({
      label: 'bloom of logs',
      wgsl: KERNELS['lane_vm_bloom']!,
      entryPoint: 'lane_vm_bloom',
      bindings: [
        { binding: 0, type: 'uniform' },
        { binding: 1, type: 'read-only-storage' },
        { binding: 2, type: 'read-only-storage' },
        { binding: 3, type: 'storage' },
      ],
    })
    return this.#logKernel
  }

  #callsOf(items: readonly BloomItem[]): ReturnType<typeof bloomCalls> {
    return this.isOn ? bloomCalls(items) : []
  }

  kernel(): Promise<Kernel> {
    this.#kernel ??= this.#device.kernel({
      label: 'bloom',
      wgsl: KERNELS['bloom']!,
      entryPoint: 'bloom',
      bindings: [
        { binding: 0, type: 'uniform' },
        { binding: 1, type: 'read-only-storage' },
        { binding: 2, type: 'storage' },
      ],
    })
    return this.#kernel
  }
}

/** The dispatches for these items: one per source and BLOOM_MAX_ITEMS items; `items` are positions in the list. */
const bloomCalls = (
  blooms: readonly BloomItem[],
): { readonly source: 'input' | 'lane'; readonly items: readonly number[] }[] => {
  const calls: { source: 'input' | 'lane'; items: number[] }[] = []
  blooms.forEach(({ source }, item) => {
    const open = calls.find((call) => call.source === source && call.items.length < BLOOM_MAX_ITEMS)
    if (open === undefined) calls.push({ source, items: [item] })
    else open.items.push(item)
  })
  return calls
}
