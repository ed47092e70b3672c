import type { StateManagerInterface } from '@ethereumjs/common'
import type { Address } from '@ethereumjs/util'
import { storedManagerOf } from './stored_manager.ts'

/** Value of a slot without leading zeros, no bytes for zero. `key`: 32 bytes. */
export type SlotReader = (address: Address, key: Uint8Array) => Promise<Uint8Array>

type StorageMap = Map<string, Uint8Array> | undefined

/** What is used of the StorageCache of @ethereumjs/statemanager; keys are hex without 0x. */
interface StorageCache {
  readonly _checkpoints: number
  readonly _diffCache: readonly Map<string, Map<string, unknown>>[]
  readonly _orderedMapCache?: { getElementByKey(address: string): StorageMap }
  readonly _lruCache?: { get(address: string): StorageMap }
  get(address: Address, key: Uint8Array): Uint8Array | undefined
}

interface StoringManager extends StateManagerInterface {
  readonly _caches?: { readonly storage?: StorageCache }
  readonly _storageTries: Record<string, unknown>
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/**
 * Reads slots ahead of a block and leaves a MerkleStateManager as it was. Version 10.1.3 keeps the storage trie that a
 * read opens, and writes what was read with what was changed; where a transaction destroys the account (before
 * EIP-6780) and a later one pays it, the account would have its old storage again. Other managers are read as they are.
 */
export const passingReaderOf = (manager: StateManagerInterface): SlotReader => {
  const stored = storedManagerOf<StoringManager>(manager, 'putStorage')
  if (stored === undefined) return (address, key) => manager.getStorage(address, key)
  return async (address, key) => {
    const cache = stored._caches?.storage
    if (cache?.get(address, key) !== undefined) return stored.getStorage(address, key)
    const [owner, slot] = [hex(address.bytes), hex(key)]
    const wasChanged = cache?._diffCache[cache._checkpoints]?.get(owner)?.has(slot) ?? false
    const open = new Set(Object.keys(stored._storageTries))
    const value = await stored.getStorage(address, key)
    for (const trie of Object.keys(stored._storageTries)) if (!open.has(trie)) delete stored._storageTries[trie]
    if (cache === undefined) return value
    if (!wasChanged) cache._diffCache[cache._checkpoints]?.get(owner)?.delete(slot)
    const slots = cache._orderedMapCache?.getElementByKey(owner) ?? cache._lruCache?.get(owner)
    slots?.delete(slot)
    return value
  }
}
