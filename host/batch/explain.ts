import { type Rejection, rejectionText } from '../chain/rejection.ts'
import {
  OUTCOME_CPU,
  OUTCOME_LANE,
  OUTCOME_REJECTED,
  OUTCOME_TRANSFER,
  OUTCOME_VM,
  type Schedule,
} from './open_batch.ts'
import type { ExitReasons } from './reason.ts'

/**
 * How one transaction was executed.
 *
 * Example: {@link ExecuteRequest}.
 */
export interface TransactionExplanation {
  readonly index: number
  readonly tier: 'transfer' | 'pathKernel' | 'pathProgram' | 'pathHost' | 'laneVm' | 'cpu' | 'rejected'
  /** Id of the path whose execution stands. */
  readonly path?: string
  /** Why this tier, in words. */
  readonly why: string
  /** Times that it was executed as a lane. */
  readonly rounds: number
  /** What executions as a lane ended with that do not stand, in order: a guard that failed, a miss, a conflict. */
  readonly exits: readonly string[]
}

/** The exits of a batch by transaction, kept only where somebody wants the explanation. @internal */
export class ExplainLog {
  readonly #exits = new Map<number, string[]>()

  exit(i: number, text: string): void {
    const list = this.#exits.get(i)
    if (list === undefined) this.#exits.set(i, [text])
    else list.push(text)
  }

  exits(i: number): readonly string[] {
    return this.#exits.get(i) ?? []
  }
}

const WHY = {
  transfer: 'the called account has no code',
  pathKernel: "the path's own kernel is compiled",
  pathProgram: 'a path was recorded for its key',
  laneVm: 'no path takes it',
  pathHost: 'a path was recorded for its key, and its lanes were too few for the device',
} as const

/** One entry for each transaction of a batch that has ended. @internal */
export const explainSchedule = (schedule: Schedule, reasons: ExitReasons): readonly TransactionExplanation[] =>
  Array.from({ length: schedule.batch.count }, (_, index) => explain(schedule, reasons, index))

const explain = (schedule: Schedule, reasons: ExitReasons, index: number): TransactionExplanation => {
  const { outcome, groups, laneGroups, executions, rejections, explained } = schedule
  const common = { index, rounds: executions[index]!, exits: explained?.exits(index) ?? [] }
  const reason = reasons.text(schedule.reasons[index]!)
  switch (outcome[index]) {
    case OUTCOME_TRANSFER:
      return { ...common, tier: 'transfer', why: WHY.transfer }
    case OUTCOME_LANE: {
      const { plan, isProgram, onHost } = laneGroups[groups[index]!]!
      const tier = isProgram ? 'pathProgram' : onHost ? 'pathHost' : 'pathKernel'
      return { ...common, tier, path: plan.kernel.id, why: WHY[tier] }
    }
    case OUTCOME_VM:
      return { ...common, tier: 'laneVm', why: reason === '' ? WHY.laneVm : `${WHY.laneVm}: ${reason}` }
    case OUTCOME_CPU:
      return { ...common, tier: 'cpu', why: reason === '' ? 'no other tier' : reason }
    case OUTCOME_REJECTED:
      return { ...common, tier: 'rejected', why: rejectionText(rejections[index] as Rejection) }
    default:
      return { ...common, tier: 'cpu', why: 'not executed' }
  }
}
