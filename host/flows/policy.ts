import { isAtLeast } from '../../transpiler/spec/forks.ts'
import { SOFTWARE_COSTS } from '../batch/cost.ts'
import type { Policy } from '../batch/policy.ts'
import { hasP256 } from '../precompiles/op_precompiles.ts'
import type { ExecutorOptions } from './executor_interface.ts'

/** Batches of twice this many transactions or more go to the device in ranges of about this size. */
const RANGE = 16_384

/** The options of an executor as tiers read them: every default, and all that follows from two of them together. */
export const policyOf = (options: ExecutorOptions): Policy => {
  const { fork, chainId, chain, compile = 'background', recordFrom, range = RANGE, costs = SOFTWARE_COSTS } = options
  const compiles = compile !== 'never'
  const laneVm = compiles && isAtLeast(fork, 'berlin') ? (options.laneVm ?? 'paying') : 'never'
  const waves = options.waves ?? 'paying'
  const programs = compiles && options.programs !== 'never'
  return {
    fork,
    chainId,
    chain,
    hasP256: hasP256(chain?.fork),
    compile,
    // Where the lane VM takes every call that it may, a path would only take one from it.
    paths: options.paths !== 'never' && laneVm !== 'always',
    ownKernels: compiles && options.kernels !== 'never',
    programs,
    hostPrograms: programs && waves === 'paying',
    laneVm,
    waves,
    settle: compiles ? (options.settle ?? 'paying') : 'host',
    costs,
    recordFrom,
    range,
    invalid: options.invalid ?? 'skip',
  }
}
