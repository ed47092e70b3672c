import {
  COINBASE,
  ENTRY_BALANCE,
  ENTRY_EXISTS,
  ENTRY_READ,
  ENTRY_SEEN,
  FLAG_EXISTS,
  GAS_LIMIT,
  HOST_CODE,
  PRICE,
  RECORD_BEFORE,
  RECORD_LEAST,
  RECORD_PRESENT,
  ROW_BALANCE,
  ROW_FLAGS,
  SCRATCH,
  SEEN,
  SLOT_READ,
  SLOT_VECTORS,
  VALUE,
  VM_ACCOUNT_VECTORS,
} from './layout'
import { at, hostOf, isEmpty, markExists, rowOf, slotOf, writeAccount, writeSlot } from './rows'
import { add, copy, equals, isBelow, sub, subShort } from './words'

/**
 * Executions of the lane VM at their places, as host/tiers/lane_vm/held.ts has it: of each lane the records of what it
 * looked at and changed.
 */

/** Of an execution of records, which has no lanes; of a held lane (host/tiers/lane_vm/group.ts); of a record. */
export const HELD: usize = 4
const RECORDS: usize = 8
export const HELD_SLOTS: usize = 4
const HELD_ACCOUNTS: usize = 8
const HELD_SUCCEEDS: usize = 12
const RECORD_FLAGS: usize = 4
const RECORD_CODE: usize = 8
const RECORD_VECTORS: usize = 12
const VECTOR_BYTES: usize = 16

/** The first record of a held lane. */
@inline
export function recordsOf(execution: usize, held: usize): usize {
  return (load<u32>(execution, RECORDS) as usize) + ((<usize>load<u32>(held)) << 2)
}

@inline
export function afterRecord(record: usize): usize {
  return record + (load<u32>(record, RECORD_VECTORS) as usize) * VECTOR_BYTES
}

/** Whether the balance that a record is of serves the lane (VmStore in host/tiers/lane_vm/held.ts). */
export function balanceServes(i: i32, record: usize, id: u32, from: u32): bool {
  const balance = rowOf(id) + ROW_BALANCE
  copy(SEEN, balance)
  if (id == from) {
    const units = <u64>load<f64>(at(GAS_LIMIT) + ((<usize>i) << 3))
    const fee = load<u64>(at(PRICE) + ((<usize>i) << 5))
    const low = (fee & 0xffffffff) * units
    const middle = (fee >> 32) * units + (low >> 32)
    subShort(SEEN, (middle << 32) | (low & 0xffffffff), middle >> 32)
  }
  const before = record + RECORD_BEFORE
  if (equals(SEEN, before)) return true
  if ((load<u32>(record, RECORD_FLAGS) & ENTRY_BALANCE) != 0) return false
  if (id == from && isBelow(before, at(VALUE) + ((<usize>i) << 5))) return false
  const least = record + RECORD_LEAST
  sub(SCRATCH, before, least, least + 16)
  return !isBelow(SEEN, SCRATCH)
}

/** Whether what a lane of records looked at holds for the running values. */
export function recordsHold(i: i32, execution: usize, held: usize, from: u32): bool {
  let record = recordsOf(execution, held)
  for (let n = load<u32>(held, HELD_SLOTS); n > 0; n--, record = afterRecord(record)) {
    if ((load<u32>(record, RECORD_FLAGS) & SLOT_READ) == 0) continue
    if (!equals(record + RECORD_BEFORE, slotOf(load<u32>(record)))) return false
  }
  for (let n = load<u32>(held, HELD_ACCOUNTS); n > 0; n--, record = afterRecord(record)) {
    const id = load<u32>(record)
    const flags = load<u32>(record, RECORD_FLAGS)
    const row = rowOf(id)
    const host = hostOf(id)
    // It is owed fees: the sweep in order brings them into its balance.
    if (id == at(COINBASE) && (flags & ENTRY_SEEN) != 0) return false
    if ((flags & ENTRY_READ) != 0 && load<u32>(host, HOST_CODE) != load<u32>(record, RECORD_CODE)) return false
    if (id != from) {
      const exists = (load<u32>(row, ROW_FLAGS) & FLAG_EXISTS) != 0
      if ((flags & ENTRY_READ) != 0 && exists != ((flags & ENTRY_EXISTS) != 0)) return false
      if ((flags & ENTRY_SEEN) != 0 && isEmpty(row, host)) return false
    }
    if (load<u32>(record, RECORD_VECTORS) == VM_ACCOUNT_VECTORS && !balanceServes(i, record, id, from)) return false
  }
  return true
}

/** Enters what a lane of records changed, the value of its transaction included. */
export function enterRecords(execution: usize, held: usize): void {
  if (load<u32>(held, HELD_SUCCEEDS) == 0) return
  let record = recordsOf(execution, held)
  for (let n = load<u32>(held, HELD_SLOTS); n > 0; n--, record = afterRecord(record)) {
    if (load<u32>(record, RECORD_VECTORS) != SLOT_VECTORS) continue
    const slot = load<u32>(record)
    writeSlot(slot)
    copy(slotOf(slot), record + RECORD_PRESENT)
  }
  for (let n = load<u32>(held, HELD_ACCOUNTS); n > 0; n--, record = afterRecord(record)) {
    if (load<u32>(record, RECORD_VECTORS) != VM_ACCOUNT_VECTORS) continue
    const before = record + RECORD_BEFORE
    const present = record + RECORD_PRESENT
    if (equals(before, present)) continue
    const id = load<u32>(record)
    const row = rowOf(id)
    writeAccount(id, row, hostOf(id))
    const balance = row + ROW_BALANCE
    sub(SCRATCH, present, before, before + 16)
    add(balance, balance, SCRATCH, SCRATCH + 16)
    markExists(row)
  }
}
