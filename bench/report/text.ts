import colors from 'picocolors'
import type { DeviceTimes } from '../../host/device/clock.ts'
import { FIRST_LANE_BYTES } from '../lane_memory.ts'
import { tierChoiceText } from '../tier_choice.ts'
import { type BenchLevel, type BenchReport, labelOf, type PeerResult, stagesOf, type WorkloadResult } from './schema.ts'
import { isWide, medianIndex, spread, WIDE_NOTE } from './statistics.ts'
import { factTable, folded, MEASURE, type TextStyle, table } from './text_table.ts'

/** 1,234,567 */
export const grouped = (value: number): string => Math.round(value).toLocaleString('en-US')

/** Three significant digits, grouped from 1000 on. */
export const rounded = (value: number): string => {
  if (!Number.isFinite(value)) return '-'
  if (value >= 1000) return grouped(Number(value.toPrecision(3)))
  return String(Number(value.toPrecision(3)))
}

export const milliseconds = (ms: number): string => (ms >= 10_000 ? `${rounded(ms / 1000)} s` : `${rounded(ms)} ms`)

const percent = (part: number, whole: number): string => {
  const share = whole === 0 ? 0 : (100 * part) / whole
  return `${share > 0 && share < 0.1 ? '<0.1' : Number(share.toFixed(1))} %`
}

const TIER_NAMES = {
  pathKernel: 'path kernels',
  pathProgram: 'path programs',
  pathHost: 'paths on the host',
  laneVm: 'lane VM',
  transfer: 'plain transfers',
  cpu: 'CPU',
} as const

/** `path kernels 98.2 %, CPU 1.8 %`: tiers that ran nothing are left out. */
export const tierShares = ({ tiers, txCount }: WorkloadResult): string =>
  (Object.keys(TIER_NAMES) as (keyof typeof TIER_NAMES)[])
    .filter((tier) => tiers[tier] > 0)
    .map((tier) => `${TIER_NAMES[tier]} ${percent(tiers[tier], txCount)}`)
    .join(', ')

/**
 * Transactions per second of the execute stage alone: the device's work, and what the CPU tier executes; `-` where it
 * did nothing.
 */
export const executeRate = ({ txCount, stagesMs }: WorkloadResult): string =>
  stagesMs.execute === 0 ? '-' : rounded((1000 * txCount) / stagesMs.execute)

/** `8.5 %`, marked where it is wide; `-` of one sample. */
export const spreadText = (samples: readonly number[]): string =>
  samples.length < 2 ? '-' : `${rounded(100 * spread(samples))} %${isWide(samples) ? ' !' : ''}`

/** Times faster or slower than a peer, as in `12.3x` or `0.4x`. */
export const speedUp = (result: WorkloadResult, peer: PeerResult): string =>
  `${rounded(result.txPerSecond / peer.txPerSecond)}x`

const BAR = '█'
const ASCII_BAR = '#'

/** A bar of `length` cells, at least one for what is not zero. */
const bar = (share: number, length: number, { decorated }: TextStyle): string =>
  (decorated ? BAR : ASCII_BAR).repeat(share <= 0 ? 0 : Math.max(1, Math.round(share * length)))

interface Bar {
  readonly label: string
  readonly value: number
  readonly text: string
}

/** Horizontal bars, the longest as wide as there is room. */
const barChart = (bars: readonly Bar[], style: TextStyle): string => {
  const labels = Math.max(...bars.map(({ label }) => label.length))
  const texts = Math.max(...bars.map(({ text }) => text.length))
  const room = Math.max(8, Math.min(MEASURE, style.width) - labels - texts - 6)
  const top = Math.max(...bars.map(({ value }) => value))
  return bars
    .map(({ label, value, text }) => {
      const drawn = bar(top === 0 ? 0 : value / top, room, style)
      return `  ${label.padEnd(labels)}  ${style.decorated ? colors.cyan(drawn) : drawn} ${text}`
    })
    .join('\n')
}

/** What the stages do not hold: compilation inside the call, and the garbage collector between them. */
const stageLine = (result: WorkloadResult): string => {
  const { stagesMs, samplesMs, medianMs } = result
  const elapsed = samplesMs[medianIndex(samplesMs)] ?? medianMs
  const inStages = stagesOf(result).map((stage) => [stage, stagesMs[stage] ?? 0] as const)
  const rest = elapsed - inStages.reduce((sum, [, ms]) => sum + ms, 0)
  const stages = [...inStages, ['outside stages', rest] as const]
  return stages
    .filter(([, ms]) => ms >= 0.05)
    .map(([stage, ms]) => `${stage} ${rounded(ms)} (${percent(ms, elapsed)})`)
    .join(', ')
}

/**
 * `41.2: path programs 38.1 in 4, bloom 3.1 in 4`: milliseconds on the device, and dispatches; `-` where none were
 * timed.
 */
export const deviceTimesText = (times: DeviceTimes | undefined): string => {
  if (times === undefined) return '-'
  if (times.totalMs === undefined) return 'unknown: the adapter has no timestamp queries'
  const kernels = Object.entries(times.kernels).sort(([, a], [, b]) => b.ms - a.ms)
  const parts = kernels.map(([name, { dispatches, ms }]) => `${name} ${rounded(ms)} in ${dispatches}`)
  return [rounded(times.totalMs), ...(parts.length === 0 ? [] : [parts.join(', ')])].join(': ')
}

/** Milliseconds on the device in all; `-` where nothing was timed. */
export const deviceMsText = (times: Pick<DeviceTimes, 'totalMs'> | undefined): string =>
  times?.totalMs === undefined ? '-' : rounded(times.totalMs)

const exitLines = ({ exits, txCount }: WorkloadResult): string => {
  const sorted = Object.entries(exits).sort(([, a], [, b]) => b - a)
  if (sorted.length === 0) return 'none'
  const shown = sorted.slice(0, 6).map(([reason, count]) => `${grouped(count)} (${percent(count, txCount)}) ${reason}`)
  if (sorted.length > 6) shown.push(`${sorted.length - 6} more reasons`)
  return shown.join('\n')
}

const compileLine = ({ compileMs: { cold, warm } }: WorkloadResult): string => {
  const parts = []
  if (cold > 0) parts.push(`${milliseconds(cold)} with an empty driver cache`)
  if (warm > 0) parts.push(`${milliseconds(warm)} with the driver cache ${cold > 0 ? 'filled' : 'as it was'}`)
  return parts.length === 0 ? 'nothing that was not compiled before' : parts.join(', ')
}

const peerLines = (result: WorkloadResult): string =>
  result.peers
    .map((peer) => {
      const rate = `${rounded(peer.txPerSecond)} tx/s, ${rounded(peer.mgasPerSecond)} Mgas/s`
      return `${speedUp(result, peer)} of ${peer.name} (${rate}; ${peer.level}; ${grouped(peer.txCount)} transactions${peer.note === '' ? '' : `; ${peer.note}`})`
    })
    .join('\n')

/** Everything about one workload. */
export const workloadText = (result: WorkloadResult, style: TextStyle): string => {
  const plusMinus = result.samplesMs.length > 1 ? ` ±${spreadText(result.samplesMs)}` : ''
  const rows: [string, string][] = [
    [
      'speed',
      `${rounded(result.txPerSecond)} tx/s, ${rounded(result.mgasPerSecond)} Mgas/s (median of ${result.samplesMs.length}${plusMinus} after ${result.warmUpBlocks} warm-up blocks; ${milliseconds(result.medianMs)} for ${grouped(result.txCount)} transactions)`,
    ],
    ['execute stage', `${executeRate(result)} tx/s`],
    ['against', peerLines(result)],
    ['tiers', tierShares(result)],
    ['rounds', String(result.rounds)],
    ['exits', exitLines(result)],
    ['stages, ms', stageLine(result)],
    ['on device, ms', deviceTimesText(result.deviceTimes)],
    ['compile', compileLine(result)],
    ['first block', `${milliseconds(result.firstBlockMs)} (new executor: nothing in its tables, no path recorded yet)`],
    [
      'device memory',
      `${grouped(result.deviceBytesPerTx)} bytes per transaction${result.chunks > 1 ? `, in ${result.chunks} chunks` : ''}${result.tiers.laneVm > 0 ? `; a lane of the lane VM starts with ${grouped(FIRST_LANE_BYTES)} bytes` : ''}`,
    ],
    ['verified', result.verification],
  ]
  if (result.programs.length > 0) rows.push(['contracts', [...new Set(result.programs)].join('\n')])
  if (result.notes.length > 0) rows.push(['notes', result.notes.join('\n')])
  const bars = [
    { label: 'wgevm', value: result.txPerSecond, text: `${rounded(result.txPerSecond)} tx/s` },
    ...result.peers.map((peer) => ({
      label: peer.name,
      value: peer.txPerSecond,
      text: `${rounded(peer.txPerSecond)} tx/s`,
    })),
  ]
  const title = style.decorated ? colors.bold(labelOf(result)) : labelOf(result)
  return `${title}\n${factTable(rows, style)}\n${barChart(bars, style)}\n`
}

/** Where the text of a note begins, after its name. */
export const NOTE_INDENT = 9

/** Adapter and machine, a line each. */
export const settingLines = ({
  adapter,
  machine,
  node,
  commit,
}: Pick<BenchReport, 'adapter' | 'machine' | 'node' | 'commit'>) => [
  `adapter  ${adapter.kind}: ${adapter.name}, ${adapter.driver} (${adapter.reason})`,
  `machine  ${machine.cpu}, ${machine.cores} cores, ${rounded(machine.memoryBytes / 2 ** 30)} GiB; node ${node}; commit ${commit}`,
]

/** How the names of peers of native code begin. */
const NATIVE_PEERS: Readonly<Record<BenchLevel, string>> = { execute: 'revm', block: 'anvil' }

/** What a rate is of. */
export const MEASURED: Readonly<Record<BenchLevel, string>> = {
  execute: 'whole execute() call, from typed-array batch to committed state and receipts',
  block: 'whole executeBlock() call, from signed bytes to committed state, receipts with blooms and three roots',
}

/** The last screen: one line per workload, then where and how it was measured. */
export const summaryText = (report: BenchReport, style: TextStyle): string => {
  const { results, skipped, level = 'execute' } = report
  const native = NATIVE_PEERS[level]
  const head = [
    'workload',
    'transactions',
    'tx/s',
    'execute tx/s',
    'Mgas/s',
    '±',
    'vs @ethereumjs/vm',
    `vs ${native}`,
    'lane VM',
    'CPU tier',
  ]
  const rows = results.map((result) => {
    const serial = result.peers.find((peer) => peer.name.startsWith('@ethereumjs'))
    const revm = result.peers.find((peer) => peer.name.startsWith(native))
    return [
      labelOf(result),
      grouped(result.txCount),
      rounded(result.txPerSecond),
      executeRate(result),
      rounded(result.mgasPerSecond),
      spreadText(result.samplesMs),
      serial === undefined ? '-' : speedUp(result, serial),
      revm === undefined ? '-' : speedUp(result, revm),
      percent(result.tiers.laneVm, result.txCount),
      percent(result.tiers.cpu, result.txCount),
    ]
  })
  const lines = [table(head, rows, style)]
  for (const { workload, reason } of skipped) lines.push(`not run: ${workload} (${reason})`)
  const tiers = tierChoiceText(report.tierChoice ?? {})
  if (tiers !== undefined) lines.push(`tiers    ${tiers}`)
  lines.push(...settingLines(report))
  lines.push(`tx/s     ${MEASURED[level]}`)
  const levels = new Map(results.flatMap(({ peers }) => peers.map((peer) => [peer.name, peer.level] as const)))
  for (const [name, level] of levels) lines.push(`peer     ${name}: ${level}`)
  if (results.some(({ samplesMs }) => isWide(samplesMs))) lines.push(`spread   ${WIDE_NOTE}`)
  const [drawn, ...notes] = lines
  return `${[drawn, ...notes.map((line) => folded(line, style.width, NOTE_INDENT))].join('\n')}\n`
}
