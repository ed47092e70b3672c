import { beforeAll, describe, expect, it } from 'vitest'
import type { BlockHeader } from '../../host/chain/header.ts'
import { headerHash } from '../../host/chain/header.ts'
import { BlockError, type BlockInput, type StreamOptions } from '../../host/flows/block_input.ts'
import { createExecutor, type Executor, ExecutorClosedError, InputError, type StateTrie } from '../../host/index.ts'
import { transactionsRoot } from '../../host/roots/roots.ts'
import type { MemoryState } from '../../host/state/memory_state.ts'
import { createStateTrie, stateRootOf } from '../../host/state/trie/trie.ts'
import { ATTRIBUTES, type BlockWorld, blockWorld, keyed, signed } from '../fixtures/block_world.ts'

const COUNT = 5
const PAYERS = 6

let world: BlockWorld
let blocks: (BlockInput & { readonly transactions: readonly Uint8Array[] })[]

/** Payments of block n, each payer's next nonce. */
const poolOf = (n: number): Uint8Array[] =>
  Array.from({ length: PAYERS }, (_, payer) =>
    signed(
      {
        from: keyed(payer),
        to: keyed((payer + 1 + n) % PAYERS),
        nonce: BigInt(n),
        gasLimit: 21_000n,
        gasPrice: 20n,
        value: 1n,
      },
      'prague',
    ),
  )

beforeAll(async () => {
  world = blockWorld('prague')
  const state = world.state.clone()
  const parentState = createStateTrie(state.dump())
  const executor = createExecutor({ fork: 'prague', chainId: 1n, state, workers: 0 })
  blocks = []
  for (let n = 0; n < COUNT; n++) {
    const parent = blocks.at(-1)?.header ?? world.parent
    const attributes = { ...ATTRIBUTES, timestamp: parent.timestamp + 12n }
    const { block } = await executor.build({ parent, attributes, pool: poolOf(n), parentState })
    blocks.push(block as (typeof blocks)[number])
    expect(block.transactions).toHaveLength(PAYERS)
  }
  executor.close()
})

/** Blocks one after another, with what was asked of them. */
class Source implements AsyncIterable<BlockInput> {
  asked = 0
  isClosed = false
  readonly #blocks: readonly BlockInput[]
  readonly #last: () => Promise<IteratorResult<BlockInput>>

  /** After the blocks comes what `last` gives. */
  constructor(
    given: readonly BlockInput[],
    last = async (): Promise<IteratorResult<BlockInput>> => ({ done: true, value: undefined }),
  ) {
    this.#blocks = given
    this.#last = last
  }

  [Symbol.asyncIterator](): AsyncIterator<BlockInput> {
    return {
      next: async () => {
        const value = this.#blocks[this.asked++]
        return value === undefined ? this.#last() : { done: false, value }
      },
      return: async () => {
        this.isClosed = true
        return { done: true, value: undefined }
      },
    }
  }
}

const SILENT = (): Promise<IteratorResult<BlockInput>> => new Promise(() => {})

interface Ground {
  readonly executor: Executor
  readonly state: MemoryState
  readonly trie: StateTrie
  readonly options: StreamOptions
}

const ground = (options: StreamOptions = {}): Ground => {
  const state = world.state.clone()
  const trie = createStateTrie(state.dump())
  const executor = createExecutor({ fork: 'prague', chainId: 1n, state, workers: 0 })
  return { executor, state, trie, options: { parent: world.parent, parentState: trie, ...options } }
}

/** Root after the first `count` blocks. */
const rootAfter = (count: number): string => (count === 0 ? world.parent : blocks[count - 1]!.header).stateRoot

/** State and trie stand where the first `count` blocks leave them, and the executor goes on from there. */
const expectAt = async (count: number, { executor, state, trie, options }: Ground): Promise<void> => {
  expect(stateRootOf(state.dump())).toBe(rootAfter(count))
  expect(trie.root).toBe(rootAfter(count))
  if (count === COUNT) return
  const parent = blocks[count - 1]?.header ?? world.parent
  await executor.executeBlock(blocks[count]!, { ...options, parent })
  expect(trie.root).toBe(rootAfter(count + 1))
}

/** Results until the stream ends, and what it ended with. */
const drain = async (stream: AsyncIterable<{ readonly stateRoot: string | undefined }>) => {
  const roots: (string | undefined)[] = []
  try {
    for await (const { stateRoot } of stream) roots.push(stateRoot)
    return { roots, thrown: undefined }
  } catch (thrown) {
    return { roots, thrown }
  }
}

const expectedRoots = (count: number) => blocks.slice(0, count).map(({ header }) => header.stateRoot)

describe('executor.stream', () => {
  it.each([1, 2, 16])('commits blocks in order, %d prepared ahead', async (ahead) => {
    const on = ground({ ahead })
    const source = new Source(blocks)
    expect(await drain(on.executor.stream(source, on.options))).toEqual({
      roots: expectedRoots(COUNT),
      thrown: undefined,
    })
    expect(source.isClosed).toBe(false)
    await expectAt(COUNT, on)
    on.executor.close()
  })

  it('takes an array, and a generator', async () => {
    const generated = async function* () {
      yield* blocks
    }
    for (const source of [blocks, generated()]) {
      const on = ground()
      expect((await drain(on.executor.stream(source, on.options))).roots).toEqual(expectedRoots(COUNT))
      on.executor.close()
    }
  })

  it('never has more than `ahead` blocks waiting, and executes none that was not asked for', async () => {
    for (const ahead of [1, 3]) {
      const on = ground({ ahead })
      const source = new Source(blocks)
      const stream = on.executor.stream(source, on.options)
      expect(source.asked).toBe(0)
      for (let n = 1; n <= 2; n++) {
        await stream.next()
        // What can be prepared meanwhile is prepared.
        for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve))
        expect(source.asked).toBe(Math.min(COUNT + 1, n + ahead))
        expect(stateRootOf(on.state.dump())).toBe(rootAfter(n))
      }
      await stream.return()
      on.executor.close()
    }
  })
})

const OTHER = `0x${'5a'.repeat(32)}`

const withHeader = (block: BlockInput, changes: Partial<BlockHeader>): BlockInput => ({
  ...block,
  header: { ...block.header, ...changes },
})

/** The block with its second transaction changed, and a header that says so. */
const withSecond = (n: number, change: (bytes: Uint8Array) => Uint8Array): BlockInput => {
  const transactions = blocks[n]!.transactions.map((bytes, i) => (i === 1 ? change(bytes) : bytes))
  return { ...withHeader(blocks[n]!, { transactionsRoot: transactionsRoot(transactions) }), transactions }
}

/** r, which begins 65 bytes before the end of a transaction, above the order of the curve. */
const withoutKey = (bytes: Uint8Array): Uint8Array => bytes.slice().fill(0xff, bytes.length - 65, bytes.length - 33)

const BAD: readonly (readonly [string, (n: number) => BlockInput, RegExp])[] = [
  [
    'another transactions root',
    (n) => withHeader(blocks[n]!, { transactionsRoot: OTHER }),
    /transactionsRoot: header says/,
  ],
  ['another receipts root', (n) => withHeader(blocks[n]!, { receiptsRoot: OTHER }), /receiptsRoot: header says/],
  ['another state root', (n) => withHeader(blocks[n]!, { stateRoot: OTHER }), /stateRoot: header says/],
  ['another parent', (n) => withHeader(blocks[n]!, { parentHash: OTHER }), /parentHash: header says/],
  [
    'a signature without a key',
    (n) => withSecond(n, withoutKey),
    /transactions: transaction 1: the signature has no public key/,
  ],
  [
    'a transaction that is no RLP',
    (n) => withSecond(n, (bytes) => bytes.subarray(0, 20)),
    /transactions: transaction 1: malformed RLP/,
  ],
  [
    'a nonce that was used',
    (n) => withSecond(n, () => blocks[n]!.transactions[0]!),
    /transactions: transaction 1: nonce too low/,
  ],
]

describe('a stream with a bad block', () => {
  it.each(BAD)('stops at %s, wherever it stands', async (_, make, message) => {
    for (const at of [0, 2, COUNT - 1]) {
      const on = ground()
      const bad = make(at)
      const source = new Source(blocks.map((block, n) => (n === at ? bad : block)))
      const { roots, thrown } = await drain(on.executor.stream(source, on.options))
      expect(roots).toEqual(expectedRoots(at))
      expect(thrown).toBeInstanceOf(BlockError)
      expect((thrown as BlockError).number).toBe(bad.header.number)
      expect((thrown as BlockError).message).toMatch(message)
      expect(source.asked).toBeLessThanOrEqual(at + 4)
      expect(source.isClosed).toBe(source.asked <= COUNT)
      await expectAt(at, on)
      on.executor.close()
    }
  })

  it('takes no block after one that cannot be prepared', async () => {
    const on = ground({ ahead: 16 })
    const source = new Source(blocks.map((block, n) => (n === 1 ? withHeader(block, { parentHash: OTHER }) : block)))
    const stream = on.executor.stream(source, on.options)
    await stream.next()
    for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect(source.asked).toBe(2)
    await expect(stream.next()).rejects.toThrow(/parentHash/)
    expect(source.isClosed).toBe(true)
    on.executor.close()
  })

  it('tells of what is no block at all', async () => {
    const on = ground()
    const source = new Source([blocks[0]!, { transactions: [] } as never, blocks[1]!])
    const { roots, thrown } = await drain(on.executor.stream(source, on.options))
    expect(roots).toEqual(expectedRoots(1))
    expect(thrown).toBeInstanceOf(InputError)
    expect(source.isClosed).toBe(true)
    await expectAt(1, on)
    on.executor.close()
  })
})

describe('the end of a stream', () => {
  it('comes early where its consumer leaves, and the source is told', async () => {
    const on = ground()
    const source = new Source(blocks)
    for await (const { stateRoot } of on.executor.stream(source, on.options)) {
      if (stateRoot === rootAfter(2)) break
    }
    expect(source.isClosed).toBe(true)
    await expectAt(2, on)
    on.executor.close()
  })

  it('is the error of its source, after the results before it', async () => {
    const on = ground()
    const source = new Source(blocks.slice(0, 2), async () => {
      throw new Error('the source has gone')
    })
    const { roots, thrown } = await drain(on.executor.stream(source, on.options))
    expect(roots).toEqual(expectedRoots(2))
    expect(thrown).toEqual(new Error('the source has gone'))
    expect(source.isClosed).toBe(false)
    await expectAt(2, on)
    on.executor.close()
  })

  it('is the reason of its signal, even while the source does not answer', async () => {
    const stop = new AbortController()
    const on = ground({ signal: stop.signal })
    const source = new Source(blocks.slice(0, 1), SILENT)
    const stream = on.executor.stream(source, on.options)
    await stream.next()
    const waiting = stream.next()
    stop.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    expect(source.isClosed).toBe(true)
    await expectAt(1, { ...on, options: { ...on.options, signal: new AbortController().signal } })
    on.executor.close()
  })

  it('comes with a signal while a block runs, which leaves no trace', async () => {
    const stop = new AbortController()
    const on = ground({ signal: stop.signal })
    const stream = on.executor.stream(blocks, on.options)
    const running = stream.next()
    stop.abort(new Error('enough'))
    await expect(running).rejects.toThrow('enough')
    expect(await stream.next()).toEqual({ done: true, value: undefined })
    expect(stateRootOf(on.state.dump())).toBe(rootAfter(0))
    expect(on.trie.root).toBe(rootAfter(0))
    on.executor.close()
  })

  it.each([0, 1])('comes with the end of the executor, after %d blocks', async (count) => {
    const on = ground()
    const source = new Source(blocks.slice(0, count), SILENT)
    const stream = on.executor.stream(source, on.options)
    for (let n = 0; n < count; n++) await stream.next()
    const waiting = stream.next()
    on.executor.close()
    await expect(waiting).rejects.toThrow(ExecutorClosedError)
    expect(source.isClosed).toBe(true)
    expect(stateRootOf(on.state.dump())).toBe(rootAfter(count))
    await expect(on.executor.stream(blocks, on.options).next()).rejects.toThrow(ExecutorClosedError)
  })

  it('comes with the end of the executor while a block runs', async () => {
    const on = ground()
    const source = new Source(blocks)
    const stream = on.executor.stream(source, on.options)
    const running = stream.next()
    on.executor.close()
    await expect(running).rejects.toThrow(ExecutorClosedError)
    expect(source.isClosed).toBe(true)
    expect(stateRootOf(on.state.dump())).toBe(rootAfter(0))
  })
})

describe('other calls beside a stream', () => {
  it('have their turn between its blocks', async () => {
    const on = ground()
    const { header } = blocks[0]!
    const at = {
      number: header.number,
      timestamp: header.timestamp,
      coinbase: header.coinbase,
      gasLimit: header.gasLimit,
      baseFeePerGas: 1n,
      prevRandao: 0n,
    }
    const call = () => on.executor.simulate({ at, calls: [{ from: keyed(0), to: keyed(1), value: 1n }] })
    const stream = on.executor.stream(blocks, on.options)
    const first = stream.next()
    const [beside, second] = [call(), stream.next()]
    expect((await first).value?.stateRoot).toBe(rootAfter(1))
    expect((await beside).status[0]).toBe(1)
    expect((await second).value?.stateRoot).toBe(rootAfter(2))
    expect((await call()).status[0]).toBe(1)
    expect((await stream.next()).value?.stateRoot).toBe(rootAfter(3))
    await stream.return()
    await expectAt(3, on)
    on.executor.close()
  })

  it('that move the trie are found out before the next block is executed', async () => {
    const on = ground()
    const stream = on.executor.stream(blocks, on.options)
    await stream.next()
    await on.executor.executeBlock(blocks[1]!, { ...on.options, parent: blocks[0]!.header })
    await expect(stream.next()).rejects.toThrow(/parentState must be at the parent's state root/)
    await expectAt(2, on)
    on.executor.close()
  })

  it('see a block hash that the caller has given the State before it asks on', async () => {
    const on = ground()
    for await (const { gasUsed } of on.executor.stream(blocks.slice(0, 2), on.options)) {
      expect(gasUsed).toBe(BigInt(21_000 * PAYERS))
      on.state.setBlockHash(blocks[0]!.header.number, headerHash(blocks[0]!.header))
    }
    on.executor.close()
  })
})
