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

/** A call without a path there, with the steps of one in the middle (571 on mainnet). */
const CPU_CALL_US = CPU_TRANSACTION_US + 571 * CPU_STEP_US
/** A wave of the lane VM: its dispatches, and what lanes wait for in between. */
const VM_WAVE_US = 8_000
/** The same call in one of its lanes. */
const VM_LANE_US = 150

/** What the CPU tier takes for `lanes` transactions of this path. */
export const cpuCostUs = ({ kernel }: PathPlan, lanes: number): number =>
  lanes * (CPU_TRANSACTION_US + kernel.report.steps * CPU_STEP_US)

/** What these lanes add to a wave. */
export const laneCostUs = ({ kernel }: PathPlan, lanes: number): number =>
  lanes * kernel.report.liveValues * LANE_VALUE_US

/** Whether waves that cost `laneUs` for their lanes and save the CPU tier `cpuUs` are worth it. */
export const isWorthWave = (cpuUs: number, laneUs: number, waves = 1): boolean => cpuUs > waves * (WAVE_US + laneUs)

/** Whether the lane VM is worth a wave for this many calls. */
export const isWorthVmWave = (lanes: number): boolean => lanes * (CPU_CALL_US - VM_LANE_US) > VM_WAVE_US
