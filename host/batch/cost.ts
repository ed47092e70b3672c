import { COLUMN_BYTES, type PathPlan } from '../tiers/path/plan.ts'

/**
 * What decides between a wave, the host and the CPU tier, in microseconds. Never measured while a batch runs, so that the same batch takes the
 * same rounds each time (docs/decisions/0011-waves-by-fixed-costs.md, 0013-few-lanes-run-on-the-host.md,
 * 0023-costs-of-the-device.md). They choose tiers, and change no result.
 */
export interface DeviceCosts {
  /** A wave of path programs: upload, submission, readback, the groups that come back. */
  readonly waveUs: number
  /** An instruction of a program in a wave of one workgroup: what the longest path of a wave takes at least. */
  readonly pathInstructionUs: number
  /** What an instruction adds for each workgroup, however few its lanes, and for each lane, where there are many. */
  readonly workgroupInstructionUs: number
  readonly laneInstructionUs: number
  /** Bytes of lane columns, there and back. */
  readonly uploadUsPerByte: number
  readonly readbackUsPerByte: number
  /** A wave of the lane VM whose lanes do not stop. */
  readonly vmWaveUs: number
  /** An instruction of its longest lane. */
  readonly vmPathInstructionUs: number
  /** What an instruction adds in a lane whose neighbours run others, and beside its like. */
  readonly vmInstructionUs: number
  readonly vmLikeInstructionUs: number
}

/** A transaction on the CPU tier, apart from its steps. */
const CPU_TRANSACTION_US = 400
/** An EVM step there. */
const CPU_STEP_US = 1.2
const WORKGROUP_LANES = 64
/** A lane on the host, and an instruction of its program there. */
const HOST_LANE_US = 5
const HOST_INSTRUCTION_US = 0.2

/** What an instruction of the lane VM takes there: one for each 2.4 steps. */
const CPU_INSTRUCTION_US = 2.9
/** Instructions of a call of which nothing is known (571 steps on mainnet in the middle). */
const UNKNOWN_INSTRUCTIONS = 240
/** What it takes more where calls stand in it of which nothing is known: its lanes stop at what is not resident. */
const VM_STOPS_US = 12_000
/** A stop of one lane for what cannot be foreseen, as a precompile. */
const VM_STOP_US = 800
const VM_LANE_US = 20

/**
 * Of software devices, which share the host's cores, measured on two of them with lavapipe: a wave has its share of a second one for what it
 * missed; workgroups run one after another, and bytes are in the price of a lane. Of the lane VM as CPU time, least of 15 waves: 1.1 ms
 * for one ERC-20 transfer (111 instructions) and 1.8 ms for one swap (1,865); 20 us and 235 us each for many of them.
 */
export const SOFTWARE_COSTS: DeviceCosts = {
  waveUs: 1_500,
  pathInstructionUs: 0,
  workgroupInstructionUs: 0.3,
  laneInstructionUs: 0.05,
  uploadUsPerByte: 0,
  readbackUsPerByte: 0,
  vmWaveUs: 1_500,
  vmPathInstructionUs: 0,
  vmInstructionUs: 0.5,
  vmLikeInstructionUs: 0.13,
}

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

/**
 * What the lane VM saves on a call of so many instructions and stops, apart from its wave, in which so many calls of its kind stand
 * in front of it. 0 instructions: nothing is known of it.
 */
export const vmSavesUs = (
  instructions: number,
  stops: number,
  like: number,
  { vmInstructionUs, vmLikeInstructionUs }: DeviceCosts = SOFTWARE_COSTS,
): number =>
  CPU_TRANSACTION_US -
  VM_LANE_US +
  (instructions || UNKNOWN_INSTRUCTIONS) * (CPU_INSTRUCTION_US - (like > 0 ? vmLikeInstructionUs : vmInstructionUs)) -
  stops * VM_STOP_US

/**
 * Whether a wave of the lane VM is worth it that saves so much on its lanes, of which the longest runs so many instructions; `unknown` of them
 * are calls of which nothing is known.
 */
export const isWorthVmWave = (
  savesUs: number,
  unknown: number,
  longest = 0,
  { vmWaveUs, vmPathInstructionUs }: DeviceCosts = SOFTWARE_COSTS,
): boolean => savesUs > vmWaveUs + longest * vmPathInstructionUs + (unknown > 0 ? VM_STOPS_US : 0)

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
  get #waveUs(): number {
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
    return this.#cpuUs > waves * (mayUseHost ? Math.min(this.#waveUs, this.#hostUs) : this.#waveUs)
  }

  /** What the lanes' transactions take one by one at their places. */
  singlyUs(mayUseHost: boolean): number {
    return mayUseHost ? Math.min(this.#cpuUs, this.#hostUs) : this.#cpuUs
  }

  /** Whether a round on the device costs less than it saves. */
  isWorthRound(savedUs: number): boolean {
    return savedUs > this.#waveUs
  }
}

/** The jobs that cost less on the device than on the host, where together they save more than the wave costs; else none. */
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
