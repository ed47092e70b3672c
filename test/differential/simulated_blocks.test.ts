import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { encodeUnsigned } from '../../host/chain/encode_transaction.ts'
import { packUnsigned } from '../../host/chain/pack_unsigned.ts'
import { CallBatchRunner } from '../../host/flows/call_batches.ts'
import { columnsOfCalls } from '../../host/flows/simulated_calls.ts'
import {
  type ComputeDevice,
  createStateTrie,
  decodeTransaction,
  encodeBatch,
  FORKS,
  type Fork,
  headerHash,
  isAtLeast,
  MemoryState,
  openDevice,
  packTransactions,
  parseGenesis,
  receiptsRoot,
  type SimulatedBlock,
  type SimulatedBlockCall,
  SimulatedCallError,
  type SimulatedColumns,
  type StateWrites,
  simulateBlocks,
  transactionsRoot,
} from '../../host/index.ts'
import { bytesToHex } from '../../host/primitives/hex.ts'
import { JsonText } from '../../service/json_rpc/json_text.ts'
import { jsonOfSimulated } from '../../service/methods/encode.ts'
import { BlockSimulator } from '../../service/node/block_simulator.ts'
import { createdAddress } from '../../service/node/created_address.ts'
import { bloomOf, encodeSimulatedReceipt } from '../../service/node/simulated_receipts.ts'
import { RpcError } from '../../service/rpc_error.ts'
import { BATCH_ENV, batchAllocation, contractAddress, sender } from '../fixtures/batch_world.ts'
import { randomSimulation, type SimulatedRequest } from '../fixtures/simulated_requests.ts'

/** `WGEVM_SEEDS=FIRST:COUNT` for others than those of every run. */
const [FIRST = 1, SEEDS = 6] = (process.env['WGEVM_SEEDS'] ?? '').split(':').filter(Boolean).map(Number)

let device: ComputeDevice
beforeAll(async () => {
  device = await openDevice()
})
afterAll(() => device.destroy())

/** The same with calls in columns, where they can be. */
const inColumns = (request: SimulatedRequest): SimulatedRequest => ({
  ...request,
  blocks: request.blocks.map((block) => {
    try {
      return { ...block, calls: columnsOfCalls(block.calls as readonly SimulatedBlockCall[]) }
    } catch {
      return block
    }
  }),
})

/** What each block came to, with the root of the state after it, and how the request ended. */
const outcome = async ({ state, options, blocks }: SimulatedRequest, batches?: CallBatchRunner): Promise<unknown[]> => {
  const simulation = simulateBlocks({ ...options, state, ...(batches === undefined ? {} : { batches }) })
  const trie = createStateTrie(state)
  const before = trie.root
  const outcomes: unknown[] = []
  for (const block of blocks) {
    const ended = await simulation.next(block).catch(faultOf)
    if ('fault' in ended) {
      outcomes.push(ended)
      break
    }
    const { writes, transactions, columns, ...rest } = ended
    if (columns !== undefined) {
      if (options.transfers === undefined) expect(rootOf(columns)).toEqual(receiptsOf(ended))
      expect(packUnsigned(columns.transactions, 1n)).toEqual(
        packTransactions(transactions.map((one) => encodeUnsigned(one, 1n))),
      )
    }
    // What a field leaves out is the same as what it says.
    const said = transactions.map((one) => decodeTransaction(encodeBatch([one]), 0))
    outcomes.push({ ...rest, transactions: said, stateRoot: await trie.apply(writes) })
    trie.rewind(before)
    simulation.setHash(block.env.number, `0x${'5'.repeat(64)}`)
  }
  return outcomes
}

const rootOf = ({ receipts }: SimulatedColumns) => ({
  root: receiptsRoot(receipts),
  bloom: bytesToHex(receipts.blockBloom()),
})

/** Of the results, one by one. */
const receiptsOf = ({ results, transactions }: SimulatedBlock) => {
  let cumulativeGasUsed = 0n
  const encoded = results.map(({ status, gasUsed, logs }, i) => {
    cumulativeGasUsed += gasUsed
    const { type = 0 } = transactions[i]!
    return encodeSimulatedReceipt({ type, status, root: undefined, cumulativeGasUsed, logs })
  })
  return { root: transactionsRoot(encoded), bloom: bytesToHex(bloomOf(results.flatMap(({ logs }) => logs))) }
}

const faultOf = (thrown: unknown) =>
  thrown instanceof SimulatedCallError
    ? { fault: [thrown.index, thrown.rejection, thrown.message] }
    : { fault: [(thrown as Error).name, (thrown as Error).message] }

const BY_BLOCK = [
  'homestead',
  'eip150',
  'eip155',
  'eip158',
  'byzantium',
  'constantinople',
  'petersburg',
  'istanbul',
].concat(['berlin', 'london'])

/** What blocks stand on: nothing but the state is read of it. */
const chainOf = (fork: Fork, state: MemoryState) => {
  const times = FORKS.filter((name) => isAtLeast(name, 'shanghai') && isAtLeast(fork, name)).map((name) => [
    `${name}Time`,
    0,
  ])
  const blocks = BY_BLOCK.map((name) => [`${name}Block`, 0])
  const config = { chainId: 1, terminalTotalDifficulty: 0, ...Object.fromEntries([...blocks, ...times]) }
  const genesis = parseGenesis(JSON.stringify({ config, difficulty: '0x0', gasLimit: '0x3b9aca00', alloc: {} }))
  const trie = createStateTrie(state)
  const before = trie.root
  const rootAfter = async (_: bigint | string, writes: StateWrites): Promise<string> => {
    const root = await trie.apply(writes)
    trie.rewind(before)
    return root
  }
  const header = { ...genesis.header, number: BATCH_ENV.number - 1n, timestamp: BATCH_ENV.timestamp - 1n }
  return { chain: { config: genesis.config, rootAfter }, base: { hash: headerHash(header), header } }
}

/** The reply to a request of blocks, and how many of them came as text. */
const replyOf = async (
  fork: Fork,
  { state, options, blocks }: SimulatedRequest,
  isFull: boolean,
  batches?: CallBatchRunner,
): Promise<{ readonly text: string; readonly written: number }> => {
  const { chain, base } = chainOf(fork, state)
  const { validation = false, transfers, gas } = options
  const ground = { state, gas, batches }
  const simulator = new BlockSimulator(chain, base, ground, { validation, traceTransfers: transfers === 'log', isFull })
  const placed = blocks.map(({ env, overrides = {}, moves = new Map(), calls, withdrawals = [] }) => {
    const { number, timestamp, gasLimit, coinbase: feeRecipient, prevRandao, baseFeePerGas } = env
    const block = { gasLimit, feeRecipient, prevRandao, baseFeePerGas, withdrawals }
    return { number, timestamp, block, state: overrides, moves, calls }
  })
  try {
    const views = await simulator.run(placed)
    const json = jsonOfSimulated(views)
    const text = json instanceof JsonText ? Buffer.concat(json.parts).toString('utf8') : JSON.stringify(json)
    return { text, written: views.filter((view) => 'text' in view).length }
  } catch (thrown) {
    if (!(thrown instanceof RpcError)) throw thrown
    return { text: `${thrown.code} ${thrown.message}`, written: 0 }
  }
}

test.each(['shanghai', 'cancun', 'osaka'] as const)('the reply at %s is the same byte by byte', async (fork) => {
  const terms = { laneVm: 'always', waves: 'always', compile: 'wait' } as const
  const batches = new CallBatchRunner({ chainId: 1n, device, leastCalls: 1, ...terms })
  let written = 0
  for (let seed = FIRST; seed < FIRST + 2 * SEEDS; seed++) {
    const request = randomSimulation(seed, fork, 12)
    const isFull = seed % 3 === 0
    const found = await replyOf(fork, inColumns(request), isFull, batches)
    expect(found.text, `seed ${seed}`).toBe((await replyOf(fork, request, isFull)).text)
    written += found.written
  }
  batches.close()
  expect(written).toBeGreaterThan(2)
})

const TIERS = [
  ['cost decides', {}],
  ['lane VM', { laneVm: 'always', waves: 'always', compile: 'wait' } as const],
  ['paths', { laneVm: 'never', waves: 'always', kernels: 'never', compile: 'wait' } as const],
] as const

describe.each(['shanghai', 'cancun', 'osaka'] as const)('simulated blocks at %s', (fork) => {
  test.each(TIERS)('are the same as batches and one call after another (%s)', async (_, terms) => {
    const batches = new CallBatchRunner({ chainId: 1n, device, leastCalls: 1, ...terms })
    for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
      const request = randomSimulation(seed, fork, 24)
      const given = seed % 2 === 0 ? request : inColumns(request)
      expect(await outcome(given, batches), `seed ${seed}`).toEqual(await outcome(request))
    }
    const { taken, left } = batches.counts
    batches.close()
    // Requests that end with a fault, and blocks that only the order of calls can tell, are left.
    expect(taken).toBeGreaterThan(0)
    expect(left).toBeGreaterThan(0)
  })
})

test('a block whose end a contract is missing for is refused, in a batch as well', async () => {
  const batches = new CallBatchRunner({ chainId: 1n, device, leastCalls: 1 })
  const env = { ...BATCH_ENV, baseFeePerGas: 0n }
  const calls = [{ from: sender(1), to: sender(2), gas: 21_000n }]
  const blocks = [{ fork: 'osaka', env, parentHash: `0x${'1'.repeat(64)}`, calls }] as const
  const request = { state: MemoryState.from(batchAllocation()), options: { chainId: 1n, gas: 1n << 40n }, blocks }
  for (const given of [undefined, batches])
    expect((await replyOf('osaka', request, false, given)).text).toMatch(/^-32000 .* has no code$/)
  batches.close()
})

test('calls that halt in a batch are told by a word each, and the batch goes on', async () => {
  const terms = { laneVm: 'always', waves: 'always', compile: 'wait' } as const
  const batches = new CallBatchRunner({ chainId: 1n, device, leastCalls: 1, ...terms })
  const state = MemoryState.from(batchAllocation())
  const names = ['halter', 'counter', 'halter', 'burner', 'reverter']
  // Without validation the nonce that a call tells does not count.
  const calls = names.map((name, n) => ({ from: sender(n), to: contractAddress(name), gas: 100_000n, nonce: 7n }))
  const env = { ...BATCH_ENV, baseFeePerGas: 0n }
  const blocks = [{ fork: 'cancun', env, parentHash: `0x${'1'.repeat(64)}`, calls }] as const
  const request = { state, options: { chainId: 1n, gas: 1n << 40n }, blocks }
  expect(await outcome(request, batches)).toEqual(await outcome(request))
  expect(batches.counts).toEqual({ taken: 1, left: 0 })
  batches.close()
})

const TIMES = 12

describe.each(TIERS)('what a batch of calls finds (%s)', (_, terms) => {
  const word = (value: bigint): string => value.toString(16).padStart(64, '0')
  const contract = `0x${'c0de'.repeat(10)}`
  const free = { fork: 'cancun', env: { ...BATCH_ENV, baseFeePerGas: 0n }, parentHash: `0x${'1'.repeat(64)}` } as const
  const ofCalls = async (
    state: MemoryState,
    block: Pick<SimulatedRequest['blocks'][number], 'overrides' | 'calls'>,
  ) => {
    const batches = new CallBatchRunner({ chainId: 1n, device, leastCalls: 1, ...terms })
    const request = { state, options: { chainId: 1n, gas: 1n << 40n }, blocks: [{ ...free, ...block }] }
    // Until paths have become known.
    for (let n = 0; n < TIMES; n++) expect(await outcome(request, batches)).toEqual(await outcome(request))
    const { counts } = batches
    batches.close()
    return counts
  }

  test('of an account whose storage is replaced is no slot of the one before', async () => {
    // sstore(calldata[0], sload(calldata[0]) + 1), and returns what it stored
    const code = '0x5f3554600101805f35555f5260205ff3'
    const state = MemoryState.from({ [contract]: { code, storage: { [word(2n)]: word(9n) } } })
    const calls = [1n, 2n, 3n, 2n].map((slot) => ({
      from: sender(1),
      to: contract,
      data: `0x${word(slot)}`,
      gas: 100_000n,
    }))
    const overrides = { [contract]: { state: { [`0x${word(1n)}`]: `0x${word(5n)}` } } }
    expect(await ofCalls(state, { overrides, calls })).toEqual({ taken: TIMES, left: 0 })
  })

  test('is what a contract that calls itself has after it paid', async () => {
    // returns selfbalance and caller's balance
    const code = '0x475f52333160205260405ff3'
    const state = MemoryState.from({ [contract]: { code, balance: 10n ** 18n } })
    const calls = [0n, 0n, 5n, 5n].map((value) => ({
      from: contract,
      to: contract,
      value,
      gas: 100_000n,
      gasPrice: 7n,
    }))
    expect(await ofCalls(state, { calls })).toEqual({ taken: TIMES, left: 0 })
  })

  test('is no more than the largest word, where a payment fails', async () => {
    const overrides = { [contract]: { balance: 2n ** 256n - 2n } }
    const calls = Array(3).fill({ from: sender(1), to: contract, value: 1n, gas: 100_000n })
    expect(await ofCalls(MemoryState.from(batchAllocation()), { overrides, calls })).toEqual({ taken: 0, left: TIMES })
  })

  test('is no room for a creation where only an override has storage', async () => {
    const made = createdAddress(contract, 1n)
    // create(0, 0, 0)
    const state = MemoryState.from({ [contract]: { code: '0x5f5f5ff05f5260205ff3', nonce: 1n } })
    const calls = [{ from: sender(1), to: contract, gas: 100_000n }]
    const overrides = { [made]: { balance: 1n, stateDiff: { [`0x${word(1n)}`]: `0x${word(5n)}` } } }
    expect(await ofCalls(state, { overrides, calls })).toEqual({ taken: 0, left: TIMES })
  })
})
