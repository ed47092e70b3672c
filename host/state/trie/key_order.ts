import { LEAF_KEY, LEAF_LIMBS, type LeafRows, reversedBytes } from './leaf_rows.ts'

/** The first four bytes of a key and a position stand in one double. */
const POSITIONS = 2 ** 21

/**
 * Puts the leaves ids[first] .. ids[end] in the order of their keys' first four bytes, so that leaves that are inserted
 * one after the other go the same way for most of it. More than 2^21 are put in order in parts.
 */
export const orderByKey = ({ rows }: LeafRows, ids: Int32Array, first: number, end: number): void => {
  for (let from = first; from < end; from += POSITIONS) {
    const part = ids.slice(from, Math.min(end, from + POSITIONS))
    const keys = new Float64Array(part.length)
    for (let n = 0; n < part.length; n++)
      keys[n] = reversedBytes(rows[LEAF_LIMBS * part[n]! + LEAF_KEY]!) * POSITIONS + n
    keys.sort()
    for (let n = 0; n < part.length; n++) ids[from + n] = part[keys[n]! % POSITIONS]!
  }
}
