const rotate = (x: number, by: number) => (x << by) | (x >>> (32 - by))

/** A seeded stream of random numbers. The same seed and name give the same stream on every machine. */
export interface Random {
  /** Uniform in 0 .. 2^32 - 1. */
  u32(): number
  /** Uniform integer in 0 .. bound - 1, bound below 2^32; bias below 2^-20. */
  below(bound: number): number
  /** Uniform in [0, 1). */
  unit(): number
}

/** xoshiro128** (Blackman, Vigna 2018), its state filled by splitmix32 from the seed and the name of the stream. */
export const createRandom = (seed: number, name = ''): Random => {
  let mixed = seed >>> 0
  for (let i = 0; i < name.length; i++) mixed = Math.imul(mixed ^ name.charCodeAt(i), 0x01000193) >>> 0
  const splitmix = () => {
    mixed = (mixed + 0x9e3779b9) | 0
    let z = mixed ^ (mixed >>> 16)
    z = Math.imul(z, 0x21f0aaad)
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
    return z ^ (z >>> 15)
  }
  let a = splitmix()
  let b = splitmix()
  let c = splitmix()
  let d = splitmix()
  const u32 = () => {
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0
    const t = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= t
    d = rotate(d, 11)
    return result
  }
  const unit = () => (u32() * 0x200000 + (u32() >>> 11)) / 0x20000000000000
  return { u32, unit, below: (bound) => Math.floor(unit() * bound) }
}

/** The numbers 0 .. count - 1 in random order (Fisher-Yates). */
export const permutation = (count: number, random: Random): Uint32Array => {
  const order = Uint32Array.from({ length: count }, (_, i) => i)
  for (let i = count - 1; i > 0; i--) {
    const j = random.below(i + 1)
    const swapped = order[i]!
    order[i] = order[j]!
    order[j] = swapped
  }
  return order
}

/**
 * Draws ranks 0 .. count - 1 with probability proportional to 1 / (rank + 1): the rank-frequency law (Zipf, exponent 1)
 * that token holders follow. Inverse of the cumulated weights by binary search.
 */
export const createZipf = (count: number, random: Random): (() => number) => {
  const cumulated = new Float64Array(count)
  let sum = 0
  for (let rank = 0; rank < count; rank++) {
    sum += 1 / (rank + 1)
    cumulated[rank] = sum
  }
  return () => {
    const at = random.unit() * sum
    let low = 0
    let high = count - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (cumulated[middle]! > at) high = middle
      else low = middle + 1
    }
    return low
  }
}
