import { mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createOpenBatch, TIER_FIRST } from '../../host/batch/open_batch.ts'
import { ExitReasons } from '../../host/batch/reason.ts'
import { loadParties, routeTransactions } from '../../host/batch/route.ts'
import { encodeBatch } from '../../host/chain/encode_batch.ts'
import { transactionRules } from '../../host/chain/rules.ts'
import { policyOf } from '../../host/flows/policy.ts'
import { type ComputeDevice, openDevice, type TransactionObject } from '../../host/index.ts'
import { Precompiles } from '../../host/precompiles/precompiles.ts'
import { DeviceSessions } from '../../host/session/device_sessions.ts'
import { ResidentState } from '../../host/state/tables/resident_tables.ts'
import { PathLibrary } from '../../host/tiers/path/library.ts'
import { openPathStore, type PathStore } from '../../host/tiers/path/store/store.ts'
import { PathTier } from '../../host/tiers/path/tier.ts'
import { codeSkeleton } from '../../transpiler/index.ts'
import { FaultyDevice } from '../fault/device_faults.ts'
import { BatchCheck } from '../fixtures/batch_check.ts'
import { BATCH_ENV, batchState, contractAddress, sender, stranger, word } from '../fixtures/batch_world.ts'

let device: ComputeDevice
beforeAll(async () => {
  device = await openDevice()
})
afterAll(() => device.destroy())

const NEVER_RECORD = 1_000_000

const call = (n: number, nonce: bigint, contract: string, ...words: readonly bigint[]): TransactionObject => ({
  from: sender(n),
  nonce,
  to: contractAddress(contract),
  gasLimit: 200_000n,
  gasPrice: 10n,
  data: `0x${words.map((one) => word(one).slice(2)).join('')}`,
})

/** Payments of one token, to new holders (one path) and to old ones (another path of the same key), and set prices. */
const batch = (nonce: bigint): TransactionObject[] =>
  Array.from({ length: 6 }, (_, n) => [
    call(n, nonce, 'token', BigInt(n % 2 === 0 ? stranger(10 * Number(nonce) + n) : sender(n + 5)), 1n),
    call(n, nonce + 1n, 'price board', 0n),
  ]).flat()

describe('the path store of an executor', () => {
  let folder: string
  let warnings: string[]
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'wgevm-paths-'))
    warnings = []
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  const open = (place = folder): PathStore => openPathStore({ folder: place, warn: (text) => warnings.push(text) })
  const files = () =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.path'))
      .map((name) => join(folder, name))

  /** One batch on a new executor with this store. */
  const run = async (pathStore: PathStore, recordFrom: number) => {
    const check = new BatchCheck({ device, programs: 'always', recordFrom, pathStore })
    const { difference, result } = await check.run(batchState(), batch(0n))
    check.executor.close()
    await pathStore.flush()
    expect([difference, result.faults]).toEqual([undefined, []])
    return result.tiers
  }

  test('makes the next one warm: it records nothing and executes everything on the device', async () => {
    const recorded = await run(open(), 1)
    expect(recorded.pathProgram).toBe(12)
    expect(await run(open(join(folder, 'other')), NEVER_RECORD)).toMatchObject({ cpu: 12 })
    expect(await run(open(), NEVER_RECORD)).toEqual(recorded)
    expect(warnings).toEqual([])
  })

  test('whose files are damaged costs a warning: the paths are recorded again, and kept again', async () => {
    await run(open(), 1)
    const count = files().length
    for (const [n, file] of files().entries()) n % 2 === 0 ? truncateSync(file, 100) : writeFileSync(file, 'noise')
    expect((await run(open(), 1)).pathProgram).toBe(12)
    expect(warnings).toHaveLength(1)
    expect(files()).toHaveLength(count)
    expect((await run(open(), NEVER_RECORD)).pathProgram).toBe(12)
    expect(warnings).toHaveLength(1)
  })

  test('in a folder that cannot be written costs a warning, and serves this process', async () => {
    const place = join(folder, 'file')
    writeFileSync(place, '')
    const store = open(place)
    expect((await run(store, 1)).pathProgram).toBe(12)
    expect((await run(store, NEVER_RECORD)).pathProgram).toBe(12)
    expect(warnings).toEqual([expect.stringMatching(/^path store: .*file.*recorded again$/)])
  })

  test('is written only where one was given', async () => {
    const check = new BatchCheck({ device, programs: 'always', recordFrom: 1 })
    await check.run(batchState(), batch(0n))
    check.executor.close()
    expect(readdirSync(folder)).toEqual([])
  })
})

describe('waves of path programs', () => {
  test('try all paths of a key at once where lanes are few: one submission, one read', async () => {
    const counted = new FaultyDevice(device, { run: {} })
    const check = new BatchCheck({ device: counted, programs: 'always', recordFrom: 1 })
    await check.run(batchState(), batch(0n))
    await check.next(batch(2n).map((one, n) => (n === 0 ? { ...one, data: batch(0n)[0]!.data! } : one)))
    const before = counted.calls.run
    // Known holders only: nothing misses, though the lanes of the token end on two different paths.
    const known = batch(0n).map((one) => ({ ...one, nonce: one.nonce + 4n }))
    const { difference, result } = await check.next(known)
    expect(difference).toBeUndefined()
    expect(result.tiers.pathProgram).toBe(12)
    expect(counted.calls.run - before).toBe(1)
    check.executor.close()
  })

  test('are not sent for less than they cost, but run on the host, and are for more', async () => {
    const check = new BatchCheck({ device, programs: 'always', recordFrom: 1, waves: 'worth' })
    const many = Array.from({ length: 60 }, (_, n) => batch(2n * BigInt(n))).flat()
    expect((await check.run(batchState(), many)).result.tiers.pathProgram).toBeGreaterThan(100)
    const few = await check.next(batch(120n).slice(0, 2))
    expect(few.difference).toBeUndefined()
    expect([few.result.tiers.pathHost, few.result.exits]).toEqual([2, {}])
    check.executor.close()
  })
})

describe('a transaction that takes another path at its place than on the state before the batch', () => {
  /** Ten holders of 1,000 get 40 each, and then pay 1,020: what reverts without the 40. */
  const topped = (nonce: bigint): TransactionObject[] =>
    Array.from({ length: 10 }, (_, n) => [
      call(10, nonce * 10n + BigInt(n), 'token', BigInt(sender(n)), 40n),
      call(n, nonce, 'token', BigInt(stranger(70 + n)), 1020n),
    ]).flat()

  test('runs on that path, with what the transactions before it wrote', async () => {
    const check = new BatchCheck({ device, programs: 'always', recordFrom: 1, explain: true })
    const { difference, result } = await check.run(batchState(), topped(0n))
    expect(difference).toBeUndefined()
    expect(result.tiers).toMatchObject({ cpu: 0, pathProgram: 20 })
    expect(Array.from({ length: 20 }, (_, i) => result.receipts.get(i)!.status)).toEqual(new Array(20).fill(1))
    const second = result.explain!.filter(({ index }) => index % 2 === 1)
    for (const { exits } of second) expect(exits).toContain('conflict')
    check.executor.close()
  })

  test('runs on the host at its place, without a round, where a wave costs more', async () => {
    const check = new BatchCheck({ device, programs: 'always', recordFrom: 1, waves: 'worth', explain: true })
    const first = await check.run(batchState(), topped(0n))
    const { difference, result } = await check.run(batchState(), topped(0n))
    expect([first.difference, difference]).toEqual([undefined, undefined])
    expect(result.tiers).toMatchObject({ cpu: 0, pathHost: 20 })
    expect([result.rounds, result.exits]).toEqual([1, {}])
    expect(Array.from({ length: 20 }, (_, i) => result.receipts.get(i)!.status)).toEqual(new Array(20).fill(1))
    check.executor.close()
  })

  test('is executed in order on the host where each depends on the one before it, however long the chain', async () => {
    const check = new BatchCheck({ device, programs: 'always', recordFrom: 1, waves: 'worth' })
    const chain = Array.from({ length: 40 }, (_, n) => call(n % 10, BigInt(Math.floor(n / 10)), 'counter'))
    await check.run(batchState(), chain)
    const { difference, result } = await check.run(batchState(), chain)
    expect(difference).toBeUndefined()
    expect(result.tiers).toMatchObject({ cpu: 0, pathHost: 40 })
    check.executor.close()
  })

  test('is recorded at its place where it is the first to take that path, for those that come later', async () => {
    const check = new BatchCheck({ device, programs: 'always', recordFrom: 1 })
    // On the state before the batch every call counts; at its place every second one reverts.
    const pairs = Array.from({ length: 10 }, (_, n) => [
      call(n, 0n, 'alternator', 100n + BigInt(n)),
      call(n, 1n, 'alternator', 100n + BigInt(n)),
    ]).flat()
    const first = await check.run(batchState(), pairs)
    const second = await check.run(batchState(), pairs)
    expect([first.difference, second.difference]).toEqual([undefined, undefined])
    expect([first, second].map(({ result }) => result.tiers.cpu)).toEqual([10, 0])
    expect(second.result.rounds).toBe(2)
    check.executor.close()
  })
})

describe('the explanation of a batch', () => {
  const explained = async (check: BatchCheck, transactions: readonly TransactionObject[]) => {
    const { difference, result } = await check.run(batchState(), transactions)
    expect(difference).toBeUndefined()
    return result.explain!
  }

  test('says tier, path, why, rounds and exits of each transaction', async () => {
    const check = new BatchCheck({ device, programs: 'always', recordFrom: 1, explain: true })
    const transactions: TransactionObject[] = [
      call(0, 0n, 'token', BigInt(stranger(1)), 1n),
      { from: sender(1), nonce: 0n, to: stranger(2), value: 1n, gasLimit: 21_000n, gasPrice: 10n },
      { ...call(2, 0n, 'creator'), gasLimit: 400_000n },
      { from: sender(3), nonce: 9n, to: stranger(2), value: 1n, gasLimit: 21_000n, gasPrice: 10n },
      call(4, 0n, 'token', BigInt(sender(4)), 1n),
    ]
    const explain = await explained(check, transactions)
    expect(explain.map(({ index, tier }) => [index, tier])).toEqual([
      [0, 'pathProgram'],
      [1, 'transfer'],
      [2, 'cpu'],
      [3, 'rejected'],
      [4, 'pathProgram'],
    ])
    expect(explain[0]).toMatchObject({ why: 'a path was recorded for its key' })
    expect(explain[0]!.path).toMatch(/^[0-9a-f]{32}$/)
    expect(explain[1]).toEqual({
      index: 1,
      tier: 'transfer',
      rounds: 0,
      exits: [],
      why: 'the called account has no code',
    })
    expect(explain[2]!.why).toMatch(/^not transpiled: /)
    expect(explain[3]!.why).toBe('nonce too high')
    // A payment to oneself leaves the path of other payments, and takes one of its own.
    expect(explain[4]!.path).not.toBe(explain[0]!.path)
    expect(explain[4]!.exits).toEqual(['miss', expect.stringMatching(/^guard failed: /)])
    expect(explain[4]!.rounds).toBeGreaterThan(1)
    check.executor.close()
  })

  test('says which transactions ran again for a conflict', async () => {
    const check = new BatchCheck({ device, programs: 'always', recordFrom: 1, explain: true })
    const transactions = [
      call(0, 0n, 'price board', 9n),
      ...Array.from({ length: 11 }, (_, n) => call(n + 1, 0n, 'price board', 0n)),
    ]
    const explain = await explained(check, transactions)
    expect(explain[0]!.exits).not.toContain('conflict')
    for (const { exits, tier } of explain.slice(1)) expect([tier, exits.at(-1)]).toEqual(['pathProgram', 'conflict'])
    check.executor.close()
  })

  test('is not made where it was not asked for', async () => {
    const check = new BatchCheck({})
    expect((await check.run(batchState(), batch(0n))).result.explain).toBeUndefined()
  })
})

test('a path that runs as a program earns its own kernel in the background, which then takes its lanes', async () => {
  const library = new PathLibrary()
  // As on a machine where programs are slow: one batch pays for the kernel.
  library.programUs = 1e6
  const resident = new ResidentState(batchState(), codeSkeleton)
  const reasons = new ExitReasons()
  const state = batchState()
  const policy = policyOf({ fork: 'prague', chainId: 1n, state, recordFrom: 1, waves: 'always', laneVm: 'never' })
  const sessions = new DeviceSessions(() => device, resident)
  const precompiles = new Precompiles('prague', 1n)
  const { measured } = library
  const tier = new PathTier({ policy, resident, sessions, library, measured, precompiles, reasons })
  const transactions = encodeBatch(batch(0n).filter((_, n) => n % 2 === 1))
  const rules = transactionRules(transactions, 'prague', BATCH_ENV)
  const forms: string[] = []
  while (forms.at(-1) !== 'pathKernel') {
    const openBatch = createOpenBatch(transactions, BATCH_ENV, rules)
    await loadParties(openBatch, resident)
    routeTransactions('prague', openBatch, reasons)
    sessions.begin(false)
    const wave = await tier.open(openBatch, TIER_FIRST)!.start(0, transactions.count, 1)
    await wave!.finish()
    forms.push(openBatch.executions.at(-1)?.form ?? 'cpu')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  expect([...new Set(forms)]).toEqual(['cpu', 'pathProgram', 'pathKernel'])
  expect([library.measured.waitedMs, library.failures]).toEqual([0, []])
  sessions.close()
})
