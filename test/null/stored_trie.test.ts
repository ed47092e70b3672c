import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { open } from 'lmdb'
import { afterAll, describe, expect, test } from 'vitest'
import { checkState } from '../../host/flows/chain/check_store.ts'
import { type AccountColumns, openChain, parseGenesis, type State, StoreError } from '../../host/index.ts'
import { addressFromHex } from '../../host/primitives/word.ts'
import type { Table } from '../../host/state/store/environment.ts'
import { Store } from '../../host/state/store/store.ts'
import { builtBlocks, builtGenesis } from '../fixtures/built_chain.ts'

const root = mkdtempSync(join(tmpdir(), 'wgevm-nodes-'))
afterAll(() => rmSync(root, { recursive: true }))
let folders = 0

/** Accounts enough for a trie of many pages. */
const genesisText = (): string => {
  const genesis = JSON.parse(builtGenesis()) as { alloc: Record<string, object> }
  for (let n = 0; n < 1000; n++)
    genesis.alloc[`0x${(0x99_0000 + n).toString(16).padStart(40, '0')}`] = { balance: '0x1' }
  return JSON.stringify(genesis)
}
const genesis = parseGenesis(genesisText())
const blocks = await builtBlocks(4, 7, 12, genesisText())

const openAt = (path: string, more: object = {}) =>
  openChain({ path, genesis, executor: { workers: 0 }, trieMemory: 2 ** 22, ...more })

/** A folder with a chain of three blocks, whose pages were altered. */
const altered = async (change: (nodes: Table) => void): Promise<string> => {
  const path = join(root, `${folders++}`)
  const chain = await openAt(path)
  for (const block of blocks.slice(0, 3)) await chain.import(block)
  await chain.close()
  const database = open<Uint8Array, Uint8Array>({ path, noSubdir: false, encoding: 'binary', keyEncoding: 'binary' })
  change(database.openDB({ name: 'nodes', encoding: 'binary', keyEncoding: 'binary' }))
  await database.close()
  return path
}

const keysOf = (nodes: Table): Uint8Array[] => [...nodes.getKeys({})].map((key) => Uint8Array.from(key))
const pagesOf = (nodes: Table): Uint8Array[] => keysOf(nodes).filter((key) => key.some((byte) => byte !== 0))
const flip = (nodes: Table, key: Uint8Array, at: number): void => {
  const bytes = Uint8Array.from(nodes.get(key)!)
  bytes[at % bytes.length]! ^= 1 << (at % 8)
  nodes.putSync(key, bytes)
}

/** Imports the next block, and what came of it. */
const goOn = async (path: string): Promise<string> => {
  let chain: Awaited<ReturnType<typeof openAt>> | undefined
  try {
    chain = await openAt(path)
    const { hash } = await chain.import(blocks[3]!)
    for (const [address, { storage }] of Object.entries(genesis.state.dump()))
      await chain.proof(hash, address, [1n, ...Object.keys(storage)])
    return 'whole'
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(StoreError)
    return (thrown as StoreError).message.replace(`${path}: the store is damaged: `, '')
  } finally {
    await chain?.close()
  }
}

describe('a trie on disk', () => {
  test('of which a page was altered or lost is refused in words, never another root, and made anew at the next opening', async () => {
    let count = 0
    await altered((nodes) => {
      count = pagesOf(nodes).length
    })
    expect(count).toBeGreaterThan(15)
    const rows: ((nodes: Table) => void)[] = [
      (nodes) => nodes.removeSync(pagesOf(nodes)[3]!),
      // A page of an earlier block, or of another place.
      (nodes) => nodes.putSync(pagesOf(nodes)[2]!, Uint8Array.from(nodes.get(pagesOf(nodes)[5]!)!)),
      ...Array.from(
        { length: 8 },
        (_, n) => (nodes: Table) => flip(nodes, pagesOf(nodes)[(5 * n) % count]!, 37 * n + n),
      ),
    ]
    const seen = { whole: 0, refused: 0 }
    for (const [n, row] of rows.entries()) {
      const path = await altered(row)
      const first = await goOn(path)
      if (first === 'whole') seen.whole++
      else {
        expect(first, `row ${n}`).toMatch(
          /^(a page|page \d+) of the trie .*; it is made anew by the next call, or where the chain is opened again$/,
        )
        seen.refused++
        expect(await goOn(path), `row ${n}`).toBe('whole')
      }
      const store = await Store.open(path, { create: false })
      checkState(store)
      await store.close()
    }
    // The page of the root is looked at where the chain is opened.
    expect(seen.refused).toBeGreaterThan(7)
  })

  test('of which a page is met damaged by a call is made anew by the next one, which says how far it is, with reads and calls beside it', async () => {
    const path = await altered((nodes) => {
      // That of the root is read where the chain is opened.
      const first = Buffer.from(nodes.get(new Uint8Array(4))!.subarray(4, 8))
      for (const key of pagesOf(nodes)) if (!first.equals(key)) flip(nodes, key, 40)
    })
    const told: (readonly [number, number])[] = []
    const read: string[] = []
    const onRepair = (made: number, all: number): void => {
      told.push([made, all])
      read.push(balanceIn(chain.stateAt(head.hash)!), balanceIn(chain.state), chain.head.hash)
    }
    const chain = await openAt(path, { onRepair })
    const { head } = chain
    const address = `0x${(0x99_0000).toString(16).padStart(40, '0')}`
    const limbs = new Uint32Array(5)
    addressFromHex(limbs, 0, address)
    const balanceIn = (state: State): string => `${(state.readAccounts(limbs, 1) as AccountColumns).balance.join()}`
    await expect(chain.proof(head.hash, address)).rejects.toMatchObject({ name: 'StoreError', fault: 'damaged' })
    expect(told).toEqual([])
    const [proved, imported, known, provedAfter] = await Promise.all([
      chain.proof(head.hash, address),
      chain.import(blocks[3]!),
      chain.addBlock(blocks[3]!),
      chain.proof(head.hash, address),
      chain.rewindTo(1n),
      chain.import(blocks[1]!),
    ])
    expect(told.at(-1)![0]).toBe(told.at(-1)![1])
    expect(proved.balance).toBe(1n)
    expect(provedAfter).toEqual(proved)
    expect([imported.header.number, known.status, chain.head.header.number]).toEqual([4n, 'valid', 2n])
    // Made anew once, with the state and the head as they were.
    const one = '1,0,0,0,0,0,0,0'
    expect(read).toEqual(told.flatMap(() => [one, one, head.hash]))
    expect(told.map(([made]) => made)).toEqual([...new Set(told.map(([made]) => made))])
    await chain.close()
    const store = await Store.open(path, { create: false })
    expect(checkState(store).accounts).toBeGreaterThan(1000)
    await store.close()
  })

  test('that is not there, is of another block or begins with another page is made anew', async () => {
    const rootKey = new Uint8Array(4)
    const path = join(root, `${folders++}`)
    const chain = await openAt(path)
    await chain.close()
    const database = open<Uint8Array, Uint8Array>({ path, noSubdir: false, encoding: 'binary', keyEncoding: 'binary' })
    const before = Uint8Array.from(
      database.openDB({ name: 'nodes', encoding: 'binary', keyEncoding: 'binary' }).get(rootKey)!,
    )
    await database.close()
    for (const change of [
      (nodes: Table) => nodes.dropSync(),
      (nodes: Table) => nodes.removeSync(rootKey),
      (nodes: Table) => nodes.putSync(rootKey, before),
      (nodes: Table) => nodes.putSync(rootKey, Uint8Array.of(1)),
      // The number of the page of the root.
      (nodes: Table) => flip(nodes, rootKey, 7),
    ])
      expect(await goOn(await altered((nodes) => void change(nodes)))).toBe('whole')
  })

  test('is not made anew of a state that is another', async () => {
    const path = await altered((nodes) => nodes.dropSync())
    const database = open<Uint8Array, Uint8Array>({ path, noSubdir: false, encoding: 'binary', keyEncoding: 'binary' })
    const accounts = database.openDB<Uint8Array, Uint8Array>({
      name: 'accounts',
      encoding: 'binary',
      keyEncoding: 'binary',
    })
    const [key] = [...accounts.getKeys({ limit: 1 })]
    accounts.putSync(key!, Uint8Array.of(0, 9))
    await database.close()
    expect(await goOn(path)).toMatch(/^the state has root 0x[0-9a-f]{64}, block 3 has 0x/)
  })

  test('differs from a state of which one account or slot is another, one too many or one too few, or a code', async () => {
    const rows: readonly (readonly ['accounts' | 'slots' | 'code', (table: Table, key: Uint8Array) => void, RegExp])[] =
      [
        ['accounts', (table, key) => table.putSync(key, Uint8Array.of(0, 9)), /in accounts is not what the trie has$/],
        ['slots', (table, key) => table.putSync(key, Uint8Array.of(9, 9)), /in slots is not what the trie has$/],
        ['slots', (table, key) => table.removeSync(key), /in slots is not what the trie has$/],
        [
          'slots',
          (table, key) =>
            table.putSync(
              key.map((byte, n) => (n < 51 ? byte : byte ^ 0x55)),
              key,
            ),
          /\d+ slots, its trie has \d+$/,
        ],
        [
          'accounts',
          (table) => table.putSync(new Uint8Array(20).fill(0xee), Uint8Array.of(0, 9)),
          /\d+ accounts, its trie has \d+$/,
        ],
        [
          'code',
          (table, key) => table.putSync(key, Uint8Array.of(0x5b)),
          /the code with hash 0x[0-9a-f]{64} has another$/,
        ],
      ]
    for (const [name, change, what] of rows) {
      const path = await altered(() => undefined)
      const database = open<Uint8Array, Uint8Array>({
        path,
        noSubdir: false,
        encoding: 'binary',
        keyEncoding: 'binary',
      })
      const table = database.openDB<Uint8Array, Uint8Array>({ name, encoding: 'binary', keyEncoding: 'binary' })
      change(table, Uint8Array.from([...table.getKeys({ limit: 1 })][0]!))
      await database.close()
      const store = await Store.open(path, { create: false })
      expect(() => checkState(store)).toThrow(what)
      await store.close()
    }
  })
})
