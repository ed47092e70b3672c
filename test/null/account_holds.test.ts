import { describe, expect, test } from 'vitest'
import { EMPTY_CODE_HASH } from '../../host/primitives/keccak.ts'
import { accountHolds } from '../../host/tiers/cpu/account_holds.ts'

const viewWith = (nonce: bigint) => ({ nonce, balance: 5n, codeHash: EMPTY_CODE_HASH })
const LAST = (1n << 64n) - 1n

/** What an execution saw of a nonce, what is there at its place, and which kinds of looking at it hold then. */
const NONCES: readonly (readonly [seen: bigint, now: bigint, holding: readonly string[]])[] = [
  [7n, 7n, ['any', 'zero', 'counted', 'same']],
  [7n, 8n, ['any', 'zero', 'counted']],
  [0n, 1n, ['any']],
  [1n, 0n, ['any']],
  [1n, (1n << 63n) - 1n, ['any', 'zero', 'counted']],
  [1n, 1n << 63n, ['any', 'zero']],
  [LAST - 2n, LAST - 1n, ['any', 'zero']],
  [LAST - 1n, 1n, ['any', 'zero']],
  [LAST - 1n, LAST - 1n, ['any', 'zero', 'counted', 'same']],
]

describe('an account that an execution ahead has looked at', () => {
  test.each(NONCES)('at nonce %s, and now at %s, holds where that does not matter', (seen, now, holding) => {
    const kinds = (['any', 'zero', 'counted', 'same'] as const).filter((nonce) =>
      accountHolds({ view: viewWith(seen), leastBalance: 0n, mostBalance: 9n, nonce }, viewWith(now)),
    )
    expect(kinds).toEqual(holding)
  })

  test('holds from its least to its most balance, with its code, and while it exists as it did', () => {
    const holds = (change: object) =>
      accountHolds(
        { view: viewWith(1n), leastBalance: 4n, mostBalance: 6n, nonce: 'any' },
        { ...viewWith(1n), ...change },
      )
    expect([3n, 4n, 6n, 7n].map((balance) => holds({ balance }))).toEqual([false, true, true, false])
    expect(holds({ codeHash: `0x${'11'.repeat(32)}` })).toBe(false)
    const read = { leastBalance: 0n, mostBalance: 9n, nonce: 'any' } as const
    expect(accountHolds({ ...read, view: undefined }, undefined)).toBe(true)
    expect(accountHolds({ ...read, view: undefined }, viewWith(0n))).toBe(false)
    expect(accountHolds({ ...read, view: viewWith(0n) }, undefined)).toBe(false)
  })
})
