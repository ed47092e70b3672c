import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ComputeDevice, type MemoryState, openDevice, type TransactionObject } from '../../host/index.ts'
import { addressFromHex } from '../../host/primitives/word.ts'
import { BatchCheck } from '../fixtures/batch_check.ts'
import { BATCH_ENV, batchState, COINBASE, contractAddress, sender, stranger, word } from '../fixtures/batch_world.ts'

let device: ComputeDevice
beforeAll(async () => {
  device = await openDevice()
})
afterAll(() => device.destroy())

const payment = (n: number, nonce = 0n): TransactionObject => ({
  from: sender(n),
  to: contractAddress('token'),
  nonce,
  gasLimit: 100_000n,
  gasPrice: 10n,
  data: `${word(BigInt(stranger(100 + n)))}${word(1n).slice(2)}`,
})
const payments = (nonce = 0n) => Array.from({ length: 12 }, (_, n) => payment(n, nonce))

describe('the executor', () => {
  test('keeps the state on the device between batches: the second batch misses nothing', async () => {
    const check = new BatchCheck({ device, recordFrom: 1 })
    const first = await check.run(batchState(), payments())
    const second = await check.next(payments(1n))
    expect([first.difference, second.difference]).toEqual([undefined, undefined])
    expect([first.result.tiers.pathKernel, second.result.tiers.pathKernel]).toEqual([12, 12])
    expect(second.result.compileMs).toBeLessThanOrEqual(first.result.compileMs)
    check.executor.close()
  })

  test('lanes of the lane VM that look at the coinbase see what it has earned by then', async () => {
    const check = new BatchCheck({ device, paths: 'never', laneVm: 'always' })
    const reader = (name: string, n: number, ...words: bigint[]): TransactionObject => ({
      ...payment(n),
      to: contractAddress(name),
      data: `0x${words.map((value) => word(value).slice(2)).join('')}`,
    })
    const paying = { ...payment(0), gasPrice: 25n }
    // Its code and existence, which the first fee gives it; its balance.
    const existence = reader('code reader', 1, BigInt(COINBASE))
    const first = await check.run(batchState(), [paying, existence])
    expect(first.difference).toBeUndefined()
    expect(first.result.exits).toEqual({ 'code conflict': 1 })
    const second = await check.run(batchState(), [paying, reader('fee watcher', 2), payment(3)])
    expect(second.difference).toBeUndefined()
    expect(second.result.exits).toEqual({ 'balance conflict': 1 })
    expect(second.result.tiers.laneVm).toBe(2)
    check.executor.close()
  })

  test.each(['frontier', 'homestead', 'tangerineWhistle'] as const)(
    'pays without execution at %s, where a touch makes an account',
    async (fork) => {
      const check = new BatchCheck({ fork })
      const pay = (n: number, to: string, value: bigint, gasPrice = 10n): TransactionObject => ({
        type: 0,
        from: sender(n),
        to,
        nonce: 0n,
        gasLimit: 21_000n,
        gasPrice,
        value,
      })
      const exists = (state: MemoryState, address: string): boolean => {
        const limbs = new Uint32Array(5)
        addressFromHex(limbs, 0, address)
        return state.readAccounts(limbs, 1).exists[0] === 1
      }
      const [made, paid, coinbase] = [stranger(7), stranger(8), stranger(9)]
      const env = { ...BATCH_ENV, baseFeePerGas: 0n, coinbase }
      const free = await check.run(batchState(), [pay(0, made, 0n, 0n), pay(1, paid, 5n, 0n)], env)
      expect(free.difference).toBeUndefined()
      expect(free.result.tiers).toMatchObject({ transfer: 2, cpu: 0 })
      expect([made, paid, coinbase].map((address) => exists(free.state, address))).toEqual([true, true, true])
      const dear = await check.next([pay(2, paid, 1n), pay(3, made, 0n)], env)
      expect(dear.difference).toBeUndefined()
      check.executor.close()
    },
  )

  test('finds recipients that no batch has met before', async () => {
    const check = new BatchCheck({ device, recordFrom: 1 })
    await check.run(batchState(), payments())
    const strangers = payments(1n).map((transaction, n) => ({
      ...transaction,
      data: `${word(BigInt(stranger(500 + n)))}${word(2n).slice(2)}`,
    }))
    const { difference, result } = await check.next(strangers)
    expect(difference).toBeUndefined()
    expect(result.exits).toEqual({})
    check.executor.close()
  })

  test('sends a batch to the device in ranges: misses, conflicts and the CPU tier in the middle change nothing', async () => {
    const check = new BatchCheck({ device, recordFrom: 1, range: 9 })
    const others = Array.from({ length: 12 }, (_, n) => [
      { ...payment(n, 1n), to: contractAddress('price board'), data: word(n === 5 ? 9n : 0n) },
      { ...payment(n, 2n), to: contractAddress('creator'), data: '0x', gasLimit: 200_000n },
      {
        ...payment(n, 3n),
        to: contractAddress('token'),
        data: `${word(BigInt(sender(1)))}${word(BigInt(n)).slice(2)}`,
      },
      { ...payment(n, 4n), to: contractAddress('counter'), data: '0x' },
    ])
    const first = await check.run(batchState(), [...payments(), ...others.flat()])
    expect(first.difference).toBeUndefined()
    expect(first.result.tiers.pathKernel).toBeGreaterThan(24)
    const second = await check.next(
      payments(5n).map((payment, n) => ({
        ...payment,
        data: `${word(BigInt(stranger(900 + n)))}${word(1n).slice(2)}`,
      })),
    )
    expect(second.difference).toBeUndefined()
    check.executor.close()
  })

  test('executes an empty batch', async () => {
    const check = new BatchCheck({ device })
    const { difference, result } = await check.run(batchState(), [])
    expect(difference).toBeUndefined()
    expect([result.receipts.count, result.rounds, result.writes.accountCount]).toEqual([0, 1, 0])
  })

  test('never compiles where it was told so, and compiles beside the CPU tier where it was told that', async () => {
    const never = new BatchCheck({ device, compile: 'never', recordFrom: 1 })
    expect((await never.run(batchState(), payments())).result.exits).toEqual({ 'no path': 12 })
    const behind = new BatchCheck({ device, compile: 'background', recordFrom: 1 })
    const { difference, result } = await behind.run(batchState(), payments())
    expect(difference).toBeUndefined()
    expect(result.tiers).toMatchObject({ pathKernel: 0, cpu: 12 })
    let onDevice = 0
    for (let nonce = 1n; onDevice === 0; nonce++) {
      const next = await behind.next(payments(nonce))
      expect(next.difference).toBeUndefined()
      onDevice = next.result.tiers.pathKernel
      if (onDevice === 0) expect(Object.keys(next.result.exits)).toEqual(['compiling'])
    }
    behind.executor.close()
  })

  test('compiles no path for a handful of transactions, and one for the same handful seen often', async () => {
    const check = new BatchCheck({ device, recordFrom: 30 })
    const tiers: number[] = []
    await check.run(batchState(), payments())
    for (let nonce = 1n; nonce < 4n; nonce++) tiers.push((await check.next(payments(nonce))).result.tiers.pathKernel)
    expect(tiers).toEqual([0, 12, 12])
    check.executor.close()
  })

  test('writes exactly the last values, which make the same state when applied to the state before', async () => {
    const before = batchState()
    const replayed = before.clone()
    const check = new BatchCheck({ device, recordFrom: 1 })
    const { result, state } = await check.run(before, [
      ...payments(),
      ...payments(1n),
      { from: sender(0), nonce: 2n, to: stranger(3), value: 5n, gasLimit: 21_000n, gasPrice: 10n },
    ])
    replayed.commit(result.writes)
    expect(replayed.dump()).toEqual(state.dump())
    const touched = result.writes.accountAddresses.length / 5
    expect(touched).toBe(12 + 1)
    check.executor.close()
  })

  test('gives the same rounds and tiers for the same batch, whatever the machine does', async () => {
    const runs: unknown[] = []
    for (let n = 0; n < 3; n++) {
      const check = new BatchCheck({ device, recordFrom: 1 })
      const transactions = [
        ...payments(),
        ...Array.from({ length: 12 }, (_, k) => ({
          ...payment(k, 1n),
          to: contractAddress('counter'),
          data: '0x',
        })),
      ]
      const { result } = await check.run(batchState(), transactions)
      runs.push([result.rounds, result.tiers, result.exits])
      check.executor.close()
    }
    expect(runs[1]).toEqual(runs[0])
    expect(runs[2]).toEqual(runs[0])
  })
})
