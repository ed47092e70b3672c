import { COLUMN_LIMBS } from '../plan.ts'

/**
 * Words in lane columns as bigints: column c of lane l is at vector `c * laneCount + l`, its upper half a column
 * further (transpiler/path_kernel.ts). `limbs` begin at a multiple of eight bytes.
 */
export class WordColumns {
  readonly #quads: BigUint64Array
  readonly #laneCount: number

  constructor(limbs: Uint32Array, laneCount: number) {
    this.#quads = new BigUint64Array(limbs.buffer, limbs.byteOffset, limbs.length >> 1)
    this.#laneCount = laneCount
  }

  get(column: number, lane: number): bigint {
    const quads = this.#quads
    const low = 2 * (column * this.#laneCount + lane)
    const high = low + 2 * this.#laneCount
    const upper = (quads[high + 1]! << 64n) | quads[high]!
    const lower = (quads[low + 1]! << 64n) | quads[low]!
    return upper === 0n ? lower : (upper << 128n) | lower
  }

  set(column: number, lane: number, word: bigint): void {
    const quads = this.#quads
    const low = 2 * (column * this.#laneCount + lane)
    const high = low + 2 * this.#laneCount
    quads[low] = word
    quads[low + 1] = word >> 64n
    quads[high] = word >> 128n
    quads[high + 1] = word >> 192n
  }
}

/** Copies the first columns of a lane to another one. */
export const copyLane = (
  from: Uint32Array,
  fromCount: number,
  fromLane: number,
  to: Uint32Array,
  toCount: number,
  toLane: number,
  columns: number,
): void => {
  let source = fromLane * COLUMN_LIMBS
  let target = toLane * COLUMN_LIMBS
  for (let column = 0; column < columns; column++) {
    to[target] = from[source]!
    to[target + 1] = from[source + 1]!
    to[target + 2] = from[source + 2]!
    to[target + 3] = from[source + 3]!
    source += fromCount * COLUMN_LIMBS
    target += toCount * COLUMN_LIMBS
  }
}
