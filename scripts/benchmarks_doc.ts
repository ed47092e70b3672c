import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type DropInReport, dropInRatio, dropInRows } from '../bench/drop_in.ts'
import type { PartReport } from '../bench/parts/part.ts'
import { meanText, PROGRAM_HEAD, programCells } from '../bench/report/programs_text.ts'
import type { BlockLevelReport } from '../bench/report/real_blocks_schema.ts'
import type { ReplayReport } from '../bench/report/replay_schema.ts'
import { type BenchReport, STAGES, type WorkloadResult } from '../bench/report/schema.ts'
import { spread } from '../bench/report/statistics.ts'
import { executeRate, grouped, rounded, speedUp, tierShares } from '../bench/report/text.ts'
import { geometricMean, isInMean, type ProgramsReport, timesSerial } from '../bench/simulation/program_session.ts'
import type { ProgramReport } from '../bench/simulation/run_program.ts'
import { type Met, targetsOf } from '../bench/targets.ts'
import { tierChoiceText } from '../bench/tier_choice.ts'
import { blockSection, measuredAt, partsSection, realBlocksSection } from './blocks_doc.ts'
import { markdownTable } from './markdown.ts'
import { replaySection } from './replay_doc.ts'

const RESULTS = join(dirname(fileURLToPath(import.meta.url)), '..', 'bench', 'results')

interface NamedReport {
  readonly file: string
  readonly report: BenchReport | ReplayReport | ProgramsReport | DropInReport | PartReport | BlockLevelReport
}

/** The committed result files, by name. */
const committedReports = (folder: string): NamedReport[] =>
  (existsSync(folder) ? readdirSync(folder) : [])
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => ({
      file,
      report: JSON.parse(readFileSync(join(folder, file), 'utf8')) as NamedReport['report'],
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
      'execute stage, tx/s',
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
      executeRate(result),
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

const targetTable = (report: BenchReport): string =>
  markdownTable(
    ['target', 'at least', 'measured', ''],
    targetsOf(report).map(({ what, wanted, measure }) => {
      const { text, met } = measure(report.results)
      return [what, wanted, text, metText[met]]
    }),
  )

const section = ({ file, report }: NamedReport, reports: readonly NamedReport[]): string => {
  switch (report.schema) {
    case 'wgevm-bench/1':
      return report.level === 'block' ? blockSection(file, report) : benchSection(file, report)
    case 'wgevm-part/1':
      return partsSection(file, report)
    case 'wgevm-real-blocks/1':
      return realBlocksSection(file, report)
    case 'wgevm-replay/1':
      return replaySection(file, report)
    case 'wgevm-programs/1':
      return programSection(file, report, reports)
    case 'wgevm-drop-in/1':
      return dropInSection(file, report)
    default:
      throw new Error(
        `${file}: expected schema 'wgevm-bench/1', 'wgevm-replay/1', 'wgevm-programs/1', 'wgevm-part/1' or 'wgevm-drop-in/1'`,
      )
  }
}

const DROP_IN_TARGET = 20

const dropInSection = (file: string, report: DropInReport): string => {
  const { adapter, transactions, sides, served } = report
  const ratio = dropInRatio(report)
  return [
    `## \`runBlock\` of @ethereumjs/vm with createGpuEvm, ${adapter.kind}: ${adapter.name}`,
    measuredAt(file, report),
    `${sides[0]!.samplesMs.length} blocks of ${grouped(transactions)} ERC-20 payments from as many senders come in as RLP; \`runBlock\` is as its authors wrote it, recovers the senders, and checks transactions, receipts, bloom, gas and state root against the header. createGpuEvm served ${grouped(served)} calls from ahead, those of a block in front included. The EVM that does nothing returns from every call at once: what it takes is what \`runBlock\` does around any EVM.`,
    markdownTable(['EVM', 'ms a block', '±', 'ms a transaction', 'times what createGpuEvm takes'], dropInRows(report)),
    '### Targets (set for two cores and lavapipe)',
    markdownTable(
      ['target', 'at least', 'measured', ''],
      [
        [
          '`runBlock` with createGpuEvm, against createEVM',
          `${DROP_IN_TARGET} times`,
          `${rounded(ratio)} times`,
          metText[ratio >= DROP_IN_TARGET ? 'yes' : 'no'],
        ],
      ],
    ),
  ].join('\n\n')
}

const SWAP_TARGETS = ['real.uniswap_v2', 'real.uniswap_v3']

const programTargets = (results: readonly ProgramReport[]): readonly (readonly string[])[] => {
  const row = (what: string, wanted: number, times: number | undefined) => [
    what,
    `${wanted} times`,
    times === undefined ? '-' : `${rounded(times)} times`,
    metText[times === undefined ? 'unknown' : times >= wanted ? 'yes' : 'no'],
  ]
  const swaps = SWAP_TARGETS.map((name) => {
    const found = results.find(({ program }) => program === name)
    return row(`swaps of \`${name}\`, against serial @ethereumjs/evm`, 100, found && timesSerial(found))
  })
  const counted = results.filter(isInMean)
  const mean = counted.length === 0 ? undefined : geometricMean(counted.map(timesSerial))
  return [...swaps, row('programs of evmone and revmc in the geometric mean, against serial @ethereumjs/evm', 20, mean)]
}

/** Targets stand after the last of the files, since they are about all programs. */
const programSection = (file: string, report: ProgramsReport, reports: readonly NamedReport[]): string => {
  const all = reports.flatMap((named) => (named.report.schema === 'wgevm-programs/1' ? [named.report] : []))
  const { adapter, machine, results, failed, revmNote } = report
  const tiers = tierChoiceText(results[0]?.tierChoice ?? {})
  const exits = results.flatMap(({ program, lanes, exits: reasons }) =>
    Object.entries(reasons).map(([reason, count]) => [program, reason, `${rounded((100 * count) / lanes)} %`]),
  )
  return [
    `## Programs, ${adapter.kind}: ${adapter.name}${tiers === undefined ? '' : `, ${tiers}`}`,
    `Measured ${report.date.slice(0, 10)} at commit \`${report.commit}\` on ${machine.cpu}, ${machine.cores} cores, ${rounded(machine.memoryBytes / 2 ** 30)} GiB; driver ${adapter.driver}; node ${report.node}; seed ${results[0]?.seed ?? '-'}; [\`${file}\`](../bench/results/${file}).`,
    'Each program runs as one simulation of independent calls, with callers and input varied where the program takes any without ending otherwise; long ones in fewer lanes. Every verified lane gave status, gas, refund, output and logs of serial @ethereumjs/evm.',
    markdownTable(PROGRAM_HEAD, results.map(programCells)),
    `${meanText(results)}. revm is native, on one core, and seals its block${revmNote === undefined ? '' : ` (not measured: ${revmNote})`}.`,
    ...(exits.length === 0 ? [] : [markdownTable(['program', 'executed on the CPU because', 'share'], exits)]),
    ...(failed.length === 0 ? [] : [failed.map(({ program, reason }) => `- ${program}: ${reason}`).join('\n')]),
    ...(all.at(-1) === report
      ? [
          '### Targets (set for two cores and lavapipe), over all programs',
          markdownTable(['target', 'at least', 'measured', ''], programTargets(all.flatMap((one) => one.results))),
        ]
      : []),
  ].join('\n\n')
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
  const tiers = tierChoiceText(report.tierChoice ?? {})
  return [
    `## ${adapter.kind}: ${adapter.name}${tiers === undefined ? '' : `, ${tiers}`}`,
    `Measured ${report.date.slice(0, 10)} at commit \`${report.commit}\` on ${machine.cpu}, ${machine.cores} cores, ${rounded(machine.memoryBytes / 2 ** 30)} GiB; driver ${adapter.driver}; node ${report.node}; seed ${results[0]?.seed ?? '-'}; [\`${file}\`](../bench/results/${file}).`,
    speedTable(results),
    `Peers: ${[...levels].map(([name, level]) => `${name} (${level})`).join('; ')}.`,
    '### Stages, milliseconds of the median sample',
    stageTable(results),
    ...(exits === undefined ? [] : ['### Exits', exits]),
    '### Targets (set for two cores and lavapipe)',
    targetTable(report),
    '### Verified',
    verifications.map((text) => `- ${text}`).join('\n'),
    '### Contracts',
    programs.map((text) => `- ${text}`).join('\n'),
  ].join('\n\n')
}

const INTRODUCTION = `A sample is one \`execute()\` call: from a batch of decoded transactions in typed arrays to committed
state and receipts; logs and blooms are made when they are read. One executor runs successive blocks on the state they
leave behind. Before the first sample its kernels are compiled and the senders are in its tables; a tenth of the
recipients is new in every block.
tx/s is the median of the samples, spread is half their range. Every sample was verified; how is said below each table.
Rows that lose stay in.

The stage \`execute\` is the dispatches and whatever the CPU tier executes; \`validate\` holds the sweep, which settles
versions, balances and nonces in order. Peers ran on the same machine in the same run. The level \`execution\` means:
decoded transactions with known senders in, receipts and state out; \`block with sealing\` adds the block's roots and
header.

Real blocks are fixtures with the state that they touch. Every pass is checked against the header, and the first one
against serial execution in every receipt and the whole state.

Make your own with \`npm run bench\`; add \`-- all --peers revm --json FILE\` for all that is shown here, and
\`bash scripts/replay_results.sh\` for the real blocks. \`bash scripts/lane_vm_results.sh\` makes those of the lane VM,
\`npm run drop-in\` that of createGpuEvm, \`npm run bench -- --level block\` and \`npm run bench -- senders keccak trie\`
those of whole blocks and their parts.`

/** docs/benchmarks.md, from the result files in bench/results. */
export const benchmarksDoc = (folder: string = RESULTS): string => {
  const reports = committedReports(folder)
  const sections =
    reports.length === 0 ? ['No results are committed yet.'] : reports.map((one) => section(one, reports))
  return `${['<!-- Generated by scripts/benchmarks_doc.ts from bench/results. Do not edit. -->', '# Benchmarks', INTRODUCTION, ...sections].join('\n\n')}\n`
}
