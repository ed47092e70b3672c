import type { ConflictMap } from '../conflict_map.ts'
import type { CutBar, Part } from './charts.ts'
import { plainBars, shareBars, squareMap } from './charts.ts'
import type { PageChart, PageSection } from './page.ts'
import { type BenchReport, BLOCK_STAGES, STAGES, type Stage, type StageTimes, type TierCounts } from './schema.ts'
import { grouped, rounded } from './text.ts'

/** The tiers as parts of a bar, in the order of TIER_VALUES. */
const TIER_PARTS: readonly Part[] = [
  { name: 'plain transfers', letter: 'T', colour: '--tier-transfer' },
  { name: 'path programs', letter: 'P', colour: '--tier-program' },
  { name: 'path kernels', letter: 'K', colour: '--tier-kernel' },
  { name: 'paths on the host', letter: 'H', colour: '--tier-host' },
  { name: 'lane VM', letter: 'L', colour: '--tier-vm' },
  { name: 'CPU', letter: 'C', colour: '--tier-cpu' },
]

const tierValues = ({ transfer, pathProgram, pathKernel, pathHost, laneVm, cpu }: TierCounts): readonly number[] => [
  transfer,
  pathProgram,
  pathKernel,
  pathHost,
  laneVm,
  cpu,
]

/** Bars cut by tier. Tiers that did nothing anywhere are left out. */
export const tierChart = (
  label: string,
  rows: readonly { readonly label: string; readonly tiers: TierCounts }[],
): PageChart => {
  const bars: CutBar[] = rows.map((row) => ({ label: row.label, values: tierValues(row.tiers) }))
  const used = TIER_PARTS.map((_, n) => bars.some(({ values }) => values[n]! > 0))
  const legend = TIER_PARTS.filter((_, n) => used[n])
  const shown = bars.map((bar) => ({ label: bar.label, values: bar.values.filter((_, n) => used[n]) }))
  return { label, spec: shareBars(shown, legend), legend }
}

/** How often the device executed transactions again: a chart where that differs, else a sentence. */
export const roundSection = (
  of: string,
  rows: readonly { readonly label: string; readonly rounds: number }[],
): PageSection => {
  const title = 'Rounds'
  const text = `How often the device executed transactions of a ${of} again, because one before them changed what they read.`
  const first = rows[0]?.rounds
  if (rows.every(({ rounds }) => rounds === first)) {
    return { title, text: [text, first === undefined ? 'There is none.' : `Every ${of}: ${first}.`] }
  }
  return {
    title,
    text: [text],
    charts: [
      {
        label: `Rounds of each ${of}`,
        spec: plainBars(rows.map(({ label, rounds }) => ({ label, value: rounds, text: String(rounds) }))),
      },
    ],
    table: { head: [of, 'rounds'], rows: rows.map(({ label, rounds }) => [label, String(rounds)]) },
  }
}

/** Letters of the stages whose first letter another one has. */
const LETTERS: Readonly<Partial<Record<Stage, string>>> = { readback: 'B', receipts: 'L', roots: 'T' }

const partsOf = (stages: readonly Stage[]): readonly Part[] => [
  ...stages.map((name) => ({
    name,
    letter: LETTERS[name] ?? name[0]!.toUpperCase(),
    colour: `--stage-${BLOCK_STAGES.indexOf(name)}`,
  })),
  { name: 'outside', letter: 'O', colour: `--stage-${BLOCK_STAGES.length}` },
]

/** Where the time of a call went; `elapsedMs` is the whole call. */
export interface StageRow {
  readonly label: string
  readonly stagesMs: StageTimes
  readonly elapsedMs: number
}

const stageValues = ({ stagesMs, elapsedMs }: StageRow, names: readonly Stage[]): readonly number[] => {
  const stages = names.map((stage) => stagesMs[stage] ?? 0)
  return [...stages, Math.max(0, elapsedMs - stages.reduce((sum, ms) => sum + ms, 0))]
}

export const stageSection = (rows: readonly StageRow[], stages: readonly Stage[] = STAGES): PageSection => {
  const parts = partsOf(stages)
  return {
    title: 'Where the time goes',
    text: [
      'Stages of the call with the median time, in milliseconds. The device works beside the host: execute is only the waiting for ' +
        'it, and the CPU tier. Outside the stages: compilation that was waited for, and the garbage collector.',
    ],
    charts: [
      {
        label: 'Share of each stage in the time of a call',
        spec: shareBars(
          rows.map((row) => ({ label: row.label, values: stageValues(row, stages) })),
          parts,
        ),
        legend: parts,
      },
    ],
    table: {
      head: ['', 'whole call', ...parts.map(({ name }) => name)],
      rows: rows.map((row) => [row.label, rounded(row.elapsedMs), ...stageValues(row, stages).map(rounded)]),
    },
  }
}

/** Reasons that a chart shows; the table has all of them. */
const SHOWN_REASONS = 20

export const exitSection = (exits: Readonly<Record<string, number>>, txCount: number): PageSection => {
  const sorted = Object.entries(exits).sort(([, a], [, b]) => b - a)
  const share = (count: number) => `${Number(((100 * count) / Math.max(1, txCount)).toFixed(2))} %`
  const title = 'Why transactions ran on the CPU'
  if (sorted.length === 0) return { title, text: ['None did.'] }
  return {
    title,
    text: [
      `${grouped(sorted.reduce((sum, [, count]) => sum + count, 0))} of ${grouped(txCount)} transactions, by reason.`,
    ],
    charts: [
      {
        label: `Transactions on the CPU tier by reason${sorted.length > SHOWN_REASONS ? `, the ${SHOWN_REASONS} most frequent` : ''}`,
        spec: plainBars(
          sorted
            .slice(0, SHOWN_REASONS)
            .map(([reason, count]) => ({ label: reason, value: count, text: `${grouped(count)} (${share(count)})` })),
        ),
      },
    ],
    table: {
      head: ['reason', 'transactions', 'share'],
      rows: sorted.map(([reason, count]) => [reason, grouped(count), share(count)]),
    },
  }
}

/** Contracts that most readers know by name, on mainnet. */
const NAMES: Readonly<Record<string, string>> = {
  '0xdac17f958d2ee523a2206206994597c13d831ec7': 'USDT',
  '0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48': 'USDC',
  '0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2': 'WETH',
  '0x7a250d5630b4cf539739df2c5dacb4c659f2488d': 'Uniswap V2 router',
  '0xe592427a0aece92de3edee1f18e0157c05861564': 'Uniswap V3 router',
  '0x68b3465833fb72a70ecdf485e0e4c7bd8665fc45': 'Uniswap router 2',
  '0xef1c6e67703c7bd7107eed8303fbe6ec2554bf6b': 'Uniswap universal router',
  '0x3fc91a3afd70395cd496c647d5a6cc9d4b2b7fad': 'Uniswap universal router 2',
}

const contractName = (address: string): string => NAMES[address] ?? `${address.slice(0, 6)}…${address.slice(-4)}`

/** Pairs in the table; the map shows all. */
const SHOWN_PAIRS = 30

export const conflictSection = (title: string, map: ConflictMap): PageSection => {
  const { contracts, transactions, counts, leftOut, blocks } = map
  const n = contracts.length
  const text = [
    'Row: the contract whose transactions access a storage slot. Column: the contract whose transactions change it. In a cell: the ' +
      'number of (transaction, other transaction of the same block, slot) where that is so. A large number on the diagonal is a ' +
      'contract whose users meet each other; beside it, contracts that meet through a third one. Balances are not counted.',
  ]
  if (n === 0) return { title, text: ['No transaction calls a contract.'] }
  if (leftOut.contracts > 0) {
    text.push(
      `The ${n} contracts that most transactions call, over ${grouped(blocks)} ${blocks === 1 ? 'block' : 'blocks'}; ${grouped(leftOut.contracts)} more with ${grouped(leftOut.transactions)} transactions are left out.`,
    )
  }
  const names = contracts.map(contractName)
  const pairs = counts
    .map((count, at) => ({ count, a: Math.floor(at / n), b: at % n }))
    .filter(({ count }) => count > 0)
    .sort((x, y) => y.count - x.count)
  return {
    title,
    text,
    // The table says as much of a single contract.
    ...(n === 1
      ? {}
      : {
          charts: [
            {
              label: 'Conflict map: accesses of the row met by changes of the column',
              spec: squareMap(names, counts, 'accesses', 'changes'),
            },
          ],
        }),
    table: {
      head: ['accessing contract', 'changing contract', 'count', 'transactions', 'of the other'],
      rows: pairs
        .slice(0, SHOWN_PAIRS)
        .map(({ count, a, b }) => [
          names[a]!,
          names[b]!,
          grouped(count),
          grouped(transactions[a]!),
          grouped(transactions[b]!),
        ]),
      left: 2,
    },
  }
}

type MeasuredReport = Pick<BenchReport, 'adapter' | 'machine' | 'node' | 'commit' | 'date'>

/** Adapter, machine and time, for the top of a page. */
export const settingOf = ({ adapter, machine, node, commit, date }: MeasuredReport): readonly string[] => [
  `${adapter.kind}: ${adapter.name}, ${adapter.driver}`,
  `${machine.cpu}, ${machine.cores} cores, ${rounded(machine.memoryBytes / 2 ** 30)} GiB; node ${node}`,
  `commit ${commit}, ${date.slice(0, 16).replace('T', ' ')} UTC`,
]

/** Where and how it was measured. */
export const measuredSection = (report: MeasuredReport, notes: readonly string[]): PageSection => ({
  title: 'How it was measured',
  text: notes,
  table: {
    head: ['', ''],
    rows: [
      ['device', `${report.adapter.kind}: ${report.adapter.name}`],
      ['driver', report.adapter.driver],
      [
        'machine',
        `${report.machine.cpu}, ${report.machine.cores} cores, ${rounded(report.machine.memoryBytes / 2 ** 30)} GiB`,
      ],
      ['node', report.node],
      ['commit', report.commit],
      ['date', report.date],
    ],
    left: 2,
  },
})
