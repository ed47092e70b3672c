import { ITEM_SLOT, ITEM_WARM } from '../../../transpiler/layout/lane_vm.ts'
import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import type { TransactionBatch } from '../../chain/batch.ts'
import type { ResidentState } from '../../state/tables/resident_tables.ts'

/**
 * Values that lanes are to find in place of the tables' (a rerun after a conflict); those of the k-th transaction of
 * the request are start[k] .. start[k + 1].
 *
 * flags    u32[n]     ITEM_SLOT or 0, with ITEM_VALUE
 * ids      u32[n]     resident slot or account
 * owners   u32[n]     account of a slot
 * values   u32[8 n]   words
 */
export interface VmHints {
  readonly start: Uint32Array
  readonly flags: Uint32Array
  readonly ids: Uint32Array
  readonly owners: Uint32Array
  readonly values: Uint32Array
}

/**
 * The access lists of a request, resident: those of the k-th transaction are start[k] .. start[k + 1], each with ITEM_*
 * flags, id and a slot's owner. Addresses come before their keys, as the lists have them.
 */
export interface ListedItems {
  readonly start: Uint32Array
  readonly flags: Uint32Array
  readonly ids: Uint32Array
  readonly owners: Uint32Array
}

/** Makes resident what the access lists of these transactions name (EIP-2930). */
export const loadListedItems = async (
  batch: TransactionBatch,
  transactions: Int32Array,
  resident: ResidentState,
): Promise<ListedItems> => {
  const { accessStart, accessAddress, accessKeyStart, accessKey } = batch
  const start = new Uint32Array(transactions.length + 1)
  let entries = 0
  transactions.forEach((i, k) => {
    const from = accessStart[i]!
    const end = accessStart[i + 1]!
    entries += end - from
    start[k + 1] = start[k]! + end - from + accessKeyStart[end]! - accessKeyStart[from]!
  })
  const count = start[transactions.length]!
  const flags = new Uint32Array(count)
  const ids = new Uint32Array(count)
  const owners = new Uint32Array(count)
  if (count === 0) return { start, flags, ids, owners }
  const addresses = new Uint32Array(LIMBS_PER_ADDRESS * entries)
  let entry = 0
  for (const i of transactions) {
    const from = accessStart[i]!
    const end = accessStart[i + 1]!
    addresses.set(accessAddress.subarray(LIMBS_PER_ADDRESS * from, LIMBS_PER_ADDRESS * end), LIMBS_PER_ADDRESS * entry)
    entry += end - from
  }
  const accounts = new Int32Array(entries)
  await resident.accountIds(addresses, entries, accounts)
  const slotCount = count - entries
  const slotOwners = new Int32Array(slotCount)
  const keys = new Uint32Array(LIMBS_PER_WORD * slotCount)
  const places = new Uint32Array(slotCount)
  let slot = 0
  let at = 0
  entry = 0
  for (const i of transactions) {
    for (let e = accessStart[i]!; e < accessStart[i + 1]!; e++) {
      const account = accounts[entry++]!
      ids[at] = account
      flags[at++] = ITEM_WARM
      for (let k = accessKeyStart[e]!; k < accessKeyStart[e + 1]!; k++) {
        slotOwners[slot] = account
        owners[at] = account
        keys.set(accessKey.subarray(LIMBS_PER_WORD * k, LIMBS_PER_WORD * (k + 1)), LIMBS_PER_WORD * slot)
        places[slot++] = at
        flags[at++] = ITEM_WARM | ITEM_SLOT
      }
    }
  }
  const slots = new Int32Array(slotCount)
  await resident.slotIds(slotOwners, keys, slotCount, slots)
  for (let s = 0; s < slotCount; s++) ids[places[s]!] = slots[s]!
  return { start, flags, ids, owners }
}
