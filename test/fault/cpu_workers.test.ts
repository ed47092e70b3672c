import { afterEach, describe, expect, test } from 'vitest'
import { compareWithSerial, runSerial } from '../../bench/oracle.ts'
import { encodeBatch } from '../../host/chain/encode_batch.ts'
import { createExecutor, type ExecutionResult, type Executor, MemoryState } from '../../host/index.ts'
import { ResidentState } from '../../host/state/tables/resident_tables.ts'
import { CpuPool } from '../../host/tiers/cpu/pool/pool.ts'
import { codeSkeleton } from '../../transpiler/index.ts'
import { BATCH_ENV, batchState, randomBatch, sender } from '../fixtures/batch_world.ts'

const workerAt = (name: string): URL => new URL(`../fixtures/workers/${name}`, import.meta.url)

let executor: Executor | undefined
afterEach(() => executor?.close())

const NOTHING_FORESEEN = { accounts: [], slots: [] }

/** Most batches until a fault shows: a thread ends when it gets its share of the processor. */
const PATIENCE = 60

/**
 * Batches on the CPU tier alone with these workers, each compared with serial execution: so many, or until so many
 * faults have shown.
 */
const runWith = async (
  entry: URL | undefined,
  { batches = PATIENCE, faults = Number.POSITIVE_INFINITY, workers = 2 },
): Promise<ExecutionResult[]> => {
  const state = batchState()
  executor = createExecutor({
    fork: 'prague',
    chainId: 1n,
    state,
    workers,
    ...(entry === undefined ? {} : { workerEntry: entry }),
  })
  await executor.warm()
  const results: ExecutionResult[] = []
  for (let seed = 1; seed <= batches && faultsOf(results).length < faults; seed++) {
    const transactions = randomBatch(seed, state)
    const serial = await runSerial({ fork: 'prague', chainId: 1n, env: BATCH_ENV, state: state.clone(), transactions })
    const result = await executor.execute({ env: BATCH_ENV, transactions })
    expect(compareWithSerial({ receipts: result.receipts, state }, serial)).toBeUndefined()
    results.push(result)
  }
  return results
}

const faultsOf = (results: readonly ExecutionResult[]): string[] => results.flatMap(({ faults }) => faults)

describe('workers of the CPU tier', () => {
  test('that are well take transactions, and nothing is reported', async () => {
    const results = await runWith(undefined, { batches: 3 })
    expect(faultsOf(results)).toEqual([])
    expect(results.reduce((sum, { ahead }) => sum + ahead.held, 0)).toBeGreaterThan(0)
  })

  test('that have to ask post what came of every transaction all the same', async () => {
    const resident = new ResidentState(batchState(), codeSkeleton)
    const pool = new CpuPool({ fork: 'prague', chainId: 1n, resident, workers: 1 })
    try {
      await pool.warm()
      pool.begin()
      const { outcomes } = pool.offer(BATCH_ENV, encodeBatch(randomBatch(1, batchState())), NOTHING_FORESEEN)
      const endMs = performance.now() + 20_000
      const isOpen = (): boolean => outcomes.includes(undefined)
      while (isOpen() && performance.now() < endMs) await new Promise((resolve) => setTimeout(resolve, 1))
      expect(outcomes.filter((outcome) => outcome === undefined)).toEqual([])
    } finally {
      pool.close()
    }
  })

  test('that end in the middle of a batch cost their transactions another execution', async () => {
    const faults = faultsOf(await runWith(workerAt('crash.mjs'), { faults: 1 }))
    expect(faults).toContain('worker of the CPU tier: exit code 3')
  })

  test('that end while they execute are replaced', async () => {
    const resident = new ResidentState(batchState(), codeSkeleton)
    const pool = new CpuPool({ fork: 'prague', chainId: 1n, resident, workers: 1, entry: workerAt('mortal.ts') })
    try {
      await pool.warm()
      for (let seed = 1; pool.faults.length === 0; seed++) {
        pool.begin()
        const { outcomes, failed } = pool.offer(
          BATCH_ENV,
          encodeBatch(randomBatch(seed, batchState())),
          NOTHING_FORESEEN,
        )
        const isOpen = (): boolean => outcomes.some((outcome, n) => outcome === undefined && failed[n] === 0)
        while (pool.faults.length === 0 && isOpen()) await new Promise((resolve) => setTimeout(resolve, 1))
      }
      expect(pool.faults).toEqual(['worker of the CPU tier: exit code 7'])
      await pool.warm()
      expect(pool.ready).toBe(1)
    } finally {
      pool.close()
    }
  })

  test('that never answer do not stop the batch', async () => {
    const results = await runWith(workerAt('silent.mjs'), { batches: 2 })
    expect(results.reduce((sum, { ahead }) => sum + ahead.held, 0)).toBe(0)
  })

  test('that never answer are waited for once, and replaced at the start of a later batch', async () => {
    const resident = new ResidentState(batchState(), codeSkeleton)
    const entry = workerAt('silent.mjs')
    const pool = new CpuPool({ fork: 'prague', chainId: 1n, resident, workers: 1, hangMs: 40, entry })
    try {
      await pool.warm()
      pool.begin()
      const lot = pool.offer(BATCH_ENV, encodeBatch(randomBatch(1, batchState())), NOTHING_FORESEEN)
      while (Atomics.load(lot.claims, 0) === 0) await pool.hear(1)
      while (await pool.hear(1));
      const startedMs = performance.now()
      for (let n = 0; n < 1000; n++) expect(await pool.hear(1)).toBe(false)
      expect(performance.now() - startedMs).toBeLessThan(20_000)
      pool.begin()
      await new Promise((resolve) => setTimeout(resolve, 60))
      pool.begin()
      expect(pool.faults).toEqual(['worker of the CPU tier: no sign of life'])
      await pool.warm()
      expect(pool.ready).toBe(1)
    } finally {
      pool.close()
    }
  })

  test('that answer nonsense are not believed', async () => {
    const faults = faultsOf(await runWith(workerAt('nonsense.mjs'), { faults: 3 }))
    expect(faults.length).toBeGreaterThan(2)
  })

  test('that cannot start leave the CPU tier to the thread of the executor', async () => {
    const faults = faultsOf(await runWith(workerAt('absent.mjs'), { faults: 1 }))
    expect(faults[0]).toMatch(/^worker of the CPU tier: .*absent/)
  })

  test('remember codes within their share of the budget, and say how much', async () => {
    const CODE_BYTES = 24_000
    const CALLS = 4
    const contract = (n: number): string => `0x${(0xc0de0000 + n).toString(16).padStart(40, '0')}`
    const allocation = Object.fromEntries(
      Array.from({ length: 60 * CALLS }, (_, n) => [
        contract(n),
        // sstore(0, n), and bytes that no other code has.
        {
          code: `0x61${n.toString(16).padStart(4, '0')}5f5500${n
            .toString(16)
            .padStart(4, '0')
            .repeat(CODE_BYTES / 2)}`,
        },
      ]),
    )
    const from = sender(0)
    const state = MemoryState.from({ ...allocation, [from]: { balance: 10n ** 20n } })
    const codes = 20 * CODE_BYTES
    executor = createExecutor({ fork: 'prague', chainId: 1n, state, workers: 2, memory: { codes } })
    await executor.warm()
    let most = 0
    let held = 0
    for (let block = 0; block < 60; block++) {
      const transactions = Array.from({ length: CALLS }, (_, n) => ({
        from,
        to: contract(CALLS * block + n),
        nonce: BigInt(CALLS * block + n),
        gasLimit: 100_000n,
        gasPrice: 10n,
      }))
      const { tiers, ahead } = await executor.execute({ env: BATCH_ENV, transactions: encodeBatch(transactions) })
      expect(tiers.cpu).toBe(CALLS)
      held += ahead.held
      most = Math.max(most, executor.memory.codes.bytes)
    }
    expect(held).toBeGreaterThan(0)
    // More than the tables may: what threads remember is counted.
    expect(most).toBeGreaterThan(codes / 2)
    // Above the budget, what two batches bring to each thread.
    expect(most).toBeLessThan(codes + 3 * 2 * CALLS * CODE_BYTES)
    for (let n = 0; n < 60 * CALLS; n++) expect(state.storage(contract(n), 0n)).toBe(BigInt(n))
  })

  test('are a whole number of threads', () => {
    const options = { fork: 'prague', chainId: 1n, state: batchState() } as const
    expect(() => createExecutor({ ...options, workers: -1 })).toThrow('workers must be an integer from 0 on, got -1')
    expect(() => createExecutor({ ...options, workers: 1.5 })).toThrow('workers must be an integer from 0 on, got 1.5')
  })
})
