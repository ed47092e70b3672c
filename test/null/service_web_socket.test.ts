import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseGenesis } from '../../host/flows/chain/genesis.ts'
import { openChain } from '../../host/flows/chain/open_chain.ts'
import type { HeadChange } from '../../host/index.ts'
import { originRule } from '../../service/listener/origins.ts'
import type { Listeners } from '../../service/listener/ports.ts'
import type { LogView } from '../../service/node/views.ts'
import { RPC_CODE } from '../../service/rpc_error.ts'
import { keyed, signed } from '../fixtures/block_world.ts'
import { builtGenesis } from '../fixtures/built_chain.ts'
import { ConsensusClient } from '../fixtures/consensus_client.ts'
import { servedChain } from '../fixtures/served_chain.ts'
import { call, heldNumber, portsOf, post, token } from '../fixtures/service_ports.ts'
import { WebSocketClient } from '../fixtures/web_socket_client.ts'

const hashOf = (n: number): string => `0x${n.toString(16).padStart(64, '0')}`
const addressOf = (n: number): string => `0x${n.toString(16).padStart(40, '0')}`

const blockOf = (n: number, extraData = '0x'): HeadChange['applied'][number] => ({
  hash: hashOf(n),
  header: {
    parentHash: hashOf(n - 1),
    uncleHash: hashOf(0),
    coinbase: addressOf(1),
    stateRoot: hashOf(0),
    transactionsRoot: hashOf(0),
    receiptsRoot: hashOf(0),
    logsBloom: '0x',
    difficulty: 0n,
    number: BigInt(n),
    gasLimit: 30n,
    gasUsed: 20n,
    timestamp: 10n,
    extraData,
    mixHash: hashOf(0),
    nonce: '0x0000000000000000',
  },
})
const came = (...blocks: readonly number[]): HeadChange => ({ undone: [], applied: blocks.map((n) => blockOf(n)) })

/** A block n has a log of contract n and one of contract 1, whose topic is n. */
const logsOfBlock = async (hash: string): Promise<readonly LogView[]> => {
  const place = { blockHash: hash, blockNumber: BigInt(hash), blockTimestamp: 10n, index: 0 }
  const log = { topics: [hash], data: Uint8Array.of(1), place, transactionHash: hash }
  return [
    { ...log, address: addressOf(Number(hash)), logIndex: 0 },
    { ...log, address: addressOf(1), logIndex: 1 },
  ]
}

const CHAIN = { logsOfBlock, transaction: async () => undefined }
const NUMBER = { jsonrpc: '2.0', id: 1, result: '0x7' }

let listeners: Listeners
let port: number
beforeAll(async () => {
  listeners = await portsOf(CHAIN)
  port = listeners.ports.ws!
})
afterAll(() => listeners.close())

describe('JSON-RPC over a WebSocket', () => {
  it('answers calls, batches and faults as over HTTP, and a notification with nothing', async () => {
    const client = await WebSocketClient.open(port)
    expect(await client.ask('eth_blockNumber')).toStrictEqual(NUMBER)
    const one = { jsonrpc: '2.0', id: 1, method: 'eth_blockNumber' }
    client.send({ jsonrpc: '2.0', method: 'eth_blockNumber' })
    for (const request of [[one], [one, 7], Array.from({ length: 6 }, () => one), [], '{', one]) {
      client.send(request)
      const text = typeof request === 'string' ? request : JSON.stringify(request)
      expect(await client.next()).toStrictEqual(JSON.parse((await post(listeners.ports.http!, text)).text))
    }
    expect(await client.ask('web3_clientVersion'), 'a name space that is not there').toMatchObject({
      error: { code: RPC_CODE.methodNotFound },
    })
    await client.close()
  })

  it('ends a connection whose message is larger than a body may be', async () => {
    const client = await WebSocketClient.open(port)
    client.send(`"${' '.repeat((1 << 20) - 2)}"`)
    expect(await client.next()).toMatchObject({ error: { code: RPC_CODE.invalidRequest } })
    client.send(`"${' '.repeat((1 << 20) - 1)}"`)
    expect(await client.closed).toBe(1009)
  })

  it('lets programs in, and the pages of its origins alone', async () => {
    const status = (headers: Record<string, string>): Promise<string> =>
      WebSocketClient.open(port, headers).then(
        async (client) => {
          await client.close()
          return 'open'
        },
        (thrown: Error) => thrown.message,
      )
    expect(await status({ origin: 'https://wallet.example' })).toBe('open')
    expect(await status({ origin: 'https://evil.example' })).toMatch(/403/)
    expect(await status({ host: 'evil.example' })).toMatch(/403/)
    expect((await post(port, '{}')).status, 'no calls over POST').toBe(405)
  })

  it.each([
    [[], 'http://localhost:3000', true],
    [[], 'https://localhost', false],
    [[], 'http://evil.example', false],
    [['*'], 'null', true],
    [['wallet.example'], 'http://wallet.example:99', true],
    [['https://wallet.example'], 'http://wallet.example', false],
    [['https://wallet.example:8'], 'https://WALLET.example:8', true],
    [['https://wallet.example:8'], 'https://wallet.example', false],
    [['wallet.example'], 'https://wallet.example.evil.example', false],
  ])('with the rules %j lets origin %s in: %s', (rules, origin, isAllowed) => {
    expect(originRule(rules)(origin)).toBe(isAllowed)
    expect(originRule(rules)(undefined)).toBe(true)
  })

  it('shares the port of HTTP where both have one number', async () => {
    const free = await portsOf(CHAIN)
    const { http } = free.ports
    await free.close()
    const shared = await portsOf(CHAIN, {}, { http: http!, ws: http!, auth: 0 })
    expect(shared.ports.ws).toBe(http)
    const client = await WebSocketClient.open(http!)
    expect(await client.ask('eth_blockNumber')).toStrictEqual(NUMBER)
    expect(
      JSON.parse((await post(http!, JSON.stringify({ ...NUMBER, method: 'eth_blockNumber', result: undefined }))).text),
    ).toStrictEqual(NUMBER)
    await client.close()
    await shared.close()
  })

  it('takes a token at the handshake on the auth port, and asks for none later', async () => {
    const auth = listeners.ports.auth!
    await expect(WebSocketClient.open(auth)).rejects.toThrow('401')
    await expect(WebSocketClient.open(auth, { authorization: `Bearer ${await token({ iat: 1 })}` })).rejects.toThrow(
      '401',
    )
    const client = await WebSocketClient.open(auth, { authorization: `Bearer ${await token()}` })
    expect(await client.ask('engine_exchangeCapabilities', [])).toMatchObject({
      result: expect.arrayContaining(['engine_newPayloadV4']),
    })
    await client.close()
  })

  it('reads no more messages than it answers at once', async () => {
    const answers: ((number: bigint) => void)[] = []
    let asked: () => void = () => undefined
    const busy = await portsOf({
      blockNumber: () =>
        new Promise((resolve) => {
          answers.push(resolve)
          asked()
        }),
    })
    const client = await WebSocketClient.open(busy.ports.ws!)
    const four = new Promise<void>((resolve) => {
      asked = () => answers.length === 4 && resolve()
    })
    for (let id = 0; id < 10; id++) client.send({ ...NUMBER, id, result: undefined, method: 'eth_blockNumber' })
    await four
    // A round trip over another connection: what was to be read before it has been.
    await call(busy.ports.http!, 'eth_chainId', [])
    expect(answers.length).toBe(4)
    asked = () => answers.shift()!(7n)
    for (const answer of answers.splice(0)) answer(7n)
    for (let id = 0; id < 10; id++) expect(await client.next()).toMatchObject({ result: '0x7' })
    await client.close()
    await busy.close()
  })

  it('answers what it has begun before it closes', async () => {
    const { blockNumber, begun, answer } = heldNumber()
    const closing = await portsOf({ blockNumber })
    const [client, idle] = await Promise.all([1, 2].map(() => WebSocketClient.open(closing.ports.ws!)))
    const reply = client!.ask('eth_blockNumber')
    await begun
    const closed = closing.close()
    expect(await idle!.closed).toBe(1001)
    answer(7n)
    expect(await reply).toStrictEqual(NUMBER)
    expect(await client!.closed).toBe(1001)
    await closed
  })

  it('drops a connection that gives no sign of life, and no other', async () => {
    const watched = await portsOf(CHAIN, { pingMs: 40 })
    const open = (autoPong: boolean) => WebSocketClient.open(watched.ports.ws!, {}, { autoPong })
    const [alive, dead] = await Promise.all([open(true), open(false)])
    expect(await dead.closed).toBe(1006)
    expect(await alive.ask('eth_blockNumber')).toStrictEqual(NUMBER)
    await alive.close()
    await watched.close()
  })
})

describe('subscriptions', () => {
  const subscribe = async (client: WebSocketClient, ...params: readonly unknown[]): Promise<string> => {
    const { result } = (await client.ask('eth_subscribe', ...params)) as { readonly result: string }
    expect(result).toMatch(/^0x[0-9a-f]{32}$/)
    return result
  }
  const told = (subscription: string, result: unknown) => ({
    jsonrpc: '2.0',
    method: 'eth_subscription',
    params: { subscription, result },
  })

  it('tell of each head in order, until they end', async () => {
    const client = await WebSocketClient.open(port)
    const id = await subscribe(client, 'newHeads')
    await listeners.feeds.headChanged(came(2, 3))
    for (const n of [2, 3]) {
      const head = expect.objectContaining({ number: `0x${n}`, hash: hashOf(n), gasUsed: '0x14', miner: addressOf(1) })
      expect(await client.next()).toStrictEqual(told(id, head))
    }
    expect(await client.ask('eth_unsubscribe', id)).toMatchObject({ result: true })
    expect(await client.ask('eth_unsubscribe', id)).toMatchObject({ error: { code: RPC_CODE.server } })
    await listeners.feeds.headChanged(came(4))
    expect(await client.ask('eth_blockNumber')).toStrictEqual(NUMBER)
    await client.close()
  })

  it('tell of logs that pass the filter, of those of blocks that left the chain as removed, and first', async () => {
    const client = await WebSocketClient.open(port)
    const every = await subscribe(client, 'logs')
    const some = await subscribe(client, 'logs', { address: addressOf(1), topics: [[hashOf(5), hashOf(6)]] })
    await listeners.feeds.headChanged({ undone: [blockOf(4)], applied: [blockOf(5)] })
    const log = (n: number, address: number, removed: boolean) =>
      expect.objectContaining({ address: addressOf(address), topics: [hashOf(n)], blockHash: hashOf(n), removed })
    const expected = [
      told(every, log(4, 4, true)),
      told(every, log(4, 1, true)),
      told(every, log(5, 5, false)),
      told(every, log(5, 1, false)),
      told(some, log(5, 1, false)),
    ]
    for (const message of expected) expect(await client.next()).toStrictEqual(message)
    await client.close()
  })

  it('tell of transactions of the pool by hash or in full, and of one that has left it by hash alone', async () => {
    const transaction = { from: addressOf(1), nonce: 3n, gasLimit: 21_000n, type: 2 as const, value: 5n }
    const view = { hash: hashOf(1), transaction, gasPrice: 1n, chainId: 1n, v: 0n, r: 1n, s: 1n, place: undefined }
    const pooled = await portsOf({ transaction: async (hash) => (hash === hashOf(1) ? view : undefined) })
    const client = await WebSocketClient.open(pooled.ports.ws!)
    const short = await subscribe(client, 'newPendingTransactions')
    const full = await subscribe(client, 'newPendingTransactions', true)
    await pooled.feeds.pooled([hashOf(1), hashOf(2)])
    expect(await client.next()).toStrictEqual(told(short, hashOf(1)))
    expect(await client.next()).toStrictEqual(
      told(full, expect.objectContaining({ hash: hashOf(1), nonce: '0x3', blockHash: null })),
    )
    expect(await client.next()).toStrictEqual(told(short, hashOf(2)))
    expect(await client.ask('eth_blockNumber')).toStrictEqual(NUMBER)
    await client.close()
    await pooled.close()
  })

  it('tell of nothing before the reply that names them, which other calls of the batch may keep waiting', async () => {
    const { blockNumber, begun, answer } = heldNumber()
    const slow = await portsOf({ blockNumber })
    const client = await WebSocketClient.open(slow.ports.ws!)
    client.send([
      { jsonrpc: '2.0', id: 1, method: 'eth_subscribe', params: ['newHeads'] },
      { jsonrpc: '2.0', id: 2, method: 'eth_blockNumber' },
    ])
    await begun
    await slow.feeds.headChanged(came(2, 3))
    answer(7n)
    const [{ result }] = (await client.next()) as [{ readonly result: string }]
    for (const n of [2, 3])
      expect(await client.next()).toStrictEqual(told(result, expect.objectContaining({ hash: hashOf(n) })))
    await client.close()
    await slow.close()
  })

  it('are refused over HTTP, of other kinds, with other filters, and beyond their number', async () => {
    const client = await WebSocketClient.open(port)
    const fault = async (...params: readonly unknown[]) => (await client.ask('eth_subscribe', ...params)) as object
    expect(await fault('newBlocks')).toMatchObject({ error: { code: RPC_CODE.invalidParams } })
    expect(await fault()).toMatchObject({ error: { code: RPC_CODE.invalidParams } })
    expect(await fault('logs', { address: '0x1' })).toMatchObject({ error: { code: RPC_CODE.invalidParams } })
    expect(await fault('newPendingTransactions', {})).toMatchObject({ error: { code: RPC_CODE.invalidParams } })
    for (let n = 0; n < 3; n++) await subscribe(client, 'newHeads')
    expect(await fault('newHeads')).toMatchObject({ error: { code: RPC_CODE.limitExceeded } })
    expect(await call(listeners.ports.http!, 'eth_subscribe', ['newHeads'])).toMatchObject({
      error: { code: RPC_CODE.methodNotFound, message: 'notifications not supported' },
    })
    await client.close()
  })

  it('end with a reader for whom more waits than its queue holds, and with no other', async () => {
    const client = await WebSocketClient.open(port)
    const id = await subscribe(client, 'newHeads')
    // Reads nothing after its handshake.
    const slow = connect(port, '127.0.0.1')
    const body = Buffer.from('{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}')
    slow.write(
      `GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`,
    )
    await once(slow, 'data')
    slow.write(Buffer.concat([Buffer.from([0x81, 0x80 | body.length, 0, 0, 0, 0]), body]))
    await once(slow, 'data')
    slow.pause()
    const gone = once(
      slow.on('error', () => undefined),
      'close',
    )
    const large = blockOf(2, `0x${'00'.repeat(1 << 18)}`)
    // The queue of 1 MiB, what the system holds for both ends, and twice as much again.
    let dropped = false
    void gone.then(() => {
      dropped = true
    })
    for (let n = 0; n < 64 && !dropped; n++) {
      await listeners.feeds.headChanged({ undone: [], applied: [large] })
      expect(await client.next()).toMatchObject(told(id, expect.objectContaining({ hash: hashOf(2) })))
    }
    slow.resume()
    await gone
    await client.close()
  })
})

describe('a node', () => {
  it('tells of what becomes pending when its gap closes, and of the head that takes it', async () => {
    const path = mkdtempSync(join(tmpdir(), 'wgevm-feeds-'))
    const chain = await openChain({ path, genesis: parseGenesis(builtGenesis()), executor: { workers: 0 } })
    const service = await servedChain(chain)
    const consensus = new ConsensusClient(service.ports.auth!, {
      hash: chain.head.hash,
      time: Number(chain.head.header.timestamp),
    })
    const client = await WebSocketClient.open(service.ports.ws!)
    await client.ask('eth_subscribe', 'newPendingTransactions')
    await client.ask('eth_subscribe', 'newHeads')
    const send = async (nonce: bigint): Promise<unknown> => {
      const fees = { maxFeePerGas: 1000n, maxPriorityFeePerGas: 3n, gasLimit: 21_000n, type: 2 as const }
      const bytes = signed({ from: keyed(0), to: keyed(1), nonce, ...fees }, 'osaka')
      const raw = `0x${Buffer.from(bytes).toString('hex')}`
      return (await call(service.ports.http!, 'eth_sendRawTransaction', [raw])).result
    }
    const later = await send(1n)
    const first = await send(0n)
    for (const result of [first, later]) expect(await client.next()).toMatchObject({ params: { result } })
    const block = await consensus.take(await consensus.begin())
    expect(block.payload.transactions).toHaveLength(2)
    await consensus.follow(block)
    const { blockHash: hash, stateRoot } = block.payload
    expect(await client.next()).toMatchObject({ params: { result: { hash, stateRoot, number: '0x1' } } })
    await client.close()
    await service.close()
    await chain.close()
    rmSync(path, { recursive: true })
  })
})
