import { mkdirSync, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { checkBlocks, checkState } from '../../host/flows/chain/check_store.ts'
import { type Chain, openChain, parseGenesis } from '../../host/index.ts'
import { openEnvironment, type Tables } from '../../host/state/store/environment.ts'
import { mapBytesOf } from '../../host/state/store/map_size.ts'
import { Store } from '../../host/state/store/store.ts'
import { newWrites } from '../../host/state/writes/new_writes.ts'
import { builtBlocks, builtGenesis } from '../fixtures/built_chain.ts'

const root = mkdtempSync(join(tmpdir(), 'wgevm-map-'))
afterAll(() => rmSync(root, { recursive: true }))
const genesis = parseGenesis(builtGenesis())

const hashOf = (n: number): string => `0x${n.toString(16).padStart(64, '0')}`

/** Hashes, 32 bytes each, over all that keys may be. */
const scattered = (count: number, seed: number): Uint8Array => {
  const bytes = new Uint8Array(32 * count)
  const view = new DataView(bytes.buffer)
  for (let n = 0; n < count; n++) {
    view.setUint32(32 * n, Math.imul(n * 8 + seed, 0x9e3779b1))
    view.setUint32(32 * n + 28, n * 8 + seed)
  }
  return bytes
}

describe('the map of a data file', () => {
  test('is as large as it may ever get, and at most half of the address space that is left', () => {
    const folder = join(root, 'sized')
    mkdirSync(folder)
    expect(mapBytesOf(folder, undefined, Infinity)).toBe(2 ** 40)
    expect(mapBytesOf(folder, 2 ** 25, Infinity)).toBe(2 ** 25)
    expect(mapBytesOf(folder, undefined, 2 ** 30 + 5)).toBe(2 ** 29)
    writeFileSync(join(folder, 'data.mdb'), '')
    truncateSync(join(folder, 'data.mdb'), 2 ** 26)
    expect(mapBytesOf(folder, 2 ** 25, Infinity)).toBe(2 ** 26)
    expect(() => mapBytesOf(folder, undefined, 2 ** 26)).toThrow(
      expect.objectContaining({
        name: 'StoreError',
        fault: 'folder',
        folder,
        message: expect.stringMatching(/ulimit -v/),
      }),
    )
  })

  test('that has no room for a block refuses it, is read, and goes on with more', async () => {
    const path = join(root, 'data')
    const blocks = await builtBlocks(12, 9)
    const openAt = (more: object): Promise<Chain> => openChain({ path, genesis, executor: { workers: 0 }, ...more })
    await expect(openAt({ mapBytes: 2 ** 20 })).rejects.toMatchObject({
      fault: 'write',
      message: expect.stringMatching(/the genesis was not written: the map of/) as string,
    })
    await (await openAt({})).close()
    const file = join(path, 'data.mdb')
    // A megabyte is always asked for, and twice all pages; blocks take some of what is above that.
    const mapBytes = 2 ** 20 + 2 * 4096 * Math.ceil(statSync(file).size / 4096) + 4096 * 80
    let chain = await openAt({ mapBytes })
    /** How many blocks come in before one is refused. */
    const importAll = async (): Promise<number> => {
      for (const block of blocks) {
        const { header } = chain.head
        const thrown: unknown = await chain.import(block).then(
          () => undefined,
          (error: unknown) => error,
        )
        expect(statSync(file).size).toBeLessThanOrEqual(mapBytes)
        if (thrown === undefined) continue
        const message = expect.stringMatching(/data: block \d+ was not written: the map of \d+ bytes is full: \d+ are/)
        expect(thrown).toMatchObject({ name: 'StoreError', fault: 'write', folder: path, message })
        expect(chain.head.header).toEqual(header)
        expect(chain.state.blockHash(header.number)).toBe(chain.head.hash)
        break
      }
      return Number(chain.head.header.number)
    }
    const reached = await importAll()
    expect(reached).toBeGreaterThan(0)
    expect(reached).toBeLessThan(blocks.length)
    // Nothing was written, so nothing is broken: it is asked again.
    expect(await importAll()).toBe(reached)
    await chain.close()
    chain = await openAt({})
    expect(Number(chain.head.header.number)).toBe(reached)
    for (const block of blocks) await chain.import(block)
    await chain.close()
    const store = await Store.open(path, { create: false, mapBytes })
    checkState(store)
    checkBlocks(store)
    expect(store.head.number).toBe(BigInt(blocks.length))
    await store.close()
  })

  test('has room for all that a way back takes out: places of many transactions, few accounts', async () => {
    const path = join(root, 'back')
    await (await openChain({ path, genesis })).close()
    let store = await Store.open(path, { create: false })
    const { head } = store
    const stateRoot = head.stateRoot
    const hashes = Array.from({ length: 4 }, (_, n) => scattered(4096, n + 1))
    const blocks = hashes.map((transactionHashes, n) => ({
      block: {
        number: BigInt(n + 1),
        hash: hashOf(n + 1),
        stateRoot,
        parentHash: n === 0 ? head.hash : hashOf(n),
        totalDifficulty: 0n,
        header: Uint8Array.of(1),
        body: Uint8Array.of(1),
        receipts: Uint8Array.of(1),
        transactionHashes,
      },
      writes: [newWrites(0, 0)],
    }))
    store.move({ blocks, oldestUndo: 0n })
    await store.close()
    const file = join(path, 'data.mdb')
    const size = statSync(file).size
    const back = {
      to: head,
      undone: new Map<string, never>(),
      transactionHashes: hashes.map((of, n) => ({ number: BigInt(n + 1), hashes: of })).toReversed(),
    }
    store = await Store.open(path, { create: false, mapBytes: size + 2 ** 20 + 2 ** 16 })
    expect(() => store.move({ back, blocks: [], oldestUndo: 0n })).toThrow(
      /the rewind to block 0 was not written: the map of \d+ bytes is full/,
    )
    expect(statSync(file).size).toBe(size)
    expect(store.head.number).toBe(4n)
    await store.close()
    store = await Store.open(path, { create: false })
    store.move({ back, blocks: [], oldestUndo: 0n })
    expect(store.head).toEqual(head)
    expect(store.counts().places).toBe(0)
    await store.close()
  })

  test('has room for pages that are made anew, places and a schema, or the folder is not opened', async () => {
    const path = join(root, 'made')
    const chain = await openChain({ path, genesis, executor: { workers: 0 } })
    for (const block of await builtBlocks(2, 9)) await chain.import(block)
    const { hash } = chain.head
    await chain.close()
    const file = join(path, 'data.mdb')
    const change = async (work: (tables: Tables) => void): Promise<void> => {
      const environment = await openEnvironment(path, { create: false })
      environment.root.transactionSync(() => work(environment.tables))
      await environment.close()
    }
    const openWith = (mapBytes: number): Promise<Chain> => openChain({ path, mapBytes, executor: { workers: 0 } })
    const refuses = async (what: string): Promise<void> => {
      const size = statSync(file).size
      const message = expect.stringMatching(new RegExp(`: ${what} was not written: the map of \\d+ bytes is full`))
      await expect(openWith(Math.max(2 ** 20, size))).rejects.toMatchObject({
        name: 'StoreError',
        fault: 'write',
        message,
      })
      expect(statSync(file).size).toBe(size)
    }
    const schema = new TextEncoder().encode('schema')
    const text = (value: string): Uint8Array => new TextEncoder().encode(value)
    await change(({ nodes }) => nodes.removeSync(Buffer.alloc(4)))
    await refuses('the trie of the state')
    await (await openWith(2 ** 28)).close()
    await change(({ meta, places }) => {
      places.clearSync()
      meta.putSync(schema, text('1'))
    })
    await refuses('places of blocks 0 to 2')
    await change(({ meta }) => meta.putSync(schema, text('2')))
    await refuses('the schema')
    await change(({ meta }) => meta.putSync(schema, text('1')))
    const again = await openWith(2 ** 28)
    expect(again.head.hash).toBe(hash)
    await again.close()
  })

  test('takes a whole number of bytes', async () => {
    for (const mapBytes of [0, 1.5, 2 ** 45, '1'])
      await expect(openChain({ path: join(root, 'none'), genesis, mapBytes: mapBytes as number })).rejects.toThrow(
        /^mapBytes must be an integer from 1048576 to 17592186044416, got /,
      )
  })
})
