import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { EMPTY_CODE_HASH, keccak256Hex } from '../../host/primitives/keccak.ts'
import { addressFromHex, quantityFromBigInt, wordFromBigInt, wordFromHex } from '../../host/primitives/word.ts'
import { MemoryState } from '../../host/state/memory_state.ts'
import type { State, StateWrites } from '../../host/state/state.ts'
import { accountOrder, slotOrder } from '../../host/state/store/key_order.ts'
import { Store, type StoredBlock } from '../../host/state/store/store.ts'
import { StateLayers, type StoredState } from '../../host/state/store/stored_state.ts'
import { TouchedKeys } from '../../host/state/store/touched_keys.ts'
import { createStateTrie, stateRootOf, writesOfDump } from '../../host/state/trie/trie.ts'

const folder = mkdtempSync(join(tmpdir(), 'wgevm-stored-'))
afterAll(() => rmSync(folder, { recursive: true }))
let folders = 0

/** Some share their first four bytes. */
const ADDRESSES = [0n, 1n, 0xabn, 0xff00n, 2n ** 159n, 2n ** 160n - 1n].map(
  (n) => `0x${n.toString(16).padStart(40, '0')}`,
)
const KEYS = [0n, 1n, 255n, 2n ** 128n, 2n ** 255n, 2n ** 256n - 1n]
const VALUES = [0n, 1n, 0x80n, 2n ** 64n, 2n ** 248n, 2n ** 256n - 1n]
const CODES = [new Uint8Array(0), Uint8Array.of(0), Uint8Array.of(0x60, 1), new Uint8Array(300).fill(0x5b)]

interface Account {
  readonly nonce: bigint
  readonly balance: bigint
  readonly code: number
}

interface BlockWrites {
  readonly deleted: readonly number[]
  readonly accounts: readonly (readonly [address: number, account: Account])[]
  readonly slots: readonly (readonly [address: number, key: number, value: number])[]
}

const account = fc.record({
  nonce: fc.constantFrom(0n, 1n, 255n, 256n, 2n ** 32n, 2n ** 64n - 1n),
  balance: fc.constantFrom(...VALUES),
  code: fc.nat(CODES.length - 1),
})
const addressAt = fc.nat(ADDRESSES.length - 1)
const blockWrites: fc.Arbitrary<BlockWrites> = fc.record({
  deleted: fc.uniqueArray(addressAt, { maxLength: 2 }),
  accounts: fc.uniqueArray(fc.tuple(addressAt, account), { maxLength: 4, selector: ([address]) => address }),
  slots: fc.uniqueArray(fc.tuple(addressAt, fc.nat(KEYS.length - 1), fc.nat(VALUES.length - 1)), {
    maxLength: 10,
    selector: ([address, key]) => 8 * address + key,
  }),
})

/** Columns; slots of accounts that do not exist after the block are left out, as no execution writes such. */
const writesOf = (block: BlockWrites, before: MemoryState): StateWrites => {
  const there = new Set(ADDRESSES.flatMap((address, n) => (before.account(address) === undefined ? [] : [n])))
  for (const n of block.deleted) there.delete(n)
  for (const [n] of block.accounts) there.add(n)
  const slots = block.slots.filter(([n]) => there.has(n))
  const addresses = (of: readonly number[]): Uint32Array => {
    const limbs = new Uint32Array(5 * of.length)
    for (const [i, n] of of.entries()) addressFromHex(limbs, 5 * i, ADDRESSES[n]!)
    return limbs
  }
  const count = block.accounts.length
  const writes = {
    deletedAccounts: addresses(block.deleted),
    accountCount: count,
    accountAddresses: addresses(block.accounts.map(([n]) => n)),
    accounts: {
      exists: new Uint8Array(count).fill(1),
      nonce: new Uint32Array(2 * count),
      balance: new Uint32Array(8 * count),
      codeHash: new Uint32Array(8 * count),
    },
    slotCount: slots.length,
    slotAddresses: addresses(slots.map(([n]) => n)),
    slotKeys: new Uint32Array(8 * slots.length),
    slotValues: new Uint32Array(8 * slots.length),
    code: new Map<string, Uint8Array>(),
  }
  for (const [i, [, { nonce, balance, code }]] of block.accounts.entries()) {
    const hash = keccak256Hex(CODES[code]!)
    quantityFromBigInt(writes.accounts.nonce, 2 * i, nonce)
    wordFromBigInt(writes.accounts.balance, 8 * i, balance)
    wordFromHex(writes.accounts.codeHash, 8 * i, hash)
    if (hash !== EMPTY_CODE_HASH) writes.code.set(hash, CODES[code]!)
  }
  for (const [i, [, key, value]] of slots.entries()) {
    wordFromBigInt(writes.slotKeys, 8 * i, KEYS[key]!)
    wordFromBigInt(writes.slotValues, 8 * i, VALUES[value]!)
  }
  return writes
}

/** Everything that can be read under these names, in one answer; twelve copies are read in the order of their keys. */
const readAll = (state: Pick<State, 'readAccounts' | 'readSlots' | 'hasStorage'>): unknown => {
  const copies = 12
  const addresses = new Uint32Array(5 * copies * ADDRESSES.length)
  for (let i = 0; i < copies * ADDRESSES.length; i++) addressFromHex(addresses, 5 * i, ADDRESSES[i % ADDRESSES.length]!)
  const pairs = ADDRESSES.flatMap((address) => KEYS.map((key) => [address, key] as const))
  const owners = new Uint32Array(5 * 2 * pairs.length)
  const keys = new Uint32Array(8 * 2 * pairs.length)
  for (let i = 0; i < 2 * pairs.length; i++) {
    addressFromHex(owners, 5 * i, pairs[i % pairs.length]![0])
    wordFromBigInt(keys, 8 * i, pairs[i % pairs.length]![1])
  }
  return {
    accounts: state.readAccounts(addresses, copies * ADDRESSES.length),
    slots: state.readSlots(owners, keys, 2 * pairs.length),
    storage: ADDRESSES.map((address) => state.hasStorage!(address)),
  }
}

const hashOf = (number: bigint): string => `0x${(number + 1n).toString(16).padStart(64, '0')}`
const NOTHING = Uint8Array.of(0xc0)

const blockOf = (number: bigint): StoredBlock => ({
  number,
  hash: hashOf(number),
  parentHash: hashOf(number - 1n),
  stateRoot: hashOf(0n),
  totalDifficulty: number,
  header: NOTHING,
  body: NOTHING,
  receipts: NOTHING,
  transactionHashes: new Uint8Array(0),
})

const META = { chainId: '1', configText: '{}', configHash: '0x', genesisHash: hashOf(0n) }
const NO_WRITES = writesOfDump({})

/** A store, and its state with what is staged on it. */
class Staging {
  readonly store: Store
  layers = new StateLayers(2n ** 64n)
  readonly state: StoredState

  private constructor(store: Store) {
    this.store = store
    this.state = store.stateUnder(() => this.layers)
  }

  static async begin(): Promise<Staging> {
    const store = await Store.open(join(folder, `${folders++}`), { create: true })
    store.begin(META, blockOf(0n), NO_WRITES)
    return new Staging(store)
  }

  append(block: StoredBlock): void {
    this.store.move({ blocks: [{ block, writes: this.layers.staged.all }], oldestUndo: 0n })
    this.layers.staged.clear()
  }

  rewind(number: bigint): void {
    const back = { to: blockOf(number), undone: this.store.undoneTo(number), transactionHashes: [] }
    this.store.move({ back, blocks: [], oldestUndo: 0n })
  }

  /** What takes the state on disk to that after a block below. */
  writesTo(number: bigint): StateWrites {
    const touched = new TouchedKeys()
    for (let above = this.store.head.number; above > number; above--) touched.addRecord(this.store.undoEntries(above))
    return touched.writesTo(this.before(number))
  }

  /** The state after a block below. */
  before(number: bigint): StoredState {
    const layers = new StateLayers(number, this.store.undoneTo(number))
    return this.store.stateUnder(() => layers)
  }
}

describe('the state of a store', () => {
  test('reads as a MemoryState after the same writes: staged, on disk, and taken back block by block', async () => {
    const staging = await Staging.begin()
    const { store, state } = staging
    await fc.assert(
      fc.asyncProperty(fc.array(blockWrites, { minLength: 1, maxLength: 5 }), fc.nat(4), async (blocks, back) => {
        const memory = new MemoryState()
        const trie = createStateTrie()
        const roots = [trie.root]
        const reads = [readAll(memory)]
        for (const [n, block] of blocks.entries()) {
          const writes = writesOf(block, memory)
          memory.commit(writes)
          state.commit(writes)
          reads.push(readAll(memory))
          expect(readAll(state)).toEqual(reads[n + 1])
          staging.append(blockOf(BigInt(n + 1)))
          expect(readAll(state)).toEqual(reads[n + 1])
          expect(store.dump()).toEqual(memory.dump())
          roots.push(await trie.apply(writes))
          expect(roots[n + 1]).toBe(stateRootOf(store.dump()))
        }
        for (const number of [Math.max(0, blocks.length - back), 0]) {
          expect(readAll(staging.before(BigInt(number)))).toEqual(reads[number])
          expect(await trie.apply(staging.writesTo(BigInt(number)))).toBe(roots[number])
          staging.rewind(BigInt(number))
          expect(readAll(state)).toEqual(reads[number])
          expect(stateRootOf(store.dump())).toBe(roots[number])
        }
        expect(store.counts()).toMatchObject({ accounts: 0, slots: 0, undo: 0, canon: 1, headers: 1 })
      }),
      { numRuns: 16, seed: 5 },
    )
    await store.close()
  })

  test('has several commits staged at once, of which the last one counts', async () => {
    const staging = await Staging.begin()
    const { store, state } = staging
    const memory = new MemoryState()
    fc.assert(
      fc.property(fc.array(blockWrites, { minLength: 2, maxLength: 4 }), (blocks) => {
        const before = memory.clone()
        for (const block of blocks) {
          const writes = writesOf(block, memory)
          memory.commit(writes)
          state.commit(writes)
          expect(readAll(state)).toEqual(readAll(memory))
        }
        const { number } = store.head
        staging.append(blockOf(number + 1n))
        expect(readAll(state)).toEqual(readAll(memory))
        const isKept = number % 2n === 0n
        if (isKept) return
        staging.rewind(number)
        expect(store.dump()).toEqual(before.dump())
        memory.commit({ ...NO_WRITES, deletedAccounts: writesOfDump(memory.dump()).accountAddresses })
        memory.commit(writesOfDump(before.dump()))
      }),
      { numRuns: 14, seed: 6 },
    )
    await store.close()
  })

  test('is told from a later one that is not on disk by the keys that were touched on the way', async () => {
    const { store } = await Staging.begin()
    await fc.assert(
      fc.asyncProperty(fc.array(blockWrites, { minLength: 2, maxLength: 6 }), fc.nat(5), async (blocks, n) => {
        const memory = new MemoryState()
        const trie = createStateTrie()
        const roots = [trie.root]
        const all: StateWrites[] = []
        for (const block of blocks) {
          all.push(writesOf(block, memory))
          memory.commit(all.at(-1)!)
          roots.push(await trie.apply(all.at(-1)!))
        }
        const first = n % blocks.length
        const layers = new StateLayers(0n, undefined, all.slice(0, first))
        const touched = new TouchedKeys()
        for (const writes of all.slice(first)) touched.addWrites(writes)
        expect(await trie.apply(touched.writesTo(store.stateUnder(() => layers)))).toBe(roots[first])
      }),
      { numRuns: 60, seed: 7 },
    )
    await store.close()
  })

  test('loses the slots of an account that is written as absent, as its trie does', async () => {
    const staging = await Staging.begin()
    const { store, state } = staging
    const memory = MemoryState.from({ [ADDRESSES[2]!]: { balance: 1n, storage: { '0x1': 2n } } })
    const trie = createStateTrie(memory.dump())
    const there = writesOfDump(memory.dump())
    state.commit(there)
    staging.append(blockOf(1n))
    const absent = { ...there, accounts: { ...there.accounts, exists: new Uint8Array(1) }, slotCount: 0 }
    state.commit(absent)
    expect(state.hasStorage(ADDRESSES[2]!)).toBe(false)
    staging.append(blockOf(2n))
    expect(store.counts()).toMatchObject({ accounts: 0, slots: 0 })
    expect(await trie.apply(absent)).toBe(stateRootOf(store.dump()))
    staging.rewind(1n)
    expect(store.dump()).toEqual(memory.dump())
    await store.close()
  })

  test('is not written, nor is its block, where an account names a code that is not there', async () => {
    const staging = await Staging.begin()
    const { store, state } = staging
    const code = Uint8Array.of(1, 2, 3)
    const memory = MemoryState.from({ [ADDRESSES[1]!]: { code }, [ADDRESSES[0]!]: { balance: 5n } })
    state.commit(writesOfDump(memory.dump()))
    expect(() => staging.append(blockOf(1n))).toThrow(/block 1 was not written: no code with hash 0x/)
    expect(store.head.number).toBe(0n)
    expect(store.counts()).toMatchObject({ accounts: 0, headers: 1 })
    staging.layers.staged.clear()
    state.commit({ ...writesOfDump(memory.dump()), code: new Map([[keccak256Hex(code), code]]) })
    staging.append(blockOf(1n))
    expect(state.readCode(keccak256Hex(code))).toEqual(code)
    expect(() => state.readCode(hashOf(9n))).toThrow(/the state is damaged: no code with hash 0x0/)
    await store.close()
  })

  test('knows the hashes of the blocks of its chain', async () => {
    const staging = await Staging.begin()
    const { store, state } = staging
    staging.append(blockOf(1n))
    expect([0n, 1n, 2n, -1n, 2n ** 64n].map((number) => state.blockHash(number))).toEqual([
      hashOf(0n),
      hashOf(1n),
      undefined,
      undefined,
      undefined,
    ])
    // Of a block above block 0 that is not on disk.
    staging.layers = new StateLayers(0n)
    staging.layers.arrive(1n, hashOf(7n))
    expect([0n, 1n, 2n].map((number) => state.blockHash(number))).toEqual([hashOf(0n), hashOf(7n), undefined])
    await store.close()
  })
})

test('accounts and slots are read in the order of their keys, and each once', () => {
  const count = 500
  const random = fc.sample(fc.nat(0xffff_ffff), { numRuns: 13 * count, seed: 1 })
  const addresses = Uint32Array.from(random.slice(0, 5 * count))
  // Slots of few addresses.
  for (let i = 0; i < count; i++) addresses[5 * i + 4] = addresses[5 * i + 4]! % 7
  const keys = Uint32Array.from(random.slice(5 * count))
  const accounts = [...accountOrder(addresses, count)]
  const slots = [...slotOrder(addresses, keys, count)]
  for (const order of [accounts, slots]) expect([...order].sort((a, b) => a - b)).toEqual(order.map((_, i) => i))
  const top = (i: number): number => addresses[5 * i + 4]!
  for (let n = 1; n < count; n++) {
    expect(top(accounts[n]!)).toBeGreaterThanOrEqual(top(accounts[n - 1]!))
    const [a, b] = [slots[n - 1]!, slots[n]!]
    expect(top(b) > top(a) || (top(b) === top(a) && keys[8 * b + 7]! >= keys[8 * a + 7]!)).toBe(true)
  }
})
