import { EXIT_NONE } from '../../../../transpiler/index.ts'
import { HINT_COLUMNS } from '../../../../transpiler/path_kernel.ts'
import type { ResidentState } from '../../../state/tables/resident_tables.ts'
import { gatherLanes, type PathGroup, type PathSource, slotPlaces, storePlaces } from '../columns.ts'
import { COLUMN_LIMBS, type PathPlan, WORD_COLUMNS } from '../plan.ts'
import { type HostConstants, HostLanes } from './machine.ts'
import { copyLane } from './word_columns.ts'

/** A lane that ended on its path. */
export interface EndedLane {
  readonly group: PathGroup
  readonly lane: number
}

/**
 * Lanes of one path that run one after another, each at the place of its transaction on the running values of the
 * tables, which stand in the group as its hints. They are one group, so that what comes after them has columns of many
 * lanes, and a chain makes no arrays for each of its transactions.
 */
export class PlaceLanes {
  readonly group: PathGroup
  readonly lanes: HostLanes
  readonly #transactions: Int32Array
  /** The inputs of one lane. */
  readonly #one: Uint32Array
  readonly #transaction = new Int32Array(1)
  #next = 0

  constructor(plan: PathPlan, laneCount: number, resident: ResidentState, constants: HostConstants) {
    const columns = Math.max(WORD_COLUMNS, plan.kernel.inputColumns + HINT_COLUMNS * plan.slots.count)
    const lanesIn = new Uint32Array(columns * laneCount * COLUMN_LIMBS)
    this.lanes = new HostLanes(plan, resident, constants, { lanesIn, laneCount, hinted: true })
    this.lanes.readsRunning = true
    this.#transactions = new Int32Array(laneCount)
    this.#one = new Uint32Array(columns * COLUMN_LIMBS)
    this.group = {
      plan,
      laneCount,
      transactions: this.#transactions,
      lanesIn,
      lanesOut: this.lanes.lanesOut,
      onHost: true,
      hinted: true,
      slotAt: slotPlaces(plan, laneCount),
      storeAt: storePlaces(plan, laneCount),
      ...(plan.blooms.length === 0 ? {} : { bloomIndices: Promise.resolve(undefined) }),
    }
  }

  get isFull(): boolean {
    return this.#next === this.group.laneCount
  }

  /** The lane that runs next; it is taken once it has ended on its path. */
  get next(): number {
    return this.#next
  }

  /**
   * Begins the next lane for transaction i. `ended`: it has been on this path before. A lane that ends has found all
   * its slots, so each has its hint.
   */
  begin(i: number, source: PathSource, ended: EndedLane | undefined): void {
    const { plan, lanesIn, laneCount } = this.group
    const lane = this.#next
    this.#transactions[lane] = i
    const { inputColumns } = plan.kernel
    if (ended === undefined) {
      this.#transaction[0] = i
      gatherLanes(plan, this.#transaction, 1, source, this.#one)
      copyLane(this.#one, 1, 0, lanesIn, laneCount, lane, inputColumns)
    } else copyLane(ended.group.lanesIn, ended.group.laneCount, ended.lane, lanesIn, laneCount, lane, inputColumns)
    if (ended === undefined) this.lanes.begin(lane)
    else this.lanes.beginAgain(lane, ended.group, ended.lane)
  }

  /** The exit of the lane that ran. */
  end(): number {
    const exit = this.group.lanesOut[this.#next * COLUMN_LIMBS]!
    if (exit === EXIT_NONE) this.#next++
    return exit
  }
}
