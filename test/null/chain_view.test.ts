import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseGenesis } from '../../host/flows/chain/genesis.ts'
import { type Chain, type ChainView, decodeBlock, headerHash, openChain, openChainView } from '../../host/index.ts'
import { PROPOSER } from '../fixtures/block_world.ts'
import { builtBlocks, builtGenesis } from '../fixtures/built_chain.ts'

const path = mkdtempSync(join(tmpdir(), 'wgevm-view-'))
let chain: Chain
let view: ChainView
let blocks: readonly Uint8Array[]
const asked: string[] = []
const hashOf = (n: number): string => headerHash(decodeBlock(blocks[n]!).header)
const address = Uint32Array.from({ length: 5 }, (_, i) =>
  Number.parseInt(PROPOSER.slice(2).slice(32 - 8 * i, 40 - 8 * i), 16),
)
/** What block builders have earned by then. */
const earned = async (at: string, of: Pick<Chain, 'stateAt'> = view): Promise<string> =>
  `${(await of.stateAt(at)!.readAccounts(address, 1)).balance}`
/** Lets the snapshot of this thread go. */
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1))

beforeAll(async () => {
  chain = await openChain({ path, genesis: parseGenesis(builtGenesis()), undoDepth: 2, executor: { workers: 0 } })
  view = await openChainView(path, {
    unwritten: async (hash) => {
      asked.push(hash)
      return chain.unwritten(hash)
    },
    proof: (...of) => chain.proof(...of),
    rootAfter: (...of) => chain.rootAfter(...of),
  })
  blocks = await builtBlocks(5, 11, 6)
})
afterAll(async () => {
  await view.close()
  await chain.close()
  rmSync(path, { recursive: true })
})

describe('a view of a chain', () => {
  it('sees each head as soon as it is on disk, and the states before it that are kept', async () => {
    const states: string[] = []
    for (const n of [0, 1, 2]) {
      await chain.import(blocks[n]!)
      await turn()
      expect(view.head).toStrictEqual(chain.head)
      expect(view.block(BigInt(n + 1))?.hash).toBe(hashOf(n))
      expect(view.blockBytes(hashOf(n))).toStrictEqual(chain.blockBytes(hashOf(n)))
      expect(view.receipts(hashOf(n))).toStrictEqual(chain.receipts(hashOf(n)))
      expect(view.rulesAfter(hashOf(n), 2_000_000_000n)).toStrictEqual(chain.rulesAfter(hashOf(n), 2_000_000_000n))
      states.push(await earned(hashOf(n), chain))
    }
    expect(new Set(states).size, 'each block changes it').toBe(3)
    expect(await Promise.all([0, 1, 2].map((n) => earned(hashOf(n))))).toStrictEqual(states)
    expect(view.stateAt(chain.genesisHash)).toBeUndefined()
  })

  it('reads a state on while the head moves above it, and back below it', async () => {
    const { hash } = chain.head
    const before = await earned(hash, chain)
    const state = view.stateAt(hash)!
    await chain.import(blocks[3]!)
    await turn()
    expect(`${(await state.readAccounts(address, 1)).balance}`).toBe(before)
    await chain.rewindTo(hash)
    await turn()
    expect(view.head.hash).toBe(hash)
    expect(`${(await state.readAccounts(address, 1)).balance}`).toBe(before)
  })

  it('learns of blocks that are not on disk, once, and knows them still when they are', async () => {
    for (const n of [3, 4]) expect((await chain.addBlock(blocks[n]!)).status).toBe('valid')
    expect(view.block(hashOf(4))).toBeUndefined()
    await view.learn(hashOf(4))
    await view.learn(hashOf(3))
    expect(asked).toStrictEqual([hashOf(4)])
    expect(view.blockBytes(hashOf(3))).toStrictEqual(chain.blockBytes(hashOf(3)))
    const state = view.stateAt(hashOf(4))!
    const after = `${(await state.readAccounts(address, 1)).balance}`
    expect(after).toBe(await earned(hashOf(4), chain))
    await chain.setHead({ head: hashOf(4) })
    await turn()
    expect(view.head.hash).toBe(hashOf(4))
    expect(`${(await state.readAccounts(address, 1)).balance}`).toBe(after)
    await view.learn(`0x${'12'.repeat(32)}`)
    expect(view.block(`0x${'12'.repeat(32)}`)).toBeUndefined()
  })

  it('asks the chain for proofs and roots, and refuses to write', async () => {
    const { hash, header } = view.head
    expect(await view.proof(hash, PROPOSER)).toStrictEqual(await chain.proof(hash, PROPOSER))
    const state = view.stateAt(hash)!
    expect(() => state.commit?.({} as never)).toThrow('for reading')
    expect(chain.unwritten(hash)).toStrictEqual([])
    expect(chain.unwritten(`0x${'12'.repeat(32)}`)).toBeUndefined()
    expect(header.number).toBe(5n)
  })
})
