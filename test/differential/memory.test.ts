import { createBlock } from '@ethereumjs/block'
import { Common, Mainnet } from '@ethereumjs/common'
import { createEVM } from '@ethereumjs/evm'
import { Caches, MerkleStateManager } from '@ethereumjs/statemanager'
import { createLegacyTx } from '@ethereumjs/tx'
import {
  bytesToHex,
  createAccount,
  createAddressFromPrivateKey,
  createAddressFromString,
  hexToBytes,
} from '@ethereumjs/util'
import { createVM, runBlock } from '@ethereumjs/vm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { headerHash } from '../../host/chain/header.ts'
import type { BlockInput } from '../../host/flows/block_input.ts'
import {
  type ComputeDevice,
  createExecutor,
  createGpuEvm,
  createStateTrie,
  type Executor,
  type ExecutorOptions,
  GpuEvm,
  type MemoryUse,
  openDevice,
} from '../../host/index.ts'
import { BatchFuzzer, newFuzzTally } from '../fixtures/batch_fuzz.ts'
import { BATCH_ENV, batchState, contractAddress, sender, stranger } from '../fixtures/batch_world.ts'
import { ATTRIBUTES, type BlockWorld, blockWorld, randomPool } from '../fixtures/block_world.ts'

/** Results do not depend on what an executor may keep: with next to nothing every call ends with an eviction. */

let device: ComputeDevice
beforeAll(async () => {
  device = await openDevice()
})
afterAll(() => device.destroy())

const NOTHING = { tables: 1, codes: 1, paths: 1 }
/** Some rows, codes and paths stay, under other ids. */
const LITTLE = { tables: 12_000, codes: 6000, paths: 20_000 }
/** Arrays of tables have this size at least. */
const LEAST_TABLE_BYTES = 2 ** 18

describe('an executor that may keep little', () => {
  for (const [name, memory, first] of [
    ['nothing', NOTHING, 1],
    ['little', LITTLE, 7],
  ] as const)
    test(`runs random batches in every form as serial execution does, and keeps ${name}`, async () => {
      const fuzzer = new BatchFuzzer(device, newFuzzTally(), memory)
      for (let seed = first; seed < first + 7; seed++)
        expect(await fuzzer.run(seed, 'osaka', 1n), `seed ${seed}`).toBeUndefined()
      const kept = fuzzer.memory
      fuzzer.close()
      const evictions = kept.reduce((sum, { evictions: one }) => sum + one, 0)
      expect(evictions).toBeGreaterThanOrEqual(fuzzer.tally.batches)
      for (const { tables, codes, paths } of kept) {
        expect(tables.bytes).toBeLessThan(LEAST_TABLE_BYTES)
        expect(codes.bytes).toBeLessThan(2 ** 17)
        expect(paths.bytes).toBeLessThan(2 ** 15)
      }
    }, 300_000)
})

describe('blocks of an executor that keeps nothing', () => {
  const COUNT = 4
  let world: BlockWorld
  let blocks: BlockInput[]

  const build = async (options: Partial<ExecutorOptions>): Promise<[BlockInput[], MemoryUse]> => {
    const state = world.state.clone()
    const parentState = createStateTrie(state.dump())
    const executor = createExecutor({ fork: 'prague', chainId: 1n, workers: 0, ...options, state })
    const built: BlockInput[] = []
    for (let n = 0; n < COUNT; n++) {
      const parent = built.at(-1)?.header ?? world.parent
      const attributes = { ...ATTRIBUTES, timestamp: parent.timestamp + 12n }
      const pool = randomPool(40 + n, { ...world, state, parent }, 40)
      const { block, hash } = await executor.build({ parent, attributes, pool, parentState })
      built.push(block)
      state.setBlockHash(block.header.number, hash)
    }
    const { memory } = executor
    executor.close()
    return [built, memory]
  }

  beforeAll(async () => {
    world = blockWorld('prague')
    blocks = (await build({}))[0]
    expect(blocks.flatMap(({ transactions }) => [...(transactions as Uint8Array[])]).length).toBeGreaterThan(20)
  })

  test('are built alike', async () => {
    const [built, memory] = await build({ memory: NOTHING })
    expect(built).toEqual(blocks)
    expect(memory.evictions).toBe(COUNT)
  })

  test('stand with every root, one by one and as a stream, on the lane VM alone and in forms of paths', async () => {
    const forms: Partial<ExecutorOptions>[] = [
      { paths: 'never', laneVm: 'always' },
      { laneVm: 'never', recordFrom: 1, kernels: 'never', waves: 'always' },
    ]
    for (const form of forms) {
      const state = world.state.clone()
      const parentState = createStateTrie(state.dump())
      for (const { header } of blocks) state.setBlockHash(header.number, headerHash(header))
      const options = { fork: 'prague', chainId: 1n, workers: 0, compile: 'wait', memory: NOTHING } as const
      const executor = createExecutor({ ...options, ...form, device, state })
      const results = [await executor.executeBlock(blocks[0]!, { parent: world.parent, parentState, changes: true })]
      for await (const result of executor.stream(blocks.slice(1), { parent: blocks[0]!.header, parentState }))
        results.push(result)
      expect(results.map(({ stateRoot }) => stateRoot)).toEqual(blocks.map(({ header }) => header.stateRoot))
      expect(executor.memory.evictions).toBe(COUNT)
      // Logs, blooms and outputs are read from tables that were replaced since.
      expect(results.map(({ receipts }) => together(receipts.blooms()))).toEqual(
        blocks.map(({ header }) => header.logsBloom),
      )
      const logs = results.flatMap(({ receipts }) => Array.from({ length: receipts.count }, (_, i) => receipts.logs(i)))
      expect(logs.flat().every(({ address }) => BigInt(address) !== 0n)).toBe(true)
      executor.close()
    }
  })
})

/** The bloom that has the bits of all of these. */
const together = (blooms: Uint8Array): string => {
  const all = new Uint8Array(256)
  for (const [at, byte] of blooms.entries()) all[at % 256] = all[at % 256]! | byte
  return bytesToHex(all)
}

describe('calls on an executor that keeps nothing', () => {
  const word = (value: bigint): string => value.toString(16).padStart(64, '0')
  const transfer = (to: string, amount: bigint): string => `0xa9059cbb${word(BigInt(to))}${word(amount)}`

  const simulated = async (executor: Executor) => {
    const calls = Array.from({ length: 40 }, (_, n) => ({
      from: sender(n % 8),
      to: contractAddress('token'),
      gas: 100_000n,
      data: transfer(stranger(n % 5), BigInt(n)),
    }))
    const overrides = { [sender(0)]: { balance: 5n } }
    const plain = await executor.simulate({ at: BATCH_ENV, calls })
    const over = await executor.simulate({ at: BATCH_ENV, calls, overrides })
    const bundles = await executor.simulate({ at: BATCH_ENV, bundles: [{ calls }, { calls, overrides }] })
    return Promise.all(
      [plain, over, bundles].map(async (one) => ({
        status: [...one.status],
        gas: [...one.gasUsed],
        logs: Array.from({ length: one.count }, (_, i) => one.logs(i)),
        // Of the state that all of them were made on: an eviction has not moved it on.
        lists: [await one.accessList(0), await one.accessList(39)],
      })),
    )
  }

  test('come to the same, access lists of before an eviction among it', async () => {
    const results: unknown[] = []
    for (const memory of [2 ** 28, 1]) {
      const options = { fork: 'prague', chainId: 1n, workers: 0, recordFrom: 1, kernels: 'never' } as const
      const executor = createExecutor({ ...options, compile: 'wait', memory, device, state: batchState() })
      results.push(await simulated(executor))
      expect(executor.memory.evictions).toBe(memory === 1 ? 3 : 0)
      executor.close()
    }
    expect(results[1]).toEqual(results[0])
  })
})

/** Adds the calldata word to the slot of the caller, and logs it. */
const LEDGER = '0x600035335401335560003560005260206000a000'

test('an unchanged runBlock over createGpuEvm comes to the roots of createEVM when its executor keeps nothing', async () => {
  const run = async (isOurs: boolean): Promise<string[]> => {
    const common = new Common({ chain: Mainnet, hardfork: 'prague' })
    const stateManager = new MerkleStateManager({ common, caches: new Caches() })
    const ours = { device: 'none', leastTransactions: 2, executor: { memory: 1 } } as const
    const evm = isOurs
      ? await createGpuEvm({ common, stateManager, ...ours })
      : await createEVM({ common, stateManager })
    const vm = await createVM({ common, stateManager, evm })
    const keys = Array.from({ length: 10 }, (_, n) => hexToBytes(`0x${(n + 1).toString(16).padStart(64, '0')}`))
    const ledger = createAddressFromString(`0x${'1ed9'.repeat(10)}`)
    for (const key of keys)
      await stateManager.putAccount(createAddressFromPrivateKey(key), createAccount({ balance: 10n ** 18n }))
    await stateManager.putAccount(ledger, createAccount({ nonce: 1n }))
    await stateManager.putCode(ledger, hexToBytes(LEDGER))
    const roots: string[] = []
    for (let number = 1n; number <= 3n; number++) {
      const transactions = keys.map((key, n) => {
        const data = hexToBytes(`0x${(n + 1).toString(16).padStart(64, '0')}`)
        const fields = { nonce: number - 1n, gasPrice: 10n, gasLimit: 100_000n, to: ledger, data }
        return createLegacyTx(fields, { common }).sign(key)
      })
      const header = { number, timestamp: number, gasLimit: 30_000_000n, baseFeePerGas: 7n }
      const block = createBlock({ header, transactions }, { common, skipConsensusFormatValidation: true })
      const result = await runBlock(vm, {
        block,
        generate: true,
        skipHeaderValidation: true,
        skipBlockValidation: true,
      })
      roots.push(bytesToHex(result.stateRoot), bytesToHex(result.receiptsRoot))
    }
    if (evm instanceof GpuEvm) {
      expect(evm.report).toMatchObject({ blocks: 3, served: 30, delegated: {} })
      await evm.close()
    }
    return roots
  }
  expect(await run(true)).toEqual(await run(false))
})
