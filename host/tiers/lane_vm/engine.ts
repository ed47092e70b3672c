import type { Measured } from '../../batch/measured.ts'
import type { Policy } from '../../batch/policy.ts'
import type { ExitReason } from '../../batch/reason.ts'
import { faultText } from '../../device/fault.ts'
import type { Precompiles } from '../../precompiles/precompiles.ts'
import type { DeviceSessions } from '../../session/device_sessions.ts'
import type { CodeMove } from '../../state/tables/code_table.ts'
import { HOT_LANES, type VmRequest, VmRunner, type VmStarted } from './runner.ts'

/** What runs waves of the lane VM: VmRunner on a device. */
export interface VmEngine {
  /** Wall milliseconds. */
  readonly timings: Readonly<Record<'execute' | 'readback', number>>
  readonly chunks: number
  readonly laneBytes: number
  readonly isReady: boolean
  /** Rejects where the kernel does not compile. */
  compile(): Promise<void>
  /** Bytes of code that it keeps on the host. */
  readonly codeBytes?: number
  /** Between batches: goes on with other ids of codes, and with code in so many bytes. */
  trim?(move: CodeMove | undefined, mostBytes: number): void
  /** Starts the counters of a batch. */
  begin(): void
  /**
   * Puts a request on its way. Every transaction of it is in one lane of the groups that become of it, but for lanes
   * with transaction -1; finishing rejects with a fault of the device.
   */
  start(request: VmRequest): Promise<VmStarted>
  destroy(): void
}

export interface VmEngines {
  /** Why there is none. */
  readonly refusal: 'no device' | 'device lost' | undefined
  /** The engine of now; another one after the device of the last was lost. Throws what the device throws. */
  engine(): VmEngine
}

/** Engines on the sessions of a device, each until its session ends. */
export const enginesOn = (sessions: DeviceSessions, policy: Policy, precompiles: Precompiles): VmEngines => {
  let engine: { readonly session: object; readonly runner: VmRunner } | undefined
  return {
    get refusal() {
      return sessions.refusal
    },
    engine() {
      const session = sessions.open()
      if (engine?.session !== session) {
        const { fork, chainId, hasP256, laneVm } = policy
        const hotLanes = laneVm === 'always' ? 0 : HOT_LANES
        const runner = new VmRunner(session, { fork, chainId, precompiles, hasP256, hotLanes })
        session.keep(runner)
        engine = { session, runner }
      }
      return engine.runner
    },
  }
}

/** One engine, and what became of its kernel: compiled when a call first wants it. */
export class OpenedEngine {
  readonly engine: VmEngine
  readonly #policy: Policy
  readonly #measured: Measured
  readonly #faults: string[]
  #state: 'closed' | 'opening' | 'ready' | 'refused' = 'closed'

  /** `faults` is told why a kernel does not compile. */
  constructor(engine: VmEngine, policy: Policy, measured: Measured, faults: string[]) {
    this.engine = engine
    this.#policy = policy
    this.#measured = measured
    this.#faults = faults
  }

  get isReady(): boolean {
    return this.#state === 'ready' && this.engine.isReady
  }

  /** Whether the kernel is there; the first time, has it compiled. */
  async open(): Promise<boolean> {
    if (this.#state === 'closed') {
      this.#state = 'opening'
      const opening = this.engine.compile().then(
        () => {
          this.#state = 'ready'
        },
        (thrown: unknown) => {
          this.#state = 'refused'
          this.#faults.push(faultText(thrown))
        },
      )
      if (this.#policy.compile === 'wait') await this.#measured.waitFor(opening)
    }
    return this.isReady
  }

  get whyNot(): ExitReason {
    return this.#state === 'opening' ? 'compiling' : 'shader did not compile'
  }
}
