import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readTar } from '../../host/device/tar.ts'
import { runEvm } from '../fixtures/evm_tool.ts'

const STATE_TESTS = fileURLToPath(new URL('../file/state_tests/typed.json', import.meta.url))
const DATA = process.env['WGEVM_DATA'] ?? join(import.meta.dirname, '../../../shared/data')
const ARCHIVE = join(DATA, 'state-tests/multi-tx-blocks.tar.gz')

interface Report {
  readonly name: string
  readonly pass: boolean
  readonly stateRoot?: string
  readonly fork: string
  readonly error?: string
  readonly state?: { readonly root: string; readonly accounts: Readonly<Record<string, { readonly root: string }>> }
}

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wgevm-tests-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const reportsOf = async (argv: readonly string[], stdin = ''): Promise<{ reports: Report[]; stderr: string }> => {
  const { exitCode, stdout, stderr } = await runEvm(argv, stdin)
  expect(exitCode, stderr).toBe(0)
  return { reports: JSON.parse(stdout) as Report[], stderr }
}

/** A copy of a file of tests with one thing changed. */
const changed = (path: string, change: (text: string) => string): string => {
  const copy = join(folder, 'changed.json')
  writeFileSync(copy, change(readFileSync(path, 'utf8')))
  return copy
}

describe('evm statetest', () => {
  test('gives the fields of go-ethereum, and a root on stderr for each entry', async () => {
    const { reports, stderr } = await reportsOf(['statetest', STATE_TESTS])
    expect(reports).toHaveLength(11)
    for (const report of reports) expect(Object.keys(report)).toEqual(['name', 'pass', 'stateRoot', 'fork'])
    expect(reports.every(({ pass }) => pass)).toBe(true)
    expect(stderr).toBe(reports.map(({ stateRoot }) => `{"stateRoot": "${stateRoot}"}\n`).join(''))
  })

  test('chooses by name, fork and index', async () => {
    const { reports } = await reportsOf(['statetest', '--run', '^access', '--statetest.fork=Berlin', STATE_TESTS])
    expect(new Set(reports.map(({ name, fork }) => `${name} ${fork}`))).toEqual(new Set(['accessList Berlin']))
    const one = await reportsOf(['statetest', '--run', '^access', '--statetest.index=0', STATE_TESTS])
    expect(new Set(one.reports.map(({ fork }) => fork)).size).toBe(one.reports.length)
  })

  test('ends with 0 where a test fails, and says why', async () => {
    const { reports: good } = await reportsOf(['statetest', STATE_TESTS])
    const root = good[0]!.stateRoot!
    const copy = changed(STATE_TESTS, (text) => text.replaceAll(root, `0x${'5a'.repeat(32)}`))
    const { reports } = await reportsOf(['statetest', copy])
    expect(reports[0]).toMatchObject({ pass: false, error: expect.stringContaining('post state root mismatch') })
  })

  test('fails the entries of a fork without rules here, and runs the others', async () => {
    const copy = changed(STATE_TESTS, (text) => text.replace('"Berlin"', '"Amsterdam"'))
    const { reports } = await reportsOf(['statetest', copy])
    expect(reports).toHaveLength(11)
    const failed = reports.filter(({ pass }) => !pass)
    expect(failed.length).toBeGreaterThan(0)
    for (const report of failed)
      expect(report).toEqual({
        name: 'accessList',
        pass: false,
        fork: 'Amsterdam',
        error: 'unsupported fork "Amsterdam"',
      })
  })

  test('takes file names from stdin, with an array for each, up to an empty line', async () => {
    const { exitCode, stdout } = await runEvm(['statetest'], `${STATE_TESTS}\n${STATE_TESTS}\n\nno such file\n`)
    expect(exitCode).toBe(0)
    expect(stdout.match(/^\[$/gm)).toHaveLength(2)
  })

  test('dumps the state, whose root is that of the test', async () => {
    const { reports } = await reportsOf(['statetest', '--dump', STATE_TESTS])
    for (const { state, stateRoot } of reports) {
      expect(`0x${state!.root}`).toBe(stateRoot)
      for (const account of Object.values(state!.accounts)) expect(account.root).toMatch(/^0x[0-9a-f]{64}$/)
    }
  })

  test('traces to stderr, with the root after the last line', async () => {
    const { stderr } = await reportsOf(['statetest', '--trace', '--run', '^feeCaps', STATE_TESTS])
    const lines = stderr
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    const kinds = lines.map((line) => ('pc' in line ? 'step' : 'gasUsed' in line ? 'end' : 'root')).join(' ')
    expect(kinds).toMatch(/^((step )*end root ?)+$/)
    expect(kinds).toContain('step')
  })

  test('counts for people', async () => {
    const { stdout } = await runEvm(['statetest', '--human', STATE_TESTS])
    expect(stdout).toMatch(/^\[PASS\] accessList\n[\s\S]*\n--\n11 tests passed, 0 tests failed\.\n$/)
  })
})

describe.skipIf(!existsSync(ARCHIVE))('evm blocktest (skipped where ../shared/data/state-tests is absent)', () => {
  let file: string
  beforeAll(() => {
    const tests = readTar(gunzipSync(readFileSync(ARCHIVE))).filter(({ path }) => path.endsWith('.json'))
    const smallest = tests.sort((a, b) => a.bytes.length - b.bytes.length)[0]!
    file = join(folder, 'blocks.json')
    writeFileSync(file, smallest.bytes)
  })

  test('gives the fields of go-ethereum in the order of names', async () => {
    const { reports } = await reportsOf(['blocktest', file])
    expect(reports.length).toBeGreaterThan(0)
    for (const report of reports) expect(Object.keys(report)).toEqual(['name', 'pass', 'stateRoot', 'fork'])
    expect(reports.every(({ pass }) => pass)).toBe(true)
    expect(reports.map(({ name }) => name)).toEqual(reports.map(({ name }) => name).sort())
    expect(await reportsOf(['blocktest', '--run', 'no such name', file])).toMatchObject({ reports: [] })
  })

  test('ends with 0 where a test fails, or is of a fork without rules here', async () => {
    const last = /("lastblockhash": *")0x[0-9a-f]{64}/g
    const other = changed(file, (text) => text.replaceAll(last, `$10x${'5a'.repeat(32)}`))
    for (const report of (await reportsOf(['blocktest', other])).reports)
      expect(report).toMatchObject({ pass: false, error: expect.stringContaining('last block') })
    const unknown = changed(file, (text) => text.replaceAll(/("network": *")[^"]*/g, '$1Amsterdam'))
    for (const report of (await reportsOf(['blocktest', unknown])).reports)
      expect(report).toMatchObject({ pass: false, fork: 'Amsterdam', error: 'unsupported fork "Amsterdam"' })
  })
})
