import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type BlockEnvironment,
  type ComputeDevice,
  type ExecutionResult,
  MemoryState,
  openDevice,
} from '../../host/index.ts'
import { type FaultPlan, FaultyDevice } from '../fault/device_faults.ts'
import type { BatchCheck } from '../fixtures/batch_check.ts'
import {
  BASE_FEE,
  CONTRACT_ROWS,
  type ContractRow,
  PEOPLE,
  PRICE,
  RICH,
  ROW_COINBASE,
  ROW_ENV,
} from '../fixtures/contract_rows.ts'
import { executedBy, openForm, TIER_FORMS, TIER_OF, type TierForm } from '../fixtures/tier_forms.ts'

let device: ComputeDevice
beforeAll(async () => {
  device = await openDevice()
})
afterAll(() => device.destroy())

const sum = (numbers: readonly bigint[]): bigint => numbers.reduce((a, b) => a + b, 0n)

/** What the row says, in the shape of `found`. */
const expected = (row: ContractRow) => {
  const { transactions, gas, status = [], outputs = {}, logs = {}, gains = {}, slots = {}, balances = {} } = row
  const spent = gas.map((used) => (used === 'rejected' ? 0n : used))
  const ofPeople = PEOPLE.map((person) => {
    const own = transactions.map(({ from }, i) => (from === person ? PRICE * spent[i]! : 0n))
    return [person, RICH - sum(own) + (gains[person] ?? 0n)] as const
  })
  const fees = (PRICE - BASE_FEE) * sum(spent)
  return {
    receipts: gas.map((used, i) =>
      used === 'rejected'
        ? undefined
        : {
            gasUsed: used,
            cumulativeGasUsed: sum(spent.slice(0, i + 1)),
            status: status[i] ?? 1,
            output: outputs[i] ?? '0x',
            logs: logs[i] ?? [],
          },
    ),
    balances: { ...Object.fromEntries(ofPeople), [ROW_COINBASE]: fees + (gains[ROW_COINBASE] ?? 0n), ...balances },
    slots,
  }
}

const stateOf = (row: ContractRow): MemoryState =>
  MemoryState.from({ ...Object.fromEntries(PEOPLE.map((person) => [person, { balance: RICH }])), ...row.accounts })
const envOf = (row: ContractRow): BlockEnvironment => ({ ...ROW_ENV, ...row.env })

/** Executes the row on the state that `check` has, and compares with the row and with @ethereumjs/vm. */
const expectExact = async (check: BatchCheck, row: ContractRow): Promise<ExecutionResult> => {
  const { result, state, difference } = await check.next(row.transactions, envOf(row))
  const wanted = expected(row)
  const receipts = row.gas.map((_, i) => {
    const receipt = result.receipts.get(i)
    if (receipt === undefined) return undefined
    const { gasUsed, cumulativeGasUsed, status, output, logs } = receipt
    return { gasUsed, cumulativeGasUsed, status, output, logs: logs.map(({ data }) => data) }
  })
  const slots = Object.entries(wanted.slots).map(([name, values]) => [
    name,
    Object.fromEntries(Object.keys(values).map((key) => [key, state.storage(name, BigInt(key))])),
  ])
  const balances = Object.keys(wanted.balances).map((name) => [name, state.account(name)?.balance])
  expect({ receipts, balances: Object.fromEntries(balances), slots: Object.fromEntries(slots) }).toEqual(wanted)
  expect(difference).toBeUndefined()
  return result
}

const included = (row: ContractRow): number => row.gas.filter((used) => used !== 'rejected').length

/** The form executed all that it must, and left the rest with the reasons of the row. */
const expectExecutedBy = (form: TierForm, row: ContractRow, result: ExecutionResult): void => {
  const { own, others } = executedBy(form, result)
  expect(own + others).toBe(included(row))
  if (TIER_OF[form] === 'cpu') {
    expect([own, result.exits]).toEqual([included(row), { 'no device': included(row) }])
    return
  }
  const { mayLeave, leaves = {}, misses = [] } = row
  if (mayLeave === undefined) expect(result.exits).toEqual(leaves[form] ?? {})
  else {
    expect(own).toBeGreaterThan(0)
    expect(result.exits).toEqual(others === 0 ? {} : { [mayLeave]: others })
  }
  const left = Object.values(result.exits).reduce((sum, count) => sum + count, 0)
  expect([own, result.tiers.cpu]).toEqual([included(row) - left, left])
  // A lane VM asks for what it misses without leaving; the host reads the tables themselves.
  if (form === 'path kernel' || form === 'path program')
    for (const i of misses) expect(result.explain![i]!.exits).toContain('miss')
}

describe.each(TIER_FORMS)('%s: exactly what the specification says of', (form) => {
  let check: BatchCheck
  let ahead = 0
  beforeAll(async () => {
    check = await openForm(form, device)
  })
  afterAll(() => check.executor.close())

  test.each(CONTRACT_ROWS)('$name', async (row) => {
    check.replace(stateOf(row))
    const result = await expectExact(check, row)
    expect(result.faults).toEqual([])
    expectExecutedBy(form, row, result)
    ahead += result.ahead.held
  })

  test('a batch during which the State fails: nothing is committed, and the batch can run again', async () => {
    const row = rowNamed('slots and accounts that no table holds')
    check.replace(stateOf(row))
    const { state } = check
    const before = state.dump()
    const readSlots = state.readSlots.bind(state)
    state.readSlots = () => {
      throw new Error('planned')
    }
    const request = { env: envOf(row), transactions: row.transactions }
    await expect(check.executor.execute(request)).rejects.toThrow('planned')
    expect(state.dump()).toEqual(before)
    state.readSlots = readSlots
    expectExecutedBy(form, row, await expectExact(check, row))
  })

  test.runIf(form === 'CPU tier in workers')('all of this, of which workers executed a part', () => {
    expect(ahead).toBeGreaterThan(0)
  })
})

function rowNamed(start: string): ContractRow {
  return CONTRACT_ROWS.find(({ name }) => name.startsWith(start))!
}

describe.each(['path kernel', 'path program', 'lane VM'] as const)(
  '%s: the CPU tier ends the batch exactly',
  (form) => {
    /** Faults of the device, and the reason of every call that was left. */
    test.each<[what: string, plan: FaultPlan, reason: string, fault: string]>([
      ['the device is lost', { run: { 0: 'lost' } }, 'device lost', 'device lost: planned'],
      [
        'the device is lost before its results are read',
        { run: { 0: 'lostAfter' } },
        'device lost',
        'device lost: planned',
      ],
      ['a command is refused', { run: { 0: 'validation' } }, 'device error', 'run: planned'],
      [
        'a kernel does not compile',
        { kernel: { 0: 'compile', 1: 'compile', 2: 'compile' } },
        'shader did not compile',
        'planned',
      ],
    ])('where %s', async (_, plan, reason, fault) => {
      const row = rowNamed('a value that the first wrote')
      const check = await openForm(form, new FaultyDevice(device, plan))
      check.replace(stateOf(row))
      const result = await expectExact(check, row)
      expect(result.faults.join()).toContain(fault)
      expect(result.exits).toEqual({ [reason]: included(row) })
      check.executor.close()
    })
  },
)
