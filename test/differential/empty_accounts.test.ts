import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BEACON_ROOTS_CONTRACT } from '../../host/chain/system_contracts.ts'
import {
  type ComputeDevice,
  createExecutor,
  openDevice,
  type TierCounts,
  type TransactionObject,
} from '../../host/index.ts'
import type { Allocation } from '../../host/state/memory_state.ts'
import { createStateTrie } from '../../host/state/trie/trie.ts'
import type { Fork } from '../../transpiler/spec/forks.ts'
import { BatchCheck, type BatchCheckOptions } from '../fixtures/batch_check.ts'
import { sender, stranger } from '../fixtures/batch_world.ts'
import { ATTRIBUTES, blockAllocation, blockWorld, keyed, runByVm, signed } from '../fixtures/block_world.ts'
import { emptyWorld, type Touch, touchesByTarget } from '../fixtures/empty_accounts.ts'

/**
 * EIP-161: an account that is touched and empty at the end of a transaction goes. Before it, a touch makes an account.
 */
const FORMS: readonly (BatchCheckOptions & {
  readonly form: keyof TierCounts
  readonly hasDevice: boolean
  readonly fork: Fork
})[] = [
  { form: 'pathProgram', fork: 'spuriousDragon', hasDevice: true, recordFrom: 1, programs: 'always' },
  { form: 'pathProgram', fork: 'osaka', hasDevice: true, recordFrom: 1, programs: 'always' },
  { form: 'pathHost', fork: 'london', hasDevice: true, recordFrom: 1, programs: 'always', waves: 'worth' },
  { form: 'laneVm', fork: 'berlin', hasDevice: true, paths: 'never', laneVm: 'always' },
  { form: 'laneVm', fork: 'osaka', hasDevice: true, paths: 'never', laneVm: 'always' },
  { form: 'cpu', fork: 'homestead', hasDevice: false },
  { form: 'cpu', fork: 'spuriousDragon', hasDevice: false },
  { form: 'cpu', fork: 'byzantium', hasDevice: false, workers: 1 },
  { form: 'cpu', fork: 'prague', hasDevice: false },
]

let device: ComputeDevice
beforeAll(async () => {
  device = await openDevice()
})
afterAll(() => device.destroy())

/** One sender each, so every touch is an execution of its own on the state before the batch. */
const asBatch = (list: readonly Touch[]): TransactionObject[] =>
  list.map(({ transaction }, n) => ({ ...transaction, from: sender(n), nonce: 0n }))

describe('touched accounts that are empty', () => {
  for (const { form, hasDevice, fork, ...options } of FORMS)
    test(`go on tier ${form} at ${fork} as they do serially, whatever touches them`, async () => {
      const check = new BatchCheck({ fork, ...options, ...(hasDevice ? { device } : {}) })
      const byTarget = touchesByTarget(fork)
      const kinds = byTarget[0]!.length
      const world = emptyWorld(2 * byTarget.length)
      let onTier = 0
      for (let kind = 0; kind < kinds; kind++) {
        // Of each target the first of two finds the account there.
        const list = byTarget.flatMap((ofTarget) => [ofTarget[kind]!, ofTarget[(kind + 1) % kinds]!])
        const { difference, result } = await check.run(world, asBatch(list))
        expect(difference, `${list[0]!.name}, ${list[1]!.name}`).toBeUndefined()
        expect(result.faults).toEqual([])
        onTier += result.tiers[form]
      }
      expect(onTier).toBeGreaterThan(0)
      check.executor.close()
    })

  test('go where a path with a kernel of its own calls them', async () => {
    const check = new BatchCheck({ fork: 'osaka', device, recordFrom: 1 })
    const list = touchesByTarget('osaka').flatMap((ofTarget) => ofTarget.filter(({ name }) => name === 'static call'))
    const { difference, result } = await check.run(emptyWorld(list.length), asBatch(list))
    expect(difference).toBeUndefined()
    expect(result.tiers.pathKernel).toBeGreaterThan(0)
    expect(result.exits['empty account']).toBeGreaterThan(0)
    check.executor.close()
  })
})

describe('a block', () => {
  const [paid, unpaid, absent] = [stranger(90), stranger(91), stranger(92)]
  const withdrawal = (n: number, address: string, amount: bigint) => ({
    index: BigInt(n),
    validatorIndex: 1n,
    address,
    amount,
  })
  const build = async (allocation: Allocation) => {
    const world = blockWorld('prague', { ...blockAllocation(), ...allocation })
    const state = world.state.clone()
    const executor = createExecutor({ fork: 'prague', chainId: 1n, state, workers: 0 })
    const withdrawals = [withdrawal(0, unpaid, 0n), withdrawal(1, absent, 0n), withdrawal(2, paid, 4n)]
    const built = await executor.build({
      parent: world.parent,
      attributes: { ...ATTRIBUTES, withdrawals },
      pool: [signed({ ...transfer, to: nobody }, 'prague')],
      parentState: createStateTrie(state.dump()),
    })
    executor.close()
    return { world, state, built }
  }
  const nobody = stranger(93)
  const transfer = { from: keyed(0), nonce: 0n, gasLimit: 21_000n, gasPrice: 20n, value: 0n }

  test('deletes empty accounts that its transactions and its withdrawals of nothing touch', async () => {
    const { world, state, built } = await build({ [unpaid]: {}, [nobody]: {}, [paid]: {} })
    expect([unpaid, absent, nobody].map((address) => state.account(address))).toEqual([undefined, undefined, undefined])
    expect(state.account(paid)?.balance).toBe(4n * 10n ** 9n)
    // It checks every root.
    expect((await runByVm(world, built.block, false)).gasUsed).toBe(built.block.header.gasUsed)
  })

  test('deletes an empty account in the place of a contract that the system calls', async () => {
    const { state } = await build({ [BEACON_ROOTS_CONTRACT]: {} })
    expect(state.account(BEACON_ROOTS_CONTRACT)).toBeUndefined()
    const { state: other } = await build({ [BEACON_ROOTS_CONTRACT]: { balance: 1n } })
    expect(other.account(BEACON_ROOTS_CONTRACT)?.balance).toBe(1n)
  })
})
