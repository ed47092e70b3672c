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

/** What an instruction of the lane VM takes there: one for each 2.4 steps. */
const CPU_INSTRUCTION_US = 2.9
/** Instructions of a call of which nothing is known (571 steps on mainnet in the middle). */
const UNKNOWN_INSTRUCTIONS = 240
/**
 * A wave of the lane VM whose lanes do not stop, measured as CPU time on lavapipe, least of 15 waves: 1.1 ms for one ERC-20 transfer
 * (111 instructions) and 1.8 ms for one swap (1,865); 20 us and 235 us each for many of them.
 */
const VM_WAVE_US = 1_500
/** What it takes more where calls stand in it of which nothing is known: its lanes stop at what is not resident. */
const VM_STOPS_US = 12_000
/** A stop of one lane for what cannot be foreseen, as a precompile. */
const VM_STOP_US = 800
const VM_LANE_US = 20
/** An instruction in a lane whose neighbours run others, which costs as much as all lanes of its SIMD group; and beside its like. */
const VM_INSTRUCTION_US = 0.5
const VM_LIKE_INSTRUCTION_US = 0.13

/** What `lanes` lanes of a path add to a wave. */
const deviceUs = ({ kernel }: PathPlan, lanes: number): number => {
  const { programOps, liveValues } = kernel.report
  const workgroups = Math.ceil(lanes / WORKGROUP_LANES)
  return (programOps || liveValues) * (workgroups * WORKGROUP_INSTRUCTION_US + lanes * LANE_INSTRUCTION_US)
}

/** What they take on the host; Infinity without a program. */
const hostUs = ({ kernel: { program } }: PathPlan, lanes: number): number =>
  program === undefined ? Infinity : lanes * (HOST_LANE_US + program.instructions * HOST_INSTRUCTION_US)

/**
 * What the lane VM saves on a call of so many instructions and stops, apart from its wave, in which so many calls of its kind stand
 * in front of it. 0 instructions: nothing is known of it.
 */
export const vmSavesUs = (instructions: number, stops: number, like: number): number =>
  CPU_TRANSACTION_US -
  VM_LANE_US +
  (instructions || UNKNOWN_INSTRUCTIONS) *
    (CPU_INSTRUCTION_US - (like > 0 ? VM_LIKE_INSTRUCTION_US : VM_INSTRUCTION_US)) -
  stops * VM_STOP_US

/** Whether a wave of the lane VM is worth it that saves so much on its lanes; `unknown` of them are calls of which nothing is known. */
export const isWorthVmWave = (savesUs: number, unknown: number): boolean =>
  savesUs > VM_WAVE_US + (unknown > 0 ? VM_STOPS_US : 0)

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
