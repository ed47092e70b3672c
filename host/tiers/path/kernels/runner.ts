import {
  BINDINGS,
  ENVIRONMENT_BYTES,
  ENVIRONMENT_SKELETONS_AT,
  ENVIRONMENT_WORDS,
  ENVIRONMENT_WORDS_AT,
  WORKGROUP_SIZE,
} from '../../../../transpiler/layout/environment.ts'
import { LIMBS_PER_WORD } from '../../../../transpiler/layout/word.ts'
import { EXIT_MISS, HINT_COLUMNS } from '../../../../transpiler/path_kernel.ts'
import type { DeviceCosts } from '../../../batch/cost.ts'
import type { Policy } from '../../../batch/policy.ts'
import { type BlockEnvironment, environmentValues } from '../../../chain/environment.ts'
import type { BufferLease } from '../../../device/buffer_pool.ts'
import type { BoundBuffer, BufferRange, Command, ComputeDevice } from '../../../device/compute_device.ts'
import { faultText } from '../../../device/fault.ts'
import type { Kernel } from '../../../device/kernel.ts'
import { chunkLanes } from '../../../device/lanes.ts'
import { wordFromBigInt } from '../../../primitives/word.ts'
import type { DeviceSession } from '../../../session/device_session.ts'
import type { ResidentState } from '../../../state/tables/resident_tables.ts'
import { gatherHints, gatherLanes, type PathGroup, type PathSource, slotPlaces, storePlaces } from '../columns.ts'
import { jobsForDevice } from '../cost.ts'
import { HostRunner } from '../inline/runner.ts'
import type { PathJob, StartedJobs } from '../job.ts'
import { orEnd, subJob, WaveHalves } from '../job_halves.ts'
import { COLUMN_BYTES, COLUMN_LIMBS, type PathPlan } from '../plan.ts'
import { ProgramRunner } from '../programs/runner.ts'

type KernelJob = PathJob & { readonly kernels: readonly Kernel[] }

/** In smaller waves the fixed costs are most of what they take. */
const LEAST_MEASURED_VALUES = 200_000

/** `closed`: it was not asked for. */
export type ProgramState = 'closed' | 'opening' | 'ready' | 'refused'

export interface RunnerTimings {
  upload: number
  execute: number
  readback: number
}

/**
 * Runs lanes on one device: gathers and uploads their columns, dispatches every job of a wave in one submission, reads
 * the results back. Lanes beyond the device's limits make further groups, counted in `chunks`.
 */
export class PathRunner {
  readonly device: ComputeDevice
  readonly host: HostRunner
  /** Told what large waves of programs took: lanes times live values, and milliseconds. */
  onPrograms: ((values: number, elapsedMs: number) => void) | undefined
  /** Programs may run on the host: where lanes are too few for a wave, and until the device is ready. */
  readonly mayUseHost: boolean
  /** What waves take on this device. */
  readonly costs: DeviceCosts
  readonly #timings: RunnerTimings = { upload: 0, execute: 0, readback: 0 }
  #chunks = 0
  #laneBytes = 0
  readonly #waves: WaveHalves
  readonly #resident: ResidentState
  readonly #chainId: bigint
  readonly session: DeviceSession
  readonly #programRunner: ProgramRunner
  #programState: ProgramState = 'closed'
  #opening: Promise<string | undefined> | undefined
  /** Paths that missed in this batch, and in the one before. */
  #missing = new Set<PathPlan>()
  #missedBefore = new Set<PathPlan>()

  constructor(session: DeviceSession, { chainId, hostPrograms, costs }: Policy) {
    const { device, resident } = session
    this.device = device
    this.session = session
    this.mayUseHost = hostPrograms
    this.costs = costs
    this.#resident = resident
    this.#chainId = chainId
    this.host = new HostRunner(resident, chainId)
    this.#programRunner = new ProgramRunner(session, chainId)
    this.#waves = new WaveHalves(
      (jobs, source, env) => this.#startOnDevice(jobs, source, env),
      () => session.makeRoom(),
    )
  }

  /** Starts the counters of a batch. */
  begin(): void {
    Object.assign(this.#timings, { upload: 0, execute: 0, readback: 0 })
    this.#chunks = 0
    this.#waves.halved = 0
    this.#laneBytes = 0
    this.#programRunner.begin()
    this.host.elapsedMs = 0
    this.#missedBefore = this.#missing
    this.#missing = new Set()
  }

  get timings(): RunnerTimings {
    const [own, programs] = [this.#timings, this.#programRunner.timings]
    return {
      upload: own.upload + programs.upload,
      execute: own.execute + programs.execute + this.host.elapsedMs,
      readback: own.readback + programs.readback,
    }
  }

  /** Dispatches that a job needed beyond its first, because of the device's limits. */
  get chunks(): number {
    return this.#chunks + this.#waves.halved + this.#programRunner.chunks
  }

  /** Most bytes of lane columns on the device: those of a wave, and what is kept of the ones before it. */
  get laneBytes(): number {
    return this.#laneBytes + this.#programRunner.laneBytes
  }

  /** Runs the jobs. Rejects with a fault of the device; nothing of the batch has changed then. */
  async run(jobs: readonly PathJob[], source: PathSource, env: BlockEnvironment): Promise<PathGroup[]> {
    return (await this.start(jobs, source, env)).finish()
  }

  /** What became of the kernel that runs path programs; jobs without kernels of their own need it `ready`. */
  get programs(): ProgramState {
    return this.#programState
  }

  /** Compiles the kernel that runs path programs, once; resolves with what went wrong, if anything did. */
  openPrograms(): Promise<string | undefined> {
    this.#opening ??= this.#openPrograms()
    return this.#opening
  }

  async #openPrograms(): Promise<string | undefined> {
    this.#programState = 'opening'
    try {
      await this.#programRunner.compile()
      this.#programState = 'ready'
      return undefined
    } catch (thrown) {
      this.#programState = 'refused'
      return faultText(thrown)
    }
  }

  /** Whether programs run at all. */
  get runsPrograms(): boolean {
    return this.#programState === 'ready' || this.mayUseHost
  }

  /**
   * Resolves when the device has the jobs. Its faults come from `finish`, whenever they happen; so do groups of the
   * host.
   */
  async start(jobs: readonly PathJob[], source: PathSource, env: BlockEnvironment): Promise<StartedJobs> {
    if (!this.mayUseHost) return this.#waves.start(jobs, source, env)
    const isReady = ({ kernels }: PathJob): boolean => kernels !== undefined || this.#programState === 'ready'
    const forDevice = jobsForDevice(jobs, this.costs).filter(isReady)
    if (forDevice.length === jobs.length) return this.#waves.start(jobs, source, env)
    const forHost = jobs.filter((job) => !forDevice.includes(job))
    const started = forDevice.length === 0 ? undefined : await this.#waves.start(forDevice, source, env)
    return {
      finish: async () => {
        const groups = await this.host.run(forHost, source, env)
        return started === undefined ? groups : [...groups, ...(await started.finish())]
      },
    }
  }

  async #startOnDevice(jobs: readonly PathJob[], source: PathSource, env: BlockEnvironment): Promise<StartedJobs> {
    const own = jobs.filter((job): job is KernelJob => job.kernels !== undefined)
    if (own.length === jobs.length) return this.#startKernels(own, source, env)
    const programs = jobs.filter(({ kernels }) => kernels === undefined)
    const first = own.length === 0 ? undefined : await this.#startKernels(own, source, env)
    const startedMs = performance.now()
    const second = await orEnd(this.#programRunner.start(programs, source, env), first)
    const startMs = performance.now() - startedMs
    return {
      finish: async () => {
        const groups = first === undefined ? [] : await orEnd(first.finish(), second)
        const waitedMs = performance.now()
        const found = await second.finish()
        this.#measure(programs, startMs + performance.now() - waitedMs)
        for (const group of found) groups.push({ ...group, isProgram: true })
        return groups
      },
    }
  }

  /** What the host does between the start and the finish of a wave is not in `elapsedMs`. */
  #measure(jobs: readonly PathJob[], elapsedMs: number): void {
    let values = 0
    for (const { plan, transactions } of jobs) values += plan.kernel.report.liveValues * transactions.length
    if (values >= LEAST_MEASURED_VALUES) this.onPrograms?.(values, elapsedMs)
  }

  async #startKernels(jobs: readonly KernelJob[], source: PathSource, env: BlockEnvironment): Promise<StartedJobs> {
    const startedMs = performance.now()
    const { blooms, pool, tables } = this.session
    await tables.open()
    const bloom = await blooms.open(jobs.map(({ plan }) => plan.blooms))
    const lease = pool.lease()
    const held = pool.lease()
    try {
      return this.#submit({ jobs, source, env, bloom, lease, held, startedMs })
    } catch (thrown) {
      lease.drop()
      held.drop()
      throw thrown
    }
  }

  #submit({ jobs, source, env, bloom, lease, held, startedMs }: Submission): StartedJobs {
    const { blooms, lanes } = this.session
    const tables = this.session.tables.sync()
    const runs: GroupRun[] = []
    for (const job of jobs)
      for (const part of this.#chunked(job)) runs.push(this.#prepare(part, source, env, tables, { lease, held }))
    const commands: Command[] = []
    const reads: BufferRange[] = []
    const hashes: Command[] = []
    const hashReads: BufferRange[] = []
    for (const run of runs) {
      const workgroups = Math.ceil(run.laneCount / WORKGROUP_SIZE)
      for (const kernel of run.job.kernels) {
        commands.push({ kind: 'dispatch', kernel, bindGroup: run.bindGroup, workgroups })
      }
      const { plan } = run.job
      const columns = this.#missedBefore.has(plan) ? plan.kernel.outputColumns : plan.resultColumns
      reads.push({ buffer: run.out, byteOffset: 0, byteLength: columns * run.laneCount * COLUMN_BYTES })
      if (bloom !== undefined) blooms.append(bloom, plan.blooms, run, hashes, hashReads, lease)
    }
    this.#laneBytes = Math.max(
      this.#laneBytes,
      runs.reduce((sum, run) => sum + run.in.size + run.out.size, lanes.sizeBytes),
    )
    const executed = this.session.tables.run(commands, { reads })
    // `finish` tells; until then a rejection must not count as unseen.
    executed.catch(() => undefined)
    const hashed = this.#hash(hashes, hashReads, executed)
    this.#timings.upload += performance.now() - startedMs
    return {
      finish: async () => {
        const waitedMs = performance.now()
        try {
          const { reads: results } = await executed
          this.#timings.execute += performance.now() - waitedMs
          const groups = await this.#groups(runs, results, hashed)
          lanes.endWave({ lease, held, bytes: runs.reduce((sum, { out }) => sum + out.size, 0) }, hashed)
          return groups
        } catch (thrown) {
          void hashed.then(() => {
            lease.drop()
            held.drop()
          })
          throw thrown
        }
      },
    }
  }

  async #groups(
    runs: readonly GroupRun[],
    results: readonly Uint32Array[],
    hashed: Promise<readonly Uint32Array[] | undefined>,
  ): Promise<PathGroup[]> {
    const startedMs = performance.now()
    const { blooms, lanes } = this.session
    const groups: PathGroup[] = []
    let firstHash = 0
    for (const [index, run] of runs.entries()) {
      const { plan, hints } = run.job
      const first = firstHash
      firstHash += blooms.readsOf(plan.blooms)
      groups.push({
        plan,
        laneCount: run.laneCount,
        transactions: run.job.transactions,
        lanesIn: run.lanesIn,
        lanesOut: await this.#withKeys(run, results[index]!),
        ...(lanes.isOn ? { onDevice: lanes.columns(run.out, 0) } : {}),
        hinted: hints !== undefined,
        slotAt: slotPlaces(plan, run.laneCount),
        storeAt: storePlaces(plan, run.laneCount),
        ...(plan.blooms.length === 0
          ? {}
          : { bloomIndices: hashed.then((found) => found && blooms.take(plan.blooms, found, first)) }),
      })
    }
    this.#timings.readback += performance.now() - startedMs
    return groups
  }

  /** Undefined where the device fails, which the session's `faults` tell: then the host hashes. */
  async #hash(
    commands: readonly Command[],
    reads: readonly BufferRange[],
    executed: Promise<unknown>,
  ): Promise<readonly Uint32Array[] | undefined> {
    if (commands.length === 0) return []
    try {
      return (await this.device.run(commands, { reads })).reads
    } catch (thrown) {
      // Where the lanes failed, their fault says it.
      const ran = await executed.then(
        () => true,
        () => false,
      )
      if (ran) this.session.faults.push(faultText(thrown))
      return undefined
    }
  }

  #chunked(job: KernelJob): KernelJob[] {
    const { plan, transactions } = job
    const inputColumns = plan.kernel.inputColumns + (job.hints === undefined ? 0 : HINT_COLUMNS * plan.slots.count)
    const outputColumns = plan.kernel.outputColumns + plan.kernel.scratchColumns
    const bytesPerLane = [inputColumns * COLUMN_BYTES, outputColumns * COLUMN_BYTES]
    const { lanesPerChunk, chunkCount } = chunkLanes(this.device, transactions.length, bytesPerLane, WORKGROUP_SIZE)
    if (chunkCount <= 1) return [job]
    this.#chunks += chunkCount - 1
    const parts: KernelJob[] = []
    for (let first = 0; first < transactions.length; first += lanesPerChunk)
      parts.push(subJob(job, first, first + lanesPerChunk))
    return parts
  }

  #prepare(
    job: KernelJob,
    source: PathSource,
    env: BlockEnvironment,
    tables: readonly BoundBuffer[],
    { lease, held }: Pick<Submission, 'lease' | 'held'>,
  ): GroupRun {
    const { plan, transactions, hints } = job
    const { kernel } = plan
    const laneCount = transactions.length
    const hintColumns = hints === undefined ? 0 : HINT_COLUMNS * plan.slots.count
    const lanesIn = new Uint32Array((kernel.inputColumns + hintColumns) * laneCount * COLUMN_LIMBS)
    gatherLanes(plan, transactions, laneCount, source, lanesIn)
    if (hints !== undefined) gatherHints(plan, transactions, hints, lanesIn)
    const input = lease.input(lanesIn.byteLength)
    const out = held.storage((kernel.outputColumns + kernel.scratchColumns) * laneCount * COLUMN_BYTES)
    const environment = lease.uniform(ENVIRONMENT_BYTES)
    this.device.upload(input, 0, lanesIn)
    this.device.upload(environment, 0, this.#environment(plan, laneCount, env))
    const bindGroup = this.device.bindGroup(job.kernels[0]!, [
      { binding: BINDINGS.environment, buffer: environment },
      { binding: BINDINGS.lanesIn, buffer: input },
      { binding: BINDINGS.lanesOut, buffer: out },
      ...tables,
    ])
    return { job, laneCount, lanesIn, in: input, out, bindGroup }
  }

  /** Layout: transpiler/layout/environment.ts. */
  #environment(plan: PathPlan, laneCount: number, env: BlockEnvironment): Uint32Array {
    const { slots, accounts, codes } = this.#resident
    const words = new Uint32Array(ENVIRONMENT_BYTES / 4)
    words[0] = laneCount
    words[2] = slots.index.mask
    words[3] = accounts.index.mask
    const values = environmentValues(env, this.#chainId)
    ENVIRONMENT_WORDS.forEach((name, i) => {
      wordFromBigInt(words, COLUMN_LIMBS * ENVIRONMENT_WORDS_AT + LIMBS_PER_WORD * i, values[name])
    })
    plan.kernel.skeletons.forEach((key, i) => {
      words[COLUMN_LIMBS * ENVIRONMENT_SKELETONS_AT + i] = codes.skeletonId(key)
    })
    return words
  }

  /**
   * Where a lane missed, the columns of looked-up keys come too. A path that missed brings them at once in the next
   * batch.
   */
  async #withKeys(run: GroupRun, lanesOut: Uint32Array): Promise<Uint32Array> {
    const { plan } = run.job
    const { resultColumns } = plan
    if (!anyMiss(lanesOut, run.laneCount)) return lanesOut
    this.#missing.add(plan)
    if (lanesOut.length === plan.kernel.outputColumns * run.laneCount * COLUMN_LIMBS) return lanesOut
    const columnBytes = run.laneCount * COLUMN_BYTES
    const keys = await this.device.readback(
      run.out,
      resultColumns * columnBytes,
      (plan.kernel.outputColumns - resultColumns) * columnBytes,
    )
    const whole = new Uint32Array(lanesOut.length + keys.length)
    whole.set(lanesOut)
    whole.set(keys, lanesOut.length)
    return whole
  }
}

interface Submission {
  readonly jobs: readonly KernelJob[]
  readonly source: PathSource
  readonly env: BlockEnvironment
  readonly bloom: Kernel | undefined
  readonly lease: BufferLease
  /** Of what lanes leave. */
  readonly held: BufferLease
  readonly startedMs: number
}

interface GroupRun {
  readonly job: KernelJob
  readonly laneCount: number
  readonly lanesIn: Uint32Array
  readonly in: GPUBuffer
  readonly out: GPUBuffer
  readonly bindGroup: GPUBindGroup
}

const anyMiss = (lanesOut: Uint32Array, laneCount: number): boolean => {
  for (let lane = 0; lane < laneCount; lane++) if (lanesOut[lane * COLUMN_LIMBS] === EXIT_MISS) return true
  return false
}
