import { PassThrough } from 'node:stream'
import { stripVTControlCharacters } from 'node:util'
import { describe, expect, test } from 'vitest'
import { createProgress } from '../../bench/report/progress.ts'
import { explainText, replayText } from '../../bench/report/replay_text.ts'
import { isWide, WIDE_NOTE } from '../../bench/report/statistics.ts'
import { spreadText, summaryText } from '../../bench/report/text.ts'
import { factTable, folded, foldedAfter, table, textStyle } from '../../bench/report/text_table.ts'
import { REPORT, RESULT } from '../fixtures/bench_report.ts'
import { replayReport } from '../fixtures/replay_report.ts'

const narrow = { decorated: false, width: 80 }
const terminal = { decorated: true, width: 80 }
/** Without the colours of a terminal. */
const widths = (text: string): number[] =>
  stripVTControlCharacters(text)
    .split('\n')
    .map((line) => line.length)

describe('a table', () => {
  const head = ['name', 'a', 'long column']
  const rows = [
    ['one', '1', '10'],
    ['two', '-', '20'],
  ]

  test('is columns where they fit, to the last character', () => {
    expect(table(head, rows, { decorated: false, width: 20 })).toBe(
      'name  a  long column\none   1           10\ntwo   -           20',
    )
    expect(Math.max(...widths(table(head, rows, { decorated: true, width: 26 })))).toBe(26)
  })

  test('is a block for each row where they do not, without what has no value', () => {
    expect(table(head, rows, { decorated: false, width: 19 })).toBe(
      'one\n  a 1\n  long column 10\ntwo\n  long column 20',
    )
    expect(table(head, rows, { decorated: true, width: 25 })).not.toContain('┌')
  })
})

describe('text for 80 columns', () => {
  test.each([narrow, terminal])('of a benchmark and of a replay has no longer line: %j', (style) => {
    const many = { ...REPORT, results: [RESULT, { ...RESULT, workload: 'erc20-hot-recipient' }] }
    const text = summaryText(many, style) + replayText(replayReport(), style)
    expect(Math.max(...widths(text))).toBeLessThanOrEqual(80)
    expect(text).toContain('mainnet-15537394')
    expect(factTable([['what', 'word '.repeat(60)]], style).split('\n').length).toBeGreaterThan(3)
    expect(Math.max(...widths(factTable([['what', 'word '.repeat(60)]], style)))).toBeLessThanOrEqual(80)
  })

  test('is what a file and a terminal without a width get', () => {
    expect(textStyle({} as NodeJS.WriteStream)).toEqual(narrow)
    expect(textStyle({ isTTY: true, columns: 0 } as NodeJS.WriteStream)).toEqual(terminal)
    expect(textStyle({ isTTY: true, columns: 120 } as NodeJS.WriteStream).width).toBe(120)
  })

  test('is folded between words, and keeps a word that is longer than a line', () => {
    expect(folded('one two three', 7, 2)).toBe('one two\n  three')
    expect(folded('abcdefghij k', 5)).toBe('abcdefghij\nk')
    expect(foldedAfter('  a  b  ', 'c d', 9, 4)).toBe('  a  b  c\n    d')
  })
})

describe('a spread', () => {
  test('past ten per cent is marked, and the mark is explained once', () => {
    expect([isWide([91, 100, 110]), isWide([90, 100, 110.1]), isWide([100])]).toEqual([false, true, false])
    expect(spreadText([90, 100, 111])).toBe('10.5 % !')
    expect(spreadText([95, 100, 105])).toBe('5 %')
    expect(spreadText([1])).toBe('-')
    const steady = { ...RESULT, samplesMs: [250, 250, 250] }
    const flat = (text: string): string => text.replaceAll(/\s+/g, ' ')
    expect(flat(summaryText({ ...REPORT, results: [RESULT, RESULT] }, narrow)).split(WIDE_NOTE)).toHaveLength(2)
    expect(flat(summaryText({ ...REPORT, results: [steady] }, narrow))).not.toContain(WIDE_NOTE)
  })
})

describe('an explanation', () => {
  test('counts a guard that a transaction met several times, in the order of the first', () => {
    const explain = [
      {
        index: 7,
        tier: 'cpu' as const,
        why: 'conflict',
        rounds: 2,
        exits: ['guard failed: a', 'miss', 'guard failed: a', 'guard failed: a'],
      },
    ]
    const gas = { 7: 21_000, length: 8 }
    expect(explainText('block', explain, gas, { decorated: false, width: 200 })).toBe(
      'block: tier, path, rounds as a lane, gas, why; exits in brackets\n' +
        '      7  cpu         - 2      21,000  conflict [guard failed: a (3 times); miss]\n',
    )
    expect(explainText('block', explain, gas, { decorated: false, width: 60 })).toContain(
      'conflict [guard\n          failed: a (3 times); miss]\n',
    )
  })
})

const HIDE_CURSOR = '[?25l'

describe('a bar on a terminal', () => {
  test('leaves Ctrl-C to the system, which ends the process, and the cursor as it is', () => {
    const stream = Object.assign(new PassThrough(), { isTTY: true, columns: 80 })
    const before = process.listenerCount('SIGINT')
    const progress = createProgress(stream as unknown as NodeJS.WriteStream)
    progress.start('workload', 2)
    progress.step('sample')
    expect(process.listenerCount('SIGINT')).toBe(before)
    progress.stop()
    const drawn = String(stream.read())
    expect(drawn).toContain('workload')
    expect(drawn).not.toContain(HIDE_CURSOR)
  })
})
