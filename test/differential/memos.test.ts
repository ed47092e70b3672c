import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ComputeDevice, MemoryState, openDevice, type TransactionObject } from '../../host/index.ts'
import { BatchCheck } from '../fixtures/batch_check.ts'
import { batchAllocation, contractAddress, sender, word } from '../fixtures/batch_world.ts'

const SENDERS = 10

let device: ComputeDevice
beforeAll(async () => {
  device = await openDevice()
})
afterAll(() => device.destroy())

const calls = (name: string, words: (n: number) => readonly bigint[], nonce = 0n): TransactionObject[] =>
  Array.from({ length: SENDERS }, (_, n) => ({
    from: sender(n),
    to: contractAddress(name),
    nonce,
    gasLimit: 200_000n,
    gasPrice: 10n,
    data: `0x${words(n)
      .map((value) => word(value).slice(2))
      .join('')}`,
  }))

const world = (): MemoryState => {
  const state = MemoryState.from(batchAllocation())
  for (let number = 90n; number < 100n; number++) state.setBlockHash(number, word(number * 7919n))
  return state
}

describe.each(['never', 'always'] as const)('memoised look-ups, programs: %s', (programs) => {
  test('precompiles are computed once per input by the host, and hold for every lane', async () => {
    const check = new BatchCheck({ device, recordFrom: 1, programs })
    const first = await check.run(
      world(),
      calls('hasher', (n) => [BigInt(n) << 200n, 5n + BigInt(n)]),
    )
    expect(first.difference).toBeUndefined()
    expect(first.result.exits).toEqual({})
    const again = await check.next(calls('hasher', (n) => [BigInt(n + 1) << 200n, 6n + BigInt(n)], 1n))
    expect(again.difference).toBeUndefined()
    const { pathKernel, pathProgram } = again.result.tiers
    expect(pathKernel + pathProgram).toBe(SENDERS)
    expect(again.result.faults).toEqual([])
    check.executor.close()
  })

  test('hashes of ancestors come from the State; an unknown one sends its transaction to the CPU tier', async () => {
    const check = new BatchCheck({ device, recordFrom: 1, programs })
    const known = await check.run(
      world(),
      calls('historian', (n) => [BigInt(1 + (n % 9))]),
    )
    expect(known.difference).toBeUndefined()
    const { pathKernel, pathProgram } = known.result.tiers
    expect(pathKernel + pathProgram).toBe(SENDERS)
    const far = await check.next(calls('historian', () => [300n], 1n))
    expect(far.difference).toBeUndefined()
    check.executor.close()
  })
})
