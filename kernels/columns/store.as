import { accountHash, sameAddress, slotHash } from './hash'
import {
  ACCOUNTS,
  ACCOUNT_COUNT,
  ACCOUNT_INDEX,
  ACCOUNT_MASK,
  ADDRESSES,
  AHEAD_AT,
  BALANCE,
  BUCKETS,
  CODES,
  CODE_HASH,
  EMPTY_CODE,
  EXISTS,
  EXISTS_BIT,
  FILLED,
  HAS_CODE_BIT,
  KEYS,
  NAME_BITS,
  NONCE,
  OWNERS,
  ROW_BALANCE,
  ROW_NONCE,
  ROW_STORAGE,
  SLOTS,
  SLOT_COUNT,
  SLOT_INDEX,
  SLOT_MASK,
  STORAGE_COUNT,
  VALUES,
} from './layout'
import { clear, copy, equals, isZero } from './words'

/**
 * A commit of a chunk into the rows of a MemoryState (host/state/memory_rows.ts), which have room for all of it, and reads
 * of one.
 * host/state/memory_commit.ts fills the request, whose places are in `layout`, and reads the counts afterwards.
 */

const ADDRESS_BYTES: usize = 20
/** Rows that are looked for at a time, so that their cache misses overlap. */
const AHEAD: u32 = 64
const ABSENT: u32 = 0xffffffff

@inline
function at(field: usize): usize {
  return load<u32>(field)
}

@inline
function accountRow(id: u32): usize {
  return at(ACCOUNTS) + ((<usize>id) << 6)
}

@inline
function slotRow(id: u32): usize {
  return at(SLOTS) + ((<usize>id) << 6)
}

/** Id of the account at this address, whose bucket is known; a new row where there is none. */
function accountAt(address: usize, first: u32): u32 {
  const index = at(ACCOUNT_INDEX)
  const mask = load<u32>(ACCOUNT_MASK)
  let bucket = first
  for (;;) {
    const entry = load<u32>(index + ((<usize>bucket) << 2))
    if (entry == 0) break
    if (sameAddress(accountRow(entry - 1), address)) return entry - 1
    bucket = (bucket + 1) & mask
  }
  const id = load<u32>(ACCOUNT_COUNT)
  store<u32>(ACCOUNT_COUNT, id + 1)
  store<u32>(index + ((<usize>bucket) << 2), id + 1)
  const row = accountRow(id)
  memory.copy(row, address, ADDRESS_BYTES)
  const name = load<u32>(STORAGE_COUNT)
  store<u32>(STORAGE_COUNT, name + 1)
  store<u32>(row + ROW_STORAGE, name)
  return id
}

/** Puts the first bucket of each address of [first, end) in BUCKETS, and reads what it names. */
function seekAccounts(first: u32, end: u32): void {
  const index = at(ACCOUNT_INDEX)
  const mask = load<u32>(ACCOUNT_MASK)
  const buckets = at(BUCKETS)
  let seen: u32 = 0
  for (let i = first; i < end; i++) {
    const bucket = accountHash(at(ADDRESSES) + (<usize>i) * ADDRESS_BYTES) & mask
    store<u32>(buckets + ((<usize>i) << 2), bucket)
  }
  // Apart from the hashes, of which few fit into what a core does at a time.
  for (let i = first; i < end; i++)
    seen ^= load<u32>(index + ((<usize>load<u32>(buckets + ((<usize>i) << 2))) << 2))
  for (let i = first; i < end; i++) {
    const entry = load<u32>(index + ((<usize>load<u32>(buckets + ((<usize>i) << 2))) << 2))
    if (entry != 0) seen ^= load<u32>(accountRow(entry - 1))
  }
  store<u32>(AHEAD_AT, seen)
}

/** Id of the account at this address, whose bucket is known, or ABSENT. */
@inline
function accountFrom(address: usize, first: u32): u32 {
  const index = at(ACCOUNT_INDEX)
  const mask = load<u32>(ACCOUNT_MASK)
  let bucket = first
  let id = ABSENT
  for (;;) {
    const entry = load<u32>(index + ((<usize>bucket) << 2))
    if (entry == 0) break
    if (sameAddress(accountRow(entry - 1), address)) {
      id = entry - 1
      break
    }
    bucket = (bucket + 1) & mask
  }
  return id
}

/** Puts the ids of `count` accounts, or ABSENT, in BUCKETS. */
export function findAccounts(count: u32): void {
  for (let first: u32 = 0; first < count; first += AHEAD) {
    const end = min(first + AHEAD, count)
    seekAccounts(first, end)
    for (let i = first; i < end; i++) {
      const place = at(BUCKETS) + ((<usize>i) << 2)
      store<u32>(place, accountFrom(at(ADDRESSES) + (<usize>i) * ADDRESS_BYTES, load<u32>(place)))
    }
  }
}

/** Commits `count` accounts. */
export function commitAccounts(count: u32): void {
  for (let first: u32 = 0; first < count; first += AHEAD) {
    const end = min(first + AHEAD, count)
    seekAccounts(first, end)
    for (let i = first; i < end; i++) {
      const address = at(ADDRESSES) + (<usize>i) * ADDRESS_BYTES
      const id = accountAt(address, load<u32>(at(BUCKETS) + ((<usize>i) << 2)))
      const row = accountRow(id)
      const code = at(CODES) + ((<usize>i) << 5)
      const hasCode = !equals(code, EMPTY_CODE)
      const exists = load<u8>(at(EXISTS) + i) != 0
      const name = load<u32>(row + ROW_STORAGE) & NAME_BITS
      store<u32>(row + ROW_STORAGE, name | (exists ? EXISTS_BIT : 0) | (hasCode ? HAS_CODE_BIT : 0))
      store<u64>(row + ROW_NONCE, load<u64>(at(NONCE) + ((<usize>i) << 3)))
      copy(row + ROW_BALANCE, at(BALANCE) + ((<usize>i) << 5))
      if (hasCode) copy(at(CODE_HASH) + ((<usize>id) << 5), code)
    }
  }
}

/**
 * Puts the first bucket of each slot of [first, end), whose storage is named in OWNERS, in BUCKETS, and reads what it
 * names.
 */
function seekSlots(first: u32, end: u32): void {
  const mask = load<u32>(SLOT_MASK)
  const owners = at(OWNERS)
  const buckets = at(BUCKETS)
  const index = at(SLOT_INDEX)
  let seen: u32 = 0
  for (let i = first; i < end; i++) {
    const bucket = slotHash(load<u32>(owners + ((<usize>i) << 2)), at(KEYS) + ((<usize>i) << 5)) & mask
    store<u32>(buckets + ((<usize>i) << 2), bucket)
  }
  for (let i = first; i < end; i++)
    seen ^= load<u32>(index + ((<usize>load<u32>(buckets + ((<usize>i) << 2))) << 3))
  for (let i = first; i < end; i++) {
    const entry = load<u32>(index + ((<usize>load<u32>(buckets + ((<usize>i) << 2))) << 3))
    if (entry != 0) seen ^= load<u32>(slotRow(entry - 1))
  }
  store<u32>(AHEAD_AT, seen)
}

/** Puts the storage name of each slot's account in OWNERS: `adds` gives one to accounts that are not there. */
@inline
function nameOwners(first: u32, end: u32, adds: bool): void {
  const owners = at(OWNERS)
  for (let i = first; i < end; i++) {
    const address = at(ADDRESSES) + (<usize>i) * ADDRESS_BYTES
    let owner: u32 = ABSENT
    if (i != 0 && sameAddress(address, address - ADDRESS_BYTES)) owner = load<u32>(owners + (<usize>(i - 1) << 2))
    else {
      const bucket = accountHash(address) & load<u32>(ACCOUNT_MASK)
      const id = adds ? accountAt(address, bucket) : accountFrom(address, bucket)
      if (id != ABSENT) owner = load<u32>(accountRow(id) + ROW_STORAGE) & NAME_BITS
    }
    store<u32>(owners + ((<usize>i) << 2), owner)
  }
}

/** Puts the values of `count` slots in VALUES: zero where there is none. */
export function readSlots(count: u32): void {
  const index = at(SLOT_INDEX)
  const mask = load<u32>(SLOT_MASK)
  for (let first: u32 = 0; first < count; first += AHEAD) {
    const end = min(first + AHEAD, count)
    nameOwners(first, end, false)
    seekSlots(first, end)
    for (let i = first; i < end; i++) {
      const owner = load<u32>(at(OWNERS) + ((<usize>i) << 2))
      const key = at(KEYS) + ((<usize>i) << 5)
      const value = at(VALUES) + ((<usize>i) << 5)
      clear(value)
      // No storage has the name ABSENT.
      for (let bucket = load<u32>(at(BUCKETS) + ((<usize>i) << 2)); ; bucket = (bucket + 1) & mask) {
        const place = index + ((<usize>bucket) << 3)
        const entry = load<u32>(place)
        if (entry == 0) break
        if (load<u32>(place, 4) != owner || !equals(slotRow(entry - 1), key)) continue
        copy(value, slotRow(entry - 1) + 32)
        break
      }
    }
  }
}

/** Id of the slot, whose first bucket is known; a new row with value zero where there is none. */
function slotAt(owner: u32, key: usize, first: u32): u32 {
  const index = at(SLOT_INDEX)
  const mask = load<u32>(SLOT_MASK)
  let bucket = first
  for (;;) {
    const place = index + ((<usize>bucket) << 3)
    const entry = load<u32>(place)
    if (entry == 0) break
    if (load<u32>(place, 4) == owner && equals(slotRow(entry - 1), key)) return entry - 1
    bucket = (bucket + 1) & mask
  }
  const id = load<u32>(SLOT_COUNT)
  store<u32>(SLOT_COUNT, id + 1)
  const place = index + ((<usize>bucket) << 3)
  store<u32>(place, id + 1)
  store<u32>(place, owner, 4)
  copy(slotRow(id), key)
  return id
}

/** Commits `count` slots. */
export function commitSlots(count: u32): void {
  for (let first: u32 = 0; first < count; first += AHEAD) {
    const end = min(first + AHEAD, count)
    nameOwners(first, end, true)
    seekSlots(first, end)
    for (let i = first; i < end; i++) {
      const owner = load<u32>(at(OWNERS) + ((<usize>i) << 2))
      const value = at(VALUES) + ((<usize>i) << 5)
      const id = slotAt(owner, at(KEYS) + ((<usize>i) << 5), load<u32>(at(BUCKETS) + ((<usize>i) << 2)))
      const to = slotRow(id) + 32
      const filled = i32(!isZero(value)) - i32(!isZero(to))
      if (filled != 0) {
        const place = at(FILLED) + ((<usize>owner) << 2)
        store<i32>(place, load<i32>(place) + filled)
      }
      copy(to, value)
    }
  }
}
