import { hexToBytes } from '@ethereumjs/util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runSerial, type SerialRun } from '../../bench/oracle.ts'
import { encodeBatch } from '../../host/chain/encode_batch.ts'
import {
  type BlockEnvironment,
  type ComputeDevice,
  createExecutor,
  type ExecutionResult,
  type ExecutorOptions,
  MemoryState,
  openDevice,
  REJECTION,
  type TransactionObject,
} from '../../host/index.ts'
import { bytesToHex } from '../../host/primitives/hex.ts'
import { indexedRoot, receiptsRoot } from '../../host/roots/roots.ts'
import { createStateTrie } from '../../host/state/trie/trie.ts'
import { traceLines } from '../../host/trace/lines.ts'
import { traceOnCpu } from '../../host/trace/trace.ts'
import { assemble } from '../fixtures/assembler.ts'
import { BatchCheck, type BatchCheckOptions } from '../fixtures/batch_check.ts'
import { ATTRIBUTES, blockAllocation, blockWorld, keyed, runByVm, signed } from '../fixtures/block_world.ts'
import { addressOf } from '../fixtures/cpu_world.ts'
import { encodeReceipt } from '../fixtures/receipts.ts'

const EXACT = 1n << 53n
/** Around the width of a double, and the highest one that headers allow. */
const BLOCK_LIMITS = [
  EXACT - 1n,
  EXACT,
  EXACT + 1n,
  EXACT + 3n,
  (1n << 54n) + 5n,
  (1n << 60n) + 1n,
  (1n << 63n) - 1n,
  (1n << 64n) + 1n,
]
const TRANSFER_GAS = 21_000n
/** What `METER` takes of a transaction without calldata. */
const METER_GAS = 21_028n

const METER = `0x${'0a'.repeat(20)}`
const BURNER = `0x${'0b'.repeat(20)}`
const FRIEND = `0x${'0d'.repeat(20)}`
const COINBASE = `0xfe${'c0'.repeat(18)}ef`
const SENDERS = 40
const person = (n: number): string => addressOf(`person ${n}`)
const CODES = {
  [METER]: 'GAS PUSH 0 MSTORE GASLIMIT PUSH 32 MSTORE PUSH 64 PUSH 0 RETURN',
  [BURNER]: 'INVALID',
}

const world = (): MemoryState =>
  MemoryState.from({
    [COINBASE]: { balance: 1n },
    [FRIEND]: { balance: 1n },
    ...Object.fromEntries(Array.from({ length: SENDERS }, (_, n) => [person(n), { balance: 1n << 100n }])),
    ...Object.fromEntries(
      Object.entries(CODES).map(([address, text]) => [address, { nonce: 1n, code: bytesToHex(assemble(text)) }]),
    ),
  })

const environment = (gasLimit: bigint): BlockEnvironment => ({
  number: 5n,
  timestamp: 6n,
  coinbase: COINBASE,
  gasLimit,
  baseFeePerGas: 0n,
  prevRandao: 0n,
})

/**
 * Transactions of one sender each that fill a block to its last gas. Those that halt use all but `rest` of it, in gas
 * limits of `widest` where a few of these reach that far. One that asks for a gas more than is left may not be
 * included.
 */
const filling = (limit: bigint, rest: bigint, widest: bigint): TransactionObject[] => {
  const transactions: TransactionObject[] = []
  const add = (to: string, gasLimit: bigint): void => {
    transactions.push({ from: person(transactions.length), to, nonce: 0n, gasLimit, gasPrice: 3n })
  }
  let left = limit
  const use = (to: string, gasLimit: bigint, gas: bigint): void => {
    add(to, gasLimit)
    left -= gas
  }
  use(FRIEND, TRANSFER_GAS, TRANSFER_GAS)
  use(METER, 100_001n, METER_GAS)
  for (let n = 0; n < 4; n++) {
    const gas = left - rest < widest ? left - rest : widest
    if (gas > TRANSFER_GAS) use(BURNER, gas, gas)
  }
  // What a gas limit is wide enough for.
  while (left - rest >= 1n << 64n) use(BURNER, (1n << 64n) - 1n, (1n << 64n) - 1n)
  add(BURNER, left + 1n)
  if (left > rest) use(BURNER, left - rest, left - rest)
  add(METER, left + 1n)
  use(METER, left, METER_GAS)
  add(FRIEND, left + 1n)
  use(FRIEND, left, TRANSFER_GAS)
  add(METER, left + 1n)
  use(METER, left, METER_GAS)
  use(BURNER, left, left)
  add(FRIEND, TRANSFER_GAS)
  return transactions
}

const rootOf = ({ receipts }: SerialRun, transactions: readonly TransactionObject[]): string =>
  indexedRoot(
    receipts.flatMap((receipt, i) => {
      if (receipt === undefined) return []
      const { status, cumulativeGasUsed, logsBloom, logs } = receipt
      const bloom = hexToBytes(logsBloom as `0x${string}`)
      return [encodeReceipt({ type: transactions[i]!.type ?? 0, status, cumulativeGasUsed, bloom, logs })]
    }),
  )

let device: ComputeDevice
beforeAll(async () => {
  device = await openDevice()
})
afterAll(() => device.destroy())

type Tier = keyof ExecutionResult['tiers']
interface Form {
  readonly tier: Tier
  readonly options: () => BatchCheckOptions
}
const FORMS: Readonly<Record<string, Form>> = {
  'path kernels': { tier: 'pathKernel', options: () => ({ device, recordFrom: 1 }) },
  'path programs': { tier: 'pathProgram', options: () => ({ device, recordFrom: 1, programs: 'always' }) },
  'paths on the host': {
    tier: 'pathHost',
    options: () => ({ device, recordFrom: 1, programs: 'always', waves: 'worth' }),
  },
  'the lane VM': { tier: 'laneVm', options: () => ({ device, paths: 'never', laneVm: 'always' }) },
  'the CPU tier': { tier: 'cpu', options: () => ({}) },
  'the CPU tier on a worker': { tier: 'cpu', options: () => ({ workers: 1 }) },
}

describe.each(Object.keys(FORMS))('a block of wide gas on %s', (name) => {
  const { tier, options } = FORMS[name]!

  test('is filled to its last gas', async () => {
    const check = new BatchCheck({ ...options(), fork: 'cancun' })
    let executed = 0
    for (const limit of BLOCK_LIMITS) {
      for (const [rest, widest] of [
        [1_000_001n, EXACT - 1n],
        [EXACT + 1n, EXACT + 7n],
      ] as const) {
        if (limit < 2n * rest) continue
        const transactions = filling(limit, rest, widest)
        const env = environment(limit)
        const serial = await runSerial({ fork: 'cancun', chainId: 1n, env, state: world(), transactions })
        check.replace(world())
        const { result, difference } = await check.next(transactions, env, serial)
        const { receipts, rejected, tiers, faults } = result
        expect(difference, `block of ${limit}`).toBeUndefined()
        expect(faults).toEqual([])
        // The block is full, and all that had one gas too much was left out.
        expect(receipts.blockGasUsed).toBe(limit)
        expect(rejected.map(({ code }) => code)).toEqual(Array(5).fill(REJECTION.gasLimitReached))
        expect(receiptsRoot(receipts)).toBe(rootOf(serial, transactions))
        executed += tiers[tier]
      }
    }
    check.executor.close()
    expect(executed).toBeGreaterThan(BLOCK_LIMITS.length)
  })
})

test('a block of wide gas is built, and executes to itself, here and in @ethereumjs/vm', async () => {
  const accounts = blockAllocation()
  const rich = { ...accounts, [keyed(0)]: { balance: 1n << 120n }, [keyed(1)]: { balance: 1n << 120n } }
  const { parent: _, ...given } = blockWorld('cancun', rich)
  const parent = { ...blockWorld('cancun', rich).parent, gasLimit: (1n << 63n) - 1n, gasUsed: 1n << 62n }
  const wide = { ...given, parent }
  // A creation whose first byte is INVALID uses all its gas.
  const burn = { data: '0xfe', gasPrice: 1000n, gasLimit: EXACT + 1n }
  const pool = [0, 1].flatMap((n) => [0n, 1n].map((nonce) => signed({ ...burn, from: keyed(n), nonce }, 'cancun')))
  const start = () => {
    const state = wide.state.clone()
    const parentState = createStateTrie(state.dump())
    return { executor: createExecutor({ fork: 'cancun', chainId: 1n, state, workers: 0 }), parentState }
  }
  const builder = start()
  const attributes = { ...ATTRIBUTES, withdrawals: [] }
  const { block } = await builder.executor.build({ parent, attributes, pool, parentState: builder.parentState })
  builder.executor.close()
  expect(block.header.gasUsed).toBe(4n * (EXACT + 1n))
  const validator = start()
  const { stateRoot } = await validator.executor.executeBlock(block, { parent, parentState: validator.parentState })
  validator.executor.close()
  expect(stateRoot).toBe(block.header.stateRoot)
  expect((await runByVm(wide, block, false)).gasUsed).toBe(block.header.gasUsed)
})

describe.each([
  ['the lane VM', () => ({ device, compile: 'wait', waves: 'always', paths: 'never', laneVm: 'always' }) as const],
  ['paths', () => ({ device, compile: 'wait', waves: 'always', recordFrom: 1, laneVm: 'never' }) as const],
  ['the CPU tier', () => ({})],
] as const satisfies [string, () => Partial<ExecutorOptions>][])('a call of wide gas simulated on %s', (_, options) => {
  test('sees and uses its gas whole; without a limit it has the block’s, as far as one is that wide', async () => {
    const executor = createExecutor({ fork: 'osaka', chainId: 1n, state: world(), workers: 0, ...options() })
    for (const limit of BLOCK_LIMITS) {
      const most = limit < 1n << 64n ? limit : (1n << 64n) - 1n
      const found = await executor.simulate({
        at: environment(limit),
        calls: [
          { to: METER },
          { to: METER, gas: most - 1n },
          { to: BURNER },
          { to: BURNER, gas: EXACT - 1n },
          { to: BURNER, gas: EXACT - 2n },
        ],
      })
      const words = (n: number) =>
        [found.get(n).output.slice(2, 66), found.get(n).output.slice(66)].map((hex) => BigInt(`0x${hex}`))
      // GAS costs 2, and is seen after that.
      expect(words(0)).toEqual([most - TRANSFER_GAS - 2n, limit])
      expect(words(1)).toEqual([most - 1n - TRANSFER_GAS - 2n, limit])
      const used = [0, 1, 2, 3, 4].map((n) => found.get(n).gasUsed)
      expect(used, `block of ${limit}`).toEqual([METER_GAS, METER_GAS, most, EXACT - 1n, EXACT - 2n])
    }
    executor.close()
  })
})

test('a trace tells wide gas whole', async () => {
  const gasLimit = (1n << 60n) + 1n
  const transaction = { from: person(0), to: METER, nonce: 0n, gasLimit, gasPrice: 0n }
  const trace = await traceOnCpu({
    fork: 'cancun',
    chainId: 1n,
    env: environment(gasLimit),
    state: world(),
    batch: encodeBatch([transaction]),
  })
  if ('reason' in trace) throw new Error(trace.reason)
  const steps = traceLines(trace, 'cancun').map((line) => JSON.parse(line) as { gas?: string; gasCost?: string })
  const left = gasLimit - TRANSFER_GAS
  expect(steps.slice(0, 3).map(({ gas, gasCost }) => [gas, gasCost])).toEqual(
    [2n, 3n, 6n].map((cost, n) => [`0x${(left - [0n, 2n, 5n][n]!).toString(16)}`, `0x${cost.toString(16)}`]),
  )
})
