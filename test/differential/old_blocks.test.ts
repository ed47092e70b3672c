import { createBlock } from '@ethereumjs/block'
import { runBlock } from '@ethereumjs/vm'
import { describe, expect, it } from 'vitest'
import { type BlockHeader, uncleHashOf } from '../../host/chain/header.ts'
import { createExecutor } from '../../host/index.ts'
import { bytesToHex } from '../../host/primitives/hex.ts'
import { transactionsRoot } from '../../host/roots/roots.ts'
import { createStateTrie } from '../../host/state/trie/trie.ts'
import { type Fork, isAtLeast } from '../../transpiler/spec/forks.ts'
import { contractAddress } from '../fixtures/batch_world.ts'
import { blockWorld, commonAt, keyed, PROPOSER, signed, vmOf } from '../fixtures/block_world.ts'

const uncleOf = (parent: BlockHeader, number: bigint, coinbase: string): BlockHeader => ({
  ...parent,
  number,
  coinbase,
})

/**
 * Transfers and calls by the rules before Berlin; at most forks the contracts halt at an opcode that is not there yet.
 */
const poolAt = (fork: Fork): Uint8Array[] => {
  const common = { gasPrice: 20n, gasLimit: 90_000n }
  return [
    signed({ ...common, from: keyed(0), to: keyed(1), nonce: 0n, value: 5n }, fork),
    signed({ ...common, from: keyed(1), to: `0x${'99'.repeat(20)}`, nonce: 0n, value: 0n }, fork),
    signed(
      { ...common, from: keyed(0), to: contractAddress('setter'), nonce: 1n, data: `0x${'00'.repeat(63)}07` },
      fork,
    ),
    signed({ ...common, from: keyed(2), to: contractAddress('burner'), nonce: 0n }, fork),
    signed({ ...common, from: keyed(3), nonce: 0n, data: '0x6001600155' }, fork),
    signed({ ...common, from: PROPOSER, to: keyed(4), nonce: 0n, value: 1n }, fork),
  ]
}

describe('a block before the merge', () => {
  it.each([
    'frontier',
    'homestead',
    'tangerineWhistle',
    'spuriousDragon',
    'byzantium',
    'constantinople',
    'istanbul',
    'berlin',
    'london',
  ] as const)('at %s pays rewards and has the roots that @ethereumjs/vm gives it', async (fork) => {
    const world = blockWorld(fork)
    const { state, parent } = world
    const transactions = poolAt(fork)
    const uncles = [uncleOf(parent, 98n, `0x${'aa'.repeat(20)}`), uncleOf(parent, 95n, keyed(2))]
    const header: BlockHeader = {
      ...parent,
      number: 100n,
      timestamp: parent.timestamp + 12n,
      difficulty: 131_072n,
      uncleHash: uncleHashOf(uncles),
      transactionsRoot: transactionsRoot(transactions),
    }
    const common = commonAt(fork)
    const { createTxFromRLP } = await import('@ethereumjs/tx')
    const headerData = {
      number: header.number,
      timestamp: header.timestamp,
      coinbase: header.coinbase as `0x${string}`,
      gasLimit: header.gasLimit,
      difficulty: header.difficulty,
      ...(isAtLeast(fork, 'london') ? { baseFeePerGas: header.baseFeePerGas! } : {}),
    }
    const block = createBlock(
      {
        header: headerData,
        transactions: transactions.map((bytes) => createTxFromRLP(bytes, { common })) as never,
        uncleHeaders: uncles.map(({ number, coinbase }) => ({
          ...headerData,
          number,
          coinbase: coinbase as `0x${string}`,
        })),
      },
      { common, skipConsensusFormatValidation: true },
    )
    const vm = await vmOf(world)
    const theirs = await runBlock(vm, { block, generate: true, skipBlockValidation: true })

    const full: BlockHeader = {
      ...header,
      stateRoot: bytesToHex(theirs.stateRoot),
      receiptsRoot: bytesToHex(theirs.receiptsRoot),
      gasUsed: theirs.gasUsed,
      logsBloom: bytesToHex(theirs.logsBloom),
    }
    const ours = state.clone()
    const executor = createExecutor({ fork, chainId: 1n, state: ours, workers: 0 })
    const parentState = createStateTrie(state.dump())
    const result = await executor.executeBlock({ header: full, transactions, uncles }, { parentState })
    expect(result.stateRoot).toBe(full.stateRoot)
    expect(result.receiptsRoot).toBe(full.receiptsRoot)

    // A reward that is not paid, or paid to another, is another state.
    const again = createExecutor({ fork, chainId: 1n, state: state.clone(), workers: 0 })
    const fewer = { header: { ...full, uncleHash: uncleHashOf([uncles[0]!]) }, transactions, uncles: [uncles[0]!] }
    await expect(again.executeBlock(fewer, { parentState: createStateTrie(state.dump()) })).rejects.toThrow('stateRoot')
    const old = [uncleOf(parent, 93n, PROPOSER)]
    const tooOld = { header: { ...full, uncleHash: uncleHashOf(old) }, transactions, uncles: old }
    await expect(again.executeBlock(tooOld)).rejects.toThrow('one has number 93')
    executor.close()
    again.close()
  })
})
