import { createBlockHeader } from '@ethereumjs/block'
import { type ChainConfig, createCustomCommon, Holesky, Hoodi, Mainnet, Sepolia } from '@ethereumjs/common'
import { bytesToHex } from '@ethereumjs/util'
import { describe, expect, test } from 'vitest'
import { genesisHeader, headerHash, stateRootOf } from '../../host/index.ts'
import { ethereumjsHardfork, FORKS, type Fork } from '../../transpiler/spec/forks.ts'

/** State root and hash of block 0, as their chains publish them. */
const CHAINS: readonly (readonly [ChainConfig, Fork, stateRoot: string, hash: string])[] = [
  [
    Mainnet,
    'frontier',
    '0xd7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544',
    '0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3',
  ],
  [
    Sepolia,
    'london',
    '0x5eb6e371a698b8d68f665192350ffcecbbbf322916f4b51bd79bb6887da3f494',
    '0x25a5cc106eea7138acab33231d7160d69cb777ee0c2c553fcddf5138993e6dd9',
  ],
  [
    Holesky,
    'paris',
    '0x69d8c9d72f6fa4ad42d4702b433707212f90db395eb54dc20bc85de253788783',
    '0xb5f7f912443c940f21fd611f12828d75b534364ed9e95ca4e307729a4661bde4',
  ],
  [
    Hoodi,
    'cancun',
    '0xda87d7f5f91c51508791bbcbd4aa5baf04917830b86985eeb9ad3d5bfb657576',
    '0xbbe312868b376a3001692a646dd2d7d1e4406380dfd86b98aa8a34d1557c971b',
  ],
]

describe('genesisHeader', () => {
  test.each(CHAINS)('has the hash of block 0 of $name', ({ genesis }, fork, stateRoot, hash) => {
    const { timestamp, gasLimit, difficulty, nonce, extraData } = genesis
    const header = genesisHeader(fork, {
      stateRoot,
      gasLimit: BigInt(gasLimit),
      difficulty: BigInt(difficulty),
      nonce,
      extraData,
      ...(timestamp === undefined ? {} : { timestamp: BigInt(timestamp) }),
    })
    expect(headerHash(header)).toBe(hash)
  })

  test.each(FORKS)('is a header of @ethereumjs/block at %s', (fork) => {
    const common = createCustomCommon({}, Mainnet, { hardfork: ethereumjsHardfork(fork) })
    const stateRoot = stateRootOf({})
    const fields = { stateRoot, timestamp: 7n, difficulty: 1n, gasLimit: 5_000_000n, extraData: '0x0102' as const }
    const header = genesisHeader(fork, fields)
    const { transactionsRoot, receiptsRoot, ...same } = header
    const theirs = createBlockHeader(
      { ...same, transactionsTrie: transactionsRoot, receiptTrie: receiptsRoot } as Parameters<
        typeof createBlockHeader
      >[0],
      { common, skipConsensusFormatValidation: true },
    )
    expect(headerHash(header)).toBe(bytesToHex(theirs.hash()))
    const defaults = createBlockHeader({ number: 0n }, { common, skipConsensusFormatValidation: true }).toJSON()
    expect(Object.keys(defaults).length, 'fields that the fork brought').toBe(Object.keys(header).length)
  })
})
