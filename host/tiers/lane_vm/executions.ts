import { ENTRY_SEEN, SLOT_READ, VM_EXITS } from '../../../transpiler/layout/lane_vm.ts'
import type { Executions, Place, RecordColumns, TouchVisitor } from '../../batch/executions.ts'
import { type OpenBatch, STATUS_FAILURE, STATUS_SUCCESS } from '../../batch/open_batch.ts'
import type { ExitReasons } from '../../batch/reason.ts'
import type { Versions } from '../../batch/versions.ts'
import type { BloomSet } from '../../chain/bloom.ts'
import type { LaneRows } from '../../chain/lane_rows.ts'
import type { Log } from '../../chain/log.ts'
import { wordCopy, wordEquals } from '../../primitives/word.ts'
import type { AccountTable } from '../../state/tables/account_table.ts'
import type { ResidentState } from '../../state/tables/resident_tables.ts'
import {
  type VmGroup,
  vmAccountCount,
  vmExit,
  vmGasLeft,
  vmNextRecord,
  vmRefund,
  vmSlotCount,
  vmSlotsAt,
} from './group.ts'
import {
  RECORD_BEFORE,
  RECORD_PRESENT,
  slotIsChanged,
  VM_BALANCE,
  VM_CODE,
  VM_EMPTY,
  VM_SLOT,
  VmStore,
} from './held.ts'
import { VmReceipts } from './receipts.ts'

/** Codes of reasons by what of a lane does not hold (VmBreak). */
export const vmReasons = (reasons: ExitReasons): readonly number[] => {
  const codes = [0]
  codes[VM_SLOT] = reasons.code('conflict')
  codes[VM_BALANCE] = reasons.code('balance conflict')
  codes[VM_CODE] = reasons.code('code conflict')
  codes[VM_EMPTY] = reasons.code('empty account')
  return codes
}

/** The executions of one wave of the lane VM, on the tables that the batch runs on. */
export class VmExecutions implements Executions {
  readonly form = 'laneVm'
  readonly group: VmGroup
  readonly #batch: OpenBatch
  readonly #accounts: AccountTable
  readonly #store: VmStore
  /** Of `vmReasons`. */
  readonly #reasons: readonly number[]
  #reader: VmReceipts | undefined
  #bits: Uint32Array | undefined
  readonly hashed?: Promise<void>

  constructor(batch: OpenBatch, group: VmGroup, resident: ResidentState, reasons: readonly number[]) {
    this.#batch = batch
    this.group = group
    this.#accounts = resident.accounts
    this.#store = new VmStore(batch, resident)
    this.#reasons = reasons
    if (group.bloomBits !== undefined)
      this.hashed = group.bloomBits.then((bits) => {
        this.#bits = bits
      })
  }

  get records(): RecordColumns {
    return this.group
  }

  broken(lane: number, place: Place): number {
    return this.#reasons[this.#store.broken(this.group, lane, place.transaction, place.from, place)]!
  }

  brokenAlone(lane: number, { transaction, from }: Place): number {
    return this.#reasons[this.#store.broken(this.group, lane, transaction, from)]!
  }

  enter(lane: number, _place: Place): number {
    if (vmExit(this.group, lane) === VM_EXITS.succeeded) this.#store.store(this.group, lane)
    return 0
  }

  /** What is only warm was not looked at. */
  touched(lane: number, visit: TouchVisitor): void {
    const { group } = this
    const { records } = group
    let at = vmSlotsAt(group, lane)
    for (let n = vmSlotCount(group, lane); n > 0; n--, at = vmNextRecord(records, at))
      if ((records[at + 1]! & SLOT_READ) !== 0) visit.slot(records[at]!)
    for (let n = vmAccountCount(group, lane); n > 0; n--, at = vmNextRecord(records, at))
      if ((records[at + 1]! & ENTRY_SEEN) !== 0) visit.account(records[at]!)
  }

  /** What no other values would mend does not count. */
  roundOn(lane: number, versions: Versions): number {
    const { group } = this
    const { records } = group
    let round = 0
    let at = vmSlotsAt(group, lane)
    for (let n = vmSlotCount(group, lane); n > 0; n--, at = vmNextRecord(records, at)) {
      if ((records[at + 1]! & SLOT_READ) === 0) continue
      versions.find(records[at]!)
      if (wordEquals(records, at + RECORD_BEFORE, versions.words, versions.at)) continue
      round = Math.max(round, 1 + versions.round)
    }
    if (round !== 0) return round
    const i = group.transactions[lane]!
    return this.#store.brokenAccount(group, lane, i, this.#batch.fromIds[i]!) === VM_BALANCE ? 1 : 0
  }

  writeTo(lane: number, versions: Versions): void {
    const { group } = this
    if (vmExit(group, lane) !== VM_EXITS.succeeded) return
    const { records } = group
    let at = vmSlotsAt(group, lane)
    for (let n = vmSlotCount(group, lane); n > 0; n--, at = vmNextRecord(records, at)) {
      if (!slotIsChanged(records, at)) continue
      const entry = versions.write(records[at]!, false)
      wordCopy(versions.values, entry, records, at + RECORD_PRESENT)
    }
  }

  logs(lane: number): readonly Log[] {
    return this.#receipts().logs(lane)
  }

  addBlooms(rows: LaneRows, blooms: BloomSet): void {
    this.#receipts().addBlooms(rows, blooms, this.#bits)
  }

  markEmitting(rows: LaneRows, address: Uint32Array, marks: Uint8Array): void {
    this.#receipts().markEmitting(rows, address, marks)
  }

  logsLengths(rows: LaneRows, lengths: Uint32Array): void {
    this.#receipts().logsLengths(rows, lengths)
  }

  writeLogs(rows: LaneRows, to: Uint8Array, at: Uint32Array): void {
    this.#receipts().writeLogs(rows, to, at)
  }

  output(lane: number): Uint8Array {
    return this.#receipts().output(lane)
  }

  /** A halt has no more than its status. */
  exception(lane: number): string | undefined {
    return vmExit(this.group, lane) === VM_EXITS.reverted ? 'revert' : undefined
  }

  #receipts(): VmReceipts {
    this.#reader ??= new VmReceipts(this.group, this.#accounts.rows)
    return this.#reader
  }
}

/** Makes lane `lane` of `executions[number]`, which ended, the present execution of its transaction. */
export const adoptVmLane = (batch: OpenBatch, number: number, { group }: VmExecutions, lane: number): void => {
  const i = group.transactions[lane]!
  const exit = vmExit(group, lane)
  const succeeded = exit === VM_EXITS.succeeded
  batch.executionOf[i] = number
  batch.laneOf[i] = lane
  batch.status[i] = succeeded ? STATUS_SUCCESS : STATUS_FAILURE
  batch.gas[i] = batch.executionGas[i]! - (exit === VM_EXITS.halted ? 0 : vmGasLeft(group, lane))
  batch.refund[i] = succeeded ? vmRefund(group, lane) : 0
}
