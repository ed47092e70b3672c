import type { ExecutorOptions } from '../host/execute/executor.ts'

/** Which of the device's tiers a run may use; absent: all, where measured costs say so. */
export type TierChoice = Pick<ExecutorOptions, 'paths' | 'laneVm'>

/** Calls of code run on the lane VM, or on the CPU tier where it leaves them. */
export const LANE_VM_ONLY: TierChoice = { paths: 'never', laneVm: 'always' }

/** In words; undefined of all tiers. */
export const tierChoiceText = ({ paths, laneVm }: TierChoice): string | undefined => {
  if (paths === 'never' && laneVm === 'always') return 'lane VM only'
  const parts = [
    ...(paths === 'never' ? ['without paths'] : []),
    ...(laneVm === 'never' ? ['without the lane VM'] : laneVm === 'always' ? ['lane VM before paths'] : []),
  ]
  return parts.length === 0 ? undefined : parts.join(', ')
}
