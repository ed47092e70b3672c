import { execFileSync } from 'node:child_process'
import {
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { runEvm, type ToolRun } from '../fixtures/evm_tool.ts'
import { ALICE, ENV, STDIN, unsigned } from '../fixtures/t8n_input.ts'

const ALLOC = { [ALICE]: { balance: '0xde0b6b3a7640000' } }
/** Of a block without transactions. */
const ALLOC_AFTER = JSON.stringify({ [ALICE]: { balance: '0xde0b6b3a7640000' } }, null, 1)

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'wgevm-outputs-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const at = (name: string): string => join(folder, name)
const textOf = (name: string): string => readFileSync(at(name), 'utf8')

/** A block that writes into the folder what the options say; by default the alloc goes nowhere, nor does the result. */
const runBlock = (args: readonly string[], txs: readonly object[] = []): Promise<ToolRun> =>
  runEvm(
    [
      't8n',
      ...STDIN,
      '--state.fork=Cancun',
      '--verbosity=0',
      '--output.alloc=',
      '--output.result=',
      `--output.basedir=${folder}`,
      ...args,
    ],
    JSON.stringify({ alloc: ALLOC, env: ENV, txs }),
  )
const DONE = { exitCode: 0, stdout: '', stderr: '' }

describe('an output of evm t8n', () => {
  // No device of the machine is named here: run by root, a fault would replace it.
  test.each(['pipe', 'link'])('goes through a pipe (%s), which stays one', async (name) => {
    execFileSync('mkfifo', [at('pipe')])
    symlinkSync('pipe', at('link'))
    const reader = openSync(at('pipe'), constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      expect(await runBlock([`--output.alloc=${name}`, `--output.body=${name}`])).toEqual(DONE)
      const bytes = new Uint8Array(4096)
      expect(Buffer.from(bytes.subarray(0, readSync(reader, bytes))).toString()).toBe(`${ALLOC_AFTER}"0xc0"`)
    } finally {
      closeSync(reader)
    }
    expect(readdirSync(folder)).toEqual(['link', 'pipe'])
    expect([lstatSync(at('pipe')).isFIFO(), readlinkSync(at('link'))]).toEqual([true, 'pipe'])
  })

  test.each(['a file', 'nothing'])('keeps a link to %s, and is written where it leads', async (what) => {
    mkdirSync(at('far'))
    symlinkSync('far/file', at('link'))
    if (what === 'a file') writeFileSync(at('far/file'), 'as it was')
    expect(await runBlock(['--output.alloc=link'])).toEqual(DONE)
    expect(readlinkSync(at('link'))).toBe('far/file')
    expect(textOf('far/file')).toBe(ALLOC_AFTER)
    expect(readdirSync(at('far'))).toEqual(['file'])
  })

  test('counts where it is the last of two to one file, also through a link', async () => {
    expect(await runBlock(['--output.alloc=one', '--output.body=./one/'])).toEqual(DONE)
    expect([readdirSync(folder), textOf('one')]).toEqual([['one'], '"0xc0"'])
    expect(await runBlock(['--output.result=one', '--output.body=one'])).toEqual(DONE)
    expect(textOf('one')).toBe('"0xc0"')
    symlinkSync('two', at('link'))
    expect(await runBlock(['--output.alloc=link', '--output.body=two'])).toEqual(DONE)
    expect([readdirSync(folder), textOf('two')]).toEqual([['link', 'one', 'two'], '"0xc0"'])
    expect(await runBlock(['--output.alloc=two', '--output.body=link'])).toEqual(DONE)
    expect([readdirSync(folder), textOf('two')]).toEqual([['link', 'one', 'two'], '"0xc0"'])
  })

  test.each(['folder', 'link'])('is refused where it is a folder (%s), and no other is written', async (name) => {
    mkdirSync(at('folder'))
    symlinkSync('folder', at('link'))
    execFileSync('mkfifo', [at('pipe')])
    writeFileSync(at('file'), 'as it was')
    const reader = openSync(at('pipe'), constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      const { exitCode, stdout, stderr } = await runBlock([
        '--output.alloc=file',
        '--output.body=pipe',
        `--output.result=${name}`,
      ])
      expect([exitCode, stdout]).toEqual([11, ''])
      expect(stderr).toMatch(/^ERROR\(11\): failed writing output: [^\n]+ is a folder\n$/)
      expect(readSync(reader, new Uint8Array(1))).toBe(0)
    } finally {
      closeSync(reader)
    }
    expect(readdirSync(folder)).toEqual(['file', 'folder', 'link', 'pipe'])
    expect([readdirSync(at('folder')), textOf('file')]).toEqual([[], 'as it was'])
  })
})

/** The flags that the help of a command names. */
const flagsOf = async (command: string): Promise<readonly string[]> => {
  const printed = vi.spyOn(console, 'log').mockImplementation(() => {})
  try {
    await runEvm([command, '--help'])
    const lines = String(printed.mock.calls[0]![0]).split(/\n(?=\s+(?:-\w, )?--)/)
    const flags = lines.filter((line) => line.includes('[boolean]')).map((line) => /--([\w.-]+)/.exec(line)![1]!)
    return flags.filter((flag) => flag !== 'help')
  } finally {
    printed.mockRestore()
  }
}

const COMMANDS = [
  ['t8n', ['state-test', 'trace', 'trace.memory', 'trace.nostack']],
  ['statetest', ['human', 'dump', 'trace', 'trace.nomemory', 'trace.nostack']],
  ['blocktest', ['human', 'dump']],
] as const

const refusal = (message: string): ToolRun => ({ exitCode: 1, stdout: '', stderr: `ERROR(1): ${message}\n` })

describe('the command line of evm', () => {
  test.each([
    ['t8n', 'output.alloc'],
    ['t8n', 'adapter'],
    ['statetest', 'run'],
    ['statetest', 'statetest.index'],
    ['statetest', 'trace.format'],
    ['blocktest', 'adapter'],
  ])('of %s refuses --%s without its value', async (command, option) => {
    const message = `Not enough arguments following: ${option} (see evm ${command} --help)`
    expect(await runEvm([command, `--${option}`])).toEqual(refusal(message))
    expect(await runEvm([command, `--${option}`, '--adapter=none'])).toEqual(refusal(message))
  })

  test('takes an empty value and a negative number for values', async () => {
    expect(await runBlock(['--output.body', '', '--state.reward', '-1'])).toEqual(DONE)
    expect(readdirSync(folder)).toEqual([])
  })

  test.each(COMMANDS)(
    'of %s knows flags, with values that are true or false, and no negations',
    async (command, flags) => {
      expect(await flagsOf(command)).toEqual(flags)
      for (const flag of flags) {
        expect(await runEvm([command, `--${flag}=maybe`])).toEqual(
          refusal(`--${flag} takes true or false, got 'maybe'`),
        )
        const { exitCode, stderr } = await runEvm([command, `--no-${flag}`])
        expect([exitCode, stderr]).toEqual([
          1,
          expect.stringMatching(/^ERROR\(1\): Unknown arguments?: no-[^\n]+ \(see evm [a-z0-9]+ --help\)\n$/),
        ])
      }
    },
  )

  test('takes what is true or false in Go, and no argument after a flag', async () => {
    const traced = async (args: readonly string[]): Promise<boolean> => {
      expect(await runBlock(args, [unsigned()])).toEqual(DONE)
      const names = readdirSync(folder)
      for (const name of names) rmSync(at(name))
      return names.length > 0
    }
    for (const on of ['--trace', '--trace=1', '--trace=T', '--trace=TRUE']) expect(await traced([on]), on).toBe(true)
    for (const off of ['--trace=0', '--trace=f', '--trace=False']) expect(await traced([off]), off).toBe(false)
    const { exitCode, stderr } = await runBlock(['--trace', 'false'])
    expect([exitCode, stderr]).toEqual([1, 'ERROR(1): Unknown argument: false (see evm t8n --help)\n'])
  })
})
