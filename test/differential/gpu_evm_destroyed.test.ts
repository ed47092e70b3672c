import { createBlock } from '@ethereumjs/block'
import { createCustomCommon, Mainnet } from '@ethereumjs/common'
import { Caches, MerkleStateManager } from '@ethereumjs/statemanager'
import { createLegacyTx } from '@ethereumjs/tx'
import { createAccount, createAddressFromPrivateKey, createAddressFromString, hexToBytes } from '@ethereumjs/util'
import { createVM, runBlock } from '@ethereumjs/vm'
import { expect, test } from 'vitest'
import { createExecutor, createGpuEvm, MemoryState, openDevice, stateRootOf } from '../../host/index.ts'
import { assemble } from '../fixtures/assembler.ts'

const KEYS = [1, 2, 3, 4].map((n) => hexToBytes(`0x${n.toString(16).padStart(64, '0')}`))
const PEOPLE = KEYS.map((key) => createAddressFromPrivateKey(key))
const TARGET = `0x${'5a'.repeat(20)}` as const
const COINBASE = '0x00000000000000000000000000000000000000c0'
/**
 * Reads slot 1 where it is paid; else destroys itself, sets slot 3 for a byte of calldata, and reverts for more bytes.
 */
const CODE = assemble(`CALLVALUE PUSH @paid JUMPI CALLDATASIZE PUSH @told JUMPI CALLER SELFDESTRUCT
  told: PUSH 1 CALLDATASIZE GT PUSH @revert JUMPI PUSH 5 PUSH 3 SSTORE STOP
  paid: PUSH 1 SLOAD STOP
  revert: PUSH 0 PUSH 0 REVERT`)
const HEADER = { number: 1n, timestamp: 1n, gasLimit: 30_000_000n, baseFeePerGas: 7n }
const CALLS = {
  write: { value: 0n, data: '0x01' },
  revert: { value: 0n, data: '0x0101' },
  destroy: { value: 0n, data: '0x' },
  pay: { value: 5n, data: '0x' },
} as const
type Call = keyof typeof CALLS
const call = (name: Call) => ({ to: TARGET, nonce: 0n, gasLimit: 100_000n, gasPrice: 10n, ...CALLS[name] })

/** The root by the specification: a call takes the contract's storage away, the next pays an account without any. */
const rightRoot = async (calls: readonly Call[]): Promise<string> => {
  const people = Object.fromEntries(PEOPLE.map((person) => [person.toString(), { balance: 10n ** 20n }]))
  const state = MemoryState.from({ ...people, [TARGET]: { nonce: 1n, code: CODE, storage: { 1: 7n, 3: 3n } } })
  const executor = createExecutor({ fork: 'shanghai', chainId: 1n, state, workers: 0 })
  const transactions = calls.map((name, i) => ({ ...call(name), from: PEOPLE[i]!.toString() }))
  await executor.execute({ env: { ...HEADER, coinbase: COINBASE, prevRandao: 0n }, transactions })
  executor.close()
  return stateRootOf(state.dump())
}

/**
 * `observed`: transactions at the begin of the block that run on the stock EVM, because its steps are watched. What the
 * first wrote stays among what the manager flushes, to whatever storage trie it has open by then; the revert has closed
 * all of them, and reading ahead of the others must not leave one open.
 */
test.each<[calls: readonly Call[], bulkFlush: boolean, observed: number, served: number]>([
  [['destroy', 'pay'], true, 0, 1],
  [['destroy', 'pay'], false, 0, 1],
  [['write', 'revert', 'destroy', 'pay'], true, 2, 1],
  [['write', 'revert', 'destroy', 'pay'], false, 2, 1],
])(
  'a contract that is destroyed and then paid has no storage: %j, bulkFlush %s',
  async (calls, bulkFlush, observed, served) => {
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
    const observer = () => {}
    if (observed > 0) evm.events.on('step', observer)
    let ended = 0
    vm.events.on('afterTx', () => {
      if (++ended === observed) evm.events.off('step', observer)
    })
    const transactions = calls.map((name, i) => createLegacyTx(call(name), { common }).sign(KEYS[i]!))
    const header = { ...HEADER, coinbase: createAddressFromString(COINBASE) }
    const block = createBlock({ header, transactions }, { common, skipConsensusFormatValidation: true })
    const { stateRoot } = await runBlock(vm, {
      block,
      generate: true,
      skipHeaderValidation: true,
      skipBlockValidation: true,
    })
    expect(evm.report).toMatchObject({ blocks: 1, served })
    expect(`0x${Buffer.from(stateRoot).toString('hex')}`).toBe(await rightRoot(calls))
    await evm.close()
    device.destroy()
  },
)
