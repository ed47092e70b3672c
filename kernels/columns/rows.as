import {
  ACCOUNTS_WRITTEN,
  ACCOUNT_ENTRY_COUNT,
  FLAG_EXISTS,
  HOSTS,
  HOST_CODE,
  HOST_MARKS,
  MARK_EXISTED,
  MARK_WRITTEN,
  ROWS,
  ROW_BALANCE,
  ROW_FLAGS,
  SLOTS_WRITTEN,
  SLOT_BASE,
  SLOT_ENTRY_COUNT,
  SLOT_ENTRY_OF,
  SLOT_VALUES,
} from './layout'
import { copy, isZero } from './words'

/** Rows of the tables at the addresses of the request (host/settle/sweep_request.ts), and what is noted of them. */

@inline
export function at(field: usize): usize {
  return load<u32>(field)
}

@inline
export function rowOf(id: u32): usize {
  return at(ROWS) + ((<usize>id) << 6)
}

@inline
export function hostOf(id: u32): usize {
  return at(HOSTS) + ((<usize>id) << 4)
}

@inline
export function slotOf(id: u32): usize {
  return at(SLOT_VALUES) + ((<usize>id) << 5)
}

/** Notes that the row of account `id` is about to change (AccountTable.write). */
@inline
export function writeAccount(id: u32, row: usize, host: usize): void {
  if (load<u32>(host, HOST_MARKS) != 0) return
  const entries = load<u32>(ACCOUNT_ENTRY_COUNT)
  store<u32>(at(ACCOUNTS_WRITTEN) + ((<usize>entries) << 2), id)
  store<u32>(ACCOUNT_ENTRY_COUNT, entries + 1)
  store<u32>(host, (load<u32>(row, ROW_FLAGS) & FLAG_EXISTS) != 0 ? MARK_WRITTEN | MARK_EXISTED : MARK_WRITTEN, HOST_MARKS)
}

/** Keeps the value of a slot before the batch (SlotTable.write). */
@inline
export function writeSlot(id: u32): void {
  const entryOf = at(SLOT_ENTRY_OF) + ((<usize>id) << 2)
  if (load<u32>(entryOf) != 0) return
  const entries = load<u32>(SLOT_ENTRY_COUNT)
  store<u32>(at(SLOTS_WRITTEN) + ((<usize>entries) << 2), id)
  copy(at(SLOT_BASE) + ((<usize>entries) << 5), slotOf(id))
  store<u32>(entryOf, entries + 1)
  store<u32>(SLOT_ENTRY_COUNT, entries + 1)
}

/** Whether an account that exists has neither nonce, balance nor code. */
@inline
export function isEmpty(row: usize, host: usize): bool {
  return (
    (load<u64>(host) | u64(load<u32>(host, HOST_CODE))) == 0 &&
    (load<u32>(row, ROW_FLAGS) & FLAG_EXISTS) != 0 &&
    isZero(row + ROW_BALANCE)
  )
}

@inline
export function markExists(row: usize): void {
  store<u32>(row, load<u32>(row, ROW_FLAGS) | FLAG_EXISTS, ROW_FLAGS)
}
