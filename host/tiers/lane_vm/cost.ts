import { CPU_TRANSACTION_US, type DeviceCosts, SOFTWARE_COSTS } from '../../batch/cost.ts'
import type { VmKind } from './profiles.ts'

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
 * What the lane VM saves on a call of so many instructions and stops, apart from its wave, in which so many calls of
 * its kind stand before it. 0 instructions: nothing is known of it.
 */
const vmSavesUs = (
  instructions: number,
  stops: number,
  like: number,
  { vmInstructionUs, vmLikeInstructionUs }: DeviceCosts = SOFTWARE_COSTS,
): number =>
  CPU_TRANSACTION_US -
  VM_LANE_US +
  (instructions || UNKNOWN_INSTRUCTIONS) * (CPU_INSTRUCTION_US - (like > 0 ? vmLikeInstructionUs : vmInstructionUs)) -
  stops * VM_STOP_US

/** What calls that would go together save, and what their wave costs beside. */
export class VmWaveCost {
  savesUs = 0
  readonly #costs: DeviceCosts
  readonly #like = new Map<VmKind, number>()
  /** Steps of the longest call. */
  #longest = 0
  /** Of some call nothing is known. */
  #hasUnknown = false

  constructor(costs: DeviceCosts = SOFTWARE_COSTS) {
    this.#costs = costs
  }

  /** Adds a call of this kind where it saves something, or `always`. Whether it was added. */
  add(kind: VmKind, always = false): boolean {
    const before = this.#like.get(kind) ?? 0
    const saves = vmSavesUs(kind.steps, kind.stops, before, this.#costs)
    if (!always && (kind.isRefused || saves <= 0)) return false
    this.#like.set(kind, before + 1)
    this.savesUs += saves
    this.#longest = Math.max(this.#longest, kind.steps)
    if (kind.steps === 0) this.#hasUnknown = true
    return true
  }

  get costUs(): number {
    const { vmWaveUs, vmPathInstructionUs } = this.#costs
    return vmWaveUs + this.#longest * vmPathInstructionUs + (this.#hasUnknown ? VM_STOPS_US : 0)
  }
}
