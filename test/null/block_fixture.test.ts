import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { createEOACode7702Tx } from '@ethereumjs/tx'
import { createAddressFromPrivateKey, eoaCode7702SignAuthorization } from '@ethereumjs/util'
import { describe, expect, test } from 'vitest'
import { fillState, parseBlockFixture, readBlockFixture } from '../../conformance/block_fixture.ts'
import { FixtureError } from '../../conformance/json_field.ts'
import { blobBaseFee, blobParameters } from '../../host/chain/blob_schedule.ts'
import { commonOf } from '../../host/precompiles/common.ts'
import { MemoryState } from '../../host/state/memory_state.ts'

const FILE = fileURLToPath(new URL('../file/blocks/made_up.json', import.meta.url))
const TEXT = readFileSync(FILE, 'utf8')
const SENDER = '0x0000000000000000000000000000000000001001'
const COUNTER = '0x000000000000000000000000000000000000aaaa'

type Json = { [key: string]: Json } & Json[] & string

/** The fixture with one thing changed. */
const changed = (change: (fixture: Json) => void): unknown => {
  const fixture = JSON.parse(TEXT)
  change(fixture)
  return fixture
}

const refusal = (change: (fixture: Json) => void): string => {
  try {
    parseBlockFixture(changed(change), 'a.json')
  } catch (thrown) {
    if (thrown instanceof FixtureError) return thrown.message
    throw thrown
  }
  return 'accepted'
}

const set = (object: Json, key: string | number, value: unknown): void => {
  Object.assign(object, { [key]: value })
}

describe('a block fixture', () => {
  test('is read into environment, transactions and state', () => {
    const fixture = readBlockFixture(FILE)
    expect(fixture).toMatchObject({ name: 'made_up', chain: 'made up', chainId: 1n, fork: 'cancun' })
    expect(fixture.env).toEqual({
      number: 100n,
      timestamp: 0x65f1b057n,
      coinbase: '0x000000000000000000000000000000000000c0de',
      gasLimit: 30_000_000n,
      baseFeePerGas: 1_000_000_000n,
      prevRandao: BigInt(`0x${'11'.repeat(32)}`),
      blobBaseFee: 1n,
      maxBlobs: 6,
    })
    expect(fixture.transactions.map(({ type, to }) => [type, to === undefined])).toEqual([
      [2, false],
      [2, false],
      [0, false],
      [1, false],
      [0, true],
    ])
    const state = fillState(fixture, new MemoryState())
    expect(state.account(SENDER)?.balance).toBe(10n ** 18n)
    expect(state.storage(COUNTER, 0n)).toBe(7n)
    expect(state.code(state.account(COUNTER)!.codeHash)).toHaveLength(15)
    expect(state.blockHash(99n)).toBe(`0x${'99'.repeat(32)}`)
  })

  test('is the same in gzip', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'wgevm-fixture-')), 'made_up.json.gz')
    writeFileSync(file, gzipSync(TEXT))
    expect({ ...readBlockFixture(file), file: '' }).toEqual({ ...readBlockFixture(FILE), file: '' })
  })

  test('has the prices of blob gas that the chain had at its time', () => {
    // EIP-7892: the same excess is cheaper after each change.
    const excess = 0xce5fe61n
    const at = (timestamp: bigint, fork: 'cancun' | 'prague' | 'osaka' = 'osaka', chainId = 1n) =>
      blobBaseFee(excess, blobParameters(fork, chainId, timestamp)!)
    expect(at(1_781_531_063n)).toBe(110_435_740n)
    expect(at(1_767_747_670n)).toBeGreaterThan(at(1_767_747_671n))
    expect(at(1_765_290_070n)).toBeGreaterThan(at(1_765_290_071n))
    expect(at(1_765_290_070n)).toBe(at(0n, 'prague'))
    expect(at(1_781_531_063n, 'osaka', 5n)).toBe(at(0n, 'prague'))
    expect(at(0n, 'cancun')).toBeGreaterThan(at(0n, 'prague'))
    expect(blobParameters('shanghai', 1n, 0n)).toBeUndefined()
    // EIP-4844: e to the power of 1 for an excess of one update fraction, times 1 wei, rounded down.
    expect(blobBaseFee(3_338_477n, blobParameters('cancun', 1n, 0n)!)).toBe(2n)
    expect(blobBaseFee(0n, blobParameters('cancun', 1n, 0n)!)).toBe(1n)
  })

  test('tells the signer of an authorization, and that a bad signature has none', () => {
    const key = new Uint8Array(32).fill(7)
    const target = `0x${'ab'.repeat(20)}` as const
    const signed = eoaCode7702SignAuthorization({ chainId: '0x1', address: target, nonce: '0x3' }, key)
    const [, , , yParity, r, s] = createEOACode7702Tx(
      { chainId: 1n, to: target, authorizationList: [signed] },
      { common: commonOf('prague', 1n) },
    ).authorizationList[0]!.map(
      (bytes) =>
        `0x${
          Buffer.from(bytes as Uint8Array)
            .toString('hex')
            .replace(/^0+(?=.)/, '') || '0'
        }`,
    )
    const read = (changes: object) =>
      parseBlockFixture(
        changed((fixture) => {
          set(fixture, 'fork', 'prague')
          set(fixture['transactions']!, 1, {
            ...(fixture['transactions']![1]! as unknown as object),
            type: '0x4',
            authorizationList: [{ chainId: '0x1', address: target, nonce: '0x3', yParity, r, s, ...changes }],
          })
        }),
        'a.json',
      ).transactions[1]!.authorizations![0]!
    expect(read({})).toMatchObject({
      chainId: 1n,
      address: target,
      nonce: 3n,
      authority: createAddressFromPrivateKey(key).toString(),
    })
    expect(read({ yParity: '0x2' }).authority).toBeUndefined()
    expect(read({ r: '0x0' }).authority).toBeUndefined()
    expect(read({ s: `0x${'f'.repeat(64)}` }).authority).toBeUndefined()
  })

  test('of the OP stack runs with the rules of Prague and has its deposit', () => {
    const sourceHash = `0x${'12'.repeat(32)}`
    const fixture = parseBlockFixture(
      changed((json) => {
        set(json, 'fork', 'op-stack')
        set(json['transactions']!, 0, {
          ...(json['transactions']![0]! as unknown as object),
          type: '0x7e',
          gasPrice: '0x0',
          sourceHash,
          mint: '0x5',
        })
      }),
      'a.json',
    )
    expect(fixture.fork).toBe('prague')
    expect(fixture.transactions[0]!.deposit).toEqual({ sourceHash, mint: 5n, isSystem: false })
  })

  test.each<[string, (fixture: Json) => void, string]>([
    ['another schema', (f) => set(f, 'schema', 'x/1'), 'a.json: schema: expected \'evm-block-fixture/1\', got "x/1"'],
    ['no fork', (f) => set(f, 'fork', undefined), 'a.json: fork: expected a string, got nothing'],
    ['an unknown fork', (f) => set(f, 'fork', 'london2'), 'a.json: fork: expected the name of a fork'],
    ['a chain id in hex', (f) => set(f, 'chainId', '0x1'), 'a.json: chainId: expected a whole number, got "0x1"'],
    ['missing code', (f) => set(f, 'missingCode', ['0xab']), 'a.json: missingCode[0]: expected no missing code'],
    ['no header', (f) => set(f, 'header', null), 'a.json: header: expected an object, got null'],
    [
      'a padded quantity',
      (f) => set(f['header']!, 'gasLimit', '0x01'),
      'a.json: header.gasLimit: expected a quantity (0x-hex without leading zeros), got "0x01"',
    ],
    ['no base fee', (f) => set(f['header']!, 'baseFeePerGas', undefined), 'header.baseFeePerGas: expected a quantity'],
    [
      'no excess blob gas',
      (f) => set(f['header']!, 'excessBlobGas', undefined),
      'header.excessBlobGas: expected a quantity',
    ],
    ['a short coinbase', (f) => set(f['header']!, 'miner', '0x12'), 'header.miner: expected an address'],
    ['transactions as an object', (f) => set(f, 'transactions', {}), 'transactions: expected an array, got {}'],
    [
      'an unknown transaction type',
      (f) => set(f['transactions']![2]!, 'type', '0x5'),
      'transactions[2].type: expected a transaction type (0x0 to 0x4, or 0x7e), got "0x5"',
    ],
    [
      'a transaction without gas',
      (f) => set(f['transactions']![1]!, 'gas', undefined),
      'transactions[1].gas: expected',
    ],
    [
      'a transaction without a sender',
      (f) => set(f['transactions']![1]!, 'from', null),
      'transactions[1].from: expected',
    ],
    [
      'a fee cap that is missing',
      (f) => set(f['transactions']![0]!, 'maxFeePerGas', null),
      'transactions[0].maxFeePerGas: ',
    ],
    ['odd input', (f) => set(f['transactions']![0]!, 'input', '0x1'), 'transactions[0].input: expected bytes'],
    [
      'an access list of type 0',
      (f) => set(f['transactions']![2]!, 'accessList', [{ address: COUNTER, storageKeys: [] }]),
      'transactions[2].accessList: expected no access list',
    ],
    [
      'a short storage key',
      (f) => set(f['transactions']![3]!, 'accessList', [{ address: COUNTER, storageKeys: ['0x1'] }]),
      'transactions[3].accessList[0].storageKeys[0]: expected 0x and 64 hex digits, got "0x1"',
    ],
    [
      'a blob transaction without hashes',
      (f) => set(f['transactions']![0]!, 'type', '0x3'),
      'transactions[0].maxFeePerBlobGas: ',
    ],
    [
      'no authorizations',
      (f) => set(f['transactions']![0]!, 'type', '0x4'),
      'transactions[0].authorizationList: expected an array',
    ],
    ['an address that is none', (f) => set(f['pre']!, '0x1', {}), 'pre.0x1: expected an address'],
    [
      'an account without a balance',
      (f) => set(f['pre']![SENDER as never]!, 'balance', null),
      'balance: expected a quantity',
    ],
    [
      'an account whose code is not there',
      (f) => set(f, 'code', {}),
      `pre.${COUNTER}.codeHash: expected a hash that \`code\` has`,
    ],
    [
      'code under the hash of other code',
      (f) => set(f['code']!, Object.keys(f['code']!)[0]!, '0x00'),
      'expected code whose keccak-256 is its key',
    ],
    [
      'a slot that is too long',
      (f) => set(f['pre']![COUNTER as never]!, 'storage', { '0x0': `0x1${'0'.repeat(64)}` }),
      'a word',
    ],
    [
      'a slot key that is no number',
      (f) => set(f['pre']![COUNTER as never]!, 'storage', { x: '0x0' }),
      'storage.x: expected a word',
    ],
    [
      'a short block hash',
      (f) => set(f['blockHashes']!, '99', '0x99'),
      'blockHashes.99: expected 0x and 64 hex digits',
    ],
    [
      'a block number that is none',
      (f) => set(f['blockHashes']!, 'last', `0x${'99'.repeat(32)}`),
      'a block number as key',
    ],
    ['a short bloom', (f) => set(f['expected']!, 'logsBloom', '0x00'), 'expected.logsBloom: expected a bloom'],
    [
      'a withdrawal without an amount',
      (f) => set(f['withdrawals']![0]!, 'amount', null),
      'withdrawals[0].amount: expected a quantity',
    ],
  ])('with %s is refused in one line that names file, field and expectation', (_, change, message) => {
    const line = refusal(change)
    expect(line).toContain(message)
    expect(line).toMatch(/^a\.json: /)
    expect(line).not.toContain('\n')
  })

  test('that is no fixture at all is refused in one line', () => {
    const folder = mkdtempSync(join(tmpdir(), 'wgevm-fixture-'))
    const write = (name: string, bytes: string | Uint8Array): string => {
      writeFileSync(join(folder, name), bytes)
      return join(folder, name)
    }
    const read = (file: string) => () => readBlockFixture(file)
    expect(read(join(folder, 'none.json'))).toThrow(/none\.json: cannot be read \(ENOENT\)/)
    expect(read(folder)).toThrow(/cannot be read \(EISDIR\)/)
    expect(read(write('a.json', '{"schema": '))).toThrow(/a\.json: expected JSON, or gzip of it/)
    expect(read(write('b.json', '[]'))).toThrow(/b\.json: expected an object, got \[\]/)
    expect(read(write('c.json.gz', gzipSync(TEXT).subarray(0, 200)))).toThrow(
      /c\.json\.gz: expected JSON.*the gzip data is damaged/,
    )
    expect(read(write('d.json', ''))).toThrow(FixtureError)
  })
})
