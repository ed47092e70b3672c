import { COPY_DST, MAP_READ } from './usage.ts'

const SMALLEST_BYTES = 1 << 16
const LARGEST_CLASS_BYTES = 1 << 24
const KEPT_BYTES = 1 << 28

/**
 * Buffers that results are read through (MAP_READ), kept for reuse: a new buffer is zeroed at its first use, 0.4 s per
 * 128 MiB on lavapipe. Sizes are powers of two up to 16 MiB, then multiples of 16 MiB; at most 256 MiB stay.
 */
export class StagingPool {
  readonly #gpu: GPUDevice
  readonly #free = new Map<number, GPUBuffer[]>()
  #keptBytes = 0

  constructor(gpu: GPUDevice) {
    this.#gpu = gpu
  }

  /** A buffer of at least this size. Give it back with `put`, or destroy it. */
  take(sizeBytes: number): GPUBuffer {
    const size = stagingBytes(sizeBytes)
    const buffer = this.#free.get(size)?.pop()
    if (buffer !== undefined) {
      this.#keptBytes -= size
      return buffer
    }
    return this.#gpu.createBuffer({ label: 'readback', size, usage: MAP_READ | COPY_DST })
  }

  /** Takes back an unmapped buffer. */
  put(buffer: GPUBuffer): void {
    if (this.#keptBytes + buffer.size > KEPT_BYTES) {
      buffer.destroy()
      return
    }
    const free = this.#free.get(buffer.size)
    if (free === undefined) this.#free.set(buffer.size, [buffer])
    else free.push(buffer)
    this.#keptBytes += buffer.size
  }

  destroy(): void {
    for (const buffers of this.#free.values()) for (const buffer of buffers) buffer.destroy()
    this.#free.clear()
    this.#keptBytes = 0
  }
}

/** The size of the staging buffer for this many bytes. */
export const stagingBytes = (sizeBytes: number): number => {
  if (sizeBytes > LARGEST_CLASS_BYTES) return Math.ceil(sizeBytes / LARGEST_CLASS_BYTES) * LARGEST_CLASS_BYTES
  let size = SMALLEST_BYTES
  while (size < sizeBytes) size *= 2
  return size
}
