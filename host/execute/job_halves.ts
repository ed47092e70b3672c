import { WORKGROUP_SIZE } from '../../transpiler/layout/environment.ts'
import type { BlockEnvironment } from '../block/environment.ts'
import { OutOfMemoryError } from '../device/fault.ts'
import type { LaneGroup, LaneSource } from './lane_group.ts'
import type { LaneJob, StartedJobs } from './lane_runner.ts'

/** What a job needs to be cut. */
export type CutJob = Pick<LaneJob, 'transactions' | 'hints'>

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
 * Two lists of about half the lanes each, in order; a job is cut at a workgroup's end at most. Undefined for no more lanes than one
 * workgroup.
 */
export const jobHalves = <Job extends CutJob>(jobs: readonly Job[]): readonly [Job[], Job[]] | undefined => {
  const laneCount = laneCountOf(jobs)
  if (laneCount <= WORKGROUP_SIZE) return undefined
  let room = laneCount / 2
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

type Start = (jobs: readonly LaneJob[], source: LaneSource, env: BlockEnvironment) => Promise<StartedJobs>

/**
 * Starts waves. One for which the device has no memory runs in halves, one after the other, and so do later ones of its size. A fault of no
 * more lanes than a workgroup's is the caller's.
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

  async start(jobs: readonly LaneJob[], source: LaneSource, env: BlockEnvironment): Promise<StartedJobs> {
    const halve = async (thrown?: unknown): Promise<LaneGroup[]> => {
      const halves = jobHalves(jobs)
      if (halves === undefined || !(thrown === undefined || thrown instanceof OutOfMemoryError)) throw thrown
      if (thrown !== undefined) {
        this.#mostLanes = Math.max(WORKGROUP_SIZE, Math.ceil(laneCountOf(jobs) / 2))
        this.#makeRoom()
      }
      this.halved++
      const groups: LaneGroup[] = []
      for (const half of halves) {
        const started = await this.start(half, source, env)
        groups.push(...(await started.finish()))
      }
      return groups
    }
    if (laneCountOf(jobs) > this.#mostLanes) return { finish: halve }
    try {
      const started = await this.#start(jobs, source, env)
      return { finish: () => started.finish().catch(halve) }
    } catch (thrown) {
      return { finish: () => halve(thrown) }
    }
  }
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
