import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { fillState, readBlockFixture } from '../../conformance/block_fixture.ts'
import { bytesToHex } from '../../host/primitives/hex.ts'
import { MemoryState } from '../../host/state/memory_state.ts'
import { createCpuTier } from '../../host/tiers/cpu/ethereumjs/transaction.ts'
import { runOnCpuTier } from '../fixtures/cpu_run.ts'

/** Real mainnet blocks with their pre-state, outside the project; its README names the format. */
const FOLDER = new URL('../../../shared/data/blocks/', import.meta.url)
const BLOCKS = [
  116525, 1796867, 2641321, 2688148, 4370000, 6137495, 8038679, 9069000, 10760440, 12522062, 13287210, 15537394,
  17034869, 18988207, 19929064, 19933597,
] as const

describe.skipIf(!existsSync(FOLDER))(
  'the CPU tier on real blocks (skipped where ../shared/data/blocks is absent)',
  () => {
    it.each(BLOCKS)('uses the gas and sets the bloom of mainnet block %i', async (number) => {
      const fixture = readBlockFixture(fileURLToPath(new URL(`mainnet-${number}.json.gz`, FOLDER)))
      const { fork, chainId, env, transactions, expected } = fixture
      const tier = await createCpuTier({ fork, chainId })
      const receipts = await runOnCpuTier(tier, fork, env, fillState(fixture, new MemoryState()), transactions)
      expect(BigInt(receipts.totalGasUsed)).toBe(expected.gasUsed)
      expect(bytesToHex(receipts.blockBloom())).toBe(expected.logsBloom)
      expect(transactions.map((_, i) => receipts.rejection(i)).filter((code) => code !== 0)).toEqual([])
    })
  },
)
