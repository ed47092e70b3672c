import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runSerial } from '../../bench/oracle.ts'
import { encodeBatch } from '../../host/chain/encode_batch.ts'
import {
  type AccountOverride,
  type CallObject,
  type ComputeDevice,
  createExecutor,
  type Executor,
  MemoryState,
  openDevice,
  type Receipt,
  type SimulatedCall,
  type TransactionObject,
} from '../../host/index.ts'
import { SPEND } from '../fixtures/batch_payers.ts'
import {
  BATCH_ENV,
  batchAllocation,
  batchState,
  contractAddress,
  holderSlot,
  randomBatch,
  SENDERS,
  sender,
  stranger,
  word,
} from '../fixtures/batch_world.ts'

const FREE_ENV = { ...BATCH_ENV, baseFeePerGas: 0n }

let device: ComputeDevice
beforeAll(async () => {
  device = await openDevice()
})
afterAll(() => device.destroy())

const executorOn = (state: MemoryState): Executor =>
  createExecutor({ fork: 'prague', chainId: 1n, state, device, recordFrom: 1, compile: 'wait', waves: 'always' })

const simulatorOn = async <Result>(
  state: MemoryState,
  run: (executor: Executor) => Promise<Result>,
): Promise<Result> => {
  const executor = executorOn(state)
  try {
    return await run(executor)
  } finally {
    executor.close()
  }
}

const onCpu = <Result>(state: MemoryState, run: (executor: Executor) => Promise<Result>): Promise<Result> =>
  run(createExecutor({ fork: 'prague', chainId: 1n, state }))

const transfer = (to: string, amount: bigint): string => `${word(BigInt(to))}${word(amount).slice(2)}`

/** A call as the transaction that its caller could send now. */
const asTransaction = ({ gas, ...call }: CallObject, state: MemoryState, behind = 0n): TransactionObject => ({
  gasPrice: 0n,
  ...call,
  from: call.from!,
  nonce: (state.account(call.from!)?.nonce ?? 0n) + behind,
  gasLimit: gas ?? BATCH_ENV.gasLimit,
})

const asCall = ({ nonce: _, gasLimit, ...call }: TransactionObject): CallObject => ({ ...call, gas: gasLimit })

/** What a call and a receipt have in common. */
const common = (one: SimulatedCall | Receipt | undefined) =>
  one === undefined || one.status === undefined
    ? 'rejected'
    : { status: one.status, gasUsed: one.gasUsed, output: one.output, logs: one.logs }

const serialOf = async (transactions: readonly TransactionObject[], state: MemoryState, env = BATCH_ENV) => {
  const run = await runSerial({ fork: 'prague', chainId: 1n, env, state, transactions })
  return run.receipts
}

describe('simulate', () => {
  test('random calls give what each of them alone gives under @ethereumjs/vm', async () => {
    for (const seed of [3]) {
      const state = batchState()
      const calls = randomBatch(seed, state).map(asCall)
      const before = JSON.stringify(state.dump(), bigints)
      await simulatorOn(state, async (executor) => {
        const simulation = await executor.simulate({ at: BATCH_ENV, calls })
        expect(simulation.tiers.pathKernel).toBeGreaterThan(0)
        expect(simulation.tiers.cpu).toBeGreaterThan(0)
        for (const [i, call] of calls.entries()) {
          const [serial] = await serialOf([asTransaction(call, state)], state)
          expect(common(simulation.get(i)), `seed ${seed} call ${i}`).toEqual(common(serial))
        }
      })
      expect(JSON.stringify(state.dump(), bigints)).toBe(before)
    }
  })

  test('calls on the device do not see each other', async () => {
    const state = batchState()
    const calls = Array.from({ length: 40 }, (_, n) => ({
      from: sender(0),
      to: contractAddress('token'),
      gas: 100_000n,
      data: transfer(stranger(n), 1000n),
    }))
    await simulatorOn(state, async (executor) => {
      const simulation = await executor.simulate({ at: BATCH_ENV, calls })
      expect(simulation.tiers.pathKernel).toBe(40)
      expect([...simulation.status]).toEqual(calls.map(() => 1))
      const [serial] = await serialOf([asTransaction(calls[7]!, state)], state, FREE_ENV)
      expect(common(simulation.get(7))).toEqual(common(serial))
    })
  })

  test('a call that pays stands where each payer holds the amount at its place, and else runs on the CPU tier', async () => {
    const state = batchState()
    const bits = [SPEND.payAfter | SPEND.payTwice, SPEND.revertAround | SPEND.payAfter | SPEND.payTwice, SPEND.revert]
    const calls = [10n, 500n, 501n, 999n, 1000n, 1001n].flatMap((amount) =>
      bits.map((flags, n) => ({
        from: sender(n),
        to: contractAddress('asker'),
        gas: 300_000n,
        value: BigInt(n),
        data: `0x${[BigInt(stranger(0)), amount, flags, BigInt(contractAddress('spender'))].map((value) => word(value).slice(2)).join('')}`,
      })),
    )
    const executor = createExecutor({
      fork: 'prague',
      chainId: 1n,
      state,
      device,
      recordFrom: 1,
      compile: 'wait',
      waves: 'always',
      kernels: 'never',
    })
    const simulation = await executor.simulate({ at: BATCH_ENV, calls })
    executor.close()
    for (const [i, call] of calls.entries()) {
      const [serial] = await serialOf([asTransaction(call, state)], state, FREE_ENV)
      expect(common(simulation.get(i)), `call ${i}`).toEqual(common(serial))
    }
    const onPath = calls.flatMap((_, i) => (simulation.tier(i) === 'path' ? [i] : []))
    // 501 twice is more than the asker has. With the call's value the spender has 1002.
    expect(onPath).toEqual([0, 1, 2, 3, 4, 5, 8, 11, 14, 17])
  })

  test('a payment that passes a word on its way is the CPU tier’s', async () => {
    const state = batchState()
    const [target, amount] = [BigInt(stranger(0)), 3n]
    const calls = ['spender', 'asker'].map((name) => ({
      from: sender(0),
      to: contractAddress(name),
      gas: 300_000n,
      value: 7n,
      data: `0x${[target, amount, 0n, BigInt(contractAddress('spender'))].map((value) => word(value).slice(2)).join('')}`,
    }))
    const overrides = { [contractAddress('spender')]: { balance: (1n << 256n) - 1n } }
    await simulatorOn(state, async (executor) => {
      const plain = await executor.simulate({ at: BATCH_ENV, calls })
      expect(calls.map((_, i) => plain.tier(i))).toEqual(['path', 'path'])
      const full = await executor.simulate({ at: BATCH_ENV, calls, overrides })
      const expected = await onCpu(state, (cpu) => cpu.simulate({ at: BATCH_ENV, calls, overrides }))
      expect(calls.map((_, i) => full.tier(i))).toEqual(['cpu', 'cpu'])
      expect(calls.map((_, i) => common(full.get(i)))).toEqual(calls.map((_, i) => common(expected.get(i))))
    })
  })

  test('a range of calls is judged like the whole', async () => {
    const calls = Array.from({ length: 64 }, (_, n) => ({
      from: sender(n % 10),
      to: contractAddress('token'),
      data: transfer(stranger(n % 7), BigInt(900 + n * 4)),
    }))
    const state = batchState()
    const executor = createExecutor({
      fork: 'prague',
      chainId: 1n,
      state,
      device,
      recordFrom: 1,
      range: 16,
      compile: 'wait',
    })
    const ranged = await executor.simulate({ at: BATCH_ENV, calls })
    executor.close()
    await simulatorOn(state, async (whole) => {
      const simulation = await whole.simulate({ at: BATCH_ENV, calls })
      expect([...ranged.gasUsed]).toEqual([...simulation.gasUsed])
      expect([...ranged.status]).toEqual([...simulation.status])
      expect(new Set(simulation.status)).toEqual(new Set([0, 1]))
    })
  })

  test('a batch in columns gives what the same calls in object form give, whatever its nonces', async () => {
    const state = batchState()
    const calls = Array.from({ length: 9 }, (_, n) => ({
      from: sender(n),
      to: contractAddress('token'),
      gasPrice: 11n,
      gas: 90_000n,
      data: transfer(stranger(1), 5n),
    }))
    const batch = encodeBatch(calls.map((call) => ({ ...asTransaction(call, state), nonce: 77n })))
    await simulatorOn(state, async (executor) => {
      const columns = await executor.simulate({ at: BATCH_ENV, calls: batch })
      const objects = await executor.simulate({ at: BATCH_ENV, calls })
      expect(calls.map((_, i) => columns.get(i))).toEqual(calls.map((_, i) => objects.get(i)))
      expect(batch.nonce[0]).toBe(77)
    })
  })

  test('the calls of a bundle see what the ones before them wrote, and bundles do not see each other', async () => {
    const state = batchState()
    const give = (from: number, to: string, amount: bigint): CallObject => ({
      from: sender(from),
      to: contractAddress('token'),
      gas: 100_000n,
      data: transfer(to, amount),
    })
    // 1000 tokens each: the second call needs what the first one gave.
    const bundle = { calls: [give(0, sender(1), 1000n), give(1, stranger(4), 1900n), give(1, stranger(4), 101n)] }
    await simulatorOn(state, async (executor) => {
      const simulation = await executor.simulate({
        at: FREE_ENV,
        bundles: [bundle, bundle, { calls: [give(1, stranger(4), 1900n)] }],
      })
      expect([...simulation.bundleStart]).toEqual([0, 3, 6, 7])
      const serial = await serialOf(
        bundle.calls.map((call, n) => asTransaction(call, state, n === 2 ? 1n : 0n)),
        state,
        FREE_ENV,
      )
      expect([0, 1, 2, 3, 4, 5].map((i) => common(simulation.get(i)))).toEqual([...serial, ...serial].map(common))
      expect(simulation.status[6]).toBe(0)
      expect(simulation.exitReason(0)).toBe('bundle')
    })
  })

  test('overrides hold for one simulation, on the device as well', async () => {
    const state = batchState()
    const token = contractAddress('token')
    const poor = stranger(9)
    const calls = Array.from({ length: 12 }, (_, n) => ({
      from: poor,
      to: token,
      gas: 100_000n,
      data: transfer(stranger(n), 7n),
    }))
    const overrides = { [token]: { stateDiff: { [holderSlot(poor)]: 7n } } }
    await simulatorOn(state, async (executor) => {
      const plain = await executor.simulate({ at: BATCH_ENV, calls })
      expect([...plain.status]).toEqual(calls.map(() => 0))
      const overridden = await executor.simulate({ at: BATCH_ENV, calls, overrides })
      expect([...overridden.status]).toEqual(calls.map(() => 1))
      expect(overridden.tiers.pathKernel).toBe(12)
      const other = MemoryState.from({
        ...batchAllocation(),
        [token]: {
          ...batchAllocation()[token],
          storage: { ...batchAllocation()[token]!.storage, [holderSlot(poor)]: 7n },
        },
      })
      const [serial] = await serialOf([asTransaction(calls[3]!, other)], other, FREE_ENV)
      expect(common(overridden.get(3))).toEqual(common(serial))
      expect([...(await executor.simulate({ at: BATCH_ENV, calls })).status]).toEqual(calls.map(() => 0))
    })
  })

  test('every field of an override acts: balance, nonce, code, state and stateDiff', async () => {
    const state = batchState()
    const target = contractAddress('token')
    const reader = stranger(30)
    // Balance, code size, slot 1 and slot 2 of `target`, in this order.
    const code = `0x73${target.slice(2)}3160005273${target.slice(2)}3b60205260406000f3`
    const slots = '0x60015460005260025460205260406000f3'
    const read = async (override: AccountOverride): Promise<bigint[]> =>
      onCpu(state, async (executor) => {
        const simulation = await executor.simulate({
          at: BATCH_ENV,
          calls: [{ to: reader }, { to: target }],
          overrides: { [reader]: { code }, [target]: { code: slots, ...override } },
        })
        return [0, 1].flatMap((i) => {
          const hex = Buffer.from(simulation.output(i)).toString('hex')
          return [BigInt(`0x${hex.slice(0, 64)}`), BigInt(`0x${hex.slice(64)}`)]
        })
      })
    const size = BigInt((slots.length - 2) / 2)
    expect(await read({ balance: 5n, stateDiff: { '0x1': '0x11' } })).toEqual([5n, size, 0x11n, expect.any(BigInt)])
    expect(await read({ state: { [word(2n)]: 0x22n } })).toEqual([expect.any(BigInt), size, 0n, 0x22n])
    await onCpu(state, async (executor) => {
      const create = { from: sender(0), data: '0x00', gas: 100_000n }
      const simulation = await executor.simulate({
        at: BATCH_ENV,
        calls: [create],
        overrides: { [sender(0)]: { nonce: 9n } },
      })
      const other = MemoryState.from({ ...batchAllocation(), [sender(0)]: { balance: 10n ** 20n, nonce: 9n } })
      const [serial] = await serialOf([asTransaction(create, other)], other, FREE_ENV)
      expect(simulation.createdAddress(0)).toBe(serial?.contractAddress)
    })
    const bad = { [target]: { state: {}, stateDiff: {} } }
    await onCpu(state, async (executor) => {
      await expect(executor.simulate({ at: BATCH_ENV, calls: [], overrides: bad })).rejects.toThrow(
        /both state and stateDiff/,
      )
    })
  })

  test('overrides of a bundle hold for its calls only', async () => {
    const state = batchState()
    const call = { from: stranger(9), to: contractAddress('token'), gas: 100_000n, data: transfer(stranger(1), 7n) }
    const overrides = { [contractAddress('token')]: { stateDiff: { [holderSlot(stranger(9))]: 8n } } }
    await simulatorOn(state, async (executor) => {
      const { status } = await executor.simulate({
        at: BATCH_ENV,
        bundles: [{ calls: [call, call], overrides }, { calls: [call] }],
      })
      expect([...status]).toEqual([1, 0, 0])
    })
  })

  test('a caller without funds is refused, or is lent them', async () => {
    const state = batchState()
    const call = { from: stranger(9), to: stranger(10), value: 5n }
    await simulatorOn(state, async (executor) => {
      const refused = await executor.simulate({ at: BATCH_ENV, calls: [call] })
      expect(refused.get(0)).toMatchObject({
        status: undefined,
        tier: 'none',
        rejection: 'insufficient funds for gas * price + value',
      })
      const lent = await executor.simulate({ at: BATCH_ENV, calls: [call], checkBalance: false })
      expect(lent.get(0)).toMatchObject({ status: 1, gasUsed: 21_000n, exitReason: 'lent balance' })
    })
  })

  test('a contract may call, a price below the base fee may not, and no cap is put on the gas', async () => {
    const state = batchState()
    await simulatorOn(state, async (executor) => {
      const calls = [
        { from: contractAddress('counter'), to: stranger(1) },
        { from: sender(0), to: stranger(1), gasPrice: 9n, gas: 30_000n },
        { from: sender(0), to: stranger(1), gas: 900_000_000n },
        { from: sender(0), to: stranger(1), gas: 20_999n },
        { from: sender(0), to: stranger(1), gasPrice: 12n, gas: 30_000n },
      ]
      const simulation = await executor.simulate({ at: BATCH_ENV, calls })
      expect(calls.map((_, i) => simulation.rejection(i))).toEqual([
        undefined,
        'max fee per gas less than block base fee',
        undefined,
        'intrinsic gas too low',
        undefined,
      ])
    })
  })

  test('reverts say why: Error(string), Panic(uint256), or nothing', async () => {
    const reverting = (data: string): string => {
      const bytes = data.length / 2
      return `0x${'60'}${bytes.toString(16).padStart(2, '0')}600c60003960${bytes.toString(16).padStart(2, '0')}6000fd${data}`
    }
    const text = Buffer.from('out of cheese').toString('hex').padEnd(64, '0')
    const error = `08c379a0${word(32n).slice(2)}${word(13n).slice(2)}${text}`
    const panic = `4e487b71${word(0x11n).slice(2)}`
    const cut = `08c379a0${word(32n).slice(2)}${word(14n * 32n).slice(2)}${text}`
    const codes = [error, panic, 'deadbeef', cut]
    const overrides = Object.fromEntries(codes.map((data, n) => [stranger(40 + n), { code: reverting(data) }]))
    await onCpu(batchState(), async (executor) => {
      const calls = codes.map((_, n) => ({ to: stranger(40 + n) }))
      const simulation = await executor.simulate({ at: BATCH_ENV, calls, overrides })
      expect(calls.map((_, i) => Buffer.from(simulation.output(i)).toString('hex'))).toEqual(codes)
      expect(calls.map((_, i) => simulation.revertReason(i))).toEqual([
        'out of cheese',
        'panic 0x11: arithmetic underflow or overflow',
        undefined,
        undefined,
      ])
    })
  })

  test('an access list names what the call touches, and none is made once the state has moved on', async () => {
    const state = batchState()
    const token = contractAddress('token')
    const call = { from: sender(0), to: token, gas: 100_000n, data: transfer(stranger(3), 5n) }
    await simulatorOn(state, async (executor) => {
      const simulation = await executor.simulate({ at: BATCH_ENV, calls: [call, { from: sender(1), to: stranger(3) }] })
      const keys = [holderSlot(sender(0)), holderSlot(stranger(3))].sort()
      const list = await simulation.accessList(0)
      expect(list).toEqual([{ address: token, storageKeys: expect.arrayContaining(keys) }])
      expect(await simulation.accessList(1)).toEqual([])
      // A list that misses nothing makes every access warm: the gas falls by what it paid for cold ones and pays per
      // entry.
      const again = await executor.simulate({ at: BATCH_ENV, calls: [{ ...call, accessList: list }] })
      const slots = list[0]!.storageKeys.length
      expect(again.gasUsed[0]! - simulation.gasUsed[0]!).toBe(2400 + slots * (1900 - 2000))
      await executor.execute({
        env: BATCH_ENV,
        transactions: [{ from: sender(2), to: stranger(1), nonce: 0n, gasLimit: 21_000n, gasPrice: 10n }],
      })
      await expect(simulation.accessList(0)).rejects.toThrow(/moved on/)
    })
  })

  test('a simulation between batches leaves them as they are', async () => {
    const state = batchState()
    const plain = batchState()
    const transactions = (n: bigint) =>
      Array.from({ length: SENDERS - 2 }, (_, i) => ({
        from: sender(i),
        to: contractAddress('token'),
        nonce: n,
        gasLimit: 100_000n,
        gasPrice: 10n,
        data: transfer(stranger(i), 3n),
      }))
    await simulatorOn(state, async (executor) => {
      await executor.execute({ env: BATCH_ENV, transactions: transactions(0n) })
      await executor.simulate({ at: BATCH_ENV, calls: transactions(1n).map(asCall) })
      await executor.execute({ env: BATCH_ENV, transactions: transactions(1n) })
    })
    await simulatorOn(plain, async (executor) => {
      await executor.execute({ env: BATCH_ENV, transactions: transactions(0n) })
      await executor.execute({ env: BATCH_ENV, transactions: transactions(1n) })
    })
    expect(state.dump()).toEqual(plain.dump())
  })

  test('without a device the CPU tier gives the same', async () => {
    const state = batchState()
    const calls = randomBatch(5, state).slice(0, 30).map(asCall)
    const cpuOnly = createExecutor({ fork: 'prague', chainId: 1n, state })
    const simulation = await cpuOnly.simulate({ at: BATCH_ENV, calls })
    await simulatorOn(state, async (executor) => {
      const onDevice = await executor.simulate({ at: BATCH_ENV, calls })
      for (const i of calls.keys()) expect(common(simulation.get(i))).toEqual(common(onDevice.get(i)))
    })
  })

  test('bad calls are told by index and field, and neither or both forms are refused', async () => {
    await simulatorOn(batchState(), async (executor) => {
      await expect(executor.simulate({ at: BATCH_ENV, calls: [{ to: '0x12' }] })).rejects.toThrow(/call 0: to must be/)
      await expect(executor.simulate({ at: BATCH_ENV })).rejects.toThrow(/either calls or bundles/)
      await expect(executor.simulate({ at: BATCH_ENV, calls: [], bundles: [] })).rejects.toThrow(
        /either calls or bundles/,
      )
      expect((await executor.simulate({ at: BATCH_ENV, calls: [] })).count).toBe(0)
    })
  })
})

const bigints = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value)
