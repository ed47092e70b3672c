import { VM_EXITS } from '../../transpiler/layout/lane_vm.ts'
import {
  OUTCOME_CPU,
  OUTCOME_LANE,
  OUTCOME_REJECTED,
  OUTCOME_TRANSFER,
  OUTCOME_VM,
  type Schedule,
} from '../batch/open_batch.ts'
import { type Rejection, rejectionText } from '../chain/rejection.ts'
import { Receipts, STATUS_FAILURE, STATUS_SUCCESS } from '../receipts/receipts.ts'
import type { ResidentState } from '../state/tables/resident_tables.ts'
import { vmExit } from '../tiers/lane_vm/executions.ts'
import { VmReceipts } from '../tiers/lane_vm/receipts.ts'
import type { RejectedTransaction, TierCounts } from './executor_interface.ts'

/** The receipts of a batch that has ended. */
export const receiptsOf = async (schedule: Schedule, { accounts, codes }: ResidentState): Promise<Receipts> => {
  const { batch, outcome, gasUsed, groups, lanes, laneGroups, vmGroups } = schedule
  const receipts = new Receipts(batch)
  const tables = {
    accountRows: accounts.rows,
    constants: codes.constants,
  }
  for (const { plan, laneCount, lanesIn, lanesOut, bloomIndices: hashed } of laneGroups) {
    const bloomIndices = await hashed
    const dispatch = { kernel: plan.kernel, laneCount, lanesIn, lanesOut, tables }
    receipts.addGroup(bloomIndices === undefined ? dispatch : { ...dispatch, bloomIndices })
  }
  const vmReceipts: number[] = []
  for (const group of vmGroups) {
    const bits = await group.bloomBits
    vmReceipts.push(receipts.addReceipts(new VmReceipts(group, tables.accountRows, schedule.executionGas, bits)))
  }
  for (let i = 0; i < batch.count; i++) {
    switch (outcome[i]) {
      case OUTCOME_TRANSFER:
        receipts.setTransfer(i, gasUsed[i]!)
        break
      case OUTCOME_LANE:
        receipts.setLane(i, groups[i]!, lanes[i]!, gasUsed[i]!)
        break
      case OUTCOME_VM: {
        const status = vmExit(vmGroups[groups[i]!]!, lanes[i]!) === VM_EXITS.succeeded ? STATUS_SUCCESS : STATUS_FAILURE
        receipts.setVm(i, vmReceipts[groups[i]!]!, lanes[i]!, status, gasUsed[i]!)
        break
      }
      case OUTCOME_CPU:
        receipts.setCpu(i, schedule.cpuResults.get(i)!)
        break
      default:
        receipts.setRejected(i, schedule.rejections[i] as Rejection)
    }
  }
  return receipts
}

export const rejectedOf = ({ batch, outcome, rejections }: Schedule): RejectedTransaction[] => {
  const rejected: RejectedTransaction[] = []
  for (let index = 0; index < batch.count; index++) {
    if (outcome[index] !== OUTCOME_REJECTED) continue
    const code = rejections[index] as Rejection
    rejected.push({ index, code, reason: rejectionText(code) })
  }
  return rejected
}

/** Transactions by the tier that executed them; rejected ones are in none. */
export const tierCounts = ({ outcome, groups, laneGroups }: Schedule): TierCounts => {
  const counts = [0, 0, 0, 0, 0, 0]
  let programs = 0
  let onHost = 0
  for (let i = 0; i < outcome.length; i++) {
    counts[outcome[i]!]!++
    if (outcome[i] !== OUTCOME_LANE) continue
    const group = laneGroups[groups[i]!]!
    if (group.isProgram) programs++
    else if (group.onHost) onHost++
  }
  return {
    pathKernel: counts[OUTCOME_LANE]! - programs - onHost,
    pathProgram: programs,
    pathHost: onHost,
    laneVm: counts[OUTCOME_VM]!,
    transfer: counts[OUTCOME_TRANSFER]!,
    cpu: counts[OUTCOME_CPU]!,
  }
}

/** Reasons of what the CPU tier executed; a transaction that was rejected in the end has none. */
export const executedReasons = ({ outcome, reasons }: Schedule): Uint16Array =>
  reasons.map((reason, i) => (outcome[i] === OUTCOME_CPU ? reason : 0))
