import { accountHash, sameAddress } from './hash'

/** Probes of the account table (host/state/tables/account_table.ts) for many addresses. */

const ADDRESS_BYTES: usize = 20
/** Addresses that are looked for at a time, so that their cache misses overlap. */
const AHEAD: u32 = 64
const ABSENT: u32 = 0xffffffff

/**
 * Puts the id of each of `count` accounts, or ABSENT, in `ids`. `index` and `rows` are those of the table, `mask` is
 * that of its buckets. What it returns means nothing: it keeps the reads ahead.
 */
export function findAccounts(count: u32, addresses: usize, ids: usize, index: usize, mask: u32, rows: usize): u32 {
  let seen: u32 = 0
  for (let first: u32 = 0; first < count; first += AHEAD) {
    const end = min(first + AHEAD, count)
    for (let i = first; i < end; i++) {
      const bucket = accountHash(addresses + (<usize>i) * ADDRESS_BYTES) & mask
      store<u32>(ids + ((<usize>i) << 2), bucket)
      seen ^= load<u32>(index + ((<usize>bucket) << 3))
    }
    for (let i = first; i < end; i++) {
      const entry = load<u32>(index + ((<usize>load<u32>(ids + ((<usize>i) << 2))) << 3))
      if (entry != 0) seen ^= load<u32>(rows + ((<usize>(entry - 1)) << 6))
    }
    for (let i = first; i < end; i++) {
      const address = addresses + (<usize>i) * ADDRESS_BYTES
      const at = ids + ((<usize>i) << 2)
      let bucket = load<u32>(at)
      let id = ABSENT
      for (;;) {
        const entry = load<u32>(index + ((<usize>bucket) << 3))
        if (entry == 0) break
        if (sameAddress(rows + ((<usize>(entry - 1)) << 6), address)) {
          id = entry - 1
          break
        }
        bucket = (bucket + 1) & mask
      }
      store<u32>(at, id)
    }
  }
  return seen
}
