import type { DeviceLostError } from './fault.ts'
import type { Kernel, KernelSource } from './kernel.ts'
import type { AdapterKind } from './manifest.ts'

/** A range of a buffer; offset and length in bytes, multiples of 4. @internal */
export interface BufferRange {
  readonly buffer: GPUBuffer
  readonly byteOffset: number
  readonly byteLength: number
}

/** A buffer at a binding of group 0; the whole buffer where no range is given. @internal */
export interface BoundBuffer {
  readonly binding: number
  readonly buffer: GPUBuffer
  readonly byteOffset?: number
  readonly byteLength?: number
}

/**
 * dispatch: `workgroups` in all; past the device's limit per dimension they are laid out in two (see
 * `splitWorkgroups`), and a kernel numbers them `workgroup_id.x + workgroup_id.y * num_workgroups.x`.
 * copy, clear: offsets and sizes in bytes, multiples of 4.
 *
 * @internal
 */
export type Command =
  | {
      readonly kind: 'dispatch'
      readonly kernel: Kernel
      readonly bindGroup: GPUBindGroup
      readonly workgroups: number
    }
  | {
      readonly kind: 'copy'
      readonly from: GPUBuffer
      readonly fromOffset: number
      readonly to: GPUBuffer
      readonly toOffset: number
      readonly sizeBytes: number
    }
  | { readonly kind: 'clear'; readonly buffer: GPUBuffer; readonly byteOffset: number; readonly sizeBytes: number }

/** @internal */
export interface RunOptions {
  /** Read back after the last command, in the same submission. */
  readonly reads?: readonly BufferRange[]
  /**
   * Takes the reads in place of `RunResult.reads`, one view each, in order, while the staging memory is mapped: no copy
   * is made, and the views are dead when it returns. For large reads: a copy of 16 MiB costs as much as the transfer.
   */
  readonly consume?: (views: readonly Uint32Array[]) => void
  /** Time each dispatch on the device; it then has a pass of its own. */
  readonly timestamps?: boolean
}

/** @internal */
export interface RunResult {
  /** A copy of each range of `reads`, in order; empty where `consume` took them. */
  readonly reads: readonly Uint32Array[]
  /** Nanoseconds of each dispatch; undefined where not asked for or not offered. */
  readonly dispatchNs: readonly number[] | undefined
  /** Wall time from submission to completion. */
  readonly elapsedMs: number
}

/**
 * A compute device. Work is queued in call order; `run` may be called again before the last one is done.
 * A fault rejects the call that waits for it: DeviceLostError, OutOfMemoryError, ValidationError (fault.ts). After a
 * DeviceLostError every call fails: destroy the device and open another.
 *
 * Example: {@link openDevice}.
 */
export interface ComputeDevice {
  readonly kind: AdapterKind
  readonly name: string
  readonly driver: string
  readonly vendor: string
  /** It computes on the CPU. */
  readonly software: boolean
  /** A debug device (`checkedDevice`): pools give it buffers of exact size, full of rubbish. @internal */
  readonly checksIndexes: boolean
  /** @internal */
  readonly limits: GPUSupportedLimits
  readonly features: ReadonlySet<string>
  /** @internal */
  readonly gpu: GPUDevice
  /** Resolves when the device is lost, never by `destroy`. */
  readonly lost: Promise<DeviceLostError>
  readonly isLost: boolean
  /** Bytes that `upload` has taken so far. @internal */
  readonly uploadedBytes: number

  /**
   * A buffer for storage bindings and copies, zeroed, its size rounded up to 16 bytes. Throws OutOfMemoryError past the
   * device's limits; when memory itself runs out, the next `run` or `settle` rejects with it. Destroy it when done.
   *
   * @internal
   */
  storage(label: string, sizeBytes: number): GPUBuffer
  /** The same for a uniform binding (at most 64 KiB). @internal */
  uniform(label: string, sizeBytes: number): GPUBuffer
  /**
   * Queues a copy of the view's bytes to the buffer; the view may change afterwards. Offset and length are multiples
   * of 4. Throws ValidationError for a range outside the buffer.
   *
   * @internal
   */
  upload(buffer: GPUBuffer, byteOffset: number, view: ArrayBufferView): void
  /** Compiles, or returns the kernel of equal text, entry and layout. Rejects with ShaderCompileError. @internal */
  kernel(source: KernelSource): Promise<Kernel>
  /** A bind group for this kernel and every other with equal bindings. @internal */
  bindGroup(kernel: Kernel, buffers: readonly BoundBuffer[]): GPUBindGroup
  /** Submits the commands as one and awaits their completion and the reads. @internal */
  run(commands: readonly Command[], options?: RunOptions): Promise<RunResult>
  /** A copy of a range. @internal */
  readback(buffer: GPUBuffer, byteOffset: number, byteLength: number): Promise<Uint32Array>
  /** Awaits the creation of all buffers and bind groups so far; rejects with the first fault. @internal */
  settle(): Promise<void>
  /** Frees everything on the device and lets the process exit. Open waits reject. */
  destroy(): void
}
