import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import type { StateWrites } from '../state.ts'

/**
 * Two commits as one: `later` follows `earlier`, so what both write is as `later` leaves it. `earlier` is expected
 * to be small (what a block does before its transactions): its rows are found again by name.
 */
export const mergeWrites = (earlier: StateWrites, later: StateWrites): StateWrites => {
  if (earlier.accountCount + earlier.slotCount + earlier.deletedAccounts.length + earlier.code.size === 0) return later
  const earlierAddresses = firstLimbs(earlier.accountAddresses, LIMBS_PER_ADDRESS, earlier.accountCount)
  const accounts = addressNames(later.accountAddresses, later.accountCount, earlierAddresses)
  for (const limb of firstLimbs(earlier.slotAddresses, LIMBS_PER_ADDRESS, earlier.slotCount)) earlierAddresses.add(limb)
  const gone = later.deletedAccounts.length / LIMBS_PER_ADDRESS
  const deleted = addressNames(later.deletedAccounts, gone, earlierAddresses)
  const slots = slotNames(later, firstLimbs(earlier.slotKeys, LIMBS_PER_WORD, earlier.slotCount))
  const keptAccounts = indices(earlier.accountCount).filter((i) => {
    const name = addressName(earlier.accountAddresses, i)
    return !accounts.has(name) && !deleted.has(name)
  })
  const keptSlots = indices(earlier.slotCount).filter(
    (i) => !slots.has(slotName(earlier, i)) && !deleted.has(addressName(earlier.slotAddresses, i)),
  )
  return {
    deletedAccounts: join(
      earlier.deletedAccounts,
      indices(earlier.deletedAccounts.length / LIMBS_PER_ADDRESS),
      LIMBS_PER_ADDRESS,
      later.deletedAccounts,
    ),
    accountCount: keptAccounts.length + later.accountCount,
    accountAddresses: join(earlier.accountAddresses, keptAccounts, LIMBS_PER_ADDRESS, later.accountAddresses),
    accounts: {
      exists: join(earlier.accounts.exists, keptAccounts, 1, later.accounts.exists.subarray(0, later.accountCount)),
      nonce: join(earlier.accounts.nonce, keptAccounts, 2, later.accounts.nonce),
      balance: join(earlier.accounts.balance, keptAccounts, LIMBS_PER_WORD, later.accounts.balance),
      codeHash: join(earlier.accounts.codeHash, keptAccounts, LIMBS_PER_WORD, later.accounts.codeHash),
    },
    slotCount: keptSlots.length + later.slotCount,
    slotAddresses: join(earlier.slotAddresses, keptSlots, LIMBS_PER_ADDRESS, later.slotAddresses),
    slotKeys: join(earlier.slotKeys, keptSlots, LIMBS_PER_WORD, later.slotKeys),
    slotValues: join(earlier.slotValues, keptSlots, LIMBS_PER_WORD, later.slotValues),
    code: new Map([...earlier.code, ...later.code]),
  }
}

/** Rows of `from` before all of `to`, which is itself where there are none. */
const join = <Column extends Uint8Array | Uint32Array>(
  from: Column,
  kept: readonly number[],
  limbs: number,
  to: Column,
): Column => {
  if (kept.length === 0) return to
  const joined = new (to.constructor as new (length: number) => Column)(limbs * kept.length + to.length)
  for (const [row, i] of kept.entries()) joined.set(from.subarray(limbs * i, limbs * (i + 1)), limbs * row)
  joined.set(to, limbs * kept.length)
  return joined
}

const indices = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

/** What tells most of a large column apart from these few rows, without a name for each. */
const firstLimbs = (rows: Uint32Array, limbs: number, count: number): Set<number> =>
  new Set(indices(count).map((i) => rows[limbs * i]!))

const addressName = (addresses: Uint32Array, i: number): string =>
  addresses.subarray(LIMBS_PER_ADDRESS * i, LIMBS_PER_ADDRESS * (i + 1)).join()

/** Of those rows whose first limb is among these. */
const addressNames = (addresses: Uint32Array, count: number, limbs: ReadonlySet<number>): Set<string> => {
  const names = new Set<string>()
  if (limbs.size === 0) return names
  for (let i = 0; i < count; i++) if (limbs.has(addresses[LIMBS_PER_ADDRESS * i]!)) names.add(addressName(addresses, i))
  return names
}

const slotNames = (writes: StateWrites, limbs: ReadonlySet<number>): Set<string> => {
  const names = new Set<string>()
  if (limbs.size === 0) return names
  for (let i = 0; i < writes.slotCount; i++)
    if (limbs.has(writes.slotKeys[LIMBS_PER_WORD * i]!)) names.add(slotName(writes, i))
  return names
}

const slotName = ({ slotAddresses, slotKeys }: StateWrites, i: number): string =>
  `${addressName(slotAddresses, i)}:${slotKeys.subarray(LIMBS_PER_WORD * i, LIMBS_PER_WORD * (i + 1)).join()}`
