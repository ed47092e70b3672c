import { accountHash, sameAddress, slotHash } from './hash'
import { CODE_SHIFT, ROW_FLAGS } from './layout'
import { equals } from './words'

/** Probes of the resident tables (host/state/tables) for many accounts or slots. */

const ADDRESS_BYTES: usize = 20
/** Rows that are looked for at a time, so that their cache misses overlap. */
const AHEAD: u32 = 64
const ABSENT: u32 = 0xffffffff

/**
 * Puts the id of each of `count` accounts, or ABSENT, in `ids`, its code id in `codes`, and `epoch` in the row of each
 * in `epochs`. `index` and `rows` are those of the table, `mask` is that of its buckets; what is read ahead goes to
 * `seenAt`. Returns how many are absent.
 */
export function findAccounts(
  count: u32,
  addresses: usize,
  ids: usize,
  codes: usize,
  index: usize,
  mask: u32,
  rows: usize,
  epochs: usize,
  epoch: u32,
  seenAt: usize,
): u32 {
  let absent: u32 = 0
  for (let first: u32 = 0; first < count; first += AHEAD) {
    const end = min(first + AHEAD, count)
    let seen: u32 = 0
    for (let i = first; i < end; i++) {
      const bucket = accountHash(addresses + (<usize>i) * ADDRESS_BYTES) & mask
      store<u32>(ids + ((<usize>i) << 2), bucket)
    }
    // Apart from the hashes, of which few fit into what a core does at a time.
    for (let i = first; i < end; i++) seen ^= load<u32>(index + ((<usize>load<u32>(ids + ((<usize>i) << 2))) << 3))
    for (let i = first; i < end; i++) {
      const entry = load<u32>(index + ((<usize>load<u32>(ids + ((<usize>i) << 2))) << 3))
      if (entry != 0) seen ^= load<u32>(rows + ((<usize>(entry - 1)) << 6)) ^ load<u32>(epochs + ((<usize>(entry - 1)) << 2))
    }
    store<u32>(seenAt, seen)
    for (let i = first; i < end; i++) {
      const address = addresses + (<usize>i) * ADDRESS_BYTES
      const at = ids + ((<usize>i) << 2)
      let bucket = load<u32>(at)
      let id = ABSENT
      let code: u32 = 0
      for (;;) {
        const entry = load<u32>(index + ((<usize>bucket) << 3))
        if (entry == 0) break
        const row = rows + ((<usize>(entry - 1)) << 6)
        if (sameAddress(row, address)) {
          id = entry - 1
          code = load<u32>(row + ROW_FLAGS) >> CODE_SHIFT
          break
        }
        bucket = (bucket + 1) & mask
      }
      store<u32>(at, id)
      store<u32>(codes + ((<usize>i) << 2), code)
      if (id == ABSENT) absent++
      else store<u32>(epochs + ((<usize>id) << 2), epoch)
    }
  }
  return absent
}

/**
 * Gives those of `count` accounts that are ABSENT in `ids` rows from `next` on, for which tables and index have room,
 * and puts the buckets that name them in `buckets`. An address that comes twice gets one row. Returns how many rows.
 */
export function addAccounts(
  count: u32,
  addresses: usize,
  ids: usize,
  buckets: usize,
  index: usize,
  mask: u32,
  rows: usize,
  epochs: usize,
  epoch: u32,
  next: u32,
): u32 {
  let added: u32 = 0
  for (let i: usize = 0; i < count; i++) {
    if (load<u32>(ids + (i << 2)) != ABSENT) continue
    const address = addresses + i * ADDRESS_BYTES
    let bucket = accountHash(address) & mask
    let entry: u32 = 0
    for (;;) {
      entry = load<u32>(index + ((<usize>bucket) << 3))
      if (entry == 0 || sameAddress(rows + ((<usize>(entry - 1)) << 6), address)) break
      bucket = (bucket + 1) & mask
    }
    if (entry == 0) {
      entry = next + added + 1
      const place = index + ((<usize>bucket) << 3)
      store<u32>(place, entry)
      store<u32>(place, load<u32>(address), 4)
      const row = rows + ((<usize>(entry - 1)) << 6)
      store<u64>(row, load<u64>(address))
      store<u64>(row, load<u64>(address, 8), 8)
      store<u32>(row, load<u32>(address, 16), 16)
      store<u32>(epochs + ((<usize>(entry - 1)) << 2), epoch)
      store<u32>(buckets + ((<usize>added) << 2), bucket)
      added++
    }
    store<u32>(ids + (i << 2), entry - 1)
  }
  return added
}

/** As findAccounts, of slots: that of `owners` with the key in `keys`. `rows` are the keys of the table. */
export function findSlots(
  count: u32,
  owners: usize,
  keys: usize,
  ids: usize,
  index: usize,
  mask: u32,
  rows: usize,
  epochs: usize,
  epoch: u32,
  seenAt: usize,
): u32 {
  let absent: u32 = 0
  for (let first: u32 = 0; first < count; first += AHEAD) {
    const end = min(first + AHEAD, count)
    let seen: u32 = 0
    for (let i = first; i < end; i++) {
      const bucket = slotHash(load<u32>(owners + ((<usize>i) << 2)), keys + ((<usize>i) << 5)) & mask
      store<u32>(ids + ((<usize>i) << 2), bucket)
    }
    // Apart from the hashes, of which few fit into what a core does at a time.
    for (let i = first; i < end; i++) seen ^= load<u32>(index + ((<usize>load<u32>(ids + ((<usize>i) << 2))) << 3))
    for (let i = first; i < end; i++) {
      const entry = load<u32>(index + ((<usize>load<u32>(ids + ((<usize>i) << 2))) << 3))
      if (entry != 0) seen ^= load<u32>(rows + ((<usize>(entry - 1)) << 5)) ^ load<u32>(epochs + ((<usize>(entry - 1)) << 2))
    }
    store<u32>(seenAt, seen)
    for (let i = first; i < end; i++) {
      const owner = load<u32>(owners + ((<usize>i) << 2))
      const key = keys + ((<usize>i) << 5)
      const at = ids + ((<usize>i) << 2)
      let bucket = load<u32>(at)
      let id = ABSENT
      for (;;) {
        const place = index + ((<usize>bucket) << 3)
        const entry = load<u32>(place)
        if (entry == 0) break
        if (load<u32>(place, 4) == owner && equals(rows + ((<usize>(entry - 1)) << 5), key)) {
          id = entry - 1
          break
        }
        bucket = (bucket + 1) & mask
      }
      store<u32>(at, id)
      if (id == ABSENT) absent++
      else store<u32>(epochs + ((<usize>id) << 2), epoch)
    }
  }
  return absent
}
