import { HOST_SETTLE_ENTRY_US } from '../../batch/cost.ts'
import type { Measured } from '../../batch/measured.ts'
import type { OpenBatch } from '../../batch/open_batch.ts'
import type { Policy } from '../../batch/policy.ts'
import type { ComputeDevice } from '../../device/compute_device.ts'
import { OutOfMemoryError } from '../../device/fault.ts'
import { ShaderCompileError } from '../../device/kernel.ts'
import type { DeviceSession } from '../../session/device_session.ts'
import type { DeviceSessions } from '../../session/device_sessions.ts'
import type { Sweep } from '../sweep.ts'
import { PARTIES } from './columns.ts'
import { SettleKernels } from './kernels.ts'
import { DeviceSweep } from './sweep.ts'
import { UploadWords } from './upload_words.ts'

/** Transactions of a range whose executions tell how many entries its log has. */
const SAMPLE = 64

/** The kernels of one device. */
interface Compiled {
  readonly device: ComputeDevice
  readonly pending: Promise<SettleKernels | undefined>
  ready: SettleKernels | undefined
}

/** The form of a batch, on the session in which it began. */
interface OpenForm {
  readonly batch: OpenBatch
  readonly session: DeviceSession
  readonly form: DeviceSweep
  /** The device has no memory for it. */
  isOver: boolean
}

/** Decides what a device settles, and has it do so: one for an executor. */
export class DeviceSettling {
  readonly #sessions: DeviceSessions
  readonly #policy: Policy
  readonly #measured: Measured
  readonly #uploads = { columns: new UploadWords(), lanes: new UploadWords() }
  #compiled: Compiled | undefined
  #open: OpenForm | undefined

  constructor({ sessions, policy, measured }: { sessions: DeviceSessions; policy: Policy; measured: Measured }) {
    this.#sessions = sessions
    this.#policy = policy
    this.#measured = measured
  }

  /** Submissions for a batch, which has ended. */
  close(batch: OpenBatch): number {
    const submissions = this.#open?.batch === batch ? this.#open.form.submissions : 0
    this.#open = undefined
    return submissions
  }

  /** The transaction before which the device is not to be asked for this batch. */
  from(batch: OpenBatch): number {
    return this.#open?.batch === batch ? this.#open.form.from : 0
  }

  /** Whether the device may be to settle any range. */
  get isPossible(): boolean {
    const { settle, costs } = this.#policy
    return settle === 'device' || (settle !== 'host' && costs.settleEntryUs < HOST_SETTLE_ENTRY_US)
  }

  /** A range has ended: of lanes that the device kept for it none is needed any more. */
  endRange(): void {
    this.#sessions.current?.lanes.release()
  }

  /** Whether the device is to settle [first, end): the costs of the device decide, or the policy. */
  wants(batch: OpenBatch, first: number, end: number): boolean {
    const { settle, costs } = this.#policy
    if (first < this.from(batch)) return false
    if (settle === 'host' || first === end || this.#sessions.refusal !== undefined) return false
    if (settle === 'device') return true
    const entries = (end - first) * entriesOf(batch, first, end)
    return costs.settleUs + entries * costs.settleEntryUs < entries * HOST_SETTLE_ENTRY_US
  }

  /**
   * Settles what the device can from `first` on; returns the first transaction that is left (DeviceSweep.advance).
   * Rejects with a fault of the device; where it only lacks the memory, the rest of the batch is the host's.
   */
  async advance(sweep: Sweep, batch: OpenBatch, first: number, end: number): Promise<number> {
    const open = await this.#openOn(batch, sweep)
    const taken = sweep.takenOnDevice
    if (open === undefined || open.isOver || taken === undefined) return first
    try {
      return await open.form.advance(first, end, taken)
    } catch (thrown) {
      if (!(thrown instanceof OutOfMemoryError)) throw thrown
      open.isOver = true
      open.session.faults.push(thrown.message)
      return first
    }
  }

  async #openOn(batch: OpenBatch, { refundQuotient }: Sweep): Promise<OpenForm | undefined> {
    const session = this.#sessions.open()
    if (this.#open?.batch === batch && this.#open.session === session) return this.#open
    const kernels = await this.#kernelsOf(session)
    if (kernels === undefined) return undefined
    const form = new DeviceSweep(session, kernels, { batch, refundQuotient, uploads: this.#uploads })
    this.#open = { batch, session, form, isOver: false }
    return this.#open
  }

  /** Undefined while they compile beside the batch, or where they do not compile. */
  async #kernelsOf(session: DeviceSession): Promise<SettleKernels | undefined> {
    const { device } = session
    if (this.#compiled?.device !== device) this.#compiled = compile(session)
    const { pending, ready } = this.#compiled
    if (ready !== undefined || this.#policy.compile !== 'wait') return ready
    return this.#measured.waitFor(pending)
  }
}

const compile = (session: DeviceSession): Compiled => {
  const { device, faults } = session
  const pending = SettleKernels.compile(device).then(
    (kernels) => {
      compiled.ready = kernels
      return kernels
    },
    (thrown: unknown) => {
      if (!(thrown instanceof ShaderCompileError)) throw thrown
      faults.push(thrown.message)
      return undefined
    },
  )
  // A fault of the device is told by whatever asks it next.
  pending.catch(() => undefined)
  const compiled: Compiled = { device, pending, ready: undefined }
  return compiled
}

/** Entries of a transaction of [first, end), about. */
const entriesOf = ({ executions, executionOf }: OpenBatch, first: number, end: number): number => {
  const stride = Math.max(1, Math.floor((end - first) / SAMPLE))
  let count = 0
  let reads = 0
  for (let i = first; i < end; i += stride) {
    count++
    const number = executionOf[i]!
    if (number >= 0) reads += executions[number]!.columns?.slotAt.length ?? 0
  }
  return PARTIES + reads / count
}
