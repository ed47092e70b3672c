import { describe, expect, test, vi } from 'vitest'
import { ExitReasons } from '../../host/batch/reason.ts'
import { REJECTION } from '../../host/chain/rejection.ts'
import { ColumnMemory } from '../../host/primitives/column_memory.ts'
import { MODULE_BYTES } from '../../host/primitives/column_request.ts'
import { Sweep } from '../../host/settle/sweep.ts'
import { HOST_LIMBS, ROW_LIMBS } from '../../host/state/tables/account_table.ts'
import { collectWrites } from '../../host/state/writes/collect.ts'
import { heldWorld, type Opened, open, randomWorld, readBack, replayed } from '../fixtures/settled_worlds.ts'

/** Sweeps to the end; what the sweep leaves is refused for a reason that nothing else gives. */
const swept = ({ openBatch, resident }: Opened, columnsFrom: number, step: number): void => {
  const sweep = new Sweep('prague', openBatch, resident, new ExitReasons(), columnsFrom)
  sweep.codeChanged = true
  const { count } = openBatch.batch
  for (let first = 0; first < count; first += step) {
    const end = Math.min(count, first + step)
    for (let i = first; ; ) {
      i = sweep.advance(i, end)
      if (i === end) break
      sweep.reject(i, REJECTION.tipAboveFeeCap)
    }
  }
}

const left = ({ openBatch, resident }: Opened) => {
  const { accounts, slots } = resident
  const { outcome, rejections, status, gasUsed } = openBatch
  return {
    outcome: [...outcome],
    rejections: [...rejections],
    status: [...status],
    gasUsed: [...gasUsed],
    rows: [...accounts.rows.subarray(0, ROW_LIMBS * accounts.count)],
    hosts: [...accounts.hosts.subarray(0, HOST_LIMBS * accounts.count)],
    accountsWritten: [...accounts.written.subarray(0, accounts.entries)].sort(),
    values: [...slots.values.subarray(0, 8 * slots.count)],
    slotsWritten: [...slots.written.subarray(0, slots.entries)],
    base: [...slots.base.subarray(0, 8 * slots.entries)],
    entryOf: [...slots.entryOf.subarray(0, slots.count)],
  }
}

const PAGES = 64

/** Gives all that is left of the memory, and no more. */
const fill = (memory: ColumnMemory): void => {
  const end = PAGES << 16
  for (let at = 0; at < end; ) {
    const { byteOffset, byteLength } = memory.words(16)
    at = byteOffset + byteLength
  }
}

describe('the sweep over columns', () => {
  test('leaves what the sweep in order leaves, and both what serial execution does', () => {
    for (let seed = 0; seed < 400; seed++) {
      const world = randomWorld(seed)
      const inOrder = open(world)
      const inColumns = open(world)
      const step = seed % 3 === 0 ? 7 : 1000
      swept(inOrder, Number.POSITIVE_INFINITY, step)
      swept(inColumns, 1, step)
      expect(left(inColumns), `seed ${seed}`).toEqual(left(inOrder))
      expect(collectWrites(inColumns.resident), `seed ${seed}`).toEqual(collectWrites(inOrder.resident))
      expect(readBack(inColumns), `seed ${seed}`).toEqual(replayed(world))
    }
  })

  test('leaves of executions of the lane VM what the sweep in order leaves, and both what serial execution does', () => {
    let settled = 0
    for (let seed = 0; seed < 300; seed++) {
      const world = heldWorld(seed)
      const inOrder = open(world)
      const inColumns = open(world)
      // Lists of written rows that have room for one.
      const { accounts, slots } = inColumns.resident
      accounts.written = accounts.written.subarray(0, 1)
      slots.written = slots.written.subarray(0, 1)
      slots.base = slots.base.subarray(0, 8)
      const step = seed % 3 === 0 ? 7 : seed % 3 === 1 ? 1 : 1000
      swept(inOrder, Number.POSITIVE_INFINITY, step)
      swept(inColumns, 1, step)
      expect(left(inColumns), `seed ${seed}`).toEqual(left(inOrder))
      expect(collectWrites(inColumns.resident), `seed ${seed}`).toEqual(collectWrites(inOrder.resident))
      expect(readBack(inColumns), `seed ${seed}`).toEqual(replayed(world))
      settled += world.transactions.filter(({ held }, i) => held && inColumns.openBatch.outcome[i] === 1).length
    }
    expect(settled).toBeGreaterThan(350)
  })

  test('leaves all to the sweep in order once a list of written rows has no room in the memory', () => {
    for (let seed = 0; seed < 40; seed++) {
      const world = randomWorld(seed)
      const inOrder = open(world)
      const memory = new ColumnMemory(MODULE_BYTES, PAGES)
      vi.spyOn(ColumnMemory, 'of').mockReturnValueOnce(memory)
      const inColumns = open(world)
      expect(inColumns.resident.columnMemory).toBe(memory)
      fill(memory)
      const { accounts } = inColumns.resident
      accounts.written = accounts.written.subarray(0, 1)
      swept(inOrder, Number.POSITIVE_INFINITY, 1000)
      swept(inColumns, 1, 1000)
      expect(memory.isFull).toBe(true)
      expect(left(inColumns), `seed ${seed}`).toEqual(left(inOrder))
    }
  })
})
