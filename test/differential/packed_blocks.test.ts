import { RLP } from '@ethereumjs/rlp'
import { describe, expect, it } from 'vitest'
import { transactionHashes } from '../../host/chain/decode.ts'
import { encodeHeader } from '../../host/chain/header.ts'
import { packTransactions, type SignedTransactions } from '../../host/chain/packed.ts'
import { BlockError, type BlockInput } from '../../host/flows/block_input.ts'
import { decodeSigned } from '../../host/flows/decode_signed.ts'
import { createExecutor, InputError } from '../../host/index.ts'
import { keccak256 } from '../../host/primitives/keccak.ts'
import { rootTransactions } from '../../host/roots/rooted_transactions.ts'
import { transactionsRoot } from '../../host/roots/roots.ts'
import { createStateTrie } from '../../host/state/trie/trie.ts'
import { ATTRIBUTES, blockWorld, randomPool } from '../fixtures/block_world.ts'

const world = blockWorld('osaka')
const POOL = [...randomPool(6, world, 25), Uint8Array.of(2, 0xc1)]

const running = async <Result>(
  work: (
    executor: ReturnType<typeof createExecutor>,
    parentState: ReturnType<typeof createStateTrie>,
  ) => Promise<Result>,
): Promise<Result> => {
  const state = world.state.clone()
  const executor = createExecutor({ fork: world.fork, chainId: 1n, state, workers: 0 })
  try {
    return await work(executor, createStateTrie(state.dump()))
  } finally {
    executor.close()
  }
}

const build = (pool: SignedTransactions) =>
  running((executor, parentState) => {
    const attributes = { ...ATTRIBUTES, withdrawals: [] }
    return executor.build({ parent: world.parent, attributes, pool, parentState })
  })

const execute = (block: BlockInput) =>
  running((executor, parentState) => executor.executeBlock(block, { parent: world.parent, parentState }))

const oneByOne = build(POOL)
const { bytes, offsets } = packTransactions(POOL)

describe('a block of packed transactions', () => {
  it('is built as of the same one by one, and holds its transactions packed', async () => {
    const expected = await oneByOne
    const built = await build({ bytes, offsets })
    expect(built.block.header).toEqual(expected.block.header)
    expect(built.order).toEqual(expected.order)
    expect(built.order.length).toBeGreaterThan(5)
    expect(built.dropped).toEqual(expected.dropped)
    expect(built.dropped.at(-1)).toMatchObject({ index: POOL.length - 1 })
    expect(built.block.transactions).toEqual(packTransactions(expected.block.transactions as Uint8Array[]))
  })

  it('executes to its header, also with known senders, and beside decoded transactions', async () => {
    const { block } = await oneByOne
    const transactions = packTransactions(block.transactions as Uint8Array[])
    const senders = decodeSigned(transactions, { chainId: 1n }).from
    const decoded = decodeSigned(transactions, { chainId: 1n })
    for (const input of [
      { ...block, transactions },
      { ...block, transactions, senders },
      { ...block, transactions: decoded, signed: transactions },
    ]) {
      const { stateRoot, transactionsRoot: root } = await execute(input)
      expect([stateRoot, root]).toEqual([block.header.stateRoot, block.header.transactionsRoot])
    }
  })

  it('of other transactions than its header says is refused', async () => {
    const { block } = await oneByOne
    const [first, second, ...rest] = block.transactions as Uint8Array[]
    const transactions = packTransactions([second!, first!, ...rest])
    await expect(execute({ ...block, transactions })).rejects.toMatchObject({ field: 'transactionsRoot' })
    await expect(execute({ ...block, transactions: [second!, first!, ...rest] })).rejects.toBeInstanceOf(BlockError)
  })

  it.each([
    ['transactions', (block: BlockInput) => ({ ...block, transactions: { bytes, offsets: offsets.slice(0, -1) } })],
    ['signed', (block: BlockInput) => ({ ...block, signed: { bytes, offsets: offsets.slice(0, -1) } })],
  ])('whose %s do not end with their bytes are refused', async (field, change) => {
    const { block } = await oneByOne
    await expect(execute(change(block))).rejects.toBeInstanceOf(InputError)
    await expect(execute(change(block))).rejects.toThrow(`${field}.offsets[${POOL.length - 1}] must be the length`)
  })

  it('with senders for another number of transactions is refused', async () => {
    const { block } = await oneByOne
    const transactions = packTransactions(block.transactions as Uint8Array[])
    await expect(execute({ ...block, transactions, senders: new Uint32Array(5) })).rejects.toBeInstanceOf(InputError)
  })
})

describe('the size of a block (EIP-7934)', () => {
  const MOST = 8 * 1024 * 1024
  /** Transactions of every kind of item of RLP: legacy, typed, and what is none. */
  const kinds = [Uint8Array.of(0xc0), Uint8Array.of(2), Uint8Array.of(0x80), new Uint8Array(0)]
  const sized = (bytesOfLast: number) => [
    ...kinds,
    ...[54, 55, 56, 254, 255, 256, bytesOfLast].map((n) => new Uint8Array(n).fill(3)),
  ]

  it('is counted to the byte, packed and one by one', async () => {
    const { block } = await oneByOne
    const sizeOf = (transactions: readonly Uint8Array[]): number => {
      const header = RLP.decode(encodeHeader({ ...block.header, transactionsRoot: transactionsRoot(transactions) }))
      const items = transactions.map((raw) => (raw[0]! >= 0xc0 ? RLP.decode(raw) : raw))
      return RLP.encode([header, items, [], []] as never).length
    }
    const last = MOST - sizeOf(sized(MOST - 70_000)) + MOST - 70_000
    expect(sizeOf(sized(last))).toBe(MOST)
    for (const [extra, expected] of [
      [0, /^transaction 0: /],
      [1, `size: ${MOST + 1} bytes of RLP, expected at most ${MOST}`],
    ] as const) {
      const transactions = sized(last + extra)
      const header = { ...block.header, transactionsRoot: transactionsRoot(transactions) }
      await expect(execute({ ...block, header, transactions })).rejects.toThrow(expected)
      await expect(execute({ ...block, header, transactions: packTransactions(transactions) })).rejects.toThrow(
        expected,
      )
    }
  })
})

describe('transactionHashes', () => {
  it('are keccak-256 of all bytes of each, packed and one by one', () => {
    const expected = Buffer.concat(POOL.map((raw) => keccak256(raw)))
    expect(Buffer.from(transactionHashes(POOL)).equals(expected)).toBe(true)
    expect(transactionHashes({ bytes, offsets })).toEqual(transactionHashes(POOL))
    expect(() => transactionHashes([POOL[0]!, 'text' as never])).toThrow('transaction 1: expected the bytes')
  })
})

describe('transactions whose root has been computed', () => {
  it('execute to the header; what their caller does with its bytes afterwards changes nothing', async () => {
    const { block } = await oneByOne
    const given = packTransactions(block.transactions as Uint8Array[])
    const { transactions, root } = rootTransactions(given)
    expect(root).toBe(block.header.transactionsRoot)
    given.bytes.fill(0)
    given.offsets.fill(0)
    expect((await execute({ ...block, transactions })).transactionsRoot).toBe(root)
    expect(() => (transactions as Uint8Array[]).pop()).toThrow(TypeError)
    expect(() => Object.assign(transactions, [Uint8Array.of(0xc0)])).toThrow(TypeError)
  })

  it('are refused under another root, and known by their array alone', async () => {
    const { block } = await oneByOne
    const known = rootTransactions(block.transactions as Uint8Array[])
    const fewer = rootTransactions(known.transactions.slice(1))
    const named = Object.assign(known.transactions.slice(1), { root: known.root, packed: known.packed })
    for (const transactions of [fewer.transactions, named, { ...fewer.packed, root: known.root }])
      await expect(execute({ ...block, transactions })).rejects.toMatchObject({ field: 'transactionsRoot' })
    const header = { ...block.header, transactionsRoot: fewer.root }
    await expect(execute({ ...block, header, transactions: known.transactions })).rejects.toMatchObject({
      field: 'transactionsRoot',
    })
  })
})
