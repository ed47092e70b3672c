import { createCustomCommon, Mainnet } from '@ethereumjs/common'
import { MerklePatriciaTrie } from '@ethereumjs/mpt'
import { Caches, CacheType, MerkleStateManager, SimpleStateManager } from '@ethereumjs/statemanager'
import { Account, Address, bytesToHex } from '@ethereumjs/util'
import { describe, expect, it } from 'vitest'
import { createRandom, type Random } from '../../bench/random.ts'
import { flushInBulk } from '../../host/adapters/ethereumjs/bulk_flush.ts'

const common = createCustomCommon({ chainId: 1 }, Mainnet, { hardfork: 'prague' })
const cached = (): MerkleStateManager => new MerkleStateManager({ common, caches: new Caches() })

const OTHER_HASH = { useKeyHashing: true, useKeyHashingFunction: () => new Uint8Array(32).fill(1) }

const addressOf = (n: number): Address => new Address(new Uint8Array(20).fill(n + 1))
const keyOf = (n: number): Uint8Array => new Uint8Array(32).fill(n)

/** One thing that an EVM, or `runBlock`, may do to a state manager; the same for two of them. */
type Step = (manager: MerkleStateManager) => Promise<unknown>

const putAccount = (address: Address, random: Random): Step => {
  const [nonce, balance] = [BigInt(random.below(3)), BigInt(random.below(1000))]
  return async (manager) => {
    const account = (await manager.getAccount(address)) ?? new Account()
    account.nonce = nonce
    account.balance = balance
    await manager.putAccount(address, account)
  }
}

const putStorage = (address: Address, random: Random): Step => {
  const key = keyOf(random.below(24))
  const value = random.below(3) === 0 ? new Uint8Array(0) : Uint8Array.of(1 + random.below(255), random.below(256))
  return async (manager) => {
    if ((await manager.getAccount(address)) !== undefined) await manager.putStorage(address, key, value)
  }
}

const steps = (seed: number): Step[] => {
  const random = createRandom(seed, 'flush')
  let open = 0
  const list: Step[] = []
  for (let n = 0; n < 300; n++) {
    const address = addressOf(random.below(20))
    const roll = random.below(100)
    if (roll < 25) list.push(putAccount(address, random))
    else if (roll < 70) list.push(putStorage(address, random))
    else if (roll < 74) list.push((manager) => manager.deleteAccount(address))
    else if (roll < 78) list.push((manager) => manager.clearStorage(address))
    else if (roll < 82) {
      const code = Uint8Array.of(0x60, random.below(4))
      list.push((manager) => manager.putCode(address, code))
    } else if (roll < 90) {
      open++
      list.push((manager) => manager.checkpoint())
    } else if (roll < 97) {
      if (open === 0) continue
      open--
      list.push(roll < 95 ? (manager) => manager.commit() : (manager) => manager.revert())
    } else list.push(async (manager) => expect(await manager.getStateRoot()).toHaveLength(32))
  }
  for (; open > 0; open--) list.push((manager) => manager.commit())
  return list
}

const contents = async (manager: MerkleStateManager): Promise<unknown> => {
  const root = bytesToHex(await manager.getStateRoot())
  manager.clearCaches()
  const accounts = []
  for (let n = 0; n < 20; n++) {
    const address = addressOf(n)
    const account = await manager.getAccount(address)
    if (account === undefined) continue
    accounts.push([n, account, await manager.getCode(address), await manager.dumpStorage(address)])
  }
  return [root, accounts]
}

describe('flushInBulk', () => {
  it('leaves the tries of the own flush, through checkpoints, reverts, deletions and new code', async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const [stock, bulk] = [cached(), cached()]
      flushInBulk(bulk)
      for (const step of steps(seed)) {
        await step(stock)
        await step(bulk)
      }
      expect(await contents(bulk), `seed ${seed}`).toEqual(await contents(stock))
    }
  })

  it('reads each node once from the database, and writes only those of the new root', async () => {
    const manager = cached()
    flushInBulk(manager)
    for (let n = 0; n < 200; n++) await manager.putAccount(addressOf(n), new Account(1n, BigInt(n)))
    await manager.getStateRoot()
    const database = manager['_trie'].database()
    const written = (database.db as unknown as { _database: Map<string, unknown> })._database.size
    // 200 leaves with different keys, and the branches above them.
    expect(written).toBeGreaterThan(200)
    expect(written).toBeLessThan(300)
    const reads = database['_stats'].db.reads
    for (let n = 0; n < 200; n++) await manager.putAccount(addressOf(n), new Account(2n, BigInt(n)))
    await manager.getStateRoot()
    expect(database['_stats'].db.reads - reads).toBeLessThanOrEqual(written)
  })

  it('fails where the trie has lost a node', async () => {
    const manager = cached()
    flushInBulk(manager)
    for (let n = 0; n < 20; n++) await manager.putAccount(addressOf(n), new Account(1n))
    await manager.getStateRoot()
    const { db } = manager['_trie'].database() as unknown as { db: { _database: Map<string, unknown> } }
    db._database.clear()
    await manager.putAccount(addressOf(3), new Account(2n))
    await expect(manager.getStateRoot()).rejects.toThrow('Missing node in DB')
  })

  it('does not touch other state managers', () => {
    class Derived extends MerkleStateManager {}
    const trie = (options: object) => new MerklePatriciaTrie({ useKeyHashing: true, common, ...options })
    const others = [
      new SimpleStateManager({ common }),
      new Derived({ common, caches: new Caches() }),
      new MerkleStateManager({ common }),
      new MerkleStateManager({ common, caches: new Caches({ storage: { type: CacheType.LRU, size: 0 } }) }),
      new MerkleStateManager({ common, caches: new Caches(), trie: trie({ useNodePruning: true }) }),
      new MerkleStateManager({ common, caches: new Caches(), trie: trie({ useRootPersistence: true }) }),
      new MerkleStateManager({ common, caches: new Caches(), trie: trie({ useKeyHashing: false }) }),
      new MerkleStateManager({ common, caches: new Caches(), trie: new MerklePatriciaTrie(OTHER_HASH) }),
      new MerkleStateManager({ common, caches: new Caches(), trie: trie({ keyPrefix: Uint8Array.of(1) }) }),
    ]
    for (const manager of others) {
      flushInBulk(manager)
      expect(Object.hasOwn(manager, 'flush')).toBe(false)
    }
    const own = cached()
    const flush = async (): Promise<void> => {}
    own.flush = flush
    flushInBulk(own)
    expect(own.flush).toBe(flush)
  })
})
