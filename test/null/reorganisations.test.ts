import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { type Database, open } from 'lmdb'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decodeReceiptList } from '../../host/chain/receipt_list.ts'
import { checkBlocks, checkState } from '../../host/flows/chain/check_store.ts'
import {
  type Chain,
  createExecutor,
  decodeBlock,
  type HeadChange,
  type HeadUpdate,
  keccak256Hex,
  openChain,
  packTransactions,
  parseGenesis,
} from '../../host/index.ts'
import { hexToBytes } from '../../host/primitives/hex.ts'
import { rlpBytes, rlpList } from '../../host/primitives/rlp.ts'
import { indexedRoot } from '../../host/roots/roots.ts'
import { SCHEMA } from '../../host/state/store/environment.ts'
import { Store } from '../../host/state/store/store.ts'
import { writesOfDump } from '../../host/state/trie/trie.ts'
import { builtTree, type TreeBlock } from '../fixtures/block_tree.ts'
import { PROPOSER, randomPool } from '../fixtures/block_world.ts'
import { attributesAfter, builtGenesis } from '../fixtures/built_chain.ts'
import { Reader } from '../fixtures/state_reader.ts'

const folder = mkdtempSync(join(tmpdir(), 'wgevm-reorganised-'))
afterAll(() => rmSync(folder, { recursive: true }))
let folders = 0
const newFolder = (): string => join(folder, `${folders++}`)

const genesis = parseGenesis(builtGenesis())
const openAt = (path: string, more: object = {}): Promise<Chain> =>
  openChain({ path, genesis, executor: { workers: 0 }, ...more })

/** The state on disk has the root of its head, and every block is what its header says. */
const checkDisk = async (path: string): Promise<{ readonly head: string; readonly schema: string | undefined }> => {
  const store = await Store.open(path, { create: false })
  try {
    checkState(store)
    checkBlocks(store)
    return { head: store.head.hash, schema: store.schema }
  } finally {
    await store.close()
  }
}

describe('a chain of 130 blocks with a branch after block 1', () => {
  const LENGTH = 130
  const BRANCH = 3
  let tree: readonly TreeBlock[]
  /** Block n of the long chain, and of the branch from block 2 on. */
  const long = (n: number): TreeBlock => tree[n - 1]!
  const branch = (n: number): TreeBlock => tree[LENGTH + n - 2]!

  beforeAll(async () => {
    const parents = [
      ...Array.from({ length: LENGTH }, (_, n) => n - 1),
      ...Array.from({ length: BRANCH }, (_, n) => (n === 0 ? 0 : LENGTH + n - 1)),
    ]
    tree = await builtTree(parents, 90, 1)
  })

  test('goes over to the branch and back over 1, 64 and 128 blocks, and refuses 129', async () => {
    const path = newFolder()
    const chain = await openAt(path)
    for (const { rlp } of tree) expect(await chain.addBlock(rlp)).toMatchObject({ status: 'valid' })
    const tip = branch(1 + BRANCH)
    const reader = new Reader([tip.state, long(LENGTH).state])
    const goTo = async ({ hash, header, state }: TreeBlock): Promise<HeadChange> => {
      const change = await chain.setHead({ head: hash })
      state.setBlockHash(0n, chain.genesisHash)
      expect(chain.head.hash).toBe(hash)
      expect(reader.read(chain.state, header.number)).toEqual(reader.read(state, header.number))
      const { accountProof } = await chain.proof(hash, `0x${'00'.repeat(20)}`)
      expect(keccak256Hex(hexToBytes(accountProof[0]!))).toBe(header.stateRoot)
      return change
    }
    for (const depth of [1, 64, 128]) {
      await goTo(long(1 + depth))
      const { undone, applied } = await goTo(tip)
      expect(undone.map(({ hash }) => hash)).toEqual(Array.from({ length: depth }, (_, n) => long(1 + depth - n).hash))
      expect(applied.map(({ hash }) => hash)).toEqual([2, 3, 4].map((n) => branch(n).hash))
    }
    await goTo(long(LENGTH))
    const tooDeep = { name: 'ForkChoiceError', fault: 'tooDeep' }
    await expect(chain.setHead({ head: tip.hash })).rejects.toMatchObject(tooDeep)
    await expect(chain.setHead({ head: long(1).hash })).rejects.toMatchObject(tooDeep)
    expect(await chain.addBlock(branch(2).rlp)).toMatchObject({ status: 'unknownParent' })
    expect(chain.head.hash).toBe(long(LENGTH).hash)
    // What is finalized can be left as little, however near it is.
    await chain.setHead({ head: long(LENGTH).hash, finalized: long(120).hash })
    await expect(chain.setHead({ head: long(119).hash })).rejects.toMatchObject({ fault: 'finalized' })
    await goTo(long(120))
    await chain.close()
    expect(await checkDisk(path)).toEqual({ head: long(120).hash, schema: SCHEMA })
  })

  test('keeps undo records down to the finalized block where that is deeper', async () => {
    const chain = await openAt(newFolder(), { undoDepth: 2 })
    for (const { rlp } of tree) await chain.addBlock(rlp)
    await chain.setHead({ head: long(3).hash, finalized: long(1).hash })
    await chain.setHead({ head: long(40).hash })
    await chain.setHead({ head: branch(4).hash })
    expect(chain.head.hash).toBe(branch(4).hash)
    await chain.close()
  })
})

/** A folder as schema 1 left it. */
const folderOfSchema1 = async (): Promise<string> => {
  const path = newFolder()
  mkdirSync(path)
  const packed = readFileSync(new URL('../file/stores/schema_1.mdb.gz', import.meta.url))
  writeFileSync(join(path, 'data.mdb'), gunzipSync(packed))
  return path
}

/** Schema 4 is this one with places that have no volume. */
const folderOfSchema4 = (): Promise<string> => folderBefore('4', () => {})

type OpenTable = (name: string) => Database<Uint8Array, Uint8Array>

/** A folder of `schema`, which is schema 4 without what `strip` takes out. */
const folderBefore = async (schema: string, strip: (table: OpenTable) => void): Promise<string> => {
  const path = await folderOfSchema1()
  await (await openChain({ path, executor: { workers: 0 } })).close()
  const database = open({ path, noSubdir: false, encoding: 'binary', keyEncoding: 'binary' })
  const table: OpenTable = (name) => database.openDB({ name, encoding: 'binary', keyEncoding: 'binary' })
  table('meta').putSync(new TextEncoder().encode('schema'), new TextEncoder().encode(schema))
  const places = table('places')
  for (const { key, value } of [...places.getRange()]) {
    places.removeSync(key)
    places.putSync(key.subarray(4), value)
  }
  table('volumes').dropSync()
  strip(table)
  await database.close()
  return path
}

/** Schema 3 is schema 4 with receipts as lists of RLP. */
const folderOfSchema3 = (): Promise<string> => folderBefore('3', listReceipts)

const listReceipts = (table: OpenTable): void => {
  const receipts = table('receipts')
  for (const { key, value } of [...receipts.getRange()])
    receipts.putSync(key, rlpList(decodeReceiptList(value).map(rlpBytes)))
}

/** And schema 2 is that without the trie. */
const folderOfSchema2 = (): Promise<string> =>
  folderBefore('2', (table) => {
    listReceipts(table)
    table('nodes').dropSync()
  })

test.each([
  ['1', folderOfSchema1],
  ['2', folderOfSchema2],
  ['3', folderOfSchema3],
  ['4', folderOfSchema4],
])('a folder of schema %s is opened, gets what this schema has beside it, and goes on', async (schema, folderOf) => {
  const path = await folderOf()
  const store = await Store.open(path, { create: false })
  expect(store.schema).toBe(schema)
  if (schema < '3') expect(() => checkState(store)).toThrow(/the trie has root undefined/)
  await store.close()
  const chain = await openChain({ path, executor: { workers: 0 } })
  expect(chain.head.header.number).toBe(5n)
  for (let number = 0n; number <= 5n; number++) {
    const { hash } = chain.block(number)!
    for (const [index, bytes] of decodeBlock(chain.blockBytes(number)!).transactions.entries())
      expect(chain.transaction(keccak256Hex(bytes))).toEqual({ blockHash: hash, blockNumber: number, index })
  }
  expect(chain.forkChoice).toEqual({ head: chain.head, safe: undefined, finalized: undefined })
  expect(indexedRoot(chain.receipts(5n)!)).toBe(chain.head.header.receiptsRoot)
  const above = [3n, 4n, 5n].map((number) => chain.blockBytes(number)!)
  const hashes = above.map((bytes) => decodeBlock(bytes).transactions.map(keccak256Hex))
  await chain.rewindTo(2n)
  for (const hash of hashes.flat()) expect(chain.transaction(hash)).toBeUndefined()
  // Their places are in a volume now, those of the blocks before where they were.
  for (const bytes of above.slice(0, 2)) await chain.import(bytes)
  for (const [n, of] of hashes.slice(0, 2).entries())
    for (const [index, hash] of of.entries())
      expect(chain.transaction(hash)).toMatchObject({ blockNumber: BigInt(3 + n), index })
  await chain.rewindTo(1n)
  for (const hash of hashes.flat()) expect(chain.transaction(hash)).toBeUndefined()
  const first = decodeBlock(chain.blockBytes(1n)!).transactions.map(keccak256Hex)
  for (const [index, hash] of first.entries()) expect(chain.transaction(hash)).toMatchObject({ blockNumber: 1n, index })
  await chain.close()
  expect((await checkDisk(path)).schema).toBe(SCHEMA)
})

describe('a block that a chain builds', () => {
  const attributesOn = ({ head }: Chain, extraData: string) => ({ ...attributesAfter(head.header, 0), extraData })
  const poolOn = (chain: Chain) => randomPool(4, { fork: 'osaka', state: genesis.state, parent: chain.head.header }, 12)

  test('is known, becomes the head without being executed again, and is not when another one was built there', async () => {
    const chain = await openAt(newFolder())
    const pool = poolOn(chain)
    const first = await chain.build({ attributes: attributesOn(chain, '0x01'), pool })
    const second = await chain.build({
      parent: chain.head.hash,
      attributes: attributesOn(chain, '0x02'),
      pool: packTransactions(pool),
    })
    expect(second.order.length).toBeGreaterThan(3)
    expect(chain.block(first.hash)).toBeUndefined()
    expect(chain.stateAt(second.hash)).toBeDefined()
    const bytes = chain.blockBytes(second.hash)!
    const verdict = await chain.addBlock(bytes)
    expect(verdict).toMatchObject({ status: 'valid', result: undefined, fork: 'osaka' })
    // One that was added stays where another one is built.
    const third = await chain.build({ attributes: attributesOn(chain, '0x03'), pool })
    expect(chain.block(second.hash)).toBeDefined()
    await chain.setHead({ head: second.hash })
    expect(chain.block(third.hash)).toBeUndefined()
    const other = await openAt(newFolder())
    const imported = await other.import(bytes)
    expect(imported.hash).toBe(second.hash)
    expect(chain.receipts(second.hash)).toEqual(other.receipts(second.hash))
    await other.close()
    await chain.close()
  })

  test('is refused with what a chain knows itself, and on a parent that is not known', async () => {
    const chain = await openAt(newFolder())
    const request = { attributes: attributesOn(chain, '0x'), pool: [] }
    const wrong = (more: object): Promise<unknown> => chain.build({ ...request, ...more } as never)
    await expect(wrong({ parentState: {} })).rejects.toThrow(/^parentState must be absent: a chain knows it/)
    await expect(wrong({ parent: '0x12' })).rejects.toThrow(/^parent must be a hash/)
    await expect(wrong({ attributes: {} })).rejects.toThrow(/^attributes.timestamp must be/)
    await expect(wrong({ parent: `0x${'12'.repeat(32)}` })).rejects.toMatchObject({ fault: 'depth' })
    for (const update of [{}, { head: '0x12' }, { head: chain.head.hash, save: 1 }])
      await expect(chain.setHead(update as never)).rejects.toThrow(/^head must be a hash|no field of the update 'save'/)
    const unknown = `0x${'12'.repeat(32)}`
    const { hash } = chain.head
    const faults: readonly (readonly [HeadUpdate, string])[] = [
      [{ head: unknown }, 'unknownHead'],
      [{ head: hash, safe: unknown }, 'unknownSafe'],
      [{ head: hash, finalized: unknown }, 'unknownFinalized'],
    ]
    for (const [update, fault] of faults) await expect(chain.setHead(update)).rejects.toMatchObject({ fault })
    const { hash: next } = await chain.build(request)
    const notAncestor = { fault: 'notAncestor' }
    await expect(chain.setHead({ head: hash, safe: next })).rejects.toMatchObject(notAncestor)
    await expect(chain.setHead({ head: next, safe: hash, finalized: next })).rejects.toMatchObject(notAncestor)
    expect(chain.rulesAfter(hash, chain.head.header.timestamp + 12n)).toMatchObject({
      fork: 'osaka',
      blobSchedule: { maxBlobs: 9 },
    })
    await chain.close()
  })
})

test('a state is simulated on while blocks come, until it is beyond the undo records', async () => {
  const chain = await openAt(newFolder(), { undoDepth: 3 })
  const tree = await builtTree([-1, 0, 1, 2, 3], 60, 8)
  await chain.import(tree[0]!.rlp)
  const { hash } = chain.head
  const executor = createExecutor({ fork: 'osaka', chainId: 1n, state: chain.stateAt(hash)!, workers: 0 })
  const asker = `0x${'a5'.repeat(20)}`
  // PUSH20 proposer, BALANCE, PUSH0, MSTORE, PUSH1 32, PUSH0, RETURN
  const overrides = { [asker]: { code: `0x73${PROPOSER.slice(2)}315f5260205ff3` } }
  const at = { number: 1n, timestamp: 1n, coinbase: asker, gasLimit: 60_000_000n, baseFeePerGas: 7n, prevRandao: 0n }
  const balance = async (): Promise<bigint> => {
    executor.forget()
    return BigInt((await executor.simulate({ at, overrides, calls: [{ from: asker, to: asker }] })).get(0).output)
  }
  const expected = tree[0]!.state.account(PROPOSER)!.balance
  for (const { rlp, state } of tree.slice(1, 4)) {
    const importing = chain.import(rlp)
    expect(await balance()).toBe(expected)
    await importing
    expect(await balance()).toBe(expected)
    expect(state.account(PROPOSER)!.balance).not.toBe(expected)
  }
  await chain.import(tree[4]!.rlp)
  await expect(balance()).rejects.toMatchObject({ name: 'StoreError', fault: 'depth' })
  expect(() => chain.state.commit(writesOfDump({}))).toThrow(/is for reading: only blocks change it$/)
  executor.close()
  await chain.close()
})
