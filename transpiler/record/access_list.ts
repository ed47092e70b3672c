import { keccak256 } from '../keccak256.ts'
import { bytesToWord } from '../skeleton.ts'
import type { ListedAccount } from './transaction.ts'

/** Entries and keys together; a transaction with more has no path. */
export const MAX_LISTED = 128

export const listedCount = (list: readonly ListedAccount[]): number =>
  list.reduce((sum, { keys }) => sum + 1 + keys.length, 0)

/** Names a list by what it warms: the order of its entries plays no part. Undefined for no list. */
export const accessListName = (list: readonly ListedAccount[] | undefined): string | undefined => {
  if (list === undefined || list.length === 0) return undefined
  const text = [...keysByAddress(list)]
    .map(([address, keys]) => `${address.toString(16)}:${[...keys].map((key) => key.toString(16)).sort()}`)
    .sort()
    .join(';')
  return `0x${bytesToWord(keccak256(new TextEncoder().encode(text)))
    .toString(16)
    .padStart(64, '0')}`
}

/** The keys listed for each address. */
export const keysByAddress = (list: readonly ListedAccount[] | undefined): ReadonlyMap<bigint, ReadonlySet<bigint>> => {
  const byAddress = new Map<bigint, Set<bigint>>()
  for (const { address, keys } of list ?? []) {
    const known = byAddress.get(address) ?? new Set()
    byAddress.set(address, known)
    for (const key of keys) known.add(key)
  }
  return byAddress
}
