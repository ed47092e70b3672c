import { describe, expect, test } from 'vitest'
import { PARTS } from '../../bench/parts/index.ts'
import { type Part, type PartReport, partRow } from '../../bench/parts/part.ts'
import { partsText } from '../../bench/parts/session.ts'
import { WORKLOADS } from '../../bench/workloads/index.ts'
import { chooseParts } from '../../cli/commands/bench.ts'
import { UserError } from '../../cli/fail.ts'
import { REPORT } from '../fixtures/bench_report.ts'

const part = (name: string): Part => ({ name, title: name, unit: 'things', size: 1, run: async () => [] })
const ALL = [part('one'), part('two')]

describe('the parts of wgevm bench', () => {
  test('are chosen by name, in their own order, and not where a workload is named', () => {
    expect(chooseParts(['two', 'one', 'two'], ALL)?.map(({ name }) => name)).toEqual(['one', 'two'])
    expect(chooseParts(['erc20'], ALL)).toBeUndefined()
    expect(chooseParts([], ALL)).toBeUndefined()
  })

  test('do not run beside a workload', () => {
    expect(() => chooseParts(['one', 'erc20'], ALL)).toThrow(
      new UserError("'erc20' cannot run beside one: name parts alone"),
    )
  })

  test('have names that no workload has, and a title of one line', () => {
    const names = [...PARTS, ...WORKLOADS].map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    for (const { title } of PARTS) expect(title).toMatch(/^[^\n]{10,110}$/)
  })
})

describe('the text of parts', () => {
  const ours = partRow({
    form: 'device',
    isPeer: false,
    count: 1000,
    samplesMs: [40, 20, 30],
    verified: 'every one',
    deviceMs: 12,
  })
  const peers = [60, 90].map((ms) =>
    partRow({
      form: `peer ${ms}`,
      isPeer: true,
      count: 1000,
      samplesMs: [ms],
      verified: 'a table',
      note: 'two threads',
    }),
  )
  const report: PartReport = {
    ...REPORT,
    schema: 'wgevm-part/1',
    parts: [{ part: 'one', unit: 'things', rows: [ours, ...peers] }],
  }

  test('holds the median, the rate, the time on the device and the ratio to the fastest peer', () => {
    const text = partsText(report, { decorated: false, width: 220 })
    expect(text).toMatch(/device +1,000 +30 ms +33,300 +33.3 % ! +12 ms +2x/)
    expect(text).toMatch(/peer 60 \(peer\) +1,000 +60 ms +16,700 +- +- +-/)
    expect(text).toContain('verified device: every one')
    expect(text).toContain('note     peer 90: two threads')
    expect(text).toContain('llvmpipe')
  })
})
