import {
  AHEAD_AT,
  BLOB_GAS,
  BLOB_GAS_USED,
  BLOCK_SURE,
  BLOCK_USED,
  CHARGED_MARK,
  CONDITION_NO_OVERFLOW,
  CONDITION_NO_UNDERFLOW,
  CONDITION_SAME_ZERONESS,
  COST,
  EXECUTIONS,
  EXECUTION_BYTES,
  EXECUTION_OF,
  FEES,
  FLOOR,
  FROM_IDS,
  GAS,
  GAS_LIMIT,
  GAS_USED,
  HOST_CODE,
  INTRINSIC,
  L1_FEE,
  L1_FEES,
  LANE_OF,
  MOST_BLOB_GAS,
  NONCE,
  OPERATOR_FEES,
  OPERATOR_MARK,
  OPERATOR_NONE,
  OUTCOME,
  OUTCOME_EXECUTED,
  OUTCOME_NONE,
  OWED_MARK,
  PRICE,
  PRIORITY,
  READ_BYTES,
  REFUND,
  REFUND_QUOTIENT,
  REJECTION,
  ROOM_MARK,
  ROW_BALANCE,
  SCRATCH,
  SEEN,
  SLOT_BASE,
  SLOT_ENTRY_OF,
  STATUS,
  STATUS_NONE,
  STATUS_SUCCESS,
  STORE_BYTES,
  TIER,
  TIER_NONE,
  TO_CODES,
  TO_IDS,
  TYPE,
  TYPE_BLOB,
  VALUE,
} from './layout'
import { operatorFee, operatorHigh } from './operator'
import { HELD, HELD_SLOTS, afterRecord, enterRecords, recordsHold, recordsOf } from './records'
import { at, hostOf, isEmpty, markExists, rowOf, slotOf, writeAccount, writeSlot } from './rows'
import { add, addShort, equals, isBelow, isZero, sub, subShort } from './words'

/**
 * The sweep over a range (host/settle/sweep.ts) for transactions of the plain kinds: plain transfers, executions of
 * paths that read and write slots only, and those of the lane VM, whose records say what they did. It stops before the
 * first transaction that is of another kind, or that does not stand at its place; nothing of that one is entered then.
 *
 * All columns are in one memory; host/settle/column_sweep.ts fills the request, whose places are in `layout`, and reads
 * it afterwards. `layout` is made by scripts/column_modules.ts.
 */

/** A lane of a column. */
const COLUMN_BYTES: usize = 16
/** Fields of an execution, a read and a store (host/settle/sweep_request.ts). */
const LANES: usize = 0
const SUCCEEDS: usize = 4
const READS: usize = 8
const STORES: usize = 12
const READ_HINT: usize = 4
const READ_DELTA: usize = 8
const STORE_READ: usize = 4
const STORE_SIGN: usize = 8
const STORE_CONDITIONS: usize = 12

/** Transactions whose rows are read ahead, so that their cache misses overlap. */
const AHEAD: i32 = 64

/** Reads what the transactions of [first, end) will need. */
function touch(first: i32, end: i32): void {
  let seen: u32 = 0
  const fromIds = at(FROM_IDS)
  const toIds = at(TO_IDS)
  const executionOf = at(EXECUTION_OF)
  const laneOf = at(LANE_OF)
  for (let i = first; i < end; i++) {
    const from = load<u32>(fromIds + ((<usize>i) << 2))
    seen ^= load<u32>(hostOf(from)) ^ load<u32>(rowOf(from))
    const number = load<i32>(executionOf + ((<usize>i) << 2))
    if (number < 0) {
      const to = load<i32>(toIds + ((<usize>i) << 2))
      if (to >= 0) seen ^= load<u32>(hostOf(to)) ^ load<u32>(rowOf(to))
      continue
    }
    const execution = load<u32>(at(EXECUTIONS) + ((<usize>number) << 2)) as usize
    // A lane that did not end may have found no slot.
    if (execution == 0 || load<u8>(at(STATUS) + i) == STATUS_NONE) continue
    const lane = (load<u32>(laneOf + ((<usize>i) << 2)) as usize) * COLUMN_BYTES
    if (load<u32>(execution, LANES) == 0) {
      const held = (load<u32>(execution, HELD) as usize) + lane
      let record = recordsOf(execution, held)
      for (let n = load<u32>(held, HELD_SLOTS); n > 0; n--, record = afterRecord(record)) {
        const slot = load<u32>(record)
        seen ^= load<u32>(slotOf(slot)) ^ load<u32>(at(SLOT_ENTRY_OF) + ((<usize>slot) << 2))
      }
      continue
    }
    const reads = load<u32>(execution, READS)
    let read = execution + EXECUTION_BYTES
    for (let k: u32 = 0; k < reads; k++, read += READ_BYTES) {
      const slot = load<u32>((load<u32>(read) as usize) + lane)
      seen ^= load<u32>(slotOf(slot)) ^ load<u32>(at(SLOT_ENTRY_OF) + ((<usize>slot) << 2))
    }
  }
  store<u32>(AHEAD_AT, seen)
}

/** Whether a delta holds for the word at `value`, where the lane read the word at `read`. */
function deltaHolds(entry: usize, lanes: usize, lane: usize, value: usize, read: usize): bool {
  const low = (load<u32>(entry) as usize) + lane
  const high = low + lanes * COLUMN_BYTES
  const grows = load<i32>(entry, STORE_SIGN) > 0
  const conditions = load<u32>(entry, STORE_CONDITIONS)
  const wraps = grows ? add(SCRATCH, value, low, high) : sub(SCRATCH, value, low, high)
  if (wraps != 0 && (conditions & (grows ? CONDITION_NO_OVERFLOW : CONDITION_NO_UNDERFLOW)) != 0) return false
  if ((conditions & CONDITION_SAME_ZERONESS) == 0) return true
  if (isZero(value) != isZero(read)) return false
  const endsZero = isZero(SCRATCH)
  if (grows) add(SCRATCH, read, low, high)
  else sub(SCRATCH, read, low, high)
  return endsZero == isZero(SCRATCH)
}

/** Whether every read of a lane holds for the running values. */
function readsHold(execution: usize, lane: usize): bool {
  const reads = load<u32>(execution, READS)
  const lanes = load<u32>(execution, LANES) as usize
  const stores = execution + EXECUTION_BYTES + (<usize>reads) * READ_BYTES
  let read = execution + EXECUTION_BYTES
  for (let k: u32 = 0; k < reads; k++, read += READ_BYTES) {
    const slot = load<u32>((load<u32>(read) as usize) + lane)
    const entry = load<u32>(at(SLOT_ENTRY_OF) + ((<usize>slot) << 2))
    const hint = load<u32>(read, READ_HINT) as usize
    const value = slotOf(slot)
    let seen = entry == 0 ? value : at(SLOT_BASE) + ((<usize>(entry - 1)) << 5)
    if (hint != 0) {
      const column = lanes * COLUMN_BYTES
      if (load<u32>(hint + lane + 2 * column) == slot) {
        v128.store(SEEN, v128.load(hint + lane))
        v128.store(SEEN + 16, v128.load(hint + lane + column))
        seen = SEEN
      }
    }
    if (equals(seen, value)) continue
    const delta = load<u32>(read, READ_DELTA) as usize
    if (delta == 0) return false
    if (!deltaHolds(stores + (delta - 1) * STORE_BYTES, lanes, lane, value, seen)) return false
  }
  return true
}

/** Enters the stores of a lane as running values. */
function enterStores(execution: usize, lane: usize): void {
  const lanes = load<u32>(execution, LANES) as usize
  const first = execution + EXECUTION_BYTES
  const count = load<u32>(execution, STORES)
  let entry = first + (load<u32>(execution, READS) as usize) * READ_BYTES
  for (let n: u32 = 0; n < count; n++, entry += STORE_BYTES) {
    const slot = load<u32>((load<u32>(first + (load<u32>(entry, STORE_READ) as usize) * READ_BYTES) as usize) + lane)
    writeSlot(slot)
    const low = (load<u32>(entry) as usize) + lane
    const high = low + lanes * COLUMN_BYTES
    const value = slotOf(slot)
    const sign = load<i32>(entry, STORE_SIGN)
    if (sign > 0) add(value, value, low, high)
    else if (sign < 0) sub(value, value, low, high)
    else {
      v128.store(value, v128.load(low))
      v128.store(value, v128.load(high), 16)
    }
  }
}

/** Takes the fees of the OP stack for transaction i from a balance (host/settle/vaults.ts). */
@inline
function charge(i: i32, balance: usize, gasUnits: u64): void {
  const l1 = at(L1_FEE) + ((<usize>i) << 5)
  sub(balance, balance, l1, l1 + 16)
  add(L1_FEES, L1_FEES, l1, l1 + 16)
  const mark = load<u32>(OPERATOR_MARK)
  if (mark == OPERATOR_NONE) return
  const low = operatorFee(gasUnits, mark)
  subShort(balance, low, operatorHigh)
  addShort(OPERATOR_FEES, low, operatorHigh)
}

/** Whether transaction i was entered. */
@inline
function settle(i: i32): bool {
  const n4 = (<usize>i) << 2
  const n8 = (<usize>i) << 3
  const word = (<usize>i) << 5
  if (load<u8>(at(REJECTION) + i) != 0 || load<u8>(at(TYPE) + i) >= TYPE_BLOB) return false
  const from = load<u32>(at(FROM_IDS) + n4)
  const host = hostOf(from)
  const row = rowOf(from)
  if (load<u64>(host) != load<u64>(at(NONCE) + n8) || load<u32>(host, HOST_CODE) != 0) return false
  const balance = row + ROW_BALANCE
  if (isBelow(balance, at(COST) + word)) return false
  const used = load<f64>(BLOCK_USED)
  if (!(used + load<f64>(at(GAS_LIMIT) + n8) <= load<f64>(BLOCK_SURE))) return false
  const hasRoom = load<u32>(ROOM_MARK) != 0
  const room = hasRoom ? load<f64>(BLOB_GAS_USED) + load<f64>(at(BLOB_GAS) + n8) : 0
  if (hasRoom && room > load<f64>(MOST_BLOB_GAS)) return false
  const to = load<u32>(at(TO_IDS) + n4)
  const target = rowOf(to)
  const targetHost = hostOf(to)
  if (load<u32>(targetHost, HOST_CODE) != load<u32>(at(TO_CODES) + n4)) return false
  const value = at(VALUE) + word
  const moves = !isZero(value)
  const isTransfer = load<u8>(at(TIER) + i) == TIER_NONE
  let gas = load<f64>(at(INTRINSIC) + n8)
  let execution: usize = 0
  let lane: usize = 0
  let held: usize = 0
  if (isTransfer) {
    if (!moves && from != to && isEmpty(target, targetHost)) return false
  } else {
    if (load<u8>(at(STATUS) + i) == STATUS_NONE) return false
    execution = load<u32>(at(EXECUTIONS) + ((<usize>load<u32>(at(EXECUTION_OF) + n4)) << 2)) as usize
    if (execution == 0) return false
    lane = (load<u32>(at(LANE_OF) + n4) as usize) * COLUMN_BYTES
    if (load<u32>(execution, LANES) == 0) held = (load<u32>(execution, HELD) as usize) + lane
    gas += load<f64>(at(GAS) + n8)
    const refund = load<f64>(at(REFUND) + n8)
    if (refund != 0) gas -= min(refund, floor(gas / load<f64>(REFUND_QUOTIENT)))
  }
  gas = max(gas, load<f64>(at(FLOOR) + n8))
  const price = at(PRICE) + word
  const priority = at(PRIORITY) + word
  if (!(gas < 4294967296.0)) return false
  if ((load<u64>(price, 8) | load<u64>(price, 16) | load<u64>(price, 24)) != 0) return false
  const gasUnits = <u64>gas
  // The priority fee is a part of the price.
  const tip = load<u64>(priority)
  if (tip == 0 && load<u32>(OWED_MARK) == 0) return false
  if (held != 0) {
    // What the sender pays up front is reckoned with gas of 32 bits.
    if (!(load<f64>(at(GAS_LIMIT) + n8) < 4294967296.0)) return false
    if (!recordsHold(i, execution, held, from)) return false
  } else if (!isTransfer && !readsHold(execution, lane)) return false

  if (held != 0) enterRecords(execution, held)
  else if (execution != 0) enterStores(execution, lane)
  writeAccount(from, row, host)
  if (moves && held == 0 && (isTransfer || load<u32>(execution, SUCCEEDS) != 0)) {
    sub(balance, balance, value, value + 16)
    writeAccount(to, target, targetHost)
    add(target + ROW_BALANCE, target + ROW_BALANCE, value, value + 16)
    markExists(target)
  }
  const fee = load<u64>(price)
  const low = (fee & 0xffffffff) * gasUnits
  const middle = (fee >> 32) * gasUnits + (low >> 32)
  subShort(balance, (middle << 32) | (low & 0xffffffff), middle >> 32)
  if (load<u32>(CHARGED_MARK) != 0) charge(i, balance, gasUnits)
  if (hasRoom) store<f64>(BLOB_GAS_USED, room)
  store<u64>(host, load<u64>(host) + 1)
  markExists(row)
  const lowTip = (tip & 0xffffffff) * gasUnits
  const middleTip = (tip >> 32) * gasUnits + (lowTip >> 32)
  addShort(FEES, (middleTip << 32) | (lowTip & 0xffffffff), middleTip >> 32)
  if (tip != 0) store<u32>(OWED_MARK, 1)
  store<f64>(BLOCK_USED, used + gas)
  store<f64>(at(GAS_USED) + n8, gas)
  store<u8>(at(OUTCOME) + i, OUTCOME_EXECUTED)
  if (isTransfer) store<u8>(at(STATUS) + i, STATUS_SUCCESS)
  return true
}

/** Settles transactions from `first` on; returns the first that it leaves, or `end`. */
export function advance(first: i32, end: i32): i32 {
  for (let i = first; i < end; ) {
    const stop = min(i + AHEAD, end)
    touch(i, stop)
    for (; i < stop; i++) {
      if (load<u8>(at(OUTCOME) + i) != OUTCOME_NONE) continue
      if (!settle(i)) return i
    }
  }
  return end
}
