import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compareWithSerial, runSerial } from '../../bench/oracle.ts'
import { ValidationError } from '../../host/device/fault.ts'
import type { Kernel, KernelSource } from '../../host/device/kernel.ts'
import {
  type ComputeDevice,
  createExecutor,
  type Executor,
  type ExecutorOptions,
  type MemoryState,
  openDevice,
  type TransactionObject,
} from '../../host/index.ts'
import { BATCH_ENV, batchState, contractAddress, sender, stranger, word } from '../fixtures/batch_world.ts'
import { FaultyDevice } from './device_faults.ts'

let device: ComputeDevice
beforeAll(async () => {
  device = await openDevice()
})
afterAll(() => device.destroy())

const PAYERS = 12

/** Payments of a token, which lanes execute, and transfers. */
const batch = (round: bigint): TransactionObject[] =>
  Array.from({ length: PAYERS }, (_, n) => n).flatMap((n) => [
    {
      from: sender(n),
      nonce: 2n * round,
      gasLimit: 200_000n,
      gasPrice: 10n,
      to: contractAddress('token'),
      data: `${word(BigInt(sender((n + 1) % PAYERS)))}${word(1n).slice(2)}`,
    },
    { from: sender(n), nonce: 2n * round + 1n, gasLimit: 200_000n, gasPrice: 10n, to: stranger(n), value: 1n },
  ])

const LANES = { recordFrom: 1, compile: 'wait', laneVm: 'never', waves: 'always', programs: 'never' } as const

const open = (state: MemoryState, options: Partial<ExecutorOptions>): Executor =>
  createExecutor({ fork: 'prague', chainId: 1n, state, workers: 0, ...LANES, ...options })

/** What the rounds come to one after the other. */
const serial = (rounds: number) =>
  runSerial({
    fork: 'prague',
    chainId: 1n,
    env: BATCH_ENV,
    state: batchState(),
    transactions: Array.from({ length: rounds }, (_, n) => batch(BigInt(n))).flat(),
  })

const stateAfter = async (rounds: number): Promise<unknown> => {
  const state = batchState()
  const executor = createExecutor({ fork: 'prague', chainId: 1n, state, workers: 0 })
  for (let n = 0; n < rounds; n++) await executor.execute({ env: BATCH_ENV, transactions: batch(BigInt(n)) })
  executor.close()
  return state.dump()
}

const execute = (executor: Executor, round: bigint, signal?: AbortSignal) =>
  executor.execute({ env: BATCH_ENV, transactions: batch(round), ...(signal === undefined ? {} : { signal }) })

/** A device that runs no kernel but those that it has compiled. */
class StrictDevice extends FaultyDevice {
  readonly #own = new Set<Kernel>()

  override async kernel(source: KernelSource): Promise<Kernel> {
    const kernel = await super.kernel(source)
    this.#own.add(kernel)
    return kernel
  }

  override async run(...parameters: Parameters<ComputeDevice['run']>): ReturnType<ComputeDevice['run']> {
    for (const command of parameters[0])
      if (command.kind === 'dispatch' && !this.#own.has(command.kernel))
        throw new ValidationError(`${command.kernel.label} is of another device`)
    return super.run(...parameters)
  }

  /** The adapter's device behind it stays. */
  override destroy(): void {}
}

describe('a lost device', () => {
  test('that was given is told of at each batch, which the CPU tier executes', async () => {
    const state = batchState()
    const executor = open(state, { device: new FaultyDevice(device, { run: { 0: 'lost' } }) })
    for (let n = 0n; n < 3n; n++) {
      const { faults, exits } = await execute(executor, n)
      expect(faults).toEqual(['device lost: planned'])
      expect(exits).toEqual({ 'device lost': PAYERS })
    }
    expect(state.dump()).toEqual(await stateAfter(3))
    executor.close()
  })

  test('is opened again by the next batch, and simulation, and kernels are compiled on the new one', async () => {
    const state = batchState()
    const opened: StrictDevice[] = []
    const source = async () => {
      const one = new StrictDevice(device, opened.length === 0 ? { run: { 6: 'lost' } } : {})
      opened.push(one)
      return one
    }
    const executor = open(state, { device: source })
    let round = 0n
    for (; opened[0]?.isLost !== true; round++) {
      const { faults, tiers } = await execute(executor, round)
      if (!opened[0]!.isLost) expect([faults, tiers.pathKernel]).toEqual([[], PAYERS])
    }
    const after = await execute(executor, round++)
    expect(after.faults).toEqual([`device lost: planned; opened again: ${device.name}`])
    expect(after.tiers).toMatchObject({ pathKernel: PAYERS, cpu: 0 })
    const next = await execute(executor, round++)
    expect(next.faults).toEqual([])
    expect(next.tiers).toMatchObject({ pathKernel: PAYERS, cpu: 0 })
    expect(opened).toHaveLength(2)
    expect(state.dump()).toEqual(await stateAfter(Number(round)))
    executor.close()
  })

  test('one after the other is not opened without end', async () => {
    let opened = 0
    const source = async () => {
      opened++
      const one = new StrictDevice(device, { run: { 0: 'lost' } })
      return one
    }
    const executor = open(batchState(), { device: source })
    const told: string[] = []
    for (let n = 0n; n < 6n; n++) told.push((await execute(executor, n)).faults[0]!)
    // The first, and three in its place.
    expect(opened).toBe(4)
    expect(told.at(-1)).toBe('device lost: planned; 3 in a row, no other is opened')
    executor.close()
  })

  test('in place of which none opens leaves the batch to the CPU tier, with the reason', async () => {
    let opened = 0
    const source = async () => {
      if (opened++ > 0) throw new Error('no adapter')
      const one = new StrictDevice(device, { run: { 0: 'lost' } })
      return one
    }
    const executor = open(batchState(), { device: source })
    await execute(executor, 0n)
    const { faults, exits } = await execute(executor, 1n)
    expect(faults).toEqual(['device lost: planned; no device: no adapter'])
    expect(exits).toEqual({ 'device lost': PAYERS })
    executor.close()
  })
})

describe("device: 'auto'", () => {
  test('opens the best adapter with the first call, and close destroys it', async () => {
    const state = batchState()
    const executor = open(state, { device: 'auto' })
    const { tiers, faults } = await execute(executor, 0n)
    expect(faults).toEqual([])
    expect(tiers.pathKernel).toBe(PAYERS)
    executor.close()
    await expect(execute(executor, 1n)).rejects.toMatchObject({ name: 'ExecutorClosedError' })
  })

  test('where no adapter is found the CPU tier executes, and every result has the reason', async () => {
    const before = process.env['WGEVM_ADAPTER']
    process.env['WGEVM_ADAPTER'] = 'no such adapter'
    try {
      const executor = open(batchState(), { device: 'auto' })
      for (let n = 0n; n < 2n; n++) {
        const { exits, faults } = await execute(executor, n)
        expect(exits).toEqual({ 'no device': PAYERS })
        expect(faults).toEqual([expect.stringMatching(/^no device: no adapter 'no such adapter' here/)])
      }
      const { faults } = await executor.simulate({ at: BATCH_ENV, calls: [{ to: stranger(1) }] })
      expect(faults).toEqual([expect.stringMatching(/^no device: no adapter/)])
      executor.close()
    } finally {
      if (before === undefined) delete process.env['WGEVM_ADAPTER']
      else process.env['WGEVM_ADAPTER'] = before
    }
  })
})

describe('calls of one executor', () => {
  test('that are made at once run one after the other, in their order', async () => {
    const state = batchState()
    const executor = open(state, {})
    const calls = [execute(executor, 0n), execute(executor, 1n), execute(executor, 2n)]
    const simulated = executor.simulate({ at: BATCH_ENV, calls: [{ from: sender(0), to: stranger(0), value: 1n }] })
    const results = await Promise.all(calls)
    expect((await simulated).get(0)?.status).toBe(1)
    for (const { receipts, rejected } of results) {
      expect(rejected).toEqual([])
      expect(receipts.count).toBe(2 * PAYERS)
    }
    expect(state.dump()).toEqual(await stateAfter(3))
    executor.close()
  })

  test('of which one fails leave the others as they are', async () => {
    const state = batchState()
    const executor = open(state, { invalid: 'throw' })
    const [a, b, c] = await Promise.allSettled([execute(executor, 0n), execute(executor, 5n), execute(executor, 1n)])
    expect([a.status, b.status, c.status]).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(state.dump()).toEqual(await stateAfter(2))
    executor.close()
  })

  test('that wait when it is closed are refused, the running one ends early, and nothing is committed', async () => {
    const state = batchState()
    const before = state.dump()
    const executor = open(state, { device })
    const calls = Promise.allSettled([execute(executor, 0n), execute(executor, 1n)])
    executor.close()
    for (const outcome of await calls)
      expect(outcome).toMatchObject({ status: 'rejected', reason: { name: 'ExecutorClosedError' } })
    expect(state.dump()).toEqual(before)
    await expect(executor.simulate({ at: BATCH_ENV, calls: [] })).rejects.toThrow('the executor is closed')
    await expect(executor.warm()).rejects.toThrow('the executor is closed')
  })
})

/** Counts what the device has not finished. */
class CountingDevice extends FaultyDevice {
  open = 0
  onRun: (() => void) | undefined

  override async run(...parameters: Parameters<ComputeDevice['run']>): ReturnType<ComputeDevice['run']> {
    this.open++
    this.onRun?.()
    try {
      return await super.run(...parameters)
    } finally {
      this.open--
    }
  }
}

describe('an aborted signal', () => {
  test('from before refuses the call with its reason', async () => {
    const state = batchState()
    const before = state.dump()
    const executor = open(state, {})
    const reason = new Error('not any more')
    const signal = AbortSignal.abort(reason)
    await expect(execute(executor, 0n, signal)).rejects.toBe(reason)
    await expect(executor.simulate({ at: BATCH_ENV, calls: [], signal })).rejects.toBe(reason)
    expect(state.dump()).toEqual(before)
    executor.close()
  })

  test('ends a call that waits, and those after it go on', async () => {
    const state = batchState()
    const executor = open(state, {})
    const abort = new AbortController()
    const calls = [execute(executor, 0n), execute(executor, 7n, abort.signal), execute(executor, 1n)]
    abort.abort()
    const [a, b, c] = await Promise.allSettled(calls)
    expect([a!.status, b!.status, c!.status]).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(b).toMatchObject({ reason: { name: 'AbortError' } })
    expect(state.dump()).toEqual(await stateAfter(2))
    executor.close()
  })

  for (const run of [0, 1, 2, 3]) {
    test(`at run ${run} of the device leaves nothing behind: state, lanes, and the next call`, async () => {
      const state = batchState()
      const before = state.dump()
      const counted = new CountingDevice(device, {})
      // Two ranges: one is swept while the device executes the other.
      const executor = open(state, { device: counted, range: PAYERS })
      const abort = new AbortController()
      counted.onRun = () => {
        if (counted.calls.run === run) abort.abort()
      }
      const outcome = await execute(executor, 0n, abort.signal).then(
        () => 'committed',
        ({ name }: Error) => name,
      )
      expect(outcome).toBe(abort.signal.aborted ? 'AbortError' : 'committed')
      expect(counted.open).toBe(0)
      if (outcome === 'AbortError') expect(state.dump()).toEqual(before)
      const rounds = outcome === 'AbortError' ? 1 : 2
      const { receipts } = await execute(executor, BigInt(rounds - 1))
      expect(receipts.count).toBe(2 * PAYERS)
      expect(state.dump()).toEqual(await stateAfter(rounds))
      executor.close()
    })
  }

  test('in the middle of the CPU tier leaves the transactions after it unexecuted', async () => {
    const state = batchState()
    const executor = open(state, {})
    const abort = new AbortController()
    const reads = state.readSlots.bind(state)
    let seen = 0
    state.readSlots = (...parameters) => {
      if (seen++ === 2) abort.abort()
      return reads(...parameters)
    }
    await expect(execute(executor, 0n, abort.signal)).rejects.toMatchObject({ name: 'AbortError' })
    // A payment reads two slots.
    expect(seen).toBeLessThanOrEqual(4)
    executor.close()
  })

  test('in the middle of the CPU tier and of workers ends the call between two transactions', async () => {
    const state = batchState()
    const before = state.dump()
    const executor = createExecutor({ fork: 'prague', chainId: 1n, state, workers: 1 })
    await executor.warm()
    const abort = new AbortController()
    const reads = state.readSlots.bind(state)
    let seen = 0
    state.readSlots = (...parameters) => {
      if (seen++ === 2) abort.abort()
      return reads(...parameters)
    }
    await expect(execute(executor, 0n, abort.signal)).rejects.toMatchObject({ name: 'AbortError' })
    expect(state.dump()).toEqual(before)
    const { receipts } = await execute(executor, 0n)
    expect(compareWithSerial({ receipts, state }, await serial(1))).toBeUndefined()
    executor.close()
  })

  test('ends a simulation, whose executor goes on', async () => {
    const state = batchState()
    const executor = open(state, {})
    const abort = new AbortController()
    const reads = state.readSlots.bind(state)
    state.readSlots = (...parameters) => {
      abort.abort()
      return reads(...parameters)
    }
    const calls = batch(0n).map(({ from, to, data }) => ({ from, to: to!, ...(data === undefined ? {} : { data }) }))
    await expect(executor.simulate({ at: BATCH_ENV, calls, signal: abort.signal })).rejects.toMatchObject({
      name: 'AbortError',
    })
    expect((await executor.simulate({ at: BATCH_ENV, calls })).count).toBe(2 * PAYERS)
    executor.close()
  })
})
