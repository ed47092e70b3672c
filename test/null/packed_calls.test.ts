import { expect, test } from 'vitest'
import { createRandom, type Random } from '../../bench/random.ts'
import { columnsOfCalls, isInColumns } from '../../host/flows/simulated_calls.ts'
import { encodeBatch, InputError, MemoryState, simulateBlocks } from '../../host/index.ts'
import { simulatePayload } from '../../service/methods/call_schema.ts'
import { packCalls } from '../../service/methods/packed_calls.ts'

const ALICE = '0x00000000000000000000000000000000000A11cE'
const BOB = '0x0000000000000000000000000000000000000b0b'

/** Values of each member, those that a schema refuses among them. */
const MEMBERS: Readonly<Record<string, readonly unknown[]>> = {
  from: [ALICE, BOB, undefined, null, '0x1', `${BOB}0`, `0x${'g'.repeat(40)}`, `0x${'\u0161'.repeat(40)}`],
  to: [BOB, BOB.toUpperCase().replace('X', 'x'), undefined, null, '0x', 7],
  gas: ['0x5208', undefined, '0xffffffffffffffff', '0x10000000000000000', '0x0', '0x', '0x01', '5208', '0xzz', null],
  nonce: [undefined, '0x0', '0x1ffffffff', '0x'],
  value: [undefined, '0x1', `0x${'f'.repeat(64)}`, `0x1${'0'.repeat(64)}`, '0x00', '0X1'],
  gasPrice: [undefined, undefined, undefined, '0x7', null],
  maxFeePerGas: [undefined, undefined, '0xffffffffff'],
  maxPriorityFeePerGas: [undefined, undefined, '0x3'],
  data: [undefined, undefined, '0x', '0xA9059cbb', '0x0', '0xzz', null, [0]],
  input: [undefined, '0xa9059CBB', '0xa9059cbb', '0x', '0x1\u0161', null],
  type: [undefined, undefined, undefined, undefined, '0x2'],
  accessList: [undefined, undefined, undefined, [], null],
  unknown: [undefined, 5],
}

/** Mostly the first values, so that some calls can be read. */
const randomCall = (random: Random): unknown => {
  if (random.below(60) === 0) return [undefined, null, 'call', []][random.below(4)]
  return Object.fromEntries(
    Object.entries(MEMBERS).flatMap(([name, values]) => {
      const value = values[random.below(random.below(4) === 0 ? values.length : Math.min(3, values.length))]
      return value === undefined ? [] : [[name, value]]
    }),
  )
}

const read = (calls: readonly unknown[]) => simulatePayload.safeParse({ blockStateCalls: [{ calls }] })

test('calls that are packed are what the schema makes of them', () => {
  const random = createRandom(1, 'packed calls')
  let packed = 0
  let left = 0
  for (let n = 0; n < 3000; n++) {
    const calls = Array.from({ length: random.below(3) }, () => randomCall(random))
    const columns = packCalls(calls)
    const { data } = read(calls)
    if (columns === undefined) left++
    else {
      packed++
      const given = data!.blockStateCalls[0]!.calls
      expect(columns, JSON.stringify(calls)).toEqual(isInColumns(given) ? undefined : columnsOfCalls(given))
    }
  }
  expect(packed).toBeGreaterThan(300)
  expect(left).toBeGreaterThan(300)
})

test('many plain calls come in columns, and what is wrong with one of them is told', () => {
  const calls: unknown[] = Array.from({ length: 100 }, () => ({ from: ALICE, to: BOB, gas: '0x5208' }))
  const { blockStateCalls } = read(calls).data!
  expect(blockStateCalls[0]!.calls).toEqual(packCalls(calls))
  calls[70] = { gas: '0x01' }
  const { path, message } = read(calls).error!.issues[0]!
  expect([path, message]).toEqual([['blockStateCalls', 0, 'calls', 70, 'gas'], 'hex number with leading zero digits'])
  const other = [...calls.slice(0, 70), { to: BOB, accessList: [] }]
  expect(read(other).data!.blockStateCalls[0]!.calls).toHaveLength(71)
})

test('columns that are not those of calls are refused by name', async () => {
  const { transactions, hasGas, hasNonce } = columnsOfCalls([{ from: BOB, to: BOB }])
  const typed = encodeBatch([{ from: BOB, nonce: 0n, gasLimit: 1n, gasPrice: 0n, accessList: [] }])
  const listed = encodeBatch([
    { from: BOB, nonce: 0n, gasLimit: 1n, gasPrice: 0n, accessList: [{ address: BOB, storageKeys: [] }] },
  ])
  const wrong = [
    ['calls.transactions.type', { transactions: typed, hasGas, hasNonce }],
    ['calls.transactions.accessStart', { transactions: { ...listed, type: Uint8Array.of(0) }, hasGas, hasNonce }],
    ['calls.hasGas', { transactions, hasGas: new Uint8Array(2), hasNonce }],
    ['calls.hasNonce', { transactions, hasGas, hasNonce: new Uint8Array(0) }],
    ['calls.transactions.count', { transactions: { ...transactions, count: -1 }, hasGas, hasNonce }],
  ] as const
  for (const [field, calls] of wrong) {
    const env = { number: 1n, timestamp: 1n, coinbase: BOB, gasLimit: 1n, baseFeePerGas: 0n, prevRandao: 0n }
    const request = { fork: 'cancun', env, parentHash: `0x${'0'.repeat(64)}`, calls } as const
    const next = simulateBlocks({ chainId: 1n, state: new MemoryState(), gas: 1n }).next(request)
    await expect(next).rejects.toMatchObject({ name: new InputError('', '').name, field })
  }
})
