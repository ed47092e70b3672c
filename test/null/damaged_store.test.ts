import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { open } from 'lmdb'
import { afterAll, describe, expect, test } from 'vitest'
import { openStore } from '../../cli/chain_folder.ts'
import { encodeBody } from '../../host/chain/encode_block.ts'
import { checkBlocks } from '../../host/flows/chain/check_store.ts'
import { decodeBlock, encodeHeader, headerHash, openChain, parseGenesis, StoreError } from '../../host/index.ts'
import { hexToBytes } from '../../host/primitives/hex.ts'
import { rlpBytes, rlpList } from '../../host/primitives/rlp.ts'
import { TABLE_NAMES, type Table, type Tables } from '../../host/state/store/environment.ts'
import { numberKey } from '../../host/state/store/records.ts'
import { Store } from '../../host/state/store/store.ts'
import { builtBlocks, builtGenesis } from '../fixtures/built_chain.ts'

const root = mkdtempSync(join(tmpdir(), 'wgevm-damaged-'))
afterAll(() => rmSync(root, { recursive: true }))
let folders = 0

const blocks = (await builtBlocks(2, 5)).map(decodeBlock)
const [first, second] = blocks.map(({ header }) => headerHash(header)) as [string, string]

/** A folder with a chain of two blocks, of which something was altered. */
const altered = async (change: (tables: Tables) => void): Promise<string> => {
  const path = join(root, `${folders++}`)
  const chain = await openChain({ path, genesis: parseGenesis(builtGenesis()), executor: { workers: 0 } })
  for (const block of blocks) await chain.import(block)
  await chain.close()
  const database = open<Uint8Array, Uint8Array>({
    path,
    noSubdir: false,
    maxDbs: 2 * TABLE_NAMES.length,
    encoding: 'binary',
    keyEncoding: 'binary',
  })
  const table = (name: string): Table => database.openDB({ name, encoding: 'binary', keyEncoding: 'binary' })
  change(Object.fromEntries(TABLE_NAMES.map((name) => [name, table(name)])) as unknown as Tables)
  await database.close()
  return path
}

/** What a check of all blocks says of a folder. */
const blocksFault = async (path: string): Promise<string> => {
  const store = await Store.open(path, { create: false })
  try {
    checkBlocks(store)
    return 'none'
  } catch (thrown) {
    return (thrown as Error).message.replace(`${path}: the store is damaged: `, '')
  } finally {
    await store.close()
  }
}

describe('the rules of a chain', () => {
  const text = (value: string) => new TextEncoder().encode(value)
  const put = (name: string, to: (value: string) => string) => (tables: Tables) =>
    tables.meta.putSync(text(name), text(to(new TextDecoder().decode(tables.meta.get(text(name))))))

  test('are refused where they were altered, by the library and by the commands', async () => {
    const rows: readonly (readonly [(tables: Tables) => void, RegExp])[] = [
      [put('configText', (value) => value.replace('"osakaTime":0', '"osakaTime":9')), /\(configText\) have hash 0x/],
      [put('configText', (value) => value.slice(1)), /\(configText\) cannot be read: /],
      [put('chainId', () => '8'), /\(configText\) are of chain 1, chainId is 8$/],
      [put('genesisHash', () => first), /block 0 is 0x[0-9a-f]{64}, genesisHash is 0x/],
      [({ canon }) => canon.removeSync(numberKey(0n)), /block 0 is not there, genesisHash is 0x/],
      [
        ({ headers, canon }) =>
          headers.putSync(Uint8Array.from(canon.get(numberKey(0n))!.subarray(0, 32)), encodeHeader(blocks[0]!.header)),
        /the header of block 0 is another$/,
      ],
    ]
    for (const [change, what] of rows) {
      const path = await altered(change)
      for (const opening of [() => openChain({ path }), () => openStore(path)]) {
        const fault: unknown = await opening().then(
          () => 'none',
          (thrown: unknown) => thrown,
        )
        expect(fault).toBeInstanceOf(StoreError)
        expect(fault).toMatchObject({ fault: 'damaged', folder: path, message: expect.stringMatching(what) as string })
      }
    }
  })
})

describe('receipts that are none', () => {
  test('are told as damage where they are read, whatever the schema that wrote them', async () => {
    for (const list of [[], [0x80], [0xc1], [0xc2, 0xc1, 0x80], [0, 0, 0, 1], [0, 0, 0, 0, 9, 0, 0, 0, 1]]) {
      const path = await altered(({ receipts }) => receipts.putSync(hexToBytes(first), Uint8Array.from(list)))
      const chain = await openChain({ path, executor: { workers: 0 } })
      const what = new RegExp(`the store is damaged: the receipts of block ${first}: `)
      expect(() => chain.receipts(first)).toThrow(StoreError)
      expect(() => chain.receipts(1n)).toThrow(what)
      expect(chain.receipts(2n)?.length).toBe(blocks[1]!.transactions.length)
      await chain.close()
    }
  })
})

describe('a check of all blocks', () => {
  const putBody = (change: object) => (tables: Tables) =>
    tables.bodies.putSync(hexToBytes(first), encodeBody({ ...blocks[0]!, ...change }))
  const withdrawal = blocks[0]!.withdrawals![0]!
  const { withdrawals: _, ...without } = blocks[0]!

  test('finds a body that is not what its header says', async () => {
    expect(await blocksFault(await altered(() => undefined))).toBe('none')
    const rows: readonly (readonly [(tables: Tables) => void, string])[] = [
      [putBody({ transactions: blocks[0]!.transactions.slice(1) }), 'transactions'],
      [putBody({ withdrawals: [{ ...withdrawal, amount: 8n }] }), 'withdrawals'],
      [({ bodies }) => bodies.putSync(hexToBytes(first), encodeBody(without)), 'withdrawals'],
      [putBody({ uncles: [blocks[1]!.header] }), 'uncles'],
      [({ receipts }) => receipts.putSync(hexToBytes(first), Uint8Array.of(0xc0)), 'receipts'],
    ]
    for (const [change, what] of rows)
      expect(await blocksFault(await altered(change)), what).toBe(`block 1: its ${what} are others`)
  })

  test('finds a legacy transaction that lies there as a byte string, of which the transactions root is the same', async () => {
    const { transactions, withdrawals } = blocks[0]!
    const n = transactions.findIndex((bytes) => bytes[0]! >= 0xc0)
    expect(n).toBeGreaterThanOrEqual(0)
    const wrapped = encodeBody({ transactions: [], uncles: [], withdrawals: withdrawals! })
    const body = rlpList([rlpList(transactions.map((bytes) => rlpBytes(bytes))), wrapped.subarray(2)])
    expect(await blocksFault(await altered(({ bodies }) => bodies.putSync(hexToBytes(first), body)))).toBe(
      `block 1: cannot be read: transactions[${n}]: a legacy transaction as bytes, expected a list`,
    )
  })

  test('finds a block that is not at its number, and a total difficulty that is no sum', async () => {
    const canon = (hash: string, difficulty: number): Uint8Array => {
      const entry = new Uint8Array(64)
      entry.set(hexToBytes(hash))
      entry[63] = difficulty
      return entry
    }
    expect(await blocksFault(await altered(({ canon: table }) => table.putSync(numberKey(1n), canon(first, 1))))).toBe(
      'block 1: its total difficulty is another',
    )
    const header = { ...blocks[1]!.header, number: 7n }
    const hash = headerHash(header)
    const moved = await altered((tables) => {
      tables.headers.putSync(hexToBytes(hash), encodeHeader(header))
      for (const table of [tables.bodies, tables.receipts])
        table.putSync(hexToBytes(hash), Uint8Array.from(table.get(hexToBytes(second))!))
      tables.canon.putSync(numberKey(2n), canon(hash, 0))
    })
    expect(await blocksFault(moved)).toBe('block 2: its header is that of block 7')
  })
})
