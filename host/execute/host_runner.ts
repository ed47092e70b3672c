import { ENVIRONMENT_WORDS } from '../../transpiler/layout/environment.ts'
import type { BlockEnvironment } from '../block/environment.ts'
import type { ResidentState } from '../state/resident_state.ts'
import { HostLanes, type Missing } from './host_lane.ts'
import {
  environmentValues,
  gatherHints,
  gatherLanes,
  type LaneGroup,
  type LaneSource,
  slotPlaces,
  storePlaces,
} from './lane_group.ts'
import type { LaneJob } from './lane_runner.ts'
import { COLUMN_LIMBS, HINT_COLUMNS, WORD_COLUMNS } from './path_plan.ts'

/**
 * Runs lanes by the programs of their paths on this thread: what a wave of a few lanes costs less that way than it takes to
 * bring it to the device (docs/decisions/0013-few-lanes-run-on-the-host.md). The groups that come back are those of LaneRunner.
 */
export class HostRunner {
  /** Wall milliseconds of this batch. */
  elapsedMs = 0
  readonly #resident: ResidentState
  readonly #chainId: bigint
  /** The State answers late: what lanes miss is loaded for all of them together, as for a device. */
  #isLate = false
  readonly #id = new Int32Array(1)
  readonly #owner = new Int32Array(1)

  constructor(resident: ResidentState, chainId: bigint) {
    this.#resident = resident
    this.#chainId = chainId
  }

  async run(jobs: readonly LaneJob[], source: LaneSource, env: BlockEnvironment): Promise<LaneGroup[]> {
    const startedMs = performance.now()
    const values = environmentValues(env, this.#chainId)
    const constants = {
      environment: ENVIRONMENT_WORDS.map((name) => values[name]),
      skeletonId: (key: string) => this.#resident.codes.skeletonId(key),
    }
    const groups: LaneGroup[] = []
    for (const { plan, transactions, hints } of jobs) {
      const laneCount = transactions.length
      const hintColumns = hints === undefined ? 0 : HINT_COLUMNS * plan.slots.count
      const columns = Math.max(WORD_COLUMNS, plan.kernel.inputColumns + hintColumns)
      const lanesIn = new Uint32Array(columns * laneCount * COLUMN_LIMBS)
      gatherLanes(plan, transactions, laneCount, source, lanesIn)
      if (hints !== undefined) gatherHints(plan, transactions, hints, lanesIn)
      const lanes = new HostLanes(plan, this.#resident, constants, { lanesIn, laneCount, hinted: hints !== undefined })
      lanes.loads = !this.#isLate
      for (let lane = 0; lane < laneCount; lane++) {
        lanes.begin(lane)
        for (let missing = lanes.run(); missing !== undefined; missing = lanes.run()) {
          const loading = this.#load(missing, lanes.key)
          if (loading === undefined) continue
          this.#isLate = true
          lanes.loads = false
          await loading
        }
      }
      groups.push({
        plan,
        laneCount,
        transactions,
        lanesIn,
        lanesOut: lanes.lanesOut,
        onHost: true,
        hinted: hints !== undefined,
        slotAt: slotPlaces(plan, laneCount),
        storeAt: storePlaces(plan, laneCount),
        ...(plan.blooms.length === 0 ? {} : { bloomIndices: Promise.resolve(undefined) }),
      })
    }
    this.elapsedMs += performance.now() - startedMs
    return groups
  }

  #load({ kind, owner }: Missing, key: Uint32Array): void | Promise<void> {
    if (kind === 'account') return this.#resident.accountIds(key, 1, this.#id)
    this.#owner[0] = owner
    return this.#resident.slotIds(this.#owner, key, 1, this.#id)
  }
}
