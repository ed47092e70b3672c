/**
 * The uniform buffer of every execution kernel at group 0, binding 0: the struct `LaneEnvironment`, which
 * scripts/layout_wgsl.ts writes from these lists, in u32.
 *
 * first      ENVIRONMENT_HEAD
 * then       one word for each name of ENVIRONMENT_WORDS, in order
 * then       runtime skeleton ids: a path names the skeletons it met by their position in `PathKernel.skeletons`;
 *            the host writes the ids that its own code table gave them, MAX_PATH_SKELETONS in all
 * last       ENVIRONMENT_LANE_VM, which only the lane VM reads
 */

/**
 * count        what the dispatch runs: lanes; of path programs, workgroups
 * listAt       vector of their list: workgroups of path programs in `lanesIn`, lanes of the lane VM in `lanesOut`
 * slotMask     capacity of the slot table - 1; accountMask: of the account table
 *
 * The lane VM alone (lane_vm.ts):
 * laneCount    lanes of the wave
 * steps        instructions of a lane after its prologue; 0 runs the prologue alone
 * codesAt, microAt   vectors of the code store
 */
export const ENVIRONMENT_HEAD = [
  'count',
  'listAt',
  'slotMask',
  'accountMask',
  'laneCount',
  'steps',
  'codesAt',
  'microAt',
] as const

/**
 * Words of a block that the EVM can ask for, in the order of the uniform.
 *
 * Example: {@link recordPath}.
 */
export const ENVIRONMENT_WORDS = [
  'number',
  'timestamp',
  'coinbase',
  'prevrandao',
  'gaslimit',
  'chainid',
  'basefee',
  'blobbasefee',
] as const
/**
 * The name of one of ENVIRONMENT_WORDS.
 *
 * Example: {@link recordPath}.
 */
export type EnvironmentWord = (typeof ENVIRONMENT_WORDS)[number]

export const MAX_PATH_SKELETONS = 32

/**
 * arenasAt      vector of the wave store; the other names in `At` and `laneVectors` are those of VmArena, the sizes of
 *               regions those of VmQuota (lane_vm_quota.ts)
 * bucketMask    buckets of slots - 1
 * coinbaseId    account id of a coinbase that is warm from the start (EIP-3651), or MISSING
 * clearRefund   REFUND_SSTORE_CLEAR of the fork
 * spread        binary logarithm of the quota's neighbours
 */
export const ENVIRONMENT_LANE_VM = [
  'arenasAt',
  'laneVectors',
  'framesAt',
  'stackAt',
  'memoryAt',
  'returnAt',
  'slotsAt',
  'bucketsAt',
  'accountsAt',
  'journalAt',
  'logsAt',
  'transientAt',
  'depth',
  'stackWords',
  'memoryVectors',
  'returnVectors',
  'slots',
  'bucketMask',
  'accounts',
  'journal',
  'logVectors',
  'transients',
  'coinbaseId',
  'clearRefund',
  'spread',
] as const

/** Vectors. */
export const ENVIRONMENT_WORDS_AT = ENVIRONMENT_HEAD.length / 4
export const ENVIRONMENT_SKELETONS_AT = ENVIRONMENT_WORDS_AT + 2 * ENVIRONMENT_WORDS.length
export const ENVIRONMENT_LANE_VM_AT = ENVIRONMENT_SKELETONS_AT + MAX_PATH_SKELETONS / 4
export const ENVIRONMENT_VECTORS = ENVIRONMENT_LANE_VM_AT + Math.ceil(ENVIRONMENT_LANE_VM.length / 4)
export const ENVIRONMENT_BYTES = ENVIRONMENT_VECTORS * 16

export type EnvironmentScalar = (typeof ENVIRONMENT_HEAD)[number] | (typeof ENVIRONMENT_LANE_VM)[number]

/** Where a scalar stands, in u32. */
export const ENVIRONMENT_LIMBS = Object.fromEntries([
  ...ENVIRONMENT_HEAD.map((name, i) => [name, i]),
  ...ENVIRONMENT_LANE_VM.map((name, i) => [name, 4 * ENVIRONMENT_LANE_VM_AT + i]),
]) as Readonly<Record<EnvironmentScalar, number>>

/** Bindings of group 0, the same explicit layout for every execution kernel (one uniform, eight storage buffers). */
export const BINDINGS = {
  environment: 0,
  lanesIn: 1,
  lanesOut: 2,
  slotIndex: 3,
  slotKeys: 4,
  slotValues: 5,
  accountIndex: 6,
  accountRows: 7,
  constants: 8,
} as const

/** Lanes per workgroup of every execution kernel. */
export const WORKGROUP_SIZE = 64
