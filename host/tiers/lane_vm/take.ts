import { KERNELS } from '../../../kernels/linked.generated.ts'
import { BINDINGS, WORKGROUP_SIZE } from '../../../transpiler/layout/environment.ts'
import type { BufferPool } from '../../device/buffer_pool.ts'
import type { Command, ComputeDevice } from '../../device/compute_device.ts'
import type { Kernel, KernelSource } from '../../device/kernel.ts'

const VECTOR_LIMBS = 4
const VECTOR_BYTES = 16
const RECORDS_BINDING = 3
const WORDS_BINDING = 4

/** The buffers of a wave that its kernels share. */
export interface WaveBuffers {
  readonly store: GPUBuffer
  readonly uniform: GPUBuffer
}

/** What lanes to take: `list` as kernels/entry/lane_vm_take.wgsl has it, and the vectors of both runs. */
export interface TakeList {
  readonly list: Uint32Array
  readonly recordVectors: number
  readonly wordVectors: number
}

export interface TakenLanes {
  /** Logs and outputs. */
  readonly words: Promise<Uint32Array>
  /** The same on the device, for what is submitted from now on, until it is released. */
  readonly buffer: GPUBuffer
  readonly release: () => void
}

/** Fetches what lanes left. */
export class VmTake {
  readonly #device: ComputeDevice
  readonly #pool: BufferPool
  readonly #held: Kernel
  readonly #take: Kernel

  private constructor(device: ComputeDevice, pool: BufferPool, held: Kernel, take: Kernel) {
    this.#device = device
    this.#pool = pool
    this.#held = held
    this.#take = take
  }

  static async compile(device: ComputeDevice, pool: BufferPool): Promise<VmTake> {
    const kernel = async (entryPoint: string, bindings: KernelSource['bindings']): Promise<Kernel> => {
      const compiled = await device.kernel({ label: entryPoint, wgsl: KERNELS[entryPoint]!, entryPoint, bindings })
      await compiled.warmUp()
      return compiled
    }
    const held = await kernel('lane_vm_held', [
      { binding: BINDINGS.environment, type: 'uniform' },
      { binding: BINDINGS.lanesOut, type: 'storage' },
    ])
    const take = await kernel('lane_vm_take', [
      { binding: BINDINGS.environment, type: 'uniform' },
      { binding: BINDINGS.lanesIn, type: 'read-only-storage' },
      { binding: BINDINGS.lanesOut, type: 'storage' },
      { binding: RECORDS_BINDING, type: 'storage' },
      { binding: WORDS_BINDING, type: 'storage' },
    ])
    return new VmTake(device, pool, held, take)
  }

  /** Counts what is held of the lanes of a dispatch, which stands before it. */
  count({ store, uniform }: WaveBuffers, lanes: number): Command {
    const bindGroup = this.#device.bindGroup(this.#held, [
      { binding: BINDINGS.environment, buffer: uniform },
      { binding: BINDINGS.lanesOut, buffer: store },
    ])
    return { kind: 'dispatch', kernel: this.#held, bindGroup, workgroups: Math.ceil(lanes / WORKGROUP_SIZE) }
  }

  /** `records` gets the held records. */
  start(
    { store, uniform }: WaveBuffers,
    { list, recordVectors, wordVectors }: TakeList,
    records: Uint32Array,
  ): TakenLanes {
    if (recordVectors + wordVectors === 0)
      return { words: Promise.resolve(new Uint32Array(0)), buffer: store, release: () => undefined }
    const lease = this.#pool.lease()
    const lanes = lease.input(list.byteLength)
    const recordBytes = recordVectors * VECTOR_BYTES
    const wordBytes = wordVectors * VECTOR_BYTES
    const taken = lease.storage(Math.max(VECTOR_BYTES, recordBytes))
    const buffer = lease.storage(Math.max(VECTOR_BYTES, wordBytes))
    this.#device.upload(lanes, 0, list)
    const bindGroup = this.#device.bindGroup(this.#take, [
      { binding: BINDINGS.environment, buffer: uniform },
      { binding: BINDINGS.lanesIn, buffer: lanes },
      { binding: BINDINGS.lanesOut, buffer: store },
      { binding: RECORDS_BINDING, buffer: taken },
      { binding: WORDS_BINDING, buffer },
    ])
    const workgroups = Math.ceil((list.length / VECTOR_LIMBS - 1) / WORKGROUP_SIZE)
    let words = new Uint32Array(0)
    const ran = this.#device.run([{ kind: 'dispatch', kernel: this.#take, bindGroup, workgroups }], {
      reads: [
        { buffer: taken, byteOffset: 0, byteLength: recordBytes },
        { buffer, byteOffset: 0, byteLength: wordBytes },
      ],
      consume: ([ofRecords, ofWords]) => {
        records.set(ofRecords!)
        words = ofWords!.slice()
      },
    })
    return {
      words: ran.then(
        () => words,
        (thrown: unknown) => {
          lease.drop()
          throw thrown
        },
      ),
      buffer,
      release: () => lease.put(),
    }
  }
}
