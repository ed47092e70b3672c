import type { StateManagerInterface } from '@ethereumjs/common'
import { Account, Address, equalsBytes, KECCAK256_RLP } from '@ethereumjs/util'
import { keccak256 } from '../../primitives/keccak.ts'
import { NodeTrie, type TrieChange } from '../../state/trie/node_trie.ts'
import { storedManagerOf } from './stored_manager.ts'

/** What is used of the MerklePatriciaTrie of @ethereumjs/mpt. */
interface StoredTrie {
  readonly _opts: {
    readonly useKeyHashing: boolean
    readonly useNodePruning: boolean
    readonly useRootPersistence: boolean
    readonly keyPrefix?: Uint8Array
  }
  readonly EMPTY_TRIE_ROOT: Uint8Array
  root(value?: Uint8Array): Uint8Array
  database(): NodeDatabase
}

interface NodeDatabase {
  get(key: Uint8Array): Promise<Uint8Array | undefined>
  put(key: Uint8Array, value: Uint8Array): Promise<void>
  batch(
    operations: readonly { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }[],
  ): Promise<void>
}

/** What is used of the MerkleStateManager of @ethereumjs/statemanager with all its caches. */
export interface FlushedManager extends StateManagerInterface {
  flush(): Promise<void>
  readonly _trie: StoredTrie
  readonly _prefixCodeHashes: boolean
  _getStorageTrie(hashedAddress: Uint8Array, account: Account): StoredTrie
  readonly _caches: {
    readonly account: { flush(): [address: string, { readonly accountRLP?: Uint8Array }][] }
    readonly code: { flush(): [address: string, { readonly code?: Uint8Array }][] }
    readonly storage: { flush(): [address: string, key: string, value: Uint8Array | undefined][] }
  }
}

/**
 * Lets a MerkleStateManager write what its caches hold into its tries in bulk
 * (docs/decisions/0012-tries-change-in-bulk.md): each node on the way of a change is read, encoded and hashed once,
 * where its own `flush` does so once for every slot and account below. Same roots, same nodes behind them in the same
 * database; nodes that stood only between two changes are not kept.
 *
 * Nothing is done to any other state manager, to one without all caches, to one whose `flush` was replaced, and to
 * tries that prune, prefix or persist their root.
 */
export const flushInBulk = (manager: StateManagerInterface): void => {
  const stored = flushedManagerOf(manager)
  if (stored !== undefined) stored.flush = () => flush(stored)
}

const flushedManagerOf = (manager: StateManagerInterface): FlushedManager | undefined => {
  const stored = storedManagerOf<FlushedManager>(manager, 'flush')
  if (stored === undefined) return undefined
  const { _caches: caches, _trie: trie } = stored
  if (caches?.account === undefined || caches.code === undefined || caches.storage === undefined) return undefined
  return isPlainTrie(trie) ? stored : undefined
}

const isPlainTrie = ({ _opts: options, EMPTY_TRIE_ROOT: emptyRoot }: StoredTrie): boolean =>
  options?.useKeyHashing === true &&
  !options.useNodePruning &&
  !options.useRootPersistence &&
  options.keyPrefix === undefined &&
  equalsBytes(emptyRoot, KECCAK256_RLP)

const flush = async (manager: FlushedManager): Promise<void> => {
  const { account, code, storage } = manager._caches
  await flushCodes(manager, code.flush())
  await flushSlots(manager, storage.flush())
  const changes = account
    .flush()
    .map(
      ([address, { accountRLP }]): TrieChange => ({ key: keccak256(bytesOf(address)), value: accountRLP ?? NOTHING }),
    )
  await change(manager._trie, changes)
}

const flushCodes = async (
  manager: FlushedManager,
  items: readonly [address: string, { readonly code?: Uint8Array }][],
): Promise<void> => {
  for (const [hex, { code }] of items) {
    if (code === undefined) continue
    const codeHash = keccak256(code)
    const key = manager._prefixCodeHashes ? Uint8Array.of(CODE_PREFIX, ...codeHash) : codeHash
    await manager._trie.database().put(key, code)
    const address = new Address(bytesOf(hex))
    if ((await manager.getAccount(address)) === undefined) await manager.putAccount(address, new Account())
    await manager.modifyAccountFields(address, { codeHash })
  }
}

const flushSlots = async (
  manager: FlushedManager,
  items: readonly [address: string, key: string, value: Uint8Array | undefined][],
): Promise<void> => {
  const byAddress = new Map<string, TrieChange[]>()
  for (const [address, key, value] of items) {
    let changes = byAddress.get(address)
    if (changes === undefined) {
      changes = []
      byAddress.set(address, changes)
    }
    // The cache holds RLP, of no bytes for zero.
    const isZero = value === undefined || value.length === 0 || value[0] === 0x80
    changes.push({ key: keccak256(bytesOf(key)), value: isZero ? NOTHING : value })
  }
  for (const [hex, changes] of byAddress) {
    const address = new Address(bytesOf(hex))
    const account = await manager.getAccount(address)
    if (account === undefined) continue
    const trie = manager._getStorageTrie(keccak256(address.bytes), account)
    await change(trie, changes)
    account.storageRoot = trie.root()
    await manager.putAccount(address, account)
  }
}

/** Moves a trie to the root after the changes, and puts the nodes that are new into its database. */
const change = async (trie: StoredTrie, changes: readonly TrieChange[]): Promise<void> => {
  if (changes.length === 0) return
  const database = trie.database()
  const read = new Map<string, Uint8Array>()
  const made = new Map<string, Uint8Array>()
  const tries = new NodeTrie({
    get: (name) => made.get(name) ?? read.get(name),
    set: (name, node) => made.set(name, node),
  })
  const before = trie.root()
  await new NodeTrie(read).load(before, changes, async (hash) => {
    const node = await database.get(hash)
    if (node === undefined) throw new Error('Missing node in DB')
    return node
  })
  const after = tries.update(before, changes)
  await database.batch(
    [...made].map(([name, value]) => ({ type: 'put', key: new Uint8Array(Buffer.from(name, 'latin1')), value })),
  )
  trie.root(after)
}

const NOTHING = new Uint8Array(0)

/** 'c', before the hashes of codes (CODEHASH_PREFIX). */
const CODE_PREFIX = 0x63

const bytesOf = (unprefixedHex: string): Uint8Array => new Uint8Array(Buffer.from(unprefixedHex, 'hex'))
