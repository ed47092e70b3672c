import { describe, expect, test } from 'vitest'
import { accessDifference } from '../../host/chain/access_list.ts'
import { DeviceLostError } from '../../host/device/fault.ts'
import { buildAccessList } from '../../host/flows/access_list.ts'
import { type ExecutionResult, MemoryState, type TransactionObject } from '../../host/index.ts'
import { bytesToHex } from '../../host/primitives/hex.ts'
import type { TransactionChanges } from '../../host/state/changes.ts'
import { type VmGroup, vmAccountsAt, vmNextRecord, vmSlotsAt } from '../../host/tiers/lane_vm/group.ts'
import { ENTRY_BALANCE, ENTRY_EXISTS } from '../../transpiler/layout/lane_vm.ts'
import { BatchCheck, type BatchCheckOptions, type CheckedBatch } from '../fixtures/batch_check.ts'
import { BATCH_CONTRACTS, initCode } from '../fixtures/batch_contracts.ts'
import {
  BATCH_ENV,
  batchAllocation,
  batchState,
  COINBASE,
  contractAddress,
  createdAddress,
  randomBatch,
  sender,
  stranger,
  word,
} from '../fixtures/batch_world.ts'

const ETHER = 10n ** 18n
const PRICE = 10n

/** Transactions with running nonces per sender. */
const inOrder = (...list: readonly (Partial<TransactionObject> & { readonly from: string })[]): TransactionObject[] => {
  const nonces = new Map<string, bigint>()
  return list.map((fields) => {
    const nonce = nonces.get(fields.from) ?? 0n
    nonces.set(fields.from, nonce + 1n)
    return { gasLimit: 200_000n, gasPrice: PRICE, nonce, ...fields }
  })
}

const call = (from: string, name: string, ...words: readonly bigint[]) => ({
  from,
  to: contractAddress(name),
  data: `0x${words.map((value) => word(value).slice(2)).join('')}`,
})

const pay = (from: string, to: string, value: bigint) => ({ from, to, value, gasLimit: 21_000n })

const world = (balances: Readonly<Record<string, bigint>> = {}): MemoryState => {
  const allocation = { ...batchAllocation() }
  for (const [address, balance] of Object.entries(balances)) allocation[address] = { balance }
  return MemoryState.from(allocation)
}

/** The batch on an executor whose lane VM takes every call and runs on the state before it. */
const run = async (
  transactions: readonly TransactionObject[],
  before = world(),
  options: BatchCheckOptions = {},
): Promise<CheckedBatch> => {
  const check = new BatchCheck({ laneVm: 'always', cpuLaneVm: {}, ...options })
  const checked = await check.run(before, transactions)
  check.executor.close()
  expect(checked.difference).toBeUndefined()
  expect(checked.result.faults).toEqual([])
  return checked
}

describe('executions of the lane VM at their places', () => {
  test('hold where nothing that they read has changed', async () => {
    const { result } = await run(
      inOrder(
        call(sender(0), 'token', BigInt(sender(5)), 7n),
        { ...call(sender(1), 'witness', 1n), value: 9n },
        call(sender(2), 'reverter', 5n),
        call(sender(3), 'halter'),
        { ...call(sender(4), 'vault'), value: 5n },
        call(sender(6), 'setter', 1n, 0n),
      ),
    )
    expect(result.tiers).toMatchObject({ laneVm: 6, cpu: 0 })
    expect(result.receipts.get(2)!.output).toBe(word(5n))
  })

  test('do not hold where a slot was written', async () => {
    const { result } = await run(inOrder(call(sender(0), 'counter'), call(sender(1), 'counter')))
    expect(result.tiers).toMatchObject({ laneVm: 1, cpu: 1 })
    expect(result.exits).toEqual({ conflict: 1 })
  })

  test('hold where a slot was written and has its old value again', async () => {
    const { result } = await run(
      inOrder(call(sender(0), 'setter', 1n, 9n), call(sender(1), 'setter', 1n, 5n), call(sender(2), 'setter', 1n, 7n)),
    )
    // The second has read the value that the first replaced; the third finds it back.
    expect(result.exits).toEqual({ conflict: 1 })
    expect(result.tiers).toMatchObject({ laneVm: 2, cpu: 1 })
  })

  test('do not hold where a balance that they looked at was paid', async () => {
    const { result } = await run(
      inOrder(pay(sender(0), stranger(0), 5n), call(sender(1), 'balance reader', BigInt(stranger(0)))),
    )
    expect(result.exits).toEqual({ 'balance conflict': 1 })
  })

  test('hold where a balance that they only pay from is still large enough, and not where it is not', async () => {
    const payments = (amount: bigint) => [0, 1].map((n) => call(sender(n), 'bank', BigInt(sender(7 + n)), amount))
    const enough = await run(inOrder(...payments(500n)))
    expect(enough.result.tiers).toMatchObject({ laneVm: 2, cpu: 0 })
    const lacking = await run(inOrder(...payments(501n)))
    expect(lacking.result.exits).toEqual({ 'balance conflict': 1 })
  })

  test('do not hold where an account came to exist', async () => {
    const { result } = await run(
      inOrder(pay(sender(0), stranger(60), 5n), call(sender(1), 'code reader', BigInt(stranger(60)))),
    )
    expect(result.exits).toEqual({ 'code conflict': 1 })
  })

  test('do not hold where an account got code', async () => {
    const made = createdAddress(sender(0), 0n)
    const data = bytesToHex(initCode(BATCH_CONTRACTS.find(({ name }) => name === 'counter')!.code))
    const { result } = await run(
      inOrder({ from: sender(0), data, gasLimit: 400_000n }, call(sender(1), 'caller', BigInt(made))),
      world({ [made]: 1n }),
    )
    expect(result.exits).toEqual({ create: 1, 'code conflict': 1 })
  })

  test('do not hold where they meet an account that became empty', async () => {
    const gone = stranger(70)
    const before = world({ [gone]: 0n })
    const { result, state } = await run(inOrder(call(sender(1), 'caller', BigInt(gone))), before, {
      // The lane VM takes an empty account for one that exists.
      cpuLaneVm: { takesEmpty: true },
    })
    expect(result.exits).toEqual({ 'empty account': 1 })
    expect(state.account(gone)).toBeUndefined()
  })

  test('hold where the sender was paid what it pays only in this batch', async () => {
    const poor = stranger(50)
    const { result } = await run(inOrder(pay(sender(0), poor, ETHER), call(poor, 'token', 5n, 0n)))
    expect(result.tiers).toMatchObject({ laneVm: 1, cpu: 0 })
  })

  test('see that the coinbase came to exist with the fees before them', async () => {
    const { result } = await run(
      inOrder({ ...call(sender(0), 'token', 1n, 0n), gasPrice: 25n }, call(sender(1), 'code reader', BigInt(COINBASE))),
    )
    expect(result.exits).toEqual({ 'code conflict': 1 })
  })

  test('are none where the gas limit is more than a number of the host', async () => {
    const rich = stranger(80)
    const before = world({ [rich]: 10n ** 20n })
    const limits = [2n ** 53n - 1n, 2n ** 53n]
    for (const [n, gasLimit] of limits.entries()) {
      const check = new BatchCheck({ laneVm: 'always', cpuLaneVm: {} })
      const transactions = inOrder({ ...call(rich, 'token', 1n, 0n), gasLimit })
      const { result, difference } = await check.run(before, transactions, { ...BATCH_ENV, gasLimit: 2n ** 54n })
      expect(difference).toBeUndefined()
      expect(result.tiers).toMatchObject({ laneVm: 1 - n, cpu: n })
      check.executor.close()
    }
  })

  test('see the fees that the coinbase earned before them', async () => {
    const { result } = await run(
      inOrder({ ...call(sender(0), 'token', 1n, 0n), gasPrice: 25n }, call(sender(1), 'fee watcher')),
      world({ [COINBASE]: 1n }),
    )
    expect(result.exits).toEqual({ 'balance conflict': 1 })
  })

  test('count refunds, and keep the floor of calldata', async () => {
    const { result } = await run(
      inOrder(call(sender(0), 'setter', 1n, 0n), { ...call(sender(1), 'setter'), data: `0x${'11'.repeat(2000)}` }),
    )
    expect(result.tiers.laneVm).toBe(2)
  })

  test('are explained, with why no path takes them', async () => {
    const { result } = await run(inOrder(call(sender(0), 'counter'), call(sender(1), 'counter')), world(), {
      explain: true,
    })
    expect(result.explain).toMatchObject([
      { tier: 'laneVm', why: 'no path takes it: no path', rounds: 1 },
      { tier: 'cpu', why: 'conflict', rounds: 1 },
    ])
  })

  test('may be refused: the CPU tier executes those, by why', async () => {
    const reasons = ['opcode SELFDESTRUCT', 'vm quota: memory', 'step budget'] as const
    const spoil = ({ transactions, reasons: left }: VmGroup): void => {
      for (const [lane, i] of transactions.entries()) (left as Map<number, string>).set(lane, reasons[i]!)
    }
    const { result } = await run(inOrder(...reasons.map((_, n) => call(sender(n), 'reverter', 1n))), world(), {
      cpuLaneVm: { spoil },
    })
    expect(result.exits).toEqual({ 'refused: SELFDESTRUCT': 1, 'vm quota: memory': 1, 'refused: step budget': 1 })
  })

  test('leave calls to the CPU tier where the device fails, or does not compile their kernel', async () => {
    const calls = inOrder(call(sender(0), 'counter'), call(sender(1), 'reverter', 1n))
    const failures = [
      [
        'device lost',
        {
          spoil: () => {
            throw new DeviceLostError('gone')
          },
        },
      ],
      ['shader did not compile', { compile: () => Promise.reject(new Error('no kernel')) }],
    ] as const
    for (const [reason, cpuLaneVm] of failures) {
      const check = new BatchCheck({ laneVm: 'always', cpuLaneVm })
      const { difference, result } = await check.run(world(), calls)
      check.executor.close()
      expect(difference).toBeUndefined()
      expect(result.exits).toEqual({ [reason]: 2 })
      expect(result.faults).toHaveLength(1)
    }
  })

  test('are made in a batch that pays for their wave, and not in a smaller one', async () => {
    const options = { laneVm: 'worth', waves: 'worth', paths: 'never' } as const
    const few = await run(inOrder(...[0, 1, 2].map((n) => call(sender(n), 'reverter', 1n))), world(), options)
    expect(few.result.tiers).toMatchObject({ laneVm: 0, cpu: 3 })
    expect(few.result.exits).toEqual({ 'no path': 3 })
    const more = Array.from({ length: 36 }, (_, n) => call(sender(n % 12), 'reverter', 1n))
    const many = await run(inOrder(...more), world(), options)
    expect(many.result.tiers).toMatchObject({ laneVm: 36, cpu: 0 })
  })

  test('may be in a later group of their wave', async () => {
    const calls = inOrder(...[0, 1, 2].map((n) => call(sender(n), 'reverter', BigInt(n))))
    const { result } = await run(calls, world(), { cpuLaneVm: { repeats: true } })
    expect(result.tiers).toMatchObject({ laneVm: 3, cpu: 0 })
  })
})

describe('rounds of the lane VM', () => {
  test('make pairs of conflicting transactions valid', async () => {
    const pairs = Array.from({ length: 10 }, (_, n) => [
      call(sender(n), 'alternator', 100n + BigInt(n)),
      call(sender(n + 1), 'alternator', 100n + BigInt(n)),
    ]).flat()
    const { result } = await run(inOrder(...pairs))
    expect(result.rounds).toBeLessThanOrEqual(4)
    expect(result.tiers.laneVm).toBeGreaterThan(16)
  })

  test('give up a chain, in which each makes one transaction valid', async () => {
    const { result, state } = await run(
      inOrder(...Array.from({ length: 40 }, (_, n) => call(sender(n % 12), 'counter'))),
    )
    expect(state.storage(contractAddress('counter'), 0n)).toBe(40n)
    expect(result.rounds).toBeLessThan(5)
    expect(result.exits['conflict']).toBeGreaterThan(30)
  })

  test('give lanes the balances of their place', async () => {
    const readers = Array.from({ length: 6 }, (_, n) => call(sender(n + 1), 'code reader', BigInt(n)))
    const watchers = [7, 8].map((n) => call(sender(n), 'balance reader', BigInt(stranger(0))))
    const { result } = await run(inOrder(pay(sender(0), stranger(0), 5n), ...watchers, ...readers))
    expect(result.rounds).toBeGreaterThan(1)
    expect(result.exits['balance conflict']).toBeUndefined()
  })
})

/** Every record of a read, made wrong on its own, must be found out. */
describe('a wrong read', () => {
  const RECORDS: readonly (readonly [string, string, (group: VmGroup) => void])[] = [
    ['slot', 'conflict', (group) => flip(group.records, vmSlotsAt(group, 0) + 4)],
    ['balance', 'balance conflict', (group) => flip(group.records, accountAt(group, 'fee watcher') + 4)],
    ['existence', 'code conflict', (group) => flip(group.records, accountAt(group, 'fee watcher') + 1, ENTRY_EXISTS)],
    ['code', 'code conflict', (group) => flip(group.records, accountAt(group, 'fee watcher') + 2)],
    [
      'least balance',
      'balance conflict',
      (group) => {
        const at = accountAt(group, 'fee watcher')
        flip(group.records, at + 1, ENTRY_BALANCE)
        // It had 3 wei, of which 3 were paid; it has 2.
        group.records[at + 4] = 3
        group.records[at + 20] = 0
      },
    ],
  ]

  const ids = new WeakMap<VmGroup, number>()
  const accountAt = (group: VmGroup, _name: string): number => ids.get(group)!
  const flip = (words: Uint32Array, at: number, bits = 1): void => {
    words[at] = words[at]! ^ bits
  }

  for (const [what, reason, spoil] of RECORDS)
    test(`of ${what} is a ${reason}`, async () => {
      const before = world()
      const spoilRecord = (group: VmGroup): void => {
        // The called account is the second that the CPU tier looks at, after the sender.
        ids.set(group, vmNextRecord(group.records, vmAccountsAt(group, 0)))
        spoil(group)
      }
      const options = { cpuLaneVm: { spoil: spoilRecord } }
      const paid = await run(inOrder(pay(sender(1), contractAddress('fee watcher'), 2n)), before)
      const { result } = await run(inOrder(call(sender(0), 'fee watcher')), paid.state, options)
      expect(result.exits).toEqual({ [reason]: 1 })
      const right = await run(inOrder(call(sender(0), 'fee watcher')), paid.state)
      expect(right.result.exits).toEqual({})
    })
})

describe('random batches through the lane VM', () => {
  const NOTHING: TransactionChanges = { accounts: [], slots: [], readAccounts: [], readSlots: [] }
  const accessOf = ({ changes }: ExecutionResult) =>
    buildAccessList([NOTHING, ...changes!, NOTHING], () => {
      throw new Error('a code that nobody made')
    })

  for (const fork of ['osaka', 'cancun', 'shanghai'] as const)
    test(`equal serial execution at ${fork}, also in ranges, and change what the CPU tier changes`, async () => {
      const state = batchState()
      const vm = new BatchCheck({ fork, laneVm: 'always', cpuLaneVm: {}, range: 8, changes: true })
      const cpu = new BatchCheck({ fork, changes: true })
      const exits = new Map<string, number>()
      let lanes = 0
      let rounds = 0
      for (let seed = 1; seed <= 48; seed++) {
        const transactions = randomBatch(seed, state, { fork, most: 24 })
        const { difference, result } = await vm.run(state, transactions)
        expect(difference, `seed ${seed}`).toBeUndefined()
        lanes += result.tiers.laneVm
        rounds += result.rounds - 1
        for (const [reason, count] of Object.entries(result.exits)) exits.set(reason, (exits.get(reason) ?? 0) + count)
        if (seed > 10) continue
        const { result: alone } = await cpu.run(state, transactions)
        expect(accessDifference(await accessOf(result), await accessOf(alone)), `seed ${seed}`).toBeUndefined()
      }
      // The batches must show what they claim to.
      expect(lanes).toBeGreaterThan(120)
      expect((exits.get('conflict') ?? 0) + rounds).toBeGreaterThan(0)
    }, 120_000)
})
