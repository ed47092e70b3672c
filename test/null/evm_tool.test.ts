import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { FORK_NAMES } from '../../service/evm_tool/fork_rules.ts'
import { runEvm } from '../fixtures/evm_tool.ts'
import {
  ALICE,
  BOB,
  CONTRACT,
  capped,
  ENV,
  outputOf,
  runCase,
  STDIN,
  type TransitionCase,
  unsigned,
} from '../fixtures/t8n_input.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wgevm-evm-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** PUSH1 1, PUSH0, SSTORE, STOP. */
const STORES = '0x60015f5500'
/** PUSH1 15, BLOCKHASH, STOP. */
const ASKS_PARENT = '0x600f4000'
const ALLOC = { [ALICE]: { balance: '0xde0b6b3a7640000' }, [CONTRACT]: { balance: '0x0', code: STORES } }
const HASH = `0x${'5a'.repeat(32)}`

describe('evm t8n', () => {
  const FIXTURES = new URL('../file/t8n/', import.meta.url)
  test.each(readdirSync(FIXTURES))('gives the whole output of %s', async (name) => {
    const { args, input, stdout } = JSON.parse(readFileSync(new URL(name, FIXTURES), 'utf8')) as {
      readonly args: readonly string[]
      readonly input: object
      readonly stdout: object
    }
    const outputs = ['--output.alloc=stdout', '--output.result=stdout', '--output.body=stdout', '--verbosity=0']
    const run = await runEvm(['t8n', ...STDIN, ...outputs, ...args], JSON.stringify(input))
    expect(run).toMatchObject({ exitCode: 0, stderr: '' })
    expect(JSON.parse(run.stdout)).toEqual(stdout)
    // As go-ethereum prints it: two spaces, in the order of the names.
    expect(run.stdout).toBe(`${JSON.stringify(JSON.parse(run.stdout), null, 2)}\n`)
    expect(Object.keys(JSON.parse(run.stdout))).toEqual(['alloc', 'body', 'result'])
  })

  test('reads the body that it has written, from stdin and from a file whose name ends in .rlp', async () => {
    const txs = [unsigned(), capped({ nonce: '0x1' })]
    const first = await outputOf({ alloc: ALLOC, txs })
    expect(first.result.receipts).toHaveLength(2)
    expect(await outputOf({ alloc: ALLOC, txsRlp: first.body })).toEqual(first)
    writeFileSync(join(folder, 'txs.rlp'), JSON.stringify(first.body))
    expect(await outputOf({ alloc: ALLOC, args: [`--input.txs=${join(folder, 'txs.rlp')}`] })).toEqual(first)
  })

  test('writes files into a folder that it makes, with one space, and says so on stderr', async () => {
    const base = join(folder, 'new/folder')
    const input = JSON.stringify({ alloc: ALLOC, env: ENV, txs: [unsigned(), unsigned()] })
    const to = [`--output.basedir=${base}`, '--output.body=body.txt', '--output.result=stderr']
    const { exitCode, stdout, stderr } = await runEvm(['t8n', ...STDIN, ...to, '--state.fork', 'Cancun'], input)
    expect([exitCode, stdout]).toEqual([0, ''])
    expect(readdirSync(base)).toEqual(['alloc.json', 'body.txt'])
    const alloc = readFileSync(join(base, 'alloc.json'), 'utf8')
    expect(alloc).toBe(JSON.stringify(JSON.parse(alloc), null, 1))
    expect(JSON.parse(readFileSync(join(base, 'body.txt'), 'utf8'))).toMatch(/^0x/)
    expect(stderr).toMatch(/^WARN rejected tx index=1 error="nonce too low: .*"\nINFO wrote file=/)
    expect(JSON.parse(stderr.slice(stderr.indexOf('{')))).toHaveProperty('result.gasUsed')
  })

  test('writes nothing where one of the files cannot be written', async () => {
    const base = join(folder, 'blocked')
    const input = JSON.stringify({ alloc: ALLOC, env: ENV, txs: [] })
    const to = [`--output.basedir=${base}`, '--output.result=no/such/folder.json']
    const { exitCode, stdout, stderr } = await runEvm(['t8n', ...STDIN, ...to, '--state.fork', 'Cancun'], input)
    expect([exitCode, stdout]).toEqual([11, ''])
    expect(stderr).toMatch(/^ERROR\(11\): failed writing output: ENOENT.*\n$/)
    expect(readdirSync(base)).toEqual([])
  })

  test('ends with 4 where a hash is asked for that was not supplied, and only then', async () => {
    const alloc = { ...ALLOC, [CONTRACT]: { balance: '0x0', code: ASKS_PARENT } }
    const one = { alloc, txs: [unsigned()] }
    expect(await runCase(one)).toEqual({
      exitCode: 4,
      stdout: '',
      stderr: 'ERROR(4): getHash(15) invoked, no blockhashes provided\n',
    })
    expect(await runCase({ ...one, env: { ...ENV, blockHashes: { '14': HASH } } })).toMatchObject({
      exitCode: 4,
      stderr: 'ERROR(4): getHash(15) invoked, blockhash for that block not provided\n',
    })
    expect(await runCase({ ...one, env: { ...ENV, blockHashes: { '0xf': HASH } } })).toMatchObject({ exitCode: 0 })
    // A transaction that is not included asks for nothing.
    expect(await runCase({ alloc, txs: [unsigned({ nonce: '0x1' })] })).toMatchObject({ exitCode: 0 })
  })

  test('fills in the chain of a typed transaction that leaves it open, and signs for that of the option', async () => {
    const args = ['--state.chainid=5']
    const { result } = await outputOf({ txs: [unsigned(), capped({ nonce: '0x1', chainId: '0x0' })], args })
    expect([result.receipts.length, result.rejected]).toEqual([2, undefined])
    const { exitCode, stderr } = await runCase({ txs: [capped()], args })
    expect([exitCode, stderr]).toEqual([
      10,
      'ERROR(10): stdin: txs[0].chainId: expected the chain that is signed for, 5, got "0x1"\n',
    ])
  })

  test('takes numbers in hex, in decimal text and as JSON numbers', async () => {
    const hex = await outputOf({ alloc: ALLOC, txs: [unsigned()] })
    const env = { ...ENV, currentGasLimit: 30_000_000, currentNumber: '16', currentTimestamp: '100', currentBaseFee: 7 }
    const txs = [unsigned({ gas: 100_000, gasPrice: '10', nonce: 0 })]
    expect(await outputOf({ alloc: ALLOC, env, txs })).toEqual(hex)
    const bare = { [ALICE.slice(2)]: { balance: '1000000000000000000' }, [CONTRACT]: { balance: '0', code: STORES } }
    expect(await outputOf({ alloc: bare, txs: [unsigned()] })).toEqual(hex)
  })

  test('pays an ommer for what it is below a distance of 8, and touches its account also for nothing', async () => {
    const env = (delta: number) => ({ ...ENV, currentDifficulty: 1, ommers: [{ address: BOB, delta }] })
    const balance = async (fork: string, delta: number) =>
      (await outputOf({ fork, env: env(delta), args: ['--state.reward=800'] })).alloc[BOB]?.balance
    expect([await balance('Homestead', 7), await balance('Homestead', 8)]).toEqual(['0x64', '0x0'])
    expect([await balance('Byzantium', 7), await balance('Byzantium', 8)]).toEqual(['0x64', undefined])
    expect(await runCase({ fork: 'Homestead', env: env(9) })).toMatchObject({
      exitCode: 10,
      stderr: 'ERROR(10): stdin: env.ommers[0].delta: expected a number up to 8, got 9\n',
    })
  })

  const { currentRandom: _r, ...noRandom } = ENV
  const { withdrawals: _w, ...noWithdrawals } = ENV
  const { parentBeaconBlockRoot: _p, ...noBeaconRoot } = ENV
  const { currentBaseFee: _b, ...noBaseFee } = ENV
  const { currentCoinbase: _c, ...noCoinbase } = ENV
  const REFUSED: readonly (readonly [what: string, one: TransitionCase, exitCode: number, message: RegExp])[] = [
    ['an unknown fork', { fork: 'Atlantis' }, 3, /unsupported fork "Atlantis"; there is Frontier, /],
    ['a fork without rules here', { fork: 'Amsterdam' }, 3, /unsupported fork "Amsterdam"/],
    ['an unknown EIP', { fork: 'Cancun+1346' }, 3, /invalid eip number 1346/],
    ['an EIP that is no number', { fork: 'Cancun+x' }, 3, /invalid eip number x/],
    ['an EIP of a later fork', { fork: 'London+3855' }, 3, /EIP-3855 is part of shanghai, and London is before it/],
    ['no random', { env: noRandom }, 3, /post-merge requires currentRandom/],
    ['a difficulty', { env: { ...ENV, currentDifficulty: '0x1' } }, 3, /post-merge difficulty must be zero/],
    ['no withdrawals', { env: noWithdrawals }, 3, /missing 'withdrawals'/],
    ['no beacon root', { env: noBeaconRoot }, 3, /requires parentBeaconBlockRoot/],
    ['no base fee', { env: noBaseFee }, 3, /missing 'parentBaseFee'/],
    ['no difficulty', { fork: 'Berlin' }, 3, /missing parentDifficulty/],
    ['no time', { fork: 'Berlin', env: { ...ENV, parentDifficulty: 1, parentTimestamp: 100 } }, 3, /needs to be after/],
    ['no contracts of requests', { fork: 'Prague' }, 2, /0x00000961ef480eb55e80d19ad83579a64c007002 has no code/],
    ['no coinbase', { env: noCoinbase }, 10, /stdin: env.currentCoinbase: expected an address .*, got nothing/],
    ['a number of 65 bits', { env: { ...ENV, currentNumber: '0x10000000000000000' } }, 10, /below 2\^64/],
    [
      'an account twice',
      { alloc: { [ALICE]: { balance: 1 }, [ALICE.slice(2)]: { balance: 1 } } },
      10,
      /every account once/,
    ],
    [
      'no balance',
      { alloc: { [ALICE]: {} } },
      10,
      new RegExp(`stdin: alloc.${ALICE}.balance: expected a whole number`),
    ],
    [
      'a bad key',
      { txs: [unsigned({ secretKey: `0x${'00'.repeat(32)}` })] },
      10,
      /txs\[0\].secretKey: expected a secret key/,
    ],
    [
      'an unprotected typed one',
      { txs: [capped({ protected: false })] },
      10,
      /a typed transaction always names its chain/,
    ],
    ['a blob creation', { txs: [capped({ type: '0x3', to: null })] }, 10, /no transaction of type 3 is a creation/],
    ['an s of zero', { txs: [unsigned({ v: '0x1b', r: '0x1' })] }, 10, /txs\[0\].s: expected a number of a signature/],
    ['a v of 29', { txs: [unsigned({ v: '0x1d', r: '0x1', s: '0x1' })] }, 10, /txs\[0\].v: expected 27, 28/],
    ['RLP that ends early', { txsRlp: '0xc2' }, 12, /the transactions are no RLP: out of range/],
    ['RLP that is no list', { txsRlp: '0x80' }, 12, /the transactions are no RLP list/],
    ['no such file', { args: ['--input.env=no_such_file.json'] }, 11, /failed reading env file: ENOENT/],
    ['an option twice', { args: ['--state.fork=Frontier', '--state.fork=Atlantis'] }, 3, /unsupported fork "Atlantis"/],
    [
      'an unknown option',
      { args: ['--state.froks=Cancun'] },
      1,
      /Unknown argument: state.froks \(see evm t8n --help\)/,
    ],
    ['a bad reward', { args: ['--state.reward=-2'] }, 1, /--state.reward takes a whole number from -1/],
  ]
  test.each(REFUSED)('refuses %s in one line, with nothing on stdout', async (_, one, exitCode, message) => {
    const run = await runCase(one)
    expect([run.exitCode, run.stdout], run.stderr).toEqual([exitCode, ''])
    expect(run.stderr).toMatch(message)
    expect(run.stderr).toMatch(new RegExp(`^ERROR\\(${exitCode}\\): [^\n]+\n$`))
  })

  test('refuses what is no JSON', async () => {
    const { exitCode, stdout, stderr } = await runEvm(['t8n', ...STDIN], '{')
    expect([exitCode, stdout]).toEqual([10, ''])
    expect(stderr).toMatch(/^ERROR\(10\): stdin: expected JSON: [^\n]+\n$/)
  })
})

describe('evm', () => {
  test.each(['version', '-v', '--version'])('%s says what tools look for, and nothing on stderr', async (argument) => {
    const { exitCode, stdout, stderr } = await runEvm([argument])
    expect([exitCode, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^evm(.exe)? version\b \d+\.\d+\.\d+ \(wgevm\)\n$/)
  })

  test('names every fork, each in a line of its own, in the help of t8n', async () => {
    const printed = vi.spyOn(console, 'log').mockImplementation(() => {})
    try {
      expect(await runEvm(['t8n', '--help'])).toEqual({ exitCode: 0, stdout: '', stderr: '' })
      const lines = String(printed.mock.calls[0]![0]).split('\n')
      for (const name of FORK_NAMES) expect(lines).toContain(`  ${name}`)
    } finally {
      printed.mockRestore()
    }
  })

  test('refuses an unknown command', async () => {
    const { exitCode, stderr } = await runEvm(['t9n'])
    expect([exitCode, stderr]).toEqual([
      1,
      "ERROR(1): unknown command 't9n'; there is t8n, statetest, blocktest, version\n",
    ])
  })
})
