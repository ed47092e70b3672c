import type { StateTestEntry } from '../conformance/state_test.ts'
import { traceSubject } from '../conformance/trace_subject.ts'
import { TransactionInputError } from '../host/chain/encode_batch.ts'
import type { ComputeDevice } from '../host/device/compute_device.ts'
import { traceDifference } from '../host/trace/difference.ts'
import { stepLines, traceLines } from '../host/trace/lines.ts'
import {
  type NoTrace,
  type TraceSubject,
  type TransactionTrace,
  traceOnCpu,
  traceOnLaneVm,
} from '../host/trace/trace.ts'
import type { Fork } from '../transpiler/spec/forks.ts'

const COMMON_STEPS = 3

/** The entry's transaction on the lane VM in lines of EIP-3155; one line that says why, where it has no steps there. */
export const laneLines = async (device: ComputeDevice, entry: StateTestEntry): Promise<string[]> => {
  const trace = await traceOnLaneVm(device, traceSubject(entry))
  if ('reason' in trace)
    return [JSON.stringify({ output: '', gasUsed: '0x0', error: `not on the lane VM: ${trace.reason}` })]
  return traceLines(trace, entry.fork)
}

export interface TraceReport {
  readonly differs: boolean
  readonly lines: readonly string[]
}

/** What `wgevm difftrace` says of an entry. */
export const compareEntry = async (device: ComputeDevice, entry: StateTestEntry): Promise<TraceReport> => {
  const { name, forkName, indexes, fork } = entry
  const title = `${name} (${forkName}, data ${indexes.data}, gas ${indexes.gas}, value ${indexes.value})`
  let subject: TraceSubject
  try {
    subject = traceSubject(entry)
  } catch (thrown) {
    if (!(thrown instanceof TransactionInputError)) throw thrown
    return { differs: false, lines: [`${title}: rejected: ${thrown.reason}`] }
  }
  const reference = await traceOnCpu(subject)
  if ('reason' in reference) return { differs: false, lines: [`${title}: ${reference.reason}`] }
  const { differs, lines } = traceReport(await traceOnLaneVm(device, subject), reference, fork)
  return { differs, lines: [`${title}: ${lines[0]}`, ...lines.slice(1)] }
}

/**
 * How the trace of a lane compares with the reference's: a line, and those of the steps that differ after three that
 * do not.
 */
export const traceReport = (lane: TransactionTrace | NoTrace, reference: TransactionTrace, fork: Fork): TraceReport => {
  if ('reason' in lane) return { differs: false, lines: [`not on the lane VM: ${lane.reason}`] }
  const difference = traceDifference(lane, reference)
  const count = lane.steps.length
  if (difference === undefined) {
    const line =
      lane.left === undefined
        ? `all ${count} steps are equal`
        : `the ${count} steps before the lane left are equal: ${lane.left}`
    return { differs: false, lines: [line] }
  }
  if ('field' in difference) {
    const { field } = difference
    const line = `all ${count} steps are equal, ${field} differs: lane VM ${difference.lane}, reference ${difference.reference}`
    return { differs: true, lines: [line] }
  }
  const { step } = difference
  const own = stepLines(lane, fork)
  const others = stepLines(reference, fork)
  return {
    differs: true,
    lines: [
      `step ${step + 1} differs (lane VM ${own.length} steps, reference ${others.length})`,
      ...others.slice(Math.max(0, step - COMMON_STEPS), step).map((line) => `  both       ${line}`),
      `  lane VM    ${own[step] ?? 'has ended'}`,
      `  reference  ${others[step] ?? 'has ended'}`,
    ],
  }
}
