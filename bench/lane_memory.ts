import { LANE_COLUMNS } from '../transpiler/layout/lane_vm.ts'
import { VM_QUOTAS, type VmQuota, vmArena } from '../transpiler/layout/lane_vm_quota.ts'

const VECTOR_BYTES = 16

/** Device memory of one lane of the lane VM: its arena and its columns. Calldata and access lists come on top. */
export const laneBytes = (quota: VmQuota): number => (vmArena(quota).laneVectors + LANE_COLUMNS) * VECTOR_BYTES

/** Of a lane with the quota that every lane starts with. */
export const FIRST_LANE_BYTES = laneBytes(VM_QUOTAS[0]!)
export const MOST_LANE_BYTES = 16_384
