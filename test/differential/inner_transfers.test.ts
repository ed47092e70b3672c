import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ComputeDevice, MemoryState, openDevice, type TransactionObject } from '../../host/index.ts'
import { BatchCheck, type CheckedBatch } from '../fixtures/batch_check.ts'
import { SPEND } from '../fixtures/batch_payers.ts'
import { batchAllocation, COINBASE, contractAddress, sender, stranger, word } from '../fixtures/batch_world.ts'

const ETHER = 10n ** 18n

let device: ComputeDevice
let check: BatchCheck
beforeAll(async () => {
  device = await openDevice()
  check = new BatchCheck({ device, recordFrom: 1, programs: 'always' })
})
afterAll(() => {
  check.executor.close()
  device.destroy()
})

const inOrder = (...list: readonly (Partial<TransactionObject> & { readonly from: string })[]): TransactionObject[] => {
  const nonces = new Map<string, bigint>()
  return list.map((fields) => {
    const nonce = nonces.get(fields.from) ?? 0n
    nonces.set(fields.from, nonce + 1n)
    return { gasLimit: 200_000n, gasPrice: 10n, nonce, ...fields }
  })
}

const call = (from: string, name: string, ...words: readonly bigint[]) => ({
  from,
  to: contractAddress(name),
  data: `0x${words.map((value) => word(value).slice(2)).join('')}`,
})
const withValue = (from: string, name: string, value: bigint, ...words: readonly bigint[]) => ({
  ...call(from, name, ...words),
  value,
})
const pay = (from: string, to: string, value: bigint) => ({ from, to, value, gasLimit: 21_000n })
/** The bank has 1000 wei and pays `amount` to `to`. */
const draw = (n: number, to: string, amount: bigint) => call(sender(n), 'bank', BigInt(to), amount)

const world = (balances: Readonly<Record<string, bigint>> = {}): MemoryState => {
  const allocation = { ...batchAllocation() }
  for (const [address, balance] of Object.entries(balances)) allocation[address] = { ...allocation[address], balance }
  return MemoryState.from(allocation)
}

const expectExact = async (transactions: readonly TransactionObject[], before = world()): Promise<CheckedBatch> => {
  const checked = await check.run(before, transactions)
  expect(checked.difference).toBeUndefined()
  expect(checked.result.faults).toEqual([])
  return checked
}

const times = <T>(count: number, make: (n: number) => T): T[] => Array.from({ length: count }, (_, n) => make(n))
const rich = (...numbers: readonly number[]) => Object.fromEntries(numbers.map((n) => [stranger(n), 1n]))

describe('payments out of one contract', () => {
  test('do not conflict while there is enough', async () => {
    const { result, state } = await expectExact(
      inOrder(...times(10, (n) => draw(n, stranger(n), 50n))),
      world(rich(...times(10, (n) => n))),
    )
    expect(result.exits).toEqual({})
    expect(result.tiers.pathProgram).toBe(10)
    expect(state.account(contractAddress('bank'))?.balance).toBe(500n)
  })

  test('that drain it together: the first is paid, the second finds too little', async () => {
    const { result, state } = await expectExact(
      inOrder(draw(0, stranger(1), 600n), draw(1, stranger(2), 600n), draw(2, stranger(3), 400n)),
      world(rich(1, 2, 3)),
    )
    expect(result.exits).toEqual({ 'balance conflict': 1 })
    expect(state.storage(contractAddress('bank'), BigInt(sender(1)))).toBe(0n)
    expect(state.account(contractAddress('bank'))?.balance).toBe(0n)
  })

  test('see what the transaction itself and those before it paid in', async () => {
    const { result, state } = await expectExact(
      inOrder(
        draw(0, stranger(1), 1000n),
        withValue(sender(1), 'bank', 50n, BigInt(stranger(1)), 50n),
        pay(sender(2), stranger(1), 1n),
        withValue(sender(3), 'forwarder', 500n, BigInt(contractAddress('vault'))),
        withValue(sender(4), 'bank', 50n, BigInt(stranger(1)), 50n),
      ),
      world(rich(1)),
    )
    expect(result.exits).toEqual({})
    expect(state.account(stranger(1))?.balance).toBe(1102n)
  })

  test('to an account that the batch makes: only the first one pays for it', async () => {
    const { result } = await expectExact(inOrder(...times(4, (n) => draw(n, stranger(70), 5n))))
    const used = times(4, (n) => result.receipts.get(n)!.gasUsed)
    expect(used[0]! - used[1]!).toBe(25_000n)
    expect(result.exits['code conflict']).toBe(3)
  })

  test('to an account that a transaction before them emptied', async () => {
    const poor = stranger(50)
    const before = world({ [poor]: 21_000n * 10n + 7n })
    await expectExact(inOrder(pay(poor, stranger(1), 7n), draw(1, poor, 5n), draw(2, poor, 6n)), before)
  })

  test('to an account that exists and is empty', async () => {
    await expectExact(inOrder(draw(0, stranger(61), 5n), draw(1, stranger(61), 5n)), world({ [stranger(61)]: 0n }))
  })

  test('to the coinbase, after the fees of those before', async () => {
    const { result } = await expectExact(
      inOrder(...times(4, (n) => ({ ...draw(n, COINBASE, 5n), gasPrice: 20n }))),
      world({ [COINBASE]: 1n }),
    )
    expect(result.exits).toEqual({})
    await expectExact(inOrder(...times(4, (n) => ({ ...draw(n, COINBASE, 5n), gasPrice: 20n }))))
  })

  test('to the sender, who may spend it at once', async () => {
    const poor = sender(13)
    const { result } = await expectExact(
      inOrder(
        withValue(sender(0), 'wrapper', ETHER),
        call(sender(0), 'wrapper', ETHER / 2n),
        call(sender(0), 'wrapper', ETHER / 2n),
        draw(1, poor, 900n),
        pay(poor, stranger(0), 2_500_900n - 210_000n),
      ),
    )
    expect(result.rejected).toEqual([])
    expect(result.exits['balance conflict']).toBeUndefined()
  })

  test('to itself', async () => {
    const { result } = await expectExact(inOrder(...times(3, (n) => draw(n, contractAddress('bank'), 700n))))
    expect(result.receipts.get(0)?.status).toBe(1)
  })
})

describe('readers of balances', () => {
  const reader = (n: number, of: string) => call(sender(n), 'balance reader', BigInt(of))

  test('see what calls before them moved', async () => {
    const bank = contractAddress('bank')
    const { result, state } = await expectExact(inOrder(reader(0, bank), draw(1, stranger(0), 300n), reader(2, bank)))
    expect(state.storage(contractAddress('balance reader'), BigInt(bank))).toBe(700n)
    expect(result.exits['balance conflict'] ?? result.exits['conflict']).toBeGreaterThan(0)
  })

  test('hold where a balance went and came back', async () => {
    const { result } = await expectExact(
      inOrder(...times(5, (n) => withValue(sender(n), 'forwarder', BigInt(n + 1), BigInt(stranger(0))))),
    )
    expect(result.exits).toEqual({})
    expect(result.tiers.pathProgram).toBe(5)
  })
})

describe('what a failure undoes', () => {
  test('the transfers of a call that reverts', async () => {
    const { state } = await expectExact(
      inOrder(
        withValue(sender(0), 'forwarder', 5n, BigInt(contractAddress('reverter'))),
        withValue(sender(1), 'forwarder', 6n, BigInt(contractAddress('halter'))),
        withValue(sender(2), 'forwarder', 7n, BigInt(contractAddress('vault'))),
      ),
    )
    expect(state.account(contractAddress('vault'))?.balance).toBe(7n)
  })

  const spend = (n: number, target: string, amount: bigint, bits: bigint) =>
    call(sender(n), 'spender', BigInt(target), amount, bits)
  const ask = (n: number, target: string, amount: bigint, bits: bigint) =>
    call(sender(n), 'asker', BigInt(target), amount, bits, BigInt(contractAddress('spender')))

  describe.each([
    ['on the device', {}],
    ['on the host', { waves: 'worth' }],
  ] as const)('by path programs %s', (_, options) => {
    test.each([
      ['a callee that reverts', () => contractAddress('reverter'), 0n],
      ['a callee that halts', () => contractAddress('halter'), 0n],
      ['a transaction that reverts', () => stranger(0), SPEND.revert],
      ['a transaction that halts', () => stranger(0), SPEND.halt],
    ])('a payment to %s is made only where there is enough for it', async (_, target, bits) => {
      const check = new BatchCheck({ device, recordFrom: 1, programs: 'always', ...options })
      const amounts = [50n, 1000n, 1001n, 20n]
      const direct = await check.run(world(), inOrder(...amounts.map((amount, n) => spend(n, target(), amount, bits))))
      expect(direct.difference).toBeUndefined()
      expect(direct.result.exits).toEqual({ 'balance conflict': 1 })
      const asked = await check.run(world(), inOrder(...amounts.map((amount, n) => ask(n, target(), amount, bits))))
      expect(asked.difference).toBeUndefined()
      expect(asked.result.exits).toEqual({ 'balance conflict': 1 })
      check.executor.close()
    })
  })

  test('payments that a frame around them drops, with others before and after', async () => {
    const paid = stranger(0)
    const bits = SPEND.payAfter | SPEND.payTwice
    for (const around of [0n, SPEND.revertAround])
      for (const end of [0n, SPEND.revert, SPEND.halt]) {
        const { result } = await expectExact(
          inOrder(...[50n, 480n, 500n, 501n, 999n].map((amount, n) => ask(n, paid, amount, bits | around | end))),
        )
        expect(result.tiers.pathProgram).toBeGreaterThan(0)
        expect(result.exits['balance conflict']).toBeGreaterThan(0)
      }
  })

  test('what is paid and moved back makes no account exist', async () => {
    const { state } = await expectExact(
      inOrder(...times(3, (n) => ask(n, stranger(71), 5n, SPEND.revert)), draw(4, stranger(71), 1n)),
    )
    expect(state.account(stranger(71))?.balance).toBe(1n)
  })

  test('a chain of deposits and withdrawals of one holder', async () => {
    await expectExact(
      inOrder(
        withValue(sender(0), 'wrapper', 100n),
        call(sender(0), 'wrapper', 60n),
        call(sender(0), 'wrapper', 60n),
        call(sender(0), 'wrapper', 40n),
        ...times(8, (n) => withValue(sender(n), 'wrapper', 10n)),
        ...times(8, (n) => call(sender(n), 'wrapper', 10n)),
      ),
    )
  })
})
