import { randomFillSync } from 'node:crypto'
import { LIMBS_PER_ADDRESS } from '../../transpiler/layout/word.ts'

/** Rows by their address: groups have the order in which their first rows come. */
export interface AddressGroups {
  readonly count: number
  /** i32[n]: the group of row i; -1 where it is left out. */
  readonly of: Int32Array
}

/** Other ones in each process: who chooses addresses does not choose what collides. */
const factors = randomFillSync(new Uint32Array(LIMBS_PER_ADDRESS)).map((factor) => factor | 1)

/** Groups the rows of `addresses`, u32[5 n], that `takes` names by their address. */
export const groupByAddress = (
  addresses: Uint32Array,
  rows: number,
  takes: (row: number) => boolean,
): AddressGroups => {
  const bits = Math.max(4, 33 - Math.clz32(rows))
  const mask = (1 << bits) - 1
  /** One more than the first row of a group. */
  const table = new Int32Array(mask + 1)
  const of = new Int32Array(rows).fill(-1)
  let count = 0
  for (let row = 0; row < rows; row++) {
    if (!takes(row)) continue
    const at = LIMBS_PER_ADDRESS * row
    let hash = 0
    for (let limb = 0; limb < LIMBS_PER_ADDRESS; limb++) {
      hash ^= Math.imul(addresses[at + limb]!, factors[limb]!)
      hash = (hash << 13) | (hash >>> 19)
    }
    let place = (Math.imul(hash, 0x9e37_79b1) >>> (32 - bits)) & mask
    while (table[place] !== 0 && !isSame(addresses, at, LIMBS_PER_ADDRESS * (table[place]! - 1)))
      place = (place + 1) & mask
    const first = table[place]! - 1
    if (first >= 0) of[row] = of[first]!
    else {
      table[place] = row + 1
      of[row] = count++
    }
  }
  return { count, of }
}

const isSame = (words: Uint32Array, a: number, b: number): boolean => {
  for (let limb = 0; limb < LIMBS_PER_ADDRESS; limb++) if (words[a + limb] !== words[b + limb]) return false
  return true
}
