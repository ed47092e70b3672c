import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type BlockEnvironment,
  type CallObject,
  type ComputeDevice,
  createExecutor,
  type ExecutionResult,
  type ExecutorOptions,
  MemoryState,
  openDevice,
  type TransactionObject,
} from '../../host/index.ts'
import { bytesToHex } from '../../host/primitives/hex.ts'
import { assemble } from '../fixtures/assembler.ts'
import { addressOf } from '../fixtures/cpu_world.ts'

const WORD = 1n << 256n
const POWERS = [32n, 53n, 63n, 64n, 255n]
/** Around the widths at which numbers of clients end. */
const BOUNDARIES = [
  0n,
  1n,
  300n,
  ...POWERS.flatMap((bits) => [(1n << bits) - 1n, 1n << bits, (1n << bits) + 3n]),
  WORD - 1n,
]

const hex = (value: bigint): string => value.toString(16).padStart(64, '0')
const VALUES = `0x${'0a'.repeat(20)}`
const ANCESTOR = `0x${'0b'.repeat(20)}`
const COINBASE = `0xfe${'c0'.repeat(18)}ef`
const SENDERS = 8
const person = (n: number): string => addressOf(`person ${n}`)

const NAMES = [
  'NUMBER',
  'TIMESTAMP',
  'PREVRANDAO',
  'GASLIMIT',
  'CHAINID',
  'BASEFEE',
  'BLOBBASEFEE',
  'COINBASE',
] as const
const CODES = {
  [VALUES]: `${NAMES.map((name, n) => `${name} PUSH ${32 * n} MSTORE`).join(' ')} PUSH ${32 * NAMES.length} PUSH 0 RETURN`,
  [ANCESTOR]: 'PUSH 0 CALLDATALOAD BLOCKHASH PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN',
}

const world = (): MemoryState =>
  MemoryState.from({
    ...Object.fromEntries(Array.from({ length: SENDERS }, (_, n) => [person(n), { balance: 1n << 240n }])),
    ...Object.fromEntries(
      Object.entries(CODES).map(([address, text]) => [address, { nonce: 1n, code: bytesToHex(assemble(text)) }]),
    ),
  })

/** Every value at once is as wide as `value`; the base fee only as wide as a sender can pay for. */
const environmentOf = (value: bigint): BlockEnvironment => ({
  number: value,
  timestamp: value,
  coinbase: COINBASE,
  gasLimit: value < 1n << 32n ? 1n << 32n : value,
  baseFeePerGas: value >> 40n,
  prevRandao: value,
  blobBaseFee: value,
})

const expectedValues = (env: BlockEnvironment, chainId: bigint): string => {
  const { number, timestamp, prevRandao, gasLimit, baseFeePerGas, blobBaseFee } = env
  const words = [number, timestamp, prevRandao, gasLimit, chainId, baseFeePerGas, blobBaseFee!, BigInt(COINBASE)]
  return `0x${words.map(hex).join('')}`
}

let device: ComputeDevice
beforeAll(async () => {
  device = await openDevice()
})
afterAll(() => device.destroy())

const RECORDED = { recordFrom: 1, compile: 'wait', laneVm: 'never' } as const
type Tier = keyof ExecutionResult['tiers']
interface Form {
  readonly tier: Tier
  readonly options: () => Partial<ExecutorOptions>
  /** Whether other threads execute. */
  readonly isAhead?: boolean
}
const FORMS: Readonly<Record<string, Form>> = {
  'path kernels': { tier: 'pathKernel', options: () => ({ device, ...RECORDED, waves: 'always', programs: 'never' }) },
  'path programs': { tier: 'pathProgram', options: () => ({ device, ...RECORDED, waves: 'always', kernels: 'never' }) },
  'paths on the host': { tier: 'pathHost', options: () => ({ device, ...RECORDED, kernels: 'never' }) },
  'the lane VM': {
    tier: 'laneVm',
    options: () => ({ device, compile: 'wait', waves: 'always', paths: 'never', laneVm: 'always' }),
  },
  'the CPU tier': { tier: 'cpu', options: () => ({}) },
  'the CPU tier on a worker': { tier: 'cpu', options: () => ({ workers: 1 }), isAhead: true },
}

const transactionsTo = (to: string, gasPrice: bigint, nonce: bigint, words: readonly bigint[]): TransactionObject[] =>
  words.map((word, n) => ({
    from: person(n % SENDERS),
    to,
    nonce: nonce + BigInt(Math.floor(n / SENDERS)),
    gasLimit: 100_000n,
    gasPrice,
    data: `0x${hex(word)}`,
  }))

const isWord = (value: bigint): boolean => value >= 0n && value < WORD

/**
 * Numbers that are asked for in block `number`: the ends of the window, and what a narrow comparison takes for one
 * inside it.
 */
const askedAt = (number: bigint): bigint[] => {
  const near = [1n, 2n, 256n, 257n, 0n, -1n].map((distance) => number - distance)
  const far = POWERS.flatMap((bits) => [number - 1n - (1n << bits), number - 1n + (1n << bits)])
  const wrapped = [0n, WORD - 1n, BigInt.asUintN(32, number - 1n), BigInt.asUintN(64, number - 1n)]
  return [...near, ...far, ...wrapped].filter(isWord)
}

const hashOf = (number: bigint): string => hex(number ^ 0xb10c_4a54n)
const expectedHash = (number: bigint, asked: bigint): string => {
  const distance = number - asked
  return `0x${distance >= 1n && distance <= 256n ? hashOf(asked) : hex(0n)}`
}

describe.each(Object.keys(FORMS))('a block of any width on %s', (name) => {
  const { tier, options, isAhead = false } = FORMS[name]!

  test('gives opcodes its values whole', async () => {
    for (const chainId of [1n, (1n << 32n) + 5n, (1n << 53n) + 1n, (1n << 64n) + 1n, WORD - 1n]) {
      const executor = createExecutor({ fork: 'osaka', chainId, state: world(), workers: 0, ...options() })
      // One chain id for all blocks, and the others for one.
      const boundaries = chainId === 1n ? BOUNDARIES : [(1n << 64n) + 3n]
      for (const [n, boundary] of boundaries.entries()) {
        const env = environmentOf(boundary)
        const transactions = transactionsTo(
          VALUES,
          env.baseFeePerGas + 1n,
          BigInt(n),
          [...Array(SENDERS).keys()].map(BigInt),
        )
        const { receipts, tiers, faults } = await executor.execute({ env, transactions })
        const outputs = transactions.map((_, i) => receipts.get(i)?.output)
        expect(outputs, `block of ${boundary}`).toEqual(transactions.map(() => expectedValues(env, chainId)))
        expect(faults).toEqual([])
        expect(tiers[tier], `block of ${boundary}`).toBeGreaterThan(0)
      }
      executor.close()
    }
  })

  test('has 256 ancestors', async () => {
    const state = world()
    const executor = createExecutor({ fork: 'osaka', chainId: 1n, state, workers: 0, ...options() })
    if (isAhead) await executor.warm()
    let nonce = 0n
    let heldAhead = 0
    for (const boundary of BOUNDARIES) {
      const env = { ...environmentOf(boundary), gasLimit: 1n << 32n, baseFeePerGas: 0n }
      const asked = askedAt(boundary)
      // The State knows hashes of blocks that are no ancestors, too.
      for (const number of asked) state.setBlockHash(number, `0x${hashOf(number)}`)
      const transactions = transactionsTo(ANCESTOR, 1n, nonce, asked)
      nonce += BigInt(Math.ceil(asked.length / SENDERS))
      // Later numbers of the same senders are missing in a batch that is not full.
      const { receipts, tiers, faults, ahead } = await executor.execute({
        env,
        transactions: filled(transactions, nonce),
      })
      const outputs = asked.map((number, i) => `${number}: ${receipts.get(i)?.output}`)
      expect(outputs, `block ${boundary}`).toEqual(
        asked.map((number) => `${number}: ${expectedHash(boundary, number)}`),
      )
      expect(faults).toEqual([])
      expect(tiers[tier], `block ${boundary}`).toBeGreaterThan(0)
      heldAhead += ahead.held
    }
    expect(heldAhead > 0).toBe(isAhead)
    executor.close()
  })
})

/** Every sender reaches the same nonce: those that lack a transaction ask for block 0 once more. */
const filled = (transactions: readonly TransactionObject[], nonce: bigint): TransactionObject[] => {
  const more = (SENDERS - (transactions.length % SENDERS)) % SENDERS
  const last = transactions.slice(-1)[0]!
  return [
    ...transactions,
    ...Array.from({ length: more }, (_, n) => ({ ...last, from: person(SENDERS - more + n), nonce: nonce - 1n })),
  ]
}

describe.each([
  ['the lane VM', () => ({ device, compile: 'wait', waves: 'always', paths: 'never', laneVm: 'always' }) as const],
  ['paths', () => ({ device, ...RECORDED, waves: 'always' }) as const],
  ['the CPU tier', () => ({})],
] as const)('simulate on %s', (_, options) => {
  test('gives calls the values and the ancestors of the block whole', async () => {
    const state = world()
    for (const boundary of BOUNDARIES)
      for (const number of askedAt(boundary)) state.setBlockHash(number, `0x${hashOf(number)}`)
    const executor = createExecutor({ fork: 'osaka', chainId: WORD - 1n, state, workers: 0, ...options() })
    for (const boundary of BOUNDARIES) {
      const at = { ...environmentOf(boundary), baseFeePerGas: boundary }
      const asked = askedAt(boundary)
      const calls: CallObject[] = [
        { from: person(0), to: VALUES, data: '0x', gas: 100_000n },
        ...asked.map((number) => ({ from: person(0), to: ANCESTOR, data: `0x${hex(number)}`, gas: 100_000n })),
      ]
      const found = await executor.simulate({ at, calls })
      const outputs = calls.map((_call, i) => found.get(i).output)
      const expected = [expectedValues(at, WORD - 1n), ...asked.map((number) => expectedHash(boundary, number))]
      expect(outputs, `block ${boundary}`).toEqual(expected)
    }
    executor.close()
  })
})
