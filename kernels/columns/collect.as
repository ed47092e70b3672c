import {
  ACCOUNT_ADDRESSES,
  AHEAD_AT,
  BALANCES,
  CHUNK,
  CODES,
  FLAG_EXISTS,
  HOSTS,
  HOST_CODE,
  HOST_MARKS,
  IDS,
  ID_COUNT,
  KEYS,
  MARK_NEW_CODE,
  MARK_WRITTEN,
  NEW_CODE,
  NONCES,
  OTHERS,
  OTHER_COUNT,
  ROWS,
  ROW_BALANCE,
  ROW_FLAGS,
  SLOT_ADDRESSES,
  SLOT_BASE,
  SLOT_ENTRY_OF,
  SLOT_KEYS,
  SLOT_OWNERS,
  SLOT_VALUES,
  VALUES,
} from './layout'
import { copy, equals } from './words'

/**
 * Collects what a chunk of written accounts or slots of the resident tables hold now (host/state/writes/collect.ts).
 * host/state/writes/column_writes.ts fills the request, whose places are in `layout`.
 */

const ADDRESS_BYTES: usize = 20
const AHEAD: u32 = 64

@inline
function at(field: usize): usize {
  return load<u32>(field)
}

@inline
function idAt(i: u32): usize {
  return load<u32>(at(IDS) + ((<usize>i) << 2))
}

/** Puts the written accounts from id `from` on in IDS, at most CHUNK, their number in ID_COUNT. Returns where to go on. */
export function nextAccounts(from: u32, end: u32): u32 {
  let count: u32 = 0
  let id = from
  for (; id < end && count < CHUNK; id++) {
    if ((load<u32>(at(HOSTS) + ((<usize>id) << 4) + HOST_MARKS) & MARK_WRITTEN) == 0) continue
    store<u32>(at(IDS) + ((<usize>count) << 2), id)
    count++
  }
  store<u32>(ID_COUNT, count)
  return id
}

/** The same of slots. */
export function nextSlots(from: u32, end: u32): u32 {
  let count: u32 = 0
  let id = from
  for (; id < end && count < CHUNK; id++) {
    if (load<u32>(at(SLOT_ENTRY_OF) + ((<usize>id) << 2)) == 0) continue
    store<u32>(at(IDS) + ((<usize>count) << 2), id)
    count++
  }
  store<u32>(ID_COUNT, count)
  return id
}

/** Collects the accounts among `count` ids that exist; the ids of the others go to OTHERS. Returns how many exist. */
export function collectAccounts(count: u32): u32 {
  let kept: usize = 0
  let others: usize = 0
  for (let first: u32 = 0; first < count; first += AHEAD) {
    const end = min(first + AHEAD, count)
    let seen: u32 = 0
    for (let i = first; i < end; i++) seen ^= load<u32>(at(ROWS) + (idAt(i) << 6)) ^ load<u32>(at(HOSTS) + (idAt(i) << 4))
    store<u32>(AHEAD_AT, seen)
    for (let i = first; i < end; i++) {
      const id = idAt(i)
      const row = at(ROWS) + (id << 6)
      const host = at(HOSTS) + (id << 4)
      if ((load<u32>(row + ROW_FLAGS) & FLAG_EXISTS) == 0) {
        store<u32>(at(OTHERS) + (others << 2), id)
        others++
        continue
      }
      memory.copy(at(ACCOUNT_ADDRESSES) + kept * ADDRESS_BYTES, row, ADDRESS_BYTES)
      store<u64>(at(NONCES) + (kept << 3), load<u64>(host))
      copy(at(BALANCES) + (kept << 5), row + ROW_BALANCE)
      const isNew = (load<u32>(host + HOST_MARKS) & MARK_NEW_CODE) != 0
      store<u32>(at(CODES) + (kept << 2), load<u32>(host + HOST_CODE) | (isNew ? NEW_CODE : 0))
      kept++
    }
  }
  store<u32>(OTHER_COUNT, others)
  return kept
}

/** Collects the slots among `count` ids that do not end as they began. Returns how many. */
export function collectSlots(count: u32): u32 {
  let kept: usize = 0
  for (let first: u32 = 0; first < count; first += AHEAD) {
    const end = min(first + AHEAD, count)
    let seen: u32 = 0
    for (let i = first; i < end; i++) {
      const id = idAt(i)
      const owner = load<u32>(at(SLOT_OWNERS) + (id << 2)) as usize
      seen ^= load<u32>(at(SLOT_VALUES) + (id << 5)) ^ load<u32>(at(SLOT_KEYS) + (id << 5))
      seen ^= load<u32>(at(SLOT_ENTRY_OF) + (id << 2)) ^ load<u32>(at(ROWS) + (owner << 6))
    }
    // Values before the batch lie in the order in which they were written, which is another one.
    for (let i = first; i < end; i++) {
      const entry = (load<u32>(at(SLOT_ENTRY_OF) + (idAt(i) << 2)) as usize) - 1
      seen ^= load<u32>(at(SLOT_BASE) + (entry << 5))
    }
    store<u32>(AHEAD_AT, seen)
    for (let i = first; i < end; i++) {
      const id = idAt(i)
      const value = at(SLOT_VALUES) + (id << 5)
      const entry = (load<u32>(at(SLOT_ENTRY_OF) + (id << 2)) as usize) - 1
      if (equals(value, at(SLOT_BASE) + (entry << 5))) continue
      const owner = load<u32>(at(SLOT_OWNERS) + (id << 2)) as usize
      memory.copy(at(SLOT_ADDRESSES) + kept * ADDRESS_BYTES, at(ROWS) + (owner << 6), ADDRESS_BYTES)
      copy(at(KEYS) + (kept << 5), at(SLOT_KEYS) + (id << 5))
      copy(at(VALUES) + (kept << 5), value)
      kept++
    }
  }
  return kept
}
