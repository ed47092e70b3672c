import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { folderOf, summarise, type TestOutcome } from '../../bench/report/conformance_schema.ts'
import { conformanceDoc, conformanceText } from '../../scripts/conformance_doc.ts'
import { ORACLE_DIFFERENCES } from '../../scripts/oracle_differences.ts'

const ARCHIVE = '../shared/data/state-tests/state-tests.tar.gz'
const outcome = (folder: string, tier: TestOutcome['tier'], reason?: string): TestOutcome => ({
  file: `${ARCHIVE}/${folder}/test.json`,
  pass: tier !== 'cpu' || reason !== 'miss',
  tier,
  ...(reason === undefined ? {} : { reason }),
})
const OUTCOMES: readonly TestOutcome[] = [
  ...Array.from({ length: 6 }, () => outcome('eest/b', 'laneVm')),
  outcome('eest/b', 'cpu', 'refused: CREATE2'),
  outcome('eest/b', 'cpu', 'create'),
  outcome('legacy/a', 'cpu', 'miss'),
  outcome('legacy/a', 'cpu', 'miss'),
  outcome('legacy/a', 'transfer'),
  outcome('legacy/a', 'rejected', 'nonce too low'),
  { ...outcome('x', 'mixed'), tiers: { pathKernel: 0, pathProgram: 0, pathHost: 0, laneVm: 3, transfer: 2, cpu: 1 } },
]

test('conformance results are counted by folder, with reasons of the CPU tier only', () => {
  const { folders, blockTests } = summarise(OUTCOMES)
  expect(Object.keys(folders)).toEqual(['eest/b', 'legacy/a'])
  expect(folders['eest/b']).toMatchObject({ entries: 8, passed: 8, device: 6, cpu: 2 })
  expect(folders['legacy/a']).toMatchObject({ entries: 4, passed: 2, device: 0, transfer: 1, cpu: 2, rejected: 1 })
  expect(folders['legacy/a']!.reasons).toEqual({ miss: 2 })
  expect(blockTests).toMatchObject({ tests: 1, passed: 1, tiers: { laneVm: 3, transfer: 2, cpu: 1 } })
})

test('conformance shares leave out step by step what the device has no part in', () => {
  const adapter = { kind: 'software', name: 'none', driver: '1' }
  const text = conformanceText({
    schema: 'wgevm-conformance/1',
    commit: 'c0ffee',
    date: '2026-01-02T03:04:05Z',
    adapter,
    ...summarise(OUTCOMES),
  })
  expect(text).toContain('10 of 12 entries pass (83.3 %)')
  expect(text).toContain('| all | 12 | 6 | 50.0 % |')
  expect(text).toContain('| whose transaction may be included | 11 | 6 | 54.5 % |')
  expect(text).toContain('| and is no plain transfer | 10 | 6 | 60.0 % |')
  expect(text).toContain('no refused precompile | 8 | 6 | 75.0 % |')
  expect(text).toContain('| miss | 2 | 50.0 % |  |')
  expect(text).toContain('| refused: CREATE2 | 1 | 25.0 % | yes |')
})

test('the places where the oracle is not the specification stand there, each with a test that exists', () => {
  const text = conformanceDoc()
  expect(text).toContain('## Where the oracle and the specification differ, and what we do')
  for (const { oracle, test: file } of ORACLE_DIFFERENCES) {
    expect(text).toContain(oracle)
    expect(existsSync(new URL(`../../${file}`, import.meta.url)), file).toBe(true)
  }
})

test('a folder is the one inside the archive', () => {
  expect(folderOf(`${ARCHIVE}/eest/a/b.json`)).toBe('eest/a')
  expect(folderOf('tests/b.json')).toBe('tests')
  expect(folderOf('b.json')).toBe('.')
})
