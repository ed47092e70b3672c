import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fillState, readBlockFixture } from '../../conformance/block_fixture.ts'
import {
  type ComputeDevice,
  createExecutor,
  type ExecuteRequest,
  type ExecutionResult,
  type Executor,
  type ExecutorOptions,
  MemoryState,
  openDevice,
  type TransactionObject,
} from '../../host/index.ts'
import { bytesToHex } from '../../host/primitives/hex.ts'
import type { Fork } from '../../transpiler/spec/forks.ts'
import { assemble } from '../fixtures/assembler.ts'
import { CHILD_INIT } from '../fixtures/batch_births.ts'
import { BatchCheck, ReplaceableState } from '../fixtures/batch_check.ts'
import {
  BATCH_ENV,
  batchState,
  COINBASE,
  childAddress,
  contractAddress,
  randomBatch,
  sender,
  stranger,
  word,
} from '../fixtures/batch_world.ts'

const FOLDER = new URL('../../../shared/data/blocks/', import.meta.url)
const WORKERS = [0, 1, 8] as const
/** What runs where does not hang on the time that something takes. */
const STEADY = { laneVm: 'never', compile: 'wait', waves: 'always', kernels: 'never', recordFrom: 1 } as const

let device: ComputeDevice
beforeAll(async () => {
  device = await openDevice()
})
afterAll(() => {
  for (const { executor } of checks.values()) executor.close()
  device.destroy()
})

/** What must not depend on the number of workers. */
const traitsOf = ({ receipts, rejected, tiers, rounds, exits, explain, changes, writes }: ExecutionResult) => ({
  receipts: Array.from({ length: receipts.count }, (_, i) => receipts.get(i)),
  bloom: bytesToHex(receipts.blockBloom()),
  rejected,
  tiers,
  rounds,
  exits,
  explain,
  changes,
  code: [...writes.code.keys()].sort(),
})

interface Run {
  readonly executor: Executor
  readonly state: ReplaceableState
}

/** One executor for each number of workers. */
const executorsOf = async (options: Omit<ExecutorOptions, 'state'>): Promise<Run[]> => {
  const runs: Run[] = []
  for (const workers of WORKERS) {
    const state = new ReplaceableState()
    const executor = createExecutor({ ...options, state, workers })
    await executor.warm()
    runs.push({ executor, state })
  }
  return runs
}

/** Executes a batch on every executor; returns the results, which are the same but for `ahead` and times. */
const expectSame = async (
  what: string,
  runs: readonly Run[],
  before: MemoryState,
  { env, transactions }: Pick<ExecuteRequest, 'env' | 'transactions'>,
): Promise<ExecutionResult[]> => {
  const results: ExecutionResult[] = []
  for (const { executor, state } of runs) {
    executor.forget()
    state.inner = before.clone()
    const result = await executor.execute({ env, transactions, explain: true, changes: true })
    expect(result.faults).toEqual([])
    expect(state.inner.dump(), what).toEqual(runs[0]!.state.inner.dump())
    expect(traitsOf(result), what).toEqual(traitsOf(results[0] ?? result))
    results.push(result)
  }
  return results
}

const numberedTransactions = (transactions: Partial<TransactionObject>[]): TransactionObject[] => {
  const nonces = new Map<string, bigint>()
  return transactions.map((fields) => {
    const from = fields.from ?? sender(0)
    const nonce = nonces.get(from) ?? 0n
    nonces.set(from, nonce + 1n)
    return { from, nonce, gasLimit: 300_000n, gasPrice: 12n, ...fields }
  })
}

const checks = new Map<Fork, BatchCheck>()

const MOST_TRIES = 20

/** Executes planted transactions with a worker and compares with serial execution. */
const planted = async (
  transactions: Partial<TransactionObject>[],
  { state = batchState(), fork = 'cancun' as Fork } = {},
): Promise<ExecutionResult> => {
  let check = checks.get(fork)
  if (check === undefined) {
    check = new BatchCheck({ fork, workers: 1 })
    checks.set(fork, check)
    await check.executor.warm()
  }
  const { result, difference } = await check.run(state, numberedTransactions(transactions))
  expect(difference).toBeUndefined()
  expect(result.faults).toEqual([])
  return result
}

/** Creates a contract that destroys itself at once, and notes the address that it had in the slot of the caller. */
const MAKER = assemble('PUSH 0x33ff PUSH0 MSTORE PUSH 2 PUSH 30 PUSH0 CREATE CALLER SSTORE STOP')
/** Creates a contract without code, with a salt. */
const SALTED_MAKER = assemble('PUSH0 CALLDATALOAD PUSH0 PUSH0 PUSH0 CREATE2 CALLER SSTORE STOP')

/** What came of executions ahead: on a busy machine the worker may be too late for all of a batch. */
const untilAhead = async (
  transactions: Partial<TransactionObject>[],
  state: MemoryState,
): Promise<ExecutionResult['ahead']> => {
  for (let n = 0; n < MOST_TRIES; n++) {
    const { ahead } = await planted(transactions, { state })
    if (ahead.held + ahead.broken > 0) return ahead
  }
  throw new Error('no worker was in time')
}

const call = (name: string, ...words: (bigint | string)[]): Partial<TransactionObject> => ({
  to: contractAddress(name),
  data: `0x${words.map((one) => word(BigInt(one)).slice(2)).join('')}`,
})

describe('executions ahead', () => {
  test('give the same receipts, rounds, tiers, changes and reasons on 0, 1 and 8 workers', async () => {
    const state = batchState()
    const runs = await executorsOf({ fork: 'osaka', chainId: 1n, device, ...STEADY })
    for (let seed = 5001; seed <= 5030; seed++) {
      const transactions = randomBatch(seed, state, { fork: 'osaka', most: 40 })
      await expectSame(`seed ${seed}`, runs, state, { env: BATCH_ENV, transactions })
    }
    for (const { executor } of runs) executor.close()
  })

  test('hold where a sender has sent before, and where others paid the same contract', async () => {
    const deposits = Array.from({ length: 40 }, (_, n) => ({
      from: sender(n % 4),
      to: contractAddress('vault'),
      value: BigInt(1000 + n),
    }))
    const result = await planted(
      deposits.map((fields, n) => (n < 4 ? fields : { ...fields, to: contractAddress('witness') })),
    )
    expect(result.tiers.cpu).toBe(40)
    expect(result.ahead.broken).toBe(0)
    expect(result.ahead.held).toBeGreaterThan(0)
  })

  test('are made again where a slot has another value at their place', async () => {
    const { receipts } = await planted(
      Array.from({ length: 40 }, (_, n) => ({ from: sender(n % 5), ...call('counter') })),
    )
    expect(BigInt(receipts.get(39)!.output)).toBe(40n)
  })

  test('see the fees of those before them where they read the balance of the coinbase', async () => {
    await planted(
      Array.from({ length: 30 }, (_, n) => ({
        from: sender(n % 6),
        ...call(n % 2 === 0 ? 'fee watcher' : 'witness', 1n),
      })),
    )
    await planted(
      Array.from({ length: 20 }, (_, n) => ({
        from: n % 3 === 0 ? COINBASE : sender(n % 6),
        ...call('balance reader', COINBASE),
      })),
      {
        state: withBalance(COINBASE),
      },
    )
  })

  test('see ancestors', async () => {
    await planted(Array.from({ length: 16 }, (_, n) => ({ from: sender(n % 6), ...call('historian', BigInt(n % 6)) })))
  })

  test('meet contracts that others made at the same address, destroyed, and made again', async () => {
    const salt = 3n
    const make = (name: 'factory' | 'phoenix') => ({
      ...call(name, salt),
      data: `${word(salt)}${bytesToHex(CHILD_INIT).slice(2)}`,
    })
    const child = childAddress('factory', salt)
    const story: Partial<TransactionObject>[] = [
      { from: sender(0), ...make('factory'), value: 5n },
      { from: sender(1), to: child },
      { from: sender(2), to: child },
      { from: sender(3), ...make('factory') },
      { from: sender(4), to: child, data: word(BigInt(stranger(3))) },
      { from: sender(5), to: child },
      { from: sender(6), ...make('factory') },
      { from: sender(7), to: child },
      { from: sender(8), ...make('phoenix') },
      { from: sender(9), ...make('phoenix') },
      { from: sender(8), to: childAddress('phoenix', salt), value: 3n },
      { from: sender(9), ...make('phoenix') },
    ]
    for (const fork of ['shanghai', 'cancun'] as const) await planted(story, { fork })
  })

  test('refuse to make a contract over storage, wherever they are made', async () => {
    const state = batchState()
    // Two creations at each address: of the second one the account is resident.
    const creations = Array.from({ length: 12 }, (_, n) => {
      const salt = BigInt(n >> 1)
      state.setAccount(childAddress('factory', salt), { balance: 1n, storage: { '0x5': 5n } })
      const data = `${word(salt)}${bytesToHex(CHILD_INIT).slice(2)}`
      return { from: sender(n % 6), to: contractAddress('factory'), data }
    })
    await untilAhead(creations, state)
  })

  test('hold where a contract has made others since, and not where their addresses follow from its nonce', async () => {
    const state = batchState()
    const creations = Array.from({ length: 40 }, (_, n) => ({
      from: sender(n % 6),
      to: contractAddress('factory'),
      data: `0x${word(BigInt(n)).slice(2)}${bytesToHex(CHILD_INIT).slice(2)}`,
    }))
    expect(await untilAhead(creations, state)).toMatchObject({ broken: 0 })
    const maker = stranger(51)
    state.setAccount(maker, { nonce: 1n, code: MAKER })
    await untilAhead(
      creations.map(({ from }) => ({ from, to: maker })),
      state,
    )
  })

  test('fail where a contract has counted to the last nonce before them', async () => {
    const state = batchState()
    const maker = stranger(52)
    state.setAccount(maker, { nonce: (1n << 64n) - 4n, code: SALTED_MAKER })
    const creations = Array.from({ length: 24 }, (_, n) => ({ from: sender(n % 6), to: maker, data: word(BigInt(n)) }))
    const { held } = await untilAhead(creations, state)
    expect(held).toBeLessThan(creations.length)
  })

  test('end where a payment would empty an account that others fill', async () => {
    const state = batchState()
    state.setAccount(stranger(50), {
      balance: 100n,
      nonce: 1n,
      code: assemble('PUSH0 PUSH0 PUSH0 PUSH0 PUSH 100 CALLER GAS CALL PUSH0 SSTORE STOP'),
    })
    await planted(
      Array.from({ length: 30 }, (_, n) =>
        n % 3 === 2 ? { from: sender(n % 7), to: stranger(50), value: 60n } : { from: sender(n % 7), to: stranger(50) },
      ),
      { state },
    )
  })

  test.skipIf(!existsSync(FOLDER))(
    'give the same on two real blocks (skipped where ../shared/data/blocks is absent)',
    async () => {
      const runs = await executorsOf({ fork: 'paris', chainId: 1n })
      for (const name of ['mainnet-17034869', 'mainnet-16257471']) {
        const fixture = readBlockFixture(fileURLToPath(new URL(`${name}.json.gz`, FOLDER)))
        expect(fixture.fork).toBe('paris')
        const base = fillState(fixture, new MemoryState())
        const [first, ...others] = await expectSame(name, runs, base, fixture)
        expect(BigInt(first!.receipts.totalGasUsed)).toBe(fixture.expected.gasUsed)
        for (const { ahead } of others) expect(ahead.held).toBeGreaterThan(ahead.broken)
      }
      for (const { executor } of runs) executor.close()
    },
  )
})

const withBalance = (address: string): MemoryState => {
  const state = batchState()
  state.setAccount(address, { balance: 10n ** 18n })
  return state
}
