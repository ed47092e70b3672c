import { expect, test } from 'vitest'
import { RootJobs } from '../../host/flows/root_jobs.ts'
import type { NodeHasher } from '../../host/primitives/hash_plan.ts'
import { EMPTY_CODE_HASH, EMPTY_TRIE_ROOT } from '../../host/primitives/keccak.ts'
import { SERIAL_HASHER } from '../../host/primitives/keccak_many.ts'
import type { StateTrie } from '../../host/state/trie/state_trie.ts'
import { createStateTrie } from '../../host/state/trie/trie.ts'
import { writesOf } from '../fixtures/state_changes.ts'

const WRITES = writesOf([
  { address: `0x${'a1'.repeat(20)}`, account: { nonce: 1n, balance: 2n, codeHash: EMPTY_CODE_HASH } },
])

test('settled waits for every job, and keeps a job that nobody awaits from being an unhandled rejection', async () => {
  const jobs = new RootJobs(SERIAL_HASHER)
  let finish: (root: string) => void = () => {}
  const slow = jobs.start(
    () =>
      new Promise<string>((resolve) => {
        finish = resolve
      }),
  )
  const failed = jobs.start(async () => {
    throw new Error('no root')
  })
  let isSettled = false
  const settled = jobs.settled().then(() => {
    isSettled = true
  })
  await new Promise((resolve) => setImmediate(resolve))
  expect(isSettled).toBe(false)
  finish('0x01')
  await settled
  expect(await slow).toBe('0x01')
  await expect(failed).rejects.toThrow('no root')
})

test('the root of a state is hashed by the hasher of the block', async () => {
  const asked: string[] = []
  const hasher: NodeHasher = {
    ...SERIAL_HASHER,
    hash: (plan) => {
      asked.push(`${plan.count} messages`)
      return SERIAL_HASHER.hash(plan)
    },
  }
  const trie = createStateTrie()
  expect(await new RootJobs(hasher).startState(trie, WRITES)).toBe(await createStateTrie().apply(WRITES))
  expect(asked).toEqual(['1 messages'])
})

test('a trie that prepares nothing hashes by itself', async () => {
  const inner = createStateTrie()
  const trie: StateTrie = {
    get root() {
      return inner.root
    },
    apply: (writes) => inner.apply(writes),
    rewind: (root) => inner.rewind(root),
  }
  const root = await new RootJobs(SERIAL_HASHER).startState(trie, WRITES)
  expect([root, trie.root]).toEqual([inner.root, inner.root])
  expect(root).not.toBe(EMPTY_TRIE_ROOT)
})

test('a hasher that fails leaves the trie where it was', async () => {
  const trie = createStateTrie()
  const hasher: NodeHasher = { ...SERIAL_HASHER, hash: async () => Promise.reject(new Error('the device is gone')) }
  await expect(new RootJobs(hasher).startState(trie, WRITES)).rejects.toThrow('the device is gone')
  expect(trie.root).toBe(EMPTY_TRIE_ROOT)
  expect(await new RootJobs(SERIAL_HASHER).startState(trie, WRITES)).toBe(trie.root)
})
