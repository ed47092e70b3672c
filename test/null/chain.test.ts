import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RLP } from 'micro-eth-signer/core/rlp.js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createRandom } from '../../bench/random.ts'
import { decodeOwnBlock, encodeBody } from '../../host/chain/encode_block.ts'
import { hashesOf } from '../../host/flows/chain/transaction_hashes.ts'
import {
  BlockError,
  type Chain,
  decodeBlock,
  InputError,
  openChain,
  parseGenesis,
  StoreError,
} from '../../host/index.ts'
import { bytesToHex } from '../../host/primitives/hex.ts'
import { keccak256Hex } from '../../host/primitives/keccak.ts'
import { Store } from '../../host/state/store/store.ts'
import { stateRootOf } from '../../host/state/trie/trie.ts'
import { builtBlocks, builtGenesis } from '../fixtures/built_chain.ts'
import { rpcCompat } from '../fixtures/rpc_compat.ts'

const folder = mkdtempSync(join(tmpdir(), 'wgevm-chain-'))
afterAll(() => rmSync(folder, { recursive: true }))
let folders = 0
const newFolder = (): string => join(folder, `${folders++}`)

const GENESIS = builtGenesis()
const executor = { workers: 0 } as const

const importAll = async (chain: Chain, blocks: readonly Uint8Array[]): Promise<void> => {
  for (const block of blocks) await chain.import(block)
}

/** The root of the state on disk, made anew from its accounts and slots. */
const rootOnDisk = async (path: string): Promise<string> => {
  const store = await Store.open(path, { create: false })
  const root = stateRootOf(store.dump())
  await store.close()
  return root
}

const COMPAT = rpcCompat()

/** What a library of RLP says of a block: its transactions, or why it is no RLP. */
const transactionsIn = (rlp: Uint8Array): readonly Uint8Array[] | string => {
  try {
    const [, transactions] = RLP.decode(rlp) as [unknown, (Uint8Array | Uint8Array[])[]]
    return transactions.map((item) => (item instanceof Uint8Array ? item : RLP.encode(item)))
  } catch (thrown) {
    return (thrown as Error).message.replace('RLP.decode: ', 'block: malformed RLP: ')
  }
}

test('a block is read as a library reads its RLP, and its body is what encoding it again gives, whatever it holds', async () => {
  const random = createRandom(5, 'bodies')
  const all = [...(await builtBlocks(2, 21)), ...(COMPAT?.blocks() ?? [])]
  let others = 0
  for (const block of all)
    for (let n = 0; n < 16; n++) {
      const rlp = new Uint8Array(block)
      // Any that still is a block, as well.
      if (n > 0) rlp[random.below(rlp.length)]! ^= 1 << random.below(8)
      let again: Uint8Array
      try {
        again = encodeBody(decodeBlock(rlp))
      } catch (thrown) {
        expect(n).toBeGreaterThan(0)
        const { message } = thrown as Error
        expect(() => decodeOwnBlock(rlp)).toThrow(message)
        const said = transactionsIn(rlp)
        if (typeof said === 'string' || message.includes('malformed')) expect(message).toBe(said)
        continue
      }
      const read = decodeOwnBlock(rlp)
      expect(read.transactions.map(bytesToHex)).toEqual((transactionsIn(rlp) as readonly Uint8Array[]).map(bytesToHex))
      expect(Buffer.compare(encodeBody(read), again)).toBe(0)
      expect(bytesToHex(hashesOf(read)).slice(2)).toBe(
        read.transactions.map((bytes) => keccak256Hex(bytes).slice(2)).join(''),
      )
      others++
    }
  expect(others).toBeGreaterThan(6 * all.length)
})

describe.skipIf(COMPAT === undefined)('the chain of execution-apis (skipped where ../shared/data is absent)', () => {
  const { genesis, chain: bytes, blocks, headHash, reply } = COMPAT!
  test('is imported block by block across every fork, over a closed store in its middle, and is exported as it came', async () => {
    const path = newFolder()
    const all = blocks()
    expect(all.length).toBe(54)
    const first = await openChain({ path, genesis: parseGenesis(genesis), executor })
    await importAll(first, all.slice(0, 27))
    await first.close()
    const chain = await openChain({ path, executor })
    expect(chain.head.header.number).toBe(27n)
    for (const block of all) {
      const { header, result } = await chain.import(block)
      expect(result === undefined, `block ${header.number} was there`).toBe(header.number <= 27n)
    }
    expect(chain.head.hash).toBe(headHash)
    const exported = all.map((_, n) => chain.blockBytes(BigInt(n + 1))!)
    expect(Buffer.concat(exported).equals(Buffer.from(bytes))).toBe(true)
    // Before Byzantium: the receipt holds the state root after its transaction.
    expect(chain.receipts(3n)!.map(bytesToHex)).toEqual(reply('debug_getRawReceipts/get-block-n.io'))
    await chain.close()
    expect(await rootOnDisk(path)).toBe(decodeBlock(all[53]!).header.stateRoot)
  })

  test('goes back by one, by many and to its genesis, and forward again to the same head', async () => {
    const path = newFolder()
    const all = blocks()
    const chain = await openChain({ path, genesis: parseGenesis(genesis), executor })
    await importAll(chain, all)
    for (const number of [53n, 20n, 0n]) {
      await chain.rewindTo(number)
      expect(chain.head.header.number).toBe(number)
      expect(chain.blockBytes(number + 1n)).toBeUndefined()
    }
    await importAll(chain, all)
    expect(chain.head.hash).toBe(headHash)
    await chain.rewindTo(chain.block(30n)!.hash)
    await chain.close()
    expect(await rootOnDisk(path)).toBe(decodeBlock(all[29]!).header.stateRoot)
  })
})

describe('a chain in a folder', () => {
  let blocks: readonly Uint8Array[]
  beforeAll(async () => {
    blocks = await builtBlocks(8, 7)
  })
  const genesis = parseGenesis(GENESIS)
  const openAt = (path: string, more: object = {}): Promise<Chain> => openChain({ path, genesis, executor, ...more })

  test('comes to the roots of one in memory, and its state reads so', async () => {
    const path = newFolder()
    const chain = await openAt(path)
    await importAll(chain, blocks)
    const { stateRoot } = decodeBlock(blocks.at(-1)!).header
    expect(chain.head.header.stateRoot).toBe(stateRoot)
    await chain.close()
    expect(await rootOnDisk(path)).toBe(stateRoot)
  })

  test('keeps so many undo records, and refuses to go back further', async () => {
    const chain = await openAt(newFolder(), { undoDepth: 3 })
    await importAll(chain, blocks)
    await expect(chain.rewindTo(4n)).rejects.toThrow(/block 4 is too deep: the undo records begin with block 6$/)
    expect(chain.head.header.number).toBe(8n)
    await expect(chain.rewindTo(9n)).rejects.toThrow(/block 9 is no ancestor of the head/)
    await expect(chain.rewindTo(`0x${'12'.repeat(32)}`)).rejects.toThrow(/is no ancestor of the head/)
    await chain.rewindTo(5n)
    await importAll(chain, blocks)
    expect(chain.head.hash).toBe(chain.block(8n)!.hash)
    await chain.close()
  })

  test('refuses a block that does not follow, or is not what its header says, and stays where it was', async () => {
    const path = newFolder()
    const chain = await openAt(path)
    await chain.import(blocks[0]!)
    const before = chain.head
    await expect(chain.import(blocks[2]!)).rejects.toThrow(/block 3: parentHash: does not follow the head, block 1 0x/)
    const { header, ...body } = decodeBlock(blocks[1]!)
    const wrong = { ...body, header: { ...header, stateRoot: `0x${'ab'.repeat(32)}` } }
    await expect(chain.import(wrong)).rejects.toThrow(BlockError)
    await expect(chain.import(wrong)).rejects.toThrow(/^block 2: stateRoot: header says 0xabab/)
    await expect(chain.import(Uint8Array.of(1, 2))).rejects.toThrow(/^block/)
    expect(chain.head).toEqual(before)
    await importAll(chain, blocks)
    expect(chain.head.header.number).toBe(8n)
    await chain.close()
  })

  test('is opened again without its genesis, and refused with another one', async () => {
    const path = newFolder()
    await (await openAt(path)).close()
    const chain = await openChain({ path })
    expect(chain.genesisHash).toBe(chain.head.hash)
    await chain.close()
    const refusals: readonly (readonly [object, RegExp])[] = [
      [{ chainId: 2 }, /holds another chain: chain id 1, the genesis has 2$/],
      [{ osakaTime: 1_800_000_000 }, /rules \(hash of the configuration\) 0x.*; forks or blob limits differ$/],
    ]
    for (const [change, message] of refusals) {
      const config = { ...(JSON.parse(GENESIS) as { config: object }).config, ...change }
      await expect(openAt(path, { genesis: parseGenesis(builtGenesis(config)) })).rejects.toThrow(message)
    }
    const other = GENESIS.replace('0x1c9c380', '0x1c9c381')
    await expect(openAt(path, { genesis: parseGenesis(other) })).rejects.toThrow(/another chain: genesis 0x.*has 0x/)
    await (await openChain({ path })).close()
  })

  test('runs calls in their order, and none after it was closed', async () => {
    const chain = await openAt(newFolder())
    const calls = [...blocks.map((block) => chain.import(block)), chain.rewindTo(2n), chain.import(blocks[2]!)]
    const closing = chain.close()
    await Promise.all(calls)
    await closing
    expect(chain.head.header.number).toBe(3n)
    await expect(chain.import(blocks[3]!)).rejects.toThrow(StoreError)
  })

  test('refuses every read after it was closed', async () => {
    const chain = await openAt(newFolder())
    const { state, head } = chain
    await chain.close()
    const reads: readonly (() => unknown)[] = [
      () => chain.block(0n),
      () => chain.block(head.hash),
      () => chain.blockBytes(0n),
      () => chain.receipts(head.hash),
      () => state.readAccounts(new Uint32Array(5), 1),
      () => state.readSlots(new Uint32Array(5), new Uint32Array(8), 1),
      () => state.readCode(head.hash),
      () => state.hasStorage!(`0x${'11'.repeat(20)}`),
      () => state.blockHash(0n),
    ]
    for (const read of reads)
      expect(read, String(read)).toThrow(expect.objectContaining({ name: 'StoreError', fault: 'closed' }))
    await chain.close()
  })

  test('takes the bytes of a block when it is called, so that the caller may write over them', async () => {
    const chain = await openAt(newFolder())
    const bytes = Uint8Array.from(blocks[0]!)
    const importing = chain.import(bytes)
    bytes.fill(0)
    await importing
    expect(chain.blockBytes(1n)).toEqual(blocks[0])
    await chain.close()
  })

  test('refuses calls with what is no block and no name of one, as a rejection where there is a promise', async () => {
    const chain = await openAt(newFolder())
    const none = (value: unknown): never => value as never
    const decoded = decodeBlock(blocks[0]!)
    const imports: readonly (readonly [unknown, RegExp])[] = [
      [null, /^block must be the RLP of a block as bytes, or a decoded block, got null$/],
      ['0x00', /^block must be the RLP of a block as bytes, or a decoded block, got '0x00'$/],
      [{}, /^header must be /],
      [{ ...decoded, uncles: undefined }, /^uncles must be an array, got undefined$/],
      [
        { ...decoded, transactions: [{}] },
        /^transactions\[0\] must be the bytes of a signed transaction, got an object$/,
      ],
    ]
    for (const [block, message] of imports) {
      const refused = chain.import(none(block))
      await expect(refused).rejects.toThrow(InputError)
      await expect(refused).rejects.toThrow(message)
    }
    const message = /^block must be the number of a block as a bigint, or its hash: 0x and 64 hex digits, got /
    for (const name of [2, undefined, '0x12', null]) {
      await expect(chain.rewindTo(none(name))).rejects.toThrow(message)
      for (const read of ['block', 'blockBytes', 'receipts'] as const)
        expect(() => chain[read](none(name)), read).toThrow(message)
    }
    await importAll(chain, blocks)
    await chain.close()
  })

  test('refuses a genesis and options of an executor that are none before it makes the folder', async () => {
    const path = newFolder()
    const rows: readonly (readonly [object, RegExp])[] = [
      [{ genesis: {} }, /^genesis.config must be the config that parseGenesis gives, got undefined$/],
      [{ genesis: null }, /^genesis must be what parseGenesis gives, got null$/],
      [{ genesis: { ...genesis, config: {} } }, /^genesis.config must be /],
      [{ genesis: { ...genesis, configText: '{}' } }, /^genesis.configText must be the config as JSON/],
      [{ genesis: { ...genesis, configText: '{"chainId":2}' } }, /^genesis.configText must be the rules of genesis.c/],
      [{ genesis: { ...genesis, header: {} } }, /^genesis.header/],
      [{ genesis: { ...genesis, state: {} } }, /^genesis.state must be a MemoryState, got an object$/],
      [{ executor: null }, /^executor must be an object, got null$/],
      [{ executor: { wat: 1 } }, /^there is no option of the executor of a chain 'wat'; known: device, /],
      [{ executor: { workers: -1 } }, /^workers must be an integer from 0 on, got -1$/],
      ...['fork', 'chainId', 'state', 'depositContract', 'invalid'].map(
        (name) =>
          [
            { executor: { [name]: 1 } },
            new RegExp(`^there is no option of the executor of a chain '${name}'`),
          ] as const,
      ),
    ]
    for (const [options, message] of rows) {
      const refused = openAt(path, options)
      await expect(refused).rejects.toThrow(InputError)
      await expect(refused).rejects.toThrow(message)
    }
    expect(existsSync(path)).toBe(false)
  })

  test('is not begun with a state that is no longer that of the genesis header', async () => {
    const path = newFolder()
    const changed = parseGenesis(GENESIS)
    changed.state.setAccount(`0x${'77'.repeat(20)}`, { nonce: 1n, balance: 0n })
    const refused = openChain({ path, genesis: changed })
    await expect(refused).rejects.toThrow(InputError)
    await expect(refused).rejects.toThrow(/^genesis.state must be the state of genesis.header, whose root is 0x/)
    await (await openAt(path)).close()
  })

  test('refuses options that are none', async () => {
    await expect(openChain({ path: newFolder(), genesis, undoDepth: -1 })).rejects.toThrow(/undoDepth must be/)
    await expect(openChain({ path: 1 as never })).rejects.toThrow(/path must be the name of a folder, got 1/)
    await expect(openAt(newFolder(), { undodepth: 1 })).rejects.toThrow(/did you mean 'undoDepth'/)
    await expect(openAt(newFolder(), { transactionLookup: 1 })).rejects.toThrow(
      /^transactionLookup must be true or false/,
    )
  })
})
