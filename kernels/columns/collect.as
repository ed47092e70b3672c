import {
  AHEAD_AT,
  BALANCES,
  CHUNK,
  CODES,
  CODE_BITS,
  FLAG_EXISTS,
  HOSTS,
  HOST_CODE,
  HOST_MARKS,
  IDS,
  ID_COUNT,
  MARK_NEW_CODE,
  MARK_WRITTEN,
  NEW_CODE,
  NONCES,
  OTHERS,
  OTHER_COUNT,
  ROWS,
  ROW_BALANCE,
  ROW_FLAGS,
  SLOT_BASE,
  SLOT_ENTRY_OF,
  SLOT_VALUES,
  VALUES,
} from './layout'
import { copy, equals } from './words'

/**
 * Collects what a chunk of written accounts or slots of the resident tables hold now (host/state/writes/collect.ts).
 * host/state/writes/column_writes.ts fills the request, whose places are in `layout`.
 */

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
  const ids = at(IDS)
  const hosts = at(HOSTS)
  let count: u32 = 0
  let id = from
  // Without a branch, which would be guessed: each id is put down, and stays where it counts.
  for (; id < end && count < CHUNK; id++) {
    store<u32>(ids + ((<usize>count) << 2), id)
    count += u32((load<u32>(hosts + ((<usize>id) << 4) + HOST_MARKS) & MARK_WRITTEN) != 0)
  }
  store<u32>(ID_COUNT, count)
  return id
}

/** The same of slots. */
export function nextSlots(from: u32, end: u32): u32 {
  const ids = at(IDS)
  const entryOf = at(SLOT_ENTRY_OF)
  let count: u32 = 0
  let id = from
  for (; id < end && count < CHUNK; id++) {
    store<u32>(ids + ((<usize>count) << 2), id)
    count += u32(load<u32>(entryOf + ((<usize>id) << 2)) != 0)
  }
  store<u32>(ID_COUNT, count)
  return id
}

/**
 * Collects the accounts among `count` ids that exist, whose ids stay; those of the others go to OTHERS. Returns how many
 * exist.
 */
export function collectAccounts(count: u32): u32 {
  let kept: usize = 0
  let codeBits: u32 = 0
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
      store<u32>(at(IDS) + (kept << 2), <u32>id)
      store<u64>(at(NONCES) + (kept << 3), load<u64>(host))
      copy(at(BALANCES) + (kept << 5), row + ROW_BALANCE)
      const isNew = (load<u32>(host + HOST_MARKS) & MARK_NEW_CODE) != 0
      const code = load<u32>(host + HOST_CODE) | (isNew ? NEW_CODE : 0)
      codeBits |= code
      store<u32>(at(CODES) + (kept << 2), code)
      kept++
    }
  }
  store<u32>(OTHER_COUNT, others)
  store<u32>(CODE_BITS, codeBits)
  return kept
}

/** Collects the slots among `count` ids that do not end as they began, whose ids stay. Returns how many. */
export function collectSlots(count: u32): u32 {
  let kept: usize = 0
  for (let first: u32 = 0; first < count; first += AHEAD) {
    const end = min(first + AHEAD, count)
    let seen: u32 = 0
    for (let i = first; i < end; i++) {
      const id = idAt(i)
      seen ^= load<u32>(at(SLOT_VALUES) + (id << 5)) ^ load<u32>(at(SLOT_ENTRY_OF) + (id << 2))
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
      store<u32>(at(IDS) + (kept << 2), <u32>id)
      copy(at(VALUES) + (kept << 5), value)
      kept++
    }
  }
  return kept
}
