import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { checkChoice, openRunner, runTestFile, type TestChoice, type TestResult } from '../../cli/state_test_file.ts'
import { runTestFiles } from '../../cli/state_test_jobs.ts'
import { type SkippedTests, skippedText } from '../../cli/state_test_kind.ts'
import { testFiles } from '../../cli/state_test_source.ts'
import { FixtureError } from '../../conformance/json_field.ts'

const FOLDER = fileURLToPath(new URL('./state_tests/', import.meta.url))
const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const textOf = (name: string): string => readFileSync(join(FOLDER, name), 'utf8')

const SETTING = { adapter: 'none', tier: undefined, trace: false }
const runner = await openRunner(SETTING)
afterAll(() => runner.close())
const skipped: SkippedTests[] = []
afterEach(() => {
  skipped.length = 0
})
const run = async (name: string, choice: TestChoice = {}, text = textOf(name)): Promise<TestResult[]> => {
  const results: TestResult[] = []
  await runTestFile(runner, { name, text }, choice, {
    result: (result) => results.push(result),
    skipped: (tests) => skipped.push(tests),
  })
  return results
}

interface Json {
  [name: string]: Json
}
/** The file with one change. */
const changed = (name: string, change: (tests: Json) => void): string => {
  const tests = JSON.parse(textOf(name)) as Json
  change(tests)
  return JSON.stringify(tests)
}

describe('the state tests of the project', () => {
  it.each([
    ['legacy.json', 127],
    ['typed.json', 11],
    ['rejected.json', 8],
    ['signed.json', 4],
  ])('%s passes', async (name, least) => {
    const results = await run(name)
    expect(results.filter(({ pass }) => !pass)).toEqual([])
    expect(results.length).toBeGreaterThanOrEqual(least - 5)
  })

  it('gives name, pass, fork and state root of go-ethereum, and tier and reason', async () => {
    const [created] = await run('legacy.json', { run: '^creation$', fork: 'Cancun' })
    expect(created).toMatchObject({
      name: 'creation',
      pass: true,
      fork: 'Cancun',
      stateRoot: expect.stringMatching(/^0x[0-9a-f]{64}$/),
      tier: 'cpu',
      reason: 'create',
      file: 'legacy.json',
      indexes: { data: 0, gas: 0, value: 0 },
    })
    const [rejected] = await run('rejected.json', { fork: 'London' })
    expect(rejected).toMatchObject({ pass: true, tier: 'rejected', reason: 'intrinsic gas too low' })
  })

  it('chooses by fork, under both names, and by name', async () => {
    expect((await run('typed.json', { fork: 'Osaka' })).map(({ name }) => name)).toEqual(['blobs', 'setCode'])
    expect(await run('typed.json', { fork: 'osaka' })).toEqual(await run('typed.json', { fork: 'Osaka' }))
    expect((await run('typed.json', { run: 'fee|blobs' })).map(({ fork }) => fork)).toEqual([
      'London',
      'Prague',
      'Cancun',
      'Prague',
      'Osaka',
    ])
  })

  it('fails where the root, the logs or the exception is another', async () => {
    const zero = `0x${'00'.repeat(32)}`
    const wrong = async (change: (entry: Json) => void): Promise<TestResult> => {
      const text = changed('signed.json', (tests) => change(tests['signed']!['post']!['London']![0]!))
      return (await run('signed.json', {}, text))[0]!
    }
    expect(await wrong((entry) => Object.assign(entry, { hash: zero }))).toMatchObject({
      pass: false,
      error: expect.stringMatching(/^post state root mismatch: got 0x[0-9a-f]{64}, want 0x0{64}$/),
    })
    expect(await wrong((entry) => Object.assign(entry, { logs: zero }))).toMatchObject({
      pass: false,
      error: expect.stringMatching(/^post state logs hash mismatch: got 0x[0-9a-f]{64}, want 0x0{64}$/),
    })
    expect(await wrong((entry) => Object.assign(entry, { expectException: 'NONCE' }))).toMatchObject({
      pass: false,
      error: 'expected exception NONCE, the transaction was included',
    })
    const sender = changed('signed.json', (tests) => {
      Object.assign(tests['signed']!['transaction']!, { sender: `0x${'12'.repeat(20)}` })
    })
    expect((await run('signed.json', {}, sender))[0]!.error).toMatch(/^unexpected rejection: signed by 0x/)
    const refused = changed('rejected.json', (tests) => {
      delete tests['rejected']!['post']!['London']![0]!['expectException']
    })
    expect((await run('rejected.json', {}, refused))[0]!.error).toBe('unexpected rejection: intrinsic gas too low')
  })
})

describe('a malformed file of state tests', () => {
  const at = (tests: Json, ...path: string[]): Json => path.reduce((json, name) => json[name]!, tests['calls']!)
  it.each<[string, (tests: Json) => void]>([
    ['calls.env: expected an object, got nothing', (t) => delete t['calls']!['env']],
    ['calls.post: expected an object, got []', (t) => Object.assign(t['calls']!, { post: [] })],
    ['calls.post.Nowhere: expected an array, got {}', (t) => Object.assign(at(t, 'post'), { Nowhere: {} })],
    ['calls.env.currentNumber: expected a word', (t) => Object.assign(at(t, 'env'), { currentNumber: '5' })],
    ['calls.env.currentCoinbase: expected an address', (t) => Object.assign(at(t, 'env'), { currentCoinbase: '0x1' })],
    ['calls.env.currentBaseFee: expected a word', (t) => delete at(t, 'env')['currentBaseFee']],
    ['calls.pre.0xzz: expected an address', (t) => Object.assign(at(t, 'pre'), { '0xzz': {} })],
    [
      'calls.pre.0x00000000000000000000000000000000000000aa.code: expected bytes',
      (t) => Object.assign(at(t, 'pre', '0x00000000000000000000000000000000000000aa'), { code: '0x1' }),
    ],
    [
      'calls.pre.0x00000000000000000000000000000000000000aa.storage.0xq: expected a word',
      (t) => Object.assign(at(t, 'pre', '0x00000000000000000000000000000000000000aa', 'storage'), { '0xq': '0x1' }),
    ],
    ['calls.transaction.to: expected an address, or', (t) => Object.assign(at(t, 'transaction'), { to: 5 })],
    [
      'calls.transaction.data: expected an array with an element 1',
      (t) => Object.assign(at(t, 'transaction'), { data: ['0x'] }),
    ],
    ['calls.transaction.gasPrice: expected a word', (t) => delete at(t, 'transaction')['gasPrice']],
    ['calls.post.London: expected an array, got {}', (t) => Object.assign(at(t, 'post'), { London: {} })],
    [
      'calls.post.London[0].hash: expected 0x and 64 hex digits',
      (t) => Object.assign(at(t, 'post', 'London', '0'), { hash: '0x' }),
    ],
    ['calls.post.London[0].logs: expected 0x and 64', (t) => Object.assign(at(t, 'post', 'London', '0'), { logs: 1 })],
    [
      'calls.post.London[0].indexes.gas: expected a whole number, got -1',
      (t) => Object.assign(at(t, 'post', 'London', '0'), { indexes: { data: 0, gas: -1, value: 0 } }),
    ],
    [
      'calls.post.London[0].txbytes: expected bytes',
      (t) => Object.assign(at(t, 'post', 'London', '0'), { txbytes: 'ff' }),
    ],
  ])('is refused in one line: %s', async (line, change) => {
    const failure = run('legacy.json', {}, changed('legacy.json', change))
    await expect(failure).rejects.toThrow(FixtureError)
    await expect(failure).rejects.toThrow(`legacy.json: ${line}`)
    await failure.catch((thrown: Error) => expect(thrown.message).not.toContain('\n'))
  })

  it('is refused where it is no JSON', async () => {
    await expect(run('a.json', {}, '{"a":')).rejects.toThrow('a.json: expected JSON of state tests or block tests: ')
  })
})

describe('wgevm statetest', () => {
  let scratch: string
  beforeEach(() => {
    scratch = mkdtempSync(join(tmpdir(), 'wgevm-statetest-'))
  })
  afterEach(() => rmSync(scratch, { recursive: true }))

  /** A ustar archive of one file. */
  const archive = (name: string, text: string): Buffer => {
    const header = Buffer.alloc(512)
    header.write(name, 0)
    header.write(`${Buffer.byteLength(text).toString(8).padStart(11, '0')} `, 124)
    header.write('        ', 148)
    header.write('0', 156)
    const sum = header.reduce((total, byte) => total + byte, 0)
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
    const body = Buffer.alloc(Math.ceil(Buffer.byteLength(text) / 512) * 512)
    body.write(text)
    return gzipSync(Buffer.concat([header, body, Buffer.alloc(1024)]))
  }

  it('finds files, archives and folders of them, and leaves lists of tests out', () => {
    mkdirSync(join(scratch, 'in'))
    writeFileSync(join(scratch, 'in', 'b.json'), '{}')
    writeFileSync(join(scratch, 'in', 'readme.md'), '')
    writeFileSync(join(scratch, 'in', 'index.json'), '{}')
    writeFileSync(join(scratch, 'a.tar.gz'), archive('inner/x.json', '{"x":1}'))
    const files = testFiles([scratch])
    expect(files.map(({ name }) => name.slice(scratch.length))).toEqual(['/a.tar.gz/inner/x.json', '/in/b.json'])
    expect(files[0]!.read()).toBe('{"x":1}')
    expect(() => testFiles([join(scratch, 'none')])).toThrow('cannot be read (ENOENT)')
    rmSync(join(scratch, 'in', 'b.json'))
    expect(() => testFiles([join(scratch, 'in')])).toThrow('expected *.json or *.tar.gz in this folder, found none')
    writeFileSync(join(scratch, 'a.tar.gz'), 'no archive')
    expect(() => testFiles([scratch])).toThrow(/a\.tar\.gz: expected a whole \.tar\.gz archive/)
  })

  it('refuses choices that cannot be meant', () => {
    expect(() => checkChoice({ fork: 'Pragu' })).toThrow("unknown fork 'Pragu'; there is Frontier, ")
    expect(() => checkChoice({ run: '(' })).toThrow('--run takes a regular expression')
    expect(() => checkChoice({ fork: 'Prague', run: '^a' })).not.toThrow()
  })

  it('goes on after a malformed file, and after a process that ended, with what was done in it', async () => {
    writeFileSync(
      join(scratch, 'a.json'),
      changed('signed.json', (tests) => Object.assign(tests, { z: { transaction: {}, post: {} } })),
    )
    writeFileSync(join(scratch, 'b.json'), textOf('signed.json'))
    const files = testFiles([scratch])
    const { results, broken, isStopped } = await runTestFiles(files, { setting: SETTING, choice: {}, jobs: 1 })
    expect(results.map(({ file, pass }) => [file.slice(-6), pass])).toEqual([
      ...Array.from({ length: 4 }, () => ['a.json', true]),
      ...Array.from({ length: 4 }, () => ['b.json', true]),
    ])
    expect(broken).toEqual([
      {
        file: files[0]!.name,
        cause: 'FixtureError',
        reason: `${files[0]!.name}: z.env: expected an object, got nothing`,
      },
    ])
    expect(isStopped).toBe(false)
  })

  const wgevm = (...args: string[]) =>
    spawnSync(process.execPath, ['--import', 'tsx', 'cli/main.ts', 'statetest', ...args, '--adapter', 'none'], {
      cwd: ROOT,
      encoding: 'utf8',
    })

  it('prints the array and ends with 1 where an entry fails, on one process or several', () => {
    const wrong = changed('signed.json', (tests) => {
      Object.assign(tests['signed']!['post']!['Osaka']![0]!, { hash: `0x${'00'.repeat(32)}` })
    })
    writeFileSync(join(scratch, 'a.json'), wrong)
    writeFileSync(join(scratch, 'b.json'), textOf('rejected.json'))
    const { status, stdout, stderr } = wgevm(scratch, '--jobs', '2')
    const results = JSON.parse(stdout) as TestResult[]
    expect(results.map(({ pass }) => pass)).toEqual([true, true, false, ...Array.from({ length: 9 }, () => true)])
    expect(stderr).toContain(`FAIL ${scratch}/a.json: signed: post state root mismatch`)
    expect(stderr).toContain('11 of 12 entries pass (2 files; cpu 4, rejected 8)')
    expect(status).toBe(1)
  })

  it('is refused without an adapter where it is about the lane VM', () => {
    writeFileSync(join(scratch, 'a.json'), textOf('signed.json'))
    const { status, stdout, stderr } = wgevm(scratch, '--tier', 'lane-vm')
    expect(stderr).toContain('--tier lane-vm needs an adapter, and there is none')
    expect(stdout).toBe('')
    expect(status).not.toBe(0)
  })

  it('ends with 11 where a file is malformed, and writes what was done', () => {
    writeFileSync(join(scratch, 'a.json'), textOf('signed.json'))
    writeFileSync(join(scratch, 'b.json'), '{"a":{"transaction":{},"post":{}}}')
    const out = join(scratch, 'out')
    const { status, stdout, stderr } = wgevm(scratch, '--json', out)
    expect([status, stdout]).toEqual([11, ''])
    expect(stderr).toContain(`BAD ${scratch}/b.json: a.env: expected an object, got nothing\n`)
    expect(stderr).toContain('4 of 4 entries pass (2 files; cpu 4)\n')
    expect(JSON.parse(readFileSync(out, 'utf8'))).toHaveLength(4)
  })

  /** Four entries, the last of which fails, and then one that runs for minutes. */
  const endless = (): string =>
    changed('legacy.json', (tests) => {
      const called = '0x00000000000000000000000000000000000000aa'
      const { signed } = JSON.parse(textOf('signed.json')) as Json
      Object.assign(signed!['post']!['Osaka']![1]!, { hash: `0x${'00'.repeat(32)}` })
      const test = structuredClone(tests['calls']!)
      // JUMPDEST PUSH1 0 JUMP, 12 gas, with 2^46 gas.
      Object.assign(test['pre']![called]!, { code: '0x5b600056' })
      Object.assign(test['env']!, { currentGasLimit: '0x400000000000' })
      Object.assign(test['transaction']!, { gasLimit: ['0x400000000000', '0x400000000000'] })
      for (const name of Object.keys(tests)) delete tests[name]
      Object.assign(tests, { signed, test: { ...test, post: { London: test['post']!['London'] } } })
    })

  it('ends at once with 130 when it is interrupted, and writes what was done', async () => {
    const folder = join(scratch, 'in')
    mkdirSync(folder)
    writeFileSync(join(folder, 'a.json'), endless())
    const out = join(scratch, 'out')
    const command = ['--import', 'tsx', 'cli/main.ts', 'statetest', folder, '--adapter', 'none', '--json', out]
    const child = spawn(process.execPath, command, { cwd: ROOT, stdio: ['ignore', 'ignore', 'pipe'] })
    let err = ''
    child.stderr.on('data', (text) => {
      if (err === '') child.kill('SIGINT')
      err += text
    })
    const ended = await new Promise((resolve) => child.once('close', (code, signal) => resolve([code, signal])))
    expect(ended).toEqual([130, null])
    expect(err).toContain('3 of 4 entries pass (1 files; cpu 4)\ninterrupted: these are the entries that were done\n')
    expect((JSON.parse(readFileSync(out, 'utf8')) as TestResult[]).map(({ pass }) => pass)).toEqual([
      true,
      true,
      true,
      false,
    ])
  })

  it('has what was done in a process that ends, and runs the other files in a new one', async () => {
    writeFileSync(join(scratch, 'a.json'), endless())
    writeFileSync(join(scratch, 'b.json'), textOf('signed.json'))
    const files = testFiles([scratch])
    const before = childrenOf(process.pid)
    const { results, broken } = await runTestFiles(files, {
      setting: SETTING,
      choice: {},
      jobs: 1,
      onResult: ({ pass }) => {
        if (pass) return
        for (const child of childrenOf(process.pid)) if (!before.includes(child)) process.kill(child, 'SIGSEGV')
      },
    })
    expect(results.map(({ file }) => file.slice(-6))).toEqual([...fourOf('a.json'), ...fourOf('b.json')])
    expect(broken).toEqual([{ file: files[0]!.name, cause: 'crash', reason: 'its process ended with SIGSEGV' }])
  })

  it('leaves other kinds of files and unknown forks out, and counts them', async () => {
    const legacy = changed('legacy.json', (tests) => {
      Object.assign(tests['creation']!['post']!, { Amsterdam: [{}, {}] })
      Object.assign(tests, { engine: { engineNewPayloads: [] }, list: [] })
    })
    const results = await run('legacy.json', { fork: 'London', run: 'creation' }, legacy)
    expect(results.map(({ fork }) => fork)).toEqual(Array.from(results, () => 'London'))
    expect(skipped).toEqual([
      { file: 'legacy.json', reason: 'entries of the unknown fork Amsterdam', count: 2 },
      { file: 'legacy.json', reason: 'engine tests', count: 1 },
      { file: 'legacy.json', reason: 'other JSON', count: 1 },
    ])
    expect(await run('t.json', {}, '{"a":{"txbytes":"0x","result":{}},"b":{"txbytes":"0x","result":{}}}')).toEqual([])
    for (const other of ['{}', '[]', '1', 'null', '{"a":1}']) await run('o.json', {}, other)
    expect(
      await run('b.json', {}, '{"b":{"blocks":[],"genesisRLP":"0x","network":"ShanghaiToCancunAtTime15k"}}'),
    ).toEqual([])
    expect(skippedText(skipped)).toBe(
      '2 entries of the unknown fork Amsterdam in 1 file, 1 engine tests in 1 file, other JSON in 2 files, ' +
        '2 transaction tests in 1 file, 1 block tests of the unknown fork ShanghaiToCancunAtTime15k in 1 file',
    )
    expect(skippedText([])).toBe(undefined)
  })

  it('reads gzip of a file, and says what else it found where there is no test', () => {
    writeFileSync(join(scratch, 'a.json.gz'), gzipSync(textOf('signed.json')))
    writeFileSync(join(scratch, 'b.json'), '{"t":{"txbytes":"0x","result":{}}}')
    const { status, stdout, stderr } = wgevm(scratch)
    expect([status, JSON.parse(stdout).length]).toEqual([0, 4])
    expect(stderr).toBe('4 of 4 entries pass (2 files; cpu 4)\nskipped: 1 transaction tests in 1 file\n')
    const other = wgevm(join(scratch, 'b.json'))
    expect([other.status, other.stdout, other.stderr]).toEqual([
      11,
      '',
      `wgevm: ${join(scratch, 'b.json')}: expected state tests or block tests, found 1 transaction tests in 1 file\n`,
    ])
  })
})

const fourOf = (file: string): string[] => Array.from({ length: 4 }, () => file)

/** Processes that this one has started and that are still there. */
const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
