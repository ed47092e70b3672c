import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ReplayReport } from '../bench/report/replay_schema.ts'
import { type BenchReport, STAGES, type WorkloadResult } from '../bench/report/schema.ts'
import { spread } from '../bench/report/statistics.ts'
import { grouped, rounded, speedUp, tierShares } from '../bench/report/text.ts'
import { type Met, TARGETS } from '../bench/targets.ts'
import { markdownTable } from './markdown.ts'
import { replaySection } from './replay_doc.ts'

const RESULTS = join(dirname(fileURLToPath(import.meta.url)), '..', 'bench', 'results')

interface NamedReport {
  readonly file: string
  readonly report: BenchReport | ReplayReport
}

/** The committed result files, by name. */
const committedReports = (folder: string): NamedReport[] =>
  (existsSync(folder) ? readdirSync(folder) : [])
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => ({
      file,
      report: JSON.parse(readFileSync(join(folder, file), 'utf8')) as BenchReport | ReplayReport,
    }))

const peer = (result: WorkloadResult, name: string): string => {
  const found = result.peers.find((candidate) => candidate.name.startsWith(name))
  return found === undefined ? '-' : `${speedUp(result, found)} of ${rounded(found.txPerSecond)}`
}

const speedTable = (results: readonly WorkloadResult[]): string =>
  markdownTable(
    [
      'workload',
      'transactions',
      'tx/s',
      'Mgas/s',
      'spread',
      'against @ethereumjs/vm',
      'against revm',
      'tiers',
      'rounds',
    ],
    results.map((result) => [
      result.workload,
      grouped(result.txCount),
      rounded(result.txPerSecond),
      rounded(result.mgasPerSecond),
      `${rounded(100 * spread(result.samplesMs))} %`,
      peer(result, '@ethereumjs/vm'),
      peer(result, 'revm'),
      tierShares(result),
      String(result.rounds),
    ]),
  )

const stageTable = (results: readonly WorkloadResult[]): string =>
  markdownTable(
    ['workload', 'whole call', ...STAGES, 'first block', 'compile cold', 'compile warm', 'device bytes / tx'],
    results.map((result) => [
      result.workload,
      rounded(result.medianMs),
      ...STAGES.map((stage) => rounded(result.stagesMs[stage])),
      rounded(result.firstBlockMs),
      rounded(result.compileMs.cold),
      rounded(result.compileMs.warm),
      grouped(result.deviceBytesPerTx),
    ]),
  )

const exitTable = (results: readonly WorkloadResult[]): string | undefined => {
  const rows = results.flatMap((result) =>
    Object.entries(result.exits)
      .sort(([, a], [, b]) => b - a)
      .map(([reason, count]) => [result.workload, reason, `${rounded((100 * count) / result.txCount)} %`]),
  )
  return rows.length === 0 ? undefined : markdownTable(['workload', 'executed on the CPU because', 'share'], rows)
}

const metText: Record<Met, string> = { yes: 'met', no: '**missed**', unknown: 'not measured' }

const targetTable = (results: readonly WorkloadResult[]): string =>
  markdownTable(
    ['target', 'at least', 'measured', ''],
    TARGETS.map(({ what, wanted, measure }) => {
      const { text, met } = measure(results)
      return [what, wanted, text, metText[met]]
    }),
  )

const section = ({ file, report }: NamedReport): string => {
  switch (report.schema) {
    case 'wgevm-bench/1':
      return benchSection(file, report)
    case 'wgevm-replay/1':
      return replaySection(file, report)
    default:
      throw new Error(`${file}: expected schema 'wgevm-bench/1' or 'wgevm-replay/1'`)
  }
}

const benchSection = (file: string, report: BenchReport): string => {
  const { adapter, machine, results } = report
  const programs = [...new Set(results.flatMap((result) => result.programs))].sort()
  const verifications = [...new Set(results.map(({ verification }) => verification))]
  const levels = new Map(
    results.flatMap(({ peers }) =>
      peers.map(({ name, level, note }) => [name, `${level}${note === '' ? '' : `, ${note}`}`]),
    ),
  )
  const exits = exitTable(results)
  return [
    `## ${adapter.kind}: ${adapter.name}`,
    `Measured ${report.date.slice(0, 10)} at commit \`${report.commit}\` on ${machine.cpu}, ${machine.cores} cores, ${rounded(machine.memoryBytes / 2 ** 30)} GiB; driver ${adapter.driver}; node ${report.node}; seed ${results[0]?.seed ?? '-'}; [\`${file}\`](../bench/results/${file}).`,
    speedTable(results),
    `Peers: ${[...levels].map(([name, level]) => `${name} (${level})`).join('; ')}.`,
    '### Stages, milliseconds of the median sample',
    stageTable(results),
    ...(exits === undefined ? [] : ['### Exits', exits]),
    '### Targets (set for two cores and lavapipe)',
    targetTable(results),
    '### Verified',
    verifications.map((text) => `- ${text}`).join('\n'),
    '### Contracts',
    programs.map((text) => `- ${text}`).join('\n'),
  ].join('\n\n')
}

const INTRODUCTION = `A sample is one \`execute()\` call: from a batch of decoded transactions in typed arrays to committed state and receipts with
logs and blooms. One executor runs successive blocks on the state they leave behind. Before the first sample its kernels
are compiled and the senders are in its tables; a tenth of the recipients is new in every block. tx/s is the median of
the samples, spread is half their range. Every sample was verified; below each table it is said how. Rows that lose stay in.

The stage \`execute\` is the dispatches and whatever the CPU tier executes; \`validate\` holds the walk that settles versions, balances
and nonces in order.
Peers ran on the same machine in the same run. The level \`execution\` means: decoded transactions with known senders in,
receipts and state out; \`block with sealing\` adds the block's roots and header.

Real blocks are fixtures with the state that they touch. Every pass is checked against the header, and the first one against
serial execution in every receipt and the whole state.

Make your own with \`npm run bench\`; add \`-- all --peers revm --json FILE\` for all that is shown here, and
\`bash scripts/replay_results.sh\` for the real blocks.`

/** docs/benchmarks.md, from the result files in bench/results. */
export const benchmarksDoc = (folder: string = RESULTS): string => {
  const reports = committedReports(folder)
  const sections = reports.length === 0 ? ['No results are committed yet.'] : reports.map(section)
  return `${['<!-- Generated by scripts/benchmarks_doc.ts from bench/results. Do not edit. -->', '# Benchmarks', INTRODUCTION, ...sections].join('\n\n')}\n`
}
