import { hasEnded, type OpenBatch, OUTCOME_NONE, TIER_LAST } from '../../batch/open_batch.ts'
import type { Policy } from '../../batch/policy.ts'
import { TYPE_SET_CODE } from '../../chain/batch.ts'
import { VmWaveCost } from './cost.ts'
import type { VmKinds } from './profiles.ts'
import { calledMicroCode, MOST_GAS_HIGH_LIMB } from './wave.ts'

/** Whether the lane VM could execute transaction i: a call of code or of a precompile, without authorizations. */
export const isVmCall = ({ batch, rules, toCodes }: OpenBatch, i: number): boolean =>
  (toCodes[i] !== 0 || (batch.creates[i] === 0 && calledMicroCode(batch.to, i) !== 0)) &&
  batch.type[i]! < TYPE_SET_CODE &&
  batch.gasLimit[2 * i + 1]! <= MOST_GAS_HIGH_LIMB &&
  rules.rejection[i] === 0

/**
 * Such calls in [first, end) that no other tier has; of those that tier `number` has, the ones without an execution.
 */
export const callsFor = (batch: OpenBatch, number: number, first: number, end: number): number[] => {
  const { tier, outcome } = batch
  const calls: number[] = []
  for (let i = first; i < end; i++) {
    if (outcome[i] !== OUTCOME_NONE) continue
    if (tier[i] === number ? !hasEnded(batch, i) : tier[i] === TIER_LAST && isVmCall(batch, i)) calls.push(i)
  }
  return calls
}

/** Those of the calls that are worth their lanes, if together they are worth a wave; else none. */
export const worthwhile = (
  batch: OpenBatch,
  calls: readonly number[],
  { laneVm, waves, costs }: Pick<Policy, 'laneVm' | 'waves' | 'costs'>,
  kinds: VmKinds,
): number[] => {
  if (laneVm === 'always' || calls.length === 0) return [...calls]
  const cost = new VmWaveCost(costs)
  const known = kinds.of(batch, calls)
  const taken = calls.filter((_, k) => cost.add(known[k]!, waves === 'always'))
  return waves === 'always' || cost.savesUs > cost.costUs ? taken : []
}
