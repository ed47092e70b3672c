import { EXIT_MISS, EXIT_NONE } from '../../../transpiler/index.ts'
import { countRun, type Schedule } from '../../batch/open_batch.ts'
import { PATIENCE } from '../../batch/patience.ts'
import type { Precompiles } from '../../precompiles/precompiles.ts'
import type { ResidentState } from '../../state/tables/resident_tables.ts'
import type { LaneGroup } from './columns.ts'
import { adoptLane, PathExecutions, type PathReasons, pathGroup } from './executions.ts'
import type { LaneRunner } from './kernels/runner.ts'
import type { PathCandidate } from './library.ts'
import { guardText, laneSource } from './lots.ts'
import { loadMissed } from './misses.ts'

const LEFT = 1

/**
 * Runs a transaction whose execution does not stand at its place, by the known paths of its key, on the host and on the running
 * values: what it then reads is what serial execution would. That takes as long as a few EVM steps of the CPU tier.
 */
export class PlaceRun {
  readonly #resident: ResidentState
  readonly #precompiles: Precompiles
  /** Groups of executions that were made at their place: there is no better one. */
  readonly #made = new WeakSet<LaneGroup>()

  readonly #reasons: PathReasons

  constructor(resident: ResidentState, precompiles: Precompiles, reasons: PathReasons) {
    this.#resident = resident
    this.#precompiles = precompiles
    this.#reasons = reasons
  }

  /** Whether another execution of transaction i can stand where the present one does not. */
  isOpen(schedule: Schedule, i: number): boolean {
    const group = pathGroup(schedule, i)
    return group !== undefined && !this.#made.has(group)
  }

  /**
   * EXIT_NONE where transaction i ended on one of the candidates: that is its execution now. EXIT_MISS where it missed on one,
   * and any other exit where it left them all.
   */
  async run(schedule: Schedule, i: number, candidates: readonly PathCandidate[], runner: LaneRunner): Promise<number> {
    let last = LEFT
    for (const candidate of candidates) {
      if (!candidate.hasProgram) continue
      const group = await this.#run(schedule, i, candidate, runner)
      const exit = group.lanesOut[0]!
      if (exit === EXIT_NONE) {
        this.#made.add(group)
        const executions = new PathExecutions(schedule, group, this.#resident, this.#reasons)
        adoptLane(schedule, schedule.executions.push(executions) - 1, executions, 0)
        candidate.lanes++
        return exit
      }
      if (exit === EXIT_MISS) last = exit
      schedule.explained?.exit(i, exit === EXIT_MISS ? 'miss' : guardText(group.plan, exit))
    }
    return last
  }

  async #run(schedule: Schedule, i: number, { plan }: PathCandidate, runner: LaneRunner): Promise<LaneGroup> {
    const source = laneSource(schedule)
    for (let rerun = 0; ; rerun++) {
      countRun(schedule, i)
      const group = await runner.host.runAtPlace(plan, i, source, schedule.env)
      if (group.lanesOut[0] !== EXIT_MISS || rerun === PATIENCE.misses) return group
      await loadMissed(group, [0], schedule.toIds, this.#resident, this.#precompiles)
    }
  }
}
