import type { StateManagerInterface } from '@ethereumjs/common'
import type { Address } from '@ethereumjs/util'
import { storedManagerOf } from './stored_manager.ts'

/** Enters a slot: key of 32 bytes, value without leading zeros, no bytes for zero. The account exists. */
export type SlotWriter = (address: Address, key: Uint8Array, value: Uint8Array) => Promise<void> | undefined

/** What is used of the StorageCache of @ethereumjs/statemanager. */
interface StorageCache {
  readonly _orderedMapCache?: unknown
  put(address: Address, key: Uint8Array, value: Uint8Array): void
}

interface CachingManager extends StateManagerInterface {
  readonly _caches?: { readonly storage?: StorageCache }
}

/**
 * How slots of served calls come into a state manager: through `putStorage`, except for a MerkleStateManager with a
 * storage cache that forgets nothing. Version 10.1.3 of its `putStorage` fills the cache and then, where it was to
 * write one or the other, the trie as well; `flush` writes the same slots into the trie again with the block's end. So
 * only the cache is filled here, at its checkpoint: all readers go through it, and `flush` gives the same roots. Until
 * then an account's storage root is that of before; whoever asks for it (creation, EIP-7610) asks for accounts without
 * code and nonce, of which none has slots to come.
 */
export const slotWriterOf = (manager: StateManagerInterface): SlotWriter => {
  const cache = storageCacheOf(manager)
  if (cache === undefined) return (address, key, value) => manager.putStorage(address, key, value)
  return (address, key, value) => {
    cache.put(address, key, rlpOf(value))
    return undefined
  }
}

/** Undefined where the manager is another one, or the cache drops what it holds (LRU). */
const storageCacheOf = (manager: StateManagerInterface): StorageCache | undefined => {
  const cache = storedManagerOf<CachingManager>(manager, 'putStorage')?._caches?.storage
  return cache?._orderedMapCache === undefined ? undefined : cache
}

/** RLP of at most 32 bytes. */
const rlpOf = (value: Uint8Array): Uint8Array => {
  if (value.length === 1 && value[0]! < 0x80) return value
  const item = new Uint8Array(1 + value.length)
  item[0] = 0x80 + value.length
  item.set(value, 1)
  return item
}
