import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { createRandom } from '../../bench/random.ts'
import { createAddresses } from '../../bench/workloads/genesis.ts'
import { EMPTY_CODE_HASH } from '../../host/primitives/keccak.ts'
import { wordFromHex } from '../../host/primitives/word.ts'
import type { StateWrites } from '../../host/state/state.ts'
import { type Environment, openEnvironment } from '../../host/state/store/environment.ts'
import { makeNodes } from '../../host/state/store/make_nodes.ts'
import { Nodes } from '../../host/state/store/nodes.ts'
import { UndoRecord } from '../../host/state/store/undo_record.ts'
import { WriteParts } from '../../host/state/store/write_parts.ts'
import { writeState } from '../../host/state/store/write_state.ts'
import { createStateTrie } from '../../host/state/trie/trie.ts'
import { newWrites } from '../../host/state/writes/new_writes.ts'

const below = mkdtempSync(join(tmpdir(), 'wgevm-nodes-'))
afterAll(() => rmSync(below, { recursive: true, force: true }))

const ACCOUNTS = 6000
const SLOTS = 9000

/** Slots lie under the first accounts, several under each. */
const stateOf = (): StateWrites => {
  const writes = newWrites(ACCOUNTS, SLOTS)
  writes.accountAddresses.set(createAddresses(ACCOUNTS, createRandom(1, 'nodes')))
  for (let n = 0; n < ACCOUNTS; n++) {
    writes.accounts.nonce[2 * n] = n
    writes.accounts.balance[8 * n + (n % 8)] = 1 + n
    wordFromHex(writes.accounts.codeHash, 8 * n, EMPTY_CODE_HASH)
  }
  for (let n = 0; n < SLOTS; n++) {
    const owner = n % 700
    writes.slotAddresses.set(writes.accountAddresses.subarray(5 * owner, 5 * owner + 5), 5 * n)
    writes.slotKeys[8 * n] = n
    writes.slotValues[8 * n + (n % 8)] = 1 + n
  }
  return writes
}

const filled = async (name: string, writes: StateWrites): Promise<Environment> => {
  const environment = await openEnvironment(join(below, name), { create: true })
  const { root, tables } = environment
  root.transactionSync(() => writeState(tables, writes, new UndoRecord(), new WriteParts(root)))
  return environment
}

describe('pages that are made of accounts and slots', () => {
  test.each([
    ['at once', 2 ** 30],
    ['in parts', 1],
  ])('%s have the root of the state, say how far they are, and leave the thread to others', async (name, bytes) => {
    const writes = stateOf()
    const environment = await filled(name, writes)
    const told: number[] = []
    let turns = 0
    let isMaking = true
    const count = (): void => {
      turns++
      if (isMaking) setImmediate(count)
    }
    setImmediate(count)
    const { hash } = await makeNodes(environment, new Nodes(environment), bytes, (made, all) => {
      expect(all).toBe(ACCOUNTS + SLOTS)
      told.push(made)
    })
    isMaking = false
    expect(hash).toBe(await createStateTrie().apply(writes))
    expect(told).toEqual(told.toSorted((a, b) => a - b))
    expect(told.at(-1)).toBe(ACCOUNTS + SLOTS)
    // A turn for each piece that is read, and for each that goes to the trie.
    expect(turns).toBeGreaterThan(1 + told.length)
    await environment.close()
  })
})

describe('a page that was found damaged', () => {
  test('is noted where there is room for that, so that no trie is read there; else it is said that nothing was', async () => {
    const path = join(below, 'noted')
    const environment = await filled('noted', stateOf())
    await makeNodes(environment, new Nodes(environment), 2 ** 30)
    await environment.close()
    // A megabyte beside what is taken is always asked for.
    const full = await openEnvironment(path, { create: false, mapBytes: 2 ** 20 })
    const nodes = new Nodes(full)
    expect(nodes.damaged('page 3').message).toMatch(/the store is damaged: page 3; and nothing can be written$/)
    expect(nodes.root).toBeDefined()
    await full.close()
    const roomy = await openEnvironment(path, { create: false })
    const again = new Nodes(roomy)
    expect(again.damaged('page 3').message).toMatch(/page 3; it is made anew by the next call, or where the chain is/)
    expect(again.root).toBeUndefined()
    await roomy.close()
  })
})
