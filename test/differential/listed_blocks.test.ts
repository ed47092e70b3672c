import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { BlockAccessList } from '../../host/chain/access_list.ts'
import type { BlockResult } from '../../host/flows/block.ts'
import type { BlockInput } from '../../host/flows/block_input.ts'
import { type ComputeDevice, createExecutor, openDevice } from '../../host/index.ts'
import { createStateTrie } from '../../host/state/trie/trie.ts'
import { contractAddress, word } from '../fixtures/batch_world.ts'
import { ATTRIBUTES, type BlockWorld, blockWorld, keyed, signed } from '../fixtures/block_world.ts'

const SENDERS = 12

let device: ComputeDevice
let world: BlockWorld
let block: BlockInput
let list: BlockAccessList
beforeAll(async () => {
  device = await openDevice()
  world = blockWorld('prague')
  // One pool: each swap reads what the one before it wrote, a chain as long as the block.
  const pool = Array.from({ length: SENDERS * 3 }, (_, n) =>
    signed(
      {
        from: keyed(n % SENDERS),
        to: contractAddress('pool'),
        nonce: BigInt(Math.floor(n / SENDERS)),
        gasLimit: 200_000n,
        gasPrice: 20n,
        data: word(BigInt(1000 + n)),
      },
      'prague',
    ),
  )
  const state = world.state.clone()
  const executor = createExecutor({ fork: 'prague', chainId: 1n, state, workers: 0 })
  const parentState = createStateTrie(state.dump())
  const attributes = { ...ATTRIBUTES, withdrawals: [] }
  const built = await executor.build({ parent: world.parent, attributes, pool, parentState, accessList: true })
  executor.close()
  block = built.block
  list = built.accessList!
})
afterAll(() => device.destroy())

const execute = async (input: BlockInput): Promise<BlockResult> => {
  const state = world.state.clone()
  const options = {
    recordFrom: 1,
    compile: 'wait',
    laneVm: 'never',
    kernels: 'never',
    waves: 'always',
    pathStore: false,
    workers: 0,
  } as const
  const executor = createExecutor({ fork: 'prague', chainId: 1n, state, device, ...options })
  try {
    return await executor.executeBlock(input, { parent: world.parent, parentState: createStateTrie(state.dump()) })
  } finally {
    executor.close()
  }
}

describe('a chain of conflicts', () => {
  it('resolves in one round more where the block came with its access list', async () => {
    const { accessList: _, ...bare } = block
    const { blockAccessListHash: __, ...header } = block.header
    const without = await execute({ ...bare, header })
    const withList = await execute(block)
    expect(withList.stateRoot).toBe(block.header.stateRoot)
    expect(without.stateRoot).toBe(block.header.stateRoot)
    expect(withList.rounds).toBe(2)
    expect(withList.tiers.cpu).toBe(0)
    expect(without.tiers.cpu).toBeGreaterThan(0)
  })

  it('is exact, and refused, where the list lies about every value', async () => {
    const { blockAccessListHash: _, ...header } = block.header
    const lie = list.map((account) => ({
      ...account,
      storageChanges: account.storageChanges.map(({ key, changes }) => ({
        key,
        changes: changes.map(({ index, value }) => ({ index, value: value ^ 1n })),
      })),
    }))
    await expect(execute({ ...block, header, accessList: lie })).rejects.toThrow(/accessList: account 0x\w+: slot/)
  })
})
