import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ComputeDevice } from '../../host/device/compute_device.ts'
import { openDevice } from '../../host/device/device.ts'
import { createExecutor } from '../../host/flows/executor.ts'
import type { ExecutorOptions } from '../../host/flows/executor_interface.ts'
import { MemoryState } from '../../host/state/memory_state.ts'
import { assemble } from '../fixtures/assembler.ts'

const ALICE = '0x00000000000000000000000000000000000a11ce'
const CALLED = `0x${'5a'.repeat(20)}`
const ENV = {
  number: 1n,
  timestamp: 1n,
  coinbase: `0x${'0b'.repeat(20)}`,
  gasLimit: 30_000_000n,
  baseFeePerGas: 7n,
  prevRandao: 0n,
}

/** Each faults after a look: the look stands in what the transaction read. */
const CODES: Readonly<Record<string, string>> = {
  'SLOAD, underflow': 'PUSH 7 SLOAD POP POP',
  'SSTORE, underflow': 'PUSH 1 PUSH 7 SSTORE POP',
  'BALANCE, underflow': 'PUSH 0xdead BALANCE POP POP',
  'EXTCODESIZE, underflow': 'PUSH 0xdead EXTCODESIZE POP POP',
  'EXTCODEHASH, underflow': 'PUSH 0xdead EXTCODEHASH POP POP',
  'EXTCODECOPY, underflow': 'PUSH0 PUSH0 PUSH0 PUSH 0xdead EXTCODECOPY POP',
  'CALL, underflow': 'PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 PUSH 0xdead PUSH 5000 CALL POP POP',
  'SLOAD, overflow': `PUSH 7 SLOAD POP ${'ADDRESS '.repeat(1025)}`,
  'underflow before SLOAD': 'PUSH 7 POP POP PUSH 7 SLOAD',
  'underflow at SLOAD': 'SLOAD',
}

describe('a stack that faults', () => {
  let device: ComputeDevice
  beforeAll(async () => {
    device = await openDevice()
  })
  afterAll(() => device.destroy())

  const readsOf = async (code: string, options: Partial<ExecutorOptions>) => {
    const state = MemoryState.from({ [ALICE]: { balance: 10n ** 20n }, [CALLED]: { nonce: 1n, code: assemble(code) } })
    const executor = createExecutor({ fork: 'osaka', chainId: 1n, state, workers: 0, ...options })
    const transactions = [{ from: ALICE, to: CALLED, nonce: 0n, gasLimit: 100_000n, gasPrice: 10n }]
    const { changes, receipts, tiers } = await executor.execute({ env: ENV, changes: true, transactions })
    executor.close()
    const { readAccounts, readSlots } = changes![0]!
    return { tiers, read: { readAccounts: [...readAccounts].sort(), readSlots }, gas: receipts.get(0)!.gasUsed }
  }

  test.each(Object.keys(CODES))('%s: what was looked at before is read on every tier', async (name) => {
    const serial = await readsOf(CODES[name]!, {})
    const vm = { paths: 'never', laneVm: 'always', compile: 'wait', waves: 'always' } as const
    const lane = await readsOf(CODES[name]!, { device, ...vm })
    expect({ ...lane, tiers: {} }).toEqual({ ...serial, tiers: {} })
    expect(lane.tiers.laneVm, 'only a stack that faults after a look leaves the lane VM').toBe(
      name.includes('before SLOAD') || name === 'CALL, underflow' || name.includes('at SLOAD') ? 1 : 0,
    )
    const paths = { laneVm: 'never', compile: 'wait', waves: 'always', recordFrom: 1, kernels: 'never' } as const
    const path = await readsOf(CODES[name]!, { device, ...paths })
    expect({ ...path, tiers: {} }).toEqual({ ...serial, tiers: {} })
  })
})
