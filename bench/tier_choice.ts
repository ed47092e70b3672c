import type { ExecutorOptions } from '../host/flows/executor_interface.ts'

/** Which of the device's tiers a run may use; absent: all, where measured costs say so. */
export type TierChoice = Pick<ExecutorOptions, 'paths' | 'laneVm' | 'waves' | 'range' | 'costs' | 'memory'>

/** Calls of code run on the lane VM, or on the CPU tier where it leaves them. */
export const LANE_VM_ONLY: TierChoice = { paths: 'never', laneVm: 'always' }

/** In words; undefined of all tiers. */
export const tierChoiceText = ({ paths, laneVm, waves, range }: TierChoice): string | undefined => {
  const isVmOnly = paths === 'never' && laneVm === 'always'
  const parts = [
    ...(isVmOnly ? ['lane VM only'] : []),
    ...(paths === 'never' && !isVmOnly ? ['without paths'] : []),
    ...(laneVm === 'never' ? ['without the lane VM'] : []),
    ...(laneVm === 'always' && !isVmOnly ? ['lane VM before paths'] : []),
    ...(waves === 'always' ? ['waves of any size'] : []),
    ...(range === undefined ? [] : [`ranges of ${range}`]),
  ]
  return parts.length === 0 ? undefined : parts.join(', ')
}
