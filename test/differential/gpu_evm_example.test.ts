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
import { expect, test } from 'vitest'
import { createGpuEvm, GpuEvm } from '../../host/index.ts'

/** Adds the calldata word to the slot of the caller, and logs it. */
const LEDGER = '0x600035335401335560003560005260206000a000'

/**
 * The program of the README: a user's own, written for @ethereumjs/vm. Only the line with `makeEvm` is not as it was.
 */
const program = async (makeEvm: typeof createEVM | typeof createGpuEvm) => {
  const common = new Common({ chain: Mainnet, hardfork: 'prague' })
  const stateManager = new MerkleStateManager({ common, caches: new Caches() })
  const evm = await makeEvm({ common, stateManager })
  const vm = await createVM({ common, stateManager, evm })

  const keys = Array.from({ length: 40 }, (_, n) => hexToBytes(`0x${(n + 1).toString(16).padStart(64, '0')}`))
  const ledger = createAddressFromString(`0x${'1ed9'.repeat(10)}`)
  for (const key of keys)
    await stateManager.putAccount(createAddressFromPrivateKey(key), createAccount({ balance: 10n ** 18n }))
  await stateManager.putAccount(ledger, createAccount({ nonce: 1n }))
  await stateManager.putCode(ledger, hexToBytes(LEDGER))

  const transactions = keys.map((key, n) => {
    const data = hexToBytes(`0x${(n + 1).toString(16).padStart(64, '0')}`)
    return createLegacyTx({ gasPrice: 10n, gasLimit: 100_000n, to: ledger, data }, { common }).sign(key)
  })
  const header = { number: 1n, timestamp: 1n, gasLimit: 30_000_000n, baseFeePerGas: 7n }
  const block = createBlock({ header, transactions }, { common, skipConsensusFormatValidation: true })
  const result = await runBlock(vm, { block, generate: true, skipHeaderValidation: true, skipBlockValidation: true })

  return {
    evm,
    gasUsed: result.gasUsed,
    stateRoot: bytesToHex(result.stateRoot),
    receiptsRoot: bytesToHex(result.receiptsRoot),
    logs: result.receipts.map(({ logs }) => logs),
  }
}

test('a program written for @ethereumjs/vm gives the same with createGpuEvm in place of createEVM', async () => {
  const { evm: _, ...stock } = await program(createEVM)
  const { evm, ...ours } = await program(createGpuEvm)
  expect(ours).toEqual(stock)
  if (!(evm instanceof GpuEvm)) throw new Error('createGpuEvm made another EVM')
  expect(evm.report).toMatchObject({ blocks: 1, served: 40, delegated: {} })
  await evm.close()
})
