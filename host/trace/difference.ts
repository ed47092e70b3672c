import type { EvmStep } from '../batch/evm_step.ts'
import type { TransactionTrace } from './trace.ts'

/**
 * Where two traces of a transaction part: at the step of that number, or after all of them, in what the transaction
 * left.
 */
export type TraceDifference =
  | { readonly step: number }
  | {
      readonly field: 'status' | 'gasUsed' | 'output'
      readonly lane: string | bigint
      readonly reference: string | bigint
    }

const NUMBERS = ['pc', 'op', 'gas', 'depth', 'memSize', 'refund'] as const

const isSame = (lane: EvmStep, reference: EvmStep): boolean =>
  NUMBERS.every((field) => lane[field] === reference[field]) &&
  lane.stack.length === reference.stack.length &&
  lane.stack.every((word, n) => word === reference.stack[n])

/**
 * The first difference; undefined where there is none. Of a lane that left, what it did before is compared. Costs of
 * steps follow from the gas before them, so they are not looked at.
 */
export const traceDifference = (lane: TransactionTrace, reference: TransactionTrace): TraceDifference | undefined => {
  const step = lane.steps.findIndex((own, n) => reference.steps[n] === undefined || !isSame(own, reference.steps[n]))
  if (step >= 0) return { step }
  if (lane.left !== undefined) return undefined
  if (reference.steps.length > lane.steps.length) return { step: lane.steps.length }
  for (const field of ['status', 'gasUsed', 'output'] as const) {
    if (lane[field] !== reference[field]) return { field, lane: lane[field], reference: reference[field] }
  }
  return undefined
}
