import { EXIT_MISS } from '../../../transpiler/index.ts'
import { countRun, type OpenBatch } from '../../batch/open_batch.ts'
import type { ExitReason } from '../../batch/reason.ts'
import type { PathGroup, PathSource } from './columns.ts'
import { adoptLanes, type PathExecutions } from './executions.ts'
import type { PathCandidate } from './library.ts'
import type { PathBatch } from './path_batch.ts'
import { COLUMN_LIMBS, type PathPlan } from './plan.ts'

/** Per-transaction values of a batch that lane inputs are made of. */
export const laneSource = (openBatch: OpenBatch): PathSource => ({
  batch: openBatch.batch,
  executionGas: openBatch.executionGas,
  toIds: openBatch.toIds,
  gasPrice: openBatch.rules.price,
})

/** The reason that a lane left its path with this exit. */
export const guardText = ({ kernel }: PathPlan, exit: number): ExitReason =>
  `guard failed: ${kernel.guards[exit - 1]?.meaning ?? exit}`

/** Notes an exit of these transactions where the batch is to be explained. */
export const noteExits = ({ explained }: OpenBatch, transactions: ArrayLike<number>, text: string): void => {
  if (explained === undefined) return
  for (let n = 0; n < transactions.length; n++) explained.exit(transactions[n]!, text)
}

/** Groups of a wave by the path they ran. */
export const groupsByPlan = (groups: readonly PathGroup[]): ReadonlyMap<PathPlan, PathGroup[]> => {
  const byPlan = new Map<PathPlan, PathGroup[]>()
  for (const group of groups) {
    const list = byPlan.get(group.plan)
    if (list === undefined) byPlan.set(group.plan, [group])
    else list.push(group)
  }
  return byPlan
}

/** Counts lanes that ended on a path. */
export const noteLanes = (candidate: PathCandidate, group: PathGroup, ended: number): void => {
  candidate.lanes += ended
  if (group.isProgram) candidate.programLanes += ended
}

/** Transactions of this tier in [first, end) by path key, ascending. */
export const transactionsByKey = (
  { tier, keyIds, number }: PathBatch,
  keyCount: number,
  first: number,
  end: number,
): Map<number, Int32Array> => {
  const counts = new Uint32Array(keyCount)
  for (let i = first; i < end; i++) if (tier[i] === number) counts[keyIds[i]!]!++
  const byKey = new Map<number, Int32Array>()
  for (let key = 0; key < keyCount; key++) if (counts[key]! > 0) byKey.set(key, new Int32Array(counts[key]!))
  const next = new Uint32Array(keyCount)
  const lists = Array.from({ length: keyCount }, (_, key) => byKey.get(key))
  for (let i = first; i < end; i++) {
    if (tier[i] !== number) continue
    const key = keyIds[i]!
    lists[key]![next[key]!++] = i
  }
  return byKey
}

/** Makes them the present executions of their transactions; returns the lanes that missed. */
export const adopt = (openBatch: OpenBatch, executions: PathExecutions): number[] => {
  const { transactions, laneCount, lanesOut } = executions.group
  const number = openBatch.executions.push(executions) - 1
  for (let lane = 0; lane < laneCount; lane++) countRun(openBatch, transactions[lane]!)
  const missed: number[] = []
  if (adoptLanes(openBatch, number, executions, 0, laneCount) === laneCount) return missed
  for (let lane = 0; lane < laneCount; lane++) if (lanesOut[lane * COLUMN_LIMBS] === EXIT_MISS) missed.push(lane)
  return missed
}
