import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type CallObject,
  type ComputeDevice,
  createExecutor,
  type Executor,
  type MemoryState,
  openDevice,
  type SimulateRequest,
  type Simulation,
} from '../../host/index.ts'
import {
  BATCH_ENV,
  batchState,
  contractAddress,
  holderSlot,
  randomBatch,
  sender,
  stranger,
  word,
} from '../fixtures/batch_world.ts'

let device: ComputeDevice
beforeAll(async () => {
  device = await openDevice()
})
afterAll(() => device.destroy())

const simulated = async (
  state: MemoryState,
  request: Omit<SimulateRequest, 'at'>,
  options: Partial<Parameters<typeof createExecutor>[0]>,
): Promise<Simulation> => {
  const executor: Executor = createExecutor({ fork: 'prague', chainId: 1n, state, workers: 0, ...options })
  try {
    return await executor.simulate({ at: BATCH_ENV, ...request })
  } finally {
    executor.close()
  }
}

const onVm = (state: MemoryState, request: Omit<SimulateRequest, 'at'>, range?: number): Promise<Simulation> =>
  simulated(state, request, {
    device,
    compile: 'wait',
    paths: 'never',
    laneVm: 'always',
    ...(range === undefined ? {} : { range }),
  })

/** What a call gave, wherever it ran. */
const resultOf = (simulation: Simulation, i: number) => {
  const { tier: _, exitReason: __, ...result } = simulation.get(i)
  return { ...result, refund: result.status === 1 ? simulation.gasRefund[i] : 0 }
}

const expectSame = (ours: Simulation, reference: Simulation): void => {
  for (let i = 0; i < reference.count; i++) expect(resultOf(ours, i), `call ${i}`).toEqual(resultOf(reference, i))
}

const transfer = (to: string, amount: bigint): string => `${word(BigInt(to))}${word(amount).slice(2)}`

describe('simulate on the lane VM', () => {
  test('random calls give what they give on the CPU tier, in one segment and in several', async () => {
    for (const range of [undefined, 16]) {
      const state = batchState()
      const calls = randomBatch(5, state).map(
        ({ nonce: _, gasLimit, ...call }): CallObject => ({ ...call, gas: gasLimit }),
      )
      const ours = await onVm(state, { calls }, range)
      expect(ours.faults).toEqual([])
      expect(ours.tiers.laneVm).toBeGreaterThan(0)
      expect(ours.tiers.pathKernel + ours.tiers.pathProgram).toBe(0)
      expect(Array.from({ length: ours.count }, (_, i) => ours.tier(i))).toContain('laneVm')
      expectSame(ours, await simulated(batchState(), { calls }, {}))
    }
  })

  test('calls do not see each other', async () => {
    const calls = Array.from({ length: 70 }, (_, n) => ({
      from: sender(0),
      to: contractAddress('token'),
      gas: 100_000n,
      data: transfer(stranger(n), 1000n),
    }))
    const ours = await onVm(batchState(), { calls })
    expect(ours.tiers.laneVm).toBe(70)
    expect([...ours.status]).toEqual(calls.map(() => 1))
    expectSame(ours, await simulated(batchState(), { calls }, {}))
  })

  test('overrides hold on tables of their own', async () => {
    const poor = stranger(3)
    const calls = [{ from: sender(0), to: contractAddress('token'), gas: 100_000n, data: transfer(poor, 5n) }]
    const overrides = {
      [sender(0)]: { balance: 10n ** 24n },
      [contractAddress('token')]: { stateDiff: { [holderSlot(sender(0))]: 4n } },
    }
    const ours = await onVm(batchState(), { calls, overrides })
    expect(ours.tiers.laneVm).toBe(1)
    const reference = await simulated(batchState(), { calls, overrides }, {})
    expectSame(ours, reference)
    expect(resultOf(ours, 0)).not.toEqual(resultOf(await onVm(batchState(), { calls }), 0))
  })

  test('calls of a bundle stay behind each other on the CPU tier', async () => {
    const call = { from: sender(0), to: contractAddress('token'), gas: 100_000n, data: transfer(stranger(1), 1000n) }
    const bundles = [{ calls: [call, call] }, { calls: [call] }]
    const ours = await onVm(batchState(), { bundles })
    expect(Array.from({ length: 3 }, (_, i) => ours.tier(i))).toEqual(['cpu', 'cpu', 'laneVm'])
    expectSame(ours, await simulated(batchState(), { bundles }, {}))
  })
})
