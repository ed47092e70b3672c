import { ACCOUNT_HASH_SEED, HASH_MULTIPLIER, HASH_SHIFT, SLOT_HASH_SEED } from './layout'

@inline
function mix(hash: u32, limb: u32): u32 {
  const h = (hash ^ limb) * HASH_MULTIPLIER
  return h ^ (h >> HASH_SHIFT)
}

/** Bucket hash of the address at `at` (transpiler/layout/tables.ts). */
@inline
export function accountHash(at: usize): u32 {
  let hash = mix(ACCOUNT_HASH_SEED, load<u32>(at))
  hash = mix(hash, load<u32>(at, 4))
  hash = mix(hash, load<u32>(at, 8))
  hash = mix(hash, load<u32>(at, 12))
  return mix(hash, load<u32>(at, 16))
}

/** Bucket hash of the slot of `owner` with the key at `key`. */
@inline
export function slotHash(owner: u32, key: usize): u32 {
  let hash = mix(mix(SLOT_HASH_SEED, owner), load<u32>(key))
  hash = mix(hash, load<u32>(key, 4))
  hash = mix(hash, load<u32>(key, 8))
  hash = mix(hash, load<u32>(key, 12))
  hash = mix(hash, load<u32>(key, 16))
  hash = mix(hash, load<u32>(key, 20))
  hash = mix(hash, load<u32>(key, 24))
  return mix(hash, load<u32>(key, 28))
}

@inline
export function sameAddress(a: usize, b: usize): bool {
  return (
    ((load<u64>(a) ^ load<u64>(b)) | (load<u64>(a, 8) ^ load<u64>(b, 8)) | u64(load<u32>(a, 16) ^ load<u32>(b, 16))) ==
    0
  )
}
