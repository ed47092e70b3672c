import {
  ENVIRONMENT_BYTES,
  ENVIRONMENT_LIMBS,
  ENVIRONMENT_WORDS_AT,
  type EnvironmentScalar,
} from '../../../transpiler/layout/environment.ts'
import { VM_BUCKETS_PER_SLOT } from '../../../transpiler/layout/lane_vm_quota.ts'
import { MISSING } from '../../../transpiler/path_kernel.ts'
import { type Fork, isAtLeast, valueAt } from '../../../transpiler/spec/forks.ts'
import { REFUND_SSTORE_CLEAR_BY_FORK } from '../../../transpiler/spec/gas.ts'
import type { VmWave } from './wave.ts'

const VECTOR_LIMBS = 4
const SCALARS = Object.keys(ENVIRONMENT_LIMBS) as EnvironmentScalar[]

/** What stays the same through a block. */
export interface VmBlock {
  readonly fork: Fork
  /** Limbs of ENVIRONMENT_WORDS. */
  readonly words: Uint32Array
  readonly coinbaseId: number
}

/** What changes from dispatch to dispatch. */
export interface VmDispatch {
  readonly lanes: number
  readonly steps: number
  readonly slotMask: number
  readonly accountMask: number
  readonly codesAt: number
  readonly microAt: number
}

/** The uniform of a dispatch (transpiler/layout/environment.ts). */
export const vmUniform = (wave: VmWave, { fork, words, coinbaseId }: VmBlock, dispatch: VmDispatch): Uint32Array => {
  const { quota, arena, laneCount, order, arenasAt } = wave
  const { lanes, ...places } = dispatch
  const fields: Readonly<Record<EnvironmentScalar, number>> = {
    count: lanes,
    listAt: order,
    laneCount,
    ...places,
    arenasAt,
    ...arena,
    depth: quota.depth,
    stackWords: quota.stackWords,
    memoryVectors: quota.memoryVectors,
    returnVectors: quota.returnVectors,
    slots: quota.slots,
    bucketMask: VM_BUCKETS_PER_SLOT * quota.slots - 1,
    accounts: quota.accounts,
    journal: quota.journal,
    logVectors: quota.logVectors,
    transients: quota.transients,
    coinbaseId: isAtLeast(fork, 'shanghai') ? coinbaseId : MISSING,
    clearRefund: valueAt(REFUND_SSTORE_CLEAR_BY_FORK, fork),
    spread: Math.log2(quota.neighbours),
  }
  const uniform = new Uint32Array(ENVIRONMENT_BYTES / 4)
  for (const name of SCALARS) uniform[ENVIRONMENT_LIMBS[name]] = fields[name]
  uniform.set(words, ENVIRONMENT_WORDS_AT * VECTOR_LIMBS)
  return uniform
}
