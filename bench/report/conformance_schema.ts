import type { TierCounts } from './schema.ts'

/** A result of `wgevm statetest --json`, as far as it is counted. */
export interface TestOutcome {
  readonly file: string
  readonly pass: boolean
  readonly tier: keyof TierCounts | 'rejected' | 'mixed'
  readonly reason?: string
  /** Of a block test: its transactions by tier. */
  readonly tiers?: TierCounts
}

/** Entries of state tests by what executed them. */
export interface EntryCounts {
  readonly entries: number
  readonly passed: number
  readonly device: number
  readonly transfer: number
  readonly cpu: number
  /** The transaction may not be included; the tests say so. */
  readonly rejected: number
  /** Those of the CPU tier, by reason. */
  readonly reasons: Readonly<Record<string, number>>
}

/** The file behind docs/conformance.md: all state tests on the lane VM, paths switched off. */
export interface ConformanceReport {
  readonly schema: 'wgevm-conformance/1'
  readonly commit: string
  /** ISO 8601, UTC. */
  readonly date: string
  readonly adapter: { readonly kind: string; readonly name: string; readonly driver: string }
  /** By folder in the archive, in order of the names. */
  readonly folders: Readonly<Record<string, EntryCounts>>
  readonly blockTests: { readonly tests: number; readonly passed: number; readonly tiers: TierCounts }
}

const ON_DEVICE: readonly TestOutcome['tier'][] = ['laneVm', 'pathKernel', 'pathProgram']

/** The folder of a test inside its archive, or as it was named. */
export const folderOf = (file: string): string => {
  const inner = file.replace(/^.*\.(tar\.gz|tgz)\//, '')
  return inner.slice(0, Math.max(0, inner.lastIndexOf('/'))) || '.'
}

export const countEntries = (outcomes: readonly TestOutcome[]): EntryCounts => {
  const reasons: Record<string, number> = {}
  const counts = { entries: outcomes.length, passed: 0, device: 0, transfer: 0, cpu: 0, rejected: 0 }
  for (const { pass, tier, reason = 'none' } of outcomes) {
    if (pass) counts.passed++
    if (ON_DEVICE.includes(tier)) counts.device++
    else if (tier === 'transfer' || tier === 'rejected') counts[tier]++
    else {
      counts.cpu++
      reasons[reason] = (reasons[reason] ?? 0) + 1
    }
  }
  return { ...counts, reasons: sorted(reasons) }
}

const sorted = <Value>(record: Readonly<Record<string, Value>>): Record<string, Value> =>
  Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)))

/** Everything of a report that the results say. */
export const summarise = (outcomes: readonly TestOutcome[]): Pick<ConformanceReport, 'folders' | 'blockTests'> => {
  const byFolder: Record<string, TestOutcome[]> = {}
  const tiers = { pathKernel: 0, pathProgram: 0, pathHost: 0, laneVm: 0, transfer: 0, cpu: 0 }
  const blockTests = { tests: 0, passed: 0, tiers }
  for (const outcome of outcomes) {
    if (outcome.tiers === undefined) {
      const folder = folderOf(outcome.file)
      byFolder[folder] ??= []
      byFolder[folder].push(outcome)
      continue
    }
    blockTests.tests++
    if (outcome.pass) blockTests.passed++
    for (const tier of Object.keys(tiers) as (keyof TierCounts)[]) tiers[tier] += outcome.tiers[tier] ?? 0
  }
  const folders = Object.fromEntries(Object.entries(byFolder).map(([folder, list]) => [folder, countEntries(list)]))
  return { folders: sorted(folders), blockTests }
}

export const totalOf = (all: readonly EntryCounts[]): EntryCounts => {
  const reasons: Record<string, number> = {}
  const total = { entries: 0, passed: 0, device: 0, transfer: 0, cpu: 0, rejected: 0 }
  for (const counts of all) {
    for (const name of ['entries', 'passed', 'device', 'transfer', 'cpu', 'rejected'] as const)
      total[name] += counts[name]
    for (const [reason, count] of Object.entries(counts.reasons)) reasons[reason] = (reasons[reason] ?? 0) + count
  }
  return { ...total, reasons: sorted(reasons) }
}

/**
 * Whether the lane VM leaves this to the CPU tier by design: it makes and destroys no contracts, and some precompiles
 * it does not know.
 */
export const isByDesign = (reason: string): boolean =>
  reason === 'create' || /^refused: (CREATE|CREATE2|SELFDESTRUCT)$/.test(reason) || /precompile/.test(reason)
