import { FRAME_VECTORS, JOURNAL_VECTORS, SLOT_VECTORS, TRANSIENT_VECTORS, VM_ACCOUNT_VECTORS } from './lane_vm.ts'

/** Sizes of a lane's regions; all but `depth`, `stackWords` and counts of entries are in vectors. */
export interface VmQuota {
  /** Lanes whose arenas interleave and that a workgroup runs: a power of two, at most a workgroup. */
  readonly neighbours: number
  readonly depth: number
  readonly stackWords: number
  readonly memoryVectors: number
  readonly returnVectors: number
  /** A power of two. */
  readonly slots: number
  readonly accounts: number
  readonly journal: number
  readonly logVectors: number
  readonly transients: number
}

/** Where the regions of a lane begin, and their sum. */
export interface VmArena {
  readonly framesAt: number
  readonly stackAt: number
  readonly memoryAt: number
  readonly returnAt: number
  readonly slotsAt: number
  readonly bucketsAt: number
  readonly accountsAt: number
  readonly journalAt: number
  readonly logsAt: number
  readonly transientAt: number
  readonly laneVectors: number
}

/** Buckets for each slot: half of them stay empty. */
export const VM_BUCKETS_PER_SLOT = 2

export const vmArena = (quota: VmQuota): VmArena => {
  let next = 0
  const take = (vectors: number): number => {
    const at = next
    next += vectors
    return at
  }
  return {
    framesAt: take(FRAME_VECTORS * quota.depth),
    stackAt: take(2 * quota.stackWords),
    memoryAt: take(quota.memoryVectors),
    returnAt: take(quota.returnVectors),
    slotsAt: take(SLOT_VECTORS * quota.slots),
    bucketsAt: take((VM_BUCKETS_PER_SLOT * quota.slots) / 4),
    accountsAt: take(VM_ACCOUNT_VECTORS * quota.accounts),
    journalAt: take(JOURNAL_VECTORS * quota.journal),
    logsAt: take(quota.logVectors),
    transientAt: take(TRANSIENT_VECTORS * quota.transients),
    laneVectors: next,
  }
}

/** From small to large: a lane that passes one runs again in the next. The first takes 16 KB with its columns. */
export const VM_QUOTAS: readonly VmQuota[] = [
  {
    neighbours: 64,
    depth: 8,
    stackWords: 96,
    memoryVectors: 256,
    returnVectors: 32,
    slots: 32,
    accounts: 10,
    journal: 32,
    logVectors: 64,
    transients: 4,
  },
  // What a swap through a pool with ticks takes: 45 KB.
  {
    neighbours: 64,
    depth: 24,
    stackWords: 256,
    memoryVectors: 1024,
    returnVectors: 128,
    slots: 64,
    accounts: 16,
    journal: 64,
    logVectors: 256,
    transients: 8,
  },
  {
    neighbours: 64,
    depth: 32,
    stackWords: 1536,
    memoryVectors: 4096,
    returnVectors: 512,
    slots: 256,
    accounts: 64,
    journal: 512,
    logVectors: 1024,
    transients: 32,
  },
  {
    neighbours: 64,
    depth: 1025,
    stackWords: 8192,
    memoryVectors: 24576,
    returnVectors: 4096,
    slots: 2048,
    accounts: 1100,
    journal: 4096,
    logVectors: 8192,
    transients: 256,
  },
  // 1.5 MB of memory and 0.9 MB of logs: 32 lanes in 128 MB.
  {
    neighbours: 8,
    depth: 1025,
    stackWords: 8192,
    memoryVectors: 98304,
    returnVectors: 16384,
    slots: 4096,
    accounts: 1100,
    journal: 4096,
    logVectors: 57344,
    transients: 256,
  },
  // 10.5 MB of memory, which costs 190 million gas: 8 lanes in 128 MB.
  {
    neighbours: 4,
    depth: 1025,
    stackWords: 16384,
    memoryVectors: 655360,
    returnVectors: 65536,
    slots: 8192,
    accounts: 2048,
    journal: 8192,
    logVectors: 131072,
    transients: 1024,
  },
]
