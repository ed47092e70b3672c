import { adapterRequest, type OpenAdapter, openAdapter } from './adapter.ts'
import { checkedDevice } from './checked_device.ts'
import type { BoundBuffer, Command, ComputeDevice, RunOptions, RunResult } from './compute_device.ts'
import { type DeviceFault, DeviceLostError, faultOf, scoped, ValidationError } from './fault.ts'
import { type Kernel, KernelCache, type KernelSource } from './kernel.ts'
import { splitWorkgroups } from './lanes.ts'
import { bufferBytes, mostStorageBytes, mostWaveBytes } from './limits.ts'
import type { AdapterKind } from './manifest.ts'
import { StagingPool, stagedRanges } from './staging.ts'
import { HARDWARE_SPIN_MS, SPIN_MS, throttledWait } from './throttle.ts'
import { dispatchTimes, MOST_TIMED, TimestampPool } from './timestamps.ts'
import { COPY_DST, COPY_SRC, MAP_MODE_READ, STORAGE, UNIFORM } from './usage.ts'

/**
 * Options of `openDevice`.
 *
 * @example
 * import { type DeviceOptions, openDevice } from 'wgevm'
 *
 * const options: DeviceOptions = { adapter: 'lavapipe', robustness: 'checked', compileLimitMs: 60_000 }
 * const device = await openDevice(options)
 * device.destroy()
 */
export interface DeviceOptions {
  /** `gpu`, `lavapipe`, `swiftshader`, or a part of an adapter's name. Default: WGEVM_ADAPTER, else the best one. */
  readonly adapter?: string
  /**
   * `on` keeps Dawn's index clamps and loop guards, `checked` makes a run with an index outside its array fail by name
   * (`checkedDevice`): both for debugging kernels. Default: WGEVM_ROBUSTNESS, else `off`.
   */
  readonly robustness?: Robustness
  /** Milliseconds that one kernel may compile before it is refused with ShaderCompileError. Default: ten minutes. */
  readonly compileLimitMs?: number
}

/**
 * What a kernel does with an index outside its array: `on` clamps it, `off` leaves it to the driver, `checked` reports
 * it.
 *
 * Example: {@link DeviceOptions}.
 */
export type Robustness = 'on' | 'off' | 'checked'

const ROBUSTNESS: readonly Robustness[] = ['on', 'off', 'checked']

const defaultRobustness = (): Robustness => {
  const asked = process.env['WGEVM_ROBUSTNESS'] || 'off'
  const known = ROBUSTNESS.find((one) => one === asked)
  if (known === undefined)
    throw new ValidationError(`WGEVM_ROBUSTNESS is one of ${ROBUSTNESS.join(', ')}, got '${asked}'`)
  return known
}

/**
 * Opens a device on the best adapter that fits: a GPU, else a software driver of the system, else the bundled one.
 * Throws NoAdapterError where none fits, ValidationError where WGEVM_ROBUSTNESS is unknown. The caller destroys the
 * device.
 *
 * In a worker thread the choice among Vulkan drivers needs `env: SHARE_ENV`: the loader reads the process's
 * environment.
 *
 * @example
 * import { createExecutor, MemoryState, openDevice } from 'wgevm'
 *
 * const device = await openDevice()
 * console.log(device.kind, device.name, device.software)
 * const executor = createExecutor({ fork: 'osaka', chainId: 1n, state: new MemoryState(), device })
 * executor.close()
 * device.destroy()
 */
export const openDevice = async ({
  adapter,
  robustness = defaultRobustness(),
  compileLimitMs = COMPILE_LIMIT_MS,
}: DeviceOptions = {}): Promise<ComputeDevice> => {
  const flags = ['disable-dawn-features=timestamp_quantization']
  if (robustness !== 'on') flags.push('enable-dawn-features=disable_robustness')
  const device = await deviceOn(await openAdapter(adapterRequest(adapter), flags), { compileLimitMs })
  return robustness === 'checked' ? checkedDevice(device) : device
}

const LIMITS = [
  'maxStorageBufferBindingSize',
  'maxBufferSize',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupsPerDimension',
  'maxStorageBuffersPerShaderStage',
] as const

const FEATURES: readonly GPUFeatureName[] = ['timestamp-query', 'subgroups']

/** How much a device may take. */
export interface DeviceRoom {
  /** The adapter's own limits (default), or WebGPU's default ones. */
  readonly limits?: 'adapter' | 'default'
  /** Reads of a run come through buffers of at most so many bytes, but for a single one that is longer. */
  readonly mostStagedBytes?: number
  /** One kernel may compile for so long, then it is refused. Default: ten minutes. */
  readonly compileLimitMs?: number
}

const COMPILE_LIMIT_MS = 600_000

/**
 * A device on this adapter. An adapter gives one device.
 *
 * @internal
 */
export const deviceOn = async (
  open: OpenAdapter,
  { limits = 'adapter', mostStagedBytes = Infinity, compileLimitMs = COMPILE_LIMIT_MS }: DeviceRoom = {},
): Promise<ComputeDevice> => {
  const { adapter } = open
  const asked = limits === 'adapter' ? LIMITS : []
  const requiredLimits = Object.fromEntries(asked.map((name) => [name, adapter.limits[name]]))
  const requiredFeatures = FEATURES.filter((feature) => adapter.features.has(feature))
  const gpu = await adapter.requestDevice({ requiredLimits, requiredFeatures })
  return new DawnDevice(open, gpu, { mostStagedBytes, compileLimitMs })
}

/** Instances of live devices: an instance that is collected takes its device with it. */
const liveInstances = new Set<GPU>()

/**
 * Uploads go in pieces of this size: above 4 MiB Dawn makes a new staging buffer for each (0.88 ms against 2.9 ms at
 * 4 MiB).
 */
const UPLOAD_BYTES = 1 << 20
/** Where memory that threads share goes before its upload, which has copied it when it returns. */
const unshared = new Uint8Array(UPLOAD_BYTES)

class DawnDevice implements ComputeDevice {
  readonly kind: AdapterKind
  readonly name: string
  readonly driver: string
  readonly vendor: string
  readonly software: boolean
  readonly checksIndexes = false
  readonly limits: GPUSupportedLimits
  readonly features: ReadonlySet<string>
  readonly gpu: GPUDevice
  readonly lost: Promise<DeviceLostError>
  uploadedBytes = 0
  readonly #kernels: KernelCache
  readonly #staging: StagingPool
  readonly #mostStagedBytes: number
  readonly #timestamps: TimestampPool
  /** Faults of calls that have returned; the next wait reports them. */
  #pending: Promise<DeviceFault | undefined>[] = []
  readonly #openWaits = new Set<(error: DeviceLostError) => void>()
  #lostError: DeviceLostError | undefined
  #destroyed = false

  constructor(
    open: OpenAdapter,
    gpu: GPUDevice,
    { mostStagedBytes, compileLimitMs }: Required<Omit<DeviceRoom, 'limits'>>,
  ) {
    const { instance, kind, name, driver, vendor, software } = open
    this.kind = kind
    this.name = name
    this.driver = driver
    this.vendor = vendor
    this.software = software
    this.gpu = gpu
    this.limits = gpu.limits
    this.features = gpu.features as ReadonlySet<string>
    this.#kernels = new KernelCache({
      gpu,
      wait: (pending) => this.#wait(pending, SPIN_MS),
      compileLimitMs,
      dispatchOnce: async (kernel, bindGroup) => {
        await this.run([{ kind: 'dispatch', kernel, bindGroup, workgroups: 1 }])
      },
    })
    this.#staging = new StagingPool(gpu)
    this.#timestamps = new TimestampPool(gpu)
    this.#mostStagedBytes = Math.min(mostStagedBytes, mostWaveBytes(gpu.limits))
    liveInstances.add(instance)
    this.lost = new Promise((resolve) => {
      gpu.lost.then(({ message }) => {
        liveInstances.delete(instance)
        const error = new DeviceLostError(`device lost: ${message.split('\n', 1)[0] || 'no reason given'}`)
        this.#lostError ??= error
        for (const reject of this.#openWaits) reject(this.#lostError)
        this.#openWaits.clear()
        if (!this.#destroyed) resolve(error)
      })
    })
    gpu.addEventListener('uncapturederror', (event) => {
      event.preventDefault()
      const filter = event.error.constructor.name === 'GPUOutOfMemoryError' ? 'out-of-memory' : 'validation'
      this.#pending.push(Promise.resolve(faultOf(filter, 'outside any call', event.error)))
    })
  }

  get isLost(): boolean {
    return this.#lostError !== undefined
  }

  storage(label: string, sizeBytes: number): GPUBuffer {
    return this.#buffer(label, sizeBytes, STORAGE, mostStorageBytes(this.limits))
  }

  uniform(label: string, sizeBytes: number): GPUBuffer {
    return this.#buffer(label, sizeBytes, UNIFORM, this.limits.maxUniformBufferBindingSize)
  }

  #buffer(label: string, sizeBytes: number, usage: number, mostBytes: number): GPUBuffer {
    this.#assertUsable()
    const size = bufferBytes(label, sizeBytes, mostBytes)
    return this.#later(`buffer ${label}`, () =>
      this.gpu.createBuffer({ label, size, usage: usage | COPY_SRC | COPY_DST }),
    )
  }

  upload(buffer: GPUBuffer, byteOffset: number, view: ArrayBufferView): void {
    this.#assertUsable()
    const { byteOffset: start, byteLength } = view
    if (byteOffset % 4 !== 0 || byteLength % 4 !== 0 || byteOffset + byteLength > buffer.size) {
      const range = `${byteLength} bytes at ${byteOffset}`
      throw new ValidationError(`upload to ${buffer.label}: ${range} of ${buffer.size}, in units of 4`)
    }
    // No error scope: one costs as much as five small uploads (40 against 8 us), and the range is checked above.
    // Dawn does not take memory that threads share (a view of it ends the process).
    this.uploadedBytes += byteLength
    const { buffer: memory } = view
    const isShared = typeof SharedArrayBuffer !== 'undefined' && memory instanceof SharedArrayBuffer
    for (let at = 0; at < byteLength; at += UPLOAD_BYTES) {
      const sizeBytes = Math.min(UPLOAD_BYTES, byteLength - at)
      if (isShared) unshared.set(new Uint8Array(memory, start + at, sizeBytes))
      const [source, from] = isShared ? [unshared.buffer, 0] : [memory as ArrayBuffer, start + at]
      this.gpu.queue.writeBuffer(buffer, byteOffset + at, source, from, sizeBytes)
    }
  }

  kernel(source: KernelSource): Promise<Kernel> {
    if (this.#lostError !== undefined) return Promise.reject(this.#lostError)
    return this.#kernels.kernel(source)
  }

  bindGroup(kernel: Kernel, buffers: readonly BoundBuffer[]): GPUBindGroup {
    this.#assertUsable()
    const entries = buffers.map(({ binding, buffer, byteOffset = 0, byteLength }) => ({
      binding,
      resource:
        byteLength === undefined ? { buffer, offset: byteOffset } : { buffer, offset: byteOffset, size: byteLength },
    }))
    return this.#later(`bind group of ${kernel.label}`, () =>
      this.gpu.createBindGroup({ layout: kernel.layout, entries }),
    )
  }

  async run(
    commands: readonly Command[],
    { reads = [], consume, timestamps = false }: RunOptions = {},
  ): Promise<RunResult> {
    this.#assertUsable()
    const dispatchCount = commands.filter(({ kind }) => kind === 'dispatch').length
    const timed = timestamps && dispatchCount > 0 && dispatchCount <= MOST_TIMED && this.features.has('timestamp-query')
    const lengths = reads.map(({ byteLength }) => byteLength)
    if (timed) lengths.push(dispatchCount * 16)
    const { sizes, ranges } = stagedRanges(lengths, this.#mostStagedBytes)

    const startedMs = performance.now()
    const faults = this.#pending
    this.#pending = []
    const { value, fault } = scoped(this.gpu, 'run', () => {
      const encoder = this.gpu.createCommandEncoder()
      const staging = sizes.map((size) => this.#staging.take(size))
      const stamps = timed ? this.#timestamps.take(dispatchCount) : undefined
      this.#encode(encoder, commands, stamps?.queries)
      reads.forEach(({ buffer, byteOffset, byteLength }, i) => {
        const { part, offset } = ranges[i]!
        if (byteLength > 0) encoder.copyBufferToBuffer(buffer, byteOffset, staging[part]!, offset, byteLength)
      })
      if (stamps !== undefined) {
        encoder.resolveQuerySet(stamps.queries, 0, 2 * dispatchCount, stamps.resolved, 0)
        const { part, offset } = ranges.at(-1)!
        encoder.copyBufferToBuffer(stamps.resolved, 0, staging[part]!, offset, dispatchCount * 16)
      }
      this.gpu.queue.submit([encoder.finish()])
      return { staging, stamps }
    })
    const { staging, stamps: timestampsOfRun } = value

    const done = staging.map((buffer, part) => buffer.mapAsync(MAP_MODE_READ, 0, sizes[part]!))
    if (staging.length === 0) done.push(this.gpu.queue.onSubmittedWorkDone())
    // Observed even where a fault throws first.
    const outcome = Promise.all(done).then(
      () => undefined,
      (thrown: unknown) => ({ thrown }),
    )
    try {
      const [failed, ...found] = await this.#wait(Promise.all([outcome, fault, ...faults]))
      const first = found.find((one) => one !== undefined)
      if (first !== undefined) throw first
      if (failed !== undefined) throw await this.#faultOfWait(failed.thrown)
    } catch (thrown) {
      for (const buffer of staging) buffer.destroy()
      throw thrown
    }
    const elapsedMs = performance.now() - startedMs
    if (timestampsOfRun !== undefined) this.#timestamps.put(timestampsOfRun)
    const mapped = staging.map((buffer, part) => buffer.getMappedRange(0, sizes[part]!))
    const views = ranges.map(({ part, offset }, i) =>
      lengths[i] === 0 ? new Uint32Array(0) : new Uint32Array(mapped[part]!, offset, lengths[i]! / 4),
    )
    const stamps = timed ? views.pop() : undefined
    try {
      const dispatchNs =
        stamps && dispatchTimes(new BigUint64Array(stamps.buffer, stamps.byteOffset, 2 * dispatchCount))
      const copies = consume === undefined ? views.map((view) => view.slice()) : []
      consume?.(views)
      return { reads: copies, dispatchNs, elapsedMs }
    } finally {
      for (const buffer of staging) {
        buffer.unmap()
        this.#staging.put(buffer)
      }
    }
  }

  #encode(encoder: GPUCommandEncoder, commands: readonly Command[], queries: GPUQuerySet | undefined): void {
    let pass: GPUComputePassEncoder | undefined
    let timedCount = 0
    const endPass = () => {
      pass?.end()
      pass = undefined
    }
    for (const command of commands) {
      if (command.kind === 'dispatch') {
        const [x, y] = splitWorkgroups(command.workgroups, this.limits.maxComputeWorkgroupsPerDimension)
        if (queries !== undefined) {
          endPass()
          const beginningOfPassWriteIndex = 2 * timedCount++
          pass = encoder.beginComputePass({
            timestampWrites: {
              querySet: queries,
              beginningOfPassWriteIndex,
              endOfPassWriteIndex: beginningOfPassWriteIndex + 1,
            },
          })
        }
        pass ??= encoder.beginComputePass()
        pass.setPipeline(command.kernel.pipeline)
        pass.setBindGroup(0, command.bindGroup)
        pass.dispatchWorkgroups(x, y)
      } else {
        endPass()
        if (command.kind === 'copy') {
          const { from, fromOffset, to, toOffset, sizeBytes } = command
          encoder.copyBufferToBuffer(from, fromOffset, to, toOffset, sizeBytes)
        } else encoder.clearBuffer(command.buffer, command.byteOffset, command.sizeBytes)
      }
    }
    endPass()
  }

  async readback(buffer: GPUBuffer, byteOffset: number, byteLength: number): Promise<Uint32Array> {
    const { reads } = await this.run([], { reads: [{ buffer, byteOffset, byteLength }] })
    return reads[0]!
  }

  async settle(): Promise<void> {
    this.#assertUsable()
    const faults = this.#pending
    this.#pending = []
    const first = (await this.#wait(Promise.all(faults))).find((fault) => fault !== undefined)
    if (first !== undefined) throw first
  }

  destroy(): void {
    if (this.#destroyed) return
    this.#destroyed = true
    this.#lostError ??= new DeviceLostError('the device was destroyed')
    for (const reject of this.#openWaits) reject(this.#lostError)
    this.#openWaits.clear()
    this.#staging.destroy()
    this.#timestamps.destroy()
    this.gpu.destroy()
  }

  #assertUsable(): void {
    if (this.#lostError !== undefined) throw this.#lostError
  }

  /** Runs calls whose faults are known later; the next wait reports them. */
  #later<T>(label: string, work: () => T): T {
    const { value, fault } = scoped(this.gpu, label, work)
    this.#pending.push(fault)
    return value
  }

  /** Awaits device work, after `spinMs` without a core. The device's loss ends it. */
  #wait<T>(pending: Promise<T>, spinMs = this.software ? SPIN_MS : HARDWARE_SPIN_MS): Promise<T> {
    const wait = new Promise<T>((resolve, reject) => {
      if (this.#lostError !== undefined) {
        reject(this.#lostError)
        return
      }
      this.#openWaits.add(reject)
      pending.then(resolve, reject).finally(() => this.#openWaits.delete(reject))
    })
    return throttledWait(wait, spinMs)
  }

  /** A map that was rejected: by the device's loss, whose own news may come a moment later, or by a fault of ours. */
  async #faultOfWait(thrown: unknown): Promise<unknown> {
    await this.#wait(new Promise((resolve) => setTimeout(resolve, LOSS_NEWS_MS)))
    const message = thrown instanceof Error ? (thrown.message.split('\n', 1)[0] ?? '') : String(thrown)
    return new ValidationError(`readback: ${message}`, { cause: thrown })
  }
}

const LOSS_NEWS_MS = 50
