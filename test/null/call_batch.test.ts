import { describe, expect, test } from 'vitest'
import { createRandom } from '../../bench/random.ts'
import { emptyBatch } from '../../host/chain/batch.ts'
import { callRules, encodeCalls } from '../../host/chain/call_batch.ts'
import { REJECTION } from '../../host/chain/rejection.ts'
import { gasBounds, transactionRules } from '../../host/chain/rules.ts'
import { BATCH_ENV, sender, stranger } from '../fixtures/batch_world.ts'

const to = stranger(1)

describe('the rules of simulated calls', () => {
  test('price nothing where the call names no price, and need no base fee', () => {
    const batch = encodeCalls([{ from: sender(0), to, value: 7n, gas: 30_000n }], BATCH_ENV)
    const rules = callRules(batch, 'prague', BATCH_ENV)
    expect(rules.rejection[0]).toBe(0)
    expect([rules.price[0], rules.cost[0]]).toEqual([0, 7])
    expect(transactionRules(batch, 'prague', BATCH_ENV).rejection[0]).toBe(REJECTION.feeCapBelowBaseFee)
  })

  test('keep the price of the calls that name one, beside those that do not', () => {
    const calls = [
      { to, gas: 30_000n },
      { to, gas: 30_000n, gasPrice: 12n },
      { to, gas: 30_000n, gasPrice: 9n },
      { to, gas: 20_999n },
    ]
    const rules = callRules(encodeCalls(calls, BATCH_ENV), 'prague', BATCH_ENV)
    expect([...rules.rejection]).toEqual([0, 0, REJECTION.feeCapBelowBaseFee, REJECTION.intrinsicGas])
    expect([rules.price[0], rules.price[8], rules.cost[8]]).toEqual([0, 12, 360_000])
  })

  test('know no cap on the gas limit, and keep the checks that it hides', () => {
    const gas = 2n ** 24n + 1n
    const data = `0x${'00'.repeat(49_153)}`
    const calls = [
      { to, gas },
      { to, gas, gasPrice: 9n },
      { to, gas, maxFeePerGas: 20n, maxPriorityFeePerGas: 21n },
      { data, gas },
    ]
    const rules = callRules(encodeCalls(calls, BATCH_ENV), 'osaka', BATCH_ENV)
    const expected = [0, REJECTION.feeCapBelowBaseFee, REJECTION.tipAboveFeeCap, REJECTION.initcodeSize]
    expect([...rules.rejection]).toEqual(expected)
  })

  test('count the bytes of calldata wherever it begins in memory', () => {
    const random = createRandom(9, 'bytes')
    for (let offset = 0; offset < 4; offset++) {
      const data = new Uint8Array(offset + 4000).subarray(offset)
      for (let at = 0; at < data.length; at++) data[at] = random.below(2) === 0 ? 0 : 1 << random.below(8)
      const batch = { ...emptyBatch(100, { dataBytes: 0, accessEntries: 0, accessKeys: 0 }), data }
      for (let i = 0; i < 100; i++) batch.dataStart[i + 1] = batch.dataStart[i]! + random.below(40)
      const { intrinsic } = gasBounds(batch, 'prague')
      for (let i = 0; i < 100; i++) {
        const bytes = [...data.subarray(batch.dataStart[i]!, batch.dataStart[i + 1]!)]
        const gas = bytes.reduce((sum, byte) => sum + (byte === 0 ? 4 : 16), 21_000)
        expect(intrinsic[i], `offset ${offset}, transaction ${i}`).toBe(gas)
      }
    }
  })
})
