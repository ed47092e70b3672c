import { KERNELS } from '../../../../kernels/linked.generated.ts'
import { BINDINGS, ENVIRONMENT_BYTES } from '../../../../transpiler/layout/environment.ts'
import { EXIT_MISS } from '../../../../transpiler/path_kernel.ts'
import { type BlockEnvironment, environmentWords } from '../../../chain/environment.ts'
import type { BufferLease } from '../../../device/buffer_pool.ts'
import type { BufferRange, Command } from '../../../device/compute_device.ts'
import { faultText } from '../../../device/fault.ts'
import type { Kernel } from '../../../device/kernel.ts'
import { mostWaveBytes } from '../../../device/limits.ts'
import type { DeviceSession } from '../../../session/device_session.ts'
import { type PathGroup, type PathSource, slotPlaces, storePlaces } from '../columns.ts'
import type { StartedJobs } from '../job.ts'
import { COLUMN_BYTES, COLUMN_LIMBS, type PathPlan } from '../plan.ts'
import { assembleWave, groupInputs, type ProgramJob, splitJobs, type Wave, type WaveGroup } from './wave.ts'

/** Below this many lanes the host hashes a path's topics sooner than a dispatch for them is set up. */
const BLOOM_LANES = 256
/** Looked-up keys come with the results up to this size: cheaper than to ask for them when a lane has missed. */
const KEY_BYTES = 1 << 18

interface WaveRun {
  readonly wave: Wave
  readonly in: GPUBuffer
  readonly out: GPUBuffer
  readonly environment: GPUBuffer
  readonly withKeys: boolean
}

interface Submission {
  readonly jobs: readonly ProgramJob[]
  readonly source: PathSource
  readonly env: BlockEnvironment
  readonly kernel: Kernel
  readonly bloom: Kernel | undefined
  readonly lease: BufferLease
  /** Of what lanes leave. */
  readonly held: BufferLease
  readonly startedMs: number
}

/**
 * Runs path programs: all jobs of a wave in one dispatch of one kernel, with one upload and one read, whatever their
 * number. The groups that come back are those of PathRunner.
 */
export class ProgramRunner {
  readonly timings = { upload: 0, execute: 0, readback: 0 }
  /** Dispatches beyond the first of a start, because of the device's limits. */
  chunks = 0
  /** Most bytes of lane columns on the device: those of a wave, and what is kept of the ones before it. */
  laneBytes = 0
  readonly #session: DeviceSession
  readonly #chainId: bigint
  #kernel: Kernel | undefined
  #compiling: Promise<void> | undefined
  /** Paths that missed in this batch, and in the one before. */
  #missing = new Set<PathPlan>()
  #missedBefore = new Set<PathPlan>()

  constructor(session: DeviceSession, chainId: bigint) {
    this.#session = session
    this.#chainId = chainId
  }

  get isReady(): boolean {
    return this.#kernel !== undefined
  }

  /** Compiles the kernel, once; rejects with ShaderCompileError or a fault of the device. */
  compile(): Promise<void> {
    if (this.#compiling === undefined) {
      this.#compiling = this.#compile()
      this.#compiling.catch(() => {
        this.#compiling = undefined
      })
    }
    return this.#compiling
  }

  /** Starts the counters of a batch. */
  begin(): void {
    Object.assign(this.timings, { upload: 0, execute: 0, readback: 0 })
    this.chunks = 0
    this.laneBytes = 0
    this.#missedBefore = this.#missing
    this.#missing = new Set()
  }

  /**
   * Gives the jobs to the device. Its faults come from `finish`, whenever they happen; groups come in the order of the
   * jobs, those of a job that had to be cut one after another. Every path has a program, and `compile` has resolved.
   */
  async start(jobs: readonly ProgramJob[], source: PathSource, env: BlockEnvironment): Promise<StartedJobs> {
    const kernel = this.#kernel
    if (kernel === undefined) throw new Error('the program kernel has not compiled')
    const startedMs = performance.now()
    const { blooms, pool, tables } = this.#session
    await tables.open()
    const wantsBlooms = jobs.filter(({ transactions }) => transactions.length >= BLOOM_LANES)
    const bloom = await blooms.open(wantsBlooms.map(({ plan }) => plan.blooms))
    const lease = pool.lease()
    const held = pool.lease()
    try {
      return this.#submit({ jobs, source, env, kernel, bloom, lease, held, startedMs })
    } catch (thrown) {
      lease.drop()
      held.drop()
      throw thrown
    }
  }

  #submit({ jobs, source, env, kernel, bloom, lease, held, startedMs }: Submission): StartedJobs {
    const { device, tables, blooms, lanes } = this.#session
    const bound = tables.sync()
    const words = environmentWords(env, this.#chainId)
    const maxVectors = mostWaveBytes(device.limits) / COLUMN_BYTES
    const lists = splitJobs(jobs, maxVectors, device.limits.maxComputeWorkgroupsPerDimension ** 2)
    this.chunks += Math.max(0, lists.length - 1)
    const runs = lists.map((list) => this.#upload(list, source, words, { lease, held }))
    const commands = runs.map(({ wave, ...run }): Command => {
      const bindGroup = device.bindGroup(kernel, [
        { binding: BINDINGS.environment, buffer: run.environment },
        { binding: BINDINGS.lanesIn, buffer: run.in },
        { binding: BINDINGS.lanesOut, buffer: run.out },
        ...bound,
      ])
      return { kind: 'dispatch', kernel, bindGroup, workgroups: wave.workgroups }
    })
    const reads = runs.map(({ wave, out, withKeys }): BufferRange => {
      const vectors = withKeys ? wave.keyVectors : wave.resultVectors
      return { buffer: out, byteOffset: 0, byteLength: vectors * COLUMN_BYTES }
    })
    const hashes: Command[] = []
    const hashReads: BufferRange[] = []
    for (const run of runs) {
      for (const group of run.wave.groups) {
        if (bloom === undefined || !hasDeviceBlooms(group)) continue
        const { laneCount, inputs, outputs } = group
        const places = { inOffset: inputs * COLUMN_BYTES, outOffset: outputs * COLUMN_BYTES }
        const columns = { laneCount, in: run.in, out: run.out, ...places }
        blooms.append(bloom, group.job.plan.blooms, columns, hashes, hashReads, lease)
      }
    }
    this.laneBytes = Math.max(
      this.laneBytes,
      runs.reduce((sum, run) => sum + run.in.size + run.out.size, lanes.sizeBytes),
    )
    const executed = tables.run(commands, { reads })
    // `finish` tells; until then a rejection must not count as unseen.
    executed.catch(() => undefined)
    const hashed = this.#hash(hashes, hashReads, executed)
    this.timings.upload += performance.now() - startedMs
    return {
      finish: async () => {
        const waitedMs = performance.now()
        try {
          const { reads: results } = await executed
          this.timings.execute += performance.now() - waitedMs
          const groups = await this.#finish(runs, results, hashed)
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

  async #compile(): Promise<void> {
    const kernel = await this.#session.device.kernel({
      label: 'path programs',
      wgsl: KERNELS['path_program']!,
      entryPoint: 'path_program',
      bindings: 'execution',
    })
    await kernel.warmUp()
    this.#kernel = kernel
  }

  #upload(
    jobs: readonly ProgramJob[],
    source: PathSource,
    environment: Uint32Array,
    { lease, held }: Pick<Submission, 'lease' | 'held'>,
  ): WaveRun {
    const { device, resident } = this.#session
    const { slots, accounts, codes } = resident
    const wave = assembleWave(jobs, source, environment, (key) => codes.skeletonId(key))
    const run = {
      wave,
      in: lease.input(wave.lanesIn.byteLength),
      out: held.storage(wave.outVectors * COLUMN_BYTES),
      environment: lease.uniform(ENVIRONMENT_BYTES),
      withKeys:
        (wave.keyVectors - wave.resultVectors) * COLUMN_BYTES <= KEY_BYTES ||
        jobs.some(({ plan }) => this.#missedBefore.has(plan)),
    }
    device.upload(run.in, 0, wave.lanesIn)
    device.upload(run.environment, 0, Uint32Array.of(wave.workgroups, 0, slots.index.mask, accounts.index.mask))
    return run
  }

  async #finish(
    runs: readonly WaveRun[],
    results: readonly Uint32Array[],
    hashed: Promise<readonly Uint32Array[] | undefined>,
  ): Promise<PathGroup[]> {
    const startedMs = performance.now()
    const { blooms, lanes } = this.#session
    const groups: PathGroup[] = []
    let firstHash = 0
    for (const [index, run] of runs.entries()) {
      const keys = await this.#keys(run, results[index]!)
      for (const group of run.wave.groups) {
        const { plan, transactions, hints } = group.job
        const { laneCount } = group
        const first = firstHash
        if (hasDeviceBlooms(group)) firstHash += blooms.readsOf(plan.blooms)
        groups.push({
          plan,
          laneCount,
          transactions,
          lanesIn: groupInputs(group, run.wave.lanesIn),
          lanesOut: groupOutputs(group, results[index]!, keys),
          ...(lanes.isOn ? { onDevice: lanes.columns(run.out, group.outputs * COLUMN_BYTES) } : {}),
          hinted: hints !== undefined,
          slotAt: slotPlaces(plan, laneCount),
          storeAt: storePlaces(plan, laneCount),
          ...(plan.blooms.length === 0 ? {} : { bloomIndices: this.#bloomsOf(group, hashed, first) }),
        })
      }
    }
    this.timings.readback += performance.now() - startedMs
    return groups
  }

  #bloomsOf(
    group: WaveGroup,
    hashed: Promise<readonly Uint32Array[] | undefined>,
    first: number,
  ): Promise<Uint32Array | undefined> {
    if (!hasDeviceBlooms(group)) return Promise.resolve(undefined)
    const { blooms } = this.#session
    return hashed.then((found) => found && blooms.take(group.job.plan.blooms, found, first))
  }

  /** The key columns of all groups of a wave in which a lane missed, as they stand after the results. */
  async #keys({ wave, out, withKeys }: WaveRun, results: Uint32Array): Promise<Uint32Array | undefined> {
    let missed = false
    for (const group of wave.groups) {
      if (!anyMiss(group, results)) continue
      missed = true
      this.#missing.add(group.job.plan)
    }
    if (!missed) return undefined
    const at = wave.resultVectors * COLUMN_BYTES
    if (withKeys) return results.subarray(at / 4)
    return this.#session.device.readback(out, at, wave.keyVectors * COLUMN_BYTES - at)
  }

  /** Undefined where the device fails, which the session's `faults` tell: then the host hashes. */
  async #hash(
    commands: readonly Command[],
    reads: readonly BufferRange[],
    executed: Promise<unknown>,
  ): Promise<readonly Uint32Array[] | undefined> {
    if (commands.length === 0) return []
    try {
      return (await this.#session.device.run(commands, { reads })).reads
    } catch (thrown) {
      // Where the lanes failed, their fault says it.
      const ran = await executed.then(
        () => true,
        () => false,
      )
      if (ran) this.#session.faults.push(faultText(thrown))
      return undefined
    }
  }
}

const hasDeviceBlooms = ({ job, laneCount }: WaveGroup): boolean =>
  job.plan.blooms.length > 0 && laneCount >= BLOOM_LANES

const anyMiss = ({ outputs, laneCount }: WaveGroup, results: Uint32Array): boolean => {
  for (let lane = outputs; lane < outputs + laneCount; lane++) {
    if (results[lane * COLUMN_LIMBS] === EXIT_MISS) return true
  }
  return false
}

/** The group's columns of lanesOut: results, and its keys after them where a lane of it missed. */
export const groupOutputs = (group: WaveGroup, results: Uint32Array, keys: Uint32Array | undefined): Uint32Array => {
  const { laneCount, outputs, keyColumn, job } = group
  const found = results.subarray(outputs * COLUMN_LIMBS, (outputs + keyColumn * laneCount) * COLUMN_LIMBS)
  if (keys === undefined || !anyMiss(group, results)) return found
  const columns = (job.plan.kernel.outputColumns - keyColumn) * laneCount
  const from = group.keysAt * COLUMN_LIMBS
  const whole = new Uint32Array(found.length + columns * COLUMN_LIMBS)
  whole.set(found)
  whole.set(keys.subarray(from, from + columns * COLUMN_LIMBS), found.length)
  return whole
}
