import { verifyMerkleProof } from '@ethereumjs/mpt'
import { RLP } from '@ethereumjs/rlp'
import { describe, expect, it } from 'vitest'
import { bytesToHex, hexToBytes } from '../../host/primitives/hex.ts'
import { EMPTY_CODE_HASH, EMPTY_TRIE_ROOT } from '../../host/primitives/keccak.ts'
import { MemoryState } from '../../host/state/memory_state.ts'
import type { AccountProof } from '../../host/state/trie/state_trie.ts'
import { createStateTrie } from '../../host/state/trie/trie.ts'
import { addressOf, randomChanges, randomState, writesOf } from '../fixtures/state_changes.ts'

/** The value that @ethereumjs/mpt finds in a proof, or null where that shows that there is none; throws where not. */
const valueIn = async (root: string, key: string, proof: readonly string[]): Promise<Uint8Array | null> => {
  if (root === EMPTY_TRIE_ROOT) {
    expect(proof).toEqual([])
    return null
  }
  return verifyMerkleProof(hexToBytes(key), proof.map(hexToBytes), { root: hexToBytes(root), useKeyHashing: true })
}

const checkProof = async (root: string, proof: AccountProof, state: MemoryState): Promise<void> => {
  const { address, storageHash, codeHash, nonce, balance } = proof
  const account = state.account(address)
  const found = await valueIn(root, address, proof.accountProof)
  if (account === undefined) {
    expect(found).toBe(null)
    expect([nonce, balance, codeHash, storageHash]).toEqual([0n, 0n, EMPTY_CODE_HASH, EMPTY_TRIE_ROOT])
  } else {
    expect({ nonce, balance, codeHash }).toEqual(account)
    expect(bytesToHex(found!)).toBe(
      bytesToHex(RLP.encode([nonce, balance, hexToBytes(storageHash), hexToBytes(codeHash)])),
    )
  }
  for (const { key, value, proof: nodes } of proof.storageProof) {
    expect(value).toBe(state.storage(address, BigInt(key)))
    const held = await valueIn(storageHash, key, nodes)
    expect(held === null ? 0n : BigInt(bytesToHex(RLP.decode(held) as Uint8Array))).toBe(value)
  }
}

describe('proofs of the state trie', () => {
  it('show accounts and slots, and that there are none, to @ethereumjs/mpt', async () => {
    const state = randomState(50_001, 70)
    const trie = createStateTrie(state.dump())
    const keys = Array.from({ length: 42 }, (_, n) => BigInt(n))
    for (let n = 0; n < 300; n += 3)
      await checkProof(trie.root, trie.proof(addressOf(n), keys.slice(n % 30, (n % 30) + 8)), state)
    expect(trie.root).toBe(createStateTrie(state.dump()).root)
  })

  it('are those of the root that the trie was rewound to', async () => {
    const state = randomState(50_002, 40)
    const trie = createStateTrie(state.dump())
    const { root } = trie
    const addresses = Object.keys(state.dump())
    await trie.apply(writesOf(randomChanges(state, 1)))
    trie.rewind(root)
    for (const address of addresses) await checkProof(root, trie.proof(address, [1n, '0x2', 39n]), state)
    const writes = writesOf(randomChanges(state, 2))
    state.commit(writes)
    const after = await trie.apply(writes)
    for (const address of addresses) await checkProof(after, trie.proof(address, [1n, 2n]), state)
  })

  it('of nothing have no nodes, and wrong input is refused', async () => {
    const trie = createStateTrie()
    await checkProof(trie.root, trie.proof(addressOf(1), [5n]), new MemoryState())
    expect(() => trie.proof('0x12')).toThrow('address must be')
    expect(() => trie.proof(addressOf(1), [-1n])).toThrow('keys[0] must be')
    trie.prepare(writesOf([]))
    expect(() => trie.proof(addressOf(1))).toThrow('still waiting')
  })

  it('end in the extension where a key parts from it, without the branch below', async () => {
    // Two accounts whose hashed addresses share their first nibble: extension, branch, leaf.
    const lengths: number[] = []
    for (let n = 2; n < 100; n++) {
      const state = MemoryState.from({ [addressOf(n)]: { balance: 1n }, [addressOf(n + 1)]: { balance: 2n } })
      const trie = createStateTrie(state.dump())
      const present = trie.proof(addressOf(n))
      if (present.accountProof.length !== 3) continue
      const absent = trie.proof(addressOf(1))
      for (const proof of [present, absent]) await checkProof(trie.root, proof, state)
      lengths.push(absent.accountProof.length)
    }
    // Two where the third account shares that nibble: it is missing in the branch.
    expect(new Set(lengths)).toEqual(new Set([1, 2]))
  })
})
