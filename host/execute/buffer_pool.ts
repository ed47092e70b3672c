import type { ComputeDevice } from '../device/compute_device.ts'

const SMALLEST_BYTES = 1 << 12

/** Of a larger buffer only so much is rubbish. */
const RUBBISH_BYTES = 1 << 25

const rubbishWords = (count: number): Uint32Array => {
  const words = new Uint32Array(count)
  for (let i = 0; i < count; i++) words[i] = Math.imul(i + 7, 0x9e3779b1) | 0x80000001
  return words
}

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
    if (this.#device.checksIndexes) return this.#rubbish(sizeBytes)
    let size = SMALLEST_BYTES
    while (size < sizeBytes) size *= 2
    size = Math.min(size, this.#device.limits.maxStorageBufferBindingSize, this.#device.limits.maxBufferSize)
    return this.#take(`lanes ${size}`, () => this.#device.storage('lanes', Math.max(size, sizeBytes)))
  }

  /** A buffer of exact size in which a kernel that reads what it did not write reads nonsense. */
  #rubbish(sizeBytes: number): GPUBuffer {
    const size = Math.max(16, Math.ceil(sizeBytes / 16) * 16)
    const buffer = this.#take(`lanes ${size}`, () => this.#device.storage('lanes', size))
    this.#device.upload(buffer, 0, rubbishWords(Math.min(size, RUBBISH_BYTES) / 4))
    return buffer
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
