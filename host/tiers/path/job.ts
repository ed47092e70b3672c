import type { Kernel } from '../../device/kernel.ts'
import type { PathGroup } from './columns.ts'
import type { PathPlan } from './plan.ts'

/** Lanes of one path to run. With `hints`, lane l's hints are at `words[at[l] ..]` (Hints). */
export interface PathJob {
  readonly plan: PathPlan
  /**
   * One for each part of the path, in order; those of the hinted parts where there are hints. Absent: its program runs.
   */
  readonly kernels: readonly Kernel[] | undefined
  /** Ascending. */
  readonly transactions: Int32Array
  readonly hints?: { readonly words: Uint32Array; readonly at: Uint32Array }
}

/** Jobs that the device has. */
export interface StartedJobs {
  /** Awaits them; rejects with a fault of the device. To be called once. */
  finish(): Promise<PathGroup[]>
}
