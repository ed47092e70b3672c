import { describe, expect, test } from 'vitest'
import { encodeBatch } from '../../host/chain/encode_batch.ts'
import type { BlockEnvironment } from '../../host/chain/environment.ts'
import { wordToBigInt } from '../../host/primitives/word.ts'
import { type Allocation, MemoryState } from '../../host/state/memory_state.ts'
import { ROW_BALANCE, ROW_LIMBS } from '../../host/state/tables/account_table.ts'
import { ResidentState } from '../../host/state/tables/resident_tables.ts'
import type { PathGroup, PathSource } from '../../host/tiers/path/columns.ts'
import type { EndedLane } from '../../host/tiers/path/inline/place_lanes.ts'
import { HostRunner } from '../../host/tiers/path/inline/runner.ts'
import { WordColumns } from '../../host/tiers/path/inline/word_columns.ts'
import { COLUMN_LIMBS, planPath } from '../../host/tiers/path/plan.ts'
import { codeSkeleton, EXIT_MISS, EXIT_NONE, lowerPath, type PathIr, parsePath } from '../../transpiler/index.ts'
import { LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import { HINT_COLUMNS } from '../../transpiler/path_kernel.ts'
import type { RecordedTransaction } from '../../transpiler/record/transaction.ts'
import { evaluatePath } from '../fixtures/evaluate_path.ts'
import { laneResult, type Tables } from '../fixtures/path_lanes.ts'
import { pathSubjects, subjectText } from '../fixtures/path_subjects.ts'
import { loggingPath, OPERATION_PATHS, operandLanes } from '../fixtures/program_paths.ts'
import { Random } from '../fixtures/random_programs.ts'
import { withSlot } from '../fixtures/subject_tables.ts'
import { abi, ENVIRONMENT, transaction, type World, worldOf } from '../fixtures/world.ts'
import { limbsOf } from '../kernel/rig.ts'

const SUBJECTS = Number(process.env['WGEVM_RUNS'] ?? 40)
const LANES = 12
const HINT_LIMBS = LIMBS_PER_WORD + 4

const hexOf = (value: bigint, bytes: number): string => `0x${value.toString(16).padStart(2 * bytes, '0')}`

const residentOf = (world: World, late: boolean): ResidentState => {
  const allocation: Allocation = Object.fromEntries(
    [...world].map(([address, { balance, nonce, code, storage }]) => [
      hexOf(address, 20),
      {
        balance,
        nonce,
        code: `0x${Buffer.from(code).toString('hex')}`,
        storage: Object.fromEntries([...storage].map(([key, value]) => [hexOf(key, 32), value])),
      },
    ]),
  )
  const state = MemoryState.from(allocation)
  const { readAccounts, readSlots } = state
  if (late)
    Object.assign(state, {
      readAccounts: async (...args: Parameters<typeof readAccounts>) => readAccounts.apply(state, args),
      readSlots: async (...args: Parameters<typeof readSlots>) => readSlots.apply(state, args),
    })
  return new ResidentState(state, codeSkeleton)
}

const envOf = ({ environment }: RecordedTransaction): BlockEnvironment => ({
  number: environment.number,
  timestamp: environment.timestamp,
  coinbase: hexOf(environment.coinbase, 20),
  prevRandao: environment.prevrandao,
  gasLimit: environment.gaslimit,
  baseFeePerGas: environment.basefee,
  blobBaseFee: environment.blobbasefee,
})

interface Hint {
  readonly slot: number
  readonly value: bigint
}

/** A path and the transactions that take it, all in the block of the first. */
const rigOf = async (path: PathIr, resident: ResidentState, lanes: readonly RecordedTransaction[]) => {
  const kernel = lowerPath(path, { steps: 0, recordedValues: 0 })
  const plan = planPath(kernel)
  const source: PathSource = {
    batch: encodeBatch(
      lanes.map((lane) => ({
        type: 0,
        gasPrice: lane.gasPrice,
        nonce: 0n,
        gasLimit: BigInt(lane.gas),
        from: hexOf(lane.from, 20),
        to: hexOf(lane.to, 20),
        value: lane.value,
        data: `0x${Buffer.from(lane.data).toString('hex')}`,
      })),
    ),
    executionGas: Float64Array.from(lanes, ({ gas }) => gas),
    toIds: new Int32Array(lanes.length),
    gasPrice: limbsOf(lanes.map(({ gasPrice }) => gasPrice)),
  }
  await resident.accountIds(source.batch.to, lanes.length, source.toIds)
  return { kernel, plan, source, env: envOf(lanes[0]!), runner: new HostRunner(resident, ENVIRONMENT.chainid) }
}

/** The lanes' results by the host, each with what `evaluatePath` compares. */
const runLanes = async (
  path: PathIr,
  resident: ResidentState,
  lanes: readonly RecordedTransaction[],
  hints?: readonly (readonly Hint[])[],
) => {
  const { kernel, plan, source, env, runner } = await rigOf(path, resident, lanes)
  const count = plan.slots.count
  const words = new Uint32Array(lanes.length * count * HINT_LIMBS)
  hints?.forEach((list, lane) => {
    list.forEach(({ slot, value }, ordinal) => {
      const at = (lane * count + ordinal) * HINT_LIMBS
      words.set(limbsOf([value]), at)
      words[at + LIMBS_PER_WORD] = slot
    })
  })
  const at = Uint32Array.from(lanes, (_, lane) => lane * count * HINT_LIMBS)
  const job = {
    plan,
    kernels: undefined,
    transactions: Int32Array.from(lanes, (_, lane) => lane),
    ...(hints === undefined ? {} : { hints: { words, at } }),
  }
  const [group] = (await runner.run([job], source, env)) as [PathGroup]
  const tables = tablesOf(resident)
  return lanes.map((lane, i) => {
    const told = hints?.[i]
    const own = told === undefined ? { transaction: lane } : { transaction: lane, hints: told }
    return { kernel, tables, ...laneResult(kernel, tables, own, i, lanes.length, group.lanesOut) }
  })
}

/**
 * One lane after another at its place, where these are the running values: the whole program and, where the lane ended
 * on base values, what of it has to run again. Both leave the same; the result is that of both.
 */
const runAtPlaces = async (
  path: PathIr,
  resident: ResidentState,
  lanes: readonly RecordedTransaction[],
  running: readonly (readonly Hint[])[],
) => {
  const { kernel, plan, source, env, runner } = await rigOf(path, resident, lanes)
  const transactions = Int32Array.from(lanes, (_, lane) => lane)
  const [group] = (await runner.run([{ plan, kernels: undefined, transactions }], source, env)) as [PathGroup]
  const results: (ReturnType<typeof laneResult> | undefined)[] = []
  for (const [i, transaction] of lanes.entries()) {
    const { accounts, slots } = resident
    if (group.lanesOut[COLUMN_LIMBS * i] !== EXIT_NONE) {
      results.push(undefined)
      continue
    }
    const before = slots.values.slice()
    for (const { slot, value } of running[i]!) {
      slots.write(slot)
      slots.values.set(limbsOf([value]), LIMBS_PER_WORD * slot)
    }
    const run = async (laneCount: number, ended?: EndedLane) => {
      const places = runner.openPlaces(plan, laneCount, env)
      // Lanes before it, of which nothing may be left.
      for (let n = 1; n < laneCount; n++) await runner.runAtPlace(places, (i + n) % lanes.length, source)
      const lane = places.next
      const exit = await runner.runAtPlace(places, i, source, ended)
      const { lanesIn, lanesOut } = places.group
      const words = new WordColumns(lanesIn, laneCount)
      const hints = Array.from({ length: plan.slots.count }, (_, k): Hint => {
        const column = kernel.hintColumn + HINT_COLUMNS * k
        const slot = lanesIn[COLUMN_LIMBS * ((column + 2) * laneCount + lane)]!
        return { slot, value: words.get(column, lane) }
      })
      const tables = tablesOf(resident)
      const result = laneResult(kernel, tables, { transaction, hints }, lane, laneCount, lanesOut)
      return exit === EXIT_NONE ? { hints, result } : { result: { exit } }
    }
    const whole = await run(3)
    expect(await run(2, { group, lane: i })).toEqual(whole)
    results.push(whole.result as ReturnType<typeof laneResult>)
    // What accounts hold has moved, too.
    const rows = accounts.rows.slice()
    for (let id = 0; id < accounts.count; id++) accounts.rows[id * ROW_LIMBS + ROW_BALANCE]! += 1 + id
    expect(await run(2, { group, lane: i })).toEqual(await run(3))
    accounts.rows.set(rows)
    resident.slots.values.set(before)
    resident.slots.settle()
  }
  return results
}

const tablesOf = ({ accounts, slots, codes }: ResidentState): Tables => ({
  accounts: Array.from({ length: accounts.count }, (_, id) => {
    const row = accounts.rows.subarray(id * ROW_LIMBS, (id + 1) * ROW_LIMBS)
    const { constants, hash, bytes } = codes.codes[accounts.code(id)]!
    const address = wordToBigInt(Uint32Array.of(...row.subarray(0, 5), 0, 0, 0), 0)
    const own = [BigInt(hash), BigInt(bytes.length), ...constants]
    return { address, skeleton: row[5]!, constantsAt: 0, exists: false, balance: 0n, constants: own }
  }),
  slots: Array.from({ length: slots.count }, (_, id) => ({
    account: slots.owners[id]!,
    key: wordToBigInt(slots.keys, id * LIMBS_PER_WORD),
    value: wordToBigInt(slots.values, id * LIMBS_PER_WORD),
  })),
  constants: [],
  skeletonKeys: [],
})

describe('a path program on the host', () => {
  test('computes every operation as its eval', async () => {
    const world = worldOf(new Uint8Array(0))
    const lanes = operandLanes()
      .filter((_, i) => i % 7 === 0)
      .map((lane) => lane.transaction)
    for (const [name, path] of OPERATION_PATHS) {
      const results = await runLanes(path, residentOf(world, false), lanes)
      results.forEach(({ exit, outcome }, lane) => {
        const { logs } = evaluatePath(path, world, lanes[lane]!).outcome
        expect([exit, outcome.logs[0]!.data], `${name}, lane ${lane}`).toEqual([0, logs[0]!.data])
      })
    }
  })

  test('reads a constant past the end of all as some word', async () => {
    const path = loggingPath(['v6:u256 = instance 5000 v4', 'v7:u256 = xor v6 v0'], ['v7'])
    const [lane] = operandLanes().map(({ transaction: one }) => one)
    const [result] = await runLanes(path, residentOf(worldOf(Uint8Array.of(0)), false), [lane!])
    expect(result!.exit).toBe(0)
  })

  test(`means what path IR means, for ${SUBJECTS} random programs, with hints, and again at its place`, async () => {
    let [held, exited, told] = [0, 0, 0]
    for (const subject of await pathSubjects(SUBJECTS, LANES, 1000)) {
      const { path, seed } = subject
      const { world } = subject.lanes[0]!
      const lanes = subject.lanes.map((lane) => lane.transaction)
      const guards = path.effects.filter(({ kind }) => kind === 'guard')
      // A lane leaves for what a precompile returns, and the host does not wait for it.
      if (planPath(lowerPath(path, { steps: 0, recordedValues: 0 })).memos.some((memo) => memo !== undefined)) continue
      const explain = (lane: number): string => `lane ${lane} of ${subjectText(subject)}`
      const resident = residentOf(world, false)
      const results = await runLanes(path, resident, lanes)
      results.forEach(({ exit, outcome }, lane) => {
        const wanted = evaluatePath(path, world, lanes[lane]!)
        if (wanted.failed.length === 0) expect([exit, outcome], explain(lane)).toEqual([0, wanted.outcome])
        else expect(guards[exit - 1], explain(lane)).toBe(wanted.failed[0])
        if (exit === 0) held++
        else exited++
      })

      const random = new Random(seed)
      const hinted = results.map(({ kernel, tables, ids, exit }) => {
        let changed = world
        const values = new Map<number, bigint>()
        const hints = kernel.lookups.flatMap((lookup, i): Hint[] => {
          if (lookup.kind !== 'slot') return []
          const slot = exit === 0 ? ids[i]! : 0xfffffff0
          const place = tables.slots[slot]
          if (place === undefined) return [{ slot, value: 12345n }]
          const value = values.get(slot) ?? BigInt(random.below(4))
          values.set(slot, value)
          changed = withSlot(changed, tables.accounts[place.account]!.address, place.key, value)
          return [{ slot, value }]
        })
        return { hints, world: changed }
      })
      const again = await runLanes(
        path,
        resident,
        lanes,
        hinted.map(({ hints }) => hints),
      )
      again.forEach(({ exit, outcome }, lane) => {
        if (results[lane]!.exit !== 0) return
        const wanted = evaluatePath(path, hinted[lane]!.world, lanes[lane]!)
        if (wanted.failed.length === 0) expect([exit, outcome], explain(lane)).toEqual([0, wanted.outcome])
        else expect(guards[exit - 1], explain(lane)).toBe(wanted.failed[0])
        if (hinted[lane]!.world !== world) told++
      })

      const ids = (hints: readonly Hint[]) => hints.filter(({ slot }) => slot < resident.slots.count)
      const placed = await runAtPlaces(
        path,
        resident,
        lanes,
        hinted.map(({ hints }) => ids(hints)),
      )
      placed.forEach((one, lane) => {
        if (one === undefined) return
        const wanted = evaluatePath(path, hinted[lane]!.world, lanes[lane]!)
        if (wanted.failed.length === 0) expect([one.exit, one.outcome], explain(lane)).toEqual([0, wanted.outcome])
        else expect(guards[one.exit - 1], explain(lane)).toBe(wanted.failed[0])
      })
    }
    expect(held).toBeGreaterThan(4 * SUBJECTS)
    expect(exited).toBeGreaterThan(SUBJECTS / 4)
    expect(told).toBeGreaterThan(SUBJECTS)
  })

  const path = parsePath(`path prague skeleton=none selector=1 calldata=68 value=zero
    v0:u256 = calldata 4
    v1:u256 = calldata 36
    v2:u32 = gas
    v3:u32 = entry
    v4:bool = lt v0 v1
    v5:u32 = slot v3 v0
    v6:u256 = load v5
    v7:u32 = slot v3 v6
    v8:u256 = load v7
    v9:bool = lt v1 v8
    guard v4 pc=0 depth=0 "needs no state"
    guard v9 pc=1 depth=0 "needs two slots, one after the other"
    end success gas=v2 refund=v2 bytes=0 []`)
  const world = worldOf(new Uint8Array(0), [
    [1n, 5n],
    [5n, 100n],
    [2n, 6n],
  ])
  const cases = [
    [1n, 9n],
    [2n, 9n],
    [9n, 1n],
  ].map((words) => transaction({ data: abi(1, ...words) }))

  test('loads what it misses on the way where the State answers at once, and nothing after a guard that failed', async () => {
    const resident = residentOf(world, false)
    const results = await runLanes(path, resident, cases)
    expect(results.map(({ exit }) => exit)).toEqual([0, 2, 1])
    const keys = Array.from({ length: resident.slots.count }, (_, id) => wordToBigInt(resident.slots.keys, 8 * id))
    expect(keys).toEqual([1n, 5n, 2n, 6n])
  })

  test('waits where the State answers late, once; then lanes end with what they miss, to be loaded together', async () => {
    const resident = residentOf(world, true)
    const late = [...cases, ...cases].map((lane, i) => ({ ...lane, gas: 1000 + i }))
    const results = await runLanes(path, resident, late)
    expect(results.map(({ exit }) => exit)).toEqual([EXIT_MISS, EXIT_MISS, 1, EXIT_MISS, EXIT_MISS, 1])
    const keys = Array.from({ length: resident.slots.count }, (_, id) => wordToBigInt(resident.slots.keys, 8 * id))
    expect(keys).toEqual([1n])
  })
})
