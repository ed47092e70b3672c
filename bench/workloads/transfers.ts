import { createRandom } from '../random.ts'
import { BatchWriter } from './batch_writer.ts'
import { Genesis, strangers } from './genesis.ts'
import { independentTraffic } from './traffic.ts'
import { COINBASE, type Scenario, WEALTH, WORKLOAD_CHAIN_ID, type Workload, workloadEnvironment } from './workload.ts'

const NO_SLOTS = { count: 0, addresses: new Uint32Array(0), keys: new Uint32Array(0), values: new Uint32Array(0) }

/** Plain value transfers between strangers; a tenth of the payees have no account yet. */
export const transfers: Workload = {
  name: 'transfers',
  title: 'plain value transfers, independent; a tenth create their recipient',
  shares: 'nothing',
  build: async ({ fork, size, seed, blocks, people = strangers }): Promise<Scenario> => {
    const random = createRandom(seed, 'transfers')
    const traffic = independentTraffic(size, blocks, random)
    const addresses = people(traffic.people, traffic.senders, random)
    const genesis = new Genesis()
    genesis.accounts(addresses, traffic.funded, WEALTH)
    genesis.account(COINBASE, 10n ** 18n)
    const from = new Uint32Array(size)
    const to = new Uint32Array(size)
    let index = 0
    return {
      fork,
      chainId: WORKLOAD_CHAIN_ID,
      genesis: genesis.writes(),
      programs: [],
      notes: [],
      next: () => {
        traffic.pairs(from, to)
        const writer = new BatchWriter(size, 0, random)
        for (let i = 0; i < size; i++) {
          writer.begin(addresses, 5 * from[i]!, addresses, 5 * to[i]!, index, 21_000)
          writer.value(1 + random.below(1_000_000_000))
        }
        const env = workloadEnvironment(seed, index++, writer)
        return { env, transactions: writer.finish(), expected: NO_SLOTS }
      },
    }
  },
}
