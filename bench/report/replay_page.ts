import { plainBars, ratioPoints } from './charts.ts'
import { type PageSection, pageHtml } from './page.ts'
import { conflictSection, exitSection, measuredSection, stageSection, tierBars } from './page_parts.ts'
import type { BlockReplay, ReplayReport } from './replay_schema.ts'
import { TIER_HEAD, TIER_NOTE, TIMING_NOTE, tierCells, totalRows } from './replay_text.ts'
import { medianIndex, spread } from './statistics.ts'
import { grouped, rounded } from './text.ts'

/** One self-contained page about a replay: what ran where, how fast against the serial peer, and what conflicts with what. */
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
    introduction,
    sections: [
      totalSection(blocks),
      tierSection(blocks),
      timeSection(blocks),
      roundSection(blocks),
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
      .map((counts) => ({
        label: counts === 'tiers' ? 'Tiers by transactions' : 'Tiers by gas used',
        spec: tierBars(filled.map((block) => ({ label: shortName(block), tiers: block[counts] }))),
      })),
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

const timeSection = (blocks: readonly BlockReplay[]): PageSection => {
  const compared = blocks.filter(({ ratio }) => ratio > 0)
  const range = ({ samplesMs, serialSamplesMs }: BlockReplay): readonly [number, number] => [
    Math.min(...serialSamplesMs) / Math.max(...samplesMs),
    Math.max(...serialSamplesMs) / Math.min(...samplesMs),
  ]
  const plusMinus = (samples: readonly number[]) => (samples.length > 1 ? `${rounded(100 * spread(samples))} %` : '-')
  return {
    title: 'Time against serial execution',
    text: [
      'Times faster than serial @ethereumjs/vm in the same run. The line through a point spans what the slowest and the fastest ' +
        'passes of both sides would give. Left of the dashed line serial execution is faster.',
    ],
    ...(compared.length === 0
      ? {}
      : {
          charts: [
            {
              label: 'Times faster than serial @ethereumjs/vm',
              spec: ratioPoints(
                compared.map((block) => ({ label: shortName(block), value: block.ratio, range: range(block) })),
                'times faster',
              ),
            },
          ],
        }),
    table: {
      head: ['block', 'ms', 'spread', 'serial ms', 'spread', 'times', 'passes', 'first pass, ms', 'compiled, ms'],
      rows: blocks.map((block) => [
        block.block,
        rounded(block.medianMs),
        plusMinus(block.samplesMs),
        block.serialSamplesMs.length === 0 ? '-' : rounded(block.serialMedianMs),
        plusMinus(block.serialSamplesMs),
        block.ratio === 0 ? '-' : rounded(block.ratio),
        String(block.samplesMs.length),
        rounded(block.firstMs),
        rounded(block.compileMs),
      ]),
    },
  }
}

const roundSection = (blocks: readonly BlockReplay[]): PageSection => ({
  title: 'Rounds',
  text: [
    'How often the device executed transactions of the block again, because one before them changed what they read.',
  ],
  charts: [
    {
      label: 'Rounds of each block',
      spec: plainBars(
        blocks.map((block) => ({ label: shortName(block), value: block.rounds, text: String(block.rounds) })),
      ),
    },
  ],
  table: { head: ['block', 'rounds'], rows: blocks.map(({ block, rounds }) => [block, String(rounds)]) },
})
