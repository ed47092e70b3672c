import { expect, it } from 'vitest'
import type { PoolEntry } from '../../service/node/pool_entry.ts'
import { SideCars } from '../../service/node/side_cars.ts'

it('side-cars of transactions that blocks took are kept for 128 blobs, the oldest go', () => {
  const sideCars = new SideCars()
  const entry = (name: number, blobs: number): PoolEntry => {
    const sideCar = { version: 1, blobs: Array(blobs).fill(new Uint8Array()), commitments: [], proofs: [] }
    return { hash: `${name}`, sideCar } as unknown as PoolEntry
  }
  for (let name = 0; name < 32; name++) sideCars.keep(entry(name, 4))
  const kept = (): readonly number[] => Array.from({ length: 40 }, (_, n) => n).filter((n) => sideCars.kept(`${n}`))
  expect(kept()).toHaveLength(32)
  sideCars.keep(entry(31, 4))
  expect(kept(), 'the same again').toHaveLength(32)
  sideCars.keep(entry(32, 5))
  expect(kept()).toStrictEqual(Array.from({ length: 31 }, (_, n) => n + 2))
})
