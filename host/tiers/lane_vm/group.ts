import { LANE_OUTPUT, LANE_REQUEST, LANE_STATE } from '../../../transpiler/layout/lane_vm.ts'

const VECTOR_LIMBS = 4
/** Of a lane in `held`. */
export const HELD_LIMBS = 4

/**
 * What lanes of the lane VM left, of one wave. Layouts: transpiler/layout/lane_vm.ts. Lanes stand in the order of
 * order.ts, not of the request.
 *
 * transactions  i32[laneCount]                      transaction of lane l; -1 where a later group of the same run has
 *                                                   it, because the lane passed its quota and ran again
 * exits         u8[laneCount]                       VM_EXITS; a lane that the host took out is `refused`
 * words         u32[]                               logs and outputs of ended lanes, of each lane one after the other:
 *   logsAt      u32[laneCount]                      limb of the lane's first LOG record, and their number
 *   logCounts
 *   outputAt    u32[laneCount]                      byte of its output, and its bytes
 *   outputBytes
 * bloomBits     u32[], never rejects                bits of the logs' topics but the first ones
 *                                                   (kernels/entry/lane_vm_bloom.wgsl); undefined where the host must
 *                                                   hash them
 *   bloomsAt    u32[laneCount]                      limb of those of the lane's first log
 * reasons       by lane                             why it left: the lanes that did not end have one, and only they
 *
 * Until the batch ends:
 *
 * columns       u32[LANE_PARTIES * laneCount * 4]   the columns that lanes write, when the last of them ended
 * records       u32[]                               HELD RECORDs of ended lanes
 *   held        u32[4 * laneCount]                  (limb of the lane's first SLOT record, their number, of the ACCOUNT
 *                                                   records, which follow them, 1 where the lane succeeded)
 *
 * Records are there for every lane that ended, reverted and halted ones too (what they read holds, what they wrote is
 * void); logs of `succeeded` ones only, output of `succeeded` and `reverted` ones. A lane that left has nothing.
 */
export interface VmGroup {
  readonly transactions: Int32Array
  readonly laneCount: number
  readonly exits: Uint8Array
  readonly words: Uint32Array
  readonly logsAt: Uint32Array
  readonly logCounts: Uint32Array
  readonly outputAt: Uint32Array
  readonly outputBytes: Uint32Array
  readonly bloomBits?: Promise<Uint32Array | undefined>
  readonly bloomsAt?: Uint32Array
  readonly reasons: ReadonlyMap<number, string>
  readonly columns: Uint32Array
  readonly records: Uint32Array
  readonly held: Uint32Array
}

/** Limb of component 0 of a column of a lane. */
export const vmColumn = ({ laneCount }: Pick<VmGroup, 'laneCount'>, column: number, lane: number): number =>
  (column * laneCount + lane) * VECTOR_LIMBS

/** VM_EXITS value of a lane. */
export const vmExit = ({ exits }: VmGroup, lane: number): number => exits[lane]!
export const vmGasLeft = (group: VmGroup, lane: number): number =>
  group.columns[vmColumn(group, LANE_OUTPUT, lane) + 3]! * 0x1_0000_0000 +
  group.columns[vmColumn(group, LANE_STATE, lane) + 3]!
/** Refund counter; the kernel counts it as i32. */
export const vmRefund = (group: VmGroup, lane: number): number =>
  group.columns[vmColumn(group, LANE_REQUEST, lane) + 2]! | 0

/** Limb of the first SLOT record of a lane, and their number. */
export const vmSlotsAt = ({ held }: VmGroup, lane: number): number => held[HELD_LIMBS * lane]!
export const vmSlotCount = ({ held }: VmGroup, lane: number): number => held[HELD_LIMBS * lane + 1]!
export const vmAccountCount = ({ held }: VmGroup, lane: number): number => held[HELD_LIMBS * lane + 2]!
/** Limb of the record after the one at `at`. */
export const vmNextRecord = (records: Uint32Array, at: number): number => at + VECTOR_LIMBS * records[at + 3]!

/** Limb of the first ACCOUNT record of a lane. */
export const vmAccountsAt = (group: VmGroup, lane: number): number => {
  let at = vmSlotsAt(group, lane)
  for (let n = vmSlotCount(group, lane); n > 0; n--) at = vmNextRecord(group.records, at)
  return at
}

/** Output of a lane that returned or reverted. */
export const vmOutput = ({ words, outputAt, outputBytes }: VmGroup, lane: number): Uint8Array => {
  const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength)
  return bytes.slice(outputAt[lane]!, outputAt[lane]! + outputBytes[lane]!)
}
