import { keccak_256 } from '@noble/hashes/sha3.js'
import { describe, expect, it } from 'vitest'
import { createRandom } from '../../bench/random.ts'
import { hashInJavaScript, hashPlan, keccakMany, SERIAL_HASHER } from '../../host/primitives/keccak_many.ts'
import { KeccakMemory, keccakModule, keccakOn, type Messages } from '../../host/primitives/keccak_memory.ts'
import { EDGE_LENGTHS, nobleDigests, PLANS, randomPlan } from '../fixtures/hash_plans.ts'

describe('keccak-256 of many messages on one thread', () => {
  it.each(PLANS)('equals @noble/hashes: %s', async (_, plan) => {
    const before = plan.bytes.slice()
    const expected = nobleDigests(plan)
    expect(hashPlan(plan)).toEqual(expected)
    expect(await SERIAL_HASHER.hash(plan)).toEqual(expected)
    expect(hashInJavaScript(plan)).toEqual(expected)
    expect(Buffer.compare(plan.bytes, before)).toBe(0)
  })

  it('takes messages of any length from any offset, in any order, twice and over each other', () => {
    const random = createRandom(11, 'keccak many')
    const bytes = Uint8Array.from({ length: 9000 }, () => random.below(256))
    const lengths = Uint32Array.from([...EDGE_LENGTHS, ...EDGE_LENGTHS].flatMap((a) => [a, a, 5, a]))
    const offsets = lengths.map((length) => random.below(bytes.length - length + 1))
    const digests = keccakMany({ count: lengths.length, bytes, offsets, lengths })
    for (const [m, offset] of offsets.entries()) {
      const message = bytes.subarray(offset, offset + lengths[m]!)
      expect(digests.subarray(32 * m, 32 * m + 32)).toEqual(keccak_256(message))
    }
  })

  it('keeps two chunks apart, whatever their messages, with nothing to fall back on', () => {
    const random = createRandom(12, 'keccak memory')
    const bytes = Uint8Array.from({ length: 9000 }, () => random.below(256))
    const messages = (longest: number): Messages => {
      const lengths = Uint32Array.from({ length: 90 }, (_, m) => (m % 9 === 0 ? longest : random.below(40)))
      return { count: 90, bytes, offsets: lengths.map((length) => random.below(bytes.length - length + 1)), lengths }
    }
    for (const of of [messages(300), messages(8000)]) {
      const memory = new KeccakMemory()
      const hash = keccakOn(keccakModule(), memory.memory, 1)
      memory.begin(of, 256)
      // Each chunk is hashed after the next one is placed.
      let [chunk, turn] = [memory.place(of, 0, of.count, 0), 0]
      for (let first = chunk.count; first < of.count; first += chunk.count) {
        const next = memory.place(of, first, of.count, ++turn % 2)
        hash(chunk, 0, chunk.count)
        chunk = next
      }
      hash(chunk, 0, chunk.count)
      const digests = memory.digests()
      for (const [m, offset] of of.offsets.entries()) {
        const expected = keccak_256(bytes.subarray(offset, offset + of.lengths[m]!))
        expect(Buffer.compare(digests.subarray(32 * m, 32 * m + 32), expected)).toBe(0)
      }
    }
  })

  it('hashes more than a chunk, and a smaller plan after it', () => {
    const large = randomPlan(21, { levels: [3000, 500, 40, 1], longest: 400, mostHoles: 9 })
    const small = randomPlan(22, { levels: [9, 2], longest: 200, mostHoles: 3 })
    expect(hashPlan(large)).toEqual(nobleDigests(large))
    expect(hashPlan(small)).toEqual(nobleDigests(small))
  })

  it('leaves bytes of a Buffer as they are', () => {
    const plan = { ...randomPlan(23, { levels: [5, 2], longest: 200, mostHoles: 3 }) }
    const bytes = Buffer.from(plan.bytes)
    expect(hashInJavaScript({ ...plan, bytes })).toEqual(nobleDigests(plan))
    expect(new Uint8Array(bytes)).toEqual(plan.bytes)
  })
})
