import type { DeviceTimes } from '../../host/device/clock.ts'
import type { ConflictMap } from '../conflict_map.ts'
import type { TierChoice } from '../tier_choice.ts'
import type { BenchReport, StageTimes, TierCounts } from './schema.ts'

/** The result file of `wgevm replay --json`. Times in milliseconds. */
export interface ReplayReport {
  readonly schema: 'wgevm-replay/1'
  readonly commit: string
  readonly date: string
  readonly machine: BenchReport['machine']
  readonly adapter: BenchReport['adapter']
  readonly node: string
  /** Measured passes per block that were asked for. */
  readonly samples: number
  /** Worker threads of the CPU tier that were asked for; absent = the executor's own choice. */
  readonly workers?: number
  /** Tiers of the device that were allowed; absent = all. */
  readonly tierChoice?: TierChoice
  readonly blocks: readonly BlockReplay[]
  readonly notRun: readonly NotRun[]
  /** Present with `--merged`. */
  readonly merged?: readonly MergedReplay[]
  /** Present with `--report`. */
  readonly conflicts?: ConflictMap
}

/** A block that was asked for and not run. `file`: its fixture lacks what it asks for. */
export interface NotRun {
  readonly block: string
  readonly cause: 'file' | 'failed'
  readonly reason: string
}

/** What one execution, warm, did: counts of the last pass, times of all measured ones. */
export interface ReplayRun {
  readonly txCount: number
  readonly gas: number
  /** `exact`: our result was the expected one in every pass; `unchecked`: nothing was there to compare with. */
  readonly verdict: 'exact' | 'different' | 'unchecked'
  /** What it was compared with, and the first difference where there is one. */
  readonly verification: string
  readonly tiers: TierCounts
  /** Gas used by the transactions of each tier. */
  readonly tierGas: TierCounts
  readonly rounds: number
  readonly exits: Readonly<Record<string, number>>
  /** Of the pass with the median time. */
  readonly stagesMs: StageTimes
  /**
   * Of a pass of its own, since timing takes time; without `totalMs` where the adapter has no timestamp queries. A
   * block whose only pass is long is timed in it.
   */
  readonly deviceTimes?: DeviceTimes
  /** The first pass: it records paths, and no table of the device is filled yet. */
  readonly firstMs: number
  readonly compileMs: number
  readonly samplesMs: readonly number[]
  readonly medianMs: number
  /** Serial @ethereumjs/vm in the same run; empty where it was not asked for. */
  readonly serialSamplesMs: readonly number[]
  readonly serialMedianMs: number
  /** Serial time over ours; 0 where serial execution was not measured. */
  readonly ratio: number
  /** What of the executor was warm when it was measured. */
  readonly warm: string
  readonly faults: readonly string[]
}

export interface BlockReplay extends ReplayRun {
  readonly block: string
  readonly chain: string
  readonly fork: string
  readonly number: number
  readonly postMerge: boolean
}

/** Several blocks' transactions as one independent batch. */
export interface MergedReplay extends ReplayRun {
  readonly fork: string
  readonly chain: string
  readonly blocks: readonly string[]
  /** Transactions that used the gas and had the status that they have in their own block. */
  readonly asInOwnBlock: number
  readonly rejected: number
  /** How the blocks were joined, in words. */
  readonly joining: string
}

/** Sums over blocks. The shares are of transactions and of gas that were executed outside the CPU tier's EVM. */
export interface ReplayTotals {
  readonly blocks: number
  readonly txCount: number
  readonly gas: number
  readonly tiers: TierCounts
  readonly tierGas: TierCounts
  readonly medianMs: number
  /** On the device; undefined where a block was not timed there. */
  readonly deviceMs: number | undefined
  readonly serialMedianMs: number
  readonly ratio: number
}

const TIERS = ['pathKernel', 'pathProgram', 'pathHost', 'laneVm', 'transfer', 'cpu'] as const
export const NO_TIERS: TierCounts = { pathKernel: 0, pathProgram: 0, pathHost: 0, laneVm: 0, transfer: 0, cpu: 0 }

const addTiers = (a: TierCounts, b: TierCounts): TierCounts =>
  Object.fromEntries(TIERS.map((tier) => [tier, a[tier] + b[tier]])) as unknown as TierCounts

/** Transactions (or gas) of path kernels and path programs. */
export const onPaths = ({ pathKernel, pathProgram }: TierCounts): number => pathKernel + pathProgram

/** Transactions (or gas) that the device executed. */
export const onDevice = (tiers: TierCounts): number => onPaths(tiers) + tiers.laneVm

/** All of them. */
export const ofAllTiers = (tiers: TierCounts): number => TIERS.reduce((sum, tier) => sum + tiers[tier], 0)

/** Undefined of no blocks. The ratio is of the summed times of blocks that were measured against serial execution. */
export const totalsOf = (runs: readonly ReplayRun[]): ReplayTotals | undefined => {
  if (runs.length === 0) return undefined
  const sum = (of: (run: ReplayRun) => number) => runs.reduce((total, run) => total + of(run), 0)
  const compared = runs.filter(({ serialSamplesMs }) => serialSamplesMs.length > 0)
  const ourMs = compared.reduce((total, { medianMs }) => total + medianMs, 0)
  const serialMedianMs = sum((run) => (run.serialSamplesMs.length > 0 ? run.serialMedianMs : 0))
  return {
    blocks: runs.length,
    txCount: sum(({ txCount }) => txCount),
    gas: sum(({ gas }) => gas),
    tiers: runs.reduce((total, { tiers }) => addTiers(total, tiers), NO_TIERS),
    tierGas: runs.reduce((total, { tierGas }) => addTiers(total, tierGas), NO_TIERS),
    medianMs: sum(({ medianMs }) => medianMs),
    deviceMs: runs.every(({ deviceTimes }) => deviceTimes?.totalMs !== undefined)
      ? sum(({ deviceTimes }) => deviceTimes?.totalMs ?? 0)
      : undefined,
    serialMedianMs,
    ratio: compared.length === 0 || ourMs === 0 ? 0 : serialMedianMs / ourMs,
  }
}
