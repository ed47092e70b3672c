import { expect, test } from 'vitest'
import { blobScheduleAt, environmentOf, headerHash } from '../../host/chain/header.ts'
import { createExecutor, type Fork, type TransitionRequest } from '../../host/index.ts'
import { EMPTY_TRIE_ROOT } from '../../host/primitives/keccak.ts'
import { MemoryState } from '../../host/state/memory_state.ts'
import { createStateTrie, stateRootOf } from '../../host/state/trie/trie.ts'
import { ATTRIBUTES, blockWorld, keyed, randomPool } from '../fixtures/block_world.ts'

const MINER = '0x0000000000000000000000000000000000000b0b'
const UNCLE = '0x00000000000000000000000000000000000a11ce'
const WITHDRAWALS = [{ index: 1n, validatorIndex: 2n, address: keyed(2), amount: 3n }]
const ENV = {
  number: 5n,
  timestamp: 1n,
  coinbase: MINER,
  gasLimit: 8_000_000n,
  baseFeePerGas: 0n,
  prevRandao: 131_072n,
}

const onEmptyState = async (fork: Fork, request: Partial<TransitionRequest>) => {
  const state = new MemoryState()
  const executor = createExecutor({ fork, chainId: 1n, state, workers: 0 })
  try {
    const parentState = createStateTrie(state)
    const made = await executor.transition({ env: ENV, transactions: [], signed: [], parentState, ...request })
    expect(made.stateRoot).toBe(stateRootOf(state.dump()))
    return { state, made }
  } finally {
    executor.close()
  }
}

test('a transition comes to what the block of the same transactions says, and leaves out what the block has not', async () => {
  const world = blockWorld('prague')
  const builder = createExecutor({ fork: 'prague', chainId: 1n, state: world.state.clone(), workers: 0 })
  const pool = randomPool(21, world, 25)
  const trie = createStateTrie(world.state)
  const attributes = { ...ATTRIBUTES, withdrawals: WITHDRAWALS }
  const { block, order } = await builder.build({ parent: world.parent, attributes, pool, parentState: trie })
  builder.close()
  expect(order.length).toBeGreaterThan(5)

  const { header } = block
  const state = world.state.clone()
  const executor = createExecutor({ fork: 'prague', chainId: 1n, state, workers: 0 })
  // In the order of the block; the second and the last come again, and are too old then.
  const signed = [...order.slice(0, 3), order[1]!, ...order.slice(3), order.at(-1)!].map((i) => pool[i]!)
  const parentState = createStateTrie(state)
  const made = await executor.transition({
    env: environmentOf(header, 'prague', blobScheduleAt('prague', 1n, header.timestamp)),
    transactions: await executor.decode(signed),
    signed,
    parentHash: headerHash(world.parent),
    parentBeaconBlockRoot: header.parentBeaconBlockRoot!,
    withdrawals: WITHDRAWALS,
    parentState,
  })
  executor.close()
  expect(made.rejected.map(({ index }) => index)).toEqual([3, order.length + 1])
  const { stateRoot, receiptsRoot, transactionsRoot, logsBloom, gasUsed, blobGasUsed, requestsHash } = made
  const { receiptsRoot: _r, ...expected } = header
  expect(expected).toMatchObject({ stateRoot, transactionsRoot, logsBloom, gasUsed, blobGasUsed, requestsHash })
  expect(receiptsRoot).toBe(header.receiptsRoot)
  expect(parentState.root).toBe(header.stateRoot)
  expect(stateRootOf(state.dump())).toBe(header.stateRoot)
})

test('a reward goes to the miner with a 32nd for each uncle, and to uncles by their distance', async () => {
  const uncles = [
    { coinbase: UNCLE, distance: 1n },
    { coinbase: UNCLE, distance: 2n },
  ]
  const { state } = await onEmptyState('byzantium', { reward: { wei: 128n, uncles } })
  expect(state.account(MINER)?.balance).toBe(136n)
  expect(state.account(UNCLE)?.balance).toBe(112n + 96n)
})

test('a reward of nothing makes an account before spuriousDragon, and none from then on', async () => {
  const reward = { wei: 0n, uncles: [] }
  const before = await onEmptyState('tangerineWhistle', { reward })
  expect(before.state.account(MINER)?.balance).toBe(0n)
  expect((await onEmptyState('spuriousDragon', { reward })).made.stateRoot).toBe(EMPTY_TRIE_ROOT)
  expect((await onEmptyState('tangerineWhistle', {})).made.stateRoot).toBe(EMPTY_TRIE_ROOT)
})

test('states after each transaction need no history of the trie, where the transition stands and where it does not', async () => {
  const senders = [1, 2, 3, 4, 5].map(keyed)
  const genesis = MemoryState.from(Object.fromEntries(senders.map((from) => [from, { balance: 10n ** 18n }])))
  const transactions = senders.map((from) => ({
    from,
    to: UNCLE,
    nonce: 0n,
    gasLimit: 21_000n,
    gasPrice: 1n,
    value: 5n,
  }))
  const outcome = async (historyBytes: number, isCommitted = true) => {
    const state = genesis.clone()
    const parentState = createStateTrie(state, { historyBytes })
    const before = parentState.root
    if (!isCommitted)
      state.commit = () => {
        throw new Error('the disk is full')
      }
    const executor = createExecutor({ fork: 'tangerineWhistle', chainId: 1n, state, workers: 0 })
    const made = await executor.transition({ env: ENV, transactions, parentState }).catch((thrown: Error) => thrown)
    executor.close()
    expect(parentState.root).toBe(made instanceof Error ? before : stateRootOf(state.dump()))
    return made instanceof Error ? made.message : made.postStates
  }
  const postStates = await outcome(2 ** 20)
  expect(postStates).toHaveLength(senders.length)
  expect(await outcome(0)).toEqual(postStates)
  expect(await outcome(0, false)).toBe('the disk is full')
})

test('a transition without the contracts that it must call is refused and changes nothing, unless it calls none', async () => {
  const state = MemoryState.from({ [MINER]: { balance: 1n } })
  const executor = createExecutor({ fork: 'prague', chainId: 1n, state, workers: 0 })
  const parentState = createStateTrie(state)
  const before = parentState.root
  const reward = { wei: 7n, uncles: [] }
  const request: TransitionRequest = { env: ENV, transactions: [], reward, parentState }
  await expect(executor.transition(request)).rejects.toThrow(
    'block 5: requestsHash: system contract 0x00000961ef480eb55e80d19ad83579a64c007002 has no code',
  )
  expect([parentState.root, stateRootOf(state.dump())]).toEqual([before, before])
  const made = await executor.transition({ ...request, systemCalls: 'never' })
  executor.close()
  expect(state.account(MINER)?.balance).toBe(8n)
  // SHA-256 of nothing: no requests (EIP-7685).
  expect(made.requestsHash).toBe('0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
})

test.each([
  [{ reward: { wei: -1n, uncles: [] } }, 'reward.wei'],
  [{ reward: { wei: 1n, uncles: [{ coinbase: UNCLE, distance: 9n }] } }, 'reward.uncles[0].distance'],
  [{ signed: [Uint8Array.of(1)] }, 'signed'],
  [{ parentHash: '0x1' }, 'parentHash'],
  [{ systemCalls: 'always' as never }, 'systemCalls'],
  [{ blocks: 1 } as never, 'blocks'],
])('a transition request with %o is refused by its field %s', async (request, field) => {
  await expect(onEmptyState('byzantium', request)).rejects.toMatchObject({ name: 'InputError', field })
})
