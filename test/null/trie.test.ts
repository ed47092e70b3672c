import { createMPT } from '@ethereumjs/mpt'
import { RLP } from '@ethereumjs/rlp'
import { Account } from '@ethereumjs/util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bytesToHex, hexToBytes } from '../../host/primitives/hex.ts'
import { EMPTY_TRIE_ROOT } from '../../host/primitives/keccak.ts'
import type { MemoryState } from '../../host/state/memory_state.ts'
import { NodeTrie, nameOf } from '../../host/state/trie/node_trie.ts'
import { sortedTrieRoot } from '../../host/state/trie/sorted_trie.ts'
import { createStateTrie, stateRootOf } from '../../host/state/trie/trie.ts'
import { randomChanges, randomState, writesOf } from '../fixtures/state_changes.ts'

/** The state root by @ethereumjs/mpt alone, one insertion at a time. */
const rootByMpt = async (state: MemoryState): Promise<string> => {
  const trie = await createMPT({ useKeyHashing: true })
  for (const [address, { nonce, balance, codeHash, storage }] of Object.entries(state.dump())) {
    const slots = await createMPT({ useKeyHashing: true })
    for (const [key, value] of Object.entries(storage)) await slots.put(hexToBytes(key), RLP.encode(BigInt(value)))
    await trie.put(hexToBytes(address), new Account(nonce, balance, slots.root(), hexToBytes(codeHash)).serialize())
  }
  return bytesToHex(trie.root())
}

describe('tries of nodes', () => {
  // Few nibbles and short values: shared beginnings, and nodes that stand in their parents.
  const key = fc.uint8Array({ minLength: 3, maxLength: 3 }).map((bytes) => bytes.map((byte) => byte & 0x11))
  const value = fc.oneof(fc.constant(new Uint8Array(0)), fc.uint8Array({ minLength: 1, maxLength: 40 }))
  const changes = fc.uniqueArray(fc.record({ key, value }), { selector: ({ key }) => bytesToHex(key), maxLength: 30 })

  it('have the root of all that is in them, whatever was changed and taken away, and give it back', () => {
    fc.assert(
      fc.property(fc.array(changes, { minLength: 1, maxLength: 8 }), (steps) => {
        const trie = new NodeTrie(new Map())
        const entries = new Map<string, Uint8Array>()
        let root = hexToBytes(EMPTY_TRIE_ROOT)
        for (const step of steps) {
          const before = root
          root = trie.update(root, step)
          expect(trie.update(before, step)).toEqual(root)
          for (const { key, value } of step) {
            if (value.length === 0) entries.delete(bytesToHex(key))
            else entries.set(bytesToHex(key), value)
          }
          const sorted = [...entries].sort(([a], [b]) => (a < b ? -1 : 1))
          const whole = sortedTrieRoot(
            sorted.map(([key]) => hexToBytes(key)),
            sorted.map(([, value]) => value),
          )
          expect(bytesToHex(root)).toBe(bytesToHex(whole))
          for (const { key } of step) expect(trie.get(root, key)).toEqual(entries.get(bytesToHex(key)))
        }
      }),
      { seed: 20_001, numRuns: 150 },
    )
  })

  it('load what an update reads, and no node that it does not', async () => {
    await fc.assert(
      fc.asyncProperty(changes, changes, async (first, second) => {
        const whole = new Map<string, Uint8Array>()
        const before = new NodeTrie(whole).update(hexToBytes(EMPTY_TRIE_ROOT), first)
        const part = new Map<string, Uint8Array>()
        const asked: string[] = []
        await new NodeTrie(part).load(before, second, async (hash) => {
          asked.push(bytesToHex(hash))
          return whole.get(nameOf(hash))!
        })
        const loaded = new Set(part.keys())
        const used = new Set<string>()
        const made = new Map<string, Uint8Array>()
        const store = {
          get: (name: string) => {
            if (!made.has(name)) used.add(name)
            return made.get(name) ?? part.get(name)
          },
          set: (name: string, node: Uint8Array) => made.set(name, node),
        }
        expect(new NodeTrie(store).update(before, second)).toEqual(new NodeTrie(whole).update(before, second))
        expect(new Set(asked).size).toBe(asked.length)
        // What stands beside a value that is taken away may be loaded in vain.
        if (second.every(({ value }) => value.length > 0)) expect(used).toEqual(loaded)
      }),
      { seed: 20_002, numRuns: 400 },
    )
  })

  it('say so where a node is missing', () => {
    const root = new Uint8Array(32).fill(7)
    expect(() => new NodeTrie(new Map()).get(root, new Uint8Array(3))).toThrow(`no node ${'07'.repeat(32)}`)
  })
})

describe('the state trie', () => {
  it('has the root that @ethereumjs/mpt gives one entry at a time', async () => {
    for (const count of [0, 1, 2, 60]) {
      const state = randomState(count, count)
      expect(stateRootOf(state.dump())).toBe(await rootByMpt(state))
      expect(createStateTrie(state.dump()).root).toBe(stateRootOf(state.dump()))
      expect(createStateTrie(state).root).toBe(stateRootOf(state.dump()))
    }
    expect(stateRootOf({})).toBe(EMPTY_TRIE_ROOT)
  })

  it('follows commits: accounts changed, made, deleted and made anew, slots set and cleared', async () => {
    const state = randomState(7, 60)
    const trie = createStateTrie(state.dump())
    for (let step = 0; step < 12; step++) {
      const writes = writesOf(randomChanges(state, 1000 + step))
      state.commit(writes)
      expect(await trie.apply(writes), `step ${step}`).toBe(stateRootOf(state.dump()))
    }
  })

  it('takes slots of an account whose own fields stay', async () => {
    const state = randomState(8, 5)
    const trie = createStateTrie(state.dump())
    const [address, account] = Object.entries(state.dump())[0]!
    const whole = writesOf([{ address, account, slots: { 99: 5n } }])
    const writes = { ...whole, accountCount: 0 }
    state.commit(writes)
    expect(await trie.apply(writes)).toBe(stateRootOf(state.dump()))
  })

  it('goes back to a root that it was at, and on from there', async () => {
    const state = randomState(9, 40)
    const trie = createStateTrie(state.dump())
    const before = trie.root
    await trie.apply(writesOf(randomChanges(state, 1)))
    expect(trie.root).not.toBe(before)
    trie.rewind(before)
    expect(trie.root).toBe(before)
    const writes = writesOf(randomChanges(state, 2))
    state.commit(writes)
    expect(await trie.apply(writes)).toBe(stateRootOf(state.dump()))
  })
})
