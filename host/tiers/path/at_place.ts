import { EXIT_MISS, EXIT_NONE } from '../../../transpiler/index.ts'
import { countRun, type OpenBatch } from '../../batch/open_batch.ts'
import { PATIENCE } from '../../batch/patience.ts'
import type { PathGroup } from './columns.ts'
import { adoptLane, PathExecutions, pathGroup } from './executions.ts'
import { callsItsCode, openPrograms, type PathParts } from './forms.ts'
import type { PathRunner } from './kernels/runner.ts'
import type { PathCandidate } from './library.ts'
import { guardText, laneSource } from './lots.ts'
import { loadMissed } from './misses.ts'
import type { PathBatch } from './path_batch.ts'
import { COLUMN_LIMBS } from './plan.ts'
import { RecordedState, recordedTransaction } from './recording.ts'

const LEFT = 1

/**
 * Runs a transaction whose execution does not stand at its place, by the known paths of its key, on the host and on the
 * running values: what it then reads is what serial execution would. That takes as long as a few EVM steps of the CPU
 * tier.
 */
export class PlaceRun {
  readonly #parts: PathParts
  /** Groups of executions that were made at their place: there is no better one. */
  readonly #made = new WeakSet<PathGroup>()

  constructor(parts: PathParts) {
    this.#parts = parts
  }

  /** Another execution of transaction i at its place. False where it has none. */
  async atPlace(batch: PathBatch, i: number, runner: PathRunner): Promise<boolean> {
    const { tier, laneOf, keyIds, reasons, number } = batch
    const { library, pathReasons } = this.#parts
    const { code, unlisted } = pathReasons
    if (tier[i] !== number || reasons[i] === code || reasons[i] === unlisted) return false
    const onHost = runner.mayUseHost && this.#isOpen(batch, i)
    const key = library.keys[keyIds[i]!]!
    const exit = onHost
      ? await this.#run(batch, i, key.candidates, runner)
      : pathGroup(batch, i)?.lanesOut[laneOf[i]! * COLUMN_LIMBS]
    if (exit === undefined || exit === EXIT_NONE || exit === EXIT_MISS) return onHost && exit === EXIT_NONE
    const recorded = await this.#record(batch, i, runner)
    return onHost && recorded !== undefined && (await this.#run(batch, i, [recorded], runner)) === EXIT_NONE
  }

  /**
   * Records the path that transaction i takes at its place, on the running values, where it left all known ones there
   * and a recording pays: transactions that meet the same in this batch or a later one then have it.
   */
  async #record(batch: PathBatch, i: number, runner: PathRunner): Promise<PathCandidate | undefined> {
    const { policy, library, resident, precompiles } = this.#parts
    const key = library.keys[batch.keyIds[i]!]!
    key.lanesOwed++
    if (policy.compile === 'never' || !library.isWorthRecording(key, 0, policy.recordFrom)) return undefined
    if (!callsItsCode(batch, resident, i)) return undefined
    const transaction = recordedTransaction(policy, batch, i)
    const recorded = await library.record(key, transaction, new RecordedState(resident, precompiles))
    if (typeof recorded !== 'object') return undefined
    if (recorded.hasProgram) await openPrograms(this.#parts, runner)
    return recorded
  }

  /** Whether another execution of transaction i can stand where the present one does not. */
  #isOpen(batch: OpenBatch, i: number): boolean {
    const group = pathGroup(batch, i)
    return group !== undefined && !this.#made.has(group)
  }

  /**
   * EXIT_NONE where transaction i ended on one of the candidates: that is its execution now. EXIT_MISS where it missed
   * on one, and any other exit where it left them all.
   */
  async #run(batch: OpenBatch, i: number, candidates: readonly PathCandidate[], runner: PathRunner): Promise<number> {
    let last = LEFT
    for (const candidate of candidates) {
      if (!candidate.hasProgram) continue
      const group = await this.#runPath(batch, i, candidate, runner)
      const exit = group.lanesOut[0]!
      if (exit === EXIT_NONE) {
        this.#made.add(group)
        const executions = new PathExecutions(batch, group, this.#parts.resident, this.#parts.pathReasons)
        adoptLane(batch, batch.executions.push(executions) - 1, executions, 0)
        candidate.lanes++
        return exit
      }
      if (exit === EXIT_MISS) last = exit
      batch.explained?.exit(i, exit === EXIT_MISS ? 'miss' : guardText(group.plan, exit))
    }
    return last
  }

  async #runPath(batch: OpenBatch, i: number, { plan }: PathCandidate, runner: PathRunner): Promise<PathGroup> {
    const source = laneSource(batch)
    for (let rerun = 0; ; rerun++) {
      countRun(batch, i)
      const group = await runner.host.runAtPlace(plan, i, source, batch.env)
      if (group.lanesOut[0] !== EXIT_MISS || rerun === PATIENCE.misses) return group
      await loadMissed(group, [0], batch.toIds, this.#parts.resident, this.#parts.precompiles)
    }
  }
}
