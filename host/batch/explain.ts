import { type Rejection, rejectionText } from '../chain/rejection.ts'
import type { ExecutionForm } from './executions.ts'
import { executionAt, type OpenBatch, OUTCOME_EXECUTED, OUTCOME_REJECTED } from './open_batch.ts'
import type { ExitReasons } from './reason.ts'

/**
 * How one transaction was executed.
 *
 * Example: {@link ExecuteRequest}.
 */
export interface TransactionExplanation {
  readonly index: number
  readonly tier: ExecutionForm | 'transfer' | 'rejected'
  /** Id of the path whose execution stands. */
  readonly path?: string
  /** Why this tier, in words. */
  readonly why: string
  /** Times that it was executed as a lane. */
  readonly rounds: number
  /** What executions as a lane ended with that do not stand, in order: a guard that failed, a miss, a conflict. */
  readonly exits: readonly string[]
}

/** Why a form took a transaction; one that is not named here takes what the tiers before it left. */
const WHY: ReadonlyMap<ExecutionForm, string> = new Map([
  ['pathKernel', "the path's own kernel is compiled"],
  ['pathProgram', 'a path was recorded for its key'],
  ['pathHost', 'a path was recorded for its key, and its lanes were too few for the device'],
  ['laneVm', 'no path takes it'],
])

/** One entry for each transaction of a batch that has ended. @internal */
export const explainBatch = (openBatch: OpenBatch, reasons: ExitReasons): readonly TransactionExplanation[] =>
  Array.from({ length: openBatch.batch.count }, (_, index) => explain(openBatch, reasons, index))

const explain = (openBatch: OpenBatch, reasons: ExitReasons, index: number): TransactionExplanation => {
  const { outcome, runs, rejections, explained } = openBatch
  const common = { index, rounds: runs[index]!, exits: explained?.exits(index) ?? [] }
  if (outcome[index] === OUTCOME_REJECTED)
    return { ...common, tier: 'rejected', why: rejectionText(rejections[index] as Rejection) }
  if (outcome[index] !== OUTCOME_EXECUTED) return { ...common, tier: 'cpu', why: 'not executed' }
  const execution = executionAt(openBatch, index)
  if (execution === undefined) return { ...common, tier: 'transfer', why: 'the called account has no code' }
  const { form, path } = execution
  const reason = reasons.text(openBatch.reasons[index]!)
  const why = WHY.get(form)
  if (path !== undefined) return { ...common, tier: form, path, why: why ?? reason }
  if (why === undefined) return { ...common, tier: form, why: reason || 'no other tier' }
  return { ...common, tier: form, why: reason === '' ? why : `${why}: ${reason}` }
}
