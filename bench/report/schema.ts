import type { DeviceTimes } from '../../host/device/clock.ts'
import type { ConflictMap } from '../conflict_map.ts'
import type { TierChoice } from '../tier_choice.ts'

/** The result file of `wgevm bench --json`. Fields below `wgevm-bench/1` are only ever added; absent stages are 0. */
export interface BenchReport {
  readonly schema: 'wgevm-bench/1'
  /** Commit of the checkout, `-dirty` appended where it had changes; `unknown` outside a checkout. */
  readonly commit: string
  /** ISO 8601, UTC. */
  readonly date: string
  readonly machine: { readonly cpu: string; readonly cores: number; readonly memoryBytes: number }
  readonly adapter: { readonly kind: string; readonly name: string; readonly driver: string; readonly reason: string }
  readonly node: string
  /** What is measured of every workload; absent: `execute`. */
  readonly level?: BenchLevel
  /** Tiers of the device that were allowed; absent = all. */
  readonly tierChoice?: TierChoice
  readonly results: readonly WorkloadResult[]
  /** Workloads that the time limit left out, with the reason. */
  readonly skipped: readonly { readonly workload: string; readonly reason: string }[]
}

/** One workload. Times in milliseconds; counts are those of the sample with the median time. */
export interface WorkloadResult {
  readonly workload: string
  /** Of the level `block`: how its blocks were given. */
  readonly form?: BlockForm
  /** Transactions per sample. */
  readonly txCount: number
  /** Gas used by the median sample. */
  readonly gas: number
  readonly verified: boolean
  /** Transactions compared with serial execution, over all samples. */
  readonly verifiedCount: number
  /** What was verified, in words. */
  readonly verification: string
  readonly samplesMs: readonly number[]
  readonly medianMs: number
  readonly txPerSecond: number
  readonly mgasPerSecond: number
  /** Transactions by the tier that gave their final outcome. */
  readonly tiers: TierCounts
  readonly rounds: number
  /** Transactions that left the device, by reason. */
  readonly exits: Readonly<Record<string, number>>
  readonly stagesMs: StageTimes
  /** Of a block of its own, since timing takes time; without `totalMs` where the adapter has no timestamp queries. */
  readonly deviceTimes?: DeviceTimes
  /**
   * Time spent compiling kernels in this run, outside the samples: with an empty and with a filled driver cache; 0 =
   * not measured.
   */
  readonly compileMs: { readonly cold: number; readonly warm: number }
  readonly deviceBytesPerTx: number
  readonly peers: readonly PeerResult[]
  /** The first block of a new executor, less compilation: its tables are empty and its paths not yet recorded. */
  readonly firstBlockMs: number
  readonly chunks: number
  /** Blocks that the executor ran before the first sample. */
  readonly warmUpBlocks: number
  readonly seed: number
  /** Contracts in use and where they come from. */
  readonly programs: readonly string[]
  readonly notes: readonly string[]
  /** Which contracts' transactions meet, over a sample; where the workload shares slots. */
  readonly conflicts?: ConflictMap
}

export interface TierCounts {
  readonly pathKernel: number
  readonly pathProgram: number
  /** Path programs that ran on the host: lanes too few for a wave. */
  readonly pathHost: number
  readonly laneVm: number
  readonly transfer: number
  readonly cpu: number
}

/**
 * `execute`: decoded transactions in typed arrays to committed state and receipts. `block`: a signed block as it comes
 * over the wire to committed state, receipts and three roots that are the header's.
 */
export type BenchLevel = 'execute' | 'block'

/**
 * `cold`: senders are recovered. `known`: the caller has recovered them, as a pool has. `stream`: cold, and several
 * blocks through `stream`; a sample is their time by their number.
 */
export const MEMORY_FORMS = ['cold', 'known', 'stream'] as const
export type MemoryForm = (typeof MEMORY_FORMS)[number]

/** Of blocks through a chain in a folder, RLP to roots and on disk; `placeless`: without places of transactions. */
export const DURABLE_FORMS = ['durable', 'placeless'] as const
export type DurableForm = (typeof DURABLE_FORMS)[number]

export const BLOCK_FORMS = [...MEMORY_FORMS, ...DURABLE_FORMS] as const
export type BlockForm = (typeof BLOCK_FORMS)[number]

const FORM_NAMES: Readonly<Record<BlockForm, string>> = {
  cold: 'cold senders',
  known: 'known senders',
  stream: 'cold senders, stream',
  durable: 'on disk',
  placeless: 'on disk, without places',
}

/** A workload by name, and how its blocks were given. */
export const labelOf = ({ workload, form }: Pick<WorkloadResult, 'workload' | 'form'>): string =>
  form === undefined ? workload : `${workload}, ${FORM_NAMES[form]}`

export const STAGES = ['route', 'upload', 'execute', 'readback', 'validate', 'commit', 'receipts'] as const
/** Of a whole block, in the order of its way. */
export const BLOCK_STAGES = ['decode', 'senders', ...STAGES, 'roots'] as const
export type Stage = (typeof BLOCK_STAGES)[number]
export type StageTimes = Readonly<
  Record<(typeof STAGES)[number], number> & Partial<Record<Exclude<Stage, (typeof STAGES)[number]>, number>>
>

/** The stages of what a row measured. */
export const stagesOf = ({ form }: Pick<WorkloadResult, 'form'>): readonly Stage[] =>
  form === undefined ? STAGES : BLOCK_STAGES

/**
 * Level of a comparison: `execution` runs decoded transactions with known senders to receipts and state; `block with
 * sealing` adds the block's roots and header; `from signed bytes` adds decoding and sender recovery.
 */
export type PeerLevel = 'execution' | 'block with sealing' | 'from signed bytes'

export interface PeerResult {
  readonly name: string
  readonly level: PeerLevel
  readonly txCount: number
  readonly txPerSecond: number
  readonly mgasPerSecond: number
  readonly note: string
}
