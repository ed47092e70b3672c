import { executionAt, type OpenBatch, OUTCOME_EXECUTED, OUTCOME_REJECTED } from '../batch/open_batch.ts'
import { type Rejection, rejectionText } from '../chain/rejection.ts'
import type { TopicBits } from '../chain/topic_bits.ts'
import { Receipts } from '../receipts/receipts.ts'
import type { RejectedTransaction, TierCounts } from './execution_result.ts'

/** The receipts of a batch that has ended. `topics`: of those before it. */
export const receiptsOf = async (openBatch: OpenBatch, topics: TopicBits): Promise<Receipts> => {
  for (const { hashed } of openBatch.executions) if (hashed !== undefined) await hashed
  return new Receipts(openBatch.batch, openBatch, topics)
}

export const rejectedOf = ({ batch, outcome, rejections }: OpenBatch): RejectedTransaction[] => {
  const rejected: RejectedTransaction[] = []
  for (let index = 0; index < batch.count; index++) {
    if (outcome[index] !== OUTCOME_REJECTED) continue
    const code = rejections[index] as Rejection
    rejected.push({ index, code, reason: rejectionText(code) })
  }
  return rejected
}

/** Transactions by the form of the tier that executed them; rejected ones are in none. */
export const tierCounts = ({ outcome, executions, executionOf }: OpenBatch): TierCounts => {
  const byExecution = new Uint32Array(executions.length)
  const counts = { pathKernel: 0, pathProgram: 0, pathHost: 0, laneVm: 0, transfer: 0, cpu: 0 }
  for (let i = 0; i < outcome.length; i++) {
    if (outcome[i] !== OUTCOME_EXECUTED) continue
    if (executionOf[i]! < 0) counts.transfer++
    else byExecution[executionOf[i]!]!++
  }
  const all: Record<string, number> = counts
  for (const [n, { form }] of executions.entries()) all[form] = (all[form] ?? 0) + byExecution[n]!
  return counts
}

/** Whether the CPU tier executed transaction i. */
export const isOnCpu = (openBatch: OpenBatch, i: number): boolean =>
  openBatch.outcome[i] === OUTCOME_EXECUTED && executionAt(openBatch, i)?.form === 'cpu'

/** Reasons of what the CPU tier executed; a transaction that was rejected in the end has none. */
export const executedReasons = (openBatch: OpenBatch): Uint16Array => {
  const { reasons } = openBatch
  const executed = new Uint16Array(reasons.length)
  for (let i = 0; i < reasons.length; i++) if (reasons[i] !== 0 && isOnCpu(openBatch, i)) executed[i] = reasons[i]!
  return executed
}
