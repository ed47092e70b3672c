import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WORKLOADS } from '../../bench/workloads/index.ts'
import { DEFAULT_FORK } from '../../bench/workloads/workload.ts'
import {
  type ComputeDevice,
  createExecutor,
  type ExecutionResult,
  type ExecutorOptions,
  MemoryState,
  openDevice,
  type TierCounts,
  type TransactionObject,
} from '../../host/index.ts'
import { wordToBigInt } from '../../host/primitives/word.ts'
import { ROW_LIMBS } from '../../host/state/tables/account_table.ts'
import { BatchCheck, type BatchCheckOptions } from '../fixtures/batch_check.ts'
import { BATCH_ENV, batchState, contractAddress, sender, word } from '../fixtures/batch_world.ts'
import { limitedDevice } from '../fixtures/limited_device.ts'

const SIZE = 500
const transfers = WORKLOADS.find(({ name }) => name === 'erc20')!
const ACCOUNTS = 12
const ENV = { ...BATCH_ENV, gasLimit: 1n << 40n }
const TOO_LITTLE_BYTES = 100_000

let device: ComputeDevice

beforeAll(async () => {
  device = await openDevice()
})

afterAll(() => device.destroy())

/** The sender of transaction n of each block is `n % ACCOUNTS`. */
const nonceOf = (block: number, n: number): bigint =>
  BigInt(block * Math.ceil((SIZE - (n % ACCOUNTS)) / ACCOUNTS) + Math.floor(n / ACCOUNTS))

/** Calls of few accounts that leave every value as it was, so none conflicts: lanes take more than tables. */
const calls = (block: number): TransactionObject[] =>
  Array.from({ length: SIZE }, (_, n) => ({
    from: sender(n % ACCOUNTS),
    to: contractAddress('price board'),
    nonce: nonceOf(block, n),
    gasLimit: 100_000n,
    gasPrice: 10n,
    data: word(0n),
  }))

/** `littleBytes`: for the tables and a wave of one workgroup, but not for all. */
const FORMS = {
  'path kernels': {
    tier: 'pathKernel',
    littleBytes: 400_000,
    check: { programs: 'never', recordFrom: 1 },
    executor: { programs: 'never', laneVm: 'never' },
  },
  'path programs': {
    tier: 'pathProgram',
    littleBytes: 400_000,
    check: { programs: 'always', recordFrom: 1 },
    executor: { kernels: 'never', laneVm: 'never' },
  },
  'the lane VM': {
    tier: 'laneVm',
    littleBytes: 4_000_000,
    check: { paths: 'never', laneVm: 'always' },
    executor: { paths: 'never', laneVm: 'always' },
  },
} as const satisfies Record<string, Form>

interface Form {
  readonly tier: keyof TierCounts
  readonly littleBytes: number
  readonly check: BatchCheckOptions
  readonly executor: Partial<ExecutorOptions>
}

/** The same with some in a loop without an end: no path has so many steps, so the lane VM takes it. */
const mixedCalls = (block: number): TransactionObject[] =>
  calls(block).map((call, n) =>
    n % 25 > 0 ? call : { ...call, to: contractAddress('burner'), gasLimit: 250_000n, data: '0x' },
  )

/** Two batches on a device with so much memory, each as serially. */
const runIn = async (memoryBytes: number, options: BatchCheckOptions, batch = calls) => {
  const limited = limitedDevice(device, { memoryBytes })
  const check = new BatchCheck({ ...options, device: limited })
  const first = await check.run(batchState(), batch(0), ENV)
  const second = await check.next(batch(1), ENV)
  for (const { difference } of [first, second]) expect(difference).toBeUndefined()
  check.executor.close()
  expect(limited.heldBytes).toBe(0)
  return { results: [first.result, second.result], refused: limited.refused }
}

/** Two batches of token transfers, with tables that grow, on a device that has no memory for one buffer. */
const transfersWithout = async (refuses: number, size: number, options: Partial<ExecutorOptions>) => {
  const scenario = await transfers.build({ fork: DEFAULT_FORK, size, seed: 5, blocks: 2 })
  const state = new MemoryState()
  state.commit(scenario.genesis)
  const { fork, chainId } = scenario
  const limited = limitedDevice(device, { refuses })
  const common = { fork, chainId, state, recordFrom: 1, compile: 'wait', waves: 'always', workers: 0 } as const
  const executor = createExecutor({ ...common, ...options, device: limited })
  const results: ExecutionResult[] = []
  for (let k = 0; k < 2; k++) {
    const block = scenario.next()
    const result = await executor.execute({ env: block.env, transactions: block.transactions })
    const { count, addresses, keys, values } = block.expected
    const found = await state.readSlots(addresses, keys, count)
    for (let i = 0; i < count; i++) expect(wordToBigInt(found, 8 * i)).toBe(wordToBigInt(values, 8 * i))
    results.push(result)
  }
  executor.close()
  expect(limited.heldBytes).toBe(0)
  return { results, limited }
}

describe('a single buffer for which the device has no memory', () => {
  for (const [form, { tier, executor }] of Object.entries(FORMS)) {
    test(`costs ${form} no transaction, whichever it is, in waves of many lanes and of few`, async () => {
      for (const size of [600, 40]) {
        for (let refuses = 0; ; refuses++) {
          const { results, limited } = await transfersWithout(refuses, size, executor)
          if (limited.refused === 0) {
            expect(refuses).toBeGreaterThan(10)
            break
          }
          for (const { tiers, exits } of results) {
            expect(exits, `buffer ${refuses} of ${size}`).toEqual({})
            expect(tiers[tier]).toBe(size)
          }
          // The lane VM has the topics of logs hashed on the device, or else by the host.
          const faults = results.flatMap((result) => result.faults)
          expect(faults.length, `buffer ${refuses} of ${size}`).toBeLessThanOrEqual(form === 'the lane VM' ? 1 : 0)
        }
      }
    }, 60_000)
  }
})

describe('a wave for which the device has no memory', () => {
  for (const [form, { tier, littleBytes, check }] of Object.entries(FORMS)) {
    test(`runs in halves on ${form}, and later ones too; nothing goes to the CPU tier or stays behind`, async () => {
      const { results, refused } = await runIn(littleBytes, check)
      expect(refused).toBeGreaterThan(0)
      for (const { tiers, faults, exits, chunks } of results) {
        expect(faults).toEqual([])
        expect(exits).toEqual({})
        expect(tiers[tier]).toBe(SIZE)
        expect(chunks).toBeGreaterThan(0)
      }
    })

    test(`is left to the CPU tier, with the reason, where its least part does not fit on ${form}`, async () => {
      const { results } = await runIn(TOO_LITTLE_BYTES, check)
      for (const { tiers, exits, faults } of results) {
        expect(tiers.cpu).toBe(SIZE)
        expect(exits).toEqual({ 'out of device memory': SIZE })
        expect(faults).toEqual([expect.stringMatching(/^buffer .*: no memory$/)])
      }
    })
  }

  test('leaves a batch of two tiers exact, whichever of them it is too little for', async () => {
    const both: BatchCheckOptions = { programs: 'never', recordFrom: 1, laneVm: 'worth' }
    const ran: string[] = []
    for (const memoryBytes of [TOO_LITTLE_BYTES, 400_000, 2_000_000]) {
      const { results } = await runIn(memoryBytes, both, mixedCalls)
      const { tiers, exits } = results[0]!
      const { pathKernel, laneVm, cpu } = tiers
      expect(pathKernel + laneVm + cpu, `${memoryBytes} bytes`).toBe(SIZE)
      expect((exits['out of device memory'] ?? 0) > 0, `${memoryBytes} bytes`).toBe(cpu > 0)
      ran.push([pathKernel > 0 ? 'paths' : '', laneVm > 0 ? 'lane VM' : '', cpu > 0 ? 'CPU' : ''].join(' ').trim())
    }
    expect(ran).toEqual(['CPU', 'paths  CPU', 'paths lane VM'])
  })
})

describe('tables larger than the device has room for', () => {
  /** Accounts that nothing but a payment names: 5 batches are more rows than one binding holds. */
  const payments = (block: number): TransactionObject[] =>
    Array.from({ length: SIZE }, (_, n) => ({
      from: sender(n % ACCOUNTS),
      to: `0x${(0xbeef0000 + block * SIZE + n).toString(16).padStart(40, '0')}`,
      nonce: nonceOf(block, n),
      gasLimit: 21_000n,
      gasPrice: 10n,
      value: 1n,
    }))

  test('are kept while nothing asks it for them, and within its room from the first batch that does', async () => {
    const limited = limitedDevice(device, { bindingBytes: 2 ** 17 })
    const check = new BatchCheck({ programs: 'never', recordFrom: 1, laneVm: 'never', device: limited })
    const paid = [await check.run(batchState(), payments(0), ENV)]
    for (let block = 1; block < 5; block++) paid.push(await check.next(payments(block), ENV))
    for (const { difference } of paid) expect(difference).toBeUndefined()
    const { tables, evictions } = check.executor.memory
    expect([tables.accounts > 2 ** 17 / (4 * ROW_LIMBS), evictions]).toEqual([true, 0])
    const asked = [await check.next(calls(5), ENV), await check.next(calls(6), ENV)]
    for (const { difference } of asked) expect(difference).toBeUndefined()
    expect(check.executor.memory.evictions).toBe(1)
    expect(asked[1]!.result.tiers.pathKernel).toBe(SIZE)
    check.executor.close()
    expect(limited.heldBytes).toBe(0)
  })
})
