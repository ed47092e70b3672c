import { CPU_STEP_US, CPU_TRANSACTION_US, type DeviceCosts, SOFTWARE_COSTS } from '../../batch/cost.ts'
import { COLUMN_BYTES, type PathPlan } from './plan.ts'

const WORKGROUP_LANES = 64
/** A lane on the host, and an instruction of its program there. */
const HOST_LANE_US = 5
const HOST_INSTRUCTION_US = 0.2

const instructionsOf = ({ kernel: { report } }: PathPlan): number => report.programOps || report.liveValues

/** What `lanes` lanes of a path add to a wave. */
const deviceUs = (plan: PathPlan, lanes: number, costs: DeviceCosts): number => {
  const { inputColumns, outputColumns } = plan.kernel
  const workgroups = Math.ceil(lanes / WORKGROUP_LANES)
  const bytesUs = COLUMN_BYTES * (inputColumns * costs.uploadUsPerByte + outputColumns * costs.readbackUsPerByte)
  const perInstructionUs = workgroups * costs.workgroupInstructionUs + lanes * costs.laneInstructionUs
  return instructionsOf(plan) * perInstructionUs + lanes * bytesUs
}

/** What they take on the host; Infinity without a program. */
const hostUs = ({ kernel: { program } }: PathPlan, lanes: number): number =>
  program === undefined ? Infinity : lanes * (HOST_LANE_US + program.instructions * HOST_INSTRUCTION_US)

/** What lanes that would go together cost, and what the CPU tier takes for their transactions. */
export class WaveCost {
  #cpuUs = 0
  #addedUs = 0
  #longestUs = 0
  #hostUs = 0
  readonly #costs: DeviceCosts

  constructor(costs: DeviceCosts = SOFTWARE_COSTS) {
    this.#costs = costs
  }

  /** Workgroups run beside one another: the wave takes its longest path at least. */
  get waveUs(): number {
    return this.#costs.waveUs + Math.max(this.#longestUs, this.#addedUs)
  }

  /** `lanes` transactions that the CPU tier would execute else. */
  save({ kernel }: PathPlan, lanes: number): void {
    this.#cpuUs += lanes * (CPU_TRANSACTION_US + kernel.report.steps * CPU_STEP_US)
  }

  /** `lanes` lanes of a path. */
  add(plan: PathPlan, lanes: number): void {
    this.#addedUs += deviceUs(plan, lanes, this.#costs)
    this.#longestUs = Math.max(this.#longestUs, instructionsOf(plan) * this.#costs.pathInstructionUs)
    this.#hostUs += hostUs(plan, lanes)
  }

  /** Whether `waves` of such waves, or these lanes on the host where that may be, cost less than the CPU tier. */
  isWorth(mayUseHost: boolean, waves = 1): boolean {
    return this.#cpuUs > waves * (mayUseHost ? Math.min(this.waveUs, this.#hostUs) : this.waveUs)
  }

  /** What the lanes' transactions take one by one at their places. */
  singlyUs(mayUseHost: boolean): number {
    return mayUseHost ? Math.min(this.#cpuUs, this.#hostUs) : this.#cpuUs
  }
}

/**
 * The jobs that cost less on the device than on the host, where together they save more than the wave costs; else none.
 */
export const jobsForDevice = <Job extends { readonly plan: PathPlan; readonly transactions: Int32Array }>(
  jobs: readonly Job[],
  costs: DeviceCosts = SOFTWARE_COSTS,
): readonly Job[] => {
  let savedUs = 0
  let addedUs = 0
  let longestUs = 0
  const better = jobs.filter(({ plan, transactions: { length } }) => {
    const ownUs = deviceUs(plan, length, costs)
    const gainUs = hostUs(plan, length) - ownUs
    if (gainUs <= 0) return false
    savedUs += gainUs
    addedUs += ownUs
    longestUs = Math.max(longestUs, instructionsOf(plan) * costs.pathInstructionUs)
    return true
  })
  return savedUs > costs.waveUs + Math.max(0, longestUs - addedUs) ? better : []
}
