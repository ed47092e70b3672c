import { COPY_DST, MAP_READ } from './usage.ts'

const SMALLEST_BYTES = 1 << 16
const LARGEST_CLASS_BYTES = 1 << 24
const KEPT_BYTES = 1 << 28
/** Timestamps are words of 8 bytes. */
const ALIGNMENT_BYTES = 8

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
    const size = stagingBytes(sizeBytes, this.#gpu.limits.maxBufferSize)
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

/** The size of the staging buffer for this many bytes: rounded up, but not past `mostBytes` where that holds them. */
export const stagingBytes = (sizeBytes: number, mostBytes: number): number => {
  let size = SMALLEST_BYTES
  if (sizeBytes > LARGEST_CLASS_BYTES) size = Math.ceil(sizeBytes / LARGEST_CLASS_BYTES) * LARGEST_CLASS_BYTES
  else while (size < sizeBytes) size *= 2
  return size <= mostBytes ? size : Math.max(sizeBytes, Math.floor(mostBytes / ALIGNMENT_BYTES) * ALIGNMENT_BYTES)
}

/** Where ranges stand in staging buffers. */
export interface StagedRanges {
  /** Bytes of each buffer. */
  readonly sizes: readonly number[]
  /** By range: its buffer, and its offset there, a multiple of 8. */
  readonly ranges: readonly { readonly part: number; readonly offset: number }[]
}

/** Packs ranges of these lengths into as many buffers as `mostBytes` asks for; a longer range has one of its own. */
export const stagedRanges = (lengths: readonly number[], mostBytes: number): StagedRanges => {
  const sizes: number[] = []
  const ranges = lengths.map((length) => {
    const bytes = Math.ceil(length / ALIGNMENT_BYTES) * ALIGNMENT_BYTES
    const open = sizes.at(-1)
    if (open === undefined || (open > 0 && open + bytes > mostBytes)) sizes.push(0)
    const part = sizes.length - 1
    const offset = sizes[part]!
    sizes[part] = offset + bytes
    return { part, offset }
  })
  return { sizes: sizes.filter((size) => size > 0), ranges }
}
