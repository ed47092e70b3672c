import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createRandom, type Random } from '../../bench/random.ts'
import { headerHash } from '../../host/chain/header.ts'
import { StoredChain } from '../../host/flows/chain/chain.ts'
import {
  type BlockVerdict,
  type Chain,
  decodeBlock,
  keccak256Hex,
  openChain,
  parseGenesis,
  type State,
  StoreError,
} from '../../host/index.ts'
import { hexToBytes } from '../../host/primitives/hex.ts'
import type { MemoryState } from '../../host/state/memory_state.ts'
import { Store } from '../../host/state/store/store.ts'
import { builtTree, type TreeBlock } from '../fixtures/block_tree.ts'
import { builtGenesis } from '../fixtures/built_chain.ts'
import { Reader } from '../fixtures/state_reader.ts'
import { TreeModel } from '../fixtures/tree_model.ts'

const folder = mkdtempSync(join(tmpdir(), 'wgevm-tree-'))
afterAll(() => rmSync(folder, { recursive: true }))
let folders = 0
const newFolder = (): string => join(folder, `${folders++}`)

const openAt = (path: string, undoDepth: number): Promise<Chain> =>
  openChain({ path, genesis, undoDepth, executor: { workers: 0 } })

/** Bytes of a few blocks. */
const BUDGET = 24_000
const openSmall = (path: string, undoDepth: number): Promise<Chain> =>
  openChain({ path, genesis, undoDepth, blockMemory: BUDGET, executor: { workers: 0 } })

/** Accounts enough for a trie of many pages. */
const largeGenesis = (): string => {
  const file = JSON.parse(builtGenesis()) as { alloc: Record<string, object> }
  for (let n = 0; n < 120; n++) file.alloc[`0x${(0x99_0000 + n).toString(16).padStart(40, '0')}`] = { balance: '0x1' }
  return JSON.stringify(file)
}
const genesis = parseGenesis(largeGenesis())

/** The same with a trie that is dropped before nearly every block, and read again. */
const openDropping = (path: string, undoDepth: number): Promise<Chain> =>
  openChain({ path, genesis, undoDepth, trieMemory: 1, executor: { workers: 0 } })

/** The same with a trie that remembers its last change alone. */
const openForgetful = async (path: string, undoDepth: number): Promise<Chain> => {
  await (await openAt(path, undoDepth)).close()
  const store = await Store.open(path, { create: false })
  const trie = await store.openTrie(0)
  const { config } = genesis
  const executor = { workers: 0 }
  const genesisHash = headerHash(genesis.header)
  const parts = { store, config, genesisHash, trie, trieMemory: 2 ** 30 }
  return new StoredChain({ ...parts, undoDepth, transactionLookup: true, executor })
}

const PARENTS = 26
const DEPTH = 4
/** More for nights. */
const RUNS = Number(process.env['WGEVM_RUNS'] ?? 60)

/** Mostly after the last block, so that branches grow. */
const randomParents = (random: Random): readonly number[] =>
  Array.from({ length: PARENTS }, (_, n) => (random.below(3) > 0 ? n - 1 : random.below(n + 1) - 1))

describe('a tree of blocks', () => {
  let tree: readonly TreeBlock[]
  let reader: Reader
  /** Hashes of the transactions of each block. */
  let names: readonly (readonly string[])[]
  const memoryOf = (n: number): MemoryState => (n < 0 ? genesis.state : tree[n]!.state)
  const rootOf = (n: number): string => (n < 0 ? genesis.header.stateRoot : tree[n]!.header.stateRoot)
  let genesisHash: string
  const hashOf = (n: number): string => (n < 0 ? genesisHash : tree[n]!.hash)

  beforeAll(async () => {
    tree = await builtTree(randomParents(createRandom(3, 'parents')), 40, 4, largeGenesis())
    names = tree.map(({ rlp }) => decodeBlock(rlp).transactions.map((bytes) => keccak256Hex(bytes)))
    reader = new Reader([genesis.state, ...tree.map(({ state }) => state)])
  })

  /** Whatever is done, the chain knows what the model knows, and every state reads as in memory. */
  const runRandomly = async (seed: number, steps: number, open = openAt): Promise<Map<string, number>> => {
    const random = createRandom(seed, 'tree')
    const tally = new Map<string, number>()
    const forgotten = new Set<number>()
    const path = newFolder()
    let chain = await open(path, DEPTH)
    genesisHash = chain.genesisHash
    genesis.state.setBlockHash(0n, genesisHash)
    const model = new TreeModel(tree, DEPTH)
    let held: { readonly state: State; readonly n: number }[] = []
    const said = (what: string): void => {
      tally.set(what, (tally.get(what) ?? 0) + 1)
    }

    const checkState = (state: State, n: number): void => {
      const number = model.number(n)
      expect(reader.read(state, number), `state of ${n}`).toEqual(reader.read(memoryOf(n), number))
    }

    /** Undefined where the blocks below take the budget. */
    const addBlock = async (block: Parameters<Chain['addBlock']>[0]): Promise<BlockVerdict | undefined> => {
      try {
        return await chain.addBlock(block)
      } catch (thrown) {
        if (!(thrown instanceof StoreError && thrown.fault === 'memory')) throw thrown
        expect(chain.memory.bytes).toBeGreaterThan(BUDGET / 2)
        said('no room')
        return undefined
      }
    }

    /** Blocks that had to make room are the ones that the chain says are forgotten, from the tips of branches down. */
    const forget = (): void => {
      const { bytes, budget, blocks } = chain.memory
      const gone = [...model.known].filter((n) => chain.block(hashOf(n)) === undefined)
      for (const n of gone.sort((a, b) => Number(model.number(b) - model.number(a)))) model.forget(n)
      expect(blocks).toBe(model.known.size)
      for (const n of gone) forgotten.add(n)
      if (gone.length === 0) return
      said('forgotten')
      expect(bytes).toBeLessThanOrEqual(budget)
    }

    const add = async (n: number): Promise<void> => {
      const { parent, header, hash, rlp } = tree[n]!
      const verdict = await addBlock(rlp)
      if (verdict === undefined) return
      const expected = model.isKnown(n) || model.hasState(parent) ? 'valid' : 'unknownParent'
      expect(verdict).toMatchObject({ status: expected, hash, header })
      if (verdict.status === 'valid') expect(verdict.result !== undefined).toBe(!model.isKnown(n))
      if (expected === 'valid' && !model.isCanonical(n)) model.add(n)
      said(`add ${expected}`)
    }

    const choose = async (n: number): Promise<void> => {
      const fault = model.fault(n)
      const update = chain.setHead({ head: hashOf(n) })
      if (fault !== undefined) await expect(update).rejects.toMatchObject({ name: 'ForkChoiceError', fault })
      else {
        const before = model.canonical
        const { base, above } = model.wayTo(n)
        const undone = before.slice(before.indexOf(base) + 1).reverse()
        const blocksOf = (blocks: readonly number[]): unknown =>
          blocks.map((at) => expect.objectContaining({ hash: hashOf(at) }))
        expect(await update).toEqual({ undone: blocksOf(undone), applied: blocksOf(above) })
        if (model.safe !== undefined && !model.isAncestor(model.safe, n)) model.safe = undefined
        model.moveTo(n, true)
        said(undone.length > 0 ? 'reorganised' : 'advanced')
      }
      said(`choose ${fault ?? 'done'}`)
    }

    const finalize = async (): Promise<void> => {
      const { head } = model
      const safe = model.canonical[random.below(model.canonical.length)]!
      const finalized = model.canonical[random.below(Number(model.number(safe)) + 1)]!
      await chain.setHead({ head: hashOf(head), safe: hashOf(safe), finalized: hashOf(finalized) })
      if (model.finalized === undefined || model.number(finalized) > model.number(model.finalized))
        model.finalized = finalized
      model.safe = model.number(safe) < model.number(model.finalized) ? model.finalized : safe
      model.prune()
      said('finalized')
    }

    const refuse = async (n: number): Promise<void> => {
      if (!model.hasState(tree[n]!.parent)) return
      const block = decodeBlock(tree[n]!.rlp)
      const header = { ...block.header, stateRoot: `0x${'ab'.repeat(32)}` }
      const verdict = await addBlock({ ...block, header })
      if (verdict === undefined) return
      expect(verdict).toMatchObject({
        status: 'invalid',
        reason: expect.stringMatching(/: stateRoot: header says 0xabab/),
      })
      if (verdict.status !== 'invalid') return
      expect(verdict.latestValid.hash).toBe(hashOf(tree[n]!.parent))
      const child = { ...header, parentHash: verdict.hash, number: header.number + 1n }
      const after = await chain.addBlock({ ...block, header: child })
      expect(after).toMatchObject({
        status: 'invalid',
        reason: expect.stringMatching(/^follows the invalid block \d+: /),
      })
      if (after.status === 'invalid') expect(after.latestValid).toEqual(verdict.latestValid)
      await expect(chain.setHead({ head: verdict.hash })).rejects.toMatchObject({ fault: 'unknownHead' })
      said('refused')
    }

    /** A body that the header does not name says nothing of the block: it may come afterwards. */
    const misgive = async (n: number): Promise<void> => {
      const { parent, header, hash, rlp } = tree[n]!
      if (model.isKnown(n) || !model.hasState(parent)) return
      const block = decodeBlock(rlp)
      const { transactions } = block
      const bodies = [{ uncles: [header] }, { transactions: [...transactions, Uint8Array.of(1)] }]
      if (transactions.length > 0) bodies.push({ transactions: transactions.slice(1) })
      const wrong = { ...block, ...bodies[random.below(bodies.length)]! }
      const verdict = await addBlock(wrong)
      if (verdict === undefined) return
      expect(verdict).toMatchObject({ status: 'invalid', latestValid: { hash: hashOf(parent) } })
      await expect(chain.setHead({ head: hash })).rejects.toMatchObject({ name: 'ForkChoiceError' })
      said('misgiven')
    }

    const look = (n: number): void => {
      const state = chain.stateAt(hashOf(n))
      expect(state !== undefined, `state of ${n}`).toBe(model.hasState(n))
      if (state === undefined) return
      checkState(state, n)
      held.push({ state, n })
      said('looked')
    }

    const prove = async (n: number): Promise<void> => {
      if (!model.hasState(n)) return
      const address = Object.keys(memoryOf(n).dump())[0]!
      const { accountProof, balance } = await chain.proof(hashOf(n), address)
      expect(keccak256Hex(hexToBytes(accountProof[0]!))).toBe(rootOf(n))
      expect(balance).toBe(memoryOf(n).account(address)!.balance)
      said('proved')
    }

    const back = async (): Promise<void> => {
      const n = model.canonical[random.below(model.canonical.length)]!
      const rewound = chain.rewindTo(hashOf(n))
      if (model.number(n) < model.oldest) await expect(rewound).rejects.toMatchObject({ fault: 'depth' })
      else {
        await rewound
        for (const name of ['safe', 'finalized'] as const)
          if (model[name] !== undefined && model.number(model[name]) > model.number(n)) model[name] = undefined
        model.moveTo(n, false)
        said('rewound')
      }
    }

    const importNext = async (): Promise<void> => {
      const next = tree.findIndex(({ parent }) => parent === model.head)
      if (next < 0) return
      await chain.import(tree[next]!.rlp)
      model.moveTo(next, true)
      said('imported')
    }

    const reopen = async (): Promise<void> => {
      await chain.close()
      chain = await open(path, DEPTH)
      model.reopen()
      held = []
      said('reopened')
    }

    const isRead = (state: State): boolean => {
      try {
        state.readAccounts(new Uint32Array(5), 1)
        return true
      } catch {
        return false
      }
    }

    const checkAll = (): void => {
      expect(chain.head.hash).toBe(hashOf(model.head))
      expect(chain.forkChoice.safe?.hash).toBe(model.safe === undefined ? undefined : hashOf(model.safe))
      expect(chain.forkChoice.finalized?.hash).toBe(model.finalized === undefined ? undefined : hashOf(model.finalized))
      checkState(chain.state, model.head)
      for (const { state, n } of held) {
        // What a reader holds stays until the disk changes.
        if (model.hasState(n) || (model.fault(n) === 'forgotten' && isRead(state))) checkState(state, n)
        else expect(() => reader.read(state, 0n)).toThrow(expect.objectContaining({ fault: 'depth' }))
      }
      held = held.filter(({ n }) => model.hasState(n)).slice(-3)
      for (const [n, { hash, rlp, header }] of tree.entries()) {
        expect(chain.isCanonical(hash)).toBe(model.isCanonical(n))
        expect(chain.blockBytes(hash)).toEqual(model.isKnown(n) ? rlp : undefined)
        expect(chain.receipts(hash)?.length).toBe(model.isKnown(n) ? names[n]!.length : undefined)
        if (model.isCanonical(n)) expect(chain.block(header.number)?.hash).toBe(hash)
      }
      const places = new Map(
        model.canonical.flatMap((n) =>
          (names[n] ?? []).map(
            (hash, index) => [hash, { blockHash: hashOf(n), blockNumber: model.number(n), index }] as const,
          ),
        ),
      )
      for (const hash of new Set(names.flat())) expect(chain.transaction(hash)).toEqual(places.get(hash))
    }

    /** Mostly one of those, else any. */
    const oneOf = (isWanted: (n: number) => boolean): number => {
      const wanted = tree.flatMap((_, n) => (isWanted(n) ? [n] : []))
      return wanted.length === 0 || random.below(8) === 0 ? random.below(PARENTS) : wanted[random.below(wanted.length)]!
    }
    const known = (): number => oneOf((n) => model.isKnown(n))
    const acts: readonly (readonly [weight: number, act: () => void | Promise<void>])[] = [
      [12, () => add(oneOf((n) => !model.isKnown(n) && model.hasState(tree[n]!.parent)))],
      [12, () => choose(known())],
      [1, () => refuse(known())],
      [2, () => misgive(oneOf((n) => !model.isKnown(n) && model.hasState(tree[n]!.parent)))],
      [4, () => look(known())],
      [2, () => prove(known())],
      [2, importNext],
      [1, back],
      [1, finalize],
      [1, reopen],
    ]
    const all = acts.flatMap(([weight, act]) => Array.from({ length: weight }, () => act))
    for (let step = 0; step < steps; step++) {
      await all[random.below(all.length)]!()
      forget()
      checkAll()
      for (const n of forgotten) {
        forgotten.delete(n)
        if (random.below(2) === 0) await choose(n)
      }
    }
    await chain.close()
    return tally
  }

  test('is kept as a model of it says, whatever comes in which order', async () => {
    const tally = await runRandomly(3, RUNS)
    for (const what of [
      'add valid',
      'advanced',
      'reorganised',
      'imported',
      'looked',
      'proved',
      'refused',
      'misgiven',
      'reopened',
    ])
      expect(tally.get(what), what).toBeGreaterThan(0)
  })

  test('is kept so where blocks in memory have a budget', async () => {
    const tally = await runRandomly(5, RUNS, openSmall)
    for (const what of ['forgotten', 'choose forgotten', 'reorganised'])
      expect(tally.get(what), what).toBeGreaterThan(0)
  })

  test('is kept so where the trie is read again all the time', async () => {
    const tally = await runRandomly(4, RUNS, openDropping)
    for (const what of ['add valid', 'reorganised', 'proved']) expect(tally.get(what), what).toBeGreaterThan(0)
  })

  test('is kept so where the trie cannot go back by itself', async () => {
    const tally = await runRandomly(2, RUNS, openForgetful)
    for (const what of ['add valid', 'reorganised']) expect(tally.get(what), what).toBeGreaterThan(0)
  })
})
