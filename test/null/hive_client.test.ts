import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parseGenesis } from '../../host/flows/chain/genesis.ts'
import { InputError } from '../../host/index.ts'

const MAPPER = fileURLToPath(new URL('../../service/hive/wgevm/mapper.jq', import.meta.url))
const hasJq = spawnSync('jq', ['--version']).status === 0

/** As hive gives it: without a configuration, or with that of another client. */
const FILE = JSON.stringify({
  config: { chainId: 99, shanghaiTime: 77 },
  difficulty: '0x20000',
  gasLimit: '0x2fefd8',
  timestamp: '0x0',
  alloc: { '0x00000000000000000000000000000000000a11ce': { balance: '0x1' } },
})

const mapped = (env: Readonly<Record<string, string>>): string => {
  const { stdout, stderr, status } = spawnSync('jq', ['-f', MAPPER], { input: FILE, env, encoding: 'utf8' })
  expect([status, stderr]).toStrictEqual([0, ''])
  return stdout
}

const AT_ZERO = [
  'HOMESTEAD',
  'TANGERINE',
  'SPURIOUS',
  'BYZANTIUM',
  'CONSTANTINOPLE',
  'PETERSBURG',
  'ISTANBUL',
  'BERLIN',
]
const MERGED = {
  HIVE_CHAIN_ID: '3503995874084926',
  ...Object.fromEntries([...AT_ZERO, 'LONDON'].map((fork) => [`HIVE_FORK_${fork}`, '0'])),
  HIVE_MERGE_BLOCK_ID: '0',
  HIVE_TERMINAL_TOTAL_DIFFICULTY: '0',
  HIVE_SHANGHAI_TIMESTAMP: '0',
}

describe.skipIf(!hasJq)("the mapper of hive's client folder (skipped without jq)", () => {
  it('gives each fork its block or time, and the chain its id', () => {
    const times = { HIVE_CANCUN_TIMESTAMP: '10', HIVE_PRAGUE_TIMESTAMP: '20', HIVE_OSAKA_TIMESTAMP: '30' }
    const { config } = parseGenesis(mapped({ ...MERGED, ...times, HIVE_BPO1_TIMESTAMP: '40' }))
    expect(config.chainId).toBe(3503995874084926n)
    expect(config.terminalTotalDifficulty).toBe(0n)
    expect(config.depositContract).toBe('0x00000000219ab540356cbb839cbe05303d7705fa')
    const text = JSON.stringify(config, (_, value) => (typeof value === 'bigint' ? `${value}` : value))
    for (const part of ['"osaka"', '"prague"', '"cancun"', '11684671', '8346193', '"30"', '"40"'])
      expect([part, text.includes(part)]).toStrictEqual([part, part !== '11684671'])
  })

  it('takes blob limits of a simulation before those of the networks', () => {
    const blobs = { HIVE_CANCUN_BLOB_TARGET: '1', HIVE_CANCUN_BLOB_MAX: '2' }
    const { config } = JSON.parse(mapped({ ...MERGED, HIVE_CANCUN_TIMESTAMP: '0', ...blobs })) as {
      readonly config: { readonly blobSchedule: unknown }
    }
    expect(config.blobSchedule).toStrictEqual({ cancun: { target: 1, max: 2, baseFeeUpdateFraction: 3338477 } })
  })

  it('leaves out forks that are not named: a chain of proof of work', () => {
    const { config } = JSON.parse(mapped({ HIVE_FORK_HOMESTEAD: '0', HIVE_FORK_TANGERINE: '5' })) as {
      readonly config: object
    }
    expect(config).toStrictEqual({
      chainId: 1,
      homesteadBlock: 0,
      eip150Block: 5,
      depositContractAddress: '0x00000000219ab540356cbb839cbe05303d7705fa',
      blobSchedule: {},
    })
    const { header } = parseGenesis(mapped({ HIVE_FORK_HOMESTEAD: '0' }))
    expect(header.withdrawalsRoot).toBeUndefined()
  })

  it('passes on a fork that is not known, which is then refused by name', () => {
    const text = mapped({ ...MERGED, HIVE_CANCUN_TIMESTAMP: '0', HIVE_AMSTERDAM_TIMESTAMP: '9' })
    expect(() => parseGenesis(text)).toThrow(InputError)
    expect(() => parseGenesis(text)).toThrow(/amsterdamTime/)
  })
})
