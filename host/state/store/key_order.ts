import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'

/** Fewer are looked up as they come. */
const LEAST_RANKED = 64
const DIGIT_BITS = 11
const DIGITS = 2 ** DIGIT_BITS

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

/** Keys of 32 bytes likewise, which lie side by side. */
export const hashOrder = (hashes: Uint8Array): Uint32Array => {
  const view = new DataView(hashes.buffer, hashes.byteOffset, hashes.length)
  return rank(asTheyCome(hashes.length / 32), (i) => view.getUint32(32 * i))
}

const asTheyCome = (count: number): Uint32Array => {
  const order = new Uint32Array(count)
  for (let i = 0; i < count; i++) order[i] = i
  return order
}

/** By a u32 of each, ascending; equal ones stay as they stood. */
const rank = (order: Uint32Array, keyOf: (i: number) => number): Uint32Array => {
  const count = order.length
  if (count < LEAST_RANKED) return order
  let keys: Uint32Array = new Uint32Array(count)
  for (let n = 0; n < count; n++) keys[n] = keyOf(order[n]!)
  let ranked = order
  let nextKeys: Uint32Array = new Uint32Array(count)
  let next: Uint32Array = new Uint32Array(count)
  for (let shift = 0; shift < 32; shift += DIGIT_BITS) {
    const ends = new Uint32Array(DIGITS + 1)
    for (let n = 0; n < count; n++) ends[((keys[n]! >>> shift) & (DIGITS - 1)) + 1]!++
    for (let digit = 0; digit < DIGITS; digit++) ends[digit + 1]! += ends[digit]!
    for (let n = 0; n < count; n++) {
      const to = ends[(keys[n]! >>> shift) & (DIGITS - 1)]!++
      nextKeys[to] = keys[n]!
      next[to] = ranked[n]!
    }
    ;[keys, nextKeys] = [nextKeys, keys]
    ;[ranked, next] = [next, ranked]
  }
  return ranked
}
