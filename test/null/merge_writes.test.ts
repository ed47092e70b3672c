import { describe, expect, it } from 'vitest'
import { createRandom } from '../../bench/random.ts'
import { EMPTY_CODE_HASH } from '../../host/primitives/keccak.ts'
import { MemoryState } from '../../host/state/memory_state.ts'
import type { StateWrites } from '../../host/state/state.ts'
import { mergeWrites } from '../../host/state/writes/merge.ts'
import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import { type Change, writesOf } from '../fixtures/state_changes.ts'

/** Pairs of them end alike, as first limbs of columns may. */
const addressOf = (n: number): string => `0x${n}${`${n >> 1}`.padStart(39, '0')}`
const keyOf = (n: number): string => `0x${n}${`${n >> 1}`.padStart(63, '0')}`

const randomWrites = (random: ReturnType<typeof createRandom>): StateWrites => {
  const changes: Change[] = []
  for (let n = 0; n < 8; n++) {
    if (random.below(2) === 0) continue
    const address = addressOf(n)
    if (random.below(4) === 0) changes.push({ address, account: undefined })
    else {
      const keys = [0, 1, 2, 3].filter(() => random.below(2) === 0).map(keyOf)
      changes.push({
        address,
        account: { nonce: 1n, balance: BigInt(random.below(1000)), codeHash: EMPTY_CODE_HASH },
        cleared: random.below(4) === 0,
        slots: Object.fromEntries(keys.map((key) => [key, BigInt(random.below(4))])),
      })
    }
  }
  return writesOf(changes)
}

/** As it is, of slots alone, as a system call leaves them, and empty. */
const EARLIER = [
  (writes: StateWrites): StateWrites => writes,
  ({ slotCount, slotAddresses, slotKeys, slotValues }: StateWrites): StateWrites => ({
    ...writesOf([]),
    slotCount,
    slotAddresses,
    slotKeys,
    slotValues,
  }),
  (): StateWrites => writesOf([]),
]

const dumpAfter = (...all: readonly StateWrites[]): unknown => {
  const state = new MemoryState()
  for (const writes of all) state.commit(writes)
  return state.dump()
}

const rowsOf = (column: Uint32Array, limbs: number): readonly string[] =>
  Array.from({ length: column.length / limbs }, (_, i) => column.subarray(limbs * i, limbs * (i + 1)).join())

describe('two commits as one', () => {
  it('leave what they leave one after another, and have each key once', () => {
    const random = createRandom(1, 'merge')
    for (let n = 0; n < 120; n++) {
      const before = randomWrites(random)
      const earlier = EARLIER[n % 3]!(randomWrites(random))
      const later = randomWrites(random)
      const merged = mergeWrites(earlier, later)
      expect(dumpAfter(before, merged)).toStrictEqual(dumpAfter(before, earlier, later))
      const accounts = rowsOf(merged.accountAddresses, LIMBS_PER_ADDRESS)
      const keys = rowsOf(merged.slotKeys, LIMBS_PER_WORD)
      const slots = rowsOf(merged.slotAddresses, LIMBS_PER_ADDRESS).map((address, i) => `${address}:${keys[i]}`)
      expect(new Set(accounts).size).toBe(merged.accountCount)
      expect(new Set(slots).size).toBe(merged.slotCount)
    }
  })
})
