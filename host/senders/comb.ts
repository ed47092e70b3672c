import { normalizeZ } from '@noble/curves/abstract/curve.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { COMB_BITS, COMB_ENTRIES, COMB_WINDOWS } from '../../transpiler/layout/recovery.ts'
import { LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import { wordFromBigInt } from '../primitives/word.ts'

let known: Uint32Array | undefined

/**
 * The comb of transpiler/layout/recovery.ts: x and y of (2 j + 1) 2^(8 w) G for window w and entry j, 262 KB.
 *
 * Cost: 4,096 additions and one inversion, about 0.1 s, once.
 */
export const combEntries = (): Uint32Array => {
  known ??= computed()
  return known
}

const computed = (): Uint32Array => {
  const points: (typeof secp256k1.Point.BASE)[] = []
  let first = secp256k1.Point.BASE
  for (let window = 0; window < COMB_WINDOWS; window++) {
    const twice = first.double()
    let entry = first
    for (let j = 0; j < COMB_ENTRIES; j++) {
      points.push(entry)
      entry = entry.add(twice)
    }
    for (let bit = 0; bit < COMB_BITS; bit++) first = first.double()
  }
  const words = new Uint32Array(2 * LIMBS_PER_WORD * points.length)
  normalizeZ(secp256k1.Point, points).forEach((point, i) => {
    const { x, y } = point.toAffine()
    wordFromBigInt(words, 2 * LIMBS_PER_WORD * i, x)
    wordFromBigInt(words, 2 * LIMBS_PER_WORD * i + LIMBS_PER_WORD, y)
  })
  return words
}
