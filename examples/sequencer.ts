/**
 * A sequencer and a validator: five blocks from a pool of signed transactions, each built, sent over as it would be on
 * a wire, executed by another node on a state of its own, and compared in every root (`npm install @ethereumjs/tx`).
 */
import { Common, Mainnet } from '@ethereumjs/common'
import { createFeeMarket1559Tx } from '@ethereumjs/tx'
import { createAddressFromPrivateKey, createAddressFromString, hexToBytes } from '@ethereumjs/util'
import {
  type Allocation,
  type BlockHeader,
  createExecutor,
  createStateTrie,
  type Fork,
  genesisHeader,
  MemoryState,
  openDevice,
} from 'wgevm'

/** Later forks call system contracts, which their genesis has to hold. */
const FORK: Fork = 'cancun'
const common = new Common({ chain: Mainnet, hardfork: FORK })
const keys = Array.from({ length: 20 }, (_, n) => hexToBytes(`0x${(n + 1).toString(16).padStart(64, '0')}`))

/** Adds the calldata word to the caller's slot, and logs the sum. */
const LEDGER_CODE = '0x600035335401335560003560005260206000a000'
const ledger = `0x${'1ed9'.repeat(10)}`

const genesis: Allocation = {
  ...Object.fromEntries(keys.map((key) => [createAddressFromPrivateKey(key).toString(), { balance: 10n ** 20n }])),
  [ledger]: { nonce: 1n, code: LEDGER_CODE },
}

/** Ten calls from each key, at different tips. */
const signedCalls = (block: number): Uint8Array[] =>
  keys.flatMap((key) =>
    Array.from({ length: 10 }, (_, i) =>
      createFeeMarket1559Tx(
        {
          chainId: 1n,
          nonce: BigInt(10 * block + i),
          maxFeePerGas: 20_000_000_000n,
          maxPriorityFeePerGas: BigInt(i + 1) * 100_000_000n,
          gasLimit: 100_000n,
          to: createAddressFromString(ledger),
          data: hexToBytes(`0x${(block + 1).toString(16).padStart(64, '0')}`),
        },
        { common },
      )
        .sign(key)
        .serialize(),
    ),
  )

const device = await openDevice()
const node = () => {
  const state = MemoryState.from(genesis)
  return {
    executor: createExecutor({ fork: FORK, chainId: 1n, state, device }),
    trie: createStateTrie(state.dump()),
  }
}
const [sequencer, validator] = [node(), node()]

let parent: BlockHeader = genesisHeader(FORK, { stateRoot: sequencer.trie.root })
for (let n = 0; n < 5; n++) {
  const { block, order, dropped, left } = await sequencer.executor.build({
    parent,
    parentState: sequencer.trie,
    pool: signedCalls(n),
    attributes: {
      timestamp: parent.timestamp + 12n,
      coinbase: `0x${'c0'.repeat(20)}`,
      prevRandao: `0x${'aa'.repeat(32)}`,
      parentBeaconBlockRoot: `0x${'00'.repeat(32)}`,
      withdrawals: [],
    },
  })
  // Throws where the block does not stand: header rules, every root, gas, bloom, withdrawals.
  const result = await validator.executor.executeBlock(block, { parent, parentState: validator.trie })
  const counts = `${order.length} in, ${dropped.length} dropped, ${left.length} left`
  console.log(`block ${block.header.number}: ${counts}, gas ${result.gasUsed}, state root ${validator.trie.root}`)
  if (order.length !== 200 || validator.trie.root !== sequencer.trie.root) process.exitCode = 1
  parent = block.header
}
for (const { executor } of [sequencer, validator]) executor.close()
device.destroy()
