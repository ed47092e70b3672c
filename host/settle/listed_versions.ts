import { LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import type { BlockAccessList } from '../chain/access_list.ts'
import { addressFromHex, wordFromBigInt } from '../primitives/word.ts'
import type { ResidentState } from '../state/tables/resident_tables.ts'

/**
 * What a block access list says that transactions leave in slots, for the resolution of reads (version_log.ts). It is
 * believed there only to choose what a transaction runs on: the sweep compares what was read with what stands.
 *
 * start    u32[n + 1]   versions of transaction i are start[i] .. start[i + 1]
 * slots    u32[k]       slot id
 * values   u32[8 k]
 */
export interface ListedVersions {
  readonly start: Uint32Array
  readonly slots: Uint32Array
  readonly values: Uint32Array
}

/** Loads everything that the list names, in two bulk reads of the State, and gives its versions by transaction. */
export const loadListed = async (
  list: BlockAccessList,
  resident: ResidentState,
  transactionCount: number,
): Promise<ListedVersions> => {
  const addresses = new Uint32Array(5 * list.length)
  for (const [n, { address }] of list.entries()) addressFromHex(addresses, 5 * n, address)
  const accountIds = new Int32Array(list.length)
  await resident.accountIds(addresses, list.length, accountIds)
  const named = list.flatMap(({ storageChanges, storageReads }, n) => [
    ...storageChanges.map(({ key, changes }) => ({ owner: accountIds[n]!, key, changes })),
    ...storageReads.map((key) => ({ owner: accountIds[n]!, key, changes: [] })),
  ])
  const keys = new Uint32Array(LIMBS_PER_WORD * named.length)
  for (const [k, { key }] of named.entries()) wordFromBigInt(keys, LIMBS_PER_WORD * k, key)
  const slotIds = new Int32Array(named.length)
  const owners = Int32Array.from(named, ({ owner }) => owner)
  await resident.slotIds(owners, keys, named.length, slotIds)
  const versions = named
    .flatMap(({ changes }, k) =>
      changes.map(({ index, value }) => ({ transaction: index - 1, slot: slotIds[k]!, value })),
    )
    .filter(({ transaction }) => transaction >= 0 && transaction < transactionCount)
    .sort((a, b) => a.transaction - b.transaction)
  const start = new Uint32Array(transactionCount + 1)
  for (const { transaction } of versions) start[transaction + 1]!++
  for (let i = 0; i < transactionCount; i++) start[i + 1]! += start[i]!
  const values = new Uint32Array(LIMBS_PER_WORD * versions.length)
  for (const [n, { value }] of versions.entries()) wordFromBigInt(values, LIMBS_PER_WORD * n, value)
  return { start, slots: Uint32Array.from(versions, ({ slot }) => slot), values }
}
