import { expect, test } from 'vitest'
import { WORKLOADS } from '../../bench/workloads/index.ts'
import { SOFTWARE_COSTS } from '../../host/batch/cost.ts'
import { openDevice } from '../../host/device/device.ts'
import { createExecutor } from '../../host/flows/executor.ts'
import { MemoryState } from '../../host/state/memory_state.ts'
import { expectApart, watchedDevice } from '../fixtures/watched_device.ts'

const BLOCKS = 4

// Ranges of 400 and 200 transactions: what the short ones write is as large as what the long ones upload.
test.each(['never', 'always'] as const)(
  'path kernels write no buffer that is uploaded to; programs %s',
  async (programs) => {
    const watched = watchedDevice(await openDevice())
    const { device } = watched
    const workload = WORKLOADS.find(({ name }) => name === 'erc20')!
    const scenario = await workload.build({ fork: 'osaka', size: 600, seed: 1, blocks: BLOCKS })
    const { fork, chainId } = scenario
    const state = new MemoryState()
    await state.commit(scenario.genesis)
    const forms = { compile: 'wait', waves: 'always', recordFrom: 1, pathStore: false, costs: SOFTWARE_COSTS } as const
    const executor = createExecutor({
      fork,
      chainId,
      state,
      device,
      range: 400,
      ...forms,
      ...(programs === 'never' ? { programs } : { kernels: 'never' }),
    })
    for (let n = 0; n < BLOCKS; n++) {
      const { env, transactions } = scenario.next()
      watched.bytes.clear()
      const { tiers, uploadedBytes } = await executor.execute({ env, transactions })
      expect(uploadedBytes).toBe([...watched.bytes.values()].reduce((sum, bytes) => sum + bytes))
      expect(programs === 'never' ? tiers.pathKernel : tiers.pathProgram).toBe(600)
    }
    // Accounts and slots that the last block has met first: their buckets, and no index as a whole.
    const { 'slot index': whole, 'slot index changes': changes } = Object.fromEntries(watched.bytes)
    expect(whole).toBeUndefined()
    expect(changes).toBeGreaterThan(0)
    expect(changes).toBeLessThan(2000)
    await executor.close()
    // An index is uploaded whole once.
    expectApart(watched, ['slot index', 'account index'])
    device.destroy()
  },
)
