import {
  type BlockReplay,
  type MergedReplay,
  onDevice,
  type ReplayReport,
  type ReplayRun,
  type ReplayTotals,
  totalsOf,
} from '../bench/report/replay_schema.ts'
import {
  joinings,
  mergedNote,
  TIER_HEAD,
  TIER_NOTE,
  TIMING_NOTE,
  tierCells,
  totalRows,
} from '../bench/report/replay_text.ts'
import { median, spread } from '../bench/report/statistics.ts'
import { grouped, rounded } from '../bench/report/text.ts'
import { tierChoiceText } from '../bench/tier_choice.ts'
import { markdownTable } from './markdown.ts'

const HEAD = ['transactions', 'Mgas', ...TIER_HEAD, 'rounds', 'ms']
const AGAINST = ['spread', 'serial ms', 'times faster', 'result']

const counts = (run: Pick<ReplayTotals, 'txCount' | 'gas' | 'tiers' | 'tierGas'>): readonly string[] => [
  grouped(run.txCount),
  rounded(run.gas / 1e6),
  ...tierCells(run),
]

const runCells = (run: ReplayRun): readonly string[] => [
  ...counts(run),
  String(run.rounds),
  rounded(run.medianMs),
  run.samplesMs.length > 1 ? `${rounded(100 * spread(run.samplesMs))} %` : '-',
  run.serialSamplesMs.length === 0 ? '-' : rounded(run.serialMedianMs),
  run.ratio === 0 ? '-' : rounded(run.ratio),
  run.verdict,
]

const totalCells = (totals: ReplayTotals): readonly string[] => [
  ...counts(totals),
  '-',
  rounded(totals.medianMs),
  '-',
  totals.serialMedianMs === 0 ? '-' : rounded(totals.serialMedianMs),
  totals.ratio === 0 ? '-' : rounded(totals.ratio),
  '-',
]

const blockTable = (blocks: readonly BlockReplay[]): string =>
  markdownTable(
    ['block', 'fork', ...HEAD, ...AGAINST],
    [
      ...blocks.map((block) => [block.block, block.fork, ...runCells(block)]),
      ...totalRows(blocks).map(([name, totals]) => [`**${name}**`, '', ...totalCells(totals)]),
    ],
  )

const mergedTable = (merged: readonly MergedReplay[]): string => {
  const all = totalsOf(merged)
  return markdownTable(
    ['blocks', 'fork', ...HEAD, ...AGAINST],
    [
      ...merged.map((one) => [String(one.blocks.length), one.fork, ...runCells(one)]),
      ...(all === undefined || merged.length < 2 ? [] : [['**in all**', '', ...totalCells(all)]]),
    ],
  )
}

const TRANSFER_HEAVY = ['mainnet-13287210', 'mainnet-11814555', 'mainnet-5891667']

interface ReplayTarget {
  readonly what: string
  readonly wanted: string
  readonly text: string
  readonly met: boolean
}

/** What the project set itself for real blocks, as far as this replay tells. */
export const replayTargets = ({ blocks, merged = [] }: ReplayReport): readonly ReplayTarget[] => {
  const targets: ReplayTarget[] = []
  const compared = blocks.filter(({ ratio }) => ratio > 0)
  if (compared.length > 0) {
    const worst = compared.reduce((least, block) => (block.ratio < least.ratio ? block : least))
    const middle = median(compared.map(({ ratio }) => ratio))
    targets.push(
      {
        what: 'every block against serial @ethereumjs/vm',
        wanted: '0.9 times',
        text: `${rounded(worst.ratio)} times (${worst.block})`,
        met: worst.ratio >= 0.9,
      },
      { what: 'the median block', wanted: '2 times', text: `${rounded(middle)} times`, met: middle >= 2 },
    )
    for (const name of TRANSFER_HEAVY) {
      const block = compared.find((candidate) => candidate.block === name)
      if (block === undefined) continue
      targets.push({
        what: `${name}, nearly all transfers`,
        wanted: '20 times',
        text: `${rounded(block.ratio)} times`,
        met: block.ratio >= 20,
      })
    }
  }
  const after = totalsOf(blocks.filter(({ postMerge }) => postMerge))
  if (after !== undefined) {
    const share = (count: number) => (100 * count) / Math.max(1, after.txCount)
    const device = share(onDevice(after.tiers))
    const calls = after.txCount - after.tiers.transfer
    const deviceGas = (100 * onDevice(after.tierGas)) / Math.max(1, after.gas)
    targets.push(
      {
        what: 'transactions after the merge that the device executes (paths and lane VM)',
        wanted: '90 %',
        text: `${rounded(device)} % (with paths on the host ${rounded(share(onDevice(after.tiers) + after.tiers.pathHost))} %, with plain transfers ${rounded(share(onDevice(after.tiers) + after.tiers.pathHost + after.tiers.transfer))} %; of the others ${rounded((100 * onDevice(after.tiers)) / Math.max(1, calls))} %)`,
        met: device >= 90,
      },
      {
        what: 'their gas',
        wanted: '60 %',
        text: `${rounded(deviceGas)} %`,
        met: deviceGas >= 60,
      },
    )
  }
  const later = merged.filter(({ fork }) => POST_MERGE.includes(fork))
  const together = totalsOf(later)
  if (together !== undefined && together.ratio > 0) {
    targets.push({
      what: 'the blocks after the merge, merged, against serial @ethereumjs/vm',
      wanted: '10 times',
      text: `${rounded(together.ratio)} times`,
      met: together.ratio >= 10,
    })
  }
  return targets
}

const POST_MERGE: readonly string[] = ['paris', 'shanghai', 'cancun', 'prague', 'osaka', 'op-stack']

/** A replay's part of docs/benchmarks.md. */
export const replaySection = (file: string, report: ReplayReport): string => {
  const { adapter, machine, blocks, merged = [], notRun } = report
  const targets = replayTargets(report)
  const title = merged.length > 0 ? 'Real blocks, merged' : 'Real blocks'
  return [
    `## ${title}, ${adapter.kind}: ${adapter.name}`,
    ...(tierChoiceText(report.tierChoice ?? {}) === undefined
      ? []
      : [`Tiers: ${tierChoiceText(report.tierChoice ?? {})}.`]),
    `Measured ${report.date.slice(0, 10)} at commit \`${report.commit}\` on ${machine.cpu}, ${machine.cores} cores, ${rounded(machine.memoryBytes / 2 ** 30)} GiB; driver ${adapter.driver}; node ${report.node}; [\`${file}\`](../bench/results/${file}).`,
    ...(blocks.length > 0 ? [blockTable(blocks)] : []),
    ...(merged.length > 0
      ? [
          mergedTable(merged),
          `Joined: ${joinings(merged).join('; ')}.`,
          merged.map((one) => `- ${one.fork}: ${mergedNote(one)}`).join('\n'),
        ]
      : []),
    `${TIER_NOTE}.`,
    `${TIMING_NOTE}. Exact: ${[...new Set([...blocks, ...merged].filter(({ verdict }) => verdict === 'exact').map(({ verification }) => verification))].join(', or ')}.`,
    ...(notRun.length > 0 ? [notRun.map(({ block, reason }) => `- ${block} was not run: ${reason}`).join('\n')] : []),
    ...(targets.length > 0
      ? [
          '### Targets (set for two cores and lavapipe)',
          markdownTable(
            ['target', 'at least', 'measured', ''],
            targets.map(({ what, wanted, text, met }) => [what, wanted, text, met ? 'met' : '**missed**']),
          ),
        ]
      : []),
  ].join('\n\n')
}
