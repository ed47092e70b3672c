import { createMPT } from '@ethereumjs/mpt'
import { RLP } from '@ethereumjs/rlp'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bytesToHex, hexToBytes } from '../../host/primitives/hex.ts'
import { rlpBytes, rlpInteger } from '../../host/primitives/rlp.ts'
import { sortedTrieRoot } from '../../host/state/trie/sorted_trie.ts'
import { checkLinks, HASH_FORMS, RawTrie } from '../fixtures/raw_trie.ts'

/** Nibbles that differ from a key of ones: far down, so that nodes are short and stand in their parents, or far up. */
const key = fc
  .uniqueArray(fc.tuple(fc.constantFrom(0, 1, 2, 8, 40, 55, 58, 60, 61, 62, 63), fc.integer({ min: 0, max: 3 })), {
    selector: ([at]) => at,
    minLength: 0,
    maxLength: 3,
  })
  .map((changes) => {
    const bytes = new Uint8Array(32).fill(0x11)
    for (const [at, nibble] of changes)
      bytes[at >> 1] = at % 2 === 0 ? (bytes[at >> 1]! & 15) | (nibble << 4) : (bytes[at >> 1]! & 0xf0) | nibble
    return bytes
  })
const value = fc.oneof(
  { weight: 4, arbitrary: fc.bigInt({ min: 1n, max: 3n }) },
  { weight: 1, arbitrary: fc.bigInt({ min: 1n, max: 2n ** 256n - 1n }) },
  { weight: 1, arbitrary: fc.constantFrom(127n, 128n, 255n, 256n, 2n ** 32n, 2n ** 248n) },
  { weight: 3, arbitrary: fc.constant(0n) },
)
const steps = fc.array(
  fc.uniqueArray(fc.record({ key, value }), { selector: ({ key }) => bytesToHex(key), maxLength: 12 }),
  {
    minLength: 1,
    maxLength: 8,
  },
)

const wholeRoot = (entries: ReadonlyMap<string, bigint>): string | undefined => {
  if (entries.size === 0) return undefined
  const sorted = [...entries].sort(([a], [b]) => (a < b ? -1 : 1))
  return bytesToHex(
    sortedTrieRoot(
      sorted.map(([key]) => hexToBytes(key)),
      sorted.map(([, value]) => rlpInteger(value)),
    ),
  )
}

describe('a trie in typed arrays', () => {
  it.each(HASH_FORMS)('has the root of all that is in it after every step, and links that agree: %s', (form) => {
    fc.assert(
      fc.property(steps, (steps) => {
        const trie = new RawTrie(form)
        const entries = new Map<string, bigint>()
        for (const step of steps) {
          for (const { key, value } of step) {
            trie.set(key, value)
            if (value === 0n) entries.delete(bytesToHex(key))
            else entries.set(bytesToHex(key), value)
          }
          expect(trie.hash().root).toBe(wholeRoot(entries))
          expect(checkLinks(trie.nodes, trie.root)).toBe(entries.size)
        }
      }),
      { seed: 30_001, numRuns: 300 },
    )
  })

  it('has the root that @ethereumjs/mpt has, entry by entry', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (steps) => {
        const trie = new RawTrie('in place')
        const oracle = await createMPT()
        for (const step of steps) {
          for (const { key, value } of step) {
            trie.set(key, value)
            if (value === 0n) await oracle.del(key)
            else await oracle.put(key, RLP.encode(value))
          }
          expect(trie.hash().root).toBe(checkLinks(trie.nodes, trie.root) === 0 ? undefined : bytesToHex(oracle.root()))
        }
      }),
      { seed: 30_002, numRuns: 60 },
    )
  })

  it('is built of many at once, few or many, on others or on none', () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: 0, max: 300 }), (steps, more) => {
        const trie = new RawTrie()
        const entries = new Map<string, bigint>()
        for (const [n, step] of steps.entries()) {
          // Many of them share bytes beyond the fourth, and not in the order in which they come.
          const filler = Array.from({ length: n === 0 ? more : 0 }, (_, m) => {
            const key = new Uint8Array(32).fill(0x22)
            key[5] = (77 * m) & 255
            key[6] = m >> 8
            return { key, value: BigInt(m + 1) }
          })
          const added = [...step, ...filler].filter(({ key, value }) => value !== 0n && !entries.has(bytesToHex(key)))
          trie.insertAll(added)
          for (const { key, value } of added) entries.set(bytesToHex(key), value)
          expect(trie.hash().root).toBe(wholeRoot(entries))
          expect(checkLinks(trie.nodes, trie.root)).toBe(entries.size)
          for (const { key } of added.slice(0, 3)) {
            trie.set(key, 0n)
            entries.delete(bytesToHex(key))
          }
          expect(trie.hash().root).toBe(wholeRoot(entries))
        }
      }),
      { seed: 30_003, numRuns: 60 },
    )
  })

  it.each(HASH_FORMS)('is hashed where it has more than a batch holds, of messages or of bytes: %s', (form) => {
    const trie = new RawTrie(form)
    // A level of 256 branches with 16 leaves each.
    const entries = Array.from({ length: 4096 }, (_, n) => {
      const key = new Uint8Array(32).fill(n * 7)
      key[0] = n >> 4
      key[1] = (n & 15) << 4
      return { key, value: BigInt(n + 1) }
    })
    trie.insertAll(entries)
    expect(trie.hash().root).toBe(wholeRoot(new Map(entries.map(({ key, value }) => [bytesToHex(key), value]))))
  })

  it('hashes what lies above a change and nothing else', () => {
    const trie = new RawTrie()
    const keys = Array.from({ length: 256 }, (_, n) => new Uint8Array(32).fill(n))
    for (const [n, key] of keys.entries()) trie.set(key, BigInt(n + 1))
    // A root, 16 branches, 256 leaves.
    expect(trie.hash().messages).toBe(273)
    expect(trie.hash().messages).toBe(0)
    trie.set(keys[7]!, 70_000n)
    expect(trie.hash().messages).toBe(3)
    trie.set(keys[7]!, 70_001n)
    trie.set(keys[8]!, 70_001n)
    trie.set(keys[0x18]!, 70_001n)
    expect(trie.hash().messages).toBe(6)
  })

  it('keeps a node of 31 bytes in its parent, and the hash of one of 32', () => {
    // Beside another leaf at nibble 9, 55 nibbles are left or 54: 28 bytes of path, their head and that of the node.
    const near = new Uint8Array(32)
    const other = new Uint8Array(32)
    near[4] = 0x10
    other[4] = 0x20
    for (const [value, messages] of [
      [1n, 2],
      [127n, 2],
      [128n, 4],
    ] as const) {
      const trie = new RawTrie()
      trie.set(near, value)
      trie.set(other, value)
      const { root, messages: made } = trie.hash()
      expect(root).toBe(wholeRoot(new Map([near, other].map((key) => [bytesToHex(key), value]))))
      expect([value, made]).toEqual([value, messages])
    }
    expect(rlpBytes(Uint8Array.of(1)).length).toBe(1)
  })

  it('takes the rows that were freed before it grows', () => {
    const trie = new RawTrie()
    const keys = Array.from({ length: 400 }, (_, n) => Uint8Array.from({ length: 32 }, (_, at) => (n * (at + 7)) & 255))
    for (const key of keys) trie.set(key, 5n)
    const { root } = trie.hash()
    const { sizeBytes } = trie.nodes
    for (let round = 0; round < 20; round++) {
      for (const key of keys) trie.set(key, 0n)
      expect(trie.hash().root).toBe(undefined)
      for (const key of keys.toReversed()) trie.set(key, 5n)
      expect(trie.hash().root).toBe(root)
    }
    expect(trie.nodes.sizeBytes).toBe(sizeBytes)
  })
})
