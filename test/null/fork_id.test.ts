import { describe, expect, it } from 'vitest'
import { readChainConfig } from '../../host/chain/chain_config.ts'
import { forkId } from '../../host/chain/fork_id.ts'
import { precompilesOf } from '../../host/precompiles/by_fork.ts'
import { commonOf } from '../../host/precompiles/common.ts'
import { precompilesAt } from '../../service/node/rules_views.ts'
import { FORKS, isAtLeast } from '../../transpiler/spec/forks.ts'

/** Mainnet (EIP-2124, 6122, 7910). */
const MAINNET = {
  blocks: [
    1_150_000n,
    1_920_000n,
    2_463_000n,
    2_675_000n,
    4_370_000n,
    7_280_000n,
    9_069_000n,
    9_200_000n,
    12_244_000n,
    12_965_000n,
    13_773_000n,
    15_050_000n,
  ],
  times: [1_681_338_455n, 1_710_338_135n, 1_746_612_311n, 1_764_798_551n, 1_765_290_071n, 1_767_747_671n],
}
const GENESIS = { hash: '0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3', timestamp: 0n }

describe('the fork id', () => {
  it.each([
    [0n, '0xf0afd0e3'],
    [1_681_338_454n, '0xf0afd0e3'],
    [1_681_338_455n, '0xdce96c2d'],
    [1_710_338_135n, '0x9f3d2254'],
    [1_746_612_311n, '0xc376cf8b'],
    [1_764_798_551n, '0x5167e2a6'],
    [1_765_290_071n, '0xcba2a1c0'],
    [1_767_747_671n, '0x07c9462e'],
  ])('of mainnet at second %i is %s', (seconds, expected) => {
    expect(forkId({ changes: MAINNET }, GENESIS, seconds)).toBe(expected)
  })

  it('leaves out what holds from the genesis on', () => {
    const changes = { blocks: [0n, ...MAINNET.blocks], times: [0n, ...MAINNET.times] }
    expect(forkId({ changes }, GENESIS, 1_681_338_455n)).toBe('0xdce96c2d')
  })

  it('counts each change once, those that change no rule here as well', () => {
    const config = {
      chainId: 1,
      homesteadBlock: 3,
      daoForkBlock: 4,
      eip150Block: 5,
      eip155Block: 5,
      eip158Block: 5,
      byzantiumBlock: 6,
      constantinopleBlock: 7,
      petersburgBlock: 7,
      istanbulBlock: 8,
      muirGlacierBlock: 9,
      berlinBlock: 10,
      londonBlock: 11,
      mergeNetsplitBlock: 12,
      terminalTotalDifficulty: 0,
      shanghaiTime: 20,
      cancunTime: 30,
      pragueTime: 30,
    }
    expect(readChainConfig(config).changes).toStrictEqual({
      blocks: [3n, 4n, 5n, 6n, 7n, 8n, 9n, 10n, 11n, 12n],
      times: [20n, 30n],
    })
  })
})

describe('the precompiled contracts of a fork by name', () => {
  it.each(FORKS.filter((fork) => isAtLeast(fork, 'byzantium')))('are those of the executor at %s', (fork) => {
    const executed = [...precompilesOf(commonOf(fork, 1n)).keys()].map((address) => `0x${address}`)
    expect(Object.values(precompilesAt(fork)).sort()).toStrictEqual(executed.sort())
  })
})
