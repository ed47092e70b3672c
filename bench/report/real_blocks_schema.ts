import type { NotRun } from './replay_schema.ts'
import type { BenchReport, StageTimes, TierCounts } from './schema.ts'

/** The result file of `wgevm replay --level block --json`. Times in milliseconds. Fields are only ever added. */
export interface BlockLevelReport extends Pick<BenchReport, 'commit' | 'date' | 'machine' | 'adapter' | 'node'> {
  readonly schema: 'wgevm-real-blocks/1'
  readonly samples: number
  readonly blocks: readonly RealBlock[]
  readonly notRun: readonly NotRun[]
}

/** A real block from its RLP to three roots, each pass checked against its header. */
export interface RealBlock {
  readonly block: string
  readonly fork: string
  readonly number: number
  readonly txCount: number
  readonly gas: number
  readonly tiers: TierCounts
  /** Of the pass with the median time. */
  readonly stagesMs: StageTimes
  /** The first pass: no path is recorded. */
  readonly firstMs: number
  readonly samplesMs: readonly number[]
  readonly medianMs: number
  /** `runBlock` of @ethereumjs/vm, in turns with ours. */
  readonly peerSamplesMs: readonly number[]
  readonly peerMedianMs: number
  /** The peer's time over ours. */
  readonly ratio: number
}
