import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { configHash, forkAt, readChainConfig } from '../../host/chain/chain_config.ts'
import type { OpFork } from '../../host/chain/op/op_forks.ts'
import { checkBlocks, checkState } from '../../host/flows/chain/check_store.ts'
import {
  type BuiltBlock,
  type Chain,
  type ChainBlock,
  decodeBlock,
  openChain,
  parseGenesis,
  stateRootOf,
} from '../../host/index.ts'
import { EMPTY_TRIE_ROOT } from '../../host/primitives/keccak.ts'
import { rlpDecodeOwn } from '../../host/primitives/rlp.ts'
import { Store } from '../../host/state/store/store.ts'
import {
  MESSAGE_PASSER,
  message,
  OP_GENESIS_TIME,
  opAttributes,
  opFrom,
  opGenesis,
  payment,
} from '../fixtures/op_chain.ts'

const folder = mkdtempSync(join(tmpdir(), 'wgevm-op-chain-'))
afterAll(() => rmSync(folder, { recursive: true }))
let folders = 0
const newFolder = (): string => join(folder, `${folders++}`)
const executor = { workers: 0 } as const

/** Holocene from the genesis on, and three forks at blocks 3, 6 and 9. */
const TIMES = { ...opFrom('holocene'), isthmus: 6, jovian: 12, karst: 18 } as const
const GENESIS = opGenesis(TIMES, '0x000000003200000006')
const forkOf = (number: bigint): OpFork => {
  if (number < 3n) return 'holocene'
  if (number < 6n) return 'isthmus'
  return number < 9n ? 'jovian' : 'karst'
}

/** Builds block after block on a chain and makes each its head; the pool has payments and messages. */
const buildBlocks = async (
  chain: Chain,
  count: number,
  nonces: number[],
  salt: number,
): Promise<readonly BuiltBlock[]> => {
  const built: BuiltBlock[] = []
  for (let n = 0; n < count; n++) {
    const { header } = chain.head
    const number = header.number + 1n
    const fork = forkOf(number)
    const pool: Uint8Array[] = []
    // The first block of Jovian and of Karst has deposits alone.
    const isFirst = number === 6n || number === 9n
    if (!isFirst) {
      pool.push(await payment(1, nonces[1]!++), await payment(1, nonces[1]!++))
      pool.push(await message(2, nonces[2]!++, BigInt(salt + n), number))
    }
    const block = await chain.build({ attributes: opAttributes(header, Number(number) + salt, fork), pool })
    expect(block.order.length, `block ${number}`).toBe(pool.length)
    await chain.setHead({ head: block.hash })
    expect(chain.head.hash).toBe(block.hash)
    built.push(block)
  }
  return built
}

const onDisk = async (path: string): Promise<{ readonly root: string; readonly head: ChainBlock['hash'] }> => {
  const store = await Store.open(path, { create: false })
  try {
    checkState(store)
    checkBlocks(store)
    return { root: stateRootOf(store.dump()), head: store.head.hash }
  } finally {
    await store.close()
  }
}

describe('a chain of the OP stack in a folder', () => {
  test('is built over three forks, closed and opened, reorganised over them, and imported elsewhere to the same roots', async () => {
    const path = newFolder()
    const genesis = parseGenesis(GENESIS)
    let chain = await openChain({ path, genesis, executor })
    const nonces = [0, 0, 0]
    await buildBlocks(chain, 5, nonces, 0)
    await chain.close()
    expect((await onDisk(path)).head).toBe(chain.head.hash)
    chain = await openChain({ path, genesis, executor })
    const [before, after] = [[...nonces], [...nonces]]
    const first = await buildBlocks(chain, 6, after, 0)
    expect(chain.head.header.number).toBe(11n)
    // Goes back over Karst and Jovian, and on on another way.
    await chain.setHead({ head: chain.block(5n)!.hash })
    const other = await buildBlocks(chain, 7, before, 500)
    expect(other[0]!.hash).not.toBe(first[0]!.hash)
    const { undone, applied } = await chain.setHead({ head: first.at(-1)!.hash })
    expect([undone.length, applied.length]).toEqual([7, 6])
    await chain.setHead({ head: other.at(-1)!.hash })
    const blocks = Array.from({ length: 12 }, (_, n) => chain.blockBytes(BigInt(n + 1))!)
    const { hash, header } = chain.head
    await chain.close()
    expect(await onDisk(path)).toEqual({ root: header.stateRoot, head: hash })

    const elsewhere = newFolder()
    const imported = await openChain({ path: elsewhere, genesis, executor })
    for (const block of blocks) await imported.import(block)
    expect(imported.head.hash).toBe(hash)
    await imported.rewindTo(4n)
    for (const block of blocks) await imported.import(block)
    await imported.close()
    expect(await onDisk(elsewhere)).toEqual({ root: header.stateRoot, head: hash })

    const headers = blocks.map((bytes) => decodeBlock(bytes).header)
    for (const { number, extraData, withdrawalsRoot, requestsHash, blobGasUsed } of headers) {
      const fork = forkOf(number)
      const isIsthmus = fork !== 'holocene'
      expect(extraData.length).toBe(2 + 2 * (fork === 'jovian' || fork === 'karst' ? 17 : 9))
      expect(withdrawalsRoot === EMPTY_TRIE_ROOT).toBe(!isIsthmus)
      expect(requestsHash !== undefined).toBe(isIsthmus)
      // 400 for each byte; three transactions, where the block is not the first of its fork.
      const isFootprint = number === 7n || number === 8n || number > 9n
      expect(blobGasUsed).toBe(isFootprint ? 3n * 100n * 400n : 0n)
    }
    expect(new Set(headers.slice(2).map(({ withdrawalsRoot }) => withdrawalsRoot)).size).toBe(8)
  }, 60_000)

  test('keeps receipts of deposits as their trie has them, with nonce and version', async () => {
    const chain = await openChain({ path: newFolder(), genesis: parseGenesis(GENESIS), executor })
    await buildBlocks(chain, 3, [0, 0, 0], 0)
    const fields = chain
      .receipts(3n)!
      .map((bytes) => (rlpDecodeOwn(bytes[0]! < 0xc0 ? bytes.subarray(1) : bytes) as unknown[]).length)
    expect(fields).toEqual([6, 6, 6, 4, 4, 4])
    const [attributes, minted, halted] = chain
      .receipts(3n)!
      .map((bytes) => rlpDecodeOwn(bytes.subarray(1)) as Uint8Array[])
    expect([...attributes![4]!, ...attributes![5]!]).toEqual([2, 1])
    expect([...minted![4]!, ...minted![5]!]).toEqual([2, 1])
    expect([...halted![0]!, ...halted![4]!, ...halted![5]!]).toEqual([3, 1])
    expect(chain.rulesAfter(chain.head.hash, chain.head.header.timestamp + 2n).chain?.fork).toBe('isthmus')
    await chain.close()
  })

  test('refuses a block whose withdrawals root is not that of the contract of withdrawals', async () => {
    const genesis = parseGenesis(GENESIS)
    const chain = await openChain({ path: newFolder(), genesis, executor })
    const built = await buildBlocks(chain, 3, [0, 0, 0], 0)
    const bytes = chain.blockBytes(3n)!
    const wrong = decodeBlock(bytes)
    await chain.rewindTo(2n)
    await chain.close()
    expect(built[2]!.block.header.withdrawalsRoot).not.toBe(EMPTY_TRIE_ROOT)
    const again = await openChain({ path: newFolder(), genesis, executor })
    for (const { block } of built.slice(0, 2))
      await again.import({ header: block.header, transactions: listOf(block), uncles: [], withdrawals: [] })
    const header = { ...wrong.header, withdrawalsRoot: EMPTY_TRIE_ROOT }
    expect(await again.addBlock({ ...wrong, header })).toMatchObject({
      status: 'invalid',
      reason: expect.stringContaining('withdrawalsRoot'),
    })
    expect(await again.addBlock(bytes)).toMatchObject({ status: 'valid' })
    await again.close()
  })
})

const listOf = ({ transactions }: BuiltBlock['block']): readonly Uint8Array[] => {
  if (Array.isArray(transactions)) return transactions as readonly Uint8Array[]
  const { bytes, offsets } = transactions as { readonly bytes: Uint8Array; readonly offsets: Uint32Array }
  return Array.from({ length: offsets.length - 1 }, (_, i) => bytes.subarray(offsets[i], offsets[i + 1]))
}

describe('a genesis of the OP stack', () => {
  const config = JSON.parse(GENESIS).config

  test('has forks of Ethereum at the times of its own, whether it names them or not', () => {
    const read = readChainConfig(config)
    const at = (after: bigint) => forkAt(read, { number: 1n, timestamp: OP_GENESIS_TIME + after, isMerged: true })
    expect([0n, 5n, 6n, 12n, 17n, 18n].map(at)).toEqual(['cancun', 'cancun', 'prague', 'prague', 'prague', 'osaka'])
    const named = {
      ...config,
      shanghaiTime: 0,
      cancunTime: 0,
      pragueTime: config.isthmusTime,
      osakaTime: config.karstTime,
      deltaTime: 0,
    }
    expect(configHash(readChainConfig(named))).toBe(configHash(read))
    expect(read.changes.times).toEqual([0n, 6n, 12n, 18n].map((after) => (after === 0n ? 0n : OP_GENESIS_TIME + after)))
  })

  test('is another chain where a fork, or what moves its base fee, is another', () => {
    const hashes = [
      config,
      { ...config, jovianTime: config.jovianTime + 2 },
      { ...config, optimism: { ...config.optimism, eip1559Elasticity: 7 } },
      { ...config, optimism: { ...config.optimism, eip1559DenominatorCanyon: 251 } },
    ].map((one) => configHash(readChainConfig(one)))
    expect(new Set(hashes).size).toBe(4)
  })

  test.each<[object, RegExp]>([
    [{ pragueTime: 7 }, /^config.pragueTime must be that of isthmus/],
    [{ karstTime: undefined, osakaTime: 7 }, /^config.osakaTime must be absent/],
    [{ bpo1Time: 7 }, /^config.bpo1Time: there is no such fork here/],
    [{ bedrockBlock: 5 }, /^config.bedrockBlock must be 0/],
    [{ londonBlock: 5 }, /^config.londonBlock must be 0/],
    [{ terminalTotalDifficulty: 1 }, /^config.terminalTotalDifficulty must be 0/],
    [{ optimism: undefined }, /^config.*there is no such fork here/],
    [{ optimism: {} }, /eip1559Denominator/],
  ])('is refused with %o', (change, message) => {
    expect(() => readChainConfig({ ...config, ...change })).toThrow(message)
  })

  test('has the extra data of its fork, and from Isthmus on the root of the contract of withdrawals', () => {
    expect(parseGenesis(GENESIS).header.withdrawalsRoot).toBe(EMPTY_TRIE_ROOT)
    expect(() => parseGenesis(opGenesis(TIMES, '0x'))).toThrow(/^extraData must be 9 bytes of version 0/)
    expect(parseGenesis(opGenesis(opFrom('granite'), '0x424544524f434b')).header.extraData).toBe('0x424544524f434b')
    const { header, state } = parseGenesis(opGenesis(opFrom('karst'), '0x0100000032000000060000000000000000'))
    const only = { [MESSAGE_PASSER]: state.dump()[MESSAGE_PASSER]! }
    expect(Object.keys(only[MESSAGE_PASSER]!.storage).length).toBe(1)
    expect(header.withdrawalsRoot).toMatch(/^0x[0-9a-f]{64}$/)
    expect(header.withdrawalsRoot).not.toBe(EMPTY_TRIE_ROOT)
  })
})
