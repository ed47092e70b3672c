import { LIMBS_PER_ADDRESS } from '../../../transpiler/layout/word.ts'
import type { Measured } from '../../batch/measured.ts'
import type { OpenBatch } from '../../batch/open_batch.ts'
import type { Policy } from '../../batch/policy.ts'
import type { ExitReasons } from '../../batch/reason.ts'
import type { Precompiles } from '../../precompiles/precompiles.ts'
import type { ResidentState } from '../../state/tables/resident_tables.ts'
import type { PathReasons } from './executions.ts'
import type { PathRunner } from './kernels/runner.ts'
import type { PathCandidate, PathLibrary } from './library.ts'

/** What every part of this tier stands on. */
export interface PathParts {
  readonly policy: Policy
  readonly resident: ResidentState
  readonly library: PathLibrary
  readonly measured: Measured
  readonly reasons: ExitReasons
  readonly pathReasons: PathReasons
  readonly precompiles: Precompiles
}

/** Whether a path has a form that runs now. */
export const isReady = ({ kernels, hasProgram }: PathCandidate, runner: PathRunner): boolean =>
  kernels !== undefined || (hasProgram && runner.runsPrograms)

/** Has the kernel of all programs compiled, once. */
export const openPrograms = async ({ policy, library, measured }: PathParts, runner: PathRunner): Promise<void> => {
  if (!policy.programs || runner.programs !== 'closed') return
  const opening = runner.openPrograms().then((failure) => {
    if (failure !== undefined) library.failures.push(failure)
  })
  if (policy.compile === 'wait') await measured.waitFor(opening)
}

/**
 * Whether the called account still has the code that it had at routing: ranges after the first are recorded in the
 * middle of a batch.
 */
export const callsItsCode = ({ batch, toCodes }: OpenBatch, { accounts }: ResidentState, i: number): boolean => {
  const id = accounts.find(batch.to, LIMBS_PER_ADDRESS * i)
  return id >= 0 && accounts.code(id) === toCodes[i]
}
