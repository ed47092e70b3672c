import { ENVIRONMENT_BYTES, ENVIRONMENT_WORDS_AT } from '../../../transpiler/layout/environment.ts'
import { VM_BUCKETS_PER_SLOT, VM_PRAGUE, VM_SHANGHAI } from '../../../transpiler/layout/lane_vm.ts'
import { MISSING } from '../../../transpiler/path_kernel.ts'
import { type Fork, isAtLeast, valueAt } from '../../../transpiler/spec/forks.ts'
import { REFUND_SSTORE_CLEAR_BY_FORK } from '../../../transpiler/spec/gas.ts'
import type { VmWave } from './wave.ts'

const VECTOR_LIMBS = 4
const ARENA_AT = 18

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

/** The uniform of a dispatch (transpiler/layout/lane_vm.ts). */
export const vmUniform = (wave: VmWave, { fork, words, coinbaseId }: VmBlock, dispatch: VmDispatch): Uint32Array => {
  const { quota, arena, laneCount, order, arenasAt } = wave
  const uniform = new Uint32Array(ENVIRONMENT_BYTES / 4)
  const isShanghai = isAtLeast(fork, 'shanghai')
  uniform.set([dispatch.lanes, order, dispatch.slotMask, dispatch.accountMask])
  uniform.set([laneCount, dispatch.steps, dispatch.codesAt, dispatch.microAt], VECTOR_LIMBS)
  uniform.set(words, ENVIRONMENT_WORDS_AT * VECTOR_LIMBS)
  const rows = [
    [arenasAt, arena.laneVectors, arena.framesAt, arena.stackAt],
    [arena.memoryAt, arena.returnAt, arena.slotsAt, arena.bucketsAt],
    [arena.accountsAt, arena.journalAt, arena.logsAt, arena.transientAt],
    [quota.depth, quota.stackWords, quota.memoryVectors, quota.returnVectors],
    [quota.slots, VM_BUCKETS_PER_SLOT * quota.slots - 1, quota.accounts, quota.journal],
    [quota.logVectors, quota.transients, isShanghai ? coinbaseId : MISSING, valueAt(REFUND_SSTORE_CLEAR_BY_FORK, fork)],
    [(isShanghai ? VM_SHANGHAI : 0) | (isAtLeast(fork, 'prague') ? VM_PRAGUE : 0), Math.log2(quota.neighbours), 0, 0],
  ]
  uniform.set(rows.flat(), ARENA_AT * VECTOR_LIMBS)
  return uniform
}
