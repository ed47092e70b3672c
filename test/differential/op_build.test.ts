import { describe, expect, test } from 'vitest'
import {
  type Allocation,
  type BlockAttributes,
  type BlockHeader,
  type BuildRequest,
  createExecutor,
  createStateTrie,
  decodeSigned,
  decodeTransaction,
  genesisHeader,
  MemoryState,
  opRulesAt,
  stateRootOf,
} from '../../host/index.ts'
import { PAYERS, sign } from '../fixtures/op_draws.ts'
import { encodeDeposit } from '../fixtures/op_serial_deposit.ts'
import { BASE_VAULT, evmOf, L1_VAULT, type SerialFork } from '../fixtures/op_serial_forks.ts'

const BASE_FEE = { elasticity: 6n, denominator: 50n, denominatorCanyon: 250n }
const FIVE = '0x0000000500000006'

interface Asked {
  readonly waves?: 'always'
  readonly accounts?: Allocation
  readonly attributes?: Partial<BlockAttributes>
  readonly request?: Partial<BuildRequest>
}

/** A block of a chain of the OP stack, or without a fork one of Ethereum, on a state with one payer. */
const build = async (fork: SerialFork | undefined, { attributes, request, waves, accounts }: Asked) => {
  const state = MemoryState.from({ [PAYERS[0]!]: { balance: 10n ** 18n }, ...accounts })
  const evm = fork === undefined ? 'paris' : evmOf(fork)
  const parent: BlockHeader = {
    ...genesisHeader(evm, { stateRoot: stateRootOf(state.dump()) }),
    number: 99n,
    gasLimit: 30_000_000n,
    timestamp: 1000n,
    baseFeePerGas: 7n,
    ...(fork === 'holocene' ? { extraData: `0x00${FIVE.slice(2)}` } : {}),
    ...(fork === 'jovian' ? { extraData: `0x01${FIVE.slice(2)}${'00'.repeat(8)}` } : {}),
  }
  const chain = fork && opRulesAt({ kind: 'op', forks: [{ fork, timestamp: 0n }], baseFee: BASE_FEE }, 1002n)
  const executor = createExecutor({
    fork: evm,
    chainId: 10n,
    state,
    workers: 0,
    ...(chain && { chain }),
    ...(waves && { waves }),
  })
  try {
    const prevRandao = `0x${'00'.repeat(32)}`
    const built = await executor.build({
      parent,
      attributes: { timestamp: 1002n, coinbase: PAYERS[5]!, prevRandao, ...attributes },
      pool: [],
      parentState: createStateTrie(state.dump()),
      ...request,
    })
    return { built, state }
  } finally {
    executor.close()
  }
}

describe('a deposit in the pool', () => {
  const fields = { from: PAYERS[3]!, to: PAYERS[4]!, mint: 1000n, value: 5n, gas: 21_000n, isSystem: false }
  const deposit = encodeDeposit({ ...fields, data: new Uint8Array(0) }, 1)
  const payment = sign('regolith', 0, { nonce: 0n, to: PAYERS[1], gasLimit: 21_000n, gasPrice: 10n })
  const pool = [deposit, payment]
  const decoded = decodeSigned(pool, { chainId: 10n, deposits: true })
  const objects = [decodeTransaction(decoded, 0), decodeTransaction(decoded, 1)]

  test.each<[string, SerialFork | undefined, Partial<BuildRequest>]>([
    ['signed', 'regolith', { pool }],
    ['in columns', 'regolith', { pool, decoded }],
    ['as an object', 'regolith', { pool, decoded: objects }],
    ['in columns on Ethereum', undefined, { pool, decoded }],
    ['as an object on Ethereum', undefined, { pool, decoded: objects }],
  ])('%s is dropped and mints nothing', async (_, fork, request) => {
    const { built, state } = await build(fork, { request })
    expect(built.order).toEqual([1])
    expect(built.dropped.map(({ index, reason }) => [index, reason.split(':')[0]])).toEqual([
      [0, 'malformed transaction'],
    ])
    expect(state.account(PAYERS[3]!)).toBeUndefined()
  })

  test('stands where the attributes have it, before the pool', async () => {
    const { built, state } = await build('regolith', {
      attributes: { transactions: [deposit] },
      request: { pool, decoded },
    })
    expect(built.order).toEqual([1])
    expect(built.block.header.gasUsed).toBe(42_000n)
    expect(state.account(PAYERS[3]!)).toMatchObject({ nonce: 1n, balance: 995n })
  })
})

describe('an empty vault', () => {
  const fields = { from: PAYERS[3]!, to: PAYERS[4]!, mint: 1000n, value: 5n, gas: 21_000n, isSystem: false }
  const transactions = [encodeDeposit({ ...fields, data: new Uint8Array(0) }, 1)]
  const accounts = { [BASE_VAULT]: { balance: 0n }, [L1_VAULT]: { balance: 0n } }

  test.each([{}, { waves: 'always' }] as const)('stays where only deposits stand in the block, %o', async (form) => {
    const { state } = await build('regolith', { ...form, accounts, attributes: { transactions } })
    expect(state.account(BASE_VAULT)).toBeDefined()
    expect(state.account(L1_VAULT)).toBeDefined()
  })

  test.each([{}, { waves: 'always' }] as const)('is gone where it is paid nothing, %o', async (form) => {
    const payment = sign('regolith', 0, { nonce: 0n, to: PAYERS[1], gasLimit: 21_000n, gasPrice: 10n })
    const { state, built } = await build('regolith', {
      ...form,
      accounts,
      attributes: { transactions },
      request: { pool: [payment] },
    })
    expect(built.order).toHaveLength(1)
    expect(state.account(BASE_VAULT)?.balance).toBeGreaterThan(0n)
    expect(state.account(L1_VAULT)).toBeUndefined()
  })
})

describe('attributes', () => {
  const holocene = { eip1559Params: '0x0000000000000000' }

  test.each([5n, 2n ** 63n])('with a gas limit of %s, with which no block may stand, are refused', async (gasLimit) => {
    await expect(build('regolith', { attributes: { gasLimit } })).rejects.toThrow(/gasLimit: is/)
    await expect(build('holocene', { attributes: { ...holocene, gasLimit } })).rejects.toThrow(/gasLimit: is/)
  })

  test('with a gas limit at the edge are built', async () => {
    for (const gasLimit of [6n, 2n ** 63n - 1n]) {
      const { built } = await build('holocene', { attributes: { ...holocene, gasLimit } })
      expect(built.block.header.gasLimit).toBe(gasLimit)
    }
  })

  test('with a minimum base fee that is no bigint are refused', async () => {
    const attributes = { ...holocene, minBaseFee: 5 } as unknown as BlockAttributes
    await expect(build('jovian', { attributes })).rejects.toThrow(/^attributes\.minBaseFee must be a bigint/)
  })
})
