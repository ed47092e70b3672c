/** Limbs as a big-endian number without leading zeros; zero has no bytes. Returns where it ends. */
export const writeShort = (to: Uint8Array, first: number, limbs: Uint32Array, from: number, count: number): number => {
  let limb = from + count - 1
  while (limb >= from && limbs[limb] === 0) limb--
  if (limb < from) return first
  let at = first
  const top = limbs[limb]!
  if (top >= 0x100_0000) to[at++] = top >>> 24
  if (top >= 0x1_0000) to[at++] = top >>> 16
  if (top >= 0x100) to[at++] = top >>> 8
  to[at++] = top
  for (limb--; limb >= from; limb--) {
    const value = limbs[limb]!
    to[at] = value >>> 24
    to[at + 1] = value >>> 16
    to[at + 2] = value >>> 8
    to[at + 3] = value
    at += 4
  }
  return at
}
