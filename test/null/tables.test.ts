import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { createRandom } from '../../bench/random.ts'
import { ColumnMemory } from '../../host/primitives/column_memory.ts'
import { EMPTY_CODE_HASH } from '../../host/primitives/keccak.ts'
import { SHARED_MEMORY } from '../../host/primitives/shared_words.ts'
import { addressFromHex, wordFromBigInt, wordFromHex, wordToBigInt } from '../../host/primitives/word.ts'
import { DirtyPages } from '../../host/session/dirty_pages.ts'
import { MemoryState } from '../../host/state/memory_state.ts'
import type { State } from '../../host/state/state.ts'
import {
  AccountTable,
  ROW_BALANCE,
  ROW_FLAGS,
  ROW_LIMBS,
  STATE_BARE,
  STATE_FRESH,
  STATE_RETIRED,
} from '../../host/state/tables/account_table.ts'
import { CodeTable } from '../../host/state/tables/code_table.ts'
import { ResidentState } from '../../host/state/tables/resident_tables.ts'
import { SlotTable } from '../../host/state/tables/slot_table.ts'
import { TableProbe } from '../../host/state/tables/table_probe.ts'
import { ACCOUNT_CODE_SHIFT, ACCOUNT_FLAG_EXISTS, accountHash, slotHash } from '../../transpiler/layout/tables.ts'

const randomLimbs = (seed: number, count: number): Uint32Array => {
  const random = createRandom(seed, 'limbs')
  return Uint32Array.from({ length: count }, () => random.u32())
}

const shapeOf = (code: Uint8Array) => ({ key: `shape ${code[0]}`, constants: [BigInt(code.length), 7n] })

/** What a thread sees that was given the arrays. */
const seenThrough = (words: Uint32Array): Uint32Array => new Uint32Array(words.buffer as SharedArrayBuffer)

describe('tables that other threads read', () => {
  test('keep what they hold when they move to shared memory, and stay there when they grow', () => {
    const accounts = new AccountTable(4)
    const slots = new SlotTable(4)
    const limbs = randomLimbs(3, 8 * 200)
    for (let i = 0; i < 3; i++) accounts.add(limbs, 5 * i)
    for (let i = 0; i < 3; i++) slots.add(0, limbs, 8 * i)
    accounts.moveTo(SHARED_MEMORY)
    slots.moveTo(SHARED_MEMORY)
    for (let i = 3; i < 200; i++) accounts.add(limbs, 5 * i)
    for (let i = 3; i < 200; i++) slots.add(0, limbs, 8 * i)
    const arrays = [accounts.index.words, accounts.rows, accounts.hosts, slots.index.words, slots.keys, slots.values]
    for (const words of arrays) expect(words.buffer).toBeInstanceOf(SharedArrayBuffer)
    for (let i = 0; i < 200; i++) expect([accounts.find(limbs, 5 * i), slots.find(0, limbs, 8 * i)]).toEqual([i, i])
    slots.values[8 * 7] = 99
    expect(seenThrough(slots.values)[8 * 7]).toBe(99)
  })

  test('are shared again after the resident state forgets them', () => {
    const resident = new ResidentState(new MemoryState(), shapeOf)
    expect(resident.slots.values.buffer).not.toBeInstanceOf(SharedArrayBuffer)
    resident.share()
    resident.forget()
    expect(resident.slots.values.buffer).toBeInstanceOf(SharedArrayBuffer)
    expect(resident.accounts.index.words.buffer).toBeInstanceOf(SharedArrayBuffer)
  })
})

/** What a device has of the index of accounts, which is told of changes. */
class MirroredIndex {
  /** Changes that came as a list. */
  listed = 0
  readonly #resident: ResidentState
  #words = new Uint32Array(0)

  constructor(resident: ResidentState) {
    this.#resident = resident
  }

  follow(): void {
    const { index } = this.#resident.accounts
    if (index.rebuilt) this.#words = index.words.slice()
    for (let n = 0; n < index.changedCount; n++) {
      const at = 2 * index.changed[n]!
      this.#words.set(index.words.subarray(at, at + 2), at)
      this.listed++
    }
    index.settleChanges()
    expect(Buffer.compare(Buffer.from(this.#words.buffer), Buffer.from(index.words.slice().buffer))).toBe(0)
  }
}

/** Of memories that 9000 accounts fill sooner, later, and not at all. */
const PAGES = [6, 7, 8, 9, 10, 12, 14, 16, 20, 24, 64]

describe('resident accounts that are asked for in bulk', () => {
  /** Half of each draw is of few addresses; some differ in one limb of an address that is there. */
  const asked = (seed: number, count: number): Uint32Array => {
    const random = createRandom(seed, 'asked')
    const addresses = Uint32Array.from({ length: 5 * count }, () => random.u32())
    for (let i = 0; i < count; i++) {
      const kind = random.u32() % 4
      if (kind < 2) addresses.fill(random.u32() % 300, 5 * i, 5 * i + 5)
      else if (kind === 2) addresses[5 * i + (random.u32() % 5)] = addresses.fill(7, 5 * i, 5 * i + 5)[0]! + 1
    }
    return addresses
  }

  test('are those that look-ups one by one find or add: growth, duplicates, neighbours, accounts made anew', () => {
    const single = new ResidentState(new MemoryState(), shapeOf)
    const bulk = new ResidentState(new MemoryState(), shapeOf)
    expect(bulk.columns(4096)).toBeDefined()
    const mirror = new MirroredIndex(bulk)
    for (const [seed, count] of [255, 256, 257, 3000, 1024, 2049, 320, 9000, 3000, 300].entries()) {
      const addresses = asked(seed, count)
      single.epoch = bulk.epoch = 1 + seed
      const expected = new Int32Array(count)
      for (let i = 0; i < count; i++) {
        const one = new Int32Array(1)
        single.accountIds(addresses.subarray(5 * i, 5 * i + 5), 1, one)
        expected[i] = one[0]!
      }
      const ids = new Int32Array(count + 1).fill(-7)
      const codes = new Uint32Array(count + 1).fill(7)
      bulk.accountIds(addresses, count, ids, codes)
      expect(ids).toEqual(Int32Array.of(...expected, -7))
      expect(codes).toEqual(Uint32Array.of(...expected.map((id) => bulk.accounts.code(id)), 7))
      expect(bulk.accounts.count).toBe(single.accounts.count)
      expect(bulk.accounts.epochs).toEqual(single.accounts.epochs)
      mirror.follow()
      for (const { accounts } of [single, bulk]) accounts.renew(expected[seed]!)
      const code = bulk.codes.add(`0x${'c0'.repeat(31)}0${seed}`, Uint8Array.of(seed))
      for (let n = 0; n < count; n += 3) bulk.setCode(expected[n]!, code)
    }
    expect(mirror.listed).toBeGreaterThan(0)
    expect(bulk.columnMemory).toBeDefined()
    const before = bulk.columnMemory
    bulk.forget()
    const ids = new Int32Array(3000)
    bulk.accountIds(asked(3, 3000), 3000, ids)
    expect(bulk.columnMemory).not.toBe(before)
    expect(ids[0]).toBe(0)
    expect(Math.max(...ids)).toBe(bulk.accounts.count - 1)
  })

  test('are found and added one by one from where the memory is full', () => {
    const addresses = asked(5, 9000)
    const known = addresses.slice(5 * 8000)
    const found = PAGES.map((pages) => {
      const resident = new ResidentState(new MemoryState(), shapeOf)
      const memory = new ColumnMemory(4096, pages)
      vi.spyOn(ColumnMemory, 'of').mockReturnValueOnce(memory)
      resident.columns(4096)
      resident.accountIds(known, 1000, new Int32Array(1000))
      const code = resident.codes.add(`0x${'c1'.repeat(32)}`, Uint8Array.of(1))
      for (let id = 0; id < resident.accounts.count; id += 2) resident.setCode(id, code)
      const ids = new Int32Array(9000)
      const codes = new Uint32Array(9000).fill(9)
      resident.accountIds(addresses, 9000, ids, codes)
      return { isFull: memory.isFull, is: { ids, codes, count: resident.accounts.count } }
    })
    expect(new Set(found.map(({ isFull }) => isFull)).size).toBe(2)
    for (const { is } of found) expect(is).toEqual(found[0]!.is)
  })

  test('are looked for one by one where the memory has no room for their columns', () => {
    expect(TableProbe.in(new ColumnMemory(1 << 16, 1))).toBeUndefined()
  })

  test('are found where their buckets pass the end of the index', () => {
    const resident = new ResidentState(new MemoryState(), shapeOf)
    expect(resident.columns(4096)).toBeDefined()
    const { mask } = resident.accounts.index
    const count = 258
    const addresses = new Uint32Array(5 * count)
    for (let i = 0, low = 0; i < count; low++) {
      addresses[5 * i] = low
      if ((accountHash(addresses, 5 * i) & mask) === mask) i++
    }
    const ids = new Int32Array(count)
    // The last one is absent until the second time.
    for (const asked of [count - 1, count, count]) {
      resident.accountIds(addresses, asked, ids)
      expect([...ids.subarray(0, asked)]).toEqual(Array.from({ length: asked }, (_, i) => i))
    }
    expect(resident.accounts.index.mask).toBe(mask)
  })
})

describe('resident slots that are asked for in bulk', () => {
  /** Keys of few owners; some differ in one limb, or in their owner alone, from one that is there. */
  const asked = (seed: number, count: number): { owners: Int32Array; keys: Uint32Array } => {
    const random = createRandom(seed, 'asked slots')
    const owners = Int32Array.from({ length: count }, () => random.below(3))
    const keys = Uint32Array.from({ length: 8 * count }, () => random.u32())
    for (let i = 0; i < count; i++) {
      const kind = random.below(4)
      if (kind < 2) keys.fill(random.below(300), 8 * i, 8 * i + 8)
      else if (kind === 2) keys[8 * i + random.below(8)] = keys.fill(7, 8 * i, 8 * i + 8)[0]! + 1
    }
    return { owners, keys }
  }
  const withOwners = (): ResidentState => {
    const resident = new ResidentState(new MemoryState(), shapeOf)
    resident.accountIds(randomLimbs(9, 15), 3, new Int32Array(3))
    return resident
  }

  test('are those that look-ups one by one find or add', () => {
    const single = withOwners()
    const bulk = withOwners()
    expect(bulk.columns(4096)).toBeDefined()
    for (const [seed, count] of [255, 256, 257, 3000, 1024, 2049, 9000, 3000].entries()) {
      const { owners, keys } = asked(seed % 6, count)
      single.epoch = bulk.epoch = 1 + seed
      const expected = new Int32Array(count)
      for (let i = 0; i < count; i++) {
        const one = new Int32Array(1)
        single.slotIds(owners.subarray(i, i + 1), keys.subarray(8 * i, 8 * i + 8), 1, one)
        expected[i] = one[0]!
      }
      const ids = new Int32Array(count + 1).fill(-7)
      bulk.slotIds(owners, keys, count, ids)
      expect(ids).toEqual(Int32Array.of(...expected, -7))
      expect(bulk.slots.count).toBe(single.slots.count)
      expect(bulk.slots.epochs).toEqual(single.slots.epochs)
    }
    expect(bulk.columnMemory).toBeDefined()
  })

  test('are found where their buckets pass the end of the index', () => {
    const resident = withOwners()
    expect(resident.columns(4096)).toBeDefined()
    const { mask } = resident.slots.index
    const count = 258
    const keys = new Uint32Array(8 * count)
    for (let i = 0, low = 0; i < count; low++) {
      keys[8 * i] = low
      if ((slotHash(1, keys, 8 * i) & mask) === mask) i++
    }
    const ids = new Int32Array(count)
    for (const asked of [count - 1, count, count]) {
      resident.slotIds(new Int32Array(count).fill(1), keys, asked, ids)
      expect([...ids.subarray(0, asked)]).toEqual(Array.from({ length: asked }, (_, i) => i))
    }
    expect(resident.slots.index.mask).toBe(mask)
  })
})

describe('what differs little, in bulk', () => {
  test('are accounts of one low limb', () => {
    const count = 3000
    const resident = new ResidentState(new MemoryState(), shapeOf)
    expect(resident.columns(4096)).toBeDefined()
    const addresses = randomLimbs(11, 5 * count)
    for (let i = 0; i < count; i++) addresses[5 * i] = 7
    const ids = new Int32Array(count)
    for (let time = 0; time < 2; time++) {
      resident.accountIds(addresses, count, ids.fill(-1))
      expect([...ids].every((id, i) => id === i)).toBe(true)
    }
  })

  test('are slots of one key', () => {
    const count = 3000
    const resident = new ResidentState(new MemoryState(), shapeOf)
    expect(resident.columns(4096)).toBeDefined()
    const owners = new Int32Array(count)
    resident.accountIds(randomLimbs(10, 5 * count), count, owners)
    const keys = new Uint32Array(8 * count).fill(7)
    const ids = new Int32Array(count)
    for (let time = 0; time < 2; time++) {
      resident.slotIds(owners, keys, count, ids.fill(-1))
      expect([...ids].every((id, i) => resident.slots.owners[id] === owners[i])).toBe(true)
      expect(resident.slots.count).toBe(count)
    }
  })
})

describe('an account table', () => {
  test('finds every address that was added, across growth, and no other', () => {
    const table = new AccountTable(4)
    const addresses = randomLimbs(1, 5 * 3000)
    for (let i = 0; i < 2000; i++) expect(table.add(addresses, 5 * i)).toBe(i)
    for (let i = 0; i < 3000; i++) expect(table.find(addresses, 5 * i)).toBe(i < 2000 ? i : -1)
  })

  test('tells addresses apart that share their tag, or all but one limb', () => {
    const table = new AccountTable(4)
    const addresses = new Uint32Array(5 * 6)
    for (let i = 1; i < 6; i++) addresses[5 * i + i - 1] = 1
    for (let i = 0; i < 6; i++) table.add(addresses, 5 * i)
    for (let i = 0; i < 6; i++) expect(table.find(addresses, 5 * i)).toBe(i)
  })

  test('stands in its index as the device probes it: at most half full, from the hash bucket on, without a gap', () => {
    const table = new AccountTable(4)
    const addresses = randomLimbs(2, 5 * 500)
    for (let i = 0; i < 500; i++) table.add(addresses, 5 * i)
    const { words, mask } = table.index
    expect(2 * table.count).toBeLessThanOrEqual(mask + 1)
    for (let i = 0; i < 500; i++) {
      let bucket = accountHash(addresses, 5 * i) & mask
      while (words[2 * bucket] !== i + 1) {
        expect(words[2 * bucket]).not.toBe(0)
        bucket = (bucket + 1) & mask
      }
      expect(words[2 * bucket + 1]).toBe(addresses[5 * i])
    }
  })

  test('guesses only ids whose row can be checked', () => {
    const table = new AccountTable(4)
    const addresses = randomLimbs(3, 5 * 400)
    for (let i = 0; i < 200; i++) table.add(addresses, 5 * i)
    const ids = new Int32Array(400)
    table.guess(addresses, 400, ids)
    let right = 0
    for (let i = 0; i < 400; i++) {
      expect(ids[i]).toBeLessThan(200)
      if (ids[i]! >= 0 && table.isAt(ids[i]!, addresses, 5 * i)) {
        expect(ids[i]).toBe(i)
        right++
      }
    }
    expect(right).toBeGreaterThan(120)
  })

  test('gives an account made anew another row, which is bare until it is committed', () => {
    const table = new AccountTable(4)
    const address = randomLimbs(4, 5)
    const old = table.add(address, 0)
    const fresh = table.renew(old)
    expect(table.find(address, 0)).toBe(fresh)
    expect([table.states[old], table.states[fresh]]).toEqual([STATE_RETIRED, STATE_FRESH | STATE_BARE])
    expect([...table.written.subarray(0, table.entries)]).toEqual([old, fresh])
    table.settle()
    expect([table.entries, table.isWritten(fresh), table.states[fresh], table.states[old]]).toEqual([
      0,
      false,
      STATE_BARE,
      STATE_RETIRED,
    ])
    table.commit()
    expect([table.states[fresh], table.states[old]]).toEqual([0, STATE_RETIRED])
    for (let i = 0; i < 50; i++) table.add(randomLimbs(10 + i, 5), 0)
    expect(table.find(address, 0)).toBe(fresh)
  })

  test('says that an account is another one when it came to exist or went, not when its balance moved', () => {
    const table = new AccountTable()
    const id = table.add(randomLimbs(5, 5), 0)
    table.rows[ROW_LIMBS * id + ROW_FLAGS] = ACCOUNT_FLAG_EXISTS
    table.write(id)
    table.rows[ROW_LIMBS * id + ROW_BALANCE] = 9
    expect([table.isWritten(id), table.isOther(id)]).toEqual([true, false])
    table.setExists(id, false)
    expect(table.isOther(id)).toBe(true)
  })
})

describe('a slot table', () => {
  test('finds every slot that was added, and keeps equal keys of two accounts apart', () => {
    const table = new SlotTable(4)
    const keys = randomLimbs(6, 8 * 1000)
    for (let i = 0; i < 1000; i++) {
      expect(table.add(1, keys, 8 * i)).toBe(2 * i)
      expect(table.add(2, keys, 8 * i)).toBe(2 * i + 1)
    }
    for (let i = 0; i < 1000; i++) {
      expect([table.find(1, keys, 8 * i), table.find(2, keys, 8 * i), table.find(3, keys, 8 * i)]).toEqual([
        2 * i,
        2 * i + 1,
        -1,
      ])
    }
  })

  test('survives keys crafted to share a bucket', () => {
    const table = new SlotTable(4)
    const key = new Uint32Array(8)
    const crafted: number[] = []
    for (let low = 0; crafted.length < 100; low++) {
      key[0] = low
      if ((slotHash(1, key, 0) & 255) === 3) crafted.push(low)
    }
    for (const low of crafted) {
      key[0] = low
      table.add(1, key, 0)
    }
    crafted.forEach((low, id) => {
      key[0] = low
      expect(table.find(1, key, 0)).toBe(id)
    })
  })

  test('keeps the base value of a written slot until the batch settles', () => {
    const table = new SlotTable()
    const key = randomLimbs(7, 8)
    const id = table.add(1, key, 0)
    const values = new Uint32Array(16)
    wordFromBigInt(values, 0, 5n)
    wordFromBigInt(values, 8, 6n)
    table.values.set(values.subarray(0, 8), 8 * id)
    expect(table.equalsBase(id, values, 0)).toBe(true)
    table.write(id)
    table.values.set(values.subarray(8), 8 * id)
    expect([table.equalsBase(id, values, 0), table.equalsBase(id, values, 8)]).toEqual([true, false])
    table.settle()
    expect([table.equalsBase(id, values, 0), table.equalsBase(id, values, 8)]).toEqual([false, true])
  })
})

describe('a code table', () => {
  test('gives codes of one shape one skeleton, and each instance its own words', () => {
    const table = new CodeTable(shapeOf)
    const hash = (n: number) => `0x${n.toString(16).padStart(64, '0')}`
    const a = table.add(hash(1), Uint8Array.of(1, 2))
    const b = table.add(hash(2), Uint8Array.of(1, 3, 4))
    const c = table.add(hash(3), Uint8Array.of(9))
    expect(table.add(hash(1), Uint8Array.of(1, 2))).toBe(a)
    expect(table.codes.map(({ skeleton }) => skeleton)).toEqual([0, 1, 1, 2])
    const words = (id: number) =>
      [0, 1, 2, 3].map((i) => wordToBigInt(table.constants, 8 * (table.codes[id]!.constantsBase + i)))
    expect([a, b, c].map(words)).toEqual([
      [1n, 2n, 2n, 7n],
      [2n, 3n, 3n, 7n],
      [3n, 1n, 1n, 7n],
    ])
  })

  test('has the empty code as id 0, under its hash and under zero', () => {
    const table = new CodeTable(shapeOf)
    const hashes = new Uint32Array(16)
    wordFromHex(hashes, 0, EMPTY_CODE_HASH)
    expect([table.find(hashes, 0), table.find(hashes, 8)]).toEqual([0, 0])
    expect([wordToBigInt(table.constants, 0), wordToBigInt(table.constants, 8)]).toEqual([BigInt(EMPTY_CODE_HASH), 0n])
  })
})

describe('a resident state', () => {
  const account = '0x00000000000000000000000000000000000000aa'
  const allocation = { [account]: { balance: 5n, nonce: 3n, code: '0x010203', storage: { '0x1': 8n } } }
  const address = new Uint32Array(5)
  addressFromHex(address, 0, account)
  const key = new Uint32Array(8)
  key[0] = 1

  test('loads each account and slot once', () => {
    const state = MemoryState.from(allocation)
    const asked: number[] = []
    const counting: State = {
      readAccounts: (addresses, count) => {
        asked.push(count)
        return state.readAccounts(addresses, count)
      },
      readSlots: (addresses, keys, count) => state.readSlots(addresses, keys, count),
      readCode: (hash) => state.readCode(hash),
      blockHash: () => undefined,
      commit: () => {},
    }
    const resident = new ResidentState(counting, shapeOf)
    const ids = new Int32Array(3)
    const thrice = Uint32Array.from([...address, ...address, ...address])
    expect(resident.accountIds(thrice, 3, ids)).toBeUndefined()
    expect(resident.accountIds(address, 1, ids)).toBeUndefined()
    expect([...ids]).toEqual([0, 0, 0])
    expect(asked).toEqual([1])
    expect(resident.codes.codes[resident.accounts.code(0)]!.bytes).toEqual(Uint8Array.of(1, 2, 3))
    resident.slotIds(Int32Array.of(0), key, 1, ids)
    expect(wordToBigInt(resident.slots.values, 0)).toBe(8n)
  })

  test('keeps the code id of an account in its row, beside the other flags, whatever changes', () => {
    const resident = new ResidentState(MemoryState.from(allocation), shapeOf)
    const { accounts, codes } = resident
    const flags = () => {
      const word = accounts.rows[ROW_FLAGS]!
      return [word & ((1 << ACCOUNT_CODE_SHIFT) - 1), word >>> ACCOUNT_CODE_SHIFT]
    }
    resident.accountIds(address, 1, new Int32Array(1))
    expect(flags()).toEqual([ACCOUNT_FLAG_EXISTS, accounts.code(0)])
    const other = codes.add('0x99', Uint8Array.of(9))
    resident.setCode(0, other)
    expect(flags()).toEqual([ACCOUNT_FLAG_EXISTS, other])
    accounts.setExists(0, false)
    expect(flags()).toEqual([0, other])
    accounts.setExists(0, true)
    resident.setCode(0, 0)
    expect(flags()).toEqual([ACCOUNT_FLAG_EXISTS, 0])
  })

  test('holds no slot of an account made anew, whatever the State says, until the batch settles', () => {
    const resident = new ResidentState(MemoryState.from(allocation), shapeOf)
    const ids = new Int32Array(1)
    resident.accountIds(address, 1, ids)
    const fresh = resident.accounts.renew(ids[0]!)
    resident.slotIds(Int32Array.of(fresh), key, 1, ids)
    expect(wordToBigInt(resident.slots.values, 8 * ids[0]!)).toBe(0n)
  })
})

describe('dirty pages', () => {
  test('upload every marked row below the count, and little else', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(500)), fc.integer({ min: 0, max: 500 }), (rows, count) => {
        const pages = new DirtyPages(8)
        for (const row of rows) pages.mark(row)
        const uploaded = new Set<number>()
        pages.drain(count, (first, end) => {
          for (let row = first; row < end; row++) uploaded.add(row)
        })
        for (const row of rows) expect(uploaded.has(row)).toBe(row < count)
        expect(uploaded.size).toBeLessThanOrEqual(8 * new Set(rows).size)
        pages.drain(count, () => expect.fail('a drained page came again'))
      }),
      { seed: 8 },
    )
  })
})
