import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { DropInReport, DropInSide } from '../../bench/drop_in.ts'
import { pageHtml } from '../../bench/report/page.ts'
import { replayPage } from '../../bench/report/replay_page.ts'
import { totalsOf } from '../../bench/report/replay_schema.ts'
import { replayText } from '../../bench/report/replay_text.ts'
import { benchmarksDoc } from '../../scripts/benchmarks_doc.ts'
import { replayTargets } from '../../scripts/replay_doc.ts'
import { replayedBlock, replayReport } from '../fixtures/replay_report.ts'

const PLAIN = { decorated: false, width: 220 } as const

/** The words of a page, tags left out. */
const words = (html: string): string =>
  html
    .replaceAll(/<style>[\s\S]*?<\/style>/g, '')
    .replaceAll(/<[^>]+>/g, ' ')
    .replaceAll(/\s+/g, ' ')

describe('the totals of a replay', () => {
  test('add transactions, gas and times up, and divide the sums for the ratio', () => {
    const totals = totalsOf(replayReport().blocks)!
    expect(totals).toMatchObject({ blocks: 2, txCount: 460, gas: 37_963_006, medianMs: 152, serialMedianMs: 490 })
    expect(totals.ratio).toBeCloseTo(490 / 152, 10)
    expect(totals.tiers).toEqual({ pathKernel: 6, pathProgram: 22, pathHost: 4, laneVm: 8, transfer: 397, cpu: 23 })
  })

  test('compare only what was measured on both sides', () => {
    const alone = replayedBlock({ serialSamplesMs: [], serialMedianMs: 0, ratio: 0, medianMs: 1000 })
    expect(totalsOf([replayedBlock(), alone])!.ratio).toBe(3)
    expect(totalsOf([alone])!.ratio).toBe(0)
    expect(totalsOf([])).toBeUndefined()
  })
})

describe('the table of a replay', () => {
  const lines = replayText(replayReport(), PLAIN).split('\n')

  test('has a line for each block, for all, and for those after the merge', () => {
    expect(lines[2]).toMatch(
      /^mainnet-15537394 +paris +80 +30 +25 % +35 % +10 % +5 % +25 % +40 % +10 % +58.6 % +2 +150 +6.67 % +31.3 +450 +3 +exact$/,
    )
    expect(lines[3]).toMatch(/^all 2 +460 +38 +86.3 % +6.1 % +1.7 % +0.9 % +5 % .* 152 +62.5 +490 +3.22$/)
    expect(lines[4]).toMatch(/^after the merge: 1 +80 /)
  })

  test('has no time on the device of blocks that were not timed there', () => {
    const { deviceTimes: _, ...untimed } = replayedBlock()
    const { kernels } = replayedBlock().deviceTimes!
    const clockless = { ...untimed, deviceTimes: { totalMs: undefined, kernels } }
    for (const block of [untimed, clockless]) {
      const text = replayText(replayReport({ blocks: [block, replayedBlock()] }), PLAIN).split('\n')
      expect(text[1]).toMatch(/ 150 +6.67 % +- +450 /)
      expect(text[2]).toMatch(/ 31.3 +450 /)
      expect(text[3]).toMatch(/^all 2 .* 300 +- +900 /)
    }
  })

  test('says what differs, what a device did wrong, and what was not run', () => {
    const block = replayedBlock({
      verdict: 'different',
      verification: 'gasUsed is 1, expected 2',
      faults: ['device lost'],
    })
    const notRun = [{ block: 'mainnet-1', cause: 'failed', reason: 'RangeError' }] as const
    const text = replayText(replayReport({ blocks: [block], notRun }), PLAIN)
    expect(text).toContain('DIFFERENT mainnet-15537394: gasUsed is 1, expected 2\n')
    expect(text).toContain('device: mainnet-15537394: device lost\n')
    expect(text).toContain('done: mainnet-15537394\nnot done: mainnet-1 (RangeError)\n')
  })

  test('of merged blocks says how they were joined, and how many transactions ended as in their own block', () => {
    const { block, number, postMerge, ...run } = replayedBlock()
    const merged = [{ ...run, blocks: [block, 'b'], asInOwnBlock: 77, rejected: 1, joining: 'side by side' }]
    const text = replayText(replayReport({ blocks: [], merged }), PLAIN)
    expect(text).toMatch(/^2 merged +paris +80 /m)
    expect(text).toContain('merged: side by side\n')
    expect(text).toContain(
      'paris: 77 of 80 transactions end with the status and gas that they have in their own block, 1 are rejected',
    )
    expect([number, postMerge]).toEqual([15_537_394, true])
  })
})

describe('the page of a replay', () => {
  test('holds no script and asks for nothing from outside', async () => {
    const html = await replayPage(replayReport())
    expect(html).not.toMatch(/<script|<link|<img|@import|src=|url\(/)
    expect(html.replaceAll(/xmlns(:xlink)?="[^"]*"/g, '')).not.toMatch(/https?:|\/\//)
    expect(html).toMatch(/^<!doctype html>/)
  })

  test('has every number of its charts in a table, and a description of each chart', async () => {
    const html = await replayPage(replayReport())
    const text = words(html)
    expect(text).toContain('2 blocks with 460 transactions; every one gave the exact result.')
    expect(text).toContain('mainnet-15537394 paris 80 30 25 % 35 % 10 % 5 % 25 % 40 % 10 % 58.6 % exact')
    expect(text).toContain('mainnet-5891667 2 - 31.3 40 - 20 1 900 0')
    expect(text).toContain('guard failed: a &lt; b 8 1.74 %')
    expect(text).toContain('USDT USDT 14 9 9')
    expect(text).toContain('USDT 0x1111…1111 3 9 4')
    expect(html.match(/<svg[^>]* role="img" aria-label="[^"]+"/g)).toHaveLength(html.match(/<svg/g)!.length)
    expect(html.match(/<svg/g)).toHaveLength(7)
  })

  test('says which blocks are wrong or were not run', async () => {
    const block = replayedBlock({ verdict: 'different', verification: 'gasUsed is 1, expected 2' })
    const notRun = [{ block: 'mainnet-1', cause: 'file', reason: 'no hash' }] as const
    const text = words(await replayPage(replayReport({ blocks: [block], notRun })))
    expect(text).toContain('1 blocks with 80 transactions; 0 gave the exact result.')
    expect(text).toContain('mainnet-15537394: gasUsed is 1, expected 2')
    expect(text).toContain('mainnet-1 was not run: no hash')
  })

  test('of blocks without serial times, exits and calls still stands', async () => {
    const empty = { contracts: [], transactions: [], counts: [], leftOut: { contracts: 0, transactions: 0 }, blocks: 1 }
    const block = replayedBlock({ serialSamplesMs: [], serialMedianMs: 0, ratio: 0, exits: {}, txCount: 0 })
    const text = words(await replayPage(replayReport({ blocks: [block], conflicts: empty })))
    expect(text).toContain('Why transactions ran on the CPU None did.')
    expect(text).toContain('No transaction calls a contract.')
  })

  test('escapes what it shows', async () => {
    const html = await pageHtml({ title: '<b>', setting: ['<i>'], introduction: ['a & "b"'], sections: [] })
    expect(html).toContain('<h1>&lt;b&gt;</h1>')
    expect(html).toContain('a &amp; &quot;b&quot;')
  })
})

describe('the benchmark page', () => {
  const docOf = (report: unknown): string => {
    const folder = mkdtempSync(join(tmpdir(), 'wgevm-results-'))
    writeFileSync(join(folder, 'replay-x.json'), JSON.stringify(report))
    try {
      return benchmarksDoc(folder)
    } finally {
      rmSync(folder, { recursive: true })
    }
  }

  test('has a line for each replayed block, with the shares of the device and the time against serial execution', () => {
    const doc = docOf(replayReport())
    expect(doc).toContain('## Real blocks, lavapipe: llvmpipe')
    expect(doc).toContain(
      '| mainnet-15537394 | paris | 80 | 30 | 25 % | 35 % | 10 % | 5 % | 25 % | 40 % | 10 % | 58.6 % | 2 | 150 | 6.67 % | 450 | 3 | exact |',
    )
    expect(doc).toContain('| **after the merge: 1** |  | 80 |')
    expect(doc).toContain(
      '| every block against serial @ethereumjs/vm | 0.9 times | 3 times (mainnet-15537394) | met |',
    )
    expect(doc).toContain('| mainnet-5891667, nearly all transfers | 20 times | 20 times | met |')
    expect(doc).toContain(
      '| 90 % | 45 % (with paths on the host 50 %, with plain transfers 75 %; of the others 60 %) | **missed** |',
    )
    expect(doc).toContain('| their gas | 60 % | 40 % | **missed** |')
  })

  test('has a line for each EVM under runBlock, and how far the target is', () => {
    const side = (name: DropInSide, ...samplesMs: number[]) => ({ name, samplesMs })
    const { machine, adapter, commit, date, node } = replayReport()
    const report: DropInReport = {
      ...{ schema: 'wgevm-drop-in/1', machine, adapter, commit, date, node, transactions: 5000, served: 15_000 },
      sides: [side('createEVM', 30_000, 31_000, 32_000), side('createGpuEvm', 6_200, 6_000, 6_400)],
    }
    const doc = docOf(report)
    expect(doc).toContain('| createEVM | 31,000 | 3.23 % | 6.2 | 5 |')
    expect(doc).toContain('| createGpuEvm | 6,200 | 3.23 % | 1.24 | - |')
    expect(doc).toContain('| `runBlock` with createGpuEvm, against createEVM | 20 times | 5 times | **missed** |')
  })

  test('refuses a result file of another kind by name', () => {
    expect(() => docOf({ schema: 'x' })).toThrow(
      "replay-x.json: expected schema 'wgevm-bench/1', 'wgevm-replay/1', 'wgevm-programs/1', 'wgevm-part/1' or 'wgevm-drop-in/1'",
    )
  })

  test('judges merged blocks after the merge only', () => {
    const { block, number, postMerge, ...run } = replayedBlock()
    const group = { ...run, blocks: [block], asInOwnBlock: 80, rejected: 0, joining: 'side by side' }
    const before = { ...group, fork: 'london', ratio: 1, serialMedianMs: 150 }
    const targets = replayTargets(replayReport({ blocks: [], merged: [before, group] }))
    expect(targets).toEqual([
      {
        what: 'the blocks after the merge, merged, against serial @ethereumjs/vm',
        wanted: '10 times',
        text: '3 times',
        met: false,
      },
    ])
    expect(docOf(replayReport({ blocks: [], merged: [group] }))).toContain('## Real blocks, merged, lavapipe: llvmpipe')
    expect([number, postMerge]).toEqual([15_537_394, true])
  })
})
