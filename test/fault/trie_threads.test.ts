import { spawnSync } from 'node:child_process'
import { afterEach, describe, expect, it } from 'vitest'
import { EMPTY_CODE_HASH } from '../../host/primitives/keccak.ts'
import { SERIAL_HASHER } from '../../host/primitives/keccak_many.ts'
import type { ListedHasher, NodeThreads } from '../../host/state/trie/listed_nodes.ts'
import { createStateTrie } from '../../host/state/trie/trie.ts'
import { TrieThreads } from '../../host/state/trie/trie_threads.ts'
import { addressOf, type Change, writesOf } from '../fixtures/state_changes.ts'

const workerAt = (name: string): URL => new URL(`../fixtures/workers/${name}`, import.meta.url)

/** Changes thousands of accounts, each with slots of its own, and many slots of one: stretches of every kind. */
const changesOf = (round: number): Change[] =>
  Array.from({ length: 1500 }, (_, n) => ({
    address: addressOf(1 + n),
    account: { nonce: 1n, balance: BigInt(n * round), codeHash: EMPTY_CODE_HASH },
    slots: Object.fromEntries(
      Array.from({ length: n === 0 ? 1500 : n % 3 }, (_, slot) => [slot, BigInt((n + slot) % (2 + round))]),
    ),
  }))
const ROUNDS = [1, 2, 3, 4].map((round) => writesOf(changesOf(round)))

const hasherOn = (threads: NodeThreads): ListedHasher => ({
  ...SERIAL_HASHER,
  hashListed: async (nodes) => nodes.inPlace(threads),
})

/** A trie by these threads, and one by plans, to compare. */
const pairOn = (threads: NodeThreads) => {
  const tries = [hasherOn(threads), SERIAL_HASHER].map((hasher) => createStateTrie({}, { hasher }))
  return async (round: number): Promise<void> => {
    const writes = ROUNDS[round % ROUNDS.length]!
    const [root, expected] = [await tries[0]!.apply(writes), await tries[1]!.apply(writes)]
    expect(root).toBe(expected)
  }
}

describe('threads that hash nodes where they lie', () => {
  let threads: TrieThreads | undefined
  afterEach(() => threads?.close())

  it('give the roots that plans give, whether they take part or not', async () => {
    threads = new TrieThreads({ workers: 3, patienceMs: 60_000 })
    const apply = pairOn(threads)
    // The workers come up in the middle of this, and arrays grow under them.
    for (let n = 0; n < 16; n++) await apply(n)
    // Other arrays than they know.
    const other = pairOn(threads)
    for (let n = 0; n < 4; n++) {
      await other(n)
      await apply(n + 1)
    }
    expect(threads.faults).toEqual([])
  })

  it('are not needed', async () => {
    threads = new TrieThreads({ workers: 0 })
    expect(threads.threads).toBe(1)
    const apply = pairOn(threads)
    await apply(0)
    threads.close()
    await apply(1)
  })

  it('cost patience and no root where they hang with what they claimed', async () => {
    threads = new TrieThreads({ workers: 1, entry: workerAt('trie_claims.mjs'), patienceMs: 50 })
    const apply = pairOn(threads)
    for (let n = 0; n < 500 && threads.faults.length === 0; n++) {
      await apply(n)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(threads.faults).toEqual(['worker that hashes nodes: no sign of life in 50 ms'])
    await apply(1)
  })

  it('leave the trie nothing that a lost one still writes to', async () => {
    let lost: Uint32Array[] = []
    const apply = pairOn({
      hash: ({ accountNodes, slotNodes }) => {
        for (const { hashes } of [accountNodes, slotNodes]) lost.push(hashes)
        return false
      },
    })
    for (let n = 0; n < 3; n++) {
      await apply(n)
      for (const hashes of lost) hashes.fill(0xbad)
      lost = []
    }
  })

  it('are given up after a number of them that cannot be loaded', async () => {
    threads = new TrieThreads({ workers: 1, entry: workerAt('no_such_module.mjs') })
    const apply = pairOn(threads)
    while (threads.faults.length < 9) {
      threads.start()
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(threads.faults[0]).toContain('no_such_module.mjs')
    for (let n = 0; n < 3; n++) await apply(n)
    expect(threads.faults.length).toBe(9)
  })

  it('do not keep the process alive', () => {
    const url = new URL('../../host/state/trie/trie_threads.ts', import.meta.url)
    const program = `import('${url}').then(({ TrieThreads }) => new TrieThreads({ workers: 1 }).start())`
    const { status, signal } = spawnSync(process.execPath, ['--import', 'tsx', '-e', program], { timeout: 60_000 })
    expect([status, signal]).toEqual([0, null])
  })
})
