import type { ComputeDevice } from '../device/compute_device.ts'

const SMALLEST_BYTES = 1 << 12

/**
 * Device buffers by power-of-two size, kept for reuse: a new buffer is zeroed at its first use, which costs lavapipe 3 ns a
 * byte. A kernel finds old contents in a buffer and must not read what it did not write.
 */
export class BufferPool {
  readonly #device: ComputeDevice
  readonly #free = new Map<string, GPUBuffer[]>()
  readonly #kinds = new Map<GPUBuffer, string>()

  constructor(device: ComputeDevice) {
    this.#device = device
  }

  storage(sizeBytes: number): GPUBuffer {
    let size = SMALLEST_BYTES
    while (size < sizeBytes) size *= 2
    size = Math.min(size, this.#device.limits.maxStorageBufferBindingSize, this.#device.limits.maxBufferSize)
    return this.#take(`lanes ${size}`, () => this.#device.storage('lanes', Math.max(size, sizeBytes)))
  }

  uniform(sizeBytes: number): GPUBuffer {
    return this.#take(`uniform ${sizeBytes}`, () => this.#device.uniform('environment', sizeBytes))
  }

  put(buffer: GPUBuffer): void {
    const kind = this.#kinds.get(buffer)
    if (kind !== undefined) this.#free.get(kind)!.push(buffer)
  }

  destroy(): void {
    for (const buffer of this.#kinds.keys()) buffer.destroy()
    this.#kinds.clear()
    this.#free.clear()
  }

  #take(kind: string, create: () => GPUBuffer): GPUBuffer {
    const free = this.#free.get(kind)
    const known = free?.pop()
    if (known !== undefined) return known
    if (free === undefined) this.#free.set(kind, [])
    const buffer = create()
    this.#kinds.set(buffer, kind)
    return buffer
  }
}
