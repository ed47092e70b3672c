import type { Measured } from '../../batch/measured.ts'
import { hasEnded, type OpenBatch, TIER_LAST } from '../../batch/open_batch.ts'
import type { Policy } from '../../batch/policy.ts'
import type { ExitReason, ExitReasons } from '../../batch/reason.ts'
import {
  countersOf,
  type KeptBytes,
  type Running,
  type Tier,
  type TierCounters,
  type TierRun,
  type TrimTerms,
} from '../../batch/tier.ts'
import type { Precompiles } from '../../precompiles/precompiles.ts'
import type { DeviceSessions } from '../../session/device_sessions.ts'
import type { ResidentState } from '../../state/tables/resident_tables.ts'
import { PlaceRun } from './at_place.ts'
import { pathReasons } from './executions.ts'
import { FirstRound, type Wave } from './first_round.ts'
import type { PathParts } from './forms.ts'
import { PathRunner } from './kernels/runner.ts'
import type { PathLibrary } from './library.ts'
import { type PathBatch, takeCalls } from './path_batch.ts'
import { PrecompileAccounts } from './precompile_accounts.ts'
import { PathRetry } from './retry.ts'

export interface PathTierOptions {
  readonly policy: Policy
  readonly resident: ResidentState
  readonly sessions: DeviceSessions
  readonly library: PathLibrary
  readonly measured: Measured
  readonly precompiles: Precompiles
  readonly reasons: ExitReasons
}

/** Runs calls along recorded paths: kernels of their own, programs, and programs on the host where lanes are few. */
export class PathTier implements Tier {
  readonly name = 'path'
  readonly usesDevice = true
  readonly parts: PathParts
  readonly first: FirstRound
  readonly place: PlaceRun
  readonly #sessions: DeviceSessions
  #runner: PathRunner | undefined
  /** The batch for which the runner was begun. */
  #begun = -1

  constructor({ sessions, ...options }: PathTierOptions) {
    this.parts = { ...options, pathReasons: pathReasons(options.reasons) }
    this.#sessions = sessions
    this.first = new FirstRound(this.parts)
    this.place = new PlaceRun(this.parts)
  }

  open(batch: OpenBatch, number: number): PathRun | undefined {
    if (this.#sessions.refusal !== undefined) return undefined
    const { policy, resident, library, reasons } = this.parts
    return new PathRun(takeCalls(batch, number, policy.fork, resident, library, reasons), this)
  }

  /** The runner on the present session, begun for the present batch. */
  runner(): PathRunner {
    const session = this.#sessions.open()
    if (this.#runner?.session !== session) {
      this.parts.library.onDevice(session.device)
      this.#runner = new PathRunner(session, this.parts.policy)
      this.#begun = -1
    }
    if (this.#begun !== this.#sessions.batches) {
      this.#begun = this.#sessions.batches
      this.#runner.begin()
      this.first.begin(this.#runner)
    }
    return this.#runner
  }

  trim({ codes, budgets }: TrimTerms): void {
    this.parts.library.trim(codes, budgets.paths)
  }

  get kept(): KeptBytes {
    return { codes: 0, paths: this.parts.library.sizeBytes }
  }

  close(): void {
    this.#runner = undefined
  }
}

/** The path tier on one batch. */
export class PathRun implements TierRun {
  readonly #batch: PathBatch
  readonly #tier: PathTier
  readonly #precompiles: PrecompileAccounts
  /** Undefined until a transaction needs it. */
  #runner: PathRunner | undefined

  constructor(batch: PathBatch, tier: PathTier) {
    this.#batch = batch
    this.#tier = tier
    this.#precompiles = new PrecompileAccounts(batch, tier.parts.resident)
  }

  get counters(): TierCounters {
    if (this.#runner === undefined) return countersOf()
    const { timings, chunks, laneBytes } = this.#runner
    return countersOf({ executeMs: timings.execute, readbackMs: timings.readback, chunks, laneBytes })
  }

  async start(first: number, end: number, ranges: number): Promise<Running | undefined> {
    const batch = this.#batch
    if (batch.tier.indexOf(batch.number, first) < 0) return undefined
    this.#runner ??= this.#tier.runner()
    const wave = await this.#tier.first.start(batch, this.#runner, first, end, ranges)
    return new PathWave(batch, this.#tier.first, this.#runner, wave)
  }

  prepare(): void | Promise<void> {
    return this.#precompiles.load()
  }

  /** It ended, and read what has changed. */
  mends(i: number): boolean {
    const { conflict } = this.#tier.parts.pathReasons
    return this.#runner !== undefined && hasEnded(this.#batch, i) && this.#batch.reasons[i] === conflict
  }

  retry(): PathRetry {
    return new PathRetry(this.#batch, this.#runner!, this.#tier.parts)
  }

  async atPlace(i: number): Promise<boolean> {
    if (this.#runner === undefined) return false
    return this.#tier.place.atPlace(this.#batch, i, this.#runner)
  }

  refuse(reason: ExitReason): void {
    const { batch, tier, reasons, number } = this.#batch
    const code = this.#tier.parts.reasons.code(reason)
    for (let i = 0; i < batch.count; i++) {
      if (tier[i] !== number || hasEnded(this.#batch, i)) continue
      tier[i] = TIER_LAST
      reasons[i] = code
    }
  }

  end(): readonly string[] {
    return this.#tier.parts.library.failures.splice(0)
  }
}

class PathWave implements Running {
  readonly #batch: PathBatch
  readonly #first: FirstRound
  readonly #runner: PathRunner
  readonly #wave: Wave

  constructor(batch: PathBatch, first: FirstRound, runner: PathRunner, wave: Wave) {
    this.#batch = batch
    this.#first = first
    this.#runner = runner
    this.#wave = wave
  }

  get isUnderway(): boolean {
    return this.#wave.leftovers.size === 0
  }

  async finish(): Promise<boolean> {
    const before = this.#batch.givenBack
    await this.#first.finish(this.#batch, this.#runner, this.#wave)
    return this.#batch.givenBack > before
  }

  async abandon(): Promise<void> {
    await this.#wave.started?.finish().catch(() => undefined)
  }
}
