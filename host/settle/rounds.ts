import { hasEnded, type Schedule, TIER_LANE } from '../batch/open_batch.ts'
import type { Policy } from '../batch/policy.ts'
import type { ExitReasons } from '../batch/reason.ts'
import { faultReason, faultText } from '../device/fault.ts'
import type { ResidentState } from '../state/tables/resident_tables.ts'
import { WaveCost } from '../tiers/path/cost.ts'
import { pathGroup } from '../tiers/path/executions.ts'
import type { LaneRunner } from '../tiers/path/kernels/runner.ts'
import type { LaneStage } from '../tiers/path/tier.ts'
import type { ListedVersions } from './listed_versions.ts'
import { type Place, type Stale, VersionLog } from './version_log.ts'

/** With `waves: 'always'`: fewer stale transactions, or fewer of them made valid by the last round, are left to the CPU tier. */
const LEAST_STALE = 8
/** Conflicts left to the CPU tier before the log is resolved again; four times as many after each round in vain. */
const FIRST_PAUSE = 32
const MOST_ROUNDS = 32

/**
 * Rounds after the first. When the sweep meets a transaction that read what a transaction before it wrote, all those
 * behind it that did so run again on the device together, on the versions that the log resolves their reads to, as long as
 * a round saves the CPU tier more than it costs (cost.ts). A chain, in which each round makes only its first
 * transaction valid, soon does not: the sweep then goes on with the CPU tier, and looks again ever more rarely. Counts and
 * steps decide, not times, so that the same batch has the same rounds on every machine.
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
  readonly #always: boolean
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
    waves: Policy['waves'],
  ) {
    this.#schedule = schedule
    this.#resident = resident
    this.#lanes = lanes
    this.#runner = runner
    this.#conflict = reasons.code('conflict')
    this.#always = waves === 'always'
  }

  /** Reads are resolved to what a block access list says from now on: one round then makes all of them valid. */
  believe(listed: ListedVersions): void {
    this.#log.listed = listed
  }

  /** Runs rounds for the transactions from `i` on. True where `i` has another execution now. */
  async run(i: number): Promise<boolean> {
    if (this.#runner === undefined || this.#isOver || this.rounds === MOST_ROUNDS || !this.#isStale(i)) return false
    if (this.#pause > 0) {
      this.#pause--
      return false
    }
    let stale = this.#resolve(i)
    if (!this.#isWorthRound(stale)) {
      this.#pause = stale.count + FIRST_PAUSE
      return false
    }
    const before = this.#schedule.executionOf[i]
    while (this.rounds < MOST_ROUNDS && (await this.#again(stale, this.#runner, i))) {
      const left = this.#resolve(i)
      if (!this.#wasWorthRound(stale, left)) {
        this.#pause = this.#nextPause
        this.#nextPause *= 4
        break
      }
      if (!this.#isWorthRound(left)) break
      stale = left
    }
    return this.#schedule.executionOf[i] !== before
  }

  #isWorthRound(stale: Stale): boolean {
    if (this.#always) return stale.count > LEAST_STALE
    const cost = this.#costs(stale)
    return cost.isWorthRound(cost.singlyUs(this.#mayUseHost))
  }

  /** Whether the round that left these of its transactions stale saved more than it cost: then the next one may, too. */
  #wasWorthRound(stale: Stale, left: Stale): boolean {
    if (this.#always) return left.count <= stale.count / 2
    const cost = this.#costs(stale)
    const savedUs = cost.singlyUs(this.#mayUseHost) - this.#costs(left).singlyUs(this.#mayUseHost)
    return cost.isWorthRound(savedUs)
  }

  #costs({ count, transactions }: Stale): WaveCost {
    const cost = new WaveCost(this.#runner?.costs)
    for (let n = 0; n < count; n++) {
      const { plan } = pathGroup(this.#schedule, transactions[n]!)!
      cost.save(plan, 1)
      cost.add(plan, 1)
    }
    return cost
  }

  get #mayUseHost(): boolean {
    return this.#runner?.mayUseHost ?? false
  }

  /** It ended on its path, and the sweep refused what it read. */
  #isStale(i: number): boolean {
    const { tier, reasons } = this.#schedule
    return tier[i] === TIER_LANE && reasons[i] === this.#conflict && hasEnded(this.#schedule, i)
  }

  #resolve(i: number): Stale {
    const startedMs = performance.now()
    const stale = this.#log.resolve(this.#schedule, this.#resident.slots, i)
    this.resolveMs += performance.now() - startedMs
    return stale
  }

  async #again(stale: Stale, runner: LaneRunner, i: number): Promise<boolean> {
    try {
      const hintsAt = (places: readonly Place[]) => this.#log.resolve(this.#schedule, this.#resident.slots, i, places)
      const ran = await this.#lanes.again(this.#schedule, stale, runner, hintsAt)
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
