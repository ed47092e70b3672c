import { describe, expect, it } from 'vitest'
import {
  type BlockSimulationOptions,
  createExecutor,
  MemoryState,
  REJECTION,
  type SimulatedBlockRequest,
  SimulatedCallError,
  simulateBlocks,
} from '../../host/index.ts'

const ALICE = '0x00000000000000000000000000000000000a11ce'
const BOB = '0x0000000000000000000000000000000000000b0b'
const VAULT = '0x0000000000000000000000000000000000005afe'
const IDENTITY = '0x0000000000000000000000000000000000000004'
const env = { number: 1n, timestamp: 1n, coinbase: BOB, gasLimit: 200_000_000n, baseFeePerGas: 0n, prevRandao: 0n }
/** Before the requests of Prague, whose contracts these states do not have. */
const fork = 'cancun'
const parentHash = `0x${'0'.repeat(64)}`

const simulate = (request: Partial<SimulatedBlockRequest>, options: Partial<BlockSimulationOptions> = {}) =>
  simulateBlocks({ chainId: 1n, state: new MemoryState(), gas: 50_000_000n, ...options }).next({
    ...{ fork, env, parentHash, calls: [] },
    ...request,
  })

describe('simulated blocks', () => {
  it('give a call no more gas than all calls may use together, whatever the block has', async () => {
    const { transactions } = await simulate({ calls: [{ to: BOB }, { to: BOB }] })
    expect(transactions.map(({ gasLimit }) => gasLimit)).toEqual([50_000_000n, 49_979_000n])
  })

  it('refuse a call whose gas limit is above what the block has left', async () => {
    const calls = [{ to: BOB }, { to: BOB, gas: env.gasLimit }]
    await expect(simulate({ calls })).rejects.toMatchObject({ index: 1, rejection: REJECTION.gasLimitReached })
  })

  it('take a nonce at its largest value, which begins again at zero', async () => {
    const overrides = { [ALICE]: { nonce: 2n ** 64n - 1n } }
    const { transactions, results } = await simulate({ overrides, calls: Array(2).fill({ from: ALICE, to: BOB }) })
    expect(results.map(({ status }) => status)).toEqual([1, 1])
    expect(transactions.map(({ nonce }) => nonce)).toEqual([2n ** 64n - 1n, 0n])
  })

  it('refuse a field that a call does not have', async () => {
    const calls = [{ to: BOB }, { to: BOB, gasLimit: 21_000n } as object]
    await expect(simulate({ calls })).rejects.toMatchObject({
      name: 'TransactionInputError',
      index: 1,
      field: 'gasLimit',
    })
  })

  it('check nonces and fees with validation only', async () => {
    const base = { ...env, baseFeePerGas: 7n }
    const calls = [{ from: ALICE, to: BOB, nonce: 5n, maxFeePerGas: 7n }]
    const overrides = { [ALICE]: { balance: 10n ** 18n } }
    expect((await simulate({ env: base, overrides, calls })).results).toHaveLength(1)
    const refusal = async (request: Partial<SimulatedBlockRequest>): Promise<number> => {
      const thrown: unknown = await simulate({ env: base, overrides, ...request }, { validation: true }).catch((e) => e)
      return thrown instanceof SimulatedCallError ? thrown.rejection : 0
    }
    expect(await refusal({ calls })).toBe(REJECTION.nonceTooHigh)
    expect(await refusal({ calls: [{ ...calls[0]!, nonce: 0n, maxFeePerGas: 6n }] })).toBe(REJECTION.feeCapBelowBaseFee)
    expect(await refusal({ calls: [{ ...calls[0]!, nonce: 0n }] })).toBe(0)
  })

  it('log transfers where they happen: of calls, creations and SELFDESTRUCT, and not of frames that fail', async () => {
    // CALLER SELFDESTRUCT
    const overrides = { [ALICE]: { balance: 10n }, [VAULT]: { balance: 3n, code: '0x33ff' } }
    const calls = [
      { from: ALICE, to: VAULT, value: 1n },
      { from: ALICE, value: 2n },
      { from: ALICE, value: 1n, data: '0xfe', gas: 100_000n },
    ]
    const { results } = await simulate({ overrides, calls }, { transfers: 'log' })
    expect(results.map(({ logs }) => logs.map(({ data }) => BigInt(data)))).toEqual([[1n, 4n], [2n], []])
    expect(results.map(({ transfers }) => [...transfers])).toEqual([[0, 1], [0], []])
    const [, destruction] = results[0]!.logs
    expect(destruction!.topics.slice(1).map((topic) => `0x${topic.slice(26)}`)).toEqual([VAULT, ALICE])
  })

  it('say that no block can be where a contract that its end calls is missing or fails', async () => {
    const contracts = ['0x00000961ef480eb55e80d19ad83579a64c007002', '0x0000bbddc7ce488642fb579f8b00f3a590007251']
    const refusal = async (code: string): Promise<unknown> => {
      const overrides = Object.fromEntries(contracts.map((address, n) => [address, { code: n === 0 ? '0x00' : code }]))
      return simulate({ fork: 'prague', overrides }).catch((thrown: unknown) => thrown)
    }
    expect(await refusal('0x')).toMatchObject({ name: 'BlockError', message: expect.stringMatching(/has no code$/) })
    expect(await refusal('0xfe')).toMatchObject({ name: 'BlockError', message: expect.stringMatching(/failed$/) })
    expect(await refusal('0x00')).toMatchObject({ results: [] })
  })

  it('move a precompiled contract for one block', async () => {
    const simulation = simulateBlocks({ chainId: 1n, state: new MemoryState(), gas: 50_000_000n })
    const calls = [IDENTITY, VAULT].map((to) => ({ to, data: '0x1234' }))
    const outputs = async (moves?: ReadonlyMap<string, string>): Promise<string[]> =>
      (await simulation.next({ fork, env, parentHash, calls, ...(moves === undefined ? {} : { moves }) })).results.map(
        ({ output }) => Buffer.from(output).toString('hex'),
      )
    expect(await outputs(new Map([[IDENTITY, VAULT]]))).toEqual(['', '1234'])
    expect(await outputs()).toEqual(['1234', ''])
  })
})

it('a call above the cap on gas limits with a fee cap and no tip is taken where there is no base fee', async () => {
  const state = MemoryState.from({ [ALICE]: { balance: 10n ** 18n } })
  const executor = createExecutor({ fork: 'osaka', chainId: 1n, state, workers: 0 })
  const run = async (baseFeePerGas: bigint) => {
    const calls = [{ from: ALICE, to: BOB, gas: 2n ** 24n + 1n, maxFeePerGas: 7n, maxPriorityFeePerGas: 0n }]
    return (await executor.simulate({ at: { ...env, baseFeePerGas }, calls })).get(0).rejection
  }
  expect(await run(0n)).toBeUndefined()
  expect(await run(8n)).toBe('max fee per gas less than block base fee')
  executor.close()
})
