import { EXIT_MISS, EXIT_NONE } from '../../../transpiler/index.ts'
import { countRun, hasEnded, type OpenBatch } from '../../batch/open_batch.ts'
import { PATIENCE } from '../../batch/patience.ts'
import type { PathGroup } from './columns.ts'
import { adoptLane, PathExecutions, pathGroup } from './executions.ts'
import { callsItsCode, openPrograms, type PathParts } from './forms.ts'
import type { EndedLane, PlaceLanes } from './inline/place_lanes.ts'
import type { PathRunner } from './kernels/runner.ts'
import type { PathCandidate } from './library.ts'
import { guardText, laneSource } from './lots.ts'
import { loadMissed } from './misses.ts'
import type { PathBatch } from './path_batch.ts'
import { COLUMN_LIMBS, type PathPlan } from './plan.ts'
import { RecordedState, recordedTransaction } from './recording.ts'

const LEFT = 1
/** Lanes for the first transactions of a path at their places, how their number grows, and the most at a time. */
const FIRST_PLACES = 4
const PLACES_GROWTH = 4
const MOST_PLACES = 1_024

/** Lanes of a path in a batch, and their executions. */
interface OpenPlaces {
  readonly places: PlaceLanes
  readonly executions: PathExecutions
  readonly number: number
}

/** The lane in which transaction i ended on this path; undefined where it did not. */
const endedOn = (batch: OpenBatch, i: number, plan: PathPlan): EndedLane | undefined => {
  const group = pathGroup(batch, i)
  return group?.plan === plan && hasEnded(batch, i) ? { group, lane: batch.laneOf[i]! } : undefined
}

/**
 * Runs a transaction whose execution does not stand at its place, by the known paths of its key, on the host and on the
 * running values: what it then reads is what serial execution would. That takes as long as a few EVM steps of the CPU
 * tier.
 */
export class PlaceRun {
  readonly #parts: PathParts
  /** Groups of executions that were made at their place: there is no better one. */
  readonly #made = new WeakSet<PathGroup>()
  /** Lanes of a batch for such executions, by path. */
  #open = new WeakMap<OpenBatch, Map<PathPlan, OpenPlaces>>()

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
      const { plan } = candidate
      const open = this.#placesOf(batch, plan, runner)
      const lane = open.places.next
      const exit = await this.#runPath(batch, i, open.places, runner)
      if (exit === EXIT_NONE) {
        adoptLane(batch, open.number, open.executions, lane)
        open.executions.noteEnded(lane)
        candidate.lanes++
        return exit
      }
      if (exit === EXIT_MISS) last = exit
      batch.explained?.exit(i, exit === EXIT_MISS ? 'miss' : guardText(plan, exit))
    }
    return last
  }

  async #runPath(batch: OpenBatch, i: number, places: PlaceLanes, runner: PathRunner): Promise<number> {
    const { resident, precompiles } = this.#parts
    const source = laneSource(batch)
    const { group, next: lane } = places
    // Where accounts were made anew, look-ups find others.
    const ended = resident.accounts.renewed ? undefined : endedOn(batch, i, group.plan)
    for (let rerun = 0; ; rerun++) {
      countRun(batch, i)
      const exit = await runner.host.runAtPlace(places, i, source, ended)
      if (exit !== EXIT_MISS || rerun === PATIENCE.misses) return exit
      await loadMissed(group, [lane], batch.toIds, resident, precompiles)
    }
  }

  /** Lanes of the path with one that is free. */
  #placesOf(batch: OpenBatch, plan: PathPlan, runner: PathRunner): OpenPlaces {
    let byPlan = this.#open.get(batch)
    if (byPlan === undefined) {
      byPlan = new Map()
      this.#open.set(batch, byPlan)
    }
    const before = byPlan.get(plan)
    if (before !== undefined && !before.places.isFull) return before
    const grown = before === undefined ? FIRST_PLACES : PLACES_GROWTH * before.places.group.laneCount
    const laneCount = Math.min(MOST_PLACES, grown)
    const places = runner.host.openPlaces(plan, laneCount, batch.env)
    const executions = new PathExecutions(batch, places.group, this.#parts.resident, this.#parts.pathReasons)
    const open = { places, executions, number: batch.executions.push(executions) - 1 }
    this.#made.add(places.group)
    byPlan.set(plan, open)
    return open
  }
}
