import { ratioBars } from './charts.ts'
import { type PageSection, pageHtml } from './page.ts'
import {
  conflictSection,
  exitSection,
  measuredSection,
  roundSection,
  settingOf,
  stageSection,
  tierChart,
} from './page_parts.ts'
import { type BlockReplay, type ReplayReport, totalsOf } from './replay_schema.ts'
import { TIER_HEAD, TIER_NOTE, TIMING_NOTE, tierCells, totalRows } from './replay_text.ts'
import { isWide, median, medianIndex, WIDE_NOTE } from './statistics.ts'
import { deviceMsText, grouped, rounded, spreadText } from './text.ts'

/**
 * One self-contained page about a replay: what ran where, how fast against the serial peer, and what conflicts with
 * what.
 */
export const replayPage = async (report: ReplayReport): Promise<string> => {
  const { blocks, notRun, conflicts } = report
  const exact = blocks.filter(({ verdict }) => verdict === 'exact').length
  const introduction = [
    `${grouped(blocks.length)} blocks with ${grouped(blocks.reduce((sum, { txCount }) => sum + txCount, 0))} transactions; ${exact === blocks.length ? 'every one' : grouped(exact)} gave the exact result.`,
    ...blocks
      .filter(({ verdict }) => verdict !== 'exact')
      .map(({ block, verification }) => `${block}: ${verification}`),
    ...notRun.map(({ block, reason }) => `${block} was not run: ${reason}`),
  ]
  const exits: Record<string, number> = {}
  for (const block of blocks) {
    for (const [reason, count] of Object.entries(block.exits)) exits[reason] = (exits[reason] ?? 0) + count
  }
  return pageHtml({
    title: 'wgevm: real blocks',
    setting: settingOf(report),
    introduction,
    sections: [
      ...headlineSection(blocks),
      totalSection(blocks),
      tierSection(blocks),
      timeSection(blocks),
      roundSection(
        'block',
        blocks.map((block) => ({ label: shortName(block), rounds: block.rounds })),
      ),
      exitSection(
        exits,
        blocks.reduce((sum, { txCount }) => sum + txCount, 0),
      ),
      stageSection(
        blocks.map((block) => ({
          label: shortName(block),
          stagesMs: block.stagesMs,
          elapsedMs: block.samplesMs[medianIndex(block.samplesMs)] ?? 0,
        })),
      ),
      ...(conflicts === undefined ? [] : [conflictSection('Which contracts conflict with which', conflicts)]),
      measuredSection(report, [TIMING_NOTE, `Warm: ${[...new Set(blocks.map(({ warm }) => warm))].join('; ')}.`]),
    ],
  })
}

/** `mainnet-46147` without the chain that nearly all share. */
const shortName = ({ block }: BlockReplay): string => block.replace(/^mainnet-/, '')

const totalSection = (blocks: readonly BlockReplay[]): PageSection => ({
  title: 'In all',
  text: [TIER_NOTE],
  table: {
    head: ['blocks', 'transactions', 'Mgas', ...TIER_HEAD, 'against serial'],
    rows: totalRows(blocks).map(([name, totals]) => [
      name,
      grouped(totals.txCount),
      rounded(totals.gas / 1e6),
      ...tierCells(totals),
      totals.ratio === 0 ? '-' : `${rounded(totals.ratio)} times`,
    ]),
  },
})

const tierSection = (blocks: readonly BlockReplay[]): PageSection => {
  const filled = blocks.filter(({ txCount }) => txCount > 0)
  return {
    title: 'What ran where',
    text: ['Each bar is a block, cut by the tier that gave the final outcome of its transactions.'],
    charts: (['tiers', 'tierGas'] as const)
      .filter(() => filled.length > 0)
      .map((counts) =>
        tierChart(
          counts === 'tiers' ? 'Tiers by transactions' : 'Tiers by gas used',
          filled.map((block) => ({ label: shortName(block), tiers: block[counts] })),
        ),
      ),
    table: {
      head: ['block', 'fork', 'transactions', 'Mgas', ...TIER_HEAD, 'result'],
      rows: blocks.map((block) => [
        block.block,
        block.fork,
        grouped(block.txCount),
        rounded(block.gas / 1e6),
        ...tierCells(block),
        block.verdict,
      ]),
      left: 2,
    },
  }
}

const PEER = [{ name: 'serial @ethereumjs/vm', letter: '', colour: '--mark' }]

/** One picture of everything: how many times faster each block is than serial execution. */
const headlineSection = (blocks: readonly BlockReplay[]): readonly PageSection[] => {
  const compared = blocks.filter(({ ratio }) => ratio > 0).sort((a, b) => b.ratio - a.ratio)
  const all = totalsOf(compared)
  if (all === undefined) return []
  const range = ({ samplesMs, serialSamplesMs }: BlockReplay): readonly [number, number] => [
    Math.min(...serialSamplesMs) / Math.max(...samplesMs),
    Math.max(...serialSamplesMs) / Math.min(...samplesMs),
  ]
  const middle = median(compared.map(({ ratio }) => ratio))
  return [
    {
      title: 'Times faster',
      text: [
        `Against serial @ethereumjs/vm in the same run: all blocks together ${rounded(all.ratio)} times as fast, the median block ` +
          `${rounded(middle)} times, the slowest ${rounded(compared.at(-1)!.ratio)}, the fastest ${rounded(compared[0]!.ratio)}.`,
      ],
      charts: [
        {
          label:
            'Times faster than serial @ethereumjs/vm, by block, on a logarithmic scale; the line at the end of a bar spans what the ' +
            'slowest and the fastest passes of both sides would give; a bar that goes left of 1 is slower',
          spec: ratioBars(
            compared.map((block) => ({
              label: shortName(block),
              ratios: [{ value: block.ratio, range: range(block) }],
            })),
            PEER,
            'times faster',
          ),
        },
      ],
    },
  ]
}

const timeSection = (blocks: readonly BlockReplay[]): PageSection => ({
  title: 'Time against serial execution',
  text: blocks.some(({ samplesMs, serialSamplesMs }) => isWide(samplesMs) || isWide(serialSamplesMs))
    ? [WIDE_NOTE]
    : [],
  table: {
    head: [
      'block',
      'ms',
      'spread',
      'device ms',
      'serial ms',
      'spread',
      'times',
      'passes',
      'first pass, ms',
      'compiled, ms',
    ],
    rows: blocks.map((block) => [
      block.block,
      rounded(block.medianMs),
      spreadText(block.samplesMs),
      deviceMsText(block.deviceTimes),
      block.serialSamplesMs.length === 0 ? '-' : rounded(block.serialMedianMs),
      spreadText(block.serialSamplesMs),
      block.ratio === 0 ? '-' : rounded(block.ratio),
      String(block.samplesMs.length),
      rounded(block.firstMs),
      rounded(block.compileMs),
    ]),
  },
})
