import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ComputeDevice, openDevice, type TransactionObject } from '../../host/index.ts'
import { BatchCheck, type BatchCheckOptions } from '../fixtures/batch_check.ts'
import { batchState, contractAddress, sender, stranger, word } from '../fixtures/batch_world.ts'
import { type FaultPlan, FaultyDevice, type RunFault } from './device_faults.ts'

let device: ComputeDevice
beforeAll(async () => {
  device = await openDevice()
})
afterAll(() => device.destroy())

/** Misses, two paths, and a conflict that takes a second round. */
const batch = (nonce: bigint): TransactionObject[] =>
  Array.from({ length: 12 }, (_, n) => n).flatMap((n) => {
    const common = { from: sender(n), gasLimit: 200_000n, gasPrice: 10n }
    const payment = `${word(BigInt(stranger(40 + n)))}${word(1n).slice(2)}`
    return [
      { ...common, nonce, to: contractAddress('token'), data: payment },
      { ...common, nonce: nonce + 1n, to: contractAddress('price board'), data: word(n === 0 ? 9n : 0n) },
    ]
  })

/**
 * Three batches of path programs on a device with these faults, all exact: the results, and the faults of all three.
 */
const expectExact = async (plan: FaultPlan, options: BatchCheckOptions = {}) => {
  const faulty = new FaultyDevice(device, plan)
  const check = new BatchCheck({ device: faulty, recordFrom: 1, programs: 'always', ...options })
  const results = []
  for (const nonce of [0n, 2n, 4n]) {
    const { difference, result } =
      nonce === 0n ? await check.run(batchState(), batch(nonce)) : await check.next(batch(nonce))
    expect(difference).toBeUndefined()
    results.push(result)
  }
  check.executor.close()
  return { results, faults: results.flatMap((result) => result.faults), isLost: faulty.isLost }
}

describe('batches of path programs stay exact, and say what happened, when the device', () => {
  const faults: readonly RunFault[] = ['lost', 'lostAfter', 'validation']
  for (const fault of faults) {
    for (const call of [0, 1, 2, 3]) {
      test(`fails with '${fault}' in run ${call}`, async () => {
        const { results, faults, isLost } = await expectExact({ run: { [call]: fault } })
        // A loss is said by every batch from then on.
        expect(new Set(faults).size).toBe(1)
        expect(results[2]!.tiers.pathProgram > 0).toBe(!isLost)
      })
    }
  }

  // A wave is tried again in halves, or where room was made: nothing is said where that works.
  for (const call of [0, 1, 2, 3]) {
    test(`has no memory in run ${call}`, async () => {
      const { results, faults } = await expectExact({ run: { [call]: 'outOfMemory' } })
      expect(faults.length).toBeLessThanOrEqual(1)
      expect(results[2]!.tiers.pathProgram).toBeGreaterThan(0)
    })
  }

  for (const call of [0, 6, 7, 8]) {
    test(`has no room for buffer ${call}`, async () => {
      const { results, faults } = await expectExact({ storage: { [call]: 'outOfMemory' } })
      expect(faults.length).toBeLessThanOrEqual(1)
      expect(results[2]!.tiers.pathProgram).toBeGreaterThan(0)
    })
  }

  test('is lost while the program kernel compiles', async () => {
    const { results, faults } = await expectExact({ kernel: { 0: 'lost' } })
    expect(faults).toContain('device lost: planned')
    expect(results.map(({ tiers }) => tiers.pathProgram)).toEqual([0, 0, 0])
  })

  test('refuses the program kernel: it is said once, and the CPU tier has everything', async () => {
    const { results, faults } = await expectExact({ kernel: { 0: 'compile' } })
    expect(faults).toEqual([expect.stringContaining('planned')])
    expect(results.map(({ tiers }) => tiers.cpu)).toEqual([24, 24, 24])
    expect(results[2]!.exits).toEqual({ 'shader did not compile': 24 })
  })

  test('refuses the program kernel, and compiles those of single paths all the same', async () => {
    const faulty = new FaultyDevice(device, { kernel: { 0: 'compile' } })
    const check = new BatchCheck({ device: faulty, recordFrom: 1, programs: 'both', compile: 'background' })
    let onDevice = 0
    await check.run(batchState(), batch(0n))
    for (let nonce = 2n; onDevice === 0; nonce += 2n) {
      const { difference, result } = await check.next(batch(nonce))
      expect(difference).toBeUndefined()
      onDevice = result.tiers.pathKernel
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    check.executor.close()
  })
})

test('while the program kernel compiles in the background, nothing waits and the CPU tier works', async () => {
  let open: () => void = () => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  const slow = new FaultyDevice(device, {})
  const kernel = slow.kernel.bind(slow)
  slow.kernel = async (source) => {
    await opened
    return kernel(source)
  }
  const check = new BatchCheck({ device: slow, recordFrom: 1, programs: 'always', compile: 'background' })
  const first = await check.run(batchState(), batch(0n))
  expect(first.result.exits).toEqual({ compiling: 24 })
  expect(first.result.compileMs).toBe(0)
  open()
  let programs = 0
  for (let nonce = 2n; programs === 0; nonce += 2n) {
    const { difference, result } = await check.next(batch(nonce))
    expect([difference, result.faults]).toEqual([undefined, []])
    programs = result.tiers.pathProgram
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  check.executor.close()
})
