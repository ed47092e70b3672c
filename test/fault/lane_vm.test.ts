import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ComputeDevice, openDevice, type TransactionObject } from '../../host/index.ts'
import type { MemoryState } from '../../host/state/memory_state.ts'
import { BatchCheck } from '../fixtures/batch_check.ts'
import { BATCH_ENV, batchState, contractAddress, sender, stranger, word } from '../fixtures/batch_world.ts'
import { HOSTILE_PROGRAMS, type HostileProgram } from '../fixtures/hostile_programs.ts'

/** Room for programs that ask for four billion gas. */
const ENV = { ...BATCH_ENV, gasLimit: 1n << 50n }
const PAYMENTS = 10

let device: ComputeDevice
let check: BatchCheck
beforeAll(async () => {
  device = await openDevice()
  check = new BatchCheck({ device, paths: 'never', laneVm: 'always' })
})
afterAll(() => {
  check.executor.close()
  device.destroy()
})

const hex = (value: bigint): string => `0x${value.toString(16).padStart(40, '0')}`
const hostileAddress = (n: number): string => hex(0xd000000000000000000000000000000000000000n + BigInt(n))
const hostileSender = (n: number): string => hex(0xe000000000000000000000000000000000000000n + BigInt(n))

const world = (programs: readonly HostileProgram[]): MemoryState => {
  const state = batchState()
  for (const [n, { code }] of programs.entries()) {
    state.setAccount(hostileAddress(n), { code, nonce: 1n, balance: 1000n })
    state.setAccount(hostileSender(n), { balance: 10n ** 20n })
  }
  return state
}

const payment = (n: number): TransactionObject => ({
  from: sender(n),
  to: contractAddress('token'),
  nonce: 0n,
  gasLimit: 100_000n,
  gasPrice: 10n,
  data: `${word(BigInt(stranger(100 + n)))}${word(1n).slice(2)}`,
})

const hostileCall = ({ gasLimit, data = '0x' }: HostileProgram, n: number): TransactionObject => ({
  from: hostileSender(n),
  to: hostileAddress(n),
  nonce: 0n,
  gasLimit,
  gasPrice: 10n,
  data,
})

/** The programs among ordinary payments, in one batch. */
const runAmongPayments = async (programs: readonly HostileProgram[]) => {
  const calls = programs.map(hostileCall)
  const half = PAYMENTS >> 1
  const payments = Array.from({ length: PAYMENTS }, (_, n) => payment(n))
  const transactions = [...payments.slice(0, half), ...calls, ...payments.slice(half)]
  const { result, difference } = await check.run(world(programs), transactions, ENV)
  return { result, difference }
}

describe('on the lane VM, beside ordinary payments,', () => {
  for (const [name, programs] of Object.entries(HOSTILE_PROGRAMS)) {
    test(`hostile ${name} end as serially, or with a reason on the CPU tier: ${programs.length} in one batch`, async () => {
      const { result, difference } = await runAmongPayments(programs)
      expect(difference).toBeUndefined()
      expect(result.faults).toEqual([])
      const { laneVm, cpu } = result.tiers
      expect(laneVm + cpu).toBe(PAYMENTS + programs.length)
      expect(laneVm, `the payments stay on the device: ${JSON.stringify(result.exits)}`).toBeGreaterThanOrEqual(
        PAYMENTS,
      )
    }, 120_000)
  }

  test('all of them in one batch end as serially', async () => {
    const all = Object.values(HOSTILE_PROGRAMS).flat()
    const { result, difference } = await runAmongPayments(all)
    expect(difference).toBeUndefined()
    expect(result.faults).toEqual([])
    expect(result.tiers.laneVm).toBeGreaterThanOrEqual(PAYMENTS + 0.8 * all.length)
    for (const reason of Object.keys(result.exits)) expect(reason).toMatch(/^(vm quota|refused): |^vm budget$/)
  }, 300_000)
})
