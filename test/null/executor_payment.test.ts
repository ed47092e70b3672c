import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { wordFromBigInt, wordToBigInt } from '../../host/primitives/word.ts'
import { FeeSum } from '../../host/settle/fees.ts'
import { credit, debit } from '../../host/state/tables/balances.ts'

const MOD = 1n << 256n
const words = (...values: bigint[]): Uint32Array => {
  const limbs = new Uint32Array(8 * values.length)
  values.forEach((value, i) => {
    wordFromBigInt(limbs, 8 * i, value)
  })
  return limbs
}

/** Words of every size, so short and long paths and their borders are met. */
const word = fc.oneof(
  ...[8, 32, 64, 96, 128, 160, 256].map((bits) => fc.bigInt({ min: 0n, max: (1n << BigInt(bits)) - 1n })),
  ...[32n, 64n, 96n, 128n].flatMap((bits) => [fc.constant((1n << bits) - 1n), fc.constant(1n << bits)]),
)
const gas = fc.oneof(
  fc.integer({ min: 0, max: 0x1f_ffff }),
  fc.integer({ min: 0, max: 0xffff_ffff }),
  fc.constantFrom(0x1f_ffff, 0x20_0000),
)

describe('payments', () => {
  test('debit takes price * gas + value from a balance', () => {
    fc.assert(
      fc.property(word, word, gas, word, (balance, price, used, value) => {
        const balances = words(7n, balance, 7n)
        debit(balances, 8, words(1n, price), 8, used, words(1n, 1n, value), 16)
        const left = (((balance - price * BigInt(used) - value) % MOD) + MOD) % MOD
        expect([0, 8, 16].map((at) => wordToBigInt(balances, at))).toEqual([7n, left, 7n])
      }),
      { seed: 1, numRuns: 3000 },
    )
  })

  test('credit adds a value to a balance', () => {
    fc.assert(
      fc.property(word, word, (balance, value) => {
        const balances = words(7n, balance, 7n)
        credit(balances, 8, words(1n, value), 8)
        expect([0, 8, 16].map((at) => wordToBigInt(balances, at))).toEqual([7n, (balance + value) % MOD, 7n])
      }),
      { seed: 2, numRuns: 3000 },
    )
  })

  test('a fee sum is the sum of its fees, however they mix and whenever it is settled', () => {
    const fee = fc.record({ price: word, gas, settles: fc.boolean() })
    fc.assert(
      fc.property(word, fc.array(fee, { maxLength: 40 }), word, (start, fees, extra) => {
        const balances = words(start)
        const sum = new FeeSum()
        let expected = start
        for (const { price, gas: used, settles } of fees) {
          sum.add(words(price), 0, used)
          expected += price * BigInt(used)
          if (settles) sum.settle(balances, 0)
        }
        sum.addWord(words(extra), 0)
        sum.settle(balances, 0)
        expect(wordToBigInt(balances, 0)).toBe((expected + extra) % MOD)
        expect(sum.isZero).toBe(true)
      }),
      { seed: 3, numRuns: 500 },
    )
  })

  test('a fee sum carries in time: two million of the largest short fees', () => {
    const price = words((1n << 64n) - 1n)
    const sum = new FeeSum()
    const count = 2_100_000
    for (let i = 0; i < count; i++) sum.add(price, 0, 0x1f_ffff)
    const balances = words(0n)
    sum.settle(balances, 0)
    expect(wordToBigInt(balances, 0)).toBe(BigInt(count) * ((1n << 64n) - 1n) * 0x1f_ffffn)
  })

  test('a fee sum is zero only where every fee was', () => {
    const sum = new FeeSum()
    sum.add(words(0n), 0, 21_000)
    expect(sum.isZero).toBe(true)
    sum.add(words(1n << 200n), 0, 1)
    expect(sum.isZero).toBe(false)
  })
})
