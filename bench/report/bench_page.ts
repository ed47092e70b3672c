import { plainBars, type Ratio, ratioBars } from './charts.ts'
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
import { type BenchReport, BLOCK_STAGES, labelOf, STAGES, type WorkloadResult } from './schema.ts'
import { isWide, medianIndex, WIDE_NOTE } from './statistics.ts'
import { executeRate, grouped, MEASURED, rounded, spreadText, tierShares } from './text.ts'

/** One self-contained page about a run of the benchmark. */
export const benchPage = async (report: BenchReport): Promise<string> => {
  const { results, skipped, level = 'execute' } = report
  const exits: Record<string, number> = {}
  for (const result of results) {
    for (const [reason, count] of Object.entries(result.exits)) exits[reason] = (exits[reason] ?? 0) + count
  }
  return pageHtml({
    title: 'wgevm: benchmark',
    setting: settingOf(report),
    introduction: [
      `${grouped(new Set(results.map(({ workload }) => workload)).size)} workloads; every result was verified.`,
      ...skipped.map(({ workload, reason }) => `${workload} was not run: ${reason}`),
    ],
    sections: [
      ...headlineSection(results),
      speedSection(results),
      tierSection(results),
      roundSection(
        'workload',
        results.map((result) => ({ label: labelOf(result), rounds: result.rounds })),
      ),
      exitSection(
        exits,
        results.reduce((sum, { txCount }) => sum + txCount, 0),
      ),
      stageSection(
        results.map((result) => ({
          label: labelOf(result),
          stagesMs: result.stagesMs,
          elapsedMs: result.samplesMs[medianIndex(result.samplesMs)] ?? result.medianMs,
        })),
        level === 'block' ? BLOCK_STAGES : STAGES,
      ),
      ...results.flatMap(({ workload, conflicts }) =>
        conflicts === undefined ? [] : [conflictSection(`Which contracts conflict: ${workload}`, conflicts)],
      ),
      measuredSection(report, [
        `tx/s is that of the ${MEASURED[level]}: the median of the samples.`,
        ...peerNotes(results),
      ]),
    ],
  })
}

const peerNotes = (results: readonly WorkloadResult[]): readonly string[] => [
  ...new Set(
    results.flatMap(({ peers }) =>
      peers.map(({ name, level, note }) => `${name}: ${level}${note === '' ? '' : `, ${note}`}.`),
    ),
  ),
]

/** The peers in the order in which they first appear. */
const peerNames = (results: readonly WorkloadResult[]): readonly string[] => [
  ...new Set(results.flatMap(({ peers }) => peers.map(({ name }) => name))),
]

const HEADLINE_COLOURS = ['--mark', '--mark-2', '--tier-vm'] as const

const ratioTo = (result: WorkloadResult, name: string): Ratio | undefined => {
  const peer = result.peers.find((candidate) => candidate.name === name)
  if (peer === undefined) return undefined
  const times = (ms: number) => (1000 * result.txCount) / ms / peer.txPerSecond
  return {
    value: result.txPerSecond / peer.txPerSecond,
    range: [times(Math.max(...result.samplesMs)), times(Math.min(...result.samplesMs))],
  }
}

/** One picture of everything: how many times faster each workload is than each peer. */
const headlineSection = (results: readonly WorkloadResult[]): readonly PageSection[] => {
  const names = peerNames(results)
  if (names.length === 0) return []
  const text = names.map((name) => {
    const values = results.flatMap((result) => ratioTo(result, name)?.value ?? []).sort((a, b) => a - b)
    const [least, most] = [rounded(values[0]!), rounded(values.at(-1)!)]
    return `${least === most ? least : `${least} to ${most}`} times as fast as ${name}.`
  })
  const rows = results
    .map((result) => ({ label: labelOf(result), ratios: names.map((name) => ratioTo(result, name)) }))
    .sort((a, b) => (b.ratios[0]?.value ?? 0) - (a.ratios[0]?.value ?? 0))
  const parts = names.map((name, n) => ({ name, letter: '', colour: HEADLINE_COLOURS[n] ?? '--tier-cpu' }))
  return [
    {
      title: 'Times faster',
      text: [`${text.join(' ')} One logarithmic scale; a bar that goes left of 1 is slower.`],
      charts: [
        {
          label: 'Times faster than each peer, by workload; the line through the end of a bar spans the samples',
          spec: ratioBars(rows, parts, 'times faster'),
          legend: parts,
        },
      ],
    },
  ]
}

const speedSection = (results: readonly WorkloadResult[]): PageSection => {
  const names = peerNames(results)
  const isMarked = results.some(({ samplesMs }) => isWide(samplesMs))
  return {
    title: 'Transactions per second',
    text: [
      'The line at the end of a bar spans the samples. Each chart has its own scale.',
      ...(isMarked ? [WIDE_NOTE] : []),
    ],
    charts: results.map((result) => ({
      label: labelOf(result),
      spec: plainBars([
        {
          label: 'wgevm',
          value: result.txPerSecond,
          text: `${rounded(result.txPerSecond)} tx/s`,
          range: [
            (1000 * result.txCount) / Math.max(...result.samplesMs),
            (1000 * result.txCount) / Math.min(...result.samplesMs),
          ],
        },
        ...result.peers.map((peer) => ({
          label: peer.name,
          value: peer.txPerSecond,
          text: `${rounded(peer.txPerSecond)} tx/s`,
        })),
      ]),
    })),
    table: {
      head: [
        'workload',
        'transactions',
        'tx/s',
        'execute stage, tx/s',
        'spread',
        'Mgas/s',
        ...names.map((name) => `times ${name}`),
      ],
      rows: results.map((result) => [
        labelOf(result),
        grouped(result.txCount),
        rounded(result.txPerSecond),
        executeRate(result),
        spreadText(result.samplesMs),
        rounded(result.mgasPerSecond),
        ...names.map((name) => rounded(ratioTo(result, name)?.value ?? Number.NaN)),
      ]),
    },
  }
}

const tierSection = (results: readonly WorkloadResult[]): PageSection => ({
  title: 'What ran where',
  text: ['Each bar is a workload, cut by the tier that gave the final outcome of its transactions.'],
  charts: [
    tierChart(
      'Tiers by transactions',
      results.map((result) => ({ label: labelOf(result), tiers: result.tiers })),
    ),
  ],
  table: {
    head: ['workload', 'tiers'],
    rows: results.map((result) => [labelOf(result), tierShares(result)]),
    left: 2,
  },
})
