import { codeSkeleton } from '../../transpiler/index.ts'
import { Measured } from '../batch/measured.ts'
import type { Policy } from '../batch/policy.ts'
import { ExitReasons } from '../batch/reason.ts'
import type { Tier } from '../batch/tier.ts'
import { Precompiles } from '../precompiles/precompiles.ts'
import { Hashers } from '../roots/hashers.ts'
import { createDeviceRecovery } from '../senders/device_recovery.ts'
import { Senders } from '../senders/senders.ts'
import { DeviceSessions } from '../session/device_sessions.ts'
import { ExecutorDevice } from '../session/executor_device.ts'
import { DeviceSettling } from '../settle/device/settling.ts'
import { CheckedState } from '../state/checked_state.ts'
import { RunningState } from '../state/running_state.ts'
import type { State } from '../state/state.ts'
import { ResidentState } from '../state/tables/resident_tables.ts'
import { CpuTier } from '../tiers/cpu/ethereumjs/transaction.ts'
import { CpuWorkers } from '../tiers/cpu/workers.ts'
import { enginesOn } from '../tiers/lane_vm/engine.ts'
import { LaneVmTier } from '../tiers/lane_vm/tier.ts'
import { PathLibrary } from '../tiers/path/library.ts'
import { PathTier } from '../tiers/path/tier.ts'
import type { ExecutorOptions } from './executor_interface.ts'
import { ExecutorMemory } from './memory.ts'
import { policyOf } from './policy.ts'

/** What tiers stand on: one set of resident tables, and a device for them. */
export interface Ground {
  readonly policy: Policy
  readonly resident: ResidentState
  readonly running: RunningState
  readonly sessions: DeviceSessions
  readonly reasons: ExitReasons
  readonly measured: Measured
  readonly precompiles: Precompiles
}

/** What all flows of an executor share. */
export interface Wiring extends Ground {
  readonly state: State
  readonly device: ExecutorDevice
  readonly senders: Senders
  /** Hashes the tries of blocks. */
  readonly hasher: Hashers
  readonly cpu: CpuTier
  readonly workers: CpuWorkers
  /** In the order in which they take transactions; the last takes whatever is left. */
  readonly tiers: readonly Tier[]
  readonly settling: DeviceSettling
  readonly memory: ExecutorMemory
  /** The tiers of calls, on tables with overrides. */
  overlay(ground: Ground): readonly Tier[]
}

/** Changes the list of tiers, for tests of what an executor makes of others. @internal */
export type Rewire = (tiers: readonly Tier[], ground: Ground) => readonly Tier[]

/** Opens what the flows of an executor share, and wires its tiers. `transfers`: as in CpuTierOptions. */
export const wire = (options: ExecutorOptions, rewire: Rewire = (tiers) => tiers, transfers?: 'log'): Wiring => {
  const policy = policyOf(options)
  const state = new CheckedState(options.state)
  const resident = new ResidentState(state, codeSkeleton)
  const running = new RunningState(resident)
  const device = new ExecutorDevice(options)
  const sessions = new DeviceSessions(() => device.current, resident, policy.waves === 'always')
  const senders = new Senders({
    mode: options.senders,
    workers: options.workers,
    cache: options.senderCache,
    device: () => device.current,
    waits: policy.compile === 'wait',
    deviceForm: policy.compile === 'never' ? undefined : createDeviceRecovery,
  })
  const hasher = new Hashers({
    device: () => device.current,
    ...(options.workers === undefined ? {} : { workers: options.workers }),
  })
  const measured = new Measured()
  const precompiles = new Precompiles(
    policy.fork,
    policy.chainId,
    (signatures) => senders.recover(signatures),
    policy.chain?.fork,
  )
  const reasons = new ExitReasons()
  const ground = { policy, resident, running, sessions, reasons, measured, precompiles }
  const library = new PathLibrary(options.pathStore || undefined, measured)
  const cpu = new CpuTier({ ...options, transfers })
  const workers = new CpuWorkers({ ...options, cpu, resident, running, measured })
  const laneVm = new LaneVmTier({ ...ground, engines: enginesOn(sessions, policy, precompiles) })
  const tiers = rewire(
    [
      ...(policy.paths ? [new PathTier({ ...ground, library })] : []),
      ...(policy.laneVm === 'never' ? [] : [laneVm]),
      workers,
    ],
    ground,
  )
  return {
    ...ground,
    state,
    device,
    senders,
    hasher,
    cpu,
    workers,
    tiers,
    settling: new DeviceSettling(ground),
    memory: new ExecutorMemory(options.memory, { resident, sessions, device, reasons, tiers }),
    overlay: (over) => [...(policy.paths ? [new PathTier({ ...over, library })] : []), ...overlaidVm(over, laneVm)],
  }
}

/** Once its kernel is there: a call with overrides does not wait for it. */
const overlaidVm = (ground: Ground, { isReady, kinds }: LaneVmTier): readonly Tier[] => {
  const { laneVm, compile } = ground.policy
  if (laneVm === 'never' || (compile !== 'wait' && !isReady)) return []
  const policy: Policy = { ...ground.policy, compile: 'wait' }
  return [new LaneVmTier({ ...ground, policy, engines: enginesOn(ground.sessions, policy, ground.precompiles), kinds })]
}
