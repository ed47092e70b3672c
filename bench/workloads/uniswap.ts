import { deployUniswapV2 } from '../contracts/uniswap_v2.ts'
import { createRandom, permutation } from '../random.ts'
import { BatchWriter } from './batch_writer.ts'
import { Genesis, strangers } from './genesis.ts'
import { SwapMarket } from './swap_market.ts'
import {
  COINBASE,
  FIRST_TIMESTAMP,
  type Scenario,
  type Sharing,
  WEALTH,
  WORKLOAD_CHAIN_ID,
  type Workload,
  workloadEnvironment,
} from './workload.ts'

/** A swap sells this much or up to nine times as much, against reserves of 10^22. */
export const SMALLEST_SWAP = 10 ** 15

const swaps = (name: string, title: string, poolCount: (size: number) => number, shares: Sharing): Workload => ({
  name,
  title,
  shares,
  build: async ({ fork, size, seed, people = strangers }): Promise<Scenario> => {
    const random = createRandom(seed, name)
    const traders = people(size, size, random)
    const market = new SwapMarket(await deployUniswapV2(fork), traders, poolCount(size), random)
    const genesis = new Genesis()
    genesis.accounts(traders, size, WEALTH)
    genesis.account(COINBASE, 10n ** 18n)
    market.install(genesis)
    let index = 0
    return {
      fork,
      chainId: WORKLOAD_CHAIN_ID,
      genesis: genesis.writes(),
      programs: market.programs.map((program) => program.origin),
      notes: [`${market.poolCount} ${market.poolCount === 1 ? 'pool' : 'pools'}, ${size} traders`],
      next: () => {
        const writer = new BatchWriter(size, 260, random)
        const timestamp = Number(FIRST_TIMESTAMP) + 12 * index
        for (const trader of permutation(size, random)) {
          const amountIn = SMALLEST_SWAP + random.below(8) * SMALLEST_SWAP + Math.floor(random.unit() * SMALLEST_SWAP)
          market.swap(writer, trader, index, timestamp, amountIn, random)
        }
        const env = workloadEnvironment(seed, index++, writer)
        return { env, transactions: writer.finish(), expected: market.expected }
      },
    }
  },
})

export const uniswapV2 = swaps(
  'uniswap-v2',
  'Uniswap V2 swaps through the router, each trader at a pool of its own',
  (size) => size,
  'nothing',
)

export const uniswapV2OnePool = swaps(
  'uniswap-v2-one-pool',
  'Uniswap V2 swaps through the router, all at one pool',
  () => 1,
  'slots',
)
