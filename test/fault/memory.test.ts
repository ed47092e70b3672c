import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ComputeDevice, openDevice, type TransactionObject } from '../../host/index.ts'
import { BatchCheck, type BatchCheckOptions } from '../fixtures/batch_check.ts'
import { BATCH_ENV, batchState, contractAddress, sender, word } from '../fixtures/batch_world.ts'
import { limitedDevice } from '../fixtures/limited_device.ts'

const SIZE = 1000
const ACCOUNTS = 12
const ENV = { ...BATCH_ENV, gasLimit: 1n << 40n }
const TOO_LITTLE_BYTES = 100_000

let device: ComputeDevice

beforeAll(async () => {
  device = await openDevice()
})

afterAll(() => device.destroy())

/** Calls of few accounts that leave every value as it was, so that none conflicts: lanes take more than tables. */
const calls = (block: number): TransactionObject[] =>
  Array.from({ length: SIZE }, (_, n) => {
    const nonce = block * Math.ceil((SIZE - (n % ACCOUNTS)) / ACCOUNTS) + Math.floor(n / ACCOUNTS)
    return {
      from: sender(n % ACCOUNTS),
      to: contractAddress('price board'),
      nonce: BigInt(nonce),
      gasLimit: 100_000n,
      gasPrice: 10n,
      data: word(0n),
    }
  })

/** `littleBytes`: for the tables and a wave of one workgroup, but not for all. */
const FORMS = {
  'path kernels': { tier: 'pathKernel', littleBytes: 500_000, options: { programs: 'never', recordFrom: 1 } },
  'path programs': { tier: 'pathProgram', littleBytes: 500_000, options: { programs: 'always', recordFrom: 1 } },
  'the lane VM': { tier: 'laneVm', littleBytes: 4_000_000, options: { paths: 'never', laneVm: 'always' } },
} as const satisfies Record<
  string,
  { readonly tier: string; readonly littleBytes: number; readonly options: BatchCheckOptions }
>

/** Two batches on a device with so much memory, each as serially. */
const runIn = async (memoryBytes: number, options: BatchCheckOptions) => {
  const limited = limitedDevice(device, { memoryBytes })
  const check = new BatchCheck({ ...options, device: limited })
  const first = await check.run(batchState(), calls(0), ENV)
  const second = await check.next(calls(1), ENV)
  for (const { difference } of [first, second]) expect(difference).toBeUndefined()
  check.executor.close()
  expect(limited.heldBytes).toBe(0)
  return { results: [first.result, second.result], refused: limited.refused }
}

describe('a wave for which the device has no memory', () => {
  for (const [form, { tier, littleBytes, options }] of Object.entries(FORMS)) {
    test(`runs in halves on ${form}, and later ones too; nothing goes to the CPU tier or stays behind`, async () => {
      const { results, refused } = await runIn(littleBytes, options)
      expect(refused).toBeGreaterThan(0)
      for (const { tiers, faults, exits, chunks } of results) {
        expect(faults).toEqual([])
        expect(exits).toEqual({})
        expect(tiers[tier]).toBe(SIZE)
        expect(chunks).toBeGreaterThan(0)
      }
    })

    test(`is left to the CPU tier, with the reason, where its least part does not fit on ${form}`, async () => {
      const { results } = await runIn(TOO_LITTLE_BYTES, options)
      for (const { tiers, exits, faults } of results) {
        expect(tiers.cpu).toBe(SIZE)
        expect(exits).toEqual({ 'out of device memory': SIZE })
        expect(faults).toEqual([expect.stringMatching(/^buffer .*: no memory$/)])
      }
    })
  }
})
