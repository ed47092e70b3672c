import { LEAF_KEY, LEAF_LIMBS, type LeafRows, reversedBytes } from './leaf_rows.ts'

/** The first four bytes of a key and a position stand in one double. */
const POSITIONS = 2 ** 21

/** Puts the leaves ids[first] .. ids[end] in the order of their keys. */
export const orderByKey = ({ rows }: LeafRows, ids: Int32Array, first: number, end: number): void => {
  if (end - first < 2) return
  if (end - first > POSITIONS) {
    ids.subarray(first, end).sort((a, b) => compareKeys(rows, a, b))
    return
  }
  const before = ids.slice(first, end)
  const keys = new Float64Array(before.length)
  for (let n = 0; n < before.length; n++)
    keys[n] = reversedBytes(rows[LEAF_LIMBS * before[n]! + LEAF_KEY]!) * POSITIONS + n
  keys.sort()
  for (let n = 0; n < before.length; n++) {
    const id = before[keys[n]! % POSITIONS]!
    // Few have their first four bytes in common.
    let at = first + n
    for (; at > first && compareKeys(rows, ids[at - 1]!, id) > 0; at--) ids[at] = ids[at - 1]!
    ids[at] = id
  }
}

const compareKeys = (rows: Uint32Array, a: number, b: number): number => {
  for (let word = LEAF_KEY; word < LEAF_KEY + 8; word++) {
    const x = rows[LEAF_LIMBS * a + word]!
    const y = rows[LEAF_LIMBS * b + word]!
    if (x !== y) return reversedBytes(x) - reversedBytes(y)
  }
  return 0
}
