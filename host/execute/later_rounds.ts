import { EXIT_NONE } from '../../transpiler/index.ts'
import type { ResidentState } from '../state/resident_state.ts'
import { faultReason, faultText } from './device_fault.ts'
import type { ExitReasons } from './exit_reason.ts'
import type { LaneRunner } from './lane_runner.ts'
import type { LaneStage } from './lane_stage.ts'
import { COLUMN_LIMBS } from './path_plan.ts'
import { type Schedule, TIER_LANE } from './schedule.ts'
import { type Stale, VersionLog } from './version_log.ts'

/** This many stale transactions or fewer are cheaper on the CPU tier than another round. */
const LEAST_STALE = 8
/** Conflicts left to the CPU tier before the log is resolved again; four times as many after each round in vain. */
const FIRST_PAUSE = 32
const MOST_ROUNDS = 32

/**
 * Rounds after the first. When the sweep meets a transaction that read what a transaction before it wrote, all those
 * behind it that did so run again on the device together, on the versions that the log resolves their reads to, as long as
 * a round leaves at most half of them stale. The sweep then goes on. Counts decide, not times, so that the same batch has the
 * same rounds on every machine.
 */
export class LaterRounds {
  readonly faults: string[] = []
  rounds = 0
  /** Wall milliseconds spent on resolving the log. */
  resolveMs = 0
  readonly #schedule: Schedule
  readonly #resident: ResidentState
  readonly #lanes: LaneStage
  readonly #runner: LaneRunner | undefined
  readonly #conflict: number
  readonly #log = new VersionLog()
  #pause = 0
  #nextPause = FIRST_PAUSE
  #isOver = false

  constructor(
    schedule: Schedule,
    resident: ResidentState,
    lanes: LaneStage,
    reasons: ExitReasons,
    runner: LaneRunner | undefined,
  ) {
    this.#schedule = schedule
    this.#resident = resident
    this.#lanes = lanes
    this.#runner = runner
    this.#conflict = reasons.code('conflict')
  }

  /** Runs rounds for the transactions from `i` on. True where `i` has another execution now. */
  async run(i: number): Promise<boolean> {
    if (this.#runner === undefined || this.#isOver || this.rounds === MOST_ROUNDS || !this.#isStale(i)) return false
    if (this.#pause > 0) {
      this.#pause--
      return false
    }
    let stale = this.#resolve(i)
    if (stale.count <= LEAST_STALE) {
      this.#pause = stale.count + FIRST_PAUSE
      return false
    }
    const before = this.#schedule.groups[i]
    while (this.rounds < MOST_ROUNDS && (await this.#again(stale, this.#runner))) {
      const left = this.#resolve(i)
      if (left.count > stale.count / 2) {
        this.#pause = this.#nextPause
        this.#nextPause *= 4
        break
      }
      if (left.count <= LEAST_STALE) break
      stale = left
    }
    return this.#schedule.groups[i] !== before
  }

  /** It ended on its path, and the sweep refused what it read. */
  #isStale(i: number): boolean {
    const { tier, reasons, groups, lanes, laneGroups } = this.#schedule
    if (tier[i] !== TIER_LANE || reasons[i] !== this.#conflict) return false
    return laneGroups[groups[i]!]!.lanesOut[lanes[i]! * COLUMN_LIMBS] === EXIT_NONE
  }

  #resolve(i: number): Stale {
    const startedMs = performance.now()
    const stale = this.#log.resolve(this.#schedule, this.#resident.slots, i)
    this.resolveMs += performance.now() - startedMs
    return stale
  }

  async #again(stale: Stale, runner: LaneRunner): Promise<boolean> {
    try {
      const ran = await this.#lanes.again(this.#schedule, stale, runner)
      if (ran) this.rounds++
      else this.#isOver = true
      return ran
    } catch (thrown) {
      // What the device had done stands; stale transactions go to the CPU tier one by one.
      faultReason(thrown)
      this.faults.push(faultText(thrown))
      this.#isOver = true
      return false
    }
  }
}
