import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { checkBlocks, checkState } from '../../host/flows/chain/check_store.ts'
import { type Chain, openChain, parseGenesis, StoreError } from '../../host/index.ts'
import { Store } from '../../host/state/store/store.ts'
import { builtTree } from '../fixtures/block_tree.ts'
import { builtBlocks, builtGenesis } from '../fixtures/built_chain.ts'

const root = mkdtempSync(join(tmpdir(), 'wgevm-disk-'))
const disk = join(root, 'disk')
mkdirSync(disk)
const isMounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', disk]).status === 0
afterAll(() => {
  if (isMounted) expect(spawnSync('umount', [disk]).status).toBe(0)
  rmSync(root, { recursive: true })
})

const path = join(disk, 'data')
const filler = join(disk, 'filler')
const openAt = (folder = path): Promise<Chain> =>
  openChain({ path: folder, genesis: parseGenesis(builtGenesis()), executor: { workers: 0 } })

const bytesLeft = (): number => {
  const { bavail, bsize } = statfsSync(disk)
  return bavail * bsize
}

const fill = (leave: number): void => writeFileSync(filler, new Uint8Array(bytesLeft() - leave))

const faultOf = async (work: () => Promise<unknown>, folder = path): Promise<string> => {
  try {
    await work()
    return 'none'
  } catch (thrown) {
    if (!(thrown instanceof StoreError)) throw thrown
    expect(thrown.folder).toBe(folder)
    return `${thrown.fault}: ${thrown.message.slice(folder.length + 2)}`
  }
}

describe.skipIf(!isMounted)('a small disk (skipped where none can be mounted)', () => {
  test('that is full is told, new or not, when a chain is opened and when a block comes; with room all goes on', async () => {
    const blocks = await builtBlocks(6, 9)
    const full = /^write: its disk has \d+ bytes left, opening takes up to 1048576$/
    const opening = async (): Promise<void> => (await openAt()).close()
    for (const leave of [0, 4096, 40_960]) {
      fill(leave)
      expect(await faultOf(opening)).toMatch(full)
      rmSync(filler)
    }
    const chain = await openAt()
    await chain.import(blocks[0]!)
    fill(0)
    const importing = async (): Promise<void> => {
      for (const block of blocks) await chain.import(block)
    }
    const first = await faultOf(importing)
    expect(first).toMatch(/^write: block \d was not written: .* \(its disk has \d+ bytes left\)$/)
    // Nothing is written on what a failed commit has left.
    expect(await faultOf(importing)).toBe(first)
    const { hash, header } = chain.head
    expect(chain.state.blockHash(header.number)).toBe(hash)
    await chain.close()
    expect(await faultOf(opening)).toMatch(full)
    rmSync(filler)
    const again = await openAt()
    expect(again.head.hash).toBe(hash)
    for (const block of blocks) await again.import(block)
    expect(again.head.header.number).toBe(6n)
    await again.close()
  })

  test('that fills up under a block whose rows are written in parts has the block before, whole', async () => {
    const wide = join(disk, 'wide')
    const [first, second] = await builtTree([-1, 0], 12, 9, builtGenesis(), 2500)
    const chain = await openAt(wide)
    await chain.import(first!.rlp)
    await chain.close()
    for (const leave of [0, 65_536, 262_144]) {
      const filling = await openAt(wide)
      fill(leave)
      const importing = () => filling.import(second!.rlp)
      const fault = await faultOf(importing, wide)
      expect(fault).toMatch(/^write: block 2 was not written: .* \(its disk has \d+ bytes left\)$/)
      expect(await faultOf(importing, wide)).toBe(fault)
      await filling.close()
      rmSync(filler)
      const store = await Store.open(wide, { create: false })
      expect(store.head.hash).toBe(first!.hash)
      expect(store.counts().undo).toBe(1)
      checkBlocks(store)
      expect(checkState(store).accounts).toBeGreaterThan(2500)
      await store.close()
    }
    const again = await openAt(wide)
    await again.import(second!.rlp)
    expect(again.head.hash).toBe(second!.hash)
    await again.close()
    rmSync(wide, { recursive: true })
  })

  test('that is mounted for reading is refused', async () => {
    expect(spawnSync('mount', ['-o', 'remount,ro', disk]).status).toBe(0)
    expect(await faultOf(openAt)).toMatch(/^folder: cannot be written: .*(EROFS|read-only)/)
    expect(spawnSync('mount', ['-o', 'remount,rw', disk]).status).toBe(0)
    expect(await faultOf(async () => (await openAt()).close())).toBe('none')
  })
})
