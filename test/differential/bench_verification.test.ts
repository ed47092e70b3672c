import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ExecutedBlock, VERIFIED_SAMPLE, verifyBlock } from '../../bench/verify.ts'
import { WORKLOADS } from '../../bench/workloads/index.ts'
import { DEFAULT_FORK } from '../../bench/workloads/workload.ts'
import { createExecutor } from '../../host/flows/executor.ts'
import type { Receipts } from '../../host/receipts/receipts.ts'
import { MemoryState } from '../../host/state/memory_state.ts'
import type { StateWrites } from '../../host/state/state.ts'

const SEED = 11

/** Executes the second block of a workload without a device. */
const executed = async (name: string, size: number) => {
  const workload = WORKLOADS.find((candidate) => candidate.name === name)!
  const scenario = await workload.build({ fork: DEFAULT_FORK, size, seed: SEED, blocks: 2 })
  const state = new MemoryState()
  state.commit(scenario.genesis)
  const { fork, chainId } = scenario
  const executor = createExecutor({ fork, chainId, state })
  const first = scenario.next()
  await executor.execute({ env: first.env, transactions: first.transactions })
  const before = state.clone()
  const block = scenario.next()
  const { receipts } = await executor.execute({ env: block.env, transactions: block.transactions })
  executor.close()
  return { scenario, shares: workload.shares, block, receipts, before, after: state } satisfies ExecutedBlock
}

/** The same block with something wrong in its receipts. */
const withReceipts = (block: ExecutedBlock, changes: Partial<Record<keyof Receipts, unknown>>): ExecutedBlock => ({
  ...block,
  receipts: new Proxy(block.receipts, {
    get: (target, key) => {
      if (Object.hasOwn(changes, key)) return changes[key as keyof Receipts]
      const value = Reflect.get(target, key, target) as unknown
      return typeof value === 'function' ? value.bind(target) : value
    },
  }),
})

const NO_WRITES: StateWrites = {
  deletedAccounts: new Uint32Array(0),
  accountCount: 0,
  accountAddresses: new Uint32Array(0),
  accounts: {
    exists: new Uint8Array(0),
    nonce: new Uint32Array(0),
    balance: new Uint32Array(0),
    codeHash: new Uint32Array(0),
  },
  slotCount: 0,
  slotAddresses: new Uint32Array(0),
  slotKeys: new Uint32Array(0),
  slotValues: new Uint32Array(0),
  code: new Map(),
}

/** The same block with slot `slot` of the model one too high. */
const withWrongSlot = (block: ExecutedBlock, slot: number): ExecutedBlock => {
  const { addresses, keys, values } = block.block.expected
  const after = block.after.clone()
  const slotValues = values.slice(8 * slot, 8 * slot + 8)
  slotValues[0]! ^= 1
  after.commit({
    ...NO_WRITES,
    slotCount: 1,
    slotAddresses: addresses.slice(5 * slot, 5 * slot + 5),
    slotKeys: keys.slice(8 * slot, 8 * slot + 8),
    slotValues,
  })
  return { ...block, after }
}

describe('the verification of a block', () => {
  test.each(WORKLOADS.map(({ name }) => name))('passes for %s executed in order', async (name) => {
    const { count, serialGas } = await verifyBlock(await executed(name, 24), SEED)
    expect(count).toBe(24)
    expect(serialGas).toBeGreaterThanOrEqual(24 * 21_000)
  })

  test('takes a sample of a large block, and the first transactions where order matters', async () => {
    const size = VERIFIED_SAMPLE + 100
    expect((await verifyBlock(await executed('transfers', size), SEED)).count).toBe(VERIFIED_SAMPLE)
    expect((await verifyBlock(await executed('conflict-90', size), SEED)).count).toBe(VERIFIED_SAMPLE)
  })
})

describe('the stand-ins for contracts of mainnet', () => {
  const programs = process.env['WGEVM_PROGRAMS']
  beforeAll(() => {
    process.env['WGEVM_PROGRAMS'] = '/no/such/folder'
  })
  afterAll(() => {
    if (programs === undefined) delete process.env['WGEVM_PROGRAMS']
    else process.env['WGEVM_PROGRAMS'] = programs
  })

  test.each(['usdt', 'usdc-proxy', 'weth'])('carry the workload %s, and it says so', async (name) => {
    const block = await executed(name, 24)
    expect((await verifyBlock(block, SEED)).count).toBe(24)
    expect(block.scenario.programs[0]).toMatch(/^stand-in for|^WETH9 as published by Uniswap/)
  })
})

describe('the verification of a wrong block', () => {
  test('finds a slot that differs from the model', async () => {
    const block = await executed('erc20', 24)
    await expect(verifyBlock(withWrongSlot(block, 3), SEED)).rejects.toThrow(/slot 0x[0-9a-f]{64}: .*, must be/)
  })

  test('finds a transaction that failed', async () => {
    const block = await executed('erc20', 24)
    const status = block.receipts.status.slice()
    status[5] = 0
    await expect(verifyBlock(withReceipts(block, { status }), SEED)).rejects.toThrow('transaction 5: status 0')
  })

  test('finds gas that the balances do not show', async () => {
    const block = await executed('erc20', 24)
    const gasUsed = block.receipts.gasUsed.slice()
    gasUsed[7]! += 1
    const cumulativeGasUsed = gasUsed.map((_, i) => gasUsed.subarray(0, i + 1).reduce((sum, gas) => sum + gas, 0))
    await expect(verifyBlock(withReceipts(block, { gasUsed, cumulativeGasUsed }), SEED)).rejects.toThrow(
      'balance of 0x',
    )
  })

  test('finds cumulative gas that is not the running sum', async () => {
    const block = await executed('transfers', 24)
    const cumulativeGasUsed = block.receipts.cumulativeGasUsed.slice()
    cumulativeGasUsed[9]! += 1
    await expect(verifyBlock(withReceipts(block, { cumulativeGasUsed }), SEED)).rejects.toThrow(
      'transaction 9: cumulative gas',
    )
  })

  test('finds a log that serial execution does not have', async () => {
    const block = await executed('erc20', 24)
    const get = (i: number) => {
      const receipt = block.receipts.get(i)!
      return i === 11 ? { ...receipt, logs: receipt.logs.map((log) => ({ ...log, data: '0x' })) } : receipt
    }
    await expect(verifyBlock(withReceipts(block, { get }), SEED)).rejects.toThrow('transaction 11: log 0 data')
  })

  test('finds a wrong bloom', async () => {
    const block = await executed('erc20', 24)
    const get = (i: number) => ({ ...block.receipts.get(i)!, logsBloom: `0x${'0'.repeat(512)}` })
    await expect(verifyBlock(withReceipts(block, { get }), SEED)).rejects.toThrow('transaction 0: logsBloom')
  })

  test('finds a receipt that is missing', async () => {
    const block = await executed('transfers', 24)
    await expect(verifyBlock(withReceipts(block, { count: 23 }), SEED)).rejects.toThrow('23 receipts')
  })
})
