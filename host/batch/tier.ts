import type { Rejection } from '../chain/rejection.ts'
import type { CodeMove } from '../state/tables/code_table.ts'
import type { OpenBatch } from './open_batch.ts'
import type { CpuExecution } from './outcome.ts'
import type { ExitReason } from './reason.ts'
import type { Retry } from './retry.ts'

/** The tiers of this package; one of a test has a name of its own. A plain transfer has no tier. */
export type TierName = 'path' | 'laneVm' | 'cpu' | (string & {})

/**
 * A way to execute transactions. Tiers know neither each other nor settle: an executor wires them in order
 * (host/flows/wiring.ts), and hands each the batch. The last one takes whatever the others leave.
 */
export interface Tier {
  readonly name: TierName
  /** It runs on a device: a fault of the device ends it for the batch. */
  readonly usesDevice: boolean
  /**
   * Takes what it wants of a whole routed batch, among the transactions that no tier before it took, before anything
   * runs: `tier[i]` is `number` then. Undefined where it cannot take any, as without a device. Rejects with a fault of
   * the device.
   */
  open(batch: OpenBatch, number: number): TierRun | undefined | Promise<TierRun | undefined>
  /** Between batches: goes on with other ids of codes where there are, and drops the oldest of what it keeps. */
  trim?(terms: TrimTerms): void
  /** What it keeps from batch to batch. */
  readonly kept?: KeptBytes
  close(): void
}

/** What a tier is told between batches. */
export interface TrimTerms {
  /** Where the code table is another one now. */
  readonly codes: CodeMove | undefined
  /** The most bytes that it may keep. */
  readonly budgets: KeptBytes
}

/** Bytes of what is kept from batch to batch, about: codes in another form, and what is known of calls. */
export interface KeptBytes {
  readonly codes: number
  readonly paths: number
}

/** One tier on one open batch. */
export interface TierRun {
  readonly counters: TierCounters
  /**
   * Puts its transactions of [first, end) on their way, with those that tiers before it have given back. `ranges`: the
   * number of such ranges in the batch. Undefined where it has none.
   */
  start(first: number, end: number, ranges: number): Promise<Running | undefined>
  /** Makes resident what its executions look up at their places. Called before the sweep goes on. */
  prepare?(): void | Promise<void>
  /** Whether another run on other values may mend what keeps transaction i from standing. */
  mends?(i: number): boolean
  /** A round without transactions; there where `mends` is. */
  retry?(): Retry
  /**
   * Executes transaction i on the running values at its place. It leaves an execution that the sweep then enters, or
   * enters all of it with `entry`. False: not its own.
   */
  atPlace?(i: number, entry: PlaceEntry): Promise<boolean>
  /** Told of every transaction that was entered whole at its place. */
  learn?(i: number, execution: CpuExecution): void
  /** After a fault: gives back what has no execution, for this reason. */
  refuse(reason: ExitReason): void
  /** The batch is over. Says what went wrong beside its executions. */
  end(): readonly string[]
}

/** Transactions on their way. Exactly one of the two methods is called, once. */
export interface Running {
  /** Nothing is to be recorded, compiled or started: `finish` only fetches what is on its way. */
  readonly isUnderway: boolean
  /**
   * Resolves when every transaction has an execution, or was given back with a reason: true where some were. Rejects
   * with a fault of the device, whenever it happened.
   */
  finish(): Promise<boolean>
  /** Waits until nothing is on its way any longer, whatever came of it. */
  abandon(): Promise<void>
}

/** Where an outcome in object form is entered at its place. */
export interface PlaceEntry {
  reject(i: number, rejection: Rejection): void
  /** `i` has its columns already. */
  enter(i: number, execution: CpuExecution): Promise<void>
}

/** What one tier did in a batch. */
export interface TierCounters {
  /** Wall milliseconds: waiting for its executions, and taking what they left. */
  readonly executeMs: number
  readonly readbackMs: number
  /** Dispatches beyond the first of a wave, because of the device's limits. */
  readonly chunks: number
  /** Most bytes of lanes that one wave held on the device. */
  readonly laneBytes: number
  /** Executions that were made ahead on values that may change, by whether they held at their place. */
  readonly held: number
  readonly broken: number
}

/** The counters of a tier that has nothing to count but some. */
export const countersOf = (counted: Partial<TierCounters> = {}): TierCounters => ({
  executeMs: 0,
  readbackMs: 0,
  chunks: 0,
  laneBytes: 0,
  held: 0,
  broken: 0,
  ...counted,
})
