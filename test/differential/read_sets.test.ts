import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type ComputeDevice,
  createExecutor,
  type ExecutionResult,
  type ExecutorOptions,
  openDevice,
} from '../../host/index.ts'
import type { TransactionChanges } from '../../host/state/changes.ts'
import { READ_ENV, readCases } from '../fixtures/read_shapes.ts'

let device: ComputeDevice
beforeAll(async () => {
  device = await openDevice()
})
afterAll(() => device.destroy())

const { state, cases } = readCases()

const run = async (options: Partial<ExecutorOptions>, which = cases): Promise<ExecutionResult> => {
  const before = state.clone()
  const executor = createExecutor({
    fork: 'osaka',
    chainId: 1n,
    state: before,
    workers: 0,
    compile: 'wait',
    pathStore: false,
    ...options,
  })
  try {
    const transactions = which.map(({ transaction }) => transaction)
    return await executor.execute({ env: READ_ENV, transactions, changes: true })
  } finally {
    executor.close()
  }
}

const accountsOf = ({ accounts, readAccounts }: TransactionChanges): string[] =>
  [...accounts.map(({ address }) => address), ...readAccounts].sort()
const slotsOf = ({ slots, readSlots }: TransactionChanges): string[] =>
  [...slots, ...readSlots].map(({ address, key }) => `${address} ${key}`).sort()

/** What is read and should not be, and what is not and should. */
const wrong = ({ changes }: ExecutionResult, which = cases): string[] =>
  which.flatMap(({ name, accounts, slots }, i) => {
    const found = [...accountsOf(changes![i]!), ...slotsOf(changes![i]!)]
    const expected = [...accounts, ...slots]
    return [
      ...found.filter((one) => !expected.includes(one)).map((one) => `${name}: reads ${one}`),
      ...expected.filter((one) => !found.includes(one)).map((one) => `${name}: does not read ${one}`),
    ]
  })

describe('what a transaction reads is what the definition says', () => {
  it('on the CPU tier', async () => {
    expect(wrong(await run({}))).toEqual([])
  }, 120_000)

  it('on the lane VM', async () => {
    const result = await run({ device, paths: 'never', laneVm: 'always', waves: 'always' })
    expect(wrong(result)).toEqual([])
    expect(result.tiers.laneVm).toBeGreaterThan(cases.length / 2)
  }, 240_000)

  it('on path programs', async () => {
    const result = await run({ device, recordFrom: 1, kernels: 'never', laneVm: 'never', waves: 'always' })
    expect(wrong(result)).toEqual([])
    expect(result.tiers.pathProgram).toBeGreaterThan(cases.length / 5)
  }, 240_000)

  it('on paths on the host', async () => {
    const result = await run({ device, recordFrom: 1, kernels: 'never', laneVm: 'never' })
    expect(wrong(result)).toEqual([])
    expect(result.tiers.pathHost).toBeGreaterThan(cases.length / 5)
  }, 240_000)

  it('on path kernels', async () => {
    const few = cases.filter(({ name }) =>
      /^(CALL of a contract|CALL in a static frame|(STATIC|DELEGATE)CALL: its delegate), gas to spare/.test(name),
    )
    const result = await run({ device, recordFrom: 1, programs: 'never', laneVm: 'never', waves: 'always' }, few)
    expect(wrong(result, few)).toEqual([])
    expect(result.tiers.pathKernel).toBe(few.length)
  }, 240_000)
})
