import { PRELUDE } from '../../kernels/linked.generated.ts'
import { type PathKernel, type RecordedTransaction, type RecordState, transpilePath } from '../../transpiler/index.ts'
import type { ComputeDevice } from '../device/compute_device.ts'
import { type Kernel, ShaderCompileError } from '../device/kernel.ts'
import { faultReason, faultText } from './device_fault.ts'
import type { ExitReason } from './exit_reason.ts'
import { type PathPlan, planPath } from './path_plan.ts'

/** Paths kept for one key; a key with more ways than this goes to the CPU tier for the rest. */
export const MAX_PATHS_PER_KEY = 8
/** Recordings of one key that gave no new path before it is left alone. */
const MAX_FRUITLESS_RECORDINGS = 6
/** What a recording costs, at most, in milliseconds of the CPU tier. */
const RECORDING_MS = 20

export type CompileMode = 'wait' | 'background' | 'never'

/** A recorded path and the state of its kernels on the device, one for each part. */
export interface PathCandidate {
  readonly plan: PathPlan
  /** A compilation was started. */
  started: boolean
  /** Absent until it has compiled. */
  kernels?: readonly Kernel[]
  failure?: ExitReason
  /** Lanes that ended on this path. */
  lanes: number
}

/**
 * What the executor knows of one path key (transpiler/path_kernel.ts): its paths, most used first, and how much work the CPU
 * tier did for want of one.
 */
export interface PathKeyState {
  readonly candidates: PathCandidate[]
  /** Lanes that the CPU tier executed because no path took them. */
  lanesOwed: number
  fruitless: number
  refusal?: ExitReason
}

/** Recorded paths by key, in flat columns so that routing makes no objects: key id by (skeleton, selector, size, value zero). */
export class PathLibrary {
  readonly keys: PathKeyState[] = []
  /** Wall milliseconds of compilation, driver included, by kernel. */
  readonly compileMs: number[] = []
  /** What went wrong with compilations, in words. */
  readonly failures: string[] = []
  readonly #hinted = new Map<PathPlan, readonly Kernel[]>()
  readonly #unhinted = new Set<PathPlan>()
  readonly #fields = new GrowingFields()
  #index = new Int32Array(64)
  #last = -1
  /** Measured compilation time over the path's own estimate: below 1 where the driver keeps a cache. */
  #compileRatio = 1
  /** Measured wall milliseconds of one transaction on the CPU tier; a guess before the first. */
  cpuMs = 1

  /** Id of a path key. `selector` as in PathKey: -1 where calldata is shorter than four bytes. */
  keyId(skeleton: number, selector: number, calldataBytes: number, valueIsZero: boolean): number {
    const zero = valueIsZero ? 1 : 0
    const fields = this.#fields
    if (this.#last >= 0 && fields.equal(this.#last, skeleton, selector, calldataBytes, zero)) return this.#last
    const mask = this.#index.length - 1
    let bucket = hashKey(skeleton, selector, calldataBytes, zero) & mask
    for (;;) {
      const id = this.#index[bucket]! - 1
      if (id < 0) break
      if (fields.equal(id, skeleton, selector, calldataBytes, zero)) {
        this.#last = id
        return id
      }
      bucket = (bucket + 1) & mask
    }
    const id = this.keys.length
    this.keys.push({ candidates: [], lanesOwed: 0, fruitless: 0 })
    fields.push(skeleton, selector, calldataBytes, zero)
    this.#index[bucket] = id + 1
    if (2 * this.keys.length > this.#index.length) this.#rehash()
    this.#last = id
    return id
  }

  /** Whether recording a path is worth it for `lanes` more transactions of this key. */
  isWorthRecording(key: PathKeyState, lanes: number, recordFrom: number | undefined): boolean {
    if (key.candidates.length >= MAX_PATHS_PER_KEY || key.fruitless >= MAX_FRUITLESS_RECORDINGS) return false
    if (recordFrom !== undefined) return key.lanesOwed + lanes >= recordFrom
    return (key.lanesOwed + lanes) * this.cpuMs > RECORDING_MS
  }

  /** Whether kernels of this path are worth their compilation for `lanes` transactions. */
  isWorthCompiling(plan: PathPlan, lanes: number, recordFrom: number | undefined): boolean {
    if (recordFrom !== undefined) return lanes >= recordFrom
    return lanes * this.cpuMs > plan.kernel.report.compileMs * this.#compileRatio
  }

  /** Records the path of a transaction of this key. Returns the new candidate, or the reason why there is none. */
  async record(
    key: PathKeyState,
    transaction: RecordedTransaction,
    state: RecordState,
  ): Promise<PathCandidate | ExitReason> {
    const result = await transpilePath(transaction, state)
    if (result.kind === 'unsupported') {
      key.fruitless++
      key.refusal = `not transpiled: ${result.reason}`
      return key.refusal
    }
    const { kernel } = result
    if (key.candidates.some((candidate) => candidate.plan.kernel.id === kernel.id)) {
      key.fruitless++
      return 'no path'
    }
    const candidate: PathCandidate = { plan: planPath(kernel), lanes: 0, started: false }
    key.candidates.push(candidate)
    return candidate
  }

  /** Compiles a candidate; resolves when it has its kernels, or its failure. */
  async compile(key: PathKeyState, candidate: PathCandidate, device: ComputeDevice): Promise<void> {
    candidate.started = true
    key.lanesOwed = 0
    const { kernel } = candidate.plan
    try {
      candidate.kernels = await this.#compileParts(kernel, kernel.parts, device)
    } catch (thrown) {
      candidate.failure = thrown instanceof ShaderCompileError ? 'shader did not compile' : faultReason(thrown)
      this.failures.push(faultText(thrown))
    }
  }

  /**
   * The kernels of a path for lanes with hints, compiled when `lanes` of them are the first to pay for it. Undefined where
   * they do not, or where the driver refuses them.
   */
  async hintedKernels(
    plan: PathPlan,
    lanes: number,
    device: ComputeDevice,
    recordFrom: number | undefined,
  ): Promise<readonly Kernel[] | undefined> {
    const known = this.#hinted.get(plan)
    if (known !== undefined || this.#unhinted.has(plan)) return known
    if (!this.isWorthCompiling(plan, lanes, recordFrom)) return undefined
    try {
      const kernels = await this.#compileParts(plan.kernel, plan.kernel.hintedParts, device)
      this.#hinted.set(plan, kernels)
      return kernels
    } catch (thrown) {
      if (!(thrown instanceof ShaderCompileError)) throw thrown
      this.failures.push(faultText(thrown))
      this.#unhinted.add(plan)
      return undefined
    }
  }

  /** The key's most used paths first. */
  static rank(key: PathKeyState): void {
    key.candidates.sort((a, b) => b.lanes - a.lanes)
  }

  async #compileParts(kernel: PathKernel, parts: readonly string[], device: ComputeDevice): Promise<readonly Kernel[]> {
    const startedMs = performance.now()
    const kernels = await Promise.all(
      parts.map((part, index) =>
        device.kernel({
          label: `path ${kernel.id.slice(0, 8)} part ${index}`,
          wgsl: PRELUDE + part,
          entryPoint: kernel.entryPoint,
          bindings: 'execution',
        }),
      ),
    )
    await Promise.all(kernels.map((part) => part.warmUp()))
    const elapsedMs = performance.now() - startedMs
    this.compileMs.push(elapsedMs)
    this.#compileRatio = (this.#compileRatio + elapsedMs / Math.max(1, kernel.report.compileMs)) / 2
    return kernels
  }

  #rehash(): void {
    this.#index = new Int32Array(2 * this.#index.length)
    const mask = this.#index.length - 1
    for (let id = 0; id < this.keys.length; id++) {
      let bucket = this.#fields.hash(id) & mask
      while (this.#index[bucket] !== 0) bucket = (bucket + 1) & mask
      this.#index[bucket] = id + 1
    }
  }
}

const hashKey = (skeleton: number, selector: number, calldataBytes: number, zero: number): number => {
  let hash = Math.imul(skeleton, 0x9e3779b1) ^ selector
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b) ^ (2 * calldataBytes + zero)
  hash = Math.imul(hash, 0xc2b2ae35)
  return hash ^ (hash >>> 13)
}

/** f64[4 keys]: skeleton, selector, calldata bytes, value zero. Doubles, since a selector is -1 or any u32. */
class GrowingFields {
  #fields = new Float64Array(4 * 32)
  #count = 0

  push(skeleton: number, selector: number, calldataBytes: number, zero: number): void {
    if (4 * this.#count === this.#fields.length) {
      const grown = new Float64Array(2 * this.#fields.length)
      grown.set(this.#fields)
      this.#fields = grown
    }
    this.#fields.set([skeleton, selector, calldataBytes, zero], 4 * this.#count++)
  }

  equal(id: number, skeleton: number, selector: number, calldataBytes: number, zero: number): boolean {
    const fields = this.#fields
    const at = 4 * id
    return (
      fields[at] === skeleton &&
      fields[at + 1] === selector &&
      fields[at + 2] === calldataBytes &&
      fields[at + 3] === zero
    )
  }

  hash(id: number): number {
    const fields = this.#fields
    return hashKey(fields[4 * id]!, fields[4 * id + 1]!, fields[4 * id + 2]!, fields[4 * id + 3]!)
  }
}
