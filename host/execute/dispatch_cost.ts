import type { PathPlan } from './path_plan.ts'

/**
 * What decides between a wave and the CPU tier, in microseconds on two cores: measured once, not while a batch runs, so
 * that the same batch takes the same rounds on every machine (docs/decisions/0011-waves-by-fixed-costs.md).
 */

/** A transaction on the CPU tier, apart from its steps. */
const CPU_TRANSACTION_US = 400
/** An EVM step there. */
const CPU_STEP_US = 1.2
/** A wave: upload, submission, readback, and the groups that come back. */
const WAVE_US = 1_500
/** A live value of a path in one lane, as a program. */
const LANE_VALUE_US = 0.08

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

/** What the CPU tier takes for `lanes` transactions of this path. */
export const cpuCostUs = ({ kernel }: PathPlan, lanes: number): number =>
  lanes * (CPU_TRANSACTION_US + kernel.report.steps * CPU_STEP_US)

/** What these lanes add to a wave. */
export const laneCostUs = ({ kernel }: PathPlan, lanes: number): number =>
  lanes * kernel.report.liveValues * LANE_VALUE_US

/** Whether waves that cost `laneUs` for their lanes and save the CPU tier `cpuUs` are worth it. */
export const isWorthWave = (cpuUs: number, laneUs: number, waves = 1): boolean => cpuUs > waves * (WAVE_US + laneUs)

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
