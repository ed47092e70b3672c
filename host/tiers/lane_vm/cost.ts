import { CPU_TRANSACTION_US, type DeviceCosts, SOFTWARE_COSTS } from '../../batch/cost.ts'

/** What an instruction of the lane VM takes on the CPU tier: one for each 2.4 steps. */
const CPU_INSTRUCTION_US = 2.9
/** Instructions of a call of which nothing is known (571 steps on mainnet in the middle). */
const UNKNOWN_INSTRUCTIONS = 240
/** What a wave takes more where nothing is known of some of its calls: their lanes stop at what is not resident. */
const VM_STOPS_US = 12_000
/** A stop of one lane for what cannot be foreseen, as a precompile. */
const VM_STOP_US = 800
const VM_LANE_US = 20

/**
 * What the lane VM saves on a call of so many instructions and stops, apart from its wave, in which so many calls of its
 * kind stand before it. 0 instructions: nothing is known of it.
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
 * Whether a wave of the lane VM pays that saves so much on its lanes, of which the longest runs so many instructions;
 * nothing is known of `unknown` of its calls.
 */
export const isWorthVmWave = (
  savesUs: number,
  unknown: number,
  longest = 0,
  { vmWaveUs, vmPathInstructionUs }: DeviceCosts = SOFTWARE_COSTS,
): boolean => savesUs > vmWaveUs + longest * vmPathInstructionUs + (unknown > 0 ? VM_STOPS_US : 0)
