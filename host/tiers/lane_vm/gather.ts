import { KERNELS } from '../../../kernels/linked.generated.ts'
import { WORKGROUP_SIZE } from '../../../transpiler/layout/environment.ts'
import type { BufferPool } from '../../device/buffer_pool.ts'
import type { ComputeDevice } from '../../device/compute_device.ts'
import type { Kernel } from '../../device/kernel.ts'

const VECTOR_LIMBS = 4
const VECTOR_BYTES = 16
/** Of a segment of the kernel; longer ones are several. */
const MOST_VECTORS = 64

/** Segments to copy (kernels/entry/lane_vm_gather.wgsl), in the order in which they are to come back. */
export class GatherList {
  #words: Uint32Array
  #count = 0
  #vectors = 0

  /** Grows beyond `segments`. */
  constructor(segments = 16) {
    this.#words = new Uint32Array(Math.max(1, segments) * VECTOR_LIMBS)
  }

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
    for (let first = 0; first < count; first += MOST_VECTORS)
      this.#append(source + first * stride, stride, Math.min(MOST_VECTORS, count - first), at + first)
    this.#vectors += count
    return at
  }

  #append(source: number, stride: number, count: number, at: number): void {
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
    const { words, release } = this.start(store, list)
    try {
      return await words
    } finally {
      release()
    }
  }

  /** The same; `buffer` has the vectors too, for what is submitted from now on, until it is released. */
  start(store: GPUBuffer, list: GatherList): GatheredWords {
    if (list.vectors === 0)
      return { words: Promise.resolve(new Uint32Array(0)), buffer: store, release: () => undefined }
    const lease = this.#pool.lease()
    const parameters = lease.uniform(VECTOR_BYTES)
    const segments = lease.input(list.segments.byteLength)
    const buffer = lease.storage(list.vectors * VECTOR_BYTES)
    this.#device.upload(parameters, 0, Uint32Array.of(list.count, 0, 0, 0))
    this.#device.upload(segments, 0, list.segments)
    const bindGroup = this.#device.bindGroup(
      this.#kernel,
      [parameters, segments, store, buffer].map((one, binding) => ({ binding, buffer: one })),
    )
    const workgroups = Math.ceil(list.count / WORKGROUP_SIZE)
    const ran = this.#device.run([{ kind: 'dispatch', kernel: this.#kernel, bindGroup, workgroups }], {
      reads: [{ buffer, byteOffset: 0, byteLength: list.vectors * VECTOR_BYTES }],
    })
    const words = ran.then(
      ({ reads }) => reads[0]!,
      (thrown: unknown) => {
        lease.drop()
        throw thrown
      },
    )
    return { words, buffer, release: () => lease.put() }
  }
}

export interface GatheredWords {
  readonly words: Promise<Uint32Array>
  readonly buffer: GPUBuffer
  readonly release: () => void
}
