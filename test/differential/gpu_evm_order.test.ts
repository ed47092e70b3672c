import { createVM, runBlock, runTx } from '@ethereumjs/vm'
import { describe, expect, test } from 'vitest'
import type { GpuEvm } from '../../host/adapters/ethereumjs/gpu_evm.ts'
import { blockOutcome } from '../fixtures/vm_blocks.ts'
import { mixedBlock, type VmWorld, vmWorld } from '../fixtures/vm_world.ts'

/** A transaction of the block by its place, or the state as it was at first. */
type Step = number | 'reset'

interface Ground extends VmWorld {
  readonly block: ReturnType<typeof mixedBlock>
  readonly root: Uint8Array
}

const ground = async (options?: Parameters<typeof vmWorld>[0]): Promise<Ground> => {
  const one = await vmWorld(options)
  const { manager } = one
  if (!('flush' in manager)) throw new Error('expected a MerkleStateManager')
  await manager.flush()
  return { ...one, block: mixedBlock(one.vm), root: await manager.getStateRoot() }
}

/** What becomes of each step, and the root after it. */
const follow = async ({ vm, manager, block, root }: Ground, steps: readonly Step[]): Promise<string[]> => {
  const seen: string[] = []
  for (const step of steps) {
    if (step === 'reset') await manager.setStateRoot(root)
    else {
      const tx = block.transactions[step]!
      seen.push(
        await runTx(vm, { tx, block, skipBlockGasLimitValidation: true }).then(
          ({ receipt, totalGasSpent, execResult }) =>
            `${step}: ${totalGasSpent} ${receipt.logs.length} ${execResult.exceptionError?.error}`,
          ({ message }: Error) => `${step}: ${message.split(' (vm')[0]}`,
        ),
      )
    }
    seen.push(Buffer.from(await manager.getStateRoot()).toString('hex'))
  }
  return seen
}

/** Both worlds go the same way. Gives our EVM. */
const expectSame = async (steps: readonly Step[]): Promise<GpuEvm> => {
  const ours = await ground({})
  expect(await follow(ours, steps)).toEqual(await follow(await ground(), steps))
  expect(ours.evm!.report.faults).toEqual([])
  return ours.evm!
}

const LAST = 21

/** Steps in a seeded order: forwards, backwards, again, from the beginning. */
const randomSteps = (seed: number, count: number): Step[] => {
  let state = seed
  const next = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  return Array.from({ length: count }, () => (next(4) === 0 ? 'reset' : next(LAST + 1)))
}

describe('transactions of a block through createGpuEvm', () => {
  test('in descending order are served, each at its own state', async () => {
    const steps = Array.from({ length: LAST + 1 }, (_, n) => LAST - n)
    const { report } = await expectSame(steps)
    expect(report.served).toBeGreaterThan(10)
  })

  test('a later one and then, in the state before, an earlier one: both are served', async () => {
    const { report } = await expectSame([12, 'reset', 5, 'reset', 12])
    expect(report).toMatchObject({ served: 3, delegated: {} })
  })

  test('the same one again where the state is again as it was: both are served by one execution', async () => {
    const { report } = await expectSame([5, 'reset', 5])
    expect(report).toMatchObject({ blocks: 1, served: 2, delegated: {} })
  })

  test('the same one again in the state after it is refused as the stock VM refuses it', async () => {
    await expectSame([5, 5, 6])
  })

  test.each([1, 2])('in random order, with resets (seed %i), give what the stock EVM gives', async (seed) => {
    await expectSame(randomSteps(seed, 40))
  })

  test('are not executed ahead without end where nothing comes of it', async () => {
    const ours = await ground({})
    const count = ours.block.transactions.length
    const people = ours.block.transactions.slice(0, 16)
    // Before each the state is another: only the first transaction of what is executed ahead finds what it read.
    for (let n = 0; n < 100; n++) {
      const tx = people[15 - (n % 16)]!
      const sender = tx.getSenderAddress()
      const account = (await ours.manager.getAccount(sender))!
      account.balance -= 1n
      account.nonce = tx.nonce
      await ours.manager.putAccount(sender, account)
      await runTx(ours.vm, { tx, block: ours.block, skipBlockGasLimitValidation: true })
    }
    const { blocks, served, delegated } = ours.evm!.report
    // Each preview runs at least 6 transactions of 22; each result pays for 4.
    expect(blocks * 6).toBeLessThan(4 * count + 4 * served + count)
    expect(delegated['previews used up']).toBeGreaterThan(0)
  })

  test('of a block that runs again in the state before it are served without a second execution', async () => {
    const OPTIONS = { generate: true, skipHeaderValidation: true, skipBlockValidation: true } as const
    const [ours, stock] = [await ground({}), await ground()]
    const outcomes: string[] = []
    for (const { vm, manager, block, root } of [ours, stock]) {
      for (let n = 0; n < 2; n++) {
        outcomes.push(blockOutcome(await runBlock(vm, { block, root, ...OPTIONS })))
        await manager.setStateRoot(root)
      }
    }
    expect(new Set(outcomes).size).toBe(1)
    expect(ours.evm!.report.blocks).toBe(1)
    expect(ours.evm!.report.served).toBeGreaterThan(30)
  })
})

describe('a shallow copy', () => {
  test('of a GpuEvm serves on its own copy of the state, and leaves the first one as it was', async () => {
    const [ours, stock] = [await ground({}), await ground()]
    const evm = ours.evm!.shallowCopy()
    const vm = await createVM({ common: evm.common, stateManager: evm.stateManager, evm })
    const options = { generate: true, skipHeaderValidation: true, skipBlockValidation: true } as const
    const [a, b] = [
      await runBlock(vm, { block: mixedBlock(vm), root: ours.root, ...options }),
      await runBlock(stock.vm, { block: stock.block, ...options }),
    ]
    expect(blockOutcome(a)).toBe(blockOutcome(b))
    expect(evm.report.served).toBeGreaterThan(15)
    expect(ours.evm!.report).toMatchObject({ blocks: 0, served: 0 })
    expect(await ours.manager.getStateRoot()).toEqual(ours.root)
    await evm.close()
  })

  test('of a VM has the stock EVM, and is exact', async () => {
    const [ours, stock] = [await ground({}), await ground()]
    const options = { generate: true, skipHeaderValidation: true, skipBlockValidation: true } as const
    const vm = await ours.vm.shallowCopy()
    const [a, b] = [
      await runBlock(vm, { block: mixedBlock(vm), root: ours.root, ...options }),
      await runBlock(stock.vm, { block: stock.block, ...options }),
    ]
    expect(blockOutcome(a)).toBe(blockOutcome(b))
    expect(ours.evm!.report).toMatchObject({ blocks: 0, served: 0 })
  })
})
