import { createBlock } from '@ethereumjs/block'
import { createCustomCommon, Mainnet } from '@ethereumjs/common'
import { Caches, MerkleStateManager } from '@ethereumjs/statemanager'
import { createLegacyTx } from '@ethereumjs/tx'
import { createAccount, createAddressFromPrivateKey, createAddressFromString, hexToBytes } from '@ethereumjs/util'
import { createVM, runBlock } from '@ethereumjs/vm'
import { expect, test } from 'vitest'
import { createExecutor, createGpuEvm, MemoryState, openDevice, stateRootOf } from '../../host/index.ts'
import { assemble } from '../fixtures/assembler.ts'

const KEYS = [1, 2].map((n) => hexToBytes(`0x${n.toString(16).padStart(64, '0')}`))
const PEOPLE = KEYS.map((key) => createAddressFromPrivateKey(key))
const TARGET = `0x${'5a'.repeat(20)}` as const
const COINBASE = '0x00000000000000000000000000000000000000c0'
/** Destroys itself where nothing is paid, else reads slot 1. */
const CODE = assemble('CALLVALUE PUSH @paid JUMPI CALLER SELFDESTRUCT paid: PUSH 1 SLOAD STOP')
const HEADER = { number: 1n, timestamp: 1n, gasLimit: 30_000_000n, baseFeePerGas: 7n }
const call = (i: number) => ({ to: TARGET, nonce: 0n, gasLimit: 100_000n, gasPrice: 10n, value: BigInt(5 * i) })

/**
 * The root by the specification: the first transaction takes the contract's storage away, the second one pays an
 * account without any.
 */
const rightRoot = async (): Promise<string> => {
  const people = Object.fromEntries(PEOPLE.map((person) => [person.toString(), { balance: 10n ** 20n }]))
  const state = MemoryState.from({ ...people, [TARGET]: { nonce: 1n, code: CODE, storage: { 1: 7n, 3: 3n } } })
  const executor = createExecutor({ fork: 'shanghai', chainId: 1n, state, workers: 0 })
  const transactions = PEOPLE.map((person, i) => ({ ...call(i), from: person.toString() }))
  await executor.execute({ env: { ...HEADER, coinbase: COINBASE, prevRandao: 0n }, transactions })
  executor.close()
  return stateRootOf(state.dump())
}

test.each([true, false])(
  'a contract that is destroyed and then paid has no storage, bulkFlush %s',
  async (bulkFlush) => {
    const common = createCustomCommon({}, Mainnet, { hardfork: 'shanghai' })
    const stateManager = new MerkleStateManager({ common, caches: new Caches() })
    for (const person of PEOPLE) await stateManager.putAccount(person, createAccount({ balance: 10n ** 20n }))
    const target = createAddressFromString(TARGET)
    await stateManager.putAccount(target, createAccount({ nonce: 1n }))
    await stateManager.putCode(target, CODE)
    for (const [slot, value] of [
      [1, 7],
      [3, 3],
    ] as const) {
      await stateManager.putStorage(
        target,
        hexToBytes(`0x${slot.toString(16).padStart(64, '0')}`),
        Uint8Array.of(value),
      )
    }
    // The storage is in the trie alone: the read ahead of the block is the first.
    await stateManager.flush()
    stateManager.clearCaches()
    // On the lane VM both calls run on the state before the block, so the second one reads the storage that the
    // first takes away.
    const device = await openDevice()
    const executor = { workers: 0, compile: 'wait', paths: 'never', laneVm: 'always' } as const
    const evm = await createGpuEvm({ common, stateManager, device, leastTransactions: 1, bulkFlush, executor })
    const vm = await createVM({ common, stateManager, evm })
    const transactions = KEYS.map((key, i) => createLegacyTx(call(i), { common }).sign(key))
    const header = { ...HEADER, coinbase: createAddressFromString(COINBASE) }
    const block = createBlock({ header, transactions }, { common, skipConsensusFormatValidation: true })
    const { stateRoot } = await runBlock(vm, {
      block,
      generate: true,
      skipHeaderValidation: true,
      skipBlockValidation: true,
    })
    expect(evm.report.served).toBeGreaterThan(0)
    expect(`0x${Buffer.from(stateRoot).toString('hex')}`).toBe(await rightRoot())
    await evm.close()
    device.destroy()
  },
)
