import { describe, expect, it } from 'vitest'
import { createRandom } from '../../bench/random.ts'
import { groupByAddress } from '../../host/chain/address_groups.ts'
import type { TransactionObject } from '../../host/chain/batch.ts'
import { encodeBatch } from '../../host/chain/encode_batch.ts'
import { orderPool } from '../../host/chain/order_pool.ts'
import { transactionRules } from '../../host/chain/rules.ts'
import { addressFromHex } from '../../host/primitives/word.ts'

const BASE_FEE = 7n
const ENV = {
  number: 1n,
  timestamp: 1n,
  coinbase: `0x${'0b'.repeat(20)}`,
  gasLimit: 2n ** 40n,
  baseFeePerGas: BASE_FEE,
  prevRandao: 0n,
}
const addressOf = (n: number): string => `0x${(n + 1).toString(16).padStart(40, '0')}`
const least = (a: bigint, b: bigint): bigint => (a < b ? a : b)

/** Step by step as the rule says: the sender whose next transaction pays most, of equals the earlier one. */
const expectedOrder = (pool: readonly TransactionObject[]): readonly number[] => {
  const pay = pool.map(({ maxFeePerGas = 0n, maxPriorityFeePerGas = 0n }) =>
    least(maxPriorityFeePerGas, maxFeePerGas - BASE_FEE),
  )
  const isLeftOut = pool.map(({ maxFeePerGas = 0n, gasLimit }) => maxFeePerGas < BASE_FEE || gasLimit < 21_000n)
  const left = new Set([...pool.keys()].filter((i) => !isLeftOut[i]))
  const nextOf = (sender: string): number =>
    [...left]
      .filter((i) => pool[i]!.from === sender)
      .sort((i, j) => Number(pool[i]!.nonce - pool[j]!.nonce) || Number(pay[j]! - pay[i]!) || i - j)[0]!
  const order: number[] = []
  while (left.size > 0) {
    const heads = [...new Set([...left].map((i) => pool[i]!.from))].map(nextOf)
    const best = heads.reduce((a, b) => (pay[b]! > pay[a]! || (pay[b] === pay[a] && b < a) ? b : a))
    order.push(best)
    left.delete(best)
  }
  return spread(order, pool, pay)
}

/** Runs of equal pay by rank: calls of the same contract before it, and no less than the sender's before it. */
const spread = (order: readonly number[], pool: readonly TransactionObject[], pay: readonly bigint[]): number[] => {
  const found: number[] = []
  for (let first = 0; first < order.length; ) {
    let end = first
    while (end < order.length && pay[order[end]!] === pay[order[first]!]) end++
    const run = order.slice(first, end)
    const ranks = new Map<number, number>()
    for (const [n, i] of run.entries()) {
      const before = run.slice(0, n)
      const { to, from, data } = pool[i]!
      const calls = data === '0x' ? 0 : before.filter((j) => pool[j]!.to === to && pool[j]!.data !== '0x').length
      ranks.set(i, Math.max(calls, ...before.filter((j) => pool[j]!.from === from).map((j) => ranks.get(j)!)))
    }
    found.push(
      ...run
        .map((i, n) => [i, n] as const)
        .sort(([i, n], [j, m]) => ranks.get(i)! - ranks.get(j)! || n - m)
        .map(([i]) => i),
    )
    first = end
  }
  return found
}

describe('the order of a pool', () => {
  it.each([1, 2, 3, 4, 5, 6])('is that of the rule, taken step by step: pool %i', (seed) => {
    const random = createRandom(seed, 'pool order')
    const tips = [1n, 1n, 2n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 80n, 2n ** 80n + 1n].slice(0, 1 + seed)
    const pool = Array.from({ length: 90 }, (): TransactionObject => {
      const tip = tips[random.below(tips.length)]!
      return {
        type: 2,
        from: addressOf(random.below(seed % 2 === 0 ? 12 : 60)),
        to: addressOf(100 + random.below(3)),
        nonce: BigInt(random.below(5)) << (random.below(4) === 0 ? 32n : 0n),
        gasLimit: random.below(15) === 0 ? 20_000n : 100_000n,
        maxFeePerGas: random.below(15) === 0 ? 6n : tip + BigInt(random.below(12)),
        maxPriorityFeePerGas: random.below(15) === 0 ? 0n : tip,
        data: random.below(3) === 0 ? '0x' : '0x01',
      }
    }).map((one) => (one.maxPriorityFeePerGas! > one.maxFeePerGas! ? { ...one, maxPriorityFeePerGas: 0n } : one))
    const batch = encodeBatch(pool)
    const order = orderPool(batch, transactionRules(batch, 'osaka', ENV))
    expect([...order]).toEqual(expectedOrder(pool))
    expect(order.length).toBeGreaterThanOrEqual(40)
  })

  it('groups rows whose addresses differ in any limb, and no others', () => {
    const addresses = Array.from(
      { length: 6 },
      (_, n) => `0x${'0'.repeat(8 * Math.min(n, 4))}0000000${n}${'0'.repeat(8 * (4 - Math.min(n, 4)))}`,
    )
    const rows = [0, 1, 2, 1, 3, 4, 5, 0, 4]
    const limbs = new Uint32Array(5 * rows.length)
    for (const [i, n] of rows.entries()) addressFromHex(limbs, 5 * i, addresses[n]!)
    expect(groupByAddress(limbs, rows.length, (i) => i !== 2)).toEqual({
      count: 5,
      of: Int32Array.of(0, 1, -1, 1, 2, 3, 4, 0, 3),
    })
  })
})
