import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Chain, openChain, parseGenesis } from '../../host/index.ts'
import { builtTree, type TreeBlock } from '../fixtures/block_tree.ts'
import { attributesAfter, builtGenesis } from '../fixtures/built_chain.ts'

const folder = mkdtempSync(join(tmpdir(), 'wgevm-block-memory-'))
afterAll(() => rmSync(folder, { recursive: true }))
let folders = 0
const openAt = (blockMemory?: number): Promise<Chain> =>
  openChain({
    path: join(folder, `${folders++}`),
    genesis: parseGenesis(builtGenesis()),
    executor: { workers: 0 },
    ...(blockMemory === undefined ? {} : { blockMemory }),
  })

const LINE = 6
const BRANCHES = 40

describe('blocks that are not on disk', () => {
  let line: readonly TreeBlock[]
  /** Blocks on the genesis. */
  let branches: readonly TreeBlock[]
  /** Beside the last block of the line. */
  let fork: TreeBlock
  /** What the line takes. */
  let lineBytes: number

  beforeAll(async () => {
    const parents = [
      ...Array.from({ length: LINE }, (_, n) => n - 1),
      ...Array.from({ length: BRANCHES }, () => -1),
      LINE - 2,
    ]
    const tree = await builtTree(parents, 70, 3)
    line = tree.slice(0, LINE)
    branches = tree.slice(LINE, -1)
    fork = tree.at(-1)!
    const chain = await openAt()
    for (const { rlp } of line) await chain.addBlock(rlp)
    lineBytes = chain.memory.bytes
    expect(lineBytes).toBeGreaterThan(line.reduce((sum, { rlp }) => sum + rlp.length, 0))
    expect(chain.memory).toMatchObject({ blocks: LINE, forgotten: 0 })
    await chain.setHead({ head: line.at(-1)!.hash })
    expect(chain.memory).toMatchObject({ bytes: 0, blocks: 0 })
    await chain.close()
  })

  test('stay within their budget however many branches come, and the last one can always become the head', async () => {
    const chain = await openAt(2 * lineBytes)
    for (const { rlp } of line) await chain.addBlock(rlp)
    for (const { rlp, hash } of branches) {
      expect(await chain.addBlock(rlp)).toMatchObject({ status: 'valid' })
      expect(chain.memory.bytes).toBeLessThanOrEqual(2 * lineBytes)
      expect(chain.block(hash)).toBeDefined()
    }
    const { blocks, forgotten } = chain.memory
    expect(blocks + forgotten).toBe(LINE + BRANCHES)
    expect(forgotten).toBeGreaterThan(BRANCHES / 2)
    await chain.setHead({ head: branches.at(-1)!.hash })
    await chain.close()
  })

  test('that were dropped are named, and come in again', async () => {
    const chain = await openAt(lineBytes)
    for (const { rlp } of [...line, ...branches]) await chain.addBlock(rlp)
    const { hash, rlp } = line.at(-1)!
    await expect(chain.setHead({ head: hash })).rejects.toMatchObject({ name: 'ForkChoiceError', fault: 'forgotten' })
    const gone = {
      name: 'StoreError',
      fault: 'depth',
      message: expect.stringMatching(/was dropped: .* budget/) as string,
    }
    await expect(chain.proof(hash, `0x${'00'.repeat(20)}`)).rejects.toMatchObject(gone)
    const attributes = attributesAfter(line.at(-1)!.header, 99)
    await expect(chain.build({ parent: hash, attributes, pool: [] })).rejects.toMatchObject(gone)
    expect(await chain.addBlock(rlp)).toMatchObject({ status: 'unknownParent' })
    for (const block of line) expect(await chain.addBlock(block.rlp)).toMatchObject({ status: 'valid' })
    expect((await chain.setHead({ head: hash })).applied).toHaveLength(LINE)
    await chain.close()
  })

  test('go branch by branch, the one that was used longest ago first', async () => {
    const chain = await openAt(2 * lineBytes)
    for (const { rlp } of [...line, fork]) await chain.addBlock(rlp)
    for (const { rlp } of branches) {
      await chain.addBlock(rlp)
      // It is known: it is used, and not executed.
      expect(await chain.addBlock(line.at(-1)!.rlp)).toMatchObject({ status: 'valid', result: undefined })
    }
    expect(chain.memory.forgotten).toBeGreaterThan(BRANCHES / 2)
    expect(chain.block(fork.hash)).toBeUndefined()
    expect(line.every(({ hash }) => chain.block(hash) !== undefined)).toBe(true)
    await chain.close()
  })

  test('stay where the next one stands on them: where they take the budget alone, that is refused', async () => {
    const chain = await openAt(1)
    const [first, second] = line as [TreeBlock, TreeBlock]
    expect(await chain.addBlock(first.rlp)).toMatchObject({ status: 'valid' })
    const full = {
      name: 'StoreError',
      fault: 'memory',
      message: expect.stringMatching(/: no block is added on block 1: /),
    }
    await expect(chain.addBlock(second.rlp)).rejects.toMatchObject(full)
    const attributes = attributesAfter(first.header, 99)
    await expect(chain.build({ parent: first.hash, attributes, pool: [] })).rejects.toMatchObject(full)
    await chain.setHead({ head: first.hash })
    expect(await chain.addBlock(second.rlp)).toMatchObject({ status: 'valid' })
    await chain.close()
  })

  test('that leave the chain keep within it as well', async () => {
    const chain = await openAt(Math.floor(lineBytes / 2))
    for (const { rlp, hash } of line) {
      await chain.addBlock(rlp)
      await chain.setHead({ head: hash })
    }
    await chain.addBlock(branches[0]!.rlp)
    expect((await chain.setHead({ head: branches[0]!.hash })).undone).toHaveLength(LINE)
    expect(chain.memory.bytes).toBeLessThanOrEqual(lineBytes / 2)
    expect(chain.memory.blocks).toBeGreaterThan(0)
    await expect(chain.setHead({ head: line.at(-1)!.hash })).rejects.toMatchObject({ fault: 'forgotten' })
    await chain.close()
  })
})
