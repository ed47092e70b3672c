import { expect, test } from 'vitest'
import { runSerial } from '../../bench/oracle.ts'
import { runAnvil } from '../../bench/peers/anvil.ts'
import { ANVIL_HINT, findAnvil } from '../../bench/peers/anvil_node.ts'
import { WORKLOADS } from '../../bench/workloads/index.ts'
import { DEFAULT_FORK } from '../../bench/workloads/workload.ts'
import { MemoryState } from '../../host/state/memory_state.ts'

const anvil = findAnvil()

test.skipIf(anvil === undefined)(
  `the revm peer mines each workload's block with the gas that serial execution uses (needs anvil: ${ANVIL_HINT})`,
  async () => {
    for (const workload of WORKLOADS) {
      const scenario = await workload.build({ fork: DEFAULT_FORK, size: 20, seed: 5, blocks: 1 })
      const { env, transactions } = scenario.next()
      const { fork, chainId, genesis } = scenario
      const state = new MemoryState()
      state.commit(genesis)
      const serial = await runSerial({ fork, chainId, env, state, transactions })
      const peer = await runAnvil(anvil!, { genesis, env, chainId, transactions, hardfork: fork })
      const gasUsed = Math.round((1e6 * peer.mgasPerSecond * peer.txCount) / peer.txPerSecond)
      expect(gasUsed, workload.name).toBe(Number(serial.totalGasUsed))
    }
  },
)
