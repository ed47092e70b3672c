import { describe, expect, it } from 'vitest'
import { compareWithSerial, runSerial } from '../../bench/oracle.ts'
import type { TransactionObject } from '../../host/block/batch.ts'
import { REJECTION, type Rejection, rejectionText } from '../../host/block/rejection.ts'
import { createCpuTier } from '../../host/execute/cpu_tier.ts'
import type { MemoryState } from '../../host/state/memory_state.ts'
import { FORKS, type Fork, isAtLeast } from '../../transpiler/spec/forks.ts'
import { assemble } from '../fixtures/assembler.ts'
import { runOnCpuTier } from '../fixtures/cpu_run.ts'
import { addressOf, COINBASE, contractAt, worldOf } from '../fixtures/cpu_world.ts'

const CHAIN_ID = 1337n
const BERLIN_ON = FORKS.filter((fork) => isAtLeast(fork, 'berlin'))
const RUNS = Number(process.env['WGEVM_RUNS'] ?? 8)

const expectSerial = async (
  fork: Fork,
  world: Parameters<typeof runSerial>[0] extends never
    ? never
    : { env: Parameters<typeof runOnCpuTier>[2]; state: MemoryState; transactions: readonly TransactionObject[] },
) => {
  const serial = await runSerial({ fork, chainId: CHAIN_ID, ...world })
  const state = world.state.clone()
  const tier = await createCpuTier({ fork, chainId: CHAIN_ID })
  const receipts = await runOnCpuTier(tier, fork, world.env, state, world.transactions)
  expect(compareWithSerial({ receipts, state }, serial)).toBeUndefined()
  return { serial, receipts, state }
}

describe.each(BERLIN_ON)('the CPU tier at %s', (fork) => {
  it('gives what serial execution gives on random transactions', async () => {
    let included = 0
    let failed = 0
    for (let seed = 1; seed <= RUNS; seed++) {
      const world = worldOf(fork, seed, 40)
      const { serial } = await expectSerial(fork, world).catch((error: Error) => {
        throw new Error(`seed ${seed}: ${error.message}`, { cause: error })
      })
      for (const receipt of serial.receipts) {
        if (receipt === undefined) continue
        included++
        if (receipt.status === 0) failed++
      }
    }
    expect(included).toBeGreaterThan(20 * RUNS)
    expect(failed).toBeGreaterThan(2 * RUNS)
    expect(failed).toBeLessThan(included / 2)
  })
})
