import { keccakMany } from '../../primitives/keccak_many.ts'
import type { IntList } from './int_list.ts'
import { LEAF_KEY, LEAF_LIMBS, type LeafRows, reversedBytes } from './leaf_rows.ts'

/** Hashes what stands at `at` in the rows, in limb order, to their keys. */
export const hashKeys = (leaves: LeafRows, list: IntList, at: number, limbs: number): void => {
  const { values, count } = list
  const { rows, bytes } = leaves
  const length = 4 * limbs
  const names = new Uint32Array(limbs * count)
  for (let n = 0; n < count; n++)
    for (let limb = 0; limb < limbs; limb++)
      names[limbs * n + limb] = reversedBytes(rows[LEAF_LIMBS * values[n]! + at + limbs - 1 - limb]!)
  const offsets = Uint32Array.from({ length: count }, (_, n) => length * n)
  const lengths = new Uint32Array(count).fill(length)
  const keys = keccakMany({ count, bytes: new Uint8Array(names.buffer), offsets, lengths })
  for (let n = 0; n < count; n++)
    bytes.set(keys.subarray(32 * n, 32 * n + 32), 4 * (LEAF_LIMBS * values[n]! + LEAF_KEY))
}
