import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'

/** A rank is a u32 and a position below 2^21, together what a double holds. */
const MOST_RANKED = 2 ** 21
/** Fewer are looked up as they come. */
const LEAST_RANKED = 64

/**
 * Accounts in the order of their keys, by the first four bytes of each: neighbours lie on one page, and a page is
 * looked for once.
 */
export const accountOrder = (addresses: Uint32Array, count: number): Uint32Array =>
  rank(asTheyCome(count), (i) => addresses[LIMBS_PER_ADDRESS * i + LIMBS_PER_ADDRESS - 1]!)

/** Slots likewise: by address, and within an address by the first four bytes of the slot. */
export const slotOrder = (addresses: Uint32Array, keys: Uint32Array, count: number): Uint32Array =>
  rank(
    rank(asTheyCome(count), (i) => keys[LIMBS_PER_WORD * i + LIMBS_PER_WORD - 1]!),
    (i) => addresses[LIMBS_PER_ADDRESS * i + LIMBS_PER_ADDRESS - 1]!,
  )

const asTheyCome = (count: number): Uint32Array => Uint32Array.from({ length: count }, (_, i) => i)

/** By a u32 of each, ascending; equal ones stay as they stood. */
const rank = (order: Uint32Array, keyOf: (i: number) => number): Uint32Array => {
  if (order.length < LEAST_RANKED || order.length > MOST_RANKED) return order
  const ranks = new Float64Array(order.length)
  for (let n = 0; n < order.length; n++) ranks[n] = keyOf(order[n]!) * MOST_RANKED + n
  ranks.sort()
  const ranked = new Uint32Array(order.length)
  for (let n = 0; n < order.length; n++) ranked[n] = order[ranks[n]! % MOST_RANKED]!
  return ranked
}
