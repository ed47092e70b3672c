import type { HashPlan, NodeHasher } from '../primitives/hash_plan.ts'

/** What a form takes for a plan, in microseconds of wall time. */
export interface HashRate {
  readonly planUs: number
  readonly levelUs: number
  /** Of 136 bytes: a permutation. */
  readonly blockUs: number
}

export const rateCost = ({ planUs, levelUs, blockUs }: HashRate, { levels }: HashPlan, blocks: number): number =>
  planUs + levelUs * Math.max(0, levels.length - 1) + blockUs * blocks

/** Messages of one block each in levels of as many. */
const probePlan = (count: number, perLevel: number): HashPlan => {
  const sizeBytes = 100
  const bytes = new Uint8Array(sizeBytes * count).map((_, n) => n)
  return {
    count,
    bytes,
    offsets: Uint32Array.from({ length: count }, (_, m) => sizeBytes * m),
    lengths: new Uint32Array(count).fill(sizeBytes),
    holeStart: new Uint32Array(count + 1),
    holeAt: new Uint32Array(0),
    holeOf: new Uint32Array(0),
    levels: Uint32Array.from({ length: count / perLevel + 1 }, (_, level) => level * perLevel),
  }
}

const LEVELS = 32
const PER_LEVEL = 128
const MANY = 16_384
/** No form is faster: keeps a rate where blocks cost nothing beside levels. */
const LEAST_BLOCK_US = 0.0005

/** What a form takes now. The first plan starts, or compiles, what it needs. */
export const measureHasher = async (hasher: NodeHasher): Promise<HashRate> => {
  const one = probePlan(PER_LEVEL, PER_LEVEL)
  await hasher.hash(one)
  const oneUs = await timeOf(hasher, one)
  const levelsUs = await timeOf(hasher, probePlan(LEVELS * PER_LEVEL, PER_LEVEL))
  const wideUs = await timeOf(hasher, probePlan(LEVELS * PER_LEVEL, LEVELS * PER_LEVEL))
  const manyUs = await timeOf(hasher, probePlan(MANY, MANY))
  const blockUs = Math.max(LEAST_BLOCK_US, (manyUs - wideUs) / (MANY - LEVELS * PER_LEVEL))
  const levelUs = Math.max(0, levelsUs - wideUs) / (LEVELS - 1)
  return { planUs: Math.max(0, oneUs - levelUs - PER_LEVEL * blockUs), levelUs, blockUs }
}

/** The better of two: whatever else runs only adds to it. */
const timeOf = async (hasher: NodeHasher, plan: HashPlan): Promise<number> => {
  let bestUs = Infinity
  for (let n = 0; n < 2; n++) {
    const startedMs = performance.now()
    await hasher.hash(plan)
    bestUs = Math.min(bestUs, 1000 * (performance.now() - startedMs))
  }
  return bestUs
}
