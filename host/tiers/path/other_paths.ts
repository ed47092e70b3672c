import { EXIT_MISS, EXIT_NONE } from '../../../transpiler/index.ts'
import { countRun } from '../../batch/open_batch.ts'
import { PATIENCE } from '../../batch/patience.ts'
import type { Told } from '../../batch/retry.ts'
import type { Precompiles } from '../../precompiles/precompiles.ts'
import type { ResidentState } from '../../state/tables/resident_tables.ts'
import type { PathGroup, PathSource } from './columns.ts'
import { adoptLane, PathExecutions, type PathReasons, pathGroup } from './executions.ts'
import { Hints } from './hints.ts'
import type { PathJob } from './job.ts'
import type { PathRunner } from './kernels/runner.ts'
import type { PathCandidate, PathLibrary } from './library.ts'
import { loadMissed } from './misses.ts'
import type { PathBatch } from './path_batch.ts'
import { hintedSubset } from './pending.ts'
import { COLUMN_LIMBS, type PathPlan } from './plan.ts'

/** Where an execution stands whose look-ups are asked for: it need not be the transaction's own. */
interface ProbedLane {
  readonly transaction: number
  readonly group: PathGroup
  readonly lane: number
}

export interface OtherPathsTools {
  readonly library: PathLibrary
  readonly resident: ResidentState
  readonly precompiles: Precompiles
  readonly runner: PathRunner
  readonly source: PathSource
  readonly reasons: PathReasons
  readonly told: Told
}

/**
 * Transactions that left their path when they ran on the versions that they should have read: what a transaction before
 * them wrote sends them another way, as the second trade of a block that finds the pool's clock set. Every other path
 * of their key is tried, in two waves of programs: the first, on base values, tells only which slots it looks at; the
 * second gets what these slots hold at the transaction's place. An execution that ended becomes the transaction's own;
 * the log judges it as any other.
 */
export const runOtherPaths = async (
  openBatch: PathBatch,
  transactions: readonly number[],
  tools: OtherPathsTools,
): Promise<void> => {
  const candidates = candidatesOf(openBatch, transactions, tools.library)
  if (candidates.size === 0) return
  const places = await probe(openBatch, candidates, tools)
  if (places.length === 0) return
  const hinted = new Hints(tools.resident.slots)
  tools.told.at(
    places.map(({ transaction }) => transaction),
    (n, versions) => {
      const { transaction, group, lane } = places[n]!
      hinted.add(transaction, group, lane, versions)
    },
  )
  const byPlan = new Map<PathPlan, number[]>()
  for (let n = 0; n < hinted.count; n++) {
    const { plan } = places[n]!.group
    const list = byPlan.get(plan)
    if (list === undefined) byPlan.set(plan, [n])
    else list.push(n)
  }
  const jobs = [...byPlan].map(
    ([plan, members]): PathJob => ({
      plan,
      kernels: undefined,
      transactions: Int32Array.from(members, (n) => hinted.transactions[n]!),
      hints: { words: hinted.words, at: Uint32Array.from(members, (n) => hinted.at[n]!) },
    }),
  )
  const byCandidatePlan = new Map([...candidates.keys()].map((candidate) => [candidate.plan, candidate]))
  const settled = new Set<number>()
  const executions = new Map<PathGroup, PathExecutions>()
  await runWithMisses(openBatch, jobs, tools, hintedSubset, (group, lane) => {
    const i = group.transactions[lane]!
    if (group.lanesOut[lane * COLUMN_LIMBS] !== EXIT_NONE || settled.has(i)) return
    settled.add(i)
    let made = executions.get(group)
    if (made === undefined) {
      made = new PathExecutions(openBatch, group, tools.resident, tools.reasons)
      executions.set(group, made)
      openBatch.executions.push(made)
    }
    adoptLane(openBatch, openBatch.executions.lastIndexOf(made), made, lane)
    countRun(openBatch, i)
    const candidate = byCandidatePlan.get(group.plan)!
    candidate.lanes++
    if (group.isProgram) candidate.programLanes++
  })
}

/**
 * The other candidates of each transaction's key that have a program, with the transactions that may try them,
 * ascending.
 */
const candidatesOf = (
  openBatch: PathBatch,
  transactions: readonly number[],
  library: PathLibrary,
): Map<PathCandidate, number[]> => {
  const found = new Map<PathCandidate, number[]>()
  for (const i of [...transactions].sort((a, b) => a - b)) {
    const { plan } = pathGroup(openBatch, i)!
    for (const candidate of library.keys[openBatch.keyIds[i]!]!.candidates) {
      if (candidate.plan === plan || !candidate.hasProgram) continue
      const list = found.get(candidate)
      if (list === undefined) found.set(candidate, [i])
      else list.push(i)
    }
  }
  return found
}

/** Where the slot look-ups of each candidate stand, by transaction in ascending order. */
const probe = async (
  openBatch: PathBatch,
  candidates: ReadonlyMap<PathCandidate, readonly number[]>,
  tools: OtherPathsTools,
): Promise<ProbedLane[]> => {
  const jobs = [...candidates].map(
    ([{ plan }, transactions]): PathJob => ({ plan, kernels: undefined, transactions: Int32Array.from(transactions) }),
  )
  const places: ProbedLane[] = []
  const subset = (job: PathJob, transactions: readonly number[]): PathJob => ({
    ...job,
    transactions: Int32Array.from(transactions),
  })
  await runWithMisses(openBatch, jobs, tools, subset, (group, lane) => {
    if (group.lanesOut[lane * COLUMN_LIMBS] !== EXIT_MISS)
      places.push({ transaction: group.transactions[lane]!, group, lane })
  })
  return places.sort((a, b) => a.transaction - b.transaction)
}

/** Runs jobs, loads what they miss, runs those lanes again; `take` sees every lane of every run. */
const runWithMisses = async (
  openBatch: PathBatch,
  first: readonly PathJob[],
  { runner, source, resident, precompiles }: OtherPathsTools,
  subset: (job: PathJob, transactions: readonly number[]) => PathJob,
  take: (group: PathGroup, lane: number) => void,
): Promise<void> => {
  let jobs = first
  for (let rerun = 0; jobs.length > 0; rerun++) {
    const next: PathJob[] = []
    for (const group of await runner.run(jobs, source, openBatch.env)) {
      const missed: number[] = []
      for (let lane = 0; lane < group.laneCount; lane++) {
        if (group.lanesOut[lane * COLUMN_LIMBS] === EXIT_MISS) missed.push(lane)
        take(group, lane)
      }
      if (missed.length === 0 || rerun === PATIENCE.probeMisses) continue
      await loadMissed(group, missed, openBatch.toIds, resident, precompiles)
      const job = jobs.find(({ plan }) => plan === group.plan)!
      next.push(
        subset(
          job,
          missed.map((lane) => group.transactions[lane]!),
        ),
      )
    }
    jobs = next
  }
}
