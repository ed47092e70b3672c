import { EXIT_MISS, EXIT_NONE } from '../../../transpiler/index.ts'
import { countRun } from '../../batch/open_batch.ts'
import { PATIENCE } from '../../batch/patience.ts'
import type { Policy } from '../../batch/policy.ts'
import type { ExitReason } from '../../batch/reason.ts'
import type { PathGroup } from './columns.ts'
import { WaveCost } from './cost.ts'
import { adoptLane, PathExecutions } from './executions.ts'
import { callsItsCode, isReady, openPrograms, type PathParts } from './forms.ts'
import type { PathJob, StartedJobs } from './job.ts'
import type { PathRunner } from './kernels/runner.ts'
import { type PathCandidate, type PathKeyState, PathLibrary } from './library.ts'
import { adopt, groupsByPlan, guardText, laneSource, noteExits, noteLanes, transactionsByKey } from './lots.ts'
import { loadMissed } from './misses.ts'
import { giveBack, type PathBatch } from './path_batch.ts'
import { FEW_LANES, type Leftover, mergePending, mergeSorted, type Pending } from './pending.ts'
import { COLUMN_LIMBS, type PathPlan } from './plan.ts'
import { RecordedState, recordedTransaction } from './recording.ts'

/** Brings the transactions of this tier through the device, on the values before their range. */
export class FirstRound {
  readonly #parts: PathParts
  readonly #policy: Policy
  readonly #library: PathLibrary

  constructor(parts: PathParts) {
    this.#parts = parts
    this.#policy = parts.policy
    this.#library = parts.library
  }

  /**
   * For the start of a batch: puts the most used paths of every key first, and compiles what has earned its own kernel.
   */
  begin(runner: PathRunner): void {
    runner.onPrograms = (values, elapsedMs) => this.#library.notePrograms(values, elapsedMs)
    const background = this.#policy.compile === 'background' && this.#policy.ownKernels
    for (const key of this.#library.keys) {
      PathLibrary.rank(key)
      if (!background) continue
      for (const candidate of key.candidates) {
        if (this.#library.hasEarnedKernels(candidate)) void this.#library.compile(candidate, runner.device)
      }
    }
  }

  /**
   * Gives the device the transactions of this tier in [first, end), as far as there are paths for them, and comes back
   * at once. `scale` is the number of such ranges in the batch, for the question whether a new path pays.
   */
  async start(batch: PathBatch, runner: PathRunner, first: number, end: number, scale: number): Promise<Wave> {
    const wave: Wave = { pending: [], leftovers: new Map(), scale, started: undefined }
    const byKey = transactionsByKey(batch, this.#library.keys.length, first, end)
    await this.#preparePrograms(byKey, runner)
    for (const [keyId, transactions] of byKey) {
      const key = this.#library.keys[keyId]!
      this.#library.noteUse(key)
      this.#route(key, 0, transactions, runner, wave.pending, wave.leftovers, 'no path')
    }
    this.#dropSmall(wave.pending, batch, runner)
    if (wave.pending.length > 0) wave.started = await this.#submit(wave.pending, batch, runner)
    return wave
  }

  /** Executes all transactions of a started range on committed values; those that no path takes are given back. */
  async finish(batch: PathBatch, runner: PathRunner, wave: Wave): Promise<void> {
    const { leftovers } = wave
    let { pending } = wave
    let started = wave.started
    while (pending.length > 0 || leftovers.size > 0) {
      const next: Pending[] = []
      started ??= pending.length > 0 ? await this.#submit(pending, batch, runner) : undefined
      // Recorded while the device executes what it has.
      const unserved = [...leftovers]
      leftovers.clear()
      for (const [key, leftover] of unserved) await this.#record(key, leftover, wave.scale, batch, runner, next)
      const byPlan = groupsByPlan((await started?.finish()) ?? [])
      for (const one of pending) {
        if (one.candidates.length === 1)
          for (const group of byPlan.get(one.candidates[0]!.plan) ?? [])
            await this.#settle(group, one, batch, runner, next, leftovers)
        else await this.#settleFew(one, byPlan, batch, runner, next, leftovers)
      }
      mergePending(next)
      this.#dropSmall(next, batch, runner)
      pending = next
      started = undefined
    }
  }

  #submit(pending: readonly Pending[], batch: PathBatch, runner: PathRunner): Promise<StartedJobs> {
    const jobs = pending.flatMap(({ candidates, transactions }) =>
      candidates.map(({ plan, kernels }): PathJob => ({ plan, kernels, transactions })),
    )
    return runner.start(jobs, laneSource(batch), batch.env)
  }

  /** Gives the lanes of a wave back where it costs more than it saves. */
  #dropSmall(pending: Pending[], batch: PathBatch, runner: PathRunner): void {
    if (this.#policy.waves === 'always' || pending.length === 0) return
    const cost = new WaveCost(runner.costs)
    for (const { candidates, transactions } of pending) {
      cost.save(candidates[0]!.plan, transactions.length)
      for (const { plan } of candidates) cost.add(plan, transactions.length)
    }
    if (cost.isWorth(runner.mayUseHost)) return
    for (const { transactions } of pending) giveBack(batch, transactions, this.#code('wave too small'))
    pending.length = 0
  }

  /** Makes the program kernel ready, or on its way, where a path of these keys wants it. */
  async #preparePrograms(byKey: ReadonlyMap<number, Int32Array>, runner: PathRunner): Promise<void> {
    if (runner.programs !== 'closed') return
    for (const keyId of byKey.keys()) {
      const wants = this.#library.keys[keyId]!.candidates.some((one) => one.hasProgram && one.kernels === undefined)
      if (wants) return openPrograms(this.#parts, runner)
    }
  }

  /** Sends lanes to the candidates from `first` on that are ready, or to the leftovers where there is none. */
  #route(
    key: PathKeyState,
    first: number,
    transactions: Int32Array,
    runner: PathRunner,
    pending: Pending[],
    leftovers: Map<PathKeyState, Leftover>,
    reason: ExitReason,
  ): void {
    const candidates: PathCandidate[] = []
    for (let at = first; at < key.candidates.length; at++) {
      const candidate = key.candidates[at]!
      if (!isReady(candidate, runner)) continue
      candidates.push(candidate)
      if (transactions.length > FEW_LANES) break
    }
    if (candidates.length > 0) {
      pending.push({ key, candidates, reruns: 0, transactions })
      return
    }
    const leftover = leftovers.get(key)
    const entry = { transactions, reason }
    if (leftover === undefined) leftovers.set(key, { parts: [entry] })
    else leftover.parts.push(entry)
  }

  /** Takes the lanes of a group that ended; sends the others on. */
  async #settle(
    group: PathGroup,
    from: Pending,
    batch: PathBatch,
    runner: PathRunner,
    pending: Pending[],
    leftovers: Map<PathKeyState, Leftover>,
  ): Promise<void> {
    const missed = adopt(batch, new PathExecutions(batch, group, this.#parts.resident, this.#parts.pathReasons))
    const candidate = from.candidates[0]!
    const failed = new Map<number, number[]>()
    let ended = 0
    for (let lane = 0; lane < group.laneCount; lane++) {
      const exit = group.lanesOut[lane * COLUMN_LIMBS]!
      if (exit === EXIT_NONE) ended++
      else if (exit !== EXIT_MISS) {
        const list = failed.get(exit)
        if (list === undefined) failed.set(exit, [group.transactions[lane]!])
        else list.push(group.transactions[lane]!)
      }
    }
    noteLanes(candidate, group, ended)
    if (missed.length > 0) {
      const transactions = Int32Array.from(missed, (lane) => group.transactions[lane]!)
      noteExits(batch, transactions, 'miss')
      if (from.reruns === PATIENCE.misses) giveBack(batch, transactions, this.#code('miss'))
      else {
        await loadMissed(group, missed, batch.toIds, this.#parts.resident, this.#parts.precompiles)
        pending.push({ ...from, reruns: from.reruns + 1, transactions })
      }
    }
    const following = from.key.candidates.indexOf(candidate) + 1
    for (const [exit, transactions] of failed) {
      const text = guardText(group.plan, exit)
      noteExits(batch, transactions, text)
      this.#route(from.key, following, Int32Array.from(transactions), runner, pending, leftovers, text)
    }
  }

  /**
   * The same for few lanes that tried several candidates at once: the first in the key's order that a lane ended on
   * stands.
   */
  async #settleFew(
    from: Pending,
    byPlan: ReadonlyMap<PathPlan, readonly PathGroup[]>,
    batch: PathBatch,
    runner: PathRunner,
    pending: Pending[],
    leftovers: Map<PathKeyState, Leftover>,
  ): Promise<void> {
    const { key, candidates, transactions, reruns } = from
    const groups = candidates.map(({ plan }) => byPlan.get(plan)![0]!)
    const made: (PathExecutions | undefined)[] = groups.map(() => undefined)
    const endedOn = groups.map(() => 0)
    const missedOn = groups.map((): number[] => [])
    const failed: number[] = []
    for (let lane = 0; lane < transactions.length; lane++) {
      const i = transactions[lane]!
      countRun(batch, i)
      const exits = groups.map(({ lanesOut }) => lanesOut[lane * COLUMN_LIMBS]!)
      const ended = exits.indexOf(EXIT_NONE)
      if (ended >= 0) {
        let executions = made[ended]
        if (executions === undefined) {
          executions = new PathExecutions(batch, groups[ended]!, this.#parts.resident, this.#parts.pathReasons)
          made[ended] = executions
          batch.executions.push(executions)
        }
        adoptLane(batch, batch.executions.lastIndexOf(executions), executions, lane)
        endedOn[ended]!++
        continue
      }
      for (const [n, exit] of exits.entries()) {
        if (exit === EXIT_MISS) missedOn[n]!.push(lane)
        else batch.explained?.exit(i, guardText(groups[n]!.plan, exit))
      }
      if (!exits.includes(EXIT_MISS)) failed.push(lane)
    }
    const rerun = new Set<number>()
    for (const [n, missed] of missedOn.entries()) {
      noteLanes(candidates[n]!, groups[n]!, endedOn[n]!)
      if (missed.length === 0) continue
      for (const lane of missed) rerun.add(transactions[lane]!)
      if (reruns < PATIENCE.misses)
        await loadMissed(groups[n]!, missed, batch.toIds, this.#parts.resident, this.#parts.precompiles)
    }
    if (rerun.size > 0) {
      const again = Int32Array.from(rerun).sort()
      noteExits(batch, again, 'miss')
      const missing = candidates.filter((_, n) => missedOn[n]!.length > 0)
      if (reruns === PATIENCE.misses) giveBack(batch, again, this.#code('miss'))
      else pending.push({ key, candidates: missing, reruns: reruns + 1, transactions: again })
    }
    if (failed.length === 0) return
    const last = groups.at(-1)!
    const text = guardText(last.plan, last.lanesOut[failed[0]! * COLUMN_LIMBS]!)
    const following = key.candidates.indexOf(candidates.at(-1)!) + 1
    const lanes = Int32Array.from(failed, (lane) => transactions[lane]!)
    this.#route(key, following, lanes, runner, pending, leftovers, text)
  }

  /** Lanes that no ready path takes: a new path where it pays, else they are given back. */
  async #record(
    key: PathKeyState,
    leftover: Leftover,
    scale: number,
    batch: PathBatch,
    runner: PathRunner,
    pending: Pending[],
  ): Promise<void> {
    const transactions = mergeSorted(leftover.parts.map((part) => part.transactions))
    const candidate = await this.#candidate(key, transactions, scale, batch, runner)
    if (candidate !== undefined && isReady(candidate, runner)) {
      pending.push({ key, candidates: [candidate], reruns: 0, transactions })
      return
    }
    if (candidate?.failure !== undefined) {
      giveBack(batch, transactions, this.#code(candidate.failure))
      return
    }
    key.lanesOwed += transactions.length
    for (const part of leftover.parts)
      giveBack(batch, part.transactions, this.#code(this.#whyNot(key, part.reason, runner)))
  }

  /**
   * A path for these transactions: one recorded before that is worth a form only now, else a new one. Undefined where
   * none is worth it; without a form where that compiles in the background.
   */
  async #candidate(
    key: PathKeyState,
    transactions: Int32Array,
    scale: number,
    batch: PathBatch,
    runner: PathRunner,
  ): Promise<PathCandidate | undefined> {
    const { compile, recordFrom, ownKernels, programs } = this.#policy
    const expected = scale * transactions.length
    const seen = key.lanesOwed + expected
    if (compile === 'never') return undefined
    let candidate = key.candidates.find((one) => !one.started && !isReady(one, runner))
    if (candidate === undefined) {
      if (!this.#library.isWorthRecording(key, expected, recordFrom)) return undefined
      const sample = transactions.find((i) => callsItsCode(batch, this.#parts.resident, i))
      if (sample === undefined) return undefined
      const transaction = recordedTransaction(this.#policy, batch, sample)
      const recorded = await this.#library.record(
        key,
        transaction,
        new RecordedState(this.#parts.resident, this.#parts.precompiles),
      )
      if (typeof recorded !== 'object') return undefined
      candidate = recorded
    }
    const mayCompile = ownKernels && !candidate.started
    // In the background a program is there sooner, and earns the kernel.
    const waitsForProgram = compile === 'background' && candidate.hasProgram && runner.programs !== 'refused'
    if (mayCompile && !(waitsForProgram && programs)) {
      if (this.#library.isWorthCompiling(candidate.plan, seen, recordFrom)) {
        key.lanesOwed = 0
        const compilation = this.#library.compile(candidate, runner.device)
        if (compile === 'wait') await this.#parts.measured.waitFor(compilation)
      }
    }
    if (candidate.hasProgram && candidate.kernels === undefined) await openPrograms(this.#parts, runner)
    return candidate
  }

  #code(reason: ExitReason): number {
    return this.#parts.reasons.code(reason)
  }

  #whyNot(key: PathKeyState, reason: ExitReason, runner: PathRunner): ExitReason {
    if (reason !== 'no path') return reason
    const compiles = key.candidates.some(
      ({ started, kernels, failure, hasProgram }) =>
        (started && kernels === undefined && failure === undefined) || (hasProgram && runner.programs === 'opening'),
    )
    if (compiles) return 'compiling'
    const failed = key.candidates.find(({ failure }) => failure !== undefined)
    if (failed !== undefined) return failed.failure!
    if (runner.programs === 'refused' && key.candidates.length > 0) return 'shader did not compile'
    return key.refusal ?? reason
  }
}

/** A range of transactions on its way through the device. */
export interface Wave {
  readonly pending: Pending[]
  readonly leftovers: Map<PathKeyState, Leftover>
  readonly scale: number
  started: StartedJobs | undefined
}
