import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import type { StateWrites } from '../state.ts'

/**
 * Two commits as one: `later` follows `earlier`, so what both write is as `later` leaves it. `earlier` is expected
 * to be small (what a block does before its transactions): its rows are found again by name.
 */
export const mergeWrites = (earlier: StateWrites, later: StateWrites): StateWrites => {
  if (earlier.accountCount + earlier.slotCount + earlier.deletedAccounts.length + earlier.code.size === 0) return later
  const deleted = addressNames(later.deletedAccounts, later.deletedAccounts.length / LIMBS_PER_ADDRESS)
  const accounts = addressNames(later.accountAddresses, later.accountCount)
  const slots = new Set<string>()
  const wanted = new Set<number>()
  for (let i = 0; i < earlier.slotCount; i++) wanted.add(earlier.slotKeys[LIMBS_PER_WORD * i]!)
  for (let i = 0; i < later.slotCount; i++)
    if (wanted.has(later.slotKeys[LIMBS_PER_WORD * i]!)) slots.add(slotName(later, i))
  const keptAccounts = indices(earlier.accountCount).filter((i) => {
    const name = addressName(earlier.accountAddresses, i)
    return !accounts.has(name) && !deleted.has(name)
  })
  const keptSlots = indices(earlier.slotCount).filter(
    (i) => !slots.has(slotName(earlier, i)) && !deleted.has(addressName(earlier.slotAddresses, i)),
  )
  const rows = (from: Uint32Array, kept: readonly number[], limbs: number): Uint32Array =>
    Uint32Array.from(kept.flatMap((i) => [...from.subarray(limbs * i, limbs * (i + 1))]))
  const join = (from: Uint32Array, kept: readonly number[], limbs: number, to: Uint32Array): Uint32Array => {
    const head = rows(from, kept, limbs)
    const joined = new Uint32Array(head.length + to.length)
    joined.set(head)
    joined.set(to, head.length)
    return joined
  }
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
      exists: Uint8Array.from([
        ...keptAccounts.map((i) => earlier.accounts.exists[i]!),
        ...later.accounts.exists.subarray(0, later.accountCount),
      ]),
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

const indices = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

const addressName = (addresses: Uint32Array, i: number): string =>
  addresses.subarray(LIMBS_PER_ADDRESS * i, LIMBS_PER_ADDRESS * (i + 1)).join()

const addressNames = (addresses: Uint32Array, count: number): Set<string> =>
  new Set(indices(count).map((i) => addressName(addresses, i)))

const slotName = ({ slotAddresses, slotKeys }: StateWrites, i: number): string =>
  `${addressName(slotAddresses, i)}:${slotKeys.subarray(LIMBS_PER_WORD * i, LIMBS_PER_WORD * (i + 1)).join()}`
