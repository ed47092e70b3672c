/**
 * The state tables as the device sees them. The host keeps the same arrays, so an upload is a copy.
 *
 * Two open-addressing tables with linear probing share one form: `index` has a power-of-two number of buckets and a row
 * array is dense by id. A bucket is vec2<u32>(id + 1, tag); (0, 0) is empty. A row is never removed.
 *
 * slot table      key (account id, storage key) -> slot id
 *   slotIndex     vec2<u32>[capacity]        (slot id + 1, account id)
 *   slotKeys      vec4<u32>[2 * slotCount]   storage key, limbs 0..3 then 4..7
 *   slotValues    vec4<u32>[2 * slotCount]   committed value
 *
 * account table   key address -> account id
 *   accountIndex  vec2<u32>[capacity]        (account id + 1, address limb 0)
 *   accountRows   vec4<u32>[4 * accountCount]
 *                 [0] address limbs 0..3     [1] (address limb 4, skeleton id, constants base, flags)
 *                 [2] balance limbs 0..3     [3] balance limbs 4..7
 *
 * constants       vec4<u32>[2 * n]           per-account words, starting at `constants base` (an index in words):
 *                 word 0 = code hash, word 1 = code size, word 2.. = lifted PUSH20 / PUSH32 immediates in code order
 *
 * skeleton id 0 = no code. flags: bit 0 = account exists (EIP-161 non-empty); bits 8..31 = code id of the host's code
 * table, 0 = no code.
 */
export const ACCOUNT_ROW_VECTORS = 4
/** Vectors of a row: the first four limbs of the address; its last one with the code; the balance. */
export const ACCOUNT_ADDRESS_AT = 0
export const ACCOUNT_CODE_AT = 1
export const ACCOUNT_BALANCE_AT = 2
export const ACCOUNT_FLAG_EXISTS = 1
/** Where the code id begins in an account's flags. */
export const ACCOUNT_CODE_SHIFT = 8

/** Words of an account in the constants, before its lifted immediates. */
export const CONSTANTS_CODE_HASH_AT = 0
export const CONSTANTS_CODE_SIZE_AT = 1
export const CONSTANTS_IMMEDIATES_AT = 2

/** A probe longer than this is a miss: the host answers it, so a crafted key set costs time, never a hang. */
export const MAX_PROBES = 64

/** 2^32 divided by the golden ratio, to the next prime. */
export const HASH_MULTIPLIER = 0x9e3779b1
export const HASH_SHIFT = 15
export const SLOT_HASH_SEED = 0x85ebca6b
export const ACCOUNT_HASH_SEED = 0x27d4eb2f

const mix = (hash: number, limb: number): number => {
  const h = Math.imul(hash ^ limb, HASH_MULTIPLIER)
  return (h ^ (h >>> HASH_SHIFT)) >>> 0
}

/**
 * Bucket hash of a slot: every limb of the storage key at `keys[at..at+8]` and the account id.
 * The WGSL twin is `state_slot_hash` in kernels/state/state.wgsl; a kernel test compares both.
 */
export const slotHash = (account: number, keys: Uint32Array, at: number): number => {
  let hash = mix(SLOT_HASH_SEED, account)
  for (let limb = 0; limb < 8; limb++) hash = mix(hash, keys[at + limb]!)
  return hash
}

/** Bucket hash of an address at `addresses[at..at+5]`. WGSL twin: `state_account_hash`. */
export const accountHash = (addresses: Uint32Array, at: number): number => {
  let hash = ACCOUNT_HASH_SEED
  for (let limb = 0; limb < 5; limb++) hash = mix(hash, addresses[at + limb]!)
  return hash
}
