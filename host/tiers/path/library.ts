import { PRELUDE } from '../../../kernels/linked.generated.ts'
import {
  type PathKernel,
  type PathKey,
  type RecordedTransaction,
  type RecordState,
  transpilePath,
} from '../../../transpiler/index.ts'
import { Measured } from '../../batch/measured.ts'
import type { ExitReason } from '../../batch/reason.ts'
import type { ComputeDevice } from '../../device/compute_device.ts'
import { faultReason, faultText } from '../../device/fault.ts'
import { type Kernel, ShaderCompileError } from '../../device/kernel.ts'
import type { CodeMove } from '../../state/tables/code_table.ts'
import { PathKeys } from './keys.ts'
import { type PathPlan, planPath } from './plan.ts'
import type { PathStore } from './store/store.ts'

/** Paths kept for one key; a key with more ways than this goes to the CPU tier for the rest. */
const MAX_PATHS_PER_KEY = 8
/** Recordings of one key that gave no new path before it is left alone. */
const MAX_FRUITLESS_RECORDINGS = 6
/** After each of them it takes so many times more transactions to try again. */
const FRUITLESS_FACTOR = 4

/**
 * A recorded path and what became of its own kernels, one for each part. Its other form is a path program.
 *
 * @internal
 */
export interface PathCandidate {
  readonly plan: PathPlan
  readonly hasProgram: boolean
  /** About what it takes without its kernels. */
  readonly sizeBytes: number
  /** A compilation of its own kernels was started, or will never be. */
  started: boolean
  /** Absent until they have compiled. */
  kernels?: readonly Kernel[]
  failure?: ExitReason
  /** Lanes that ended on this path. */
  lanes: number
  /** Those of them that ran it as a program. */
  programLanes: number
}

/**
 * What the executor knows of one path key (transpiler/path_kernel.ts): its paths, most used first, and how much work
 * the CPU tier did for want of one.
 *
 * @internal
 */
export interface PathKeyState {
  readonly candidates: PathCandidate[]
  /** Lanes that the CPU tier executed because no path took them. */
  lanesOwed: number
  fruitless: number
  refusal?: ExitReason
  /** Counts `trim` calls: when a call of this key was last met. */
  usedAt: number
}

/** Weight of the newest measurement in a running mean. */
const NEWEST = 0.25
/** A program takes this much longer than the path's own kernel (decision 0009: 4 to 5 times). */
const PROGRAM_FACTOR = 4

/** Recorded paths by key, what they cost, and their own kernels. @internal */
export class PathLibrary {
  keys: PathKeyState[] = []
  readonly #accessLists = new Map<string, number>()
  #lastAccessList = 0
  #trims = 0
  /** What keys, paths and names of access lists take. */
  #bytes = 0
  /** Own kernels of the paths. */
  #kernels = 0
  readonly measured: Measured
  /** What went wrong with compilations, in words. */
  readonly failures: string[] = []
  #ids = new PathKeys()
  readonly #store: PathStore | undefined
  readonly #hinted = new Map<PathPlan, readonly Kernel[]>()
  readonly #unhinted = new Set<PathPlan>()
  /** Devices so far, and the present one. */
  #devices = 0
  #device: ComputeDevice | undefined
  /** Measured compilation time over the path's own estimate: below 1 where the driver keeps a cache. */
  #compileRatio = 1
  /** Measured wall milliseconds of one recording; a guess before the first. */
  recordMs = 10
  /** Measured wall microseconds of one value of a path program in one lane; a guess before the first. */
  programUs = 0.08

  constructor(store?: PathStore, measured = new Measured()) {
    this.#store = store
    this.measured = measured
  }

  /**
   * Id of a path key. `selector` as in PathKey: -1 where calldata is shorter than four bytes; `traits` are all other
   * fields as a number. Where it is the length of `keys`, the key is new: `open` it.
   */
  keyId(skeleton: number, selector: number, calldataBytes: number, traits: number): number {
    return this.#ids.id(skeleton, selector, calldataBytes, traits)
  }

  /** A small number for an access list by name (PathKey.accessList); 0 for none. */
  accessListId(name: string | undefined): number {
    if (name === undefined) return 0
    const known = this.#accessLists.get(name)
    if (known !== undefined) return known
    this.#accessLists.set(name, ++this.#lastAccessList)
    this.#bytes += nameBytes(name)
    return this.#lastAccessList
  }

  /** Opens the key whose id `keyId` has just given, with what the path store has for it. */
  open(key: PathKey): void {
    const kept = this.#store?.load(key).slice(0, MAX_PATHS_PER_KEY) ?? []
    const opened = { candidates: kept.map(candidateOf), lanesOwed: 0, fruitless: 0, usedAt: this.#trims }
    this.keys.push(opened)
    this.#bytes += keyBytes(opened)
  }

  /** Calls of this key stand in the open batch. */
  noteUse(key: PathKeyState): void {
    key.usedAt = this.#trims
  }

  /** Bytes of keys and paths, and of their kernels, about. */
  get sizeBytes(): number {
    return this.#ids.sizeBytes + this.#bytes + KERNEL_BYTES * (this.#kernels + this.#hinted.size)
  }

  /**
   * Between batches: goes on with the skeleton ids of another code table, and past `mostBytes` drops the keys that were
   * met longest ago, with their paths, to half of that. Ids of keys are others then.
   */
  trim(move: CodeMove | undefined, mostBytes: number): void {
    this.#trims++
    const isOver = this.sizeBytes > mostBytes
    if (move === undefined && !isOver) return
    const kept = isOver ? this.#youngest(mostBytes / 2) : this.keys.map((_, id) => id)
    const dropped = new Set(this.keys)
    for (const id of kept) dropped.delete(this.keys[id]!)
    for (const { candidates } of dropped)
      for (const { plan } of candidates) {
        this.#hinted.delete(plan)
        this.#unhinted.delete(plan)
      }
    const lists = new Set(kept.map((id) => Math.floor(this.#ids.traitsOf(id) / 2)))
    for (const [name, list] of this.#accessLists) if (!lists.has(list)) this.#accessLists.delete(name)
    const skeletonId = (id: number): number => (move === undefined ? id : move.to.skeletonId(move.from.skeletonKey(id)))
    this.#ids = this.#ids.kept(kept, skeletonId)
    this.keys = kept.map((id) => this.keys[id]!)
    this.#count()
  }

  #count(): void {
    this.#bytes = 0
    this.#kernels = 0
    for (const name of this.#accessLists.keys()) this.#bytes += nameBytes(name)
    for (const key of this.keys) {
      this.#bytes += keyBytes(key)
      for (const { kernels = [] } of key.candidates) this.#kernels += kernels.length
    }
  }

  /** Keys that were met last, in so many bytes, in the order of their ids. */
  #youngest(mostBytes: number): number[] {
    const { keys } = this
    const kept: number[] = []
    let bytes = 0
    for (const id of keys.map((_, n) => n).sort((a, b) => keys[b]!.usedAt - keys[a]!.usedAt || a - b)) {
      bytes += keyBytes(keys[id]!) + kernelBytes(keys[id]!)
      if (bytes > mostBytes) break
      kept.push(id)
    }
    return kept.sort((a, b) => a - b)
  }

  /** Whether recording a path is worth it for `lanes` more transactions of this key. */
  isWorthRecording(key: PathKeyState, lanes: number, recordFrom: number | undefined): boolean {
    if (key.candidates.length >= MAX_PATHS_PER_KEY || key.fruitless >= MAX_FRUITLESS_RECORDINGS) return false
    const wanted = (key.lanesOwed + lanes) / FRUITLESS_FACTOR ** key.fruitless
    return recordFrom !== undefined ? wanted >= recordFrom : wanted * this.measured.cpuMs > this.recordMs
  }

  /**
   * Whether the path's own kernels are worth their compilation for `lanes` transactions that the CPU tier would
   * execute.
   */
  isWorthCompiling(plan: PathPlan, lanes: number, recordFrom: number | undefined): boolean {
    if (recordFrom !== undefined) return lanes >= recordFrom
    return lanes * this.measured.cpuMs > this.#compileMsOf(plan)
  }

  /** Whether the lanes that ran as a program so far would have paid for the path's own kernels. */
  hasEarnedKernels({ plan, programLanes, started }: PathCandidate): boolean {
    if (started) return false
    const laneMs = (plan.kernel.report.liveValues * this.programUs) / 1000
    return programLanes * laneMs * (1 - 1 / PROGRAM_FACTOR) > this.#compileMsOf(plan)
  }

  #compileMsOf(plan: PathPlan): number {
    return plan.kernel.report.compileMs * this.#compileRatio
  }

  /** Records the path of a transaction of this key. Returns the new candidate, or the reason why there is none. */
  async record(
    key: PathKeyState,
    transaction: RecordedTransaction,
    state: RecordState,
  ): Promise<PathCandidate | ExitReason> {
    key.lanesOwed = 0
    const startedMs = performance.now()
    const result = await transpilePath(transaction, state)
    this.recordMs = mean(this.recordMs, performance.now() - startedMs)
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
    this.#store?.save(kernel)
    const candidate = candidateOf(kernel)
    key.candidates.push(candidate)
    this.#bytes += candidate.sizeBytes
    return candidate
  }

  /**
   * From now on kernels run on this device. They belong to the one that compiled them, and so does its refusal of them.
   */
  onDevice(device: ComputeDevice): void {
    if (device === this.#device) return
    this.#device = device
    this.#devices++
    this.#hinted.clear()
    this.#unhinted.clear()
    for (const { candidates } of this.keys)
      for (const candidate of candidates) {
        candidate.started = false
        delete candidate.kernels
        delete candidate.failure
      }
    this.#kernels = 0
  }

  /** Compiles the own kernels of a candidate; resolves when it has them, or its failure. */
  async compile(candidate: PathCandidate, device: ComputeDevice): Promise<void> {
    candidate.started = true
    const { kernel } = candidate.plan
    if (kernel.parts.length === 0) return
    const devices = this.#devices
    try {
      const kernels = await this.#compileParts(kernel, kernel.parts, device)
      if (devices !== this.#devices) return
      candidate.kernels = kernels
      this.#kernels += kernels.length
    } catch (thrown) {
      if (devices !== this.#devices) return
      candidate.failure = thrown instanceof ShaderCompileError ? 'shader did not compile' : faultReason(thrown)
      this.failures.push(faultText(thrown))
    }
  }

  /** The kernels of a path for lanes with hints, where they were compiled. */
  knownHintedKernels(plan: PathPlan): readonly Kernel[] | undefined {
    return this.#hinted.get(plan)
  }

  /**
   * The kernels of a path for lanes with hints, compiled when `lanes` of them are the first to pay for it. Undefined
   * where they do not, or where the driver refuses them.
   */
  async hintedKernels(
    plan: PathPlan,
    lanes: number,
    device: ComputeDevice,
    recordFrom: number | undefined,
  ): Promise<readonly Kernel[] | undefined> {
    const known = this.#hinted.get(plan)
    if (known !== undefined || this.#unhinted.has(plan)) return known
    if (!this.isWorthCompiling(plan, lanes, recordFrom) || plan.kernel.hintedParts.length === 0) return undefined
    try {
      const kernels = await this.measured.waitFor(this.#compileParts(plan.kernel, plan.kernel.hintedParts, device))
      this.#hinted.set(plan, kernels)
      return kernels
    } catch (thrown) {
      if (!(thrown instanceof ShaderCompileError)) throw thrown
      this.failures.push(faultText(thrown))
      this.#unhinted.add(plan)
      return undefined
    }
  }

  /** Takes what a wave of programs took for its cost: `values` is the sum of lanes times live values. */
  notePrograms(values: number, elapsedMs: number): void {
    this.programUs = mean(this.programUs, (1000 * elapsedMs) / values)
  }

  /** The key's most used paths first. */
  static rank(key: PathKeyState): void {
    if (key.candidates.length > 1) key.candidates.sort((a, b) => b.lanes - a.lanes)
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
    this.#compileRatio = (this.#compileRatio + elapsedMs / Math.max(1, kernel.report.compileMs)) / 2
    return kernels
  }
}

/** Of a key with its name and of a name in a map; of a pipeline, which WebGPU does not say; of a guard. */
const ENTRY_BYTES = 512
const KERNEL_BYTES = 1 << 16
const GUARD_BYTES = 256

const nameBytes = (name: string): number => ENTRY_BYTES + name.length

const keyBytes = ({ candidates }: PathKeyState): number =>
  candidates.reduce((sum, { sizeBytes }) => sum + sizeBytes, ENTRY_BYTES)

const kernelBytes = ({ candidates }: PathKeyState): number =>
  candidates.reduce((sum, { kernels = [] }) => sum + KERNEL_BYTES * kernels.length, 0)

/** Texts have a byte a character. */
const sizeOf = ({ parts, hintedParts, guards, program }: PathKernel): number => {
  let bytes = 8 * ENTRY_BYTES
  for (const text of [...parts, ...hintedParts]) bytes += text.length
  for (const { meaning } of guards) bytes += GUARD_BYTES + meaning.length
  return program === undefined ? bytes : bytes + program.code.byteLength + program.constants.byteLength
}

const candidateOf = (kernel: PathKernel): PathCandidate => ({
  plan: planPath(kernel),
  hasProgram: kernel.program !== undefined,
  sizeBytes: sizeOf(kernel),
  started: false,
  lanes: 0,
  programLanes: 0,
})

const mean = (before: number, newest: number): number => before + NEWEST * (newest - before)
