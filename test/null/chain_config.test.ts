import { describe, expect, test } from 'vitest'
import { configHash, configuredBlobs, forkAt, isMergedAfter, readChainConfig } from '../../host/chain/chain_config.ts'
import { headerHash, parseGenesis } from '../../host/index.ts'
import { rpcCompat } from '../fixtures/rpc_compat.ts'

const BLOCKS = {
  homesteadBlock: 1,
  eip150Block: 2,
  eip155Block: 3,
  eip158Block: 3,
  byzantiumBlock: 4,
  constantinopleBlock: 5,
  petersburgBlock: 6,
  istanbulBlock: 7,
  berlinBlock: 8,
  londonBlock: 9,
}
const TIMES = { shanghaiTime: 100, cancunTime: 200, pragueTime: 300, osakaTime: 400, bpo1Time: 500 }
const BLOBS = {
  cancun: { target: 3, max: 6, baseFeeUpdateFraction: 3_338_477 },
  bpo1: { target: 10, max: 15, baseFeeUpdateFraction: 8_346_193 },
}
const FULL = { chainId: 7, ...BLOCKS, ...TIMES, terminalTotalDifficulty: 1000, blobSchedule: BLOBS }

describe('the configuration of a chain', () => {
  test('gives each block its fork: by number before the merge, by timestamp after it', () => {
    const config = readChainConfig(FULL)
    const before = Array.from({ length: 11 }, (_, n) =>
      forkAt(config, { number: BigInt(n), timestamp: 450n, isMerged: false }),
    )
    expect(before).toEqual(
      [
        'frontier',
        'homestead',
        'tangerineWhistle',
        'spuriousDragon',
        'byzantium',
        'constantinople',
        'petersburg',
      ].concat(['istanbul', 'berlin', 'london', 'london']),
    )
    const after = [99n, 100n, 199n, 200n, 300n, 399n, 400n, 600n].map((timestamp) =>
      forkAt(config, { number: 20n, timestamp, isMerged: true }),
    )
    expect(after).toEqual(['paris', 'shanghai', 'shanghai', 'cancun', 'prague', 'prague', 'osaka', 'osaka'])
    expect([999n, 1000n].map((difficulty) => isMergedAfter(config, difficulty))).toEqual([false, true])
    expect(isMergedAfter(readChainConfig({ chainId: 7 }), 10n ** 30n)).toBe(false)
  })

  test('gives each block its blob limits, those of its fork where it has none', () => {
    const config = readChainConfig(FULL)
    expect(configuredBlobs(config, 'shanghai', 150n)).toBeUndefined()
    expect(configuredBlobs(config, 'prague', 300n)).toEqual({ targetBlobs: 3, maxBlobs: 6, updateFraction: 3_338_477n })
    expect(configuredBlobs(config, 'osaka', 499n)?.maxBlobs).toBe(6)
    expect(configuredBlobs(config, 'osaka', 500n)?.maxBlobs).toBe(15)
    expect(configuredBlobs(readChainConfig({ ...FULL, blobSchedule: null }), 'osaka', 500n)).toBeUndefined()
  })

  test('has Petersburg with Constantinople where it is left out', () => {
    const { petersburgBlock: _, ...rest } = FULL
    expect(forkAt(readChainConfig(rest), { number: 5n, timestamp: 0n, isMerged: false })).toBe('petersburg')
  })

  test('has one hash however it is spelled, and another one where a rule is', () => {
    const hash = configHash(readChainConfig(FULL))
    expect(
      configHash(readChainConfig({ ...FULL, chainId: '0x7', ethash: {}, muirGlacierBlock: 8, bpo2Time: null })),
    ).toBe(hash)
    const others = [
      { chainId: 8 },
      { londonBlock: 10 },
      { osakaTime: 401 },
      { terminalTotalDifficulty: 1001 },
      { depositContractAddress: `0x${'01'.repeat(20)}` },
      { blobSchedule: { ...BLOBS, bpo1: { ...BLOBS.bpo1, max: 16 } } },
    ]
    const hashes = others.map((change) => configHash(readChainConfig({ ...FULL, ...change })))
    expect(new Set([hash, ...hashes]).size).toBe(1 + others.length)
  })

  test.each([
    [{ chainId: undefined }, /^config.chainId must be a number, got undefined$/],
    [{ berlinBlock: null }, /^config.berlinBlock must be a number, since londonBlock is after it/],
    [{ berlinBlock: 6 }, /^config.berlinBlock must be at least istanbulBlock, 7, got 6$/],
    [{ pragueTime: undefined }, /^config.pragueTime must be a number, since osakaTime is after it/],
    [{ eip158Block: 4 }, /^config.eip158Block must be what eip155Block is \(3\), got 4$/],
    [{ terminalTotalDifficulty: undefined }, /^config.terminalTotalDifficulty must be a number, since shanghaiTime/],
    [{ amsterdamTime: 600 }, /^config.amsterdamTime: there is no such fork here$/],
    [{ clique: {} }, /^config.clique: chains with rules of their own are not known here$/],
    [
      { daoForkBlock: 2, daoForkSupport: true },
      /^config.daoForkSupport: the state change of the DAO is not known here$/,
    ],
    [{ londonBlock: 1.5 }, /^config.londonBlock must be a whole number/],
    [
      { blobSchedule: { cancun: { target: 9, max: 6, baseFeeUpdateFraction: 1 } } },
      /cancun.target must be at most 6, got 9$/,
    ],
  ])('is refused where it is %j', (change, message) => {
    expect(() => readChainConfig({ ...FULL, ...change })).toThrow(message)
  })
})

describe('a genesis file', () => {
  const file = { config: { chainId: 1 }, difficulty: '0x1', gasLimit: '0x1388', alloc: {} }

  test('keeps numbers that doubles cannot tell apart', () => {
    const text = '{"config": {"chainId": 9007199254740993, "terminalTotalDifficulty": 58750000000000000000001}, '
    const { config, configText } = parseGenesis(
      `${text}"difficulty": "0x1", "gasLimit": 5000, "alloc": {}, "x": "1234567890123456789"}`,
    )
    expect([config.chainId, config.terminalTotalDifficulty]).toEqual([9007199254740993n, 58750000000000000000001n])
    expect(readChainConfig(JSON.parse(configText))).toEqual(config)
  })

  test.skipIf(rpcCompat() === undefined)('of execution-apis has the hash that its first block names', () => {
    const { genesis, blocks } = rpcCompat()!
    expect(headerHash(parseGenesis(genesis).header)).toBe(
      `0x${Buffer.from(blocks()[0]!).toString('hex').slice(14, 78)}`,
    )
  })

  test.each([
    [{ difficulty: undefined }, /^difficulty must be a number, got undefined$/],
    [{ number: '0x1' }, /^number must be 0: a chain begins with block 0, got '0x1'$/],
    [{ alloc: [] }, /^alloc must be accounts by address, got an array$/],
    [{ alloc: { '0x12': {} } }, /^the address alloc.0x12 must be 0x and 40 hex digits/],
    [{ alloc: { [`0x${'aa'.repeat(20)}`]: {}, ['AA'.repeat(20)]: {} } }, /^alloc has the account 0xaa.* twice$/],
    [{ alloc: { [`0x${'aa'.repeat(20)}`]: { balance: '-1' } } }, /^alloc.0xaa.*balance must be a whole number/],
    [{ nonce: '0x10000000000000000' }, /^nonce must be below 2\^64/],
  ])('is refused where it has %j', (change, message) => {
    expect(() => parseGenesis(JSON.stringify({ ...file, ...change }))).toThrow(message)
  })
})
