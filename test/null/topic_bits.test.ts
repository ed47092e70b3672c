import { describe, expect, it } from 'vitest'
import { createRandom } from '../../bench/random.ts'
import { TopicBits, topicHash, WORDS_AHEAD } from '../../host/chain/topic_bits.ts'

const COUNT = 3_000
const LANES = 4 * COUNT

/** Words in two columns of halves, each half as often as it differs in one limb from another. */
const columnOf = (seed: number): { limbs: Uint32Array; low: number; high: number } => {
  const random = createRandom(seed, 'topics')
  const limbs = Uint32Array.from({ length: 2 * LANES + 4 }, () => random.u32())
  const [low, high] = [4, 4 + LANES]
  for (let lane = 1; lane < COUNT; lane += 2) {
    for (let limb = 0; limb < 4; limb++) {
      limbs[low + 4 * lane + limb] = limbs[low + 4 * (lane - 1) + limb]!
      limbs[high + 4 * lane + limb] = limbs[high + 4 * (lane - 1) + limb]!
    }
    const at = (lane & 2) === 0 ? low : high
    limbs[at + 4 * lane + ((lane >> 2) & 3)]! ^= 1 << (lane & 31)
  }
  return { limbs, low, high }
}

const wordAt = ({ limbs, low, high }: ReturnType<typeof columnOf>, lane: number): Uint32Array =>
  Uint32Array.of(
    ...limbs.subarray(low + 4 * lane, low + 4 * lane + 4),
    ...limbs.subarray(high + 4 * lane, high + 4 * lane + 4),
  )

const bitsOf = (lane: number): Uint16Array => Uint16Array.of(lane & 2047, (7 * lane) & 2047, (31 * lane) & 2047)

const keptBits = (topics: TopicBits, number: number): number[] => [
  topics.bits[2 * number]! & 2047,
  topics.bits[2 * number]! >>> 16,
  topics.bits[2 * number + 1]!,
]

describe('Bits of topics', () => {
  it('are found for every word that was added, one by one and by lanes, and for no other', () => {
    const column = columnOf(1)
    const topics = new TopicBits()
    const isKept = (lane: number): boolean => lane % 3 !== 0
    expect(topics.find(column.limbs, column.low, column.high)).toBe(-1)
    for (let lane = 0; lane < COUNT; lane++) if (isKept(lane)) topics.add(wordAt(column, lane), 0, bitsOf(lane))
    const bytes = topics.sizeBytes
    for (let lane = 0; lane < COUNT; lane++) if (isKept(lane)) topics.add(wordAt(column, lane), 0, bitsOf(lane))
    expect(topics.sizeBytes).toBe(bytes)
    const lanes = Uint32Array.from({ length: COUNT }, (_, n) => COUNT - 1 - n)
    const numbers = new Int32Array(WORDS_AHEAD)
    const rows = { transactions: lanes, lanes, first: 0, end: COUNT }
    for (let first = 0; first < COUNT; first += WORDS_AHEAD) {
      const end = Math.min(COUNT, first + WORDS_AHEAD)
      topics.findRows(rows, first, end, column, numbers)
      for (let place = first; place < end; place++) {
        const lane = lanes[place]!
        const number = numbers[place - first]!
        expect(number >= 0).toBe(isKept(lane))
        expect(topics.find(wordAt(column, lane), 0, 4)).toBe(number)
        if (number >= 0) expect(keptBits(topics, number)).toEqual([...bitsOf(lane)])
      }
    }
  })

  it('are kept within their bytes, and those of the last word always', () => {
    const column = columnOf(2)
    const mostBytes = 48 * 1024
    const topics = new TopicBits(mostBytes)
    let forgotten = 0
    for (let lane = 0; lane < COUNT; lane++) {
      topics.add(wordAt(column, lane), 0, bitsOf(lane))
      expect(keptBits(topics, topics.find(wordAt(column, lane), 0, 4))).toEqual([...bitsOf(lane)])
      if (topics.find(wordAt(column, 0), 0, 4) < 0) forgotten++
    }
    expect(topics.sizeBytes).toBeLessThanOrEqual(mostBytes)
    expect(forgotten).toBeGreaterThan(0)
  })

  it('of words that somebody chose for one bucket are found as far as 32 probes go', () => {
    const topics = new TopicBits()
    const word = new Uint32Array(8)
    const chosen: Uint32Array[] = []
    for (; chosen.length < 100; word[0]!++) if ((topicHash(word, 0, 4) & 511) === 5) chosen.push(word.slice())
    for (let round = 0; round < 3; round++) for (const [n, one] of chosen.entries()) topics.add(one, 0, bitsOf(n))
    expect(chosen.map((one) => topics.find(one, 0, 4))).toEqual(chosen.map((_, n) => (n < 32 ? n : -1)))
  })
})
