import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { accessDifference } from '../../host/chain/access_list.ts'
import {
  type ComputeDevice,
  createExecutor,
  type Executor,
  type ExecutorOptions,
  MemoryState,
  openDevice,
} from '../../host/index.ts'
import type { TransactionChanges } from '../../host/state/changes.ts'
import { createStateTrie } from '../../host/state/trie/trie.ts'
import type { Fork } from '../../transpiler/spec/forks.ts'
import { ReplaceableState } from '../fixtures/batch_check.ts'
import {
  ATTRIBUTES,
  type BlockWorld,
  blockAllocation,
  blockWorld,
  keyed,
  randomPool,
  signed,
} from '../fixtures/block_world.ts'
import { readAccounts, readTransactions } from '../fixtures/read_programs.ts'
import { READ_ENV } from '../fixtures/read_shapes.ts'

/** Batches; WGEVM_RUNS asks for more, WGEVM_SEED for another first seed. */
const RUNS = Number(process.env['WGEVM_RUNS'] ?? 20)
const FIRST_SEED = Number(process.env['WGEVM_SEED'] ?? 1)
const SENDERS = Array.from({ length: 12 }, (_, n) => `0xa5${n.toString(16).padStart(38, '0')}`)
/** Blocks: a batch and a pool of batch_world.ts take turns. */
const BLOCKS = Math.ceil(RUNS / 10)

let device: ComputeDevice
beforeAll(async () => {
  device = await openDevice()
})
afterAll(() => device.destroy())

interface Tier {
  readonly executor: Executor
  readonly state: ReplaceableState
}

const open = (fork: Fork, options: Partial<ExecutorOptions>): Tier => {
  const state = new ReplaceableState()
  const common = { fork, chainId: 1n, state, workers: 0, compile: 'wait', pathStore: false } as const
  return { state, executor: createExecutor({ ...common, ...options }) }
}

const openAll = (fork: Fork): Readonly<Record<string, Tier>> => ({
  cpu: open(fork, {}),
  laneVm: open(fork, { device, paths: 'never', laneVm: 'always', waves: 'always' }),
  programs: open(fork, { device, recordFrom: 1, kernels: 'never', laneVm: 'never', waves: 'always' }),
  host: open(fork, { device, recordFrom: 1, kernels: 'never', laneVm: 'never' }),
})

/** Changes and reads without their order, as text. */
const linesOf = ({ accounts, slots, readAccounts, readSlots }: TransactionChanges): string[] =>
  [
    ...readAccounts.map((address) => `reads ${address}`),
    ...readSlots.map(({ address, key, value }) => `reads ${address} ${key} = ${value}`),
    ...accounts.map((one) => `changes ${textOf(one)}`),
    ...slots.map((one) => `changes ${textOf(one)}`),
  ].sort()
const textOf = (value: unknown): string =>
  JSON.stringify(value, (_, item) => (typeof item === 'bigint' ? `${item}n` : item))

describe('what a transaction reads and changes', () => {
  it.each([
    ['osaka', RUNS],
    ['istanbul', Math.ceil(RUNS / 5)],
  ] as const)(
    `is the same on every tier at %s, %i batches from seed ${FIRST_SEED}`,
    async (fork, runs) => {
      const tiers = openAll(fork)
      const lanes: Record<string, number> = {}
      for (let seed = FIRST_SEED; seed < FIRST_SEED + runs; seed++) {
        const people = Object.fromEntries(SENDERS.map((address) => [address, { balance: 10n ** 20n }]))
        const before = MemoryState.from({ ...readAccounts(seed), ...people })
        const transactions = await readTransactions(seed, fork, before, SENDERS)
        const lines: Record<string, string[][]> = {}
        for (const [name, { executor, state }] of Object.entries(tiers)) {
          executor.forget()
          state.inner = before.clone()
          const result = await executor.execute({ env: READ_ENV, transactions, changes: true })
          lines[name] = result.changes!.map(linesOf)
          for (const [tier, count] of Object.entries(result.tiers)) lanes[tier] = (lanes[tier] ?? 0) + count
          for (const i of transactions.keys())
            expect(lines[name]![i], `seed ${seed}, transaction ${i}, ${name}`).toEqual(lines['cpu']![i])
        }
      }
      for (const { executor } of Object.values(tiers)) executor.close()
      // A few batches may not reach every tier, and the lane VM has no older rules.
      if (runs < 20) return
      expect(lanes['laneVm']).toBeGreaterThan(runs)
      expect(lanes['pathProgram']).toBeGreaterThan(runs / 2)
      expect(lanes['pathHost']).toBeGreaterThan(runs / 2)
    },
    3_600_000,
  )
})

const poolOf = async (seed: number, world: BlockWorld): Promise<Uint8Array[]> => {
  if (seed % 3 === 0) return randomPool(seed, world, 25)
  const senders = SENDERS.map((_, n) => keyed(n))
  return (await readTransactions(seed, world.fork, world.state, senders)).map((object) => signed(object, world.fork))
}

describe('a block', () => {
  it(`that one tier builds is the one that every other tier builds and executes, ${BLOCKS} blocks`, async () => {
    const tiers = openAll('osaka')
    const start = ({ executor, state }: Tier, world: BlockWorld) => {
      executor.forget()
      state.inner = world.state.clone()
      return { parent: world.parent, parentState: createStateTrie(state.inner.dump()), accessList: true }
    }
    for (let seed = FIRST_SEED; seed < FIRST_SEED + BLOCKS; seed++) {
      const world = blockWorld('osaka', { ...blockAllocation(), ...readAccounts(seed) })
      const pool = await poolOf(seed, world)
      const blocks = []
      let included = 0
      for (const [name, tier] of Object.entries(tiers)) {
        const built = await tier.executor.build({
          ...start(tier, world),
          attributes: { ...ATTRIBUTES, withdrawals: [] },
          pool,
        })
        blocks.push(built.block)
        included = built.order.length
        expect(accessDifference(built.accessList!, blocks[0]!.accessList!), `seed ${seed}, ${name}`).toBeUndefined()
        expect(built.block.header, `seed ${seed}, ${name}`).toEqual(blocks[0]!.header)
      }
      expect(included).toBeGreaterThan(5)
      for (const [n, tier] of Object.values(tiers).entries()) {
        const { stateRoot } = await tier.executor.executeBlock(blocks[(n + 1) % blocks.length]!, start(tier, world))
        expect(stateRoot).toBe(blocks[0]!.header.stateRoot)
      }
    }
    for (const { executor } of Object.values(tiers)) executor.close()
  }, 3_600_000)
})
