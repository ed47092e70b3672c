import { plainBars } from './charts.ts'
import { type PageSection, pageHtml } from './page.ts'
import { conflictSection, exitSection, measuredSection, stageSection, tierBars } from './page_parts.ts'
import type { BenchReport, WorkloadResult } from './schema.ts'
import { medianIndex, spread } from './statistics.ts'
import { executeRate, grouped, rounded, speedUp, tierShares } from './text.ts'

/** One self-contained page about a run of the benchmark. */
export const benchPage = async (report: BenchReport): Promise<string> => {
  const { results, skipped } = report
  const exits: Record<string, number> = {}
  for (const result of results) {
    for (const [reason, count] of Object.entries(result.exits)) exits[reason] = (exits[reason] ?? 0) + count
  }
  return pageHtml({
    title: 'wgevm: benchmark',
    introduction: [
      `${grouped(results.length)} workloads; every result was verified.`,
      ...skipped.map(({ workload, reason }) => `${workload} was not run: ${reason}`),
    ],
    sections: [
      speedSection(results),
      tierSection(results),
      roundSection(results),
      exitSection(
        exits,
        results.reduce((sum, { txCount }) => sum + txCount, 0),
      ),
      stageSection(
        results.map(({ workload, stagesMs, samplesMs, medianMs }) => ({
          label: workload,
          stagesMs,
          elapsedMs: samplesMs[medianIndex(samplesMs)] ?? medianMs,
        })),
      ),
      ...results.flatMap(({ workload, conflicts }) =>
        conflicts === undefined ? [] : [conflictSection(`Which contracts conflict: ${workload}`, conflicts)],
      ),
      measuredSection(report, [
        'tx/s is that of the whole execute() call, from a batch in typed arrays to committed state and receipts with blooms: the ' +
          'median of the samples.',
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

const speedSection = (results: readonly WorkloadResult[]): PageSection => ({
  title: 'Speed against the peers',
  text: ['Transactions per second; the line behind a bar spans the samples. Each chart has its own scale.'],
  charts: results.map((result) => ({
    label: `${result.workload}: transactions per second`,
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
    head: ['workload', 'transactions', 'tx/s', 'execute stage, tx/s', 'spread', 'Mgas/s', 'against the peers'],
    rows: results.map((result) => [
      result.workload,
      grouped(result.txCount),
      rounded(result.txPerSecond),
      executeRate(result),
      result.samplesMs.length > 1 ? `${rounded(100 * spread(result.samplesMs))} %` : '-',
      rounded(result.mgasPerSecond),
      result.peers.map((peer) => `${speedUp(result, peer)} of ${peer.name}`).join(', '),
    ]),
  },
})

const tierSection = (results: readonly WorkloadResult[]): PageSection => ({
  title: 'What ran where',
  text: ['Each bar is a workload, cut by the tier that gave the final outcome of its transactions.'],
  charts: [
    {
      label: 'Tiers by transactions',
      spec: tierBars(results.map(({ workload, tiers }) => ({ label: workload, tiers }))),
    },
  ],
  table: {
    head: ['workload', 'tiers'],
    rows: results.map((result) => [result.workload, tierShares(result)]),
    left: 2,
  },
})

const roundSection = (results: readonly WorkloadResult[]): PageSection => ({
  title: 'Rounds',
  text: ['How often the device executed transactions again, because one before them changed what they read.'],
  charts: [
    {
      label: 'Rounds of each workload',
      spec: plainBars(
        results.map(({ workload, rounds }) => ({ label: workload, value: rounds, text: String(rounds) })),
      ),
    },
  ],
  table: { head: ['workload', 'rounds'], rows: results.map(({ workload, rounds }) => [workload, String(rounds)]) },
})
