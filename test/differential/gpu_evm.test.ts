import { createCustomCommon, Mainnet } from '@ethereumjs/common'
import { createEVM } from '@ethereumjs/evm'
import { Caches, CacheType } from '@ethereumjs/statemanager'
import { createFeeMarket1559Tx, createLegacyTx } from '@ethereumjs/tx'
import { type Address, createAddressFromString } from '@ethereumjs/util'
import { buildBlock, type RunBlockResult, runBlock, runTx } from '@ethereumjs/vm'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { createGpuEvm, type GpuEvm, type GpuEvmOptions } from '../../host/adapters/ethereumjs/gpu_evm.ts'
import { type ComputeDevice, openDevice } from '../../host/index.ts'
import { CUSTOM_CRYPTO, recoverSigner } from '../../host/precompiles/common.ts'
import { hexToBytes as bytesOf } from '../../host/primitives/hex.ts'
import { contractAddress, holderSlot, stranger } from '../fixtures/batch_world.ts'
import { blockOutcome, multiTransactionTests, realBlock, runBlockTest, runRealBlock } from '../fixtures/vm_blocks.ts'
import { HEADER, keys, mixedBlock, people, type VmWorld, vmWorld as world } from '../fixtures/vm_world.ts'

let device: ComputeDevice
beforeAll(async () => {
  device = await openDevice()
})
afterAll(() => device.destroy())

const OPTIONS = { generate: true, skipHeaderValidation: true, skipBlockValidation: true } as const
const run = async ({ vm }: VmWorld): Promise<RunBlockResult> => runBlock(vm, { block: mixedBlock(vm), ...OPTIONS })

describe('createGpuEvm', () => {
  test('runBlock gives what it gives with the stock EVM, and most results come from ahead', async () => {
    const ours = await world({ device })
    const [a, b] = [await run(ours), await run(await world())]
    expect(blockOutcome(a)).toBe(blockOutcome(b))
    expect(a.receipts).toEqual(b.receipts)
    expect(ours.evm!.report).toMatchObject({ blocks: 1, faults: [] })
    expect(ours.evm!.report.served).toBeGreaterThan(15)
    await ours.evm!.close()
  })

  test('every result that is served has the gas, refund, output and logs of the stock EVM', async () => {
    const ours = await world({ device: 'none' })
    const [a, b] = [await run(ours), await run(await world())]
    const seen = ({ results }: RunBlockResult) =>
      results.map(({ execResult, gasRefund }) => [
        execResult.executionGasUsed,
        execResult.gasRefund,
        gasRefund,
        execResult.returnValue,
        execResult.logs ?? [],
        execResult.exceptionError?.error,
      ])
    expect(seen(a)).toEqual(seen(b))
    expect(ours.evm!.report.served).toBeGreaterThan(15)
  })

  test('a state that was changed behind its back is noticed: what read it goes to the stock EVM', async () => {
    const change = async ({ manager }: VmWorld, n: number): Promise<void> => {
      const token = createAddressFromString(contractAddress('token'))
      await manager.putStorage(token, bytesOf(holderSlot(people[n]!.toString())), bytesOf('0x2a'))
    }
    const outcomes: string[] = []
    for (const one of [await world({ device: 'none' }), await world()]) {
      let seen = 0
      one.vm.events.on('beforeTx', (_, resolve) => {
        void (seen++ === 4 ? change(one, 8) : Promise.resolve()).then(() => resolve?.())
      })
      outcomes.push(blockOutcome(await run(one)))
      if (one.evm !== undefined) expect(one.evm.report.delegated['state differs']).toBeGreaterThan(0)
    }
    expect(outcomes[0]).toBe(outcomes[1])
  })

  test('a slot that a served call wrote and other code changed since is noticed', async () => {
    const outcomes: string[] = []
    for (const one of [await world({ device: 'none' }), await world()]) {
      const { vm, manager } = one
      const token = createAddressFromString(contractAddress('token'))
      const slot = bytesOf(holderSlot(people[0]!.toString()))
      let seen = 0
      let before: Uint8Array | undefined
      vm.events.on('beforeTx', (_, resolve) => {
        const change = async (): Promise<void> => {
          if (seen++ !== 21) return
          before = await manager.getStorage(token, slot)
          await manager.putStorage(token, slot, bytesOf('0x03d9'))
        }
        void change().then(() => resolve?.())
      })
      outcomes.push(blockOutcome(await run(one)))
      // Person 0 paid 7 and was paid 7 by person 15.
      expect(before).toEqual(bytesOf('0x03e8'))
      if (one.evm !== undefined) expect(one.evm.report.delegated['state differs']).toBe(1)
    }
    expect(outcomes[0]).toBe(outcomes[1])
  })

  test('slots wait in the cache for the flush: the trie is written once for each', async () => {
    const puts = async (options?: Partial<GpuEvmOptions>): Promise<[number, string]> => {
      const one = await world(options)
      const trie = one.manager as unknown as { _writeContractStorage: (...slot: unknown[]) => Promise<void> }
      const write = vi.spyOn(trie, '_writeContractStorage')
      const outcome = blockOutcome(await run(one))
      return [write.mock.calls.length, outcome]
    }
    const [[ours, a], [stock, b]] = [await puts({ device: 'none' }), await puts()]
    expect(a).toBe(b)
    // The stock EVM writes at each SSTORE, twice in a payment, and all again with the flush.
    expect(ours).toBeLessThan(stock - 20)
  })

  test.each([
    ['without caches', () => 'none' as const],
    ['with caches that forget', () => new Caches({ storage: { type: CacheType.LRU, size: 100 } })],
    ['without a storage cache', () => new Caches({ storage: { type: CacheType.ORDERED_MAP, size: 0 } })],
  ])('a MerkleStateManager %s serves as well', async (_, caches) => {
    const ours = await world({ device: 'none' }, false, caches())
    expect(blockOutcome(await run(ours))).toBe(blockOutcome(await run(await world(undefined, false, caches()))))
    expect(ours.evm!.report.served).toBeGreaterThan(15)
  })

  test('a state manager with a putStorage of its own is told of every slot', async () => {
    const ours = await world({ device: 'none' })
    const put = ours.manager.putStorage.bind(ours.manager)
    let told = 0
    ours.manager.putStorage = (...slot) => {
      told++
      return put(...slot)
    }
    expect(blockOutcome(await run(ours))).toBe(blockOutcome(await run(await world())))
    expect(told).toBeGreaterThan(25)
  })

  test('a block that is refused behind its transactions leaves no slot behind', async () => {
    const outcomes: string[] = []
    for (const one of [await world({ device: 'none' }), await world()]) {
      const { vm, manager } = one
      const before = await manager.getStateRoot()
      // Without `generate` the roots of the header are checked, and they are not those of this block.
      await expect(
        runBlock(vm, { block: mixedBlock(vm), skipHeaderValidation: true, skipBlockValidation: false }),
      ).rejects.toThrow()
      expect(await manager.getStateRoot()).toEqual(before)
      const token = createAddressFromString(contractAddress('token'))
      expect(await manager.getStorage(token, bytesOf(holderSlot(people[1]!.toString())))).toEqual(bytesOf('0x03e8'))
      outcomes.push(blockOutcome(await run(one)))
    }
    expect(outcomes[0]).toBe(outcomes[1])
  })

  test('with a listener on the steps of the EVM nothing is served', async () => {
    const ours = await world({ device: 'none' })
    let steps = 0
    ours.evm!.events.on('step', () => {
      steps++
    })
    expect(blockOutcome(await run(ours))).toBe(blockOutcome(await run(await world())))
    expect(steps).toBeGreaterThan(100)
    expect(ours.evm!.report).toMatchObject({ blocks: 0, served: 0 })
  })

  test('runTx outside a block, access lists and buildBlock work as with the stock EVM', async () => {
    const outcomes: unknown[] = []
    for (const one of [await world({ device: 'none' }), await world()]) {
      const { vm } = one
      const [first, second, third] = mixedBlock(vm).transactions
      const alone = await runTx(vm, { tx: first!, skipBlockGasLimitValidation: true, skipHardForkValidation: true })
      const listed = await runTx(vm, { tx: second!, block: mixedBlock(vm), reportAccessList: true })
      const builder = await buildBlock(vm, {
        parentBlock: mixedBlock(vm),
        headerData: { ...HEADER, number: 2n, timestamp: 2000n },
        blockOpts: { putBlockIntoBlockchain: false, skipConsensusFormatValidation: true },
      })
      const built = await builder.addTransaction(third!)
      outcomes.push([alone.totalGasSpent, alone.receipt, listed.accessList, listed.receipt, built.receipt])
      await builder.revert()
    }
    expect(outcomes[0]).toEqual(outcomes[1])
  })

  test('a SimpleStateManager serves as well', async () => {
    const [ours, stock] = [await world({ device: 'none' }, true), await world(undefined, true)]
    const results: unknown[] = []
    for (const { vm, manager } of [ours, stock]) {
      const block = mixedBlock(vm)
      const receipts: unknown[] = []
      for (const tx of block.transactions) receipts.push((await runTx(vm, { tx, block })).receipt)
      const account = async (address: Address) => {
        const found = await manager.getAccount(address)
        return [found?.nonce, found?.balance]
      }
      const parties = [...people, HEADER.coinbase, createAddressFromString(contractAddress('destroyer'))]
      results.push([receipts, await Promise.all(parties.map(account))])
    }
    expect(results[0]).toEqual(results[1])
    expect(ours.evm!.report.served).toBeGreaterThan(15)
  })

  test('rules of its own keep a Common from being executed ahead', async () => {
    const ours = await world({
      device: 'none',
      customPrecompiles: [
        {
          address: createAddressFromString(stranger(77)),
          function: () => ({ executionGasUsed: 1n, returnValue: new Uint8Array(1) }),
        },
      ],
    })
    await run(ours)
    expect(ours.evm!.report).toMatchObject({ served: 0, delegated: { rules: expect.any(Number) } })
  })

  test('small blocks are left to the stock EVM', async () => {
    const ours = await world({ device: 'none', leastTransactions: 1000 })
    expect(blockOutcome(await run(ours))).toBe(blockOutcome(await run(await world())))
    expect(ours.evm!.report).toMatchObject({ blocks: 0, served: 0 })
  })
})

describe('recoverSigner', () => {
  const to = people[1]!
  const key = keys[0]!
  const sender = people[0]!.toString()
  const common = createCustomCommon({ chainId: 5 }, Mainnet, { hardfork: 'prague', customCrypto: CUSTOM_CRYPTO })

  test('finds the sender of an EIP-155, a typed and an unprotected transaction under our Common', () => {
    const old = createCustomCommon({ chainId: 5 }, Mainnet, { hardfork: 'homestead', customCrypto: CUSTOM_CRYPTO })
    for (let nonce = 0n; nonce < 8n; nonce++) {
      const protectedTx = createLegacyTx({ nonce, gasLimit: 21_000n, gasPrice: 1n, to }, { common }).sign(key)
      expect(protectedTx.v! - 45n).toBeLessThan(2n)
      const typedTx = createFeeMarket1559Tx({ chainId: 5, nonce, gasLimit: 21_000n, maxFeePerGas: 1n, to }, { common })
      const oldTx = createLegacyTx({ nonce, gasLimit: 21_000n, gasPrice: 1n, to }, { common: old }).sign(key)
      expect(oldTx.v! - 27n).toBeLessThan(2n)
      for (const tx of [protectedTx, typedTx.sign(key), oldTx]) expect(tx.getSenderAddress().toString()).toBe(sender)
    }
  })

  test('refuses a v that is of no chain or of another', () => {
    const word = new Uint8Array(32).fill(1)
    for (const [v, chainId] of [[2n], [29n], [26n], [37n, 5n], [27n, 5n], [47n, 5n]] as [bigint, bigint?][])
      expect(() => recoverSigner(word, v, word, word, chainId)).toThrow('Invalid signature v value')
  })
})

const tests = multiTransactionTests()
if (tests === undefined) console.warn('skipped: the multi-transaction block tests are not there')
const WHOLE = process.env['WGEVM_FULL'] !== undefined
const EACH = 6

describe.skipIf(tests === undefined)('block tests under runBlock', () => {
  test('pass through createGpuEvm as through the stock EVM', { timeout: 300_000 }, async () => {
    let served = 0
    let blocks = 0
    for (const [n, one] of (tests ?? []).entries()) {
      if (!WHOLE && n % EACH !== 0) continue
      const evms: GpuEvm[] = []
      const ours = await runBlockTest(one, async (options) => {
        const evm = await createGpuEvm({ ...options, device: 'none', leastTransactions: 1 })
        evms.push(evm)
        return evm
      })
      expect(ours, one.name).toEqual(await runBlockTest(one, createEVM))
      for (const [b, { expectException }] of one.blocks.entries())
        expect(ours[b]!.startsWith('refused'), `${one.name} block ${b}`).toBe(expectException !== undefined)
      served += evms[0]!.report.served
      blocks += evms[0]!.report.blocks
      expect(evms[0]!.report.faults).toEqual([])
    }
    expect(blocks).toBeGreaterThan(3)
    expect(served).toBeGreaterThan(3)
  })
})

/** Transfers, tokens and blobs; whole blocks of other kinds with WGEVM_FULL. */
const REAL = ['mainnet-4370000', 'mainnet-19426587', 'mainnet-19923400']
const MORE = [
  'mainnet-11814555',
  'mainnet-12459406',
  'mainnet-13287210',
  'mainnet-15752489',
  'mainnet-18988207',
  'mainnet-19933597',
]
const real = [...REAL, ...(WHOLE ? MORE : [])].filter((name) => realBlock(name) !== undefined)
if (real.length === 0) console.warn('skipped: the real blocks are not there')

describe.skipIf(real.length === 0)('real blocks under runBlock', () => {
  test.each(real)('%s has the gas and the receipts of its header', { timeout: 300_000 }, async (name) => {
    const evms: GpuEvm[] = []
    const { ours, expected } = await runRealBlock(realBlock(name)!, async (options) => {
      const evm = await createGpuEvm({ ...options, device: 'none' })
      evms.push(evm)
      return evm
    })
    expect(ours).toEqual(expected)
    const { served, faults, delegated } = evms[0]!.report
    expect(faults).toEqual([])
    expect(delegated['state differs']).toBeUndefined()
    expect(served).toBeGreaterThan(0)
    await evms[0]!.close()
  })
})
