import { describe, expect, test } from 'vitest'
import { accessSets } from '../../bench/access_sets.ts'
import { conflictMatrix, conflictRate, longestChain } from '../../bench/conflict_matrix.ts'
import { deployUniswapV2 } from '../../bench/contracts/uniswap_v2.ts'
import { CONFLICT_RATES } from '../../bench/workloads/conflicts.ts'
import { WORKLOADS } from '../../bench/workloads/index.ts'
import { domainSeparator } from '../../bench/workloads/swap_market.ts'
import { DEFAULT_FORK, type Workload } from '../../bench/workloads/workload.ts'

const SEED = 20_260_101
const SIZE = 40

const conflictsOf = async (workload: Workload, size: number) =>
  conflictMatrix(await accessSets(await workload.build({ fork: DEFAULT_FORK, size, seed: SEED, blocks: 1 })))

const named = (name: string): Workload => WORKLOADS.find((workload) => workload.name === name)!

describe('the storage that a workload touches', () => {
  test.each(WORKLOADS.filter((workload) => workload.shares !== 'slots').map(({ name }) => name))(
    '%s, said to share no slot, has no two transactions that meet',
    async (name) => {
      expect(conflictRate(await conflictsOf(named(name), SIZE))).toBe(0)
    },
  )

  test.each(WORKLOADS.filter((workload) => workload.shares === 'slots').map(({ name }) => name))(
    '%s, said to share slots, has transactions that meet',
    async (name) => {
      expect(conflictRate(await conflictsOf(named(name), SIZE))).toBeGreaterThan(0)
    },
  )

  test.each(CONFLICT_RATES.filter((rate) => rate > 0))(
    'of conflict-%i meets in just that share of the transactions, less the first',
    async (rate) => {
      const matrix = await conflictsOf(named(`conflict-${rate}`), 100)
      expect(conflictRate(matrix)).toBeCloseTo(rate / 100 - 0.01, 10)
      expect(longestChain(matrix)).toBe(rate)
    },
  )

  test('of a hot sender and of a hot recipient is one chain', async () => {
    for (const name of ['erc20-hot-sender', 'erc20-hot-recipient', 'uniswap-v2-one-pool']) {
      expect(longestChain(await conflictsOf(named(name), SIZE)), name).toBe(SIZE)
    }
  })
})

describe('a pool written into a pre-state', () => {
  test('carries the domain separator that the constructor of UniswapV2Pair stores', async () => {
    const { pool } = await deployUniswapV2(DEFAULT_FORK)
    expect(pool.storage.get(`0x${'3'.padStart(64, '0')}`)).toBe(domainSeparator(pool.address))
  })
})

describe('a workload', () => {
  test.each(WORKLOADS.map(({ name }) => name))(
    '%s is the same for the same seed, another for another',
    async (name) => {
      const block = async (seed: number) => {
        const scenario = await named(name).build({ fork: DEFAULT_FORK, size: 10, seed, blocks: 1 })
        const { transactions, env } = scenario.next()
        return [scenario.genesis.accountAddresses.join(), transactions.data.join(), transactions.from.join(), env]
      }
      expect(await block(1)).toEqual(await block(1))
      expect(await block(1)).not.toEqual(await block(2))
    },
  )

  test.each(WORKLOADS.map(({ name }) => name))('%s can be one transaction small', async (name) => {
    const scenario = await named(name).build({ fork: DEFAULT_FORK, size: 1, seed: SEED, blocks: 2 })
    expect(scenario.next().transactions.count).toBe(1)
    expect(scenario.next().transactions.count).toBe(1)
  })
})
