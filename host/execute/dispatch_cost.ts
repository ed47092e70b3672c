import type { PathPlan } from './path_plan.ts'

/**
 * What decides between a wave, the host and the CPU tier, in microseconds on two cores: measured once, not while a batch runs,
 * so that the same batch takes the same rounds on every machine (docs/decisions/0011-waves-by-fixed-costs.md,
 * 0013-few-lanes-run-on-the-host.md).
 */

/** A transaction on the CPU tier, apart from its steps. */
const CPU_TRANSACTION_US = 400
/** An EVM step there. */
const CPU_STEP_US = 1.2
/** A wave: upload, submission, readback, the groups that come back, and its share of a second one for what it missed. */
const WAVE_US = 1_500
/** An instruction of a program for a workgroup, however few its lanes, and for each lane. */
const WORKGROUP_INSTRUCTION_US = 0.3
const LANE_INSTRUCTION_US = 0.05
const WORKGROUP_LANES = 64
/** A lane on the host, and an instruction of its program there. */
const HOST_LANE_US = 5
const HOST_INSTRUCTION_US = 0.2

/** A call without a path there, with the steps of one in the middle (571 on mainnet). */
const CPU_CALL_US = CPU_TRANSACTION_US + 571 * CPU_STEP_US
/** A wave of the lane VM: its dispatches, and what lanes wait for in between. */
const VM_WAVE_US = 8_000
/** The same call in one of its lanes. */
const VM_LANE_US = 150

/** What `lanes` lanes of a path add to a wave. */
const deviceUs = ({ kernel }: PathPlan, lanes: number): number => {
  const { programOps, liveValues } = kernel.report
  const workgroups = Math.ceil(lanes / WORKGROUP_LANES)
  return (programOps || liveValues) * (workgroups * WORKGROUP_INSTRUCTION_US + lanes * LANE_INSTRUCTION_US)
}

/** What they take on the host; Infinity without a program. */
const hostUs = ({ kernel: { program } }: PathPlan, lanes: number): number =>
  program === undefined ? Infinity : lanes * (HOST_LANE_US + program.instructions * HOST_INSTRUCTION_US)

/** Whether the lane VM is worth a wave for this many calls. */
export const isWorthVmWave = (lanes: number): boolean => lanes * (CPU_CALL_US - VM_LANE_US) > VM_WAVE_US

/** What lanes that would go together cost, and what the CPU tier takes for their transactions. */
export class WaveCost {
  #cpuUs = 0
  #deviceUs = 0
  #hostUs = 0

  /** `lanes` transactions that the CPU tier would execute else. */
  save({ kernel }: PathPlan, lanes: number): void {
    this.#cpuUs += lanes * (CPU_TRANSACTION_US + kernel.report.steps * CPU_STEP_US)
  }

  /** `lanes` lanes of a path. */
  add(plan: PathPlan, lanes: number): void {
    this.#deviceUs += deviceUs(plan, lanes)
    this.#hostUs += hostUs(plan, lanes)
  }

  /** Whether `waves` of such waves, or these lanes on the host where that may be, cost less than the CPU tier. */
  isWorth(mayUseHost: boolean, waves = 1): boolean {
    const waveUs = WAVE_US + this.#deviceUs
    return this.#cpuUs > waves * (mayUseHost ? Math.min(waveUs, this.#hostUs) : waveUs)
  }

  /** What the lanes' transactions take one by one at their places. */
  singlyUs(mayUseHost: boolean): number {
    return mayUseHost ? Math.min(this.#cpuUs, this.#hostUs) : this.#cpuUs
  }

  /** Whether a round on the device costs less than it saves. */
  isWorthRound(savedUs: number): boolean {
    return savedUs > WAVE_US + this.#deviceUs
  }
}

/** The jobs that cost less on the device than on the host, where together they save more than the wave costs; else none. */
export const jobsForDevice = <Job extends { readonly plan: PathPlan; readonly transactions: Int32Array }>(
  jobs: readonly Job[],
): readonly Job[] => {
  let savedUs = 0
  const better = jobs.filter(({ plan, transactions: { length } }) => {
    const gainUs = hostUs(plan, length) - deviceUs(plan, length)
    savedUs += Math.max(0, gainUs)
    return gainUs > 0
  })
  return savedUs > WAVE_US ? better : []
}
