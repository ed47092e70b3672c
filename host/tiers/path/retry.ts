import { EXIT_MISS, EXIT_NONE } from '../../../transpiler/index.ts'
import type { Executions } from '../../batch/executions.ts'
import { PATIENCE } from '../../batch/patience.ts'
import type { Policy } from '../../batch/policy.ts'
import type { Retry, Told } from '../../batch/retry.ts'
import type { Versions } from '../../batch/versions.ts'
import type { Precompiles } from '../../precompiles/precompiles.ts'
import type { ResidentState } from '../../state/tables/resident_tables.ts'
import { WaveCost } from './cost.ts'
import { PathExecutions, type PathReasons, pathGroup } from './executions.ts'
import { openPrograms, type PathParts } from './forms.ts'
import { Hints } from './hints.ts'
import type { PathJob } from './job.ts'
import type { PathRunner } from './kernels/runner.ts'
import type { PathLibrary } from './library.ts'
import { adopt, guardText, laneSource, noteExits } from './lots.ts'
import { loadMissed } from './misses.ts'
import { runOtherPaths } from './other_paths.ts'
import type { PathBatch } from './path_batch.ts'
import { hintedSubset } from './pending.ts'
import { COLUMN_LIMBS, type PathPlan } from './plan.ts'

/**
 * One round of the path tier after its first: lanes that read what a transaction before them wrote, with those values
 * as hints.
 */
export class PathRetry implements Retry {
  readonly #parts: PathParts
  readonly #batch: PathBatch
  readonly #runner: PathRunner
  readonly #hints: Hints
  readonly #cost: WaveCost
  readonly #policy: Policy
  readonly #resident: ResidentState
  readonly #library: PathLibrary
  readonly #precompiles: Precompiles
  readonly #reasons: PathReasons

  constructor(batch: PathBatch, runner: PathRunner, parts: PathParts) {
    this.#parts = parts
    this.#batch = batch
    this.#runner = runner
    this.#hints = new Hints(parts.resident.slots)
    this.#cost = new WaveCost(runner.costs)
    this.#policy = parts.policy
    this.#resident = parts.resident
    this.#library = parts.library
    this.#precompiles = parts.precompiles
    this.#reasons = parts.pathReasons
  }

  get count(): number {
    return this.#hints.count
  }

  get costUs(): number {
    return this.#cost.waveUs
  }

  get savesUs(): number {
    return this.#cost.singlyUs(this.#runner.mayUseHost)
  }

  add(i: number, lane: number, executions: Executions, versions: Versions): void {
    if (!(executions instanceof PathExecutions)) throw new Error(`an execution of ${executions.form} is not a path's`)
    const { group } = executions
    this.#hints.add(i, group, lane, versions)
    this.#cost.save(group.plan, 1)
    this.#cost.add(group.plan, 1)
  }

  /**
   * Those that leave their path run on the others of their key. Who leaves them all or still misses keeps the exit in
   * its lane, and the sweep gives it to the CPU tier. False where none is worth its kernels.
   */
  async run(told: Told): Promise<boolean> {
    const openBatch = this.#batch
    const runner = this.#runner
    const left: number[] = []
    const source = laneSource(openBatch)
    const { conflict } = this.#reasons
    let jobs = await this.#hintedJobs()
    if (jobs.length === 0) return false
    for (const { transactions } of jobs) noteExits(openBatch, transactions, 'conflict')
    for (let rerun = 0; jobs.length > 0; rerun++) {
      const groups = await runner.run(jobs, source, openBatch.env)
      const next: PathJob[] = []
      for (const group of groups) {
        const job = jobs.find((one) => one.plan === group.plan)!
        const missed = adopt(openBatch, new PathExecutions(openBatch, group, this.#resident, this.#reasons))
        for (let lane = 0; lane < group.laneCount; lane++) {
          const exit = group.lanesOut[lane * COLUMN_LIMBS]!
          if (exit === EXIT_NONE) continue
          const i = group.transactions[lane]!
          openBatch.reasons[i] = conflict
          if (exit === EXIT_MISS) continue
          openBatch.explained?.exit(i, guardText(group.plan, exit))
          left.push(i)
        }
        if (missed.length === 0 || rerun === PATIENCE.misses) continue
        await loadMissed(group, missed, openBatch.toIds, this.#resident, this.#precompiles)
        const transactions = missed.map((lane) => group.transactions[lane]!)
        noteExits(openBatch, transactions, 'miss')
        next.push(hintedSubset(job, transactions))
      }
      jobs = next
    }
    if (runner.runsPrograms && this.#isWorthOthers(openBatch, left, runner)) {
      await runOtherPaths(openBatch, left, {
        library: this.#library,
        resident: this.#resident,
        precompiles: this.#precompiles,
        runner,
        source,
        reasons: this.#reasons,
        told,
      })
    }
    return true
  }

  #isWorthOthers(openBatch: PathBatch, left: readonly number[], runner: PathRunner): boolean {
    if (this.#policy.waves === 'always') return left.length > 0
    const cost = new WaveCost(runner.costs)
    for (const i of left) {
      const { plan } = pathGroup(openBatch, i)!
      cost.save(plan, 1)
      cost.add(plan, 1)
    }
    return cost.isWorth(runner.mayUseHost, 2)
  }

  /** Jobs for the stale transactions of every path that has, or is worth, a form that reads hints. */
  async #hintedJobs(): Promise<PathJob[]> {
    const { compile, recordFrom, ownKernels } = this.#policy
    if (compile === 'never') return []
    const { transactions, at, words } = this.#hints
    const byPlan = new Map<PathPlan, number[]>()
    for (let n = 0; n < transactions.length; n++) {
      const { plan } = pathGroup(this.#batch, transactions[n]!)!
      const list = byPlan.get(plan)
      if (list === undefined) byPlan.set(plan, [n])
      else list.push(n)
    }
    const runner = this.#runner
    if (runner.programs === 'closed' && [...byPlan.keys()].some(({ kernel }) => kernel.program !== undefined))
      await openPrograms(this.#parts, runner)
    const jobs: PathJob[] = []
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
        transactions: Int32Array.from(members, (n) => transactions[n]!),
        hints: { words, at: Uint32Array.from(members, (n) => at[n]!) },
      })
    }
    return jobs
  }
}
