import { type At, FixtureError, field, listOf, objectOf, refuse, textOf } from '../../conformance/json_field.ts'
import { readJsonFile } from '../../conformance/json_file.ts'
import {
  type BenchLevel,
  type BenchReport,
  BLOCK_FORMS,
  type BlockForm,
  labelOf,
  type WorkloadResult,
} from './schema.ts'
import { grouped, rounded } from './text.ts'
import { folded, type TextStyle, table } from './text_table.ts'

/** What a comparison needs of a workload's result. */
export type ComparedResult = Pick<WorkloadResult, 'workload' | 'form' | 'txCount' | 'samplesMs' | 'txPerSecond'>

/** What a comparison needs of an earlier run. */
export interface EarlierRun {
  readonly commit: string
  readonly date: string
  readonly adapter: string
  readonly cpu: string
  readonly level: BenchLevel
  readonly results: readonly ComparedResult[]
}

/** Reads a result file of `wgevm bench --json`. Throws FixtureError. */
export const readEarlierRun = (file: string): EarlierRun => {
  const root = objectOf(readJsonFile(file, 'a result file of wgevm bench --json'))
  const schema = field(root, 'schema')
  if (schema.value !== 'wgevm-bench/1') refuse(schema, "'wgevm-bench/1'")
  const results = listOf(field(root, 'results')).map(readResult)
  if (results.length === 0) throw new FixtureError(file, 'results', 'expected at least one result')
  return {
    commit: textOf(field(root, 'commit')),
    date: textOf(field(root, 'date')),
    adapter: textOf(field(objectOf(field(root, 'adapter')), 'name')),
    cpu: textOf(field(objectOf(field(root, 'machine')), 'cpu')),
    level: oneOf<BenchLevel>(field(root, 'level'), ['execute', 'block']) ?? 'execute',
    results,
  }
}

const readResult = (at: At): ComparedResult => {
  const result = objectOf(at)
  const samplesMs = listOf(field(result, 'samplesMs')).map(positiveOf)
  if (samplesMs.length === 0) refuse(field(result, 'samplesMs'), 'at least one sample')
  const form = oneOf<BlockForm>(field(result, 'form'), BLOCK_FORMS)
  return {
    workload: textOf(field(result, 'workload')),
    ...(form === undefined ? {} : { form }),
    txCount: positiveOf(field(result, 'txCount')),
    samplesMs,
    txPerSecond: positiveOf(field(result, 'txPerSecond')),
  }
}

/** One of these words, or nothing. */
const oneOf = <Word extends string>(at: At, words: readonly Word[]): Word | undefined =>
  at.value === undefined
    ? undefined
    : (words.find((word) => word === at.value) ?? refuse(at, words.map((word) => `'${word}'`).join(' or ')))

const positiveOf = (at: At): number =>
  typeof at.value === 'number' && Number.isFinite(at.value) && at.value > 0 ? at.value : refuse(at, 'a positive number')

/** One sample says nothing of its spread: it is taken to be this far off, as a share. */
const UNKNOWN_SPREAD = 0.1

/** Slowest and fastest of the samples, in transactions per second. */
const ratesOf = ({ txCount, samplesMs }: ComparedResult): readonly [number, number] => {
  const rate = (ms: number) => (1000 * txCount) / ms
  const [slowest, fastest] = [rate(Math.max(...samplesMs)), rate(Math.min(...samplesMs))]
  return samplesMs.length === 1 ? [slowest * (1 - UNKNOWN_SPREAD), fastest * (1 + UNKNOWN_SPREAD)] : [slowest, fastest]
}

/**
 * `same`: the samples of both runs overlap. `another size`: rates of blocks of different sizes say nothing of each
 * other.
 */
export type Verdict = 'faster' | 'slower' | 'same' | 'another size' | 'not run before'

export interface Comparison {
  readonly workload: string
  readonly before: ComparedResult | undefined
  readonly now: ComparedResult
  /** Now over before, and the least and the most that the samples allow. */
  readonly ratio: number
  readonly range: readonly [number, number]
  readonly verdict: Verdict
}

const compareResult = (before: ComparedResult | undefined, now: ComparedResult): Comparison => {
  const workload = labelOf(now)
  if (before === undefined) {
    return { workload, before, now, ratio: Number.NaN, range: [Number.NaN, Number.NaN], verdict: 'not run before' }
  }
  const [slowBefore, fastBefore] = ratesOf(before)
  const [slowNow, fastNow] = ratesOf(now)
  const verdict: Verdict =
    before.txCount !== now.txCount
      ? 'another size'
      : slowNow > fastBefore
        ? 'faster'
        : fastNow < slowBefore
          ? 'slower'
          : 'same'
  return {
    workload,
    before,
    now,
    ratio: now.txPerSecond / before.txPerSecond,
    range: [slowNow / fastBefore, fastNow / slowBefore],
    verdict,
  }
}

/** Each workload that ran now against the same one of the earlier run. */
export const compareRuns = ({ results }: EarlierRun, now: readonly ComparedResult[]): readonly Comparison[] =>
  now.map((result) =>
    compareResult(
      results.find((earlier) => labelOf(earlier) === labelOf(result)),
      result,
    ),
  )

export const isSlower = (comparisons: readonly Comparison[]): boolean =>
  comparisons.some(({ verdict }) => verdict === 'slower')

/** The table, and what else differs between the two runs. */
export const compareText = (
  earlier: EarlierRun,
  now: Pick<BenchReport, 'adapter' | 'machine'>,
  comparisons: readonly Comparison[],
  style: TextStyle,
): string => {
  const rows = comparisons.map(({ workload, before, now: { txCount, txPerSecond }, ratio, range, verdict }) => [
    workload,
    grouped(txCount),
    before === undefined ? '-' : rounded(before.txPerSecond),
    rounded(txPerSecond),
    rounded(ratio),
    `${rounded(range[0])} to ${rounded(range[1])}`,
    verdict,
  ])
  const notes = [
    `before: commit ${earlier.commit}, ${earlier.date.slice(0, 10)}; now over before, and what the samples allow; same: the samples overlap`,
  ]
  if (earlier.adapter !== now.adapter.name) notes.push(`another adapter before: ${earlier.adapter}`)
  if (earlier.cpu !== now.machine.cpu) notes.push(`another processor before: ${earlier.cpu}`)
  const head = ['workload', 'transactions', 'before, tx/s', 'now, tx/s', 'ratio', 'range', '']
  return `${table(head, rows, style)}\n${notes.map((note) => `${folded(note, style.width)}\n`).join('')}`
}
