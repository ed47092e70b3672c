import { create } from 'webgpu'
import type { BoundBuffer, Command, ComputeDevice, RunOptions, RunResult } from '../../host/device/compute_device.ts'
import { deviceOn } from '../../host/device/device.ts'
import { DeviceLostError, OutOfMemoryError, ValidationError } from '../../host/device/fault.ts'
import { type Kernel, type KernelSource, ShaderCompileError } from '../../host/device/kernel.ts'

/**
 * `lost` loses the device: this call and all later ones reject, `lost` resolves. `lostAfter` lets the work be done
 * first and loses the device before its results are read. The others fail one call.
 */
export type RunFault = 'lost' | 'lostAfter' | 'outOfMemory' | 'validation'

/** Faults by the number of the call, from 0, counted for each method. */
export interface FaultPlan {
  readonly run?: Readonly<Record<number, RunFault>>
  readonly kernel?: Readonly<Record<number, 'compile' | 'lost'>>
  readonly storage?: Readonly<Record<number, 'outOfMemory' | 'lost'>>
}

/**
 * A device with planned faults. Reads and uploads count as their `run`; what is not planned goes to the device behind
 * it.
 */
export class FaultyDevice implements ComputeDevice {
  readonly calls = { run: 0, kernel: 0, storage: 0 }
  readonly lost: Promise<DeviceLostError>
  readonly #inner: ComputeDevice
  readonly #plan: FaultPlan
  #resolveLost!: (error: DeviceLostError) => void
  #lostError: DeviceLostError | undefined

  constructor(inner: ComputeDevice, plan: FaultPlan) {
    this.#inner = inner
    this.#plan = plan
    this.lost = new Promise((resolve) => {
      this.#resolveLost = resolve
    })
    inner.lost.then((error) => this.#resolveLost(error))
  }

  get kind() {
    return this.#inner.kind
  }
  get name() {
    return this.#inner.name
  }
  get driver() {
    return this.#inner.driver
  }
  get vendor() {
    return this.#inner.vendor
  }
  get software() {
    return this.#inner.software
  }
  get checksIndexes() {
    return this.#inner.checksIndexes
  }
  get limits() {
    return this.#inner.limits
  }
  get features() {
    return this.#inner.features
  }
  get gpu() {
    return this.#inner.gpu
  }
  get isLost(): boolean {
    return this.#lostError !== undefined || this.#inner.isLost
  }

  get uploadedBytes(): number {
    return this.#inner.uploadedBytes
  }

  storage(label: string, sizeBytes: number): GPUBuffer {
    this.#assertUsable()
    const fault = this.#plan.storage?.[this.calls.storage++]
    if (fault === 'lost') throw this.#lose()
    if (fault === 'outOfMemory') throw new OutOfMemoryError(`${label}: planned`)
    return this.#inner.storage(label, sizeBytes)
  }

  uniform(label: string, sizeBytes: number): GPUBuffer {
    this.#assertUsable()
    return this.#inner.uniform(label, sizeBytes)
  }

  upload(buffer: GPUBuffer, byteOffset: number, view: ArrayBufferView): void {
    this.#assertUsable()
    this.#inner.upload(buffer, byteOffset, view)
  }

  async kernel(source: KernelSource): Promise<Kernel> {
    this.#assertUsable()
    const fault = this.#plan.kernel?.[this.calls.kernel++]
    if (fault === 'lost') throw this.#lose()
    if (fault === 'compile') {
      throw new ShaderCompileError(source.label, source.wgsl, [{ line: 1, column: 1, message: 'planned' }])
    }
    return this.#inner.kernel(source)
  }

  bindGroup(kernel: Kernel, buffers: readonly BoundBuffer[]): GPUBindGroup {
    this.#assertUsable()
    return this.#inner.bindGroup(kernel, buffers)
  }

  async run(commands: readonly Command[], options?: RunOptions): Promise<RunResult> {
    this.#assertUsable()
    const fault = this.#plan.run?.[this.calls.run++]
    if (fault === 'lost') throw this.#lose()
    if (fault === 'outOfMemory') throw new OutOfMemoryError('run: planned')
    if (fault === 'validation') throw new ValidationError('run: planned')
    if (fault === 'lostAfter') {
      await this.#inner.run(commands)
      throw this.#lose()
    }
    return this.#inner.run(commands, options)
  }

  async readback(buffer: GPUBuffer, byteOffset: number, byteLength: number): Promise<Uint32Array> {
    const { reads } = await this.run([], { reads: [{ buffer, byteOffset, byteLength }] })
    return reads[0]!
  }

  async settle(): Promise<void> {
    this.#assertUsable()
    await this.#inner.settle()
  }

  destroy(): void {
    this.#inner.destroy()
  }

  #assertUsable(): void {
    if (this.#lostError !== undefined) throw this.#lostError
  }

  #lose(): DeviceLostError {
    this.#lostError = new DeviceLostError('device lost: planned')
    this.#resolveLost(this.#lostError)
    return this.#lostError
  }
}

/**
 * A device of Dawn's null backend: needs no driver, checks every call and all WGSL, computes nothing. What it reads
 * back is undefined.
 */
export const nullDevice = async (): Promise<ComputeDevice> => {
  const instance = create(['backend=null'])
  const adapter = await instance.requestAdapter()
  if (adapter === null) throw new Error('Dawn has no null backend')
  return deviceOn({ instance, adapter, kind: 'gpu', name: 'null', driver: 'null', vendor: 'dawn', software: false })
}
