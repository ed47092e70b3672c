import { WORKGROUP_SIZE } from '../../../transpiler/layout/environment.ts'
import type { BlockEnvironment } from '../../chain/environment.ts'
import { OutOfMemoryError } from '../../device/fault.ts'
import type { PathGroup, PathSource } from './columns.ts'
import type { PathJob, StartedJobs } from './job.ts'

/** What a job needs to be cut. */
export type CutJob = Pick<PathJob, 'transactions' | 'hints'>

/** Lanes [first, end) of a job. */
export const subJob = <Job extends CutJob>(job: Job, first: number, end: number): Job => {
  const { hints } = job
  return {
    ...job,
    transactions: job.transactions.subarray(first, end),
    ...(hints === undefined ? {} : { hints: { words: hints.words, at: hints.at.subarray(first, end) } }),
  }
}

export const laneCountOf = (jobs: readonly CutJob[]): number =>
  jobs.reduce((sum, { transactions }) => sum + transactions.length, 0)

/**
 * Two lists of about half the lanes each, in order, where there are more than a workgroup's; a job is cut at a
 * workgroup's end at most.
 */
export const jobHalves = <Job extends CutJob>(jobs: readonly Job[]): readonly [Job[], Job[]] => {
  let room = laneCountOf(jobs) / 2
  const first: Job[] = []
  const second: Job[] = []
  for (const job of jobs) {
    const lanes = job.transactions.length
    const taken = Math.min(lanes, Math.ceil(Math.max(0, room) / WORKGROUP_SIZE) * WORKGROUP_SIZE)
    room -= taken
    if (taken > 0) first.push(subJob(job, 0, taken))
    if (taken < lanes) second.push(subJob(job, taken, lanes))
  }
  // Jobs of a lane or two each round up to the whole.
  if (second.length === 0) second.push(first.pop()!)
  return [first, second]
}

type Start = (jobs: readonly PathJob[], source: PathSource, env: BlockEnvironment) => Promise<StartedJobs>

/**
 * Starts waves. One for which the device has no memory runs in halves, one after the other, and so do later ones of its
 * size. No more lanes than a workgroup's are tried twice, then the fault is the caller's.
 */
export class WaveHalves {
  /** Waves that were halved. */
  halved = 0
  #mostLanes = Infinity
  readonly #start: Start
  readonly #makeRoom: () => void

  /** `makeRoom` frees what memory it can, and takes what is shared between waves for lost. */
  constructor(start: Start, makeRoom: () => void) {
    this.#start = start
    this.#makeRoom = makeRoom
  }

  start(jobs: readonly PathJob[], source: PathSource, env: BlockEnvironment): Promise<StartedJobs> {
    return this.#begin({ jobs, source, env })
  }

  async #begin(wave: StartedWave): Promise<StartedJobs> {
    if (laneCountOf(wave.jobs) > this.#mostLanes) return { finish: () => this.#runHalves(wave) }
    const again = (thrown: unknown): Promise<PathGroup[]> => this.#again(wave, thrown)
    try {
      const started = await this.#start(wave.jobs, wave.source, wave.env)
      return { finish: () => started.finish().catch(again) }
    } catch (thrown) {
      return { finish: () => again(thrown) }
    }
  }

  async #again(wave: StartedWave, thrown: unknown): Promise<PathGroup[]> {
    if (!(thrown instanceof OutOfMemoryError) || wave.hasRoom) throw thrown
    this.#makeRoom()
    const laneCount = laneCountOf(wave.jobs)
    // A wave that cannot be halved may fit the room that was made.
    if (laneCount <= WORKGROUP_SIZE) return (await this.#begin({ ...wave, hasRoom: true })).finish()
    this.#mostLanes = Math.max(WORKGROUP_SIZE, Math.ceil(laneCount / 2))
    return this.#runHalves(wave)
  }

  async #runHalves({ jobs, source, env }: StartedWave): Promise<PathGroup[]> {
    this.halved++
    const groups: PathGroup[] = []
    for (const half of jobHalves(jobs)) {
      const started = await this.#begin({ jobs: half, source, env })
      groups.push(...(await started.finish()))
    }
    return groups
  }
}

interface StartedWave {
  readonly jobs: readonly PathJob[]
  readonly source: PathSource
  readonly env: BlockEnvironment
  /** Whether room was made for just this wave. */
  readonly hasRoom?: true
}

/** Awaits one of two starts; where it fails, the other gives its buffers back when it is done. */
export const orEnd = async <T>(pending: Promise<T>, other: StartedJobs | undefined): Promise<T> => {
  try {
    return await pending
  } catch (thrown) {
    other?.finish().catch(() => undefined)
    throw thrown
  }
}
