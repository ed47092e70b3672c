import { ACCOUNT_ROW_VECTORS, accountHash, slotHash } from '../../transpiler/layout/tables.ts'
import { LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import { limbsOf } from './rig.ts'

/** An open-addressing index (transpiler/layout/tables.ts) filled in order of insertion. */
const bucketIndex = (
  capacity: number,
  entries: readonly { readonly hash: number; readonly tag: number }[],
): Uint32Array => {
  const index = new Uint32Array(2 * capacity)
  entries.forEach(({ hash, tag }, id) => {
    let bucket = hash & (capacity - 1)
    while (index[2 * bucket] !== 0) bucket = (bucket + 1) & (capacity - 1)
    index[2 * bucket] = id + 1
    index[2 * bucket + 1] = tag
  })
  return index
}

/** Places from the hash's own bucket to the bucket that holds `id`: 0 is the first one looked at. */
export const probesTo = (index: Uint32Array, hash: number, id: number): number => {
  const mask = index.length / 2 - 1
  let probes = 0
  while (index[2 * ((hash + probes) & mask)] !== id + 1) probes++
  return probes
}

export interface Slot {
  readonly account: number
  readonly key: bigint
  readonly value: bigint
}

export const hashOfSlot = ({ account, key }: Pick<Slot, 'account' | 'key'>): number =>
  slotHash(account, limbsOf([key]), 0)

export interface SlotArrays {
  readonly index: Uint32Array
  readonly keys: Uint32Array
  readonly values: Uint32Array
}

export const slotArrays = (capacity: number, slots: readonly Slot[]): SlotArrays => ({
  index: bucketIndex(
    capacity,
    slots.map((slot) => ({ hash: hashOfSlot(slot), tag: slot.account })),
  ),
  keys: limbsOf(slots.map(({ key }) => key)),
  values: limbsOf(slots.map(({ value }) => value)),
})

export interface Account {
  readonly address: bigint
  readonly skeleton: number
  /** Index in words of the account's first constant. */
  readonly constantsAt: number
  readonly exists: boolean
  readonly balance: bigint
}

export const hashOfAccount = (address: bigint): number => accountHash(limbsOf([address]), 0)

export interface AccountArrays {
  readonly index: Uint32Array
  readonly rows: Uint32Array
}

export const accountArrays = (capacity: number, accounts: readonly Account[]): AccountArrays => {
  const rows = new Uint32Array(accounts.length * ACCOUNT_ROW_VECTORS * 4)
  accounts.forEach(({ address, skeleton, constantsAt, exists, balance }, id) => {
    const at = id * ACCOUNT_ROW_VECTORS * 4
    rows.set(limbsOf([address]).subarray(0, 5), at)
    // Bits of flags other than bit 0 are not the device's to read.
    rows.set([skeleton, constantsAt, exists ? 0xffffffff : 0xfffffffe], at + 5)
    rows.set(limbsOf([balance]), at + LIMBS_PER_WORD)
  })
  const entries = accounts.map(({ address }) => ({ hash: hashOfAccount(address), tag: Number(address & 0xffffffffn) }))
  return { index: bucketIndex(capacity, entries), rows }
}
