import type { ComputeDevice } from './compute_device.ts'
import { doubledBytes } from './limits.ts'

const SMALLEST_BYTES = 1 << 12

/** Of a larger buffer only so much is rubbish. */
const RUBBISH_BYTES = 1 << 25

const rubbishWords = (count: number): Uint32Array => {
  const words = new Uint32Array(count)
  for (let i = 0; i < count; i++) words[i] = Math.imul(i + 7, 0x9e3779b1) | 0x80000001
  return words
}

/** `input`: the device only reads it. `lanes`: kernels and copies write it. */
type StorageKind = 'input' | 'lanes'

/**
 * Device buffers by power-of-two size, kept for reuse: a new buffer is zeroed at its first use, which costs lavapipe
 * 3 ns a byte. A kernel finds old contents in a buffer and must not read what it did not write.
 *
 * What is uploaded and what the device writes never share a buffer, also one after the other: Dawn copies an upload
 * straight into the memory of a buffer that the CPU sees, the device never wrote and no submission uses. All else goes
 * through staging memory, which Dawn makes anew where more than 4 MiB wait (docs/decisions/0034-hashing-in-bulk.md).
 */
export class BufferPool {
  readonly #device: ComputeDevice
  readonly #free = new Map<string, GPUBuffer[]>()
  readonly #kinds = new Map<GPUBuffer, string>()

  constructor(device: ComputeDevice) {
    this.#device = device
  }

  /** For the buffers of one run. */
  lease(): BufferLease {
    return new BufferLease(this)
  }

  /** For what the device writes. */
  storage(sizeBytes: number): GPUBuffer {
    return this.#storage('lanes', sizeBytes)
  }

  /** For what is uploaded. Bind it as `read-only-storage`, and copy from it only. */
  input(sizeBytes: number): GPUBuffer {
    return this.#storage('input', sizeBytes)
  }

  #storage(kind: StorageKind, sizeBytes: number): GPUBuffer {
    if (this.#device.checksIndexes) return this.#rubbish(kind, sizeBytes)
    const size = doubledBytes(SMALLEST_BYTES, sizeBytes, this.#device.limits)
    return this.#take(`${kind} ${size}`, () => this.#device.storage(kind, size))
  }

  /** A buffer of exact size in which a kernel that reads what it did not write reads nonsense. */
  #rubbish(kind: StorageKind, sizeBytes: number): GPUBuffer {
    const size = Math.max(16, Math.ceil(sizeBytes / 16) * 16)
    const buffer = this.#take(`${kind} ${size}`, () => this.#device.storage(kind, size))
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

  /** Frees a buffer of a run that failed: it may never have had memory. */
  drop(buffer: GPUBuffer): void {
    if (this.#kinds.delete(buffer)) buffer.destroy()
  }

  /** Frees what is not in use. */
  trim(): void {
    for (const [kind, free] of this.#free) {
      for (const buffer of free) this.drop(buffer)
      this.#free.set(kind, [])
    }
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

/** The buffers of one run, which go back together. */
export class BufferLease {
  readonly #pool: BufferPool
  readonly #buffers: GPUBuffer[] = []

  constructor(pool: BufferPool) {
    this.#pool = pool
  }

  storage(sizeBytes: number): GPUBuffer {
    return this.#keep(this.#pool.storage(sizeBytes))
  }

  input(sizeBytes: number): GPUBuffer {
    return this.#keep(this.#pool.input(sizeBytes))
  }

  uniform(sizeBytes: number): GPUBuffer {
    return this.#keep(this.#pool.uniform(sizeBytes))
  }

  /** Gives them to the next run. */
  put(): void {
    for (const buffer of this.#buffers.splice(0)) this.#pool.put(buffer)
  }

  /** After the run failed. */
  drop(): void {
    for (const buffer of this.#buffers.splice(0)) this.#pool.drop(buffer)
  }

  #keep(buffer: GPUBuffer): GPUBuffer {
    this.#buffers.push(buffer)
    return buffer
  }
}
