import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type BlockEnvironment,
  type ComputeDevice,
  MemoryState,
  openDevice,
  REJECTION,
  type TransactionObject,
} from '../../host/index.ts'
import { bytesToHex } from '../../host/primitives/hex.ts'
import { BatchCheck, type CheckedBatch } from '../fixtures/batch_check.ts'
import { BATCH_CONTRACTS, initCode } from '../fixtures/batch_contracts.ts'
import {
  BATCH_ENV,
  batchAllocation,
  COINBASE,
  contractAddress,
  createdAddress,
  holderSlot,
  sender,
  stranger,
  word,
} from '../fixtures/batch_world.ts'

const ETHER = 10n ** 18n
const GAS_PRICE = 10n
const TRANSFER_COST = 21_000n * GAS_PRICE

let device: ComputeDevice
/** Each path with a kernel of its own, and all of them as programs. */
const checks: BatchCheck[] = []
beforeAll(async () => {
  device = await openDevice()
  for (const programs of ['never', 'always'] as const) checks.push(new BatchCheck({ device, recordFrom: 1, programs }))
})
afterAll(() => {
  for (const { executor } of checks) executor.close()
  device.destroy()
})

const codeOf = (name: string): Uint8Array => BATCH_CONTRACTS.find((contract) => contract.name === name)!.code

/** Transactions with running nonces per sender. */
const inOrder = (...list: readonly (Partial<TransactionObject> & { readonly from: string })[]): TransactionObject[] => {
  const nonces = new Map<string, bigint>()
  return list.map((fields) => {
    const nonce = nonces.get(fields.from) ?? 0n
    nonces.set(fields.from, nonce + 1n)
    return { gasLimit: 200_000n, gasPrice: GAS_PRICE, nonce, ...fields }
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

/** Both forms of the paths: exact, and the same rounds, exits and lanes on the device. */
const expectExact = async (
  transactions: readonly TransactionObject[],
  before = world(),
  env: BlockEnvironment = BATCH_ENV,
): Promise<CheckedBatch> => {
  const [own, programs] = [
    await checks[0]!.run(before, transactions, env),
    await checks[1]!.run(before, transactions, env),
  ]
  for (const { difference, result } of [own, programs]) {
    expect(difference).toBeUndefined()
    expect(result.faults).toEqual([])
  }
  const { tiers, rounds, exits } = programs.result
  expect(own.result.tiers.pathProgram + tiers.pathKernel).toBe(0)
  expect({ rounds, exits, cpu: tiers.cpu, lanes: tiers.pathProgram }).toEqual({
    rounds: own.result.rounds,
    exits: own.result.exits,
    cpu: own.result.tiers.cpu,
    lanes: own.result.tiers.pathKernel,
  })
  return own
}

const times = <T>(count: number, make: (n: number) => T): T[] => Array.from({ length: count }, (_, n) => make(n))

describe('access lists', () => {
  test('warm what they name, so that each list has paths of its own', async () => {
    const plain = call(sender(0), 'token', BigInt(sender(1)), 1n)
    const key = holderSlot(sender(2))
    const accessList = [{ address: contractAddress('token'), storageKeys: [key] }]
    const listed = { ...call(sender(2), 'token', BigInt(sender(3)), 1n), type: 1 as const, accessList }
    const { result } = await expectExact(inOrder(plain, listed))
    expect(result.tiers.pathKernel).toBe(2)
    expect(result.exits).toEqual({})
    // 2400 + 1900 for the list; the slot it warms costs 2000 less.
    const [without, withList] = [0, 1].map((i) => result.receipts.get(i)!.gasUsed)
    expect(withList! - without!).toBe(2400n + 1900n - 2000n)
  })
})

describe('storage conflicts', () => {
  test('two payments of one token holder: the second sees what the first left', async () => {
    const { result } = await expectExact(
      inOrder(call(sender(0), 'token', BigInt(sender(1)), 600n), call(sender(0), 'token', BigInt(sender(2)), 600n)),
    )
    expect([result.receipts.get(0)?.status, result.receipts.get(1)?.status]).toEqual([1, 0])
  })

  test('a holder spends tokens that an earlier transaction of the batch paid to it', async () => {
    const { result } = await expectExact(
      inOrder(call(sender(0), 'token', BigInt(sender(1)), 900n), call(sender(1), 'token', BigInt(sender(2)), 1900n)),
    )
    expect(result.receipts.get(1)?.status).toBe(1)
  })

  test('many payments to one token holder add up', async () => {
    const { state } = await expectExact(
      inOrder(...times(12, (n) => call(sender(n), 'token', BigInt(sender(13)), BigInt(n + 1)))),
    )
    expect(state.storage(contractAddress('token'), BigInt(holderSlot(sender(13))))).toBe(1000n + 78n)
  })

  test('a counter counts every transaction of the batch', async () => {
    const { result, state } = await expectExact(inOrder(...times(20, (n) => call(sender(n % 12), 'counter'))))
    expect(state.storage(contractAddress('counter'), 0n)).toBe(20n)
    expect(result.rounds).toBeGreaterThan(1)
    expect(result.exits['conflict']).toBeGreaterThan(0)
  })

  test('pairs of conflicting transactions become valid in a second round on the device', async () => {
    const pairs = times(10, (n) => [
      call(sender(n), 'alternator', 100n + BigInt(n)),
      call(sender(n + 1), 'alternator', 100n + BigInt(n)),
    ]).flat()
    const transactions = inOrder(...pairs, ...times(3, () => call(sender(0), 'setter', 1n, 5n)))
    const { result } = await expectExact(transactions)
    expect(result.rounds).toBe(2)
  })

  test('what the CPU tier writes in the middle reaches the lanes after it through another round', async () => {
    const reads = (n: number) => call(sender(n), 'price board', 0n)
    // No path has so long an access list.
    const accessList = times(129, (n) => ({ address: stranger(n), storageKeys: [] }))
    const cpuSet = { ...call(sender(0), 'price board', 5n), type: 1 as const, accessList, gasLimit: 400_000n }
    const { result, state } = await expectExact(
      inOrder(...times(3, (n) => reads(n + 1)), cpuSet, ...times(12, (n) => reads(n))),
    )
    expect(state.storage(contractAddress('price board'), BigInt(sender(4)))).toBe(5n)
    expect(result.tiers.cpu).toBe(1)
    expect(result.rounds).toBe(2)
  })

  test('swaps on one pool see the reserves that the swap before left', async () => {
    const { result } = await expectExact(inOrder(...times(12, (n) => call(sender(n), 'pool', 10n ** 18n + BigInt(n)))))
    expect(result.exits['conflict']).toBeGreaterThan(0)
  })

  test('a slot that is written twice and ends where it began invalidates nothing after it', async () => {
    const { result } = await expectExact(
      inOrder(call(sender(0), 'setter', 1n, 9n), call(sender(1), 'setter', 1n, 5n), call(sender(2), 'setter', 1n, 7n)),
    )
    expect(result.receipts.get(2)?.status).toBe(1)
  })
})

describe('balance conflicts', () => {
  const poor = stranger(50)
  const other = stranger(51)

  test('B can pay only because A paid B earlier in the batch', async () => {
    const { result } = await expectExact(inOrder(pay(sender(0), poor, ETHER), pay(poor, other, ETHER / 2n)))
    expect(result.rejected).toEqual([])
    expect(result.tiers.transfer).toBe(2)
  })

  test('B cannot pay because an earlier transaction of B emptied it', async () => {
    const before = world({ [poor]: 2n * TRANSFER_COST + 100n })
    const { result } = await expectExact(inOrder(pay(poor, other, TRANSFER_COST), pay(poor, other, 200n)), before)
    expect(result.rejected).toEqual([
      { index: 1, code: REJECTION.insufficientFunds, reason: 'insufficient funds for gas * price + value' },
    ])
  })

  test('B calls a contract with what A paid it', async () => {
    const { result } = await expectExact(
      inOrder(pay(sender(0), poor, ETHER), call(poor, 'counter'), { ...call(poor, 'vault'), value: 5n }),
    )
    expect(result.rejected).toEqual([])
  })

  test('one sender many times: nonces and balance run through the batch', async () => {
    const { result } = await expectExact(
      inOrder(...times(30, (n) => (n % 3 === 0 ? call(sender(0), 'counter') : pay(sender(0), stranger(n), 1n)))),
    )
    expect(result.rejected).toEqual([])
  })

  test('a nonce out of order is rejected, and the rest of the batch goes on', async () => {
    const [first, second, third] = inOrder(...times(3, (n) => pay(sender(0), stranger(n), 1n)))
    const { result } = await expectExact([second!, first!, second!, third!, third!])
    expect(result.rejected.map(({ index, reason }) => [index, reason])).toEqual([
      [0, 'nonce too high'],
      [4, 'nonce too low'],
    ])
  })

  test('the coinbase spends fees that it earned earlier in the batch', async () => {
    const before = world()
    const { result } = await expectExact(
      inOrder(
        ...times(6, (n) => ({ ...call(sender(n), 'counter'), gasPrice: 1000n })),
        pay(COINBASE, stranger(7), 1000n),
      ),
      before,
    )
    expect(before.account(COINBASE)).toBeUndefined()
    expect(result.rejected).toEqual([])
  })

  test('the coinbase is sender, recipient and called contract of its own block', async () => {
    const before = world({ [COINBASE]: ETHER })
    await expectExact(
      inOrder(pay(COINBASE, COINBASE, 5n), pay(sender(0), COINBASE, 7n), call(COINBASE, 'token', BigInt(COINBASE), 0n)),
      before,
    )
  })

  test('a contract reads the balance of the coinbase after every fee before it', async () => {
    const { result, state } = await expectExact(
      inOrder(
        { ...call(sender(0), 'counter'), gasPrice: 25n },
        call(sender(1), 'fee watcher'),
        { ...call(sender(2), 'counter'), gasPrice: 30n },
        call(sender(3), 'fee watcher'),
      ),
    )
    expect(state.storage(contractAddress('fee watcher'), 0n)).toBeGreaterThan(0n)
    expect(result.exits).toEqual({ 'balance conflict': 2 })
  })

  test('a contract reads its own balance after a payment to it in the same batch', async () => {
    const { state } = await expectExact(
      inOrder(
        pay(sender(0), contractAddress('vault'), 0n),
        { ...call(sender(1), 'fee watcher'), value: 3n },
        {
          ...call(sender(2), 'fee watcher'),
          value: 4n,
        },
      ),
    )
    expect(state.storage(contractAddress('fee watcher'), 1n)).toBe(7n)
  })

  test('a zero-value payment to an account that does not exist leaves no account', async () => {
    const { state } = await expectExact(inOrder(pay(sender(0), stranger(60), 0n)))
    expect(state.account(stranger(60))).toBeUndefined()
  })

  test('address zero is paid like any other, with data or without', async () => {
    const zero = `0x${'0'.repeat(40)}`
    const message = { ...pay(sender(1), zero, 0n), data: '0x64617461', gasLimit: 50_000n }
    const { result } = await expectExact(inOrder(pay(sender(0), zero, 5n), message))
    expect(result.tiers.transfer).toBe(2)
  })

  test('an empty account that exists goes when it is touched', async () => {
    const { state } = await expectExact(inOrder(pay(sender(0), stranger(61), 0n)), world({ [stranger(61)]: 0n }))
    expect(state.account(stranger(61))).toBeUndefined()
  })
})

describe('code conflicts', () => {
  const made = createdAddress(sender(0), 0n)
  const create = (name: string) => ({ from: sender(0), data: bytesToHex(initCode(codeOf(name))), gasLimit: 400_000n })

  test('a contract made in the batch is called later in the batch', async () => {
    const { result, state } = await expectExact(
      inOrder(
        create('counter'),
        { ...call(sender(1), 'counter'), to: made },
        { ...call(sender(2), 'counter'), to: made },
      ),
    )
    expect(state.storage(made, 0n)).toBe(2n)
    expect(result.exits['code conflict']).toBe(2)
  })

  test('a payment before the creation finds no code, one after it runs the code', async () => {
    const { result } = await expectExact(
      inOrder(create('reverter'), pay(sender(1), made, 5n), { ...pay(sender(2), made, 5n), gasLimit: 100_000n }),
    )
    expect(result.receipts.get(2)?.status).toBe(0)
  })

  test('a path that read the code hash of an account runs again where the account gets code', async () => {
    const { result } = await expectExact(
      inOrder(create('counter'), call(sender(1), 'code reader', BigInt(made))),
      world({ [made]: 1n }),
    )
    expect(result.exits['code conflict']).toBe(1)
  })

  test('a contract that is destroyed and made anew has none of its old slots', async () => {
    const shanghai = new BatchCheck({ fork: 'shanghai', device, recordFrom: 1 })
    const { difference, state } = await shanghai.run(
      world(),
      inOrder(
        call(sender(1), 'setter', 1n, 3n),
        call(sender(2), 'destroyer', BigInt(sender(3))),
        call(sender(4), 'destroyer', BigInt(sender(3))),
        pay(sender(5), contractAddress('destroyer'), 9n),
      ),
    )
    expect(difference).toBeUndefined()
    expect(state.storage(contractAddress('destroyer'), 0n)).toBe(0n)
    const next = await shanghai.next([{ ...inOrder(pay(sender(6), contractAddress('destroyer'), 1n))[0]! }])
    expect(next.difference).toBeUndefined()
    shanghai.executor.close()
  })
})

describe('block limits', () => {
  test('a transaction whose gas limit passes what is left of the block is rejected, a smaller one after it is not', async () => {
    const transactions = inOrder(
      { ...call(sender(0), 'counter') },
      { ...call(sender(1), 'counter'), gasLimit: 300_000n },
      pay(sender(2), stranger(1), 1n),
    )
    const checked = await expectExact(transactions, world(), {
      number: 1n,
      timestamp: 2n,
      coinbase: COINBASE,
      gasLimit: 310_000n,
      baseFeePerGas: 1n,
      prevRandao: 0n,
    })
    expect(checked.result.rejected).toEqual([
      { index: 1, code: REJECTION.gasLimitReached, reason: 'gas limit reached' },
    ])
  })
})
