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

/** A lane on the host, and an instruction of its program there. */
const HOST_LANE_US = 8
const HOST_INSTRUCTION_US = 0.5

/** What lanes that would go together cost as a wave, or on the host, and what the CPU tier takes for their transactions. */
export class WaveCost {
  cpuUs = 0
  #laneUs = 0
  /** Infinity where a path has no program. */
  #hostUs = 0

  /** `lanes` transactions that the CPU tier would execute else. */
  save({ kernel }: PathPlan, lanes: number): void {
    this.cpuUs += lanes * (CPU_TRANSACTION_US + kernel.report.steps * CPU_STEP_US)
  }

  /** `lanes` lanes of a path. */
  add({ kernel }: PathPlan, lanes: number): void {
    this.#laneUs += lanes * kernel.report.liveValues * LANE_VALUE_US
    const { program } = kernel
    this.#hostUs +=
      program === undefined ? Infinity : lanes * (HOST_LANE_US + program.instructions * HOST_INSTRUCTION_US)
  }

  get isLeastOnHost(): boolean {
    return this.#hostUs <= WAVE_US + this.#laneUs
  }

  /** Whether `waves` of such waves cost less than what they save, `cpuUs` where nothing else is said. */
  isWorth(mayUseHost: boolean, waves = 1, savedUs = this.cpuUs): boolean {
    const waveUs = WAVE_US + this.#laneUs
    return savedUs > waves * (mayUseHost ? Math.min(waveUs, this.#hostUs) : waveUs)
  }
}
