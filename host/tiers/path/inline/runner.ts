import { ENVIRONMENT_WORDS } from '../../../../transpiler/layout/environment.ts'
import { HINT_COLUMNS } from '../../../../transpiler/path_kernel.ts'
import { type BlockEnvironment, environmentValues } from '../../../chain/environment.ts'
import type { ResidentState } from '../../../state/tables/resident_tables.ts'
import { gatherHints, gatherLanes, type PathGroup, type PathSource, slotPlaces, storePlaces } from '../columns.ts'
import type { PathJob } from '../job.ts'
import { COLUMN_LIMBS, type PathPlan, WORD_COLUMNS } from '../plan.ts'
import { type HostConstants, HostLanes, type Missing } from './machine.ts'
import { type EndedLane, PlaceLanes } from './place_lanes.ts'

/**
 * Runs lanes by the programs of their paths on this thread: what a wave of a few lanes costs less that way than it
 * takes to bring it to the device (docs/decisions/0013-few-lanes-run-on-the-host.md). The groups that come back are
 * those of PathRunner.
 */
export class HostRunner {
  /** Wall milliseconds of this batch. */
  elapsedMs = 0
  readonly #resident: ResidentState
  readonly #chainId: bigint
  /** The State answers late: what lanes miss is loaded for all of them together, as for a device. */
  #isLate = false
  #env: BlockEnvironment | undefined
  #environment: readonly bigint[] = []
  readonly #id = new Int32Array(1)
  readonly #owner = new Int32Array(1)

  constructor(resident: ResidentState, chainId: bigint) {
    this.#resident = resident
    this.#chainId = chainId
  }

  /** Runs lanes on base values, or on their hints. */
  async run(jobs: readonly PathJob[], source: PathSource, env: BlockEnvironment): Promise<PathGroup[]> {
    const startedMs = performance.now()
    const groups: PathGroup[] = []
    for (const { plan, transactions, hints } of jobs) {
      const { lanes, lanesIn } = this.#lanesOf(plan, transactions, source, env, hints)
      for (let lane = 0; lane < transactions.length; lane++) await this.#runLane(lanes, lane)
      groups.push(groupOf(plan, transactions, lanesIn, lanes.lanesOut, hints !== undefined))
    }
    this.elapsedMs += performance.now() - startedMs
    return groups
  }

  /** Lanes of a path for transactions that run at their places. */
  openPlaces(plan: PathPlan, laneCount: number, env: BlockEnvironment): PlaceLanes {
    return new PlaceLanes(plan, laneCount, this.#resident, this.#constants(env))
  }

  /**
   * Runs the next lane for transaction i, on the running values of the tables. `ended`: where it ended on this path
   * before. Returns its exit.
   */
  async runAtPlace(places: PlaceLanes, i: number, source: PathSource, ended?: EndedLane): Promise<number> {
    const startedMs = performance.now()
    places.begin(i, source, ended)
    places.lanes.loads = !this.#isLate
    const running = this.#runOn(places.lanes)
    if (running !== undefined) await running
    this.elapsedMs += performance.now() - startedMs
    return places.end()
  }

  #lanesOf(
    plan: PathPlan,
    transactions: Int32Array,
    source: PathSource,
    env: BlockEnvironment,
    hints: PathJob['hints'],
  ): { readonly lanes: HostLanes; readonly lanesIn: Uint32Array } {
    const laneCount = transactions.length
    const hintColumns = hints === undefined ? 0 : HINT_COLUMNS * plan.slots.count
    const columns = Math.max(WORD_COLUMNS, plan.kernel.inputColumns + hintColumns)
    const lanesIn = new Uint32Array(columns * laneCount * COLUMN_LIMBS)
    gatherLanes(plan, transactions, laneCount, source, lanesIn)
    if (hints !== undefined) gatherHints(plan, transactions, hints, lanesIn)
    const lanes = new HostLanes(plan, this.#resident, this.#constants(env), {
      lanesIn,
      laneCount,
      hinted: hints !== undefined,
    })
    lanes.loads = !this.#isLate
    return { lanes, lanesIn }
  }

  async #runLane(lanes: HostLanes, lane: number): Promise<void> {
    lanes.begin(lane)
    const running = this.#runOn(lanes)
    if (running !== undefined) await running
  }

  /** Runs the lane that was begun to its end; a promise where the State answers late. */
  #runOn(lanes: HostLanes): Promise<void> | undefined {
    for (let missing = lanes.run(); missing !== undefined; missing = lanes.run()) {
      const loading = this.#load(missing, lanes.key)
      if (loading === undefined) continue
      this.#isLate = true
      lanes.loads = false
      return loading.then(() => this.#runOn(lanes))
    }
    return undefined
  }

  #constants(env: BlockEnvironment): HostConstants {
    if (this.#env !== env) {
      const values = environmentValues(env, this.#chainId)
      this.#env = env
      this.#environment = ENVIRONMENT_WORDS.map((name) => values[name])
    }
    return { environment: this.#environment, skeletonId: (key) => this.#resident.codes.skeletonId(key) }
  }

  #load({ kind, owner }: Missing, key: Uint32Array): void | Promise<void> {
    if (kind === 'account') return this.#resident.accountIds(key, 1, this.#id)
    this.#owner[0] = owner
    return this.#resident.slotIds(this.#owner, key, 1, this.#id)
  }
}

const groupOf = (
  plan: PathPlan,
  transactions: Int32Array,
  lanesIn: Uint32Array,
  lanesOut: Uint32Array,
  hinted: boolean,
): PathGroup => ({
  plan,
  laneCount: transactions.length,
  transactions,
  lanesIn,
  lanesOut,
  onHost: true,
  hinted,
  slotAt: slotPlaces(plan, transactions.length),
  storeAt: storePlaces(plan, transactions.length),
  ...(plan.blooms.length === 0 ? {} : { bloomIndices: Promise.resolve(undefined) }),
})
