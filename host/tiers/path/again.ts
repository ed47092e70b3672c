import { EXIT_MISS, EXIT_NONE } from '../../../transpiler/index.ts'
import type { Schedule } from '../../batch/open_batch.ts'
import type { Policy } from '../../batch/policy.ts'
import type { Precompiles } from '../../precompiles/precompiles.ts'
import type { Place, Stale } from '../../settle/version_log.ts'
import type { ResidentState } from '../../state/tables/resident_tables.ts'
import { WaveCost } from './cost.ts'
import { PathExecutions, type PathReasons, pathGroup } from './executions.ts'
import type { LaneJob, LaneRunner } from './kernels/runner.ts'
import type { PathLibrary } from './library.ts'
import { adopt, guardText, laneSource, noteExits } from './lots.ts'
import { loadMissed } from './misses.ts'
import { runOtherPaths } from './other_paths.ts'
import { hintedSubset } from './pending.ts'
import { COLUMN_LIMBS, type PathPlan } from './plan.ts'

/** Times that a lane is run again because the state table lacked something. */
const MAX_RERUNS = 8

/** One round behind the first: lanes that read what a transaction before them wrote, with those values as hints. */
export class HintedRound {
  readonly #policy: Policy
  readonly #resident: ResidentState
  readonly #library: PathLibrary
  readonly #precompiles: Precompiles
  readonly #reasons: PathReasons

  constructor(
    policy: Policy,
    resident: ResidentState,
    library: PathLibrary,
    precompiles: Precompiles,
    reasons: PathReasons,
  ) {
    this.#policy = policy
    this.#resident = resident
    this.#library = library
    this.#precompiles = precompiles
    this.#reasons = reasons
  }

  /**
   * Runs stale transactions again on the versions that they should have read; those that leave their path, on the others of
   * their key. Who leaves them all or still misses keeps the exit in its lane, and the sweep gives it to the CPU tier. False
   * where none is worth its kernels.
   */
  async run(
    schedule: Schedule,
    stale: Stale,
    runner: LaneRunner,
    hintsAt: (places: readonly Place[]) => Stale,
  ): Promise<boolean> {
    const left: number[] = []
    const source = laneSource(schedule)
    const { conflict } = this.#reasons
    let jobs = await this.#hintedJobs(schedule, stale, runner)
    if (jobs.length === 0) return false
    for (const { transactions } of jobs) noteExits(schedule, transactions, 'conflict')
    for (let rerun = 0; jobs.length > 0; rerun++) {
      const groups = await runner.run(jobs, source, schedule.env)
      const next: LaneJob[] = []
      for (const group of groups) {
        const job = jobs.find((one) => one.plan === group.plan)!
        const missed = adopt(schedule, new PathExecutions(schedule, group, this.#resident, this.#reasons))
        for (let lane = 0; lane < group.laneCount; lane++) {
          const exit = group.lanesOut[lane * COLUMN_LIMBS]!
          if (exit === EXIT_NONE) continue
          const i = group.transactions[lane]!
          schedule.reasons[i] = conflict
          if (exit === EXIT_MISS) continue
          schedule.explained?.exit(i, guardText(group.plan, exit))
          left.push(i)
        }
        if (missed.length === 0 || rerun === MAX_RERUNS) continue
        await loadMissed(group, missed, schedule.toIds, this.#resident, this.#precompiles)
        const transactions = missed.map((lane) => group.transactions[lane]!)
        noteExits(schedule, transactions, 'miss')
        next.push(hintedSubset(job, transactions))
      }
      jobs = next
    }
    if (runner.runsPrograms && this.#isWorthOthers(schedule, left, runner)) {
      await runOtherPaths(schedule, left, {
        library: this.#library,
        resident: this.#resident,
        precompiles: this.#precompiles,
        runner,
        source,
        reasons: this.#reasons,
        hintsAt,
      })
    }
    return true
  }

  #isWorthOthers(schedule: Schedule, left: readonly number[], runner: LaneRunner): boolean {
    if (this.#policy.waves === 'always') return left.length > 0
    const cost = new WaveCost(runner.costs)
    for (const i of left) {
      const { plan } = pathGroup(schedule, i)!
      cost.save(plan, 1)
      cost.add(plan, 1)
    }
    return cost.isWorth(runner.mayUseHost, 2)
  }

  /** Jobs for the stale transactions of every path that has, or is worth, a form that reads hints. */
  async #hintedJobs(schedule: Schedule, stale: Stale, runner: LaneRunner): Promise<LaneJob[]> {
    const { compile, recordFrom, ownKernels } = this.#policy
    if (compile === 'never') return []
    const byPlan = new Map<PathPlan, number[]>()
    for (let n = 0; n < stale.count; n++) {
      const { plan } = pathGroup(schedule, stale.transactions[n]!)!
      const list = byPlan.get(plan)
      if (list === undefined) byPlan.set(plan, [n])
      else list.push(n)
    }
    const jobs: LaneJob[] = []
    for (const [plan, members] of byPlan) {
      let kernels = this.#library.knownHintedKernels(plan)
      if (kernels === undefined && !(runner.runsPrograms && plan.kernel.program !== undefined)) {
        if (!ownKernels) continue
        kernels = await this.#library.hintedKernels(plan, members.length, runner.device, recordFrom)
        if (kernels === undefined) continue
      }
      jobs.push({
        plan,
        kernels,
        transactions: Int32Array.from(members, (n) => stale.transactions[n]!),
        hints: { words: stale.hints, at: Uint32Array.from(members, (n) => stale.hintAt[n]!) },
      })
    }
    return jobs
  }
}
