import { LANE_COUNTS, LANE_OUTPUT, LANE_REQUEST, LANE_STATE } from '../../../transpiler/layout/lane_vm.ts'

const VECTOR_LIMBS = 4

/**
 * What lanes of the lane VM left, of one wave. Layouts: transpiler/layout/lane_vm.ts. Lanes stand in the order of
 * order.ts, not of the request.
 *
 * transactions  i32[laneCount]                      transaction of lane l; -1 where a later group of the same run has
 *                                                   it, because the lane passed its quota and ran again
 * columns       u32[LANE_PARTIES * laneCount * 4]   the columns that lanes write, when the last of them ended. A lane
 *                                                   that the host took out is VM_EXITS.refused
 * words         u32[]                               what was gathered of ended lanes, vector by vector, each record as
 *                                                   one run:
 *   slotsAt     u32[laneCount]                      limb of the lane's first SLOT record; their number is LANE_COUNTS.x
 *   accountsAt                                      of its first ACCOUNT record; LANE_COUNTS.y
 *   logsAt                                          of its first LOG record; LANE_COUNTS.w of them, of LANE_COUNTS.z
 *                                                   vectors in all
 *   outputAt                                        of the vector that holds its output's first byte: see `vmOutput`
 * bloomBits     u32[], never rejects                 bits of the logs' topics but the first ones
 *                                                    (kernels/entry/lane_vm_bloom.wgsl); undefined where
 *                                                   the host must hash them
 *   bloomsAt    u32[laneCount]                      limb of those of the lane's first log
 * reasons       by lane                             why it left: the lanes that did not end have one, and only they
 *
 * Slots and accounts are there for every lane that ended, reverted and halted ones too (what they read holds, what they
 * wrote is void); logs of `succeeded` ones only, output of `succeeded` and `reverted` ones. A lane that left has
 * nothing.
 */
export interface VmGroup {
  readonly transactions: Int32Array
  readonly laneCount: number
  readonly columns: Uint32Array
  readonly words: Uint32Array
  readonly slotsAt: Uint32Array
  readonly accountsAt: Uint32Array
  readonly logsAt: Uint32Array
  readonly outputAt: Uint32Array
  readonly bloomBits?: Promise<Uint32Array | undefined>
  readonly bloomsAt?: Uint32Array
  readonly reasons: ReadonlyMap<number, string>
}

/** Limb of component 0 of a column of a lane. */
export const vmColumn = ({ laneCount }: VmGroup, column: number, lane: number): number =>
  (column * laneCount + lane) * VECTOR_LIMBS

/** VM_EXITS value of a lane. */
export const vmExit = (group: VmGroup, lane: number): number => group.columns[vmColumn(group, LANE_STATE, lane)]!
export const vmGasLeft = (group: VmGroup, lane: number): number =>
  group.columns[vmColumn(group, LANE_OUTPUT, lane) + 3]! * 0x1_0000_0000 +
  group.columns[vmColumn(group, LANE_STATE, lane) + 3]!
/** Refund counter; the kernel counts it as i32. */
export const vmRefund = (group: VmGroup, lane: number): number =>
  group.columns[vmColumn(group, LANE_REQUEST, lane) + 2]! | 0
export const vmSlotCount = (group: VmGroup, lane: number): number => group.columns[vmColumn(group, LANE_COUNTS, lane)]!
export const vmAccountCount = (group: VmGroup, lane: number): number =>
  group.columns[vmColumn(group, LANE_COUNTS, lane) + 1]!
export const vmLogCount = (group: VmGroup, lane: number): number =>
  group.columns[vmColumn(group, LANE_COUNTS, lane) + 3]!

/** Output of a lane that returned or reverted. */
export const vmOutput = (group: VmGroup, lane: number): Uint8Array => {
  const at = vmColumn(group, LANE_OUTPUT, lane)
  const length = group.columns[at + 1]!
  const bytes = new Uint8Array(group.words.buffer, group.words.byteOffset, group.words.byteLength)
  const first = group.outputAt[lane]! * 4 + (group.columns[at]! & 15)
  return bytes.slice(first, first + length)
}
