import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { type ComparedResult, compareRuns, compareText, isSlower, readEarlierRun } from '../../bench/report/compare.ts'
import { FixtureError } from '../../conformance/json_field.ts'
import { REPORT } from '../fixtures/bench_report.ts'

const folder = mkdtempSync(join(tmpdir(), 'wgevm-compare-'))
afterAll(() => rmSync(folder, { recursive: true }))
const written = (value: unknown): string => {
  const file = join(folder, 'old.json')
  writeFileSync(file, JSON.stringify(value))
  return file
}

/** Of blocks of 1,000 transactions, by the time of each sample; the first is the median. */
const result = (workload: string, ...samplesMs: readonly number[]): ComparedResult => ({
  workload,
  txCount: 1000,
  samplesMs,
  txPerSecond: 1_000_000 / samplesMs[0]!,
})
const earlier = (...results: readonly ComparedResult[]) => ({ ...readEarlierRun(written(REPORT)), results })
const verdicts = (before: readonly number[], now: readonly number[]) =>
  compareRuns(earlier(result('a', ...before)), [result('a', ...now)])[0]!.verdict

describe('a comparison with an earlier run', () => {
  test('calls slower and faster only what lies outside of the samples of both runs', () => {
    expect(verdicts([100, 95, 105], [111, 106, 115])).toBe('slower')
    expect(verdicts([100, 95, 105], [111, 105, 115])).toBe('same')
    expect(verdicts([100, 95, 105], [90, 85, 94])).toBe('faster')
    expect(verdicts([100, 95, 105], [90, 85, 95])).toBe('same')
  })

  test('takes a single sample to be ten per cent off', () => {
    expect(verdicts([100], [118])).toBe('same')
    expect(verdicts([100], [124])).toBe('slower')
    expect(verdicts([100], [81])).toBe('faster')
    expect(verdicts([100], [83])).toBe('same')
  })

  test('has the ratio and what the samples allow', () => {
    const [comparison] = compareRuns(earlier(result('a', 100, 90, 110)), [result('a', 50, 40, 60)])
    expect(comparison).toMatchObject({ ratio: 2, range: [1.5, expect.closeTo(2.75)] })
  })

  test('judges neither another size nor what was not run before', () => {
    const comparisons = compareRuns(earlier({ ...result('a', 100), txCount: 10 }), [result('a', 900), result('b', 1)])
    expect(comparisons.map(({ verdict }) => verdict)).toEqual(['another size', 'not run before'])
    expect(isSlower(comparisons)).toBe(false)
    expect(isSlower(compareRuns(earlier(result('a', 1)), [result('a', 100)]))).toBe(true)
  })

  test('says which runs it compares, and where the machine is another', () => {
    const before = earlier(result('erc20', 100, 90, 110))
    const comparisons = compareRuns(before, [result('erc20', 50, 40, 60)])
    const style = { decorated: false, width: 100 }
    const text = compareText(before, REPORT, comparisons, style)
    expect(text).toMatch(/^erc20 +1,000 +10,000 +20,000 +2 +1.5 to 2.75 +faster$/m)
    expect(text).toContain('before: commit 0123456789ab, 2026-01-02;')
    expect(text).not.toContain('another')
    const other = { adapter: { ...REPORT.adapter, name: 'x' }, machine: { ...REPORT.machine, cpu: 'y' } }
    expect(compareText(before, other, comparisons, style)).toMatch(
      /another adapter before: llvmpipe\nanother processor before: a processor\n$/,
    )
  })

  test('reads a result file, and refuses any other in one line', () => {
    expect(readEarlierRun(written(REPORT)).results.map(({ workload }) => workload)).toEqual(['erc20'])
    const refusals: readonly (readonly [unknown, string])[] = [
      [[], 'expected an object, got []'],
      [{ ...REPORT, schema: 'wgevm-replay/1' }, "schema: expected 'wgevm-bench/1'"],
      [{ ...REPORT, results: [] }, 'results: expected at least one result'],
      [
        { ...REPORT, results: [{ workload: 'a', txCount: 1, samplesMs: [] }] },
        'results[0].samplesMs: expected at least',
      ],
      [{ ...REPORT, results: [{ ...result('a', 1), samplesMs: [0] }] }, 'results[0].samplesMs[0]: expected a positive'],
      [{ ...REPORT, results: [{ ...result('a', 1), txPerSecond: null }] }, 'txPerSecond: expected a positive number'],
    ]
    for (const [value, line] of refusals) {
      expect(() => readEarlierRun(written(value))).toThrow(FixtureError)
      expect(() => readEarlierRun(written(value))).toThrow(line)
    }
  })
})
