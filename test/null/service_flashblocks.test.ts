import { type Hex, keccak256 } from 'viem'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { bytesToHex } from '../../host/primitives/hex.ts'
import { openFlashblockPort } from '../../service/listener/flashblock_port.ts'
import type { BlockMaker, BuildTerms, MadeBlock } from '../../service/node/block_maker.ts'
import type { Flashblock } from '../../service/node/flashblock.ts'
import { FlashblockJob } from '../../service/node/flashblock_job.ts'
import { FlashblockReader, type WireFlashblock } from '../fixtures/flashblock_reader.ts'
import { attributesJson, opAttributes, payers, payment } from '../fixtures/op_chain.ts'
import { advance, type OpService, SWITCH, startOpService, switching } from '../fixtures/op_service.ts'

const quantity = (value: bigint): string => `0x${value.toString(16)}`
const hashOf = (raw: Uint8Array): string => keccak256(bytesToHex(raw) as Hex)
/** A block lasts for the whole test: payloads end when they are taken. */
const OPTIONS = { intervalMs: 20, blockMs: 60_000, leewayMs: 0, isFixed: true }

describe('payloads in sub-blocks, at Karst', { timeout: 60_000 }, () => {
  let node: OpService
  let follower: OpService
  let reader: FlashblockReader
  const nonces = [0, 0, 0, 0]

  beforeAll(async () => {
    ;[node, follower] = [await startOpService({ flashblocks: OPTIONS }), await startOpService({ isAlone: true })]
  })
  afterAll(async () => {
    await node.close()
    await follower.close()
  })
  beforeEach(async () => {
    reader = await FlashblockReader.open(node.service.ports.flashblocks!)
  })
  afterEach(() => reader.close())

  const begin = async (more: object = {}): Promise<string> => {
    const { hash, header } = node.chain.head
    const attributes = opAttributes(header, Number(header.number) + 1, 'karst')
    const reply = (await node.op.update(hash, hash, attributesJson(attributes, more))).result
    return (reply as { readonly payloadId: string }).payloadId
  }
  const send = async (raw: Uint8Array): Promise<string> => {
    expect((await node.op.ask('eth_sendRawTransaction', bytesToHex(raw))).error).toBeUndefined()
    return bytesToHex(raw)
  }
  const bundle = async (raw: Uint8Array, more: object = {}): Promise<string> => {
    expect((await node.op.ask('eth_sendBundle', { txs: [bytesToHex(raw)], ...more })).error).toBeUndefined()
    return bytesToHex(raw)
  }
  const has =
    (id: string, raw: string) =>
    ({ payload_id, diff }: WireFlashblock): boolean =>
      payload_id === id && diff.transactions.includes(raw)

  test('come to the payload that is taken, which another node executes', async () => {
    const early = await send(await switching(1, nonces[1]!++, { value: 5n }))
    const id = await begin()
    await reader.until(has(id, early))
    const later = [await send(await payment(2, nonces[2]!++)), await send(await switching(1, nonces[1]!++))]
    for (const raw of later) await reader.until(has(id, raw))
    // Nothing new: sub-blocks go on.
    const { index } = reader.all.at(-1)!
    await reader.until((one) => one.payload_id === id && one.index === index + 2)
    const taken = await node.op.take(id)
    const told = reader.of(id)
    const count = told.length
    const { blockValue, ...rest } = taken
    expect(BigInt(blockValue)).toBeGreaterThan(0n)
    await reader.until((one) => one.diff['block_hash'] === taken.executionPayload.blockHash)
    expect(FlashblockReader.envelopeOf(told)).toEqual({ ...rest, blockValue: '0x0' })
    expect(told[0]!.diff.transactions.every((raw) => raw.startsWith('0x7e'))).toBe(true)
    expect(told[0]!.diff.transactions.length).toBe(2)
    await follower.op.insert(taken)
    // Each of them is the end of a block that may stand.
    for (let n = 1; n <= count; n++) {
      const status = await follower.op.insert(FlashblockReader.envelopeOf(told.slice(0, n)))
      expect(status, `${n} sub-blocks`).toMatchObject({ status: 'VALID' })
    }
    await advance(follower, taken)
    await advance(node, taken)
    expect(follower.chain.head.hash).toBe(taken.executionPayload.blockHash)
    await checkMetadata(told)
  })

  /** What was told of receipts and balances is what the other node has after the block. */
  const checkMetadata = async (told: readonly WireFlashblock[]): Promise<void> => {
    const { hash, header } = follower.chain.head
    const receipts = (await follower.op.ask('eth_getBlockReceipts', hash)).result as readonly Readonly<
      Record<string, string>
    >[]
    const wire = new Map(told.flatMap(({ metadata }) => Object.entries(metadata.receipts)))
    expect(wire.size).toBe(receipts.length)
    for (const { transactionHash, type, status, cumulativeGasUsed, logs, depositNonce } of receipts) {
      const name = type === '0x7e' ? 'Deposit' : 'Eip1559'
      const deposit = type === '0x7e' ? { depositNonce, depositReceiptVersion: '0x1' } : {}
      expect(wire.get(transactionHash!)).toEqual({ [name]: { status, cumulativeGasUsed, logs, ...deposit } })
    }
    const { new_account_balances: balances, block_number: number } = told.at(-1)!.metadata
    expect(BigInt(number)).toBe(header.number)
    expect(balances[payers[2]!.address.toLowerCase()]).toBeDefined()
    for (const [address, wei] of Object.entries(balances))
      expect((await follower.op.ask('eth_getBalance', address, 'latest')).result, address).toBe(wei)
  }

  test('take bundles into the sub-blocks that they name, and leave those that fail to a later one', async () => {
    await send(await switching(1, nonces[1]!++, { value: 0n }))
    const id = await begin()
    await reader.until((one) => one.payload_id === id && one.index === 1)
    const third = await bundle(await payment(2, nonces[2]!++), { minFlashblockNumber: 6, maxFlashblockNumber: 9_000 })
    const never = await bundle(await payment(3, nonces[3]!), { maxFlashblockNumber: 0 })
    const needsSwitch = await bundle(await switching(1, nonces[1]!++))
    const { index } = await reader.until(has(id, third))
    expect(index).toBeGreaterThanOrEqual(6)
    expect(reader.of(id).some((one) => has(id, needsSwitch)(one))).toBe(false)
    const on = await send(await switching(2, nonces[2]!++, { value: 1n, tip: 20n }))
    await reader.until(has(id, on))
    await reader.until(has(id, needsSwitch))
    const taken = await node.op.take(id)
    expect(taken.executionPayload.transactions).not.toContain(never)
    expect(await follower.op.insert(taken)).toMatchObject({ status: 'VALID' })
    await advance(node, taken)
    await advance(follower, taken)
  })

  test('end with the next payload, whose stream begins at 0, and begin anew where they were given up', async () => {
    const first = await begin()
    await reader.until((one) => one.payload_id === first && one.index === 1)
    const second = await begin({ prevRandao: `0x${'5a'.repeat(32)}` })
    expect(second).not.toBe(first)
    await reader.until((one) => one.payload_id === second && one.index === 2)
    const ids = reader.all.map(({ payload_id }) => payload_id)
    expect(ids.lastIndexOf(first)).toBeLessThan(ids.indexOf(second))
    expect((await node.op.take(first)).executionPayload.blockHash).toBe(reader.of(first).at(-1)!.diff['block_hash'])
    // The same as the first one, which goes on with what has come since.
    const late = await send(await payment(2, nonces[2]!++))
    expect(await begin()).toBe(first)
    const again = await reader.until(has(first, late))
    const fresh = reader.all.slice(reader.all.findLastIndex(({ payload_id: id }) => id === second) + 1)
    expect(fresh[0]).toMatchObject({ payload_id: first, index: 0 })
    const taken = await node.op.take(first)
    expect(taken.executionPayload.transactions).toContain(late)
    expect(again.index).toBeGreaterThan(0)
    expect(await follower.op.insert(taken)).toMatchObject({ status: 'VALID' })
    for (const one of [node, follower]) await advance(one, taken)
  })

  test('are not told of a payload that follows another chain', async () => {
    const derived = await begin({ noTxPool: true })
    const taken = await node.op.take(derived)
    expect(taken.executionPayload.transactions.every((raw) => raw.startsWith('0x7e'))).toBe(true)
    expect(reader.of(derived)).toEqual([])
    for (const one of [node, follower]) await advance(one, taken)
  })

  test('are what is pending, until the head is another block', async () => {
    const pending = async (method: string, ...params: readonly unknown[]): Promise<unknown> => {
      const { result, error } = await node.op.ask(method, ...params)
      expect(error).toBeUndefined()
      return result
    }
    const receiver = `0x${(0x9900 + nonces[2]!).toString(16).padStart(40, '0')}`
    const payer = payers[2]!.address
    const depositor = payers[0]!.address
    const nonceBefore = (await pending('eth_getTransactionCount', depositor, 'latest')) as string
    const { hash, number } = { hash: node.chain.head.hash, number: node.chain.head.header.number }
    const head = (await pending('eth_getBlockByNumber', 'pending', false)) as { readonly hash: string }
    expect(head.hash, 'nothing is built on the head').toBe(hash)
    const id = await begin()
    const raw = await send(await payment(2, nonces[2]!++))
    const off = await send(await switching(1, nonces[1]!++, { value: 0n }))
    const told = [await reader.until(has(id, raw)), await reader.until(has(id, off))]
    const last = told[0]!.index > told[1]!.index ? told[0]! : told[1]!
    const block = (await pending('eth_getBlockByNumber', 'pending', true)) as {
      readonly hash: string
      readonly number: string
      readonly transactions: readonly { readonly hash: string; readonly blockNumber: string }[]
    }
    expect(block.hash).toBe(last.diff['block_hash'])
    expect(block.number).toBe(quantity(number + 1n))
    expect(block.transactions.map((one) => one.hash)).toContain(keccak256(raw as Hex))
    expect(await pending('eth_getBlockTransactionCountByNumber', 'pending')).toBe(
      quantity(BigInt(block.transactions.length)),
    )
    expect(((await pending('eth_getBlockReceipts', 'pending')) as readonly unknown[]).length).toBe(
      block.transactions.length,
    )
    expect(await pending('eth_getBalance', receiver, 'pending')).toBe('0x3e8')
    expect(await pending('eth_getBalance', receiver, 'latest')).toBe('0x0')
    expect(await pending('eth_getTransactionCount', payer, 'pending')).toBe(quantity(BigInt(nonces[2]!)))
    // A deposit is in no pool.
    expect(BigInt((await pending('eth_getTransactionCount', depositor, 'pending')) as string)).toBeGreaterThan(
      BigInt(nonceBefore),
    )
    expect(await pending('eth_getStorageAt', SWITCH, '0x0', 'pending')).toBe(`0x${'0'.repeat(64)}`)
    expect(await pending('eth_getStorageAt', SWITCH, '0x0', 'latest')).toBe(`0x${'1'.padStart(64, '0')}`)
    expect(await pending('eth_getCode', SWITCH, 'pending')).toBe(await pending('eth_getCode', SWITCH, 'latest'))
    const call = { to: SWITCH }
    expect((await node.op.ask('eth_call', call, 'pending')).error?.message).toBe('execution reverted')
    expect(await pending('eth_call', call, 'latest')).toBe('0x')
    expect((await node.op.ask('eth_estimateGas', call, 'pending')).error?.message).toBe('execution reverted')
    await node.op.take(id)
    // The head is a beginning of it, beside which the whole block stands.
    const beginning = FlashblockReader.envelopeOf(reader.of(id).slice(0, 1))
    await advance(node, beginning)
    expect(node.chain.head.hash).toBe(beginning.executionPayload.blockHash)
    expect(((await pending('eth_getBlockByNumber', 'pending', false)) as { readonly hash: string }).hash).toBe(
      node.chain.head.hash,
    )
  })
})

describe('a payload that is given up while a sub-block is built', () => {
  /** As the chain makes it, as far as a job looks at it. */
  const made = (n: number): MadeBlock =>
    ({
      built: { hash: `0x${n}`, block: { header: {} }, execution: { writes: NO_WRITES } },
      payload: {
        payload: { transactions: { bytes: new Uint8Array(0), offsets: new Uint32Array(1) }, blockHash: `0x${n}` },
      },
      taken: [],
    }) as unknown as MadeBlock
  const NO_WRITES = { deletedAccounts: [], accountCount: 0 }

  test.each([
    ['the first one', true],
    ['another one', false],
  ])('tells nothing more: %s', async (_, isFirst) => {
    let end: (block: MadeBlock) => void = () => undefined
    const ended = new Promise<MadeBlock>((resolve) => {
      end = resolve
    })
    let begin: () => void = () => undefined
    const begun = new Promise<void>((resolve) => {
      begin = resolve
    })
    const build = (): Promise<MadeBlock> => {
      begin()
      return ended
    }
    const maker = {
      makeEmpty: () => (isFirst ? build() : Promise.resolve(made(1))),
      candidates: () => [{}],
      make: build,
    } as unknown as BlockMaker
    const told: number[] = []
    const terms = { id: '0x1', attributes: { timestamp: 0n } } as unknown as BuildTerms
    const options = { ...OPTIONS, intervalMs: 1 }
    const publish = ({ index }: Flashblock): number => told.push(index)
    const job = new FlashblockJob(terms, options, { maker, receipts: () => [], publish })
    await begun
    job.abandon()
    end(made(2))
    const { payload } = await job.finish()
    expect(told).toEqual(isFirst ? [] : [0])
    expect(payload.blockHash).toBe(isFirst ? '0x2' : '0x1')
  })
})

describe('the port of sub-blocks', () => {
  const flashblock = (index: number, bytes: number): Flashblock => ({
    payloadId: '0x0300000000000001',
    index,
    base: undefined,
    diff: {
      stateRoot: hashOf(Uint8Array.of(1)),
      receiptsRoot: hashOf(Uint8Array.of(2)),
      logsBloom: '0x',
      gasUsed: 1n,
      blockHash: hashOf(Uint8Array.of(3)),
      transactions: [new Uint8Array(bytes)],
      withdrawals: [],
      withdrawalsRoot: hashOf(Uint8Array.of(4)),
      blobGasUsed: undefined,
    },
    metadata: { blockNumber: 1n, balances: [], receipts: [] },
  })
  const LIMITS = { host: '127.0.0.1', port: 0, connections: 2, queueBytes: 1 << 16, pingMs: 20_000 }

  test('drops who does not read and goes on with the others', async () => {
    const port = await openFlashblockPort(LIMITS)
    const [fast, slow] = [await FlashblockReader.open(port.port), await FlashblockReader.open(port.port)]
    slow.socket.pause()
    const dropped = new Promise<number>((resolve) => slow.socket.once('close', resolve))
    const count = 40
    for (let index = 0; index < count; index++) {
      port.tell(flashblock(index, 1 << 18))
      await fast.until((one) => one.index === index)
    }
    slow.socket.resume()
    expect(await dropped).toBe(1006)
    expect(slow.all.length).toBeLessThan(count)
    expect(fast.all.map(({ index }) => index)).toEqual(Array.from({ length: count }, (_, index) => index))
    await fast.close()
    await port.close()
  })

  test('answers a ping with what it says, bears so many connections, and refuses pages', async () => {
    const port = await openFlashblockPort(LIMITS)
    const readers = [await FlashblockReader.open(port.port), await FlashblockReader.open(port.port)]
    const said = Buffer.from('0123456789abcdef')
    const pong = new Promise<Buffer>((resolve) => readers[0]!.socket.once('pong', resolve))
    readers[0]!.socket.ping(said)
    expect(await pong).toEqual(said)
    const third = await FlashblockReader.open(port.port)
    expect(await new Promise((resolve) => third.socket.once('close', resolve))).toBe(1013)
    const page = new WebSocket(`ws://127.0.0.1:${port.port}`, { origin: 'https://evil.example' })
    expect((await new Promise<Error>((resolve) => page.once('error', resolve))).message).toMatch(/401/)
    const ended = readers.map(({ socket }) => new Promise((resolve) => socket.once('close', resolve)))
    await port.close()
    expect(await Promise.all(ended)).toEqual([1001, 1001])
  })

  test('drops who says nothing from one ping to the next', async () => {
    const port = await openFlashblockPort({ ...LIMITS, pingMs: 20 })
    const silent = new WebSocket(`ws://127.0.0.1:${port.port}`, { autoPong: false })
    expect(await new Promise((resolve) => silent.once('close', resolve))).toBe(1006)
    await port.close()
  })
})
