import { describe, expect, test } from 'vitest'
import { createRandom } from '../../bench/random.ts'
import { MODULE_BYTES } from '../../host/primitives/column_request.ts'
import { keccak256Hex } from '../../host/primitives/keccak.ts'
import { MemoryState } from '../../host/state/memory_state.ts'
import { HOST_CODE, HOST_LIMBS, ROW_BALANCE, ROW_LIMBS } from '../../host/state/tables/account_table.ts'
import { ResidentState } from '../../host/state/tables/resident_tables.ts'
import { collectWrites } from '../../host/state/writes/collect.ts'
import { tableColumns } from '../../host/state/writes/table_columns.ts'
import { codeSkeleton } from '../../transpiler/index.ts'
import { LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'

const COUNT = 5000
const CODE = Uint8Array.of(0x60, 0x00)

/** Tables of many rows, of which `share` in a thousand are written, in no order. */
const written = (share: number, inColumns: boolean): ResidentState => {
  const random = createRandom(share, 'collect')
  const resident = new ResidentState(new MemoryState(), codeSkeleton)
  if (inColumns) resident.columns(MODULE_BYTES)
  const addresses = Uint32Array.from({ length: 5 * COUNT }, () => random.u32())
  const keys = Uint32Array.from({ length: 8 * COUNT }, () => random.u32())
  const owners = Int32Array.from({ length: COUNT }, () => random.below(COUNT))
  resident.accountIds(addresses, COUNT, new Int32Array(COUNT))
  resident.slotIds(owners, keys, COUNT, new Int32Array(COUNT))
  const { accounts, slots, codes } = resident
  const code = codes.add(keccak256Hex(CODE), CODE)
  for (let id = 0; id < COUNT; id++) {
    accounts.setExists(id, random.below(2) === 0)
    slots.values[8 * id] = random.u32()
  }
  for (let n = 0; n < (COUNT * share) / 1000; n++) {
    const id = random.below(COUNT)
    accounts.write(id)
    accounts.setExists(id, random.below(9) !== 0)
    accounts.rows[ROW_LIMBS * id + ROW_BALANCE] = random.u32()
    accounts.hosts[HOST_LIMBS * id] = random.u32()
    // Codes are where ids are low: chunks after them have none.
    if (id < COUNT / 4 && random.below(3) === 0) resident.setCode(id, code)
    const slot = random.below(COUNT)
    slots.write(slot)
    slots.values[8 * slot + 7] = random.below(3)
  }
  return resident
}

describe('collecting in columns what a batch wrote', () => {
  // Up to 62 in a thousand the rows come in the order in which they were written.
  test.each([0, 1, 30, 60, 65, 200, 205, 900, 3000])(
    'gives what collecting one by one gives: %i in a thousand',
    (share) => {
      const [inColumns, alone] = [written(share, true), written(share, false)]
      expect(inColumns.columnMemory).toBeDefined()
      const writes = collectWrites(inColumns)
      expect(writes).toEqual(collectWrites(alone))
      expect(writes.accountCount > 0).toBe(share > 0)
    },
  )

  test.each([30, 900])('gives columns that later batches leave as they are: %i in a thousand', (share) => {
    const resident = written(share, true)
    const writes = collectWrites(resident)
    const expected = collectWrites(written(share, false))
    const { accounts, slots } = resident
    resident.settle()
    for (let id = 0; id < COUNT; id++) {
      accounts.rows[ROW_LIMBS * id + ROW_BALANCE]! ^= 1
      accounts.hosts[HOST_LIMBS * id + HOST_CODE] = 0
      slots.values[LIMBS_PER_WORD * id]! ^= 1
    }
    const more = Uint32Array.from({ length: 5 * COUNT }, (_, n) => n)
    resident.accountIds(more, COUNT, new Int32Array(COUNT))
    resident.empty()
    expect(writes).toEqual(expected)
  })

  test.each([30, 900])('commits them to a MemoryState as it does arrays: %i in a thousand', (share) => {
    const resident = written(share, true)
    const writes = { ...collectWrites(resident), code: new Map([[keccak256Hex(CODE), CODE]]) }
    const [inParts, inArrays] = [new MemoryState(), new MemoryState()]
    inParts.addCode(CODE)
    expect(tableColumns(writes)).toBeUndefined()
    const collected = collectWrites(resident)
    expect(tableColumns(collected)).toBeDefined()
    for (let round = 0; round < 2; round++) {
      inParts.commit(collected)
      inArrays.commit(writes)
      expect(inParts.dump()).toEqual(inArrays.dump())
    }
  })
})
