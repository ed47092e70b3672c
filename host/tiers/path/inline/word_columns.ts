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
