/**
 * What decides between a wave, the host and the CPU tier, in microseconds. Never measured while a batch runs: the same
 * batch takes the same rounds each time (docs/decisions/0011-waves-by-fixed-costs.md,
 * 0013-few-lanes-run-on-the-host.md, 0023-costs-of-the-device.md). Costs choose tiers, and change no result.
 *
 * Example: {@link deviceCosts}.
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
  /** A range that is settled on the device, and what each entry of its log adds, the columns that go up with it. */
  readonly settleUs: number
  readonly settleEntryUs: number
}

/** A transaction on the CPU tier, apart from its steps. */
export const CPU_TRANSACTION_US = 400
/** An EVM step there. */
export const CPU_STEP_US = 1.2
/** An entry of the log of settling, on the host: a payment of ERC-20 has four (0052-settling-on-a-device.md). */
export const HOST_SETTLE_ENTRY_US = 0.08

/**
 * Of software devices, which share the host's cores, measured on two of them with lavapipe. A wave contains its share
 * of a second one for what it missed; workgroups run one after another, and bytes are in the price of a lane. Of the
 * lane VM as CPU time, least of 15 waves: 1.1 ms for one ERC-20 transfer (111 instructions) and 1.8 ms for one swap
 * (1,865); 20 us and 235 us each for many of them.
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
  settleUs: 3_000,
  settleEntryUs: 0.5,
}
