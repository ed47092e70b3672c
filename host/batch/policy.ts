import type { Fork } from '../../transpiler/spec/forks.ts'
import type { OpRules } from '../chain/op/op_chain.ts'
import type { DeviceCosts } from './cost.ts'

/**
 * What waits for compilations. `background`: nothing; what has no kernel yet runs elsewhere meanwhile. `wait`: the
 * batch, as soon as a compilation pays against the CPU tier. `never`: nothing compiles, and nothing runs on the device.
 *
 * Example: {@link ExecutorOptions}.
 */
export type CompileMode = 'wait' | 'background' | 'never'

/**
 * Which tier may take what, and when it pays: the options of an executor, made complete (host/flows/policy.ts). Tiers
 * read it and decide nothing of it a second time. It changes no result.
 */
export interface Policy {
  readonly fork: Fork
  readonly chainId: bigint
  /** On a chain of the OP stack. */
  readonly chain: OpRules | undefined
  /** The chain has P256VERIFY, whatever the fork. */
  readonly hasP256: boolean
  readonly compile: CompileMode
  /** Calls look for recorded paths. */
  readonly paths: boolean
  /** A path may get kernels of its own. */
  readonly ownKernels: boolean
  /** A path may run as a program. */
  readonly programs: boolean
  /** It may do so on the host, where lanes are too few for a wave. */
  readonly hostPrograms: boolean
  readonly laneVm: 'never' | 'paying' | 'always'
  /** `always`: lanes go to the device however few they are. */
  readonly waves: 'paying' | 'always'
  /** What settles long ranges: measured costs decide, or one of the two always. */
  readonly settle: 'paying' | 'device' | 'host'
  readonly costs: DeviceCosts
  /** Transactions of one kind from which a path is recorded; undefined: measured costs decide. */
  readonly recordFrom: number | undefined
  /** Transactions that go to the device together. */
  readonly range: number
  readonly invalid: 'skip' | 'throw'
}
