import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBlock } from '@ethereumjs/block'
import { createCustomCommon, Mainnet } from '@ethereumjs/common'
import { describe, expect, test } from 'vitest'
import { SYSTEM_CONTRACTS } from '../../bench/contracts/system.ts'
import { EMPTY_LIST_HASH } from '../../host/chain/header.ts'
import { difficultyOf } from '../../service/evm_tool/difficulty.ts'
import { rulesOf } from '../../service/evm_tool/fork_rules.ts'
import { runEvm } from '../fixtures/evm_tool.ts'
import { ALICE, CONTRACT, ENV, outputOf, STDIN, unsigned, ZERO_HASH } from '../fixtures/t8n_input.ts'

const BALANCE = { balance: '0xde0b6b3a7640000' }
const WITHDRAWALS = '0x00000961ef480eb55e80d19ad83579a64c007002'
const HISTORY = '0x0000f90827f1c53a10cb7a02335b175320002935'
const BEACON_ROOTS = '0x000f3df6d732807ef1319fb7b8bb8522d0beac02'
const DEPOSITS = '0x00000000219ab540356cbb839cbe05303d7705fa'
const HASH = `0x${'5a'.repeat(32)}`
const SYSTEM = Object.fromEntries(
  Object.entries(SYSTEM_CONTRACTS).map(([address, code]) => [address, { balance: '0x0', nonce: '0x1', code }]),
)

describe('evm t8n around the transactions', () => {
  test('enters the beacon root, and the parent hash where hashes are given, unless it calls no contract', async () => {
    const alloc = { ...SYSTEM, [ALICE]: BALANCE }
    const env = { ...ENV, parentBeaconBlockRoot: HASH, blockHashes: { '15': HASH } }
    const entered = (storage: object | undefined): unknown[] => Object.values(storage ?? {})
    const made = await outputOf({ fork: 'Prague', alloc, env })
    expect(entered(made.alloc[HISTORY]?.storage)).toEqual([HASH])
    expect(entered(made.alloc[BEACON_ROOTS]?.storage)).toContain(HASH)
    const { blockHashes: _, ...others } = env
    const noHashes = await outputOf({ fork: 'Prague', alloc, env: others })
    expect(entered(noHashes.alloc[HISTORY]?.storage)).toEqual([])
    expect(entered(noHashes.alloc[BEACON_ROOTS]?.storage)).toContain(HASH)
    const none = await outputOf({ fork: 'Prague', alloc, env, args: ['--state-test'] })
    expect([none.alloc[HISTORY]?.storage, none.alloc[BEACON_ROOTS]?.storage]).toEqual([undefined, undefined])
  })

  test('tells requests with their type, in the order of types, without those that are empty', async () => {
    // The withdrawal contract takes 48 bytes of key and 8 of amount with its fee; the queue goes out after the block.
    const input = `0x${'ab'.repeat(48)}${'00'.repeat(7)}01`
    const alloc = { ...SYSTEM, [ALICE]: BALANCE }
    const txs = [unsigned({ to: WITHDRAWALS, value: '0x1', input, gas: '0x100000' })]
    const { result } = await outputOf({ fork: 'Prague', alloc, txs })
    expect(result.requests).toEqual([`0x01${ALICE.slice(2)}${input.slice(2, 98)}0100000000000000`])
    expect((await outputOf({ fork: 'Cancun', alloc, txs })).result.requests).toBeNull()
  })

  test("takes deposits from mainnet's contract, whatever the chain", async () => {
    // CALLDATACOPY of everything, LOG1 with the topic of DepositEvent.
    const topic = '649bbc62d0e31342afea4e5cd82d4049e7e1ee912fc0889aa790803be39038c5'
    const code = `0x365f5f377f${topic}365fa100`
    const word = (value: number): string => value.toString(16).padStart(64, '0')
    const field = (bytes: number): string => word(bytes) + 'cd'.repeat(bytes).padEnd(64 * Math.ceil(bytes / 32), '0')
    const input = `0x${[160, 256, 320, 384, 512].map(word).join('')}${[48, 32, 8, 96, 8].map(field).join('')}`
    const alloc = { ...SYSTEM, [ALICE]: BALANCE, [DEPOSITS]: { balance: '0x0', code } }
    const txs = [unsigned({ to: DEPOSITS, input, gas: '0x100000' })]
    const { result } = await outputOf({ fork: 'Prague', alloc, txs, args: ['--state.chainid=77'] })
    expect(result.requests).toEqual([`0x00${'cd'.repeat(192)}`])
  })

  test('works out the base fee from the parent’s, which one that is given goes before', async () => {
    const { currentBaseFee: _, ...open } = ENV
    const env = { ...open, parentBaseFee: '0x3e8', parentGasUsed: '0x1c9c380', parentGasLimit: '0x1c9c380' }
    // A full parent: an eighth more.
    expect((await outputOf({ env })).result.currentBaseFee).toBe('0x465')
    expect((await outputOf({ env: { ...env, currentBaseFee: '0x9' } })).result.currentBaseFee).toBe('0x9')
  })

  test('takes the rules of a change of forks by number or by time', async () => {
    const at = (number: bigint, timestamp: bigint) => ({ number, timestamp })
    expect(rulesOf('BerlinToLondonAt5', at(4n, 0n)).fork).toBe('berlin')
    expect(rulesOf('BerlinToLondonAt5', at(5n, 0n)).fork).toBe('london')
    expect(rulesOf('CancunToPragueAtTime15k', at(9n, 14_999n)).fork).toBe('cancun')
    expect(rulesOf('CancunToPragueAtTime15k', at(9n, 15_000n)).fork).toBe('prague')
    expect(rulesOf('OsakaToBPO1AtTime15k+7939', at(9n, 15_000n)).blobs?.maxBlobs).toBe(15)
  })
})

describe('difficulty', () => {
  const NAMES = ['Frontier', 'Homestead', 'Byzantium', 'Constantinople', 'MuirGlacier']
  const HARDFORKS = ['chainstart', 'homestead', 'byzantium', 'constantinople', 'muirGlacier']

  test.each(NAMES.map((name, n) => [name, HARDFORKS[n]!] as const))(
    'of %s is that of @ethereumjs/block',
    (name, hardfork) => {
      const common = createCustomCommon({ chainId: 1 }, Mainnet, { hardfork: hardfork as 'london' })
      const rules = rulesOf(name, { number: 1n, timestamp: 0n })
      for (const number of [2n, 199_999n, 200_000n, 3_200_000n, 5_300_001n, 9_400_000n])
        for (const seconds of [1n, 9n, 10n, 12n, 13n, 18n, 2_000n])
          for (const parentDifficulty of [5_000_000n, 10n ** 16n])
            for (const hasUncles of [false, true]) {
              const parentHeader = {
                number: number - 1n,
                timestamp: 1_000n,
                difficulty: parentDifficulty,
                uncleHash: hasUncles ? HASH : EMPTY_LIST_HASH,
              }
              const fee = { baseFeePerGas: common.isActivatedEIP(1559) ? 7n : undefined }
              const parent = createBlock(
                { header: { ...parentHeader, ...fee } as never },
                { common, setHardfork: false },
              )
              const block = createBlock(
                { header: { number, timestamp: 1_000n + seconds, ...fee } as never },
                { common },
              )
              const found = difficultyOf(rules, {
                number,
                timestamp: 1_000n + seconds,
                parentTimestamp: 1_000n,
                parentDifficulty,
                parentUncleHash: parentHeader.uncleHash,
              })
              expect(found, `${number} ${seconds} ${parentDifficulty} ${hasUncles}`).toBe(
                block.header.ethashCanonicalDifficulty(parent.header),
              )
            }
    },
  )

  // EIP-649, 1234, 2384, 3554, 4345, 5133.
  test.each([
    ['Byzantium', 3_000_000n],
    ['Constantinople', 5_000_000n],
    ['MuirGlacier', 9_000_000n],
    ['London', 9_700_000n],
    ['ArrowGlacier', 10_700_000n],
    ['GrayGlacier', 11_400_000n],
  ])('of %s grows by the bomb from 200,000 blocks behind %i on', (name, delay) => {
    const rules = rulesOf(name, { number: 1n, timestamp: 0n })
    const times = { timestamp: 9n, parentTimestamp: 0n, parentUncleHash: ZERO_HASH }
    const of = (number: bigint): bigint => difficultyOf(rules, { ...times, number, parentDifficulty: 1_000_000n })
    expect([of(delay + 199_999n), of(delay + 200_000n), of(delay + 499_999n)]).toEqual([
      1_000_000n,
      1_000_001n,
      1_000_004n,
    ])
  })

  test('is at least 131,072 before the bomb is added, as in go-ethereum', () => {
    const terms = { number: 300_000n, timestamp: 99n, parentTimestamp: 0n, parentUncleHash: ZERO_HASH }
    for (const name of ['Frontier', 'Homestead'])
      expect(difficultyOf(rulesOf(name, terms), { ...terms, parentDifficulty: 131_072n }), name).toBe(131_074n)
  })

  test('takes a parent without an uncle hash for one without uncles', () => {
    const terms = { number: 2n, timestamp: 1n, parentTimestamp: 0n, parentDifficulty: 1n << 30n }
    const rules = rulesOf('Byzantium', terms)
    const of = (parentUncleHash: string): bigint => difficultyOf(rules, { ...terms, parentUncleHash })
    expect(of(ZERO_HASH)).toBe(of(EMPTY_LIST_HASH))
    expect(of(HASH)).toBeGreaterThan(of(ZERO_HASH))
  })
})

describe('traces of evm t8n', () => {
  /** MSTORE(0, 42); SSTORE(0, CALLER's balance is not asked); STOP. */
  const CODE = '0x602a5f5260015f5500'
  const run = async (args: readonly string[]) => {
    const folder = mkdtempSync(join(tmpdir(), 'wgevm-trace-'))
    try {
      const alloc = { [ALICE]: BALANCE, [CONTRACT]: { balance: '0x0', code: CODE } }
      const txs = [
        unsigned(),
        unsigned(),
        unsigned({ nonce: '0x1' }),
        unsigned({ nonce: '0x2', to: ALICE, gas: '0x5208' }),
      ]
      const outputs = ['--output.result=stdout', '--output.alloc=', `--output.basedir=${folder}`, '--state.fork=Cancun']
      const input = JSON.stringify({ alloc, env: ENV, txs })
      const { exitCode, stdout, stderr } = await runEvm(['t8n', ...STDIN, ...outputs, '--verbosity=0', ...args], input)
      expect([exitCode, stderr]).toEqual([0, ''])
      const { receipts } = JSON.parse(stdout).result as { receipts: { transactionHash: string; gasUsed: string }[] }
      const files = new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]))
      return { receipts, files }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
  const linesOf = (text: string): Record<string, unknown>[] =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))

  test('have a file for each included transaction, by its place among them, with one last line', async () => {
    const { receipts, files } = await run(['--trace'])
    expect([...files.keys()]).toEqual(receipts.map(({ transactionHash }, n) => `trace-${n}-${transactionHash}.jsonl`))
    const traces = [...files.values()].map(linesOf)
    expect(traces.map(({ length }) => length)).toEqual([8, 8, 1])
    const [first, second, transfer] = traces as [
      Record<string, unknown>[],
      Record<string, unknown>[],
      Record<string, unknown>[],
    ]
    expect(first.map(({ opName }) => opName)).toEqual([
      'PUSH1',
      'PUSH0',
      'MSTORE',
      'PUSH1',
      'PUSH0',
      'SSTORE',
      'STOP',
      undefined,
    ])
    expect(first[5]).toEqual({
      pc: 7,
      op: 0x55,
      gas: first[5]!['gas'],
      gasCost: '0x5654',
      memSize: 32,
      stack: ['0x1', '0x0'],
      depth: 1,
      refund: 0,
      opName: 'SSTORE',
    })
    // The second stores what the first has stored.
    expect(second[5]!['gasCost']).toBe('0x898')
    expect(transfer).toEqual([{ output: '', gasUsed: '0x0' }])
    const spent = Number(first.at(-1)!['gasUsed'])
    expect(21_000 + spent).toBe(Number(receipts[0]!.gasUsed))
  })

  test('show the memory before each step, and leave the stack out, where they are told to', async () => {
    const { files } = await run(['--trace', '--trace.memory', '--trace.nostack'])
    const lines = linesOf([...files.values()][0]!)
    expect(lines[2]).not.toHaveProperty('memory')
    expect(lines[3]).toMatchObject({ memory: `0x${'2a'.padStart(64, '0')}`, stack: null })
    expect(lines[6]).toMatchObject({ opName: 'STOP', memory: `0x${'2a'.padStart(64, '0')}` })
  })

  test('are counted by opcode, with no other file', async () => {
    const { files } = await run(['--opcode.count=opcodes.json'])
    expect([...files.keys()]).toEqual(['opcodes.json'])
    expect(JSON.parse(files.get('opcodes.json')!)).toEqual({ MSTORE: 2, PUSH0: 4, PUSH1: 4, SSTORE: 2, STOP: 2 })
  })
})
