import { describe, expect, test } from 'vitest'
import { createRandom } from '../../bench/random.ts'
import { MODULE_BYTES } from '../../host/primitives/column_request.ts'
import { MemoryState } from '../../host/state/memory_state.ts'
import { HOST_LIMBS, ROW_BALANCE, ROW_LIMBS } from '../../host/state/tables/account_table.ts'
import { ResidentState } from '../../host/state/tables/resident_tables.ts'
import { collectWrites } from '../../host/state/writes/collect.ts'
import { codeSkeleton } from '../../transpiler/index.ts'

const COUNT = 5000

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
  const { accounts, slots } = resident
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
})
