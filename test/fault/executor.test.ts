import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compareWithSerial, runSerial } from '../../bench/oracle.ts'
import {
  type ComputeDevice,
  createExecutor,
  openDevice,
  type State,
  type StateWrites,
  type TransactionObject,
} from '../../host/index.ts'
import { BatchCheck } from '../fixtures/batch_check.ts'
import { BATCH_ENV, batchState, contractAddress, sender, stranger, word } from '../fixtures/batch_world.ts'
import { type FaultPlan, FaultyDevice, nullDevice, type RunFault } from './device_faults.ts'

let device: ComputeDevice
beforeAll(async () => {
  device = await openDevice()
})
afterAll(() => device.destroy())

const common = { gasLimit: 200_000n, gasPrice: 10n, nonce: 0n }

/** Misses, two paths, a conflict that takes a second round, and transfers. */
const batch = (nonce: bigint): TransactionObject[] =>
  Array.from({ length: 12 }, (_, n) => n).flatMap((n) => {
    const from = sender(n)
    return [
      {
        ...common,
        from,
        nonce,
        to: contractAddress('token'),
        data: `${word(BigInt(sender((n + 1) % 12)))}${word(1n).slice(2)}`,
      },
      { ...common, from, nonce: nonce + 1n, to: contractAddress('price board'), data: word(n === 0 ? 9n : 0n) },
      { ...common, from, nonce: nonce + 2n, to: stranger(n), value: 1n },
    ]
  })

/** Two batches on a device with these faults: both exact. Returns the faults that the first one reports. */
const expectExact = async (plan: FaultPlan): Promise<readonly string[]> => {
  const faulty = new FaultyDevice(device, plan)
  const check = new BatchCheck({ device: faulty, recordFrom: 1 })
  const first = await check.run(batchState(), batch(0n))
  expect(first.difference).toBeUndefined()
  const second = await check.next(batch(3n))
  expect(second.difference).toBeUndefined()
  expect(second.result.tiers.transfer).toBe(12)
  if (!faulty.isLost && plan.kernel === undefined) expect(second.result.tiers.pathKernel).toBeGreaterThan(0)
  check.executor.close()
  return first.result.faults
}

describe('a batch stays exact, and says what happened, when the device', () => {
  const faults: readonly RunFault[] = ['lost', 'lostAfter', 'validation']
  for (const fault of faults) {
    for (const call of [0, 1, 2]) {
      test(`fails with '${fault}' in run ${call}`, async () => {
        expect(await expectExact({ run: { [call]: fault } })).toHaveLength(1)
      })
    }
  }

  // A wave is tried again in halves, or where room was made: nothing is said where that works.
  for (const call of [0, 1, 2]) {
    test(`has no memory in run ${call}`, async () => {
      expect((await expectExact({ run: { [call]: 'outOfMemory' } })).length).toBeLessThanOrEqual(1)
    })
  }

  test('has no memory in any run', async () => {
    const all = Object.fromEntries(Array.from({ length: 200 }, (_, n) => [n, 'outOfMemory' as const]))
    const faulty = new FaultyDevice(device, { run: all })
    const check = new BatchCheck({ device: faulty, recordFrom: 1 })
    const { difference, result } = await check.run(batchState(), batch(0n))
    expect(difference).toBeUndefined()
    expect(result.faults).not.toHaveLength(0)
    expect(result.tiers.pathKernel + result.tiers.pathProgram).toBe(0)
    check.executor.close()
  })

  test('is lost while a kernel compiles', async () => {
    expect(await expectExact({ kernel: { 0: 'lost' } })).toContain('device lost: planned')
  })

  test('refuses the kernel of one path', async () => {
    expect(await expectExact({ kernel: { 0: 'compile' } })).toEqual([expect.stringContaining('planned')])
  })

  test('refuses every kernel', async () => {
    const all = Object.fromEntries(Array.from({ length: 40 }, (_, n) => [n, 'compile' as const]))
    expect((await expectExact({ kernel: all })).length).toBeGreaterThan(0)
  })

  for (const call of [0, 3, 7]) {
    test(`has no room for buffer ${call}`, async () => {
      expect((await expectExact({ storage: { [call]: 'outOfMemory' } })).length).toBeLessThanOrEqual(1)
    })
  }

  test('computes nothing at all: what is read back is not believed where it cannot be', async () => {
    const nothing = await nullDevice()
    const check = new BatchCheck({ device: nothing, compile: 'never' })
    const { difference, result } = await check.run(batchState(), batch(0n))
    expect(difference).toBeUndefined()
    expect(result.tiers.pathKernel).toBe(0)
    expect(result.exits['no path']).toBe(24)
    check.executor.close()
    nothing.destroy()
  })
})

/** A memory state whose next call of one method rejects. */
class FailingState implements State {
  readonly inner = batchState()
  failing: keyof State | undefined

  readAccounts(addresses: Uint32Array, count: number) {
    return this.#answer('readAccounts', () => this.inner.readAccounts(addresses, count))
  }
  readSlots(addresses: Uint32Array, keys: Uint32Array, count: number) {
    return this.#answer('readSlots', () => this.inner.readSlots(addresses, keys, count))
  }
  readCode(codeHash: string) {
    return this.#answer('readCode', () => this.inner.readCode(codeHash))
  }
  blockHash(number: bigint) {
    return this.#answer('blockHash', () => this.inner.blockHash(number))
  }
  commit(writes: StateWrites) {
    return this.#answer('commit', () => this.inner.commit(writes))
  }

  async #answer<T>(method: keyof State, answer: () => T): Promise<T> {
    if (this.failing === method) throw new Error(`${method} failed`)
    return answer()
  }
}

describe('a State that answers later', () => {
  for (const method of ['readAccounts', 'readSlots', 'readCode', 'commit'] as const) {
    test(`and fails in ${method} leaves everything as it was, and the same batch can run again`, async () => {
      const state = new FailingState()
      const before = state.inner.dump()
      const executor = createExecutor({
        fork: 'prague',
        chainId: 1n,
        state,
        device,
        recordFrom: 1,
        compile: 'wait',
        laneVm: 'never',
        waves: 'always',
      })
      const transactions = batch(0n)
      state.failing = method
      await expect(executor.execute({ env: BATCH_ENV, transactions })).rejects.toThrow(`${method} failed`)
      expect(state.inner.dump()).toEqual(before)
      state.failing = undefined
      const serial = await runSerial({
        fork: 'prague',
        chainId: 1n,
        env: BATCH_ENV,
        state: state.inner.clone(),
        transactions,
      })
      const { receipts } = await executor.execute({ env: BATCH_ENV, transactions })
      expect(compareWithSerial({ receipts, state: state.inner }, serial)).toBeUndefined()
      executor.close()
    })
  }

  test('is not committed to where an invalid transaction is to fail the batch', async () => {
    const state = new FailingState()
    const before = state.inner.dump()
    const executor = createExecutor({ fork: 'prague', chainId: 1n, state, invalid: 'throw' })
    const transactions = batch(0n).slice(0, 3).reverse()
    await expect(executor.execute({ env: BATCH_ENV, transactions })).rejects.toMatchObject({
      name: 'InvalidTransactionError',
      message: 'transaction 0: nonce too high',
    })
    expect(state.inner.dump()).toEqual(before)
  })
})

describe('an executor', () => {
  test('without a device executes everything, and says why', async () => {
    const check = new BatchCheck()
    const { difference, result } = await check.run(batchState(), batch(0n))
    expect(difference).toBeUndefined()
    expect(result.exits).toEqual({ 'no device': 24 })
    expect(result.faults).toEqual([])
  })

  test('whose device was lost between batches goes on without it', async () => {
    const faulty = new FaultyDevice(device, { run: { 6: 'lost' } })
    const check = new BatchCheck({ device: faulty, recordFrom: 1 })
    let state = await check.run(batchState(), batch(0n))
    for (let n = 1n; !faulty.isLost; n++) state = await check.next(batch(3n * n))
    const after = await check.next(batch(BigInt(state.state.account(sender(0))!.nonce)))
    expect(after.difference).toBeUndefined()
    expect(after.result.exits).toEqual({ 'device lost': 24 })
  })
})
