import { mkdirSync, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { checkBlocks, checkState } from '../../host/flows/chain/check_store.ts'
import { type Chain, openChain, parseGenesis } from '../../host/index.ts'
import { mapBytesOf } from '../../host/state/store/map_size.ts'
import { Store } from '../../host/state/store/store.ts'
import { builtBlocks, builtGenesis } from '../fixtures/built_chain.ts'

const root = mkdtempSync(join(tmpdir(), 'wgevm-map-'))
afterAll(() => rmSync(root, { recursive: true }))
const genesis = parseGenesis(builtGenesis())

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

  test('takes a whole number of bytes', async () => {
    for (const mapBytes of [0, 1.5, 2 ** 45, '1'])
      await expect(openChain({ path: join(root, 'none'), genesis, mapBytes: mapBytes as number })).rejects.toThrow(
        /^mapBytes must be an integer from 1048576 to 17592186044416, got /,
      )
  })
})
