import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { verifyBlock } from '../../bench/verify.ts'
import { WORKLOADS } from '../../bench/workloads/index.ts'
import { DEFAULT_FORK } from '../../bench/workloads/workload.ts'
import type { ComputeDevice } from '../../host/device/compute_device.ts'
import { openDevice } from '../../host/device/device.ts'
import type { TierCounts } from '../../host/flows/execution_result.ts'
import { createExecutor } from '../../host/flows/executor.ts'
import { MemoryState } from '../../host/state/memory_state.ts'

const SIZE = 60
const SEED = 3

/**
 * The least that the device must do of SIZE transactions of each workload, so a silent retreat to the CPU tier
 * shows. Conflicting transactions may go to the CPU.
 */
const LEAST: Readonly<Record<string, Partial<TierCounts>>> = {
  transfers: { transfer: SIZE },
  erc20: { pathKernel: SIZE },
  'erc20-program': { pathProgram: SIZE },
  'erc20-hot-sender': { pathKernel: 1 },
  'erc20-hot-recipient': { pathKernel: 1 },
  'erc20-zipf': { pathKernel: 5 },
  usdt: { pathKernel: SIZE },
  'usdc-proxy': { pathKernel: SIZE },
  weth: { pathKernel: 40 },
  'uniswap-v2': { pathKernel: SIZE },
  mixed: { transfer: 36, pathKernel: 18 },
  'conflict-35': { pathKernel: 39 },
}

let device: ComputeDevice

beforeAll(async () => {
  device = await openDevice()
})

afterAll(() => device.destroy())

describe('on the device, three blocks in a row', () => {
  test.each(Object.entries(LEAST))('of %s are what serial execution makes of them', async (name, least) => {
    const workload = WORKLOADS.find((candidate) => candidate.name === name)!
    const scenario = await workload.build({ fork: DEFAULT_FORK, size: SIZE, seed: SEED, blocks: 3 })
    const state = new MemoryState()
    state.commit(scenario.genesis)
    const { fork, chainId } = scenario
    // Enough of a kind for token transfers and swaps of one direction, too few for what `mixed` has three of.
    const kernels = workload.kernels === undefined ? {} : { kernels: workload.kernels }
    const options = { device, recordFrom: 6, compile: 'wait', waves: 'always', laneVm: 'never', ...kernels } as const
    const executor = createExecutor({ fork, chainId, state, ...options })
    for (let k = 0; k < 3; k++) {
      const before = state.clone()
      const block = scenario.next()
      const { receipts, tiers, faults } = await executor.execute({ env: block.env, transactions: block.transactions })
      await verifyBlock({ scenario, shares: workload.shares, block, receipts, before, after: state }, SEED)
      expect(faults).toEqual([])
      if (k < 2) continue
      for (const tier of Object.keys(least) as (keyof TierCounts)[]) {
        expect(tiers[tier], `${tier} of ${JSON.stringify(tiers)}`).toBeGreaterThanOrEqual(least[tier]!)
      }
    }
    executor.close()
  })
})
