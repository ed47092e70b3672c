import { spawnSync } from 'node:child_process'
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, test } from 'vitest'
import { EXIT_BAD_FILE, EXIT_BAD_INPUT, EXIT_CODES } from '../../cli/exit_codes.ts'
import { exitCodeOf, failureText } from '../../cli/fail.ts'
import { checkResultFolder, checkResultPath, checkResultPaths, writeResult } from '../../cli/result_file.ts'
import { runCommand } from '../../cli/run_command.ts'
import { REPORT } from '../fixtures/bench_report.ts'

const folder = mkdtempSync(join(tmpdir(), 'wgevm-cli-'))
afterAll(() => rmSync(folder, { recursive: true }))

const file = (name: string, text: string | Uint8Array): string => {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}
const MISSING = join(folder, 'missing.json')
const WRONG = file('wrong.json', '{"some": "other file"}')
const TEXT = file('text.json', 'no JSON')
const CUT = file('cut.json.gz', gzipSync('{"a": "b"}'.repeat(100)).subarray(0, 20))
const PROGRAM = file(
  'program.json',
  JSON.stringify({
    name: 'p',
    fork: 'Cancun',
    env: {
      number: '0x1',
      timestamp: '0x1',
      gasLimit: '0x1c9c380',
      baseFee: '0x7',
      coinbase: `0x${'00'.repeat(20)}`,
      prevRandao: `0x${'00'.repeat(32)}`,
    },
    pre: { [`0x${'11'.repeat(20)}`]: { code: '0x6001' } },
    calls: [{ label: 'c', from: `0x${'22'.repeat(20)}`, to: `0x${'11'.repeat(20)}`, data: '0x', gasLimit: '0xffff' }],
  }),
)
const EARLIER = file('earlier.json', JSON.stringify(REPORT))
const NOWHERE = '/no/such/place/result.json'

/** The one line and the exit code that a command line ends with. */
const failureOf = async (line: readonly string[]): Promise<readonly [number, string]> => {
  try {
    await runCommand(line)
  } catch (thrown) {
    return [exitCodeOf(thrown), failureText(thrown, false)]
  }
  throw new Error(`wgevm ${line.join(' ')} did not fail`)
}

type Case = readonly [line: readonly string[], code: number, text: string]

const OF_WORKLOADS: readonly Case[] = [
  ...['--level=block', '--fork=osaka', '--peers=revm', '--report=r.html', '--compare=r.json', '--tier=paths'],
  ...['--paths=never', '--paths', '--no-paths', '--lane-vm=never', '--waves=always', '--range=9', '--cold'],
].flatMap((option) =>
  ['senders', 'keccak', 'trie'].map((part): Case => {
    const name = option.replace(/^--(no-)?|=.*/g, '')
    return [['bench', part, option], EXIT_BAD_INPUT, `--${name} is for workloads; ${part} is measured without it`]
  }),
)

const NUMBERS: readonly Case[] = [
  [['bench', 'erc20', '--size', '0'], EXIT_BAD_INPUT, "--size takes a whole number from 1 to 4194304, got '0'"],
  [['bench', '--samples', 'many'], EXIT_BAD_INPUT, "got 'many'"],
  [['programs', PROGRAM, '--lanes', '-1'], EXIT_BAD_INPUT, "--lanes takes a whole number from 1 to 4194304, got '-1'"],
  [['replay', MISSING, '--workers', 'x'], EXIT_BAD_INPUT, "--workers takes a whole number from 0 to 64, got 'x'"],
  [['simulate', PROGRAM, '--seed', '1e9'], EXIT_BAD_INPUT, "got '1e9'"],
  [['statetest', MISSING, '--jobs', '0'], EXIT_BAD_INPUT, "--jobs takes a whole number from 1 to 64, got '0'"],
  [['transpile', '0x00', '--gas', 'NaN'], EXIT_BAD_INPUT, "--gas takes a whole number from 1 to 4294967295, got 'NaN'"],
  [['transpile', '0x00', '--caller', `0x1${'00'.repeat(20)}`], EXIT_BAD_INPUT, '--caller has more than 160 bits'],
  [['transpile', '0x00', '--value', '1.5'], EXIT_BAD_INPUT, "--value is no number: '1.5'"],
]

const NAMES: readonly Case[] = [
  [['bunch'], EXIT_BAD_INPUT, "unknown command 'bunch'; there is bench, "],
  [['bench', 'erc21'], EXIT_BAD_INPUT, "unknown workload 'erc21'; there is transfers, "],
  [['bench', '--fork', 'tokyo'], EXIT_BAD_INPUT, "got 'tokyo'"],
  [['bench', '--sice', '1'], EXIT_BAD_INPUT, 'Unknown argument: sice'],
  [['transpile', '--workload', 'erc21'], EXIT_BAD_INPUT, "unknown workload 'erc21'"],
  [['transpile', '0xzz'], EXIT_BAD_INPUT, "the bytecode is not hex (0x and an even number of digits): '0xzz'"],
  [['transpile', '0x00', '--fork', 'tokyo'], EXIT_BAD_INPUT, "unknown fork 'tokyo'"],
  [['statetest', WRONG, '--fork', 'Tokyo'], EXIT_BAD_INPUT, "unknown fork 'Tokyo'"],
  [['statetest', WRONG, '--run', '('], EXIT_BAD_INPUT, '--run takes a regular expression'],
  [['difftrace', WRONG, '--run', '('], EXIT_BAD_INPUT, '--run takes a regular expression'],
  [['replay'], EXIT_BAD_INPUT, 'Not enough non-option arguments: got 0, need at least 1'],
]

/**
 * Each command that reads a file, with one that is not there, one of another kind, no JSON, and half of a gzip file.
 */
const FILES: readonly Case[] = ['programs', 'replay', 'simulate', 'statetest', 'difftrace', 'transpile'].flatMap(
  (command): readonly Case[] => [
    [[command, MISSING], EXIT_BAD_FILE, `${MISSING}: cannot be read (ENOENT)`],
    [[command, WRONG], EXIT_BAD_FILE, `${WRONG}: `],
    [[command, TEXT], EXIT_BAD_FILE, `${TEXT}: expected `],
    [[command, CUT], EXIT_BAD_FILE, `${CUT}: expected `],
  ],
)

const OUTPUTS: readonly Case[] = [
  [['bench', '--compare', MISSING], EXIT_BAD_FILE, 'cannot be read (ENOENT)'],
  [['bench', '--compare', WRONG], EXIT_BAD_FILE, "schema: expected 'wgevm-bench/1', got nothing"],
  [['bench', '--compare', EARLIER, '--json', EARLIER], EXIT_BAD_INPUT, `--json ${EARLIER} is an input`],
  ...[
    ['bench', 'erc20'],
    ['programs', PROGRAM],
    ['simulate', PROGRAM],
    ['replay', WRONG],
    ['statetest', WRONG],
  ].map((line): Case => [[...line, '--json', NOWHERE], EXIT_BAD_INPUT, 'there is no folder /no/such/place']),
  [
    ['programs', PROGRAM, '--json', PROGRAM],
    EXIT_BAD_INPUT,
    `--json ${PROGRAM} is an input, which is never overwritten`,
  ],
  [['simulate', PROGRAM, '--json', PROGRAM], EXIT_BAD_INPUT, 'is an input'],
  [['replay', WRONG, '--json', WRONG], EXIT_BAD_INPUT, 'is an input'],
  [['replay', WRONG, '--report', WRONG], EXIT_BAD_INPUT, `--report ${WRONG} is an input`],
  [['statetest', WRONG, '--json', WRONG], EXIT_BAD_INPUT, 'is an input'],
  [['statetest', folder, '--json', WRONG], EXIT_BAD_INPUT, 'is an input'],
  [
    ['bench', '--json', '/dev/../tmp/x', '--report', '/tmp/x'],
    EXIT_BAD_INPUT,
    '--report and --json name one file, /tmp/x',
  ],
  [['transpile', '0x00', '--dump', WRONG], EXIT_BAD_INPUT, `--dump ${WRONG} is a file; name a folder`],
  [['transpile', '0x00', '--dump', '/proc/dump'], EXIT_BAD_INPUT, '--dump /proc/dump cannot be written'],
]

describe('words of a command line', () => {
  test('all count where a command takes many, and the last one counts of an option that is given twice', async () => {
    const bench = (...line: string[]) => failureOf(['bench', ...line])
    expect((await bench('nosuch', 'erc20'))[1]).toContain("unknown workload 'nosuch'")
    expect((await bench('erc20', 'nosuch'))[1]).toContain("unknown workload 'nosuch'")
    expect((await bench('erc20', '--size', '5', '--size', 'x'))[1]).toContain("got 'x'")
    expect((await bench('erc20', '--size', 'x', '--size', 'y'))[1]).toContain("got 'y'")
  })
})

describe('a command line that is wrong ends with one line, its exit code, and nothing written', () => {
  const before = readdirSync(folder)
  test.each([...NUMBERS, ...OF_WORKLOADS, ...NAMES, ...FILES, ...OUTPUTS])('wgevm %j: %i', async (line, code, text) => {
    const [found, message] = await failureOf(line)
    expect([found, message]).toEqual([code, expect.stringContaining(text)])
    expect(message).not.toContain('\n')
    expect(message).not.toContain('--verbose')
    expect(readdirSync(folder)).toEqual(before)
  })
})

describe('an output path', () => {
  test('is an input by whatever name: through a link, a folder, a hard link it is the same file', () => {
    const input = file('input.json', 'precious')
    const link = join(folder, 'link.json')
    symlinkSync(input, link)
    const linked = join(folder, 'linked')
    symlinkSync(folder, linked)
    for (const path of [input, link, join(linked, 'input.json'), `${folder}/./input.json`]) {
      expect(() => checkResultPath(path, 'json', [input])).toThrow('is an input')
      expect(() => checkResultPath(input, 'json', [path])).toThrow('is an input')
    }
    // A result takes the place of a name, so another name of the file keeps the input.
    const hard = join(folder, 'hard.json')
    linkSync(input, hard)
    checkResultPath(hard, 'json', [input])
    writeResult(hard, 'result')
    expect(readFileSync(input, 'utf8')).toBe('precious')
    for (const path of [link, linked, hard, input]) rmSync(path)
  })

  test('through a link writes the file that the link leads to, and keeps the link', () => {
    const target = file('target.json', 'old')
    const link = join(folder, 'to-target.json')
    symlinkSync(target, link)
    checkResultPaths({ json: link })
    writeResult(link, 'new')
    expect(readFileSync(target, 'utf8')).toBe('new')
    rmSync(link)
    rmSync(target)
  })

  test('that is a device is written to, not replaced', () => {
    checkResultPaths({ json: '/dev/null', report: '/dev/null' }, ['/dev/null'])
    writeResult('/dev/null', 'text')
    expect(spawnSync('test', ['-c', '/dev/null']).status).toBe(0)
  })

  test('in a folder that takes no file is refused before anything runs', () => {
    expect(() => checkResultPath('/proc/result.json')).toThrow(/^--json \/proc\/result.json cannot be written \(\w+\)$/)
  })

  test('of a dump is no folder in which the input would be overwritten', () => {
    const inside = join(folder, 'dump')
    mkdirSync(inside)
    const endings = /\.txt$/
    writeFileSync(join(inside, 'report.txt'), '')
    writeFileSync(join(inside, 'program.json'), '')
    expect(() => checkResultFolder(inside, 'dump', join(inside, 'report.txt'), endings)).toThrow('holds the input')
    checkResultFolder(inside, 'dump', join(inside, 'program.json'), endings)
    checkResultFolder(join(inside, 'new', 'deep'), 'dump', undefined, endings)
    expect(existsSync(join(inside, 'new'))).toBe(false)
    rmSync(inside, { recursive: true })
  })
})

describe('the exit codes', () => {
  test('stand in the help of every command', async () => {
    const { stdout } = spawnSync(process.execPath, ['--import', 'tsx', 'cli/main.ts', 'doctor', '-h'], {
      encoding: 'utf8',
    })
    for (const [code, meaning] of EXIT_CODES) expect(stdout.replaceAll(/\s+/g, ' ')).toContain(`${code} ${meaning}`)
  })
})
