import { KERNELS } from '../../kernels/linked.generated.ts'
import { WORKGROUP_SIZE } from '../../transpiler/layout/environment.ts'
import type { ComputeDevice } from '../device/compute_device.ts'
import type { Kernel } from '../device/kernel.ts'
import type { BufferPool } from './buffer_pool.ts'

const VECTOR_LIMBS = 4
const VECTOR_BYTES = 16

/** Segments to copy (kernels/entry/lane_vm_gather.wgsl), in the order in which they are to come back. */
export class GatherList {
  #words = new Uint32Array(256 * VECTOR_LIMBS)
  #count = 0
  #vectors = 0

  /** Vectors that will come back. */
  get vectors(): number {
    return this.#vectors
  }

  get count(): number {
    return this.#count
  }

  get segments(): Uint32Array {
    return this.#words.subarray(0, this.#count * VECTOR_LIMBS)
  }

  /** Adds `count` vectors from `source` on, `stride` apart; the first vector that they come back at. */
  add(source: number, stride: number, count: number): number {
    const at = this.#vectors
    if (count === 0) return at
    const limb = this.#count * VECTOR_LIMBS
    if (limb === this.#words.length) {
      const words = new Uint32Array(2 * limb)
      words.set(this.#words)
      this.#words = words
    }
    this.#words[limb] = source
    this.#words[limb + 1] = stride
    this.#words[limb + 2] = count
    this.#words[limb + 3] = at
    this.#count++
    this.#vectors += count
    return at
  }
}

/** Runs lists of segments on the device. */
export class VmGather {
  readonly #device: ComputeDevice
  readonly #pool: BufferPool
  readonly #kernel: Kernel

  private constructor(device: ComputeDevice, pool: BufferPool, kernel: Kernel) {
    this.#device = device
    this.#pool = pool
    this.#kernel = kernel
  }

  static async compile(device: ComputeDevice, pool: BufferPool): Promise<VmGather> {
    const kernel = await device.kernel({
      label: 'lane VM gather',
      wgsl: KERNELS['lane_vm_gather']!,
      entryPoint: 'lane_vm_gather',
      bindings: [
        { binding: 0, type: 'uniform' },
        { binding: 1, type: 'read-only-storage' },
        { binding: 2, type: 'read-only-storage' },
        { binding: 3, type: 'storage' },
      ],
    })
    await kernel.warmUp()
    return new VmGather(device, pool, kernel)
  }

  /** The vectors of the list, dense. */
  async run(store: GPUBuffer, list: GatherList): Promise<Uint32Array> {
    if (list.vectors === 0) return new Uint32Array(0)
    const parameters = this.#pool.uniform(VECTOR_BYTES)
    const segments = this.#pool.storage(list.segments.byteLength)
    const output = this.#pool.storage(list.vectors * VECTOR_BYTES)
    this.#device.upload(parameters, 0, Uint32Array.of(list.count, list.vectors, 0, 0))
    this.#device.upload(segments, 0, list.segments)
    const bindGroup = this.#device.bindGroup(
      this.#kernel,
      [parameters, segments, store, output].map((buffer, binding) => ({ binding, buffer })),
    )
    const workgroups = Math.ceil(list.vectors / WORKGROUP_SIZE)
    const { reads } = await this.#device.run([{ kind: 'dispatch', kernel: this.#kernel, bindGroup, workgroups }], {
      reads: [{ buffer: output, byteOffset: 0, byteLength: list.vectors * VECTOR_BYTES }],
    })
    for (const buffer of [parameters, segments, output]) this.#pool.put(buffer)
    return reads[0]!
  }
}
