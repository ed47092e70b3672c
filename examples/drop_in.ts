/**
 * A program written for `@ethereumjs/vm`, with one line changed: `createGpuEvm` in the place of `createEVM`
 * (`npm install @ethereumjs/vm @ethereumjs/block @ethereumjs/tx @ethereumjs/statemanager`).
 */
import { createBlock } from '@ethereumjs/block'
import { Common, Mainnet } from '@ethereumjs/common'
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
import { createGpuEvm } from 'wgevm'

const common = new Common({ chain: Mainnet, hardfork: 'prague' })
const stateManager = new MerkleStateManager({ common, caches: new Caches() })
const evm = await createGpuEvm({ common, stateManager }) // was: createEVM({ common, stateManager })
const vm = await createVM({ common, stateManager, evm })

/** Adds the calldata word to the caller's slot, and logs the sum. */
const LEDGER_CODE = '0x600035335401335560003560005260206000a000'
const ledger = createAddressFromString(`0x${'1ed9'.repeat(10)}`)
const keys = Array.from({ length: 40 }, (_, n) => hexToBytes(`0x${(n + 1).toString(16).padStart(64, '0')}`))
for (const key of keys) {
  await stateManager.putAccount(createAddressFromPrivateKey(key), createAccount({ balance: 10n ** 18n }))
}
await stateManager.putAccount(ledger, createAccount({ nonce: 1n }))
await stateManager.putCode(ledger, hexToBytes(LEDGER_CODE))

const transactions = keys.map((key, n) => {
  const data = hexToBytes(`0x${(n + 1).toString(16).padStart(64, '0')}`)
  return createLegacyTx({ gasPrice: 10n, gasLimit: 100_000n, to: ledger, data }, { common }).sign(key)
})
const header = { number: 1n, timestamp: 1n, gasLimit: 30_000_000n, baseFeePerGas: 7n }
const block = createBlock({ header, transactions }, { common, skipConsensusFormatValidation: true })
const result = await runBlock(vm, { block, generate: true, skipHeaderValidation: true, skipBlockValidation: true })
console.log(`gas ${result.gasUsed}, state root ${bytesToHex(result.stateRoot)}`)
console.log('served by wgevm', evm.report)
if (evm.report.served !== transactions.length) process.exitCode = 1
await evm.close()
