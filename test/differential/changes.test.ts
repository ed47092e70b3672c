import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { accessDifference } from '../../host/chain/access_list.ts'
import { buildAccessList } from '../../host/flows/access_list.ts'
import {
  type ComputeDevice,
  createExecutor,
  type ExecutionResult,
  type Executor,
  MemoryState,
  openDevice,
  type State,
  type StateWrites,
  type TransactionObject,
} from '../../host/index.ts'
import type { TransactionChanges } from '../../host/state/changes.ts'
import { stateRootOf } from '../../host/state/trie/trie.ts'
import { writesOfChanges } from '../../host/state/writes/of_changes.ts'
import {
  BATCH_ENV,
  batchState,
  COINBASE,
  contractAddress,
  randomBatch,
  sender,
  stranger,
  word,
} from '../fixtures/batch_world.ts'

/** One executor, and so one set of recorded paths, for many worlds. */
class Swap implements State {
  inner = new MemoryState()
  readAccounts = (addresses: Uint32Array, count: number) => this.inner.readAccounts(addresses, count)
  readSlots = (addresses: Uint32Array, keys: Uint32Array, count: number) => this.inner.readSlots(addresses, keys, count)
  readCode = (hash: string) => this.inner.readCode(hash)
  hasStorage = (address: string) => this.inner.hasStorage(address)
  blockHash = (number: bigint) => this.inner.blockHash(number)
  commit = (writes: StateWrites) => this.inner.commit(writes)
}

let device: ComputeDevice
let onDevice: Executor
const state = new Swap()
beforeAll(async () => {
  device = await openDevice()
  const options = { fork: 'prague', chainId: 1n, state, device, workers: 0, recordFrom: 1, compile: 'wait' } as const
  onDevice = createExecutor({ ...options, kernels: 'never', waves: 'always', laneVm: 'never', pathStore: false })
})
afterAll(() => {
  onDevice.close()
  device.destroy()
})

const run = async (before: MemoryState, transactions: readonly TransactionObject[]): Promise<ExecutionResult> => {
  state.inner = before.clone()
  onDevice.forget()
  return onDevice.execute({ env: BATCH_ENV, transactions, changes: true })
}

const runOnCpu = async (before: MemoryState, transactions: readonly TransactionObject[]): Promise<ExecutionResult> => {
  const executor = createExecutor({ fork: 'prague', chainId: 1n, state: before.clone(), workers: 0 })
  try {
    return await executor.execute({ env: BATCH_ENV, transactions, changes: true })
  } finally {
    executor.close()
  }
}

/** Replays the changes: each must begin where the one before it ended. Returns the state after them. */
const replay = (before: MemoryState, changes: readonly TransactionChanges[]): MemoryState => {
  const replayed = before.clone()
  for (const [i, one] of changes.entries()) {
    for (const { address, before: view } of one.accounts)
      expect(replayed.account(address), `${i} ${address}`).toEqual(view)
    for (const { address, key, before: value } of one.slots)
      expect(replayed.storage(address, key), `${i} ${address} ${key}`).toBe(value)
    for (const { address, key, value } of one.readSlots)
      expect(replayed.storage(address, key), `${i} ${address} ${key}`).toBe(value)
    replayed.commit(writesOfChanges(one))
  }
  return replayed
}

const accessOf = ({ changes }: ExecutionResult) =>
  buildAccessList([NOTHING, ...changes!, NOTHING], () => {
    throw new Error('a code that nobody made')
  })
const NOTHING: TransactionChanges = { accounts: [], slots: [], readAccounts: [], readSlots: [] }

describe('changes of a batch', () => {
  it('lead from the state before it to the state after it, and are the same on the device and without it', async () => {
    let lanes = 0
    for (let seed = 900; seed < 905; seed++) {
      const before = batchState()
      const transactions = randomBatch(seed, before).slice(0, 60)
      const result = await run(before, transactions)
      expect(stateRootOf(replay(before, result.changes!).dump()), `seed ${seed}`).toBe(stateRootOf(state.inner.dump()))
      const cpu = await runOnCpu(before, transactions)
      expect(accessDifference(await accessOf(result), await accessOf(cpu)), `seed ${seed}`).toBeUndefined()
      lanes += result.tiers.pathKernel + result.tiers.pathProgram
    }
    expect(lanes).toBeGreaterThan(20)
  })

  it('of a transfer name sender, recipient and coinbase', async () => {
    const from = sender(0)
    const { changes } = await run(batchState(), [
      { from, to: stranger(1), value: 5n, nonce: 0n, gasLimit: 21_000n, gasPrice: 12n },
    ])
    expect(changes![0]!.accounts.map(({ address }) => address)).toEqual([from, stranger(1), COINBASE])
    expect(changes![0]!.accounts[1]).toMatchObject({ before: undefined, after: { balance: 5n, nonce: 0n } })
    expect(changes![0]!.accounts[2]!.after!.balance).toBe(42_000n)
  })

  it('of a rejected transaction are none, and absent where they were not asked for', async () => {
    const wrong = { from: sender(0), to: stranger(1), nonce: 9n, gasLimit: 21_000n, gasPrice: 12n }
    expect((await run(batchState(), [wrong])).changes).toEqual([NOTHING])
    onDevice.forget()
    expect('changes' in (await onDevice.execute({ env: BATCH_ENV, transactions: [wrong] }))).toBe(false)
  })

  it('name what a reverted call looked at', async () => {
    const data = word(7n)
    const call = {
      from: sender(0),
      to: contractAddress('reverter'),
      nonce: 0n,
      gasLimit: 100_000n,
      gasPrice: 10n,
      data,
    }
    for (const result of [await run(batchState(), [call]), await runOnCpu(batchState(), [call])]) {
      expect(result.receipts.status[0]).toBe(0)
      expect(result.changes![0]!.readSlots).toEqual([{ address: contractAddress('reverter'), key: 9n, value: 0n }])
      expect(result.changes![0]!.slots).toEqual([])
    }
  })
})
