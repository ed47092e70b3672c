import { describe, expect, test } from 'vitest'
import type { Executions } from '../../host/batch/executions.ts'
import { type OpenBatch, OUTCOME_EXECUTED } from '../../host/batch/open_batch.ts'
import { ExitReasons } from '../../host/batch/reason.ts'
import { ExecutorMemory } from '../../host/flows/memory.ts'
import { MODULE_BYTES } from '../../host/primitives/column_request.ts'
import { addressFromHex, wordToBigInt } from '../../host/primitives/word.ts'
import type { DeviceSessions } from '../../host/session/device_sessions.ts'
import type { ExecutorDevice } from '../../host/session/executor_device.ts'
import { MemoryState } from '../../host/state/memory_state.ts'
import {
  HOST_LIMBS,
  ROW_BALANCE,
  ROW_CONSTANTS,
  ROW_LIMBS,
  ROW_SKELETON,
} from '../../host/state/tables/account_table.ts'
import { evictTables } from '../../host/state/tables/evict.ts'
import { ResidentState } from '../../host/state/tables/resident_tables.ts'
import type { Question } from '../../host/tiers/cpu/pool/protocol.ts'
import { SharedSnapshot } from '../../host/tiers/cpu/pool/shared_snapshot.ts'
import { MEMO_OWNERS } from '../../transpiler/layout/memo.ts'

const addressOf = (n: number): string => `0x${n.toString(16).padStart(40, '0')}`
const limbsOf = (n: number): Uint32Array => {
  const limbs = new Uint32Array(5)
  addressFromHex(limbs, 0, addressOf(n))
  return limbs
}
const keyOf = (n: number): Uint32Array => {
  const key = new Uint32Array(8)
  key[0] = n
  return key
}
const shapeOf = (code: Uint8Array) => ({ key: `shape ${code[0]}`, constants: [BigInt(code.length)] })

/** Accounts 1 to 400: balance n, slot 7 = 10 n; those from 200 on have a code of their own, 300 bytes long. */
const COUNT = 400
const stateOf = (): MemoryState =>
  MemoryState.from(
    Object.fromEntries(
      Array.from({ length: COUNT }, (_, i) => {
        const n = i + 1
        const code = n < 200 ? {} : { code: `0x${n.toString(16).padStart(4, '0')}${'5b'.repeat(298)}` }
        return [addressOf(n), { balance: BigInt(n), nonce: BigInt(n), ...code, storage: { '0x7': BigInt(10 * n) } }]
      }),
    ),
  )
const residentOf = (): ResidentState => new ResidentState(stateOf(), shapeOf)

const account = ({ accounts }: ResidentState, n: number): number => accounts.find(limbsOf(n), 0)
const slot = (resident: ResidentState, n: number): number => resident.slots.find(account(resident, n), keyOf(7), 0)
const touch = (resident: ResidentState, n: number): number => {
  const ids = new Int32Array(1)
  resident.accountIds(limbsOf(n), 1, ids)
  return ids[0]!
}
const touchSlot = (resident: ResidentState, n: number): number => {
  const ids = new Int32Array(1)
  resident.slotIds(Int32Array.of(touch(resident, n)), keyOf(7), 1, ids)
  return ids[0]!
}
const NONE = { rows: Infinity, codes: Infinity, mostRows: Infinity }

/** The accounts that are resident, each checked against the State. */
const residentAccounts = (resident: ResidentState): number[] => {
  const { accounts, slots, codes } = resident
  const found: number[] = []
  for (let n = 1; n <= COUNT; n++) {
    const id = account(resident, n)
    if (id < 0) continue
    found.push(n)
    expect(id).toBeLessThan(accounts.count)
    const row = id * ROW_LIMBS
    expect([accounts.hosts[4 * id], wordToBigInt(accounts.rows, row + ROW_BALANCE)]).toEqual([n, BigInt(n)])
    const code = codes.codes[accounts.code(id)]!
    expect(code.bytes.length).toBe(n < 200 ? 0 : 300)
    if (n >= 200) expect(256 * code.bytes[0]! + code.bytes[1]!).toBe(n)
    expect([accounts.rows[row + ROW_SKELETON], accounts.rows[row + ROW_CONSTANTS]]).toEqual([
      code.skeleton,
      code.constantsBase,
    ])
    expect(codes.skeletonKey(code.skeleton)).toBe(code.skeletonKey)
    const at = slot(resident, n)
    if (at >= 0) expect([wordToBigInt(slots.values, 8 * at), slots.owners[at]]).toEqual([BigInt(10 * n), id])
  }
  expect(found).toHaveLength(accounts.count)
  return found
}

const range = (first: number, end: number): number[] => Array.from({ length: end - first }, (_, i) => first + i)

describe('resident tables in a memory of columns', () => {
  test('count what they left there when they grew, and leave it with the memory', () => {
    const resident = residentOf()
    resident.columns(MODULE_BYTES)
    for (let n = 1; n <= 3000; n++) touch(resident, n)
    const pool = resident.batchColumns(100_000)!
    expect(resident.batchColumns(900_000)).toBe(pool)
    const { accounts, slots, leftBytes } = resident
    // Rows and host limbs of 1,024 and of 2,048 accounts, and the columns of the first batch.
    expect(leftBytes).toBeGreaterThan(3 * 1024 * 4 * (ROW_LIMBS + HOST_LIMBS) + 100_000)
    expect(resident.sizeBytes).toBe(accounts.sizeBytes + slots.sizeBytes + leftBytes + pool.sizeBytes)
    const memory = resident.columnMemory!
    expect(memory.givenBytes).toBe(accounts.wordBytes + slots.wordBytes + leftBytes + pool.sizeBytes)
    // The rows alone would stay.
    expect(evictTables(resident, { ...NONE, rows: 760_000 })).toBeDefined()
    expect(resident.leftBytes).toBeLessThan(leftBytes / 4)
    expect(resident.batchColumns(1000)).not.toBe(pool)
  })
})

describe('resident tables over their budget', () => {
  test('keep what was touched last, with its values, and load the rest again', () => {
    const resident = residentOf()
    for (const n of range(1, 301)) touchSlot(resident, n)
    resident.epoch++
    for (const n of range(101, 151)) touchSlot(resident, n)
    const { generation, forgotten } = resident
    const budget = 120 * (250 + 296)
    const evicted = evictTables(resident, { ...NONE, rows: budget })!
    expect([resident.generation, resident.forgotten]).toEqual([generation + 1, forgotten])
    expect([evicted.accounts + resident.accounts.count, evicted.slots + resident.slots.count]).toEqual([300, 300])
    const kept = residentAccounts(resident)
    expect(kept).toEqual(expect.arrayContaining(range(101, 151)))
    // Of an age that does not fit, the rows that were met first.
    expect(kept).toEqual([...range(1, 11), ...range(101, 151)])
    expect(resident.slots.count).toBe(60)
    for (const n of range(1, 301)) touchSlot(resident, n)
    expect(residentAccounts(resident)).toEqual(range(1, 301))
    expect(evictTables(resident, { ...NONE, rows: 10 * budget })).toBeUndefined()
  })

  test('keep the owner of a slot that was touched, which nothing else has named', () => {
    const resident = residentOf()
    for (const n of range(1, 201)) touchSlot(resident, n)
    const looked = slot(resident, 150)
    resident.epoch++
    for (const n of range(1, 20)) touch(resident, n)
    resident.slots.epochs[looked] = resident.epoch
    evictTables(resident, { ...NONE, rows: 40 * (250 + 296) })
    expect(residentAccounts(resident)).toContain(150)
    expect(slot(resident, 150)).toBeGreaterThanOrEqual(0)
  })

  test('keep no memo, of which a part would never be computed again', () => {
    const resident = residentOf()
    for (const n of range(1, 21)) touchSlot(resident, n)
    resident.epoch++
    for (const n of [1, 2]) resident.slots.epochs[resident.slots.add(MEMO_OWNERS + 2, keyOf(n), 0)] = resident.epoch
    evictTables(resident, { ...NONE, mostRows: 10 })
    expect(resident.accounts.count).toBeGreaterThan(0)
    const { slots } = resident
    expect([1, 2].map((n) => slots.find(MEMO_OWNERS + 2, keyOf(n), 0))).toEqual([-1, -1])
    for (let id = 0; id < slots.count; id++) expect(slots.keys[8 * id]).toBe(7)
  })

  test('keep of an account made anew the new row alone', () => {
    const resident = residentOf()
    const old = touch(resident, 5)
    touchSlot(resident, 5)
    resident.accounts.renew(old)
    const fresh = account(resident, 5)
    resident.accounts.setExists(fresh, true)
    resident.accounts.rows[fresh * ROW_LIMBS + ROW_BALANCE] = 77
    resident.settle()
    evictTables(resident, { ...NONE, rows: 500 })
    const id = account(resident, 5)
    expect([id, resident.accounts.count, resident.slots.count]).toEqual([0, 1, 0])
    expect(resident.accounts.rows[ROW_BALANCE]).toBe(77)
    expect(slot(resident, 5)).toBe(-1)
  })

  test('are not evicted in the middle of a batch', () => {
    const resident = residentOf()
    resident.accounts.write(touch(resident, 1))
    expect(() => evictTables(resident, { ...NONE, rows: 1 })).toThrow('in the middle of a batch')
  })

  test('leave a device the rows that it has room for', () => {
    const resident = residentOf()
    for (const n of range(1, 300)) touchSlot(resident, n)
    expect(evictTables(resident, { ...NONE, mostRows: 299 })).toBeUndefined()
    evictTables(resident, { ...NONE, mostRows: 200 })
    expect(resident.accounts.count).toBeLessThanOrEqual(100)
    expect(residentAccounts(resident).length).toBeGreaterThan(30)
  })

  test('may be twice as many slots, whose owner stays before others that were touched as lately', () => {
    const resident = residentOf()
    for (const n of range(1, 51)) touch(resident, n)
    const owner = touch(resident, 60)
    const hold = (first: number, end: number): void => {
      const keys = new Uint32Array(8 * (end - first))
      for (let k = first; k < end; k++) keys[8 * (k - first)] = k
      resident.slotIds(new Int32Array(end - first).fill(owner), keys, end - first, new Int32Array(end - first))
    }
    hold(100, 300)
    expect(evictTables(resident, { ...NONE, mostRows: 100 })).toBeUndefined()
    hold(300, 301)
    evictTables(resident, { ...NONE, mostRows: 100 })
    expect(residentAccounts(resident)).toContain(60)
    expect(resident.slots.count).toBeGreaterThan(20)
  })
})

describe('codes over their budget', () => {
  test('go with the accounts that have them, oldest first, and all ids are others', () => {
    const resident = residentOf()
    for (const n of range(190, 301)) touchSlot(resident, n)
    resident.epoch++
    for (const n of range(290, 301)) touch(resident, n)
    const before = resident.codes
    const size = before.sizeBytes
    const evicted = evictTables(resident, { ...NONE, codes: size / 2 })!
    const { from, to, ids } = evicted.codes!
    expect([from, to]).toEqual([before, resident.codes])
    expect(to.sizeBytes).toBeLessThan(size / 2)
    const kept = residentAccounts(resident)
    expect(kept).toEqual(expect.arrayContaining([...range(190, 200), ...range(290, 301)]))
    expect(kept.length).toBeLessThan(100)
    from.codes.forEach(({ hash }, id) => {
      expect(ids[id] === -1 ? undefined : to.codes[ids[id]!]!.hash).toBe(to.findHash(hash) < 0 ? undefined : hash)
    })
    expect([...ids].filter((id, old) => id >= 0 && id !== old).length).toBeGreaterThan(0)
    for (const n of range(190, 301)) touchSlot(resident, n)
    expect(residentAccounts(resident)).toEqual(range(190, 301))
  })
})

describe('a worker that is told of other ids of codes', () => {
  test('asks for the code of an id that it knew', () => {
    const resident = residentOf()
    touch(resident, 300)
    const { accounts, slots } = resident
    const asked: Question[] = []
    const snapshot = new SharedSnapshot(
      (about) => {
        asked.push(about)
        return { id: 1, hash: '0xbb', bytes: new Uint8Array(0) }
      },
      () => {},
    )
    snapshot.adopt({
      accountIndex: accounts.index.words,
      accountRows: accounts.rows,
      accountHosts: accounts.hosts,
      slotIndex: slots.index.words,
      slotKeys: slots.keys,
      slotValues: slots.values,
    })
    snapshot.learn([{ id: 1, hash: '0xaa', bytes: new Uint8Array(0) }])
    expect(snapshot.account(addressOf(300))!.codeHash).toBe('0xaa')
    snapshot.forgetCodes()
    expect(snapshot.account(addressOf(300))!.codeHash).toBe('0xbb')
    expect(asked).toEqual([{ codeId: 1 }])
  })
})

describe('a worker that has learned more code than it may remember', () => {
  test('forgets it with the next batch, not before', () => {
    let asked = 0
    const snapshot = new SharedSnapshot(
      () => {
        asked++
        return new Uint8Array(700)
      },
      () => {},
    )
    snapshot.codeBudget = 2000
    for (const hash of ['0xa', '0xb']) snapshot.code(hash)
    expect([asked, snapshot.codeBytes]).toEqual([2, 2 * (700 + 512)])
    snapshot.code('0xa')
    expect(asked).toBe(2)
    snapshot.begin()
    expect(snapshot.codeBytes).toBe(0)
    snapshot.code('0xa')
    expect(asked).toBe(3)
    snapshot.begin()
    snapshot.code('0xa')
    expect(asked).toBe(3)
  })
})

describe('the memory of an executor', () => {
  const memoryOf = (resident: ResidentState, tables: number): ExecutorMemory =>
    new ExecutorMemory(
      { tables },
      {
        resident,
        sessions: { current: undefined } as DeviceSessions,
        device: { current: undefined } as ExecutorDevice,
        reasons: new ExitReasons(),
        tiers: [],
      },
    )
  const batchOf = (touched: Executions['touched']): OpenBatch =>
    ({
      outcome: Uint8Array.of(OUTCOME_EXECUTED),
      executions: [{ touched }],
      executionOf: Int32Array.of(0),
      laneOf: Int32Array.of(3),
    }) as unknown as OpenBatch

  test('knows what only lanes looked at, once the tables fill', () => {
    const resident = residentOf()
    for (const n of range(1, 101)) touchSlot(resident, n)
    const looked = slot(resident, 60)
    const memory = memoryOf(resident, 100 * 546)
    expect(memory.settle()).toBe(false)
    memory.note(batchOf((lane, visit) => visit.slot(lane === 3 ? looked : -1)))
    for (const n of range(101, 110)) touchSlot(resident, n)
    expect([memory.settle(), memory.use.evictions]).toEqual([true, 1])
    expect(residentAccounts(resident)).toEqual(expect.arrayContaining([60, ...range(101, 110)]))
    expect(slot(resident, 60)).toBeGreaterThanOrEqual(0)
    expect(memory.use.tables).toMatchObject({ accounts: resident.accounts.count, slots: resident.slots.count })
  })

  test('lets go of all rows where there is no room for a copy of some', () => {
    const resident = residentOf()
    for (const n of range(1, 101)) touchSlot(resident, n)
    resident.replace = () => {
      throw new RangeError('Array buffer allocation failed')
    }
    const memory = memoryOf(resident, 1000)
    expect([memory.settle(), memory.use.evictions, resident.forgotten]).toEqual([true, 1, 0])
    expect(residentAccounts(resident)).toEqual([])
  })

  test('forgets exit reasons with words of their own, but not for results of before', () => {
    const reasons = new ExitReasons()
    const [plain, own] = [reasons.code('lent balance'), reasons.code('guard failed: 0')]
    const view = reasons.view()
    for (let n = 1; n < 4000; n++) reasons.code(`guard failed: ${n}`)
    reasons.trim()
    expect(reasons.text(own)).toBe('guard failed: 0')
    for (let n = 4000; n < 5000; n++) reasons.code(`guard failed: ${n}`)
    reasons.trim()
    expect(reasons.code('guard failed: new')).toBe(own)
    expect([reasons.text(plain), view.text(plain), view.text(own)]).toEqual([
      'lent balance',
      'lent balance',
      'guard failed: 0',
    ])
  })

  test('asks for nothing while they are nearly empty', () => {
    const memory = memoryOf(residentOf(), 2 ** 30)
    memory.note(batchOf(() => expect.fail('was asked')))
    expect(memory.settle()).toBe(false)
  })
})
