import { createHash } from 'node:crypto'
import { type Binding, EXECUTION_BINDINGS, layoutKey } from './binding.ts'
import { type Scoped, scoped } from './fault.ts'
import { COPY_DST, STAGE_COMPUTE, STORAGE, UNIFORM } from './usage.ts'

/** @internal */
export interface KernelSource {
  /** Names the kernel in messages. */
  readonly label: string
  readonly wgsl: string
  readonly entryPoint: string
  readonly bindings: 'execution' | readonly Binding[]
}

/** A compiled `@compute` entry. @internal */
export interface Kernel {
  readonly label: string
  readonly entryPoint: string
  readonly bindings: readonly Binding[]
  /** Kernels with equal bindings share it, and so their bind groups. */
  readonly layout: GPUBindGroupLayout
  readonly pipeline: GPUComputePipeline
  /** Wall time of the pipeline's creation. lavapipe compiles later: see `warmUp`. */
  readonly compileMs: number
  /**
   * Dispatches one workgroup on zeroed buffers and awaits it; returns its wall milliseconds. Execution kernels see lane
   * count 0 and return at once, so this is the time of the driver's own compiler, which lavapipe starts at the first
   * dispatch. Runs once; later calls return the first result.
   */
  warmUp(): Promise<number>
}

/**
 * One message of the compiler, with its position in the WGSL.
 *
 * Example: {@link ShaderCompileError}.
 */
export interface ShaderMessage {
  /** 1-based; 0 where the message has no position. */
  readonly line: number
  readonly column: number
  readonly message: string
}

/**
 * The WGSL does not compile, or the driver refuses the pipeline. `excerpt` shows the lines around the first message.
 *
 * @example
 * import { ShaderCompileError } from 'wgevm'
 *
 * const messages = [{ line: 2, column: 3, message: 'expected a statement' }]
 * const error = new ShaderCompileError('path', 'fn f() {\n  1;\n}', messages)
 * console.log(error.messages[0]?.line) // 2
 */
export class ShaderCompileError extends Error {
  override readonly name = 'ShaderCompileError'
  readonly messages: readonly ShaderMessage[]
  readonly excerpt: string
  constructor(label: string, wgsl: string, messages: readonly ShaderMessage[], cause?: unknown) {
    const first = messages[0]
    const at = first !== undefined && first.line > 0 ? ` (line ${first.line}:${first.column})` : ''
    super(`kernel ${label}: ${first?.message ?? 'does not compile'}${at}`, { cause })
    this.messages = messages
    this.excerpt = first === undefined ? '' : excerptOf(wgsl, first)
  }
}

const CONTEXT_LINES = 2

/** The lines around a message, numbered, with a marker under its column. @internal */
export const excerptOf = (wgsl: string, { line, column }: ShaderMessage): string => {
  if (line === 0) return ''
  const lines = wgsl.split('\n')
  const from = Math.max(1, line - CONTEXT_LINES)
  const to = Math.min(lines.length, line + CONTEXT_LINES)
  const width = String(to).length
  const shown: string[] = []
  for (let n = from; n <= to; n++) {
    shown.push(`${String(n).padStart(width)} | ${lines[n - 1] ?? ''}`)
    if (n === line) shown.push(`${' '.repeat(width)} | ${' '.repeat(Math.max(0, column - 1))}^`)
  }
  return shown.join('\n')
}

/** What a kernel cache asks of its device. @internal */
export interface KernelDevice {
  readonly gpu: GPUDevice
  /** Awaits a compilation without spinning a core; rejects when the device is lost. */
  wait<T>(pending: Promise<T>): Promise<T>
  /** Dispatches and awaits completion; rejects with a typed fault. */
  dispatchOnce(kernel: Kernel, bindGroup: GPUBindGroup): Promise<void>
  /** One step of a compilation, the pipeline or the first dispatch, may take so long. */
  readonly compileLimitMs: number
}

/** Kernels that are remembered; one that was asked for longer ago lives as long as what asked for it keeps it. */
const MOST_KERNELS = 1024

const SCRATCH_BYTES = { uniform: 4096, storage: 65536, 'read-only-storage': 65536 } as const

/**
 * Pipelines by content: the same text, entry and layout give the same Kernel. Layouts are explicit, since an `auto`
 * layout defeats Dawn's own pipeline cache, and shared, so one bind group serves every execution kernel.
 *
 * @internal
 */
export class KernelCache {
  readonly #device: KernelDevice
  readonly #kernels = new Map<string, Promise<Kernel>>()
  readonly #layouts = new Map<string, { bindGroup: GPUBindGroupLayout; pipeline: GPUPipelineLayout }>()
  readonly #scratch = new Map<string, GPUBindGroup>()

  constructor(device: KernelDevice) {
    this.#device = device
  }

  kernel(source: KernelSource): Promise<Kernel> {
    const bindings = source.bindings === 'execution' ? EXECUTION_BINDINGS : source.bindings
    const hash = createHash('sha256').update(source.wgsl).digest('hex')
    const key = `${hash} ${source.entryPoint} ${layoutKey(bindings)}`
    const known = this.#kernels.get(key)
    if (known !== undefined) {
      // The one that was asked for last stands last.
      this.#kernels.delete(key)
      this.#kernels.set(key, known)
      return known
    }
    const kernel = this.#compile(source, bindings)
    this.#kernels.set(key, kernel)
    for (const oldest of this.#kernels.keys()) {
      if (this.#kernels.size <= MOST_KERNELS) break
      this.#kernels.delete(oldest)
    }
    kernel.catch((thrown: unknown) => {
      // A text that does not compile will not compile the next time; anything else may pass.
      if (!(thrown instanceof ShaderCompileError)) this.#kernels.delete(key)
    })
    return kernel
  }

  async #compile({ label, wgsl, entryPoint }: KernelSource, bindings: readonly Binding[]): Promise<Kernel> {
    const { gpu } = this.#device
    const startedMs = performance.now()
    const work = scoped(gpu, `kernel ${label}`, () => {
      const layout = this.#layout(bindings)
      const module = gpu.createShaderModule({ label, code: wgsl })
      const pending = gpu.createComputePipelineAsync({
        label,
        layout: layout.pipeline,
        compute: { module, entryPoint },
      })
      return { layout, module, pending }
    })
    const { layout, module, pending } = work.value
    let pipeline: GPUComputePipeline
    try {
      pipeline = await this.#limited(label, wgsl, this.#device.wait(pending))
    } catch (thrown) {
      throw await this.#compileError(label, wgsl, module, work, thrown)
    }
    const compileMs = performance.now() - startedMs
    let warmed: Promise<number> | undefined
    const kernel: Kernel = {
      label,
      entryPoint,
      bindings,
      layout: layout.bindGroup,
      pipeline,
      compileMs,
      warmUp: () => {
        if (warmed === undefined) {
          warmed = this.#limited(label, wgsl, this.#warmUp(kernel))
          warmed.catch((thrown: unknown) => {
            if (!(thrown instanceof ShaderCompileError)) warmed = undefined
          })
        }
        return warmed
      },
    }
    return kernel
  }

  /** Rejects where a step of a compilation passes its limit. The driver goes on with it, and its result is dropped. */
  async #limited<T>(label: string, wgsl: string, pending: Promise<T>): Promise<T> {
    const limitMs = this.#device.compileLimitMs
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      const message = `not compiled after ${limitMs / 1000} s, the limit for one kernel`
      timer = setTimeout(() => reject(new ShaderCompileError(label, wgsl, [{ line: 0, column: 0, message }])), limitMs)
    })
    try {
      return await Promise.race([pending, late])
    } finally {
      clearTimeout(timer)
      pending.catch(() => undefined)
    }
  }

  /** The typed form of a failed compilation; a fault of the device passes through. */
  async #compileError(
    label: string,
    wgsl: string,
    module: GPUShaderModule,
    work: Scoped<unknown>,
    thrown: unknown,
  ): Promise<unknown> {
    if (!(thrown instanceof Error) || thrown.name !== 'GPUPipelineError') return thrown
    const { messages } = await this.#device.wait(module.getCompilationInfo())
    const errors = messages
      .filter(({ type }) => type === 'error')
      .map(({ lineNum, linePos, message }) => ({ line: lineNum, column: linePos, message }))
    if (errors.length > 0) return new ShaderCompileError(label, wgsl, errors, thrown)
    const fault = await this.#device.wait(work.fault)
    if (fault?.name === 'OutOfMemoryError') return fault
    const message = (fault ?? thrown).message.split('\n', 1)[0] ?? ''
    return new ShaderCompileError(label, wgsl, [{ line: 0, column: 0, message }], thrown)
  }

  #layout(bindings: readonly Binding[]): { bindGroup: GPUBindGroupLayout; pipeline: GPUPipelineLayout } {
    const { gpu } = this.#device
    const key = layoutKey(bindings)
    const known = this.#layouts.get(key)
    if (known !== undefined) return known
    const bindGroup = gpu.createBindGroupLayout({
      entries: bindings.map(({ binding, type }) => ({ binding, visibility: STAGE_COMPUTE, buffer: { type } })),
    })
    const layout = { bindGroup, pipeline: gpu.createPipelineLayout({ bindGroupLayouts: [bindGroup] }) }
    this.#layouts.set(key, layout)
    return layout
  }

  async #warmUp(kernel: Kernel): Promise<number> {
    const { gpu } = this.#device
    const key = layoutKey(kernel.bindings)
    let bindGroup = this.#scratch.get(key)
    if (bindGroup === undefined) {
      const entries = kernel.bindings.map(({ binding, type }) => {
        const usage = (type === 'uniform' ? UNIFORM : STORAGE) | COPY_DST
        return {
          binding,
          resource: { buffer: gpu.createBuffer({ label: 'warm-up', size: SCRATCH_BYTES[type], usage }) },
        }
      })
      bindGroup = gpu.createBindGroup({ layout: kernel.layout, entries })
      this.#scratch.set(key, bindGroup)
    }
    const startedMs = performance.now()
    await this.#device.dispatchOnce(kernel, bindGroup)
    return performance.now() - startedMs
  }
}
