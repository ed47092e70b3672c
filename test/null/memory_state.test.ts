import { createMPT } from '@ethereumjs/mpt'
import { RLP } from '@ethereumjs/rlp'
import { MerkleStateManager } from '@ethereumjs/statemanager'
import { Account, createAddressFromString } from '@ethereumjs/util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createRandom } from '../../bench/random.ts'
import { ColumnMemory } from '../../host/primitives/column_memory.ts'
import { EMPTY_CODE_HASH, keccak256, keccak256Hex } from '../../host/primitives/keccak.ts'
import {
  addressFromHex,
  quantityFromBigInt,
  wordFromBigInt,
  wordFromHex,
  wordToBigInt,
  wordToHex,
} from '../../host/primitives/word.ts'
import { MemoryCommit } from '../../host/state/memory_commit.ts'
import { MemoryRows } from '../../host/state/memory_rows.ts'
import { MemoryState } from '../../host/state/memory_state.ts'
import type { StateWrites } from '../../host/state/state.ts'

interface Writes {
  readonly deleted?: readonly string[]
  readonly accounts?: readonly (readonly [string, bigint, bigint, string?])[]
  readonly slots?: readonly (readonly [string, bigint, bigint])[]
  readonly code?: ReadonlyMap<string, Uint8Array>
}

/** Reads in bulk of one state against reads one by one of another: accounts, absent ones, and slots of both. */
const expectSameReads = (
  bulk: MemoryState,
  single: MemoryState,
  people: readonly string[],
  named: ReadonlySet<string>,
  codeHash: string,
): void => {
  const { accountAddresses, accountCount } = writesOf({ accounts: people.map((address) => [address, 0n, 0n]) })
  const columns = bulk.readAccounts(accountAddresses, accountCount)
  for (const [i, address] of people.entries()) {
    const one = single.readAccounts(accountAddresses.subarray(5 * i, 5 * i + 5), 1)
    expect(columns.exists[i], address).toBe(one.exists[0])
    expect(columns.nonce.subarray(2 * i, 2 * i + 2)).toEqual(one.nonce)
    expect(columns.balance.subarray(8 * i, 8 * i + 8)).toEqual(one.balance)
    expect(columns.codeHash.subarray(8 * i, 8 * i + 8)).toEqual(one.codeHash)
  }
  expect(people.some((_, i) => wordToHex(columns.codeHash, 8 * i) === codeHash)).toBe(true)
  const slots = [...named].flatMap((name, n): [string, bigint, bigint][] => {
    const [owner, key] = [name.slice(0, 42), BigInt(name.slice(42))]
    const others = [people.at(-1)!, people[n % people.length]!].slice(n % 3)
    return [owner, ...others].map((one) => [one, key, 0n])
  })
  const { slotAddresses, slotKeys, slotCount } = writesOf({ slots })
  const values = bulk.readSlots(slotAddresses, slotKeys, slotCount)
  for (const [i, [owner, key]] of slots.entries()) expect(wordToBigInt(values, 8 * i)).toBe(single.storage(owner, key))
}

const writesOf = ({ deleted = [], accounts = [], slots = [], code = new Map() }: Writes): StateWrites => {
  const writes = {
    deletedAccounts: new Uint32Array(5 * deleted.length),
    accountCount: accounts.length,
    accountAddresses: new Uint32Array(5 * accounts.length),
    accounts: {
      exists: new Uint8Array(accounts.length).fill(1),
      nonce: new Uint32Array(2 * accounts.length),
      balance: new Uint32Array(8 * accounts.length),
      codeHash: new Uint32Array(8 * accounts.length),
    },
    slotCount: slots.length,
    slotAddresses: new Uint32Array(5 * slots.length),
    slotKeys: new Uint32Array(8 * slots.length),
    slotValues: new Uint32Array(8 * slots.length),
    code,
  }
  deleted.forEach((address, i) => {
    addressFromHex(writes.deletedAccounts, 5 * i, address)
  })
  accounts.forEach(([address, nonce, balance, codeHash], i) => {
    addressFromHex(writes.accountAddresses, 5 * i, address)
    quantityFromBigInt(writes.accounts.nonce, 2 * i, nonce)
    wordFromBigInt(writes.accounts.balance, 8 * i, balance)
    wordFromHex(writes.accounts.codeHash, 8 * i, codeHash ?? EMPTY_CODE_HASH)
  })
  slots.forEach(([address, key, value], i) => {
    addressFromHex(writes.slotAddresses, 5 * i, address)
    wordFromBigInt(writes.slotKeys, 8 * i, key)
    wordFromBigInt(writes.slotValues, 8 * i, value)
  })
  return writes
}

const A = `0x${'a1'.repeat(20)}`
const B = `0x${'b2'.repeat(20)}`
const C = `0x${'c3'.repeat(20)}`
const addressOf = (n: number): string => `0x${(n * 0x9e3779b1).toString(16).padStart(40, '0')}`

describe('MemoryState', () => {
  it('reads back what was allocated, one by one and in columns', () => {
    const state = MemoryState.from({
      [A]: { balance: 7n, nonce: 2n, code: '0x6001', storage: { '0x05': '0x09', [`0x${'ff'.repeat(32)}`]: 1n } },
      [B]: { balance: 1n },
    })
    expect(state.account(A)).toEqual({ balance: 7n, nonce: 2n, codeHash: keccak256Hex(Uint8Array.of(0x60, 1)) })
    expect(state.account(C)).toBeUndefined()
    expect(state.storage(A, 5n)).toBe(9n)
    expect(state.storage(A, 6n)).toBe(0n)
    expect(state.storage(B, 5n)).toBe(0n)
    expect([...state.readCode(state.account(A)!.codeHash)]).toEqual([0x60, 1])
    const addresses = new Uint32Array(15)
    for (const [i, address] of [C, A, B].entries()) addressFromHex(addresses, 5 * i, address)
    const columns = state.readAccounts(addresses, 3)
    expect([...columns.exists]).toEqual([0, 1, 1])
    expect([...columns.nonce]).toEqual([0, 0, 2, 0, 0, 0])
    expect(wordToBigInt(columns.balance, 8)).toBe(7n)
    expect(wordToHex(columns.codeHash, 0)).toBe(EMPTY_CODE_HASH)
    expect(wordToHex(columns.codeHash, 16)).toBe(EMPTY_CODE_HASH)
    const keys = new Uint32Array(24)
    for (const [i, key] of [5n, (1n << 256n) - 1n, 5n].entries()) wordFromBigInt(keys, 8 * i, key)
    const slotAddresses = new Uint32Array(15)
    for (const [i, address] of [A, A, C].entries()) addressFromHex(slotAddresses, 5 * i, address)
    const values = state.readSlots(slotAddresses, keys, 3)
    expect([0, 8, 16].map((at) => wordToBigInt(values, at))).toEqual([9n, 1n, 0n])
  })

  it('forgets the storage of a deleted account, also where it is written again in the same commit', () => {
    const state = MemoryState.from({
      [A]: { balance: 1n, storage: { '0x01': 11n, '0x02': 22n } },
      [B]: { balance: 1n },
    })
    state.commit(writesOf({ deleted: [A, C], accounts: [[A, 1n, 5n]], slots: [[A, 2n, 33n]] }))
    expect(state.account(A)).toEqual({ nonce: 1n, balance: 5n, codeHash: EMPTY_CODE_HASH })
    expect(state.storage(A, 1n)).toBe(0n)
    expect(state.storage(A, 2n)).toBe(33n)
    state.commit(writesOf({ deleted: [B] }))
    expect(state.account(B)).toBeUndefined()
    expect(Object.keys(state.dump())).toEqual([A])
  })

  it('commits nothing where a code is unknown', () => {
    const state = MemoryState.from({ [A]: { balance: 1n } })
    const before = state.dump()
    const hash = keccak256Hex(Uint8Array.of(1, 2, 3))
    const writes: Writes = { deleted: [A], accounts: [[B, 1n, 5n, hash]], slots: [[B, 0n, 1n]] }
    expect(() => state.commit(writesOf(writes))).toThrow(hash)
    expect(state.dump()).toEqual(before)
    state.commit(writesOf({ ...writes, code: new Map([[hash, Uint8Array.of(1, 2, 3)]]) }))
    expect([...state.readCode(state.account(B)!.codeHash)]).toEqual([1, 2, 3])
  })

  it('clones into an independent state', () => {
    const state = MemoryState.from({ [A]: { balance: 1n, storage: { '0x01': 1n } } })
    const copy = state.clone()
    copy.commit(writesOf({ accounts: [[A, 9n, 9n]], slots: [[A, 1n, 9n]] }))
    expect(state.account(A)?.nonce).toBe(0n)
    expect(state.storage(A, 1n)).toBe(1n)
    expect(copy.storage(A, 1n)).toBe(9n)
  })

  it('agrees with a model under random commits that grow every table', () => {
    const operation = fc.record({
      account: fc.integer({ min: 0, max: 300 }),
      key: fc.integer({ min: 0, max: 40 }),
      value: fc.bigInt({ min: 0n, max: 5n }),
      kind: fc.constantFrom('slot', 'slot', 'slot', 'account', 'delete'),
    })
    fc.assert(
      fc.property(fc.array(operation, { minLength: 400, maxLength: 900 }), (operations) => {
        const state = new MemoryState()
        const accounts = new Map<string, bigint>()
        const slots = new Map<string, bigint>()
        for (const { account, key, value, kind } of operations) {
          const address = addressOf(account)
          if (kind === 'slot') {
            slots.set(`${address} ${key}`, value)
            state.commit(writesOf({ slots: [[address, BigInt(key), value]] }))
          } else if (kind === 'account') {
            accounts.set(address, value)
            state.commit(writesOf({ accounts: [[address, 0n, value]] }))
          } else {
            accounts.delete(address)
            for (const name of slots.keys()) if (name.startsWith(address)) slots.delete(name)
            state.commit(writesOf({ deleted: [address] }))
          }
        }
        const wrong: string[] = []
        for (let n = 0; n <= 300; n++) {
          const address = addressOf(n)
          if (state.account(address)?.balance !== accounts.get(address)) wrong.push(address)
          const filled = [...slots].some(([name, value]) => name.startsWith(address) && value !== 0n)
          if (state.hasStorage(address) !== filled) wrong.push(`storage of ${address}`)
          for (let key = 0; key <= 40; key++) {
            const name = `${address} ${key}`
            if (state.storage(address, BigInt(key)) !== (slots.get(name) ?? 0n)) wrong.push(name)
          }
        }
        expect(wrong).toEqual([])
      }),
      { seed: 7, numRuns: 3, endOnFailure: true },
    )
  })

  it('writes a large commit as it writes the same rows in small ones', () => {
    const random = createRandom(5, 'large commits')
    const code = Uint8Array.of(1, 2, 3)
    const hash = keccak256Hex(code)
    const people = Array.from({ length: 900 }, (_, n) => `0x${(0xbeef_0000 + 7 * n).toString(16).padStart(40, '0')}`)
    const draw = <T>(from: readonly T[], count: number): T[] => {
      const left = [...from]
      return Array.from({ length: count }, () => left.splice(random.below(left.length), 1)[0]!)
    }
    const large = new MemoryState()
    const small = new MemoryState()
    for (let round = 0; round < 3; round++) {
      const deleted = draw(people, random.below(20))
      const accounts = draw(people, 520).map((address): [string, bigint, bigint, string?] => {
        const balance = random.below(4) === 0 ? 0n : 2n ** BigInt(random.below(255)) + BigInt(random.below(9))
        const nonce = BigInt(random.u32()) << BigInt(random.below(32))
        return random.below(9) === 0 ? [address, nonce, balance, hash] : [address, nonce, balance]
      })
      // The first account of all has the first storage.
      const owners = [accounts[0]![0], ...draw(people, 29)]
      const keys = new Set<string>()
      const slots: [string, bigint, bigint][] = []
      while (slots.length < 700) {
        const owner = owners[Math.min(slots.length >> 5, random.below(owners.length))]!
        const key =
          random.below(2) === 0 ? BigInt(random.below(60)) : BigInt(keccak256Hex(Uint8Array.of(random.below(256))))
        if (keys.has(`${owner}${key}`)) continue
        keys.add(`${owner}${key}`)
        slots.push([owner, key, random.below(3) === 0 ? 0n : BigInt(random.u32()) << BigInt(32 * random.below(8))])
      }
      const known = new Map([[hash, code]])
      const gone = writesOf({ deleted, accounts, slots, code: known })
      for (let i = 0; i < 40; i++) gone.accounts.exists[random.below(520)] = 0
      large.commit(gone)
      small.commit(writesOf({ deleted, code: known }))
      for (let first = 0; first < accounts.length; first += 100) {
        const piece = writesOf({ accounts: accounts.slice(first, first + 100) })
        piece.accounts.exists.set(gone.accounts.exists.subarray(first, first + 100))
        small.commit(piece)
      }
      for (let first = 0; first < slots.length; first += 100)
        small.commit(writesOf({ slots: slots.slice(first, first + 100) }))
      expect(large.dump()).toEqual(small.dump())
      expect(people.map((address) => large.hasStorage(address))).toEqual(people.map((one) => small.hasStorage(one)))
      for (const [address, key, value] of draw(slots, 50)) expect(large.storage(address, key)).toBe(value)
      expect(large.clone().dump()).toEqual(large.dump())
      expectSameReads(
        large,
        small,
        [...people, ...people.map((address) => address.replace('beef', 'beee'))],
        keys,
        hash,
      )
    }
  })

  it('writes one by one what its memory has no room for', () => {
    const memory = new ColumnMemory(1 << 20, 17)
    const rows = new MemoryRows(memory)
    const commit = new MemoryCommit(rows, memory)
    const accounts = Array.from({ length: 1000 }, (_, n): [string, bigint, bigint] => [
      `0x${n.toString(16).padStart(40, '0')}`,
      1n,
      1n,
    ])
    const writes = writesOf({ accounts })
    expect([commit.isOpen, commit.accounts(writes, 0), commit.isOpen]).toEqual([true, 0, false])
    expect(rows.accountCount).toBe(0)
    expect(rows.accountId(writes.accountAddresses, 0)).toBe(0)
  })

  it('dumps the state whose root a Merkle state manager computes', async () => {
    const code = Uint8Array.of(0x60, 0, 0x60, 0)
    const state = MemoryState.from({
      [A]: { balance: 10n ** 20n, nonce: 300n, code, storage: { '0x01': 1n, '0x80': 1n << 255n, '0x81': 0n } },
      [B]: { balance: 1n },
      [C]: { nonce: 1n },
    })
    const merkle = new MerkleStateManager({ trie: await createMPT({ useKeyHashing: true }) })
    for (const [address, account] of Object.entries(state.dump())) {
      const at = createAddressFromString(address)
      await merkle.putAccount(at, new Account(account.nonce, account.balance))
      const bytes = state.readCode(account.codeHash)
      if (bytes.length > 0) await merkle.putCode(at, bytes)
      for (const [key, value] of Object.entries(account.storage)) {
        await merkle.putStorage(at, Buffer.from(key.slice(2), 'hex'), unpadded(BigInt(value)))
      }
    }
    await merkle.flush()
    expect(await stateRoot(state)).toBe(`0x${Buffer.from(await merkle.getStateRoot()).toString('hex')}`)
    expect(await stateRoot(new MemoryState())).toBe(
      '0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421',
    )
  })
})

const unpadded = (value: bigint): Uint8Array => {
  const hex = value === 0n ? '' : value.toString(16)
  return new Uint8Array(Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex'))
}

const stateRoot = async (state: MemoryState): Promise<string> => {
  const trie = await createMPT()
  for (const [address, account] of Object.entries(state.dump())) {
    const storage = await createMPT()
    for (const [key, value] of Object.entries(account.storage)) {
      await storage.put(keccak256(Buffer.from(key.slice(2), 'hex')), RLP.encode(unpadded(BigInt(value))))
    }
    const fields = [
      unpadded(account.nonce),
      unpadded(account.balance),
      storage.root(),
      Buffer.from(account.codeHash.slice(2), 'hex'),
    ]
    await trie.put(keccak256(Buffer.from(address.slice(2), 'hex')), RLP.encode(fields))
  }
  return `0x${Buffer.from(trie.root()).toString('hex')}`
}
