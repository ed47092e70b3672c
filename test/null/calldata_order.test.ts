import { expect, test } from 'vitest'
import { encodeBatch } from '../../host/chain/encode_batch.ts'
import { orderByCalldata } from '../../host/tiers/lane_vm/calldata_order.ts'

const TO = `0x${'11'.repeat(20)}`
const word = (value: bigint): string => value.toString(16).padStart(64, '0')

/** The order of calls with these words after a selector. */
const orderOf = (calls: readonly (readonly bigint[])[]): number[] => {
  const batch = encodeBatch(
    calls.map((words) => ({
      type: 0,
      from: TO,
      to: TO,
      nonce: 0n,
      gasLimit: 100_000n,
      gasPrice: 1n,
      data: `0xa9059cbb${words.map(word).join('')}`,
    })),
  )
  const transactions = Int32Array.from(calls.keys())
  const positions = Uint32Array.from(calls.keys())
  orderByCalldata(batch, transactions, positions)
  return [...positions]
}
const indices = (count: number): number[] => Array.from({ length: count }, (_, n) => n)

test('calls with the same few values stand together, in the order in which they came', () => {
  const calls = indices(40).map((n) => [BigInt(n % 2), 7n, BigInt((n >> 1) % 2)])
  const order = orderOf(calls)
  const ways = order.map((k) => `${k % 2} ${(k >> 1) % 2}`)
  expect(ways.filter((way, n) => way !== ways[n - 1])).toEqual(['0 0', '0 1', '1 0', '1 1'])
  expect(order.slice(0, 10)).toEqual([0, 4, 8, 12, 16, 20, 24, 28, 32, 36])
})

test('many numbers stand by their magnitude; addresses stay where they are', () => {
  const amounts = indices(40).map((n) => 3n ** BigInt((n * 17) % 40))
  expect(orderOf(amounts.map((amount) => [amount])).map((k) => (k * 17) % 40)).toEqual(indices(40))
  const addresses = indices(40).map(
    (n) => BigInt(`0x${(n * 97 + 1).toString(16).padStart(2, '0').slice(-2)}${'5a'.repeat(19)}`) + BigInt(n),
  )
  expect(orderOf(addresses.map((address) => [address]))).toEqual(indices(40))
  const both = addresses.map((address, n) => [address, amounts[n]!])
  expect(orderOf(both).map((k) => (k * 17) % 40)).toEqual(indices(40))
})

test('a value that the sample does not have is kept apart, and few calls stay as they are', () => {
  const calls = indices(640).map((n) => [n === 333 ? 99n : BigInt((n >> 4) % 2)])
  const order = orderOf(calls)
  expect(order.at(-1)).toBe(333)
  expect(new Set(order).size).toBe(640)
  expect(orderOf([[2n], [1n], [2n], [1n]])).toEqual([0, 1, 2, 3])
})

test('numbers longer than all of the sample lose no call', () => {
  const calls = indices(256).map((n) => Array.from({ length: 4 }, (_, k) => 1n << BigInt((n * 7 + k) % 120)))
  // Every fourth call is in the sample; these are not.
  for (const n of [1, 5, 131, 254, 255]) calls[n] = [2n ** 255n, 2n ** 255n, 2n ** 255n, 2n ** 255n + BigInt(n)]
  expect(orderOf(calls).sort((a, b) => a - b)).toEqual(indices(256))
})
