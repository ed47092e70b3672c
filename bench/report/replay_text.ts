import type { TransactionExplanation } from '../../host/batch/explain.ts'
import { tierChoiceText } from '../tier_choice.ts'
import {
  type BlockReplay,
  type MergedReplay,
  ofAllTiers,
  onDevice,
  onPaths,
  type ReplayReport,
  type ReplayRun,
  type ReplayTotals,
  totalsOf,
} from './replay_schema.ts'
import { isWide, WIDE_NOTE } from './statistics.ts'
import { deviceMsText, grouped, milliseconds, NOTE_INDENT, rounded, settingLines, spreadText } from './text.ts'
import { folded, foldedAfter, type TextStyle, table } from './text_table.ts'

/** `37 %`; `-` of nothing. */
const shareText = (part: number, whole: number): string =>
  whole === 0 ? '-' : `${Number(((100 * part) / whole).toFixed(1))} %`

/** What the columns of tiers mean, in a line. */
export const TIER_NOTE =
  'transfer: plain transfers, settled in the sweep on the host; paths: path kernels and path programs; VM: the lane VM; device: both; host: path programs of few lanes, on the host; CPU: @ethereumjs/evm'

/** On what level both sides are timed. */
export const TIMING_NOTE =
  'ours: one execute() call, from a batch in typed arrays with given senders to committed state and receipts; serial: ' +
  'runTx of @ethereumjs/vm for each transaction, decoded and with given senders; no roots on either side; both warm, in turns, median'

/** Names of `tierCells`. */
export const TIER_HEAD = ['transfer', 'paths', 'VM', 'host', 'CPU', 'device, by gas', 'VM, by gas', 'CPU, by gas']

/** Shares of the tiers, by transactions and by gas. */
export const tierCells = ({ tiers, tierGas, gas }: Pick<ReplayRun, 'tiers' | 'tierGas' | 'gas'>): readonly string[] => {
  const whole = ofAllTiers(tiers)
  return [
    ...[tiers.transfer, onPaths(tiers), tiers.laneVm, tiers.pathHost, tiers.cpu].map((count) =>
      shareText(count, whole),
    ),
    ...[onDevice(tierGas), tierGas.laneVm, tierGas.cpu].map((used) => shareText(used, gas)),
  ]
}

const HEAD = ['transactions', 'Mgas', ...TIER_HEAD, 'rounds', 'ms', '±', 'device ms', 'serial ms', 'ratio', '']

const cells = (run: Pick<ReplayRun, 'txCount' | 'gas' | 'tiers' | 'tierGas'>): readonly string[] => [
  grouped(run.txCount),
  rounded(run.gas / 1e6),
  ...tierCells(run),
]

const runCells = (run: ReplayRun): readonly string[] => [
  ...cells(run),
  String(run.rounds),
  rounded(run.medianMs),
  spreadText(run.samplesMs),
  deviceMsText(run.deviceTimes),
  run.serialSamplesMs.length === 0 ? '-' : rounded(run.serialMedianMs),
  run.ratio === 0 ? '-' : rounded(run.ratio),
  VERDICTS[run.verdict],
]

const VERDICTS = { exact: 'exact', different: 'DIFFERENT', unchecked: 'not checked' } as const

const totalCells = (totals: ReplayTotals): readonly string[] => [
  ...cells(totals),
  '',
  rounded(totals.medianMs),
  '',
  deviceMsText({ totalMs: totals.deviceMs }),
  totals.serialMedianMs === 0 ? '-' : rounded(totals.serialMedianMs),
  totals.ratio === 0 ? '-' : rounded(totals.ratio),
  '',
]

/** Rows of sums: all blocks, and those after the merge. */
export const totalRows = (blocks: readonly BlockReplay[]): readonly (readonly [string, ReplayTotals])[] => {
  const all = totalsOf(blocks)
  const after = blocks.filter(({ postMerge }) => postMerge)
  const postMerge = after.length === blocks.length ? undefined : totalsOf(after)
  return [
    ...(all === undefined ? [] : [[`all ${all.blocks}`, all] as const]),
    ...(postMerge === undefined ? [] : [[`after the merge: ${postMerge.blocks}`, postMerge] as const]),
  ]
}

const notes = ({ width }: TextStyle): readonly string[] => [folded(TIER_NOTE, width), folded(TIMING_NOTE, width)]

/** The table, the sums, and what went wrong. */
export const replayText = (report: ReplayReport, style: TextStyle): string => {
  const { blocks, merged = [], notRun } = report
  const lines: string[] = []
  if (blocks.length > 0) {
    const rows = blocks.map((block) => [block.block, block.fork, ...runCells(block)])
    const totals = totalRows(blocks).map(([name, sums]) => [name, '', ...totalCells(sums)])
    lines.push(table(['block', 'fork', ...HEAD], [...rows, ...totals], style, 2), ...notes(style))
  }
  if (merged.length > 0) {
    const rows = merged.map((one) => [`${one.blocks.length} merged`, one.fork, ...runCells(one)])
    const all = totalsOf(merged)
    const total = all === undefined || merged.length < 2 ? [] : [['in all', '', ...totalCells(all)]]
    lines.push(
      table(['blocks', 'fork', ...HEAD], [...rows, ...total], style, 2),
      ...joinings(merged).map((joining) => `merged: ${joining}`),
    )
    for (const one of merged) lines.push(`${one.fork}: ${mergedNote(one)}`)
    lines.push(...notes(style))
  }
  const runs = [...blocks.map((block) => [block.block, block] as const), ...merged.map((g) => [g.fork, g] as const)]
  for (const [name, { verdict, verification }] of runs) {
    if (verdict === 'different') lines.push(`DIFFERENT ${name}: ${verification}`)
  }
  for (const [name, { faults }] of runs) for (const fault of faults) lines.push(`device: ${name}: ${fault}`)
  if (notRun.length > 0) {
    const done = runs.map(([name]) => name)
    lines.push(`done: ${done.length === 0 ? 'nothing' : done.join(', ')}`)
    const reasons = new Map<string, string[]>()
    for (const { block, reason } of notRun) reasons.set(reason, [...(reasons.get(reason) ?? []), block])
    for (const [reason, names] of reasons) lines.push(`not done: ${names.join(', ')} (${reason})`)
  }
  const tiers = tierChoiceText(report.tierChoice ?? {})
  if (tiers !== undefined) lines.push(`tiers    ${tiers}`)
  lines.push(...settingLines(report).map((line) => folded(line, style.width, NOTE_INDENT)))
  if (runs.some(([, { samplesMs }]) => isWide(samplesMs))) lines.push(`spread   ${WIDE_NOTE}`)
  return `${lines.join('\n')}\n`
}

/** How merged blocks were joined, each way once. */
export const joinings = (merged: readonly MergedReplay[]): readonly string[] => [
  ...new Set(merged.map(({ joining }) => joining)),
]

export const mergedNote = (merged: MergedReplay): string =>
  `${grouped(merged.asInOwnBlock)} of ${grouped(merged.txCount)} transactions end with the status and gas that they have in their own block, ${grouped(merged.rejected)} are rejected; ${merged.blocks.join(', ')}`

/** One line while the others run. */
export const blockLine = (block: BlockReplay): string => {
  const { verdict, ratio, medianMs } = block
  const times = ratio === 0 ? '' : `, ${rounded(ratio)} times serial @ethereumjs/vm`
  return `${block.block}: ${VERDICTS[verdict]}, ${milliseconds(medianMs)}${times}\n`
}

/** Where the second line of a transaction begins. */
const WHY_INDENT = 10

/** One line for each transaction, folded where it is long. A guard that a transaction met several times is counted. */
export const explainText = (
  block: string,
  explain: readonly TransactionExplanation[],
  gasUsed: ArrayLike<number>,
  style: TextStyle,
): string => {
  const paths = Math.max(1, ...explain.map(({ path }) => path?.length ?? 0))
  const lines = explain.map(({ index, tier, path, why, rounds, exits }) => {
    const left = exits.length === 0 ? '' : ` [${counted(exits).join('; ')}]`
    const gas = grouped(gasUsed[index] ?? 0).padStart(11)
    const start = `  ${String(index).padStart(5)}  ${tier.padEnd(11)} ${(path ?? '-').padEnd(paths)} ${rounds} ${gas}  `
    return foldedAfter(start, `${why}${left}`, style.width, WHY_INDENT)
  })
  return `${[`${block}: tier, path, rounds as a lane, gas, why; exits in brackets`, ...lines].join('\n')}\n`
}

/** Each of the texts once, in the order of the first time, with how often it is there. */
const counted = (texts: readonly string[]): readonly string[] => {
  const counts = new Map<string, number>()
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1)
  return [...counts].map(([text, count]) => (count === 1 ? text : `${text} (${count} times)`))
}
