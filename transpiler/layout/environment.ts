/**
 * The uniform buffer of every execution kernel: `array<vec4<u32>, ENVIRONMENT_VECTORS>` at group 0, binding 0.
 *
 * vector 0   (lane count, 0, slot table capacity - 1, account table capacity - 1)
 * vector 1   reserved, zero
 * vector 2.. one word (2 vectors) for each name of ENVIRONMENT_WORDS, in order
 * then       runtime skeleton ids: a path names the skeletons it met by their position in `PathKernel.skeletons`;
 *            the host writes the ids that its own code table gave them, 4 to a vector, MAX_PATH_SKELETONS in all
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
export const ENVIRONMENT_WORDS_AT = 2
export const ENVIRONMENT_SKELETONS_AT = ENVIRONMENT_WORDS_AT + 2 * ENVIRONMENT_WORDS.length
export const ENVIRONMENT_VECTORS = ENVIRONMENT_SKELETONS_AT + MAX_PATH_SKELETONS / 4
export const ENVIRONMENT_BYTES = ENVIRONMENT_VECTORS * 16

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
