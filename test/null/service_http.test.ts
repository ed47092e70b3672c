import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { jwtAuthorize, readSecret } from '../../service/listener/jwt.ts'
import type { Listeners } from '../../service/listener/ports.ts'
import { heldNumber, PORT, portsOf, post, SECRET, token } from '../fixtures/service_ports.ts'

let listeners: Listeners
let port: number
let authPort: number

beforeAll(async () => {
  listeners = await portsOf({})
  port = listeners.ports.http!
  authPort = listeners.ports.auth!
})
afterAll(() => listeners.close())

const CALL = '{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber"}'
const NUMBER = '{"jsonrpc":"2.0","id":1,"result":"0x7"}'

/** All that a connection says until it ends. */
const talk = async (text: string, ends = true, to = port): Promise<string> => {
  const socket = connect(to, '127.0.0.1')
  let heard = ''
  socket.on('data', (chunk: Buffer) => {
    heard += chunk.toString()
  })
  socket.on('error', () => undefined)
  socket.write(text)
  if (ends) socket.end()
  await once(socket, 'close')
  return heard
}

const head = (length: number, more = ''): string =>
  `POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n${more}\r\n`

describe('a port', () => {
  it('takes a body as large as its limit and refuses one byte more, told or not', async () => {
    const most = PORT.limits.bodyBytes
    expect((await post(port, CALL.padEnd(most))).text).toBe(NUMBER)
    expect((await post(port, CALL.padEnd(most + 1))).status).toBe(413)
    const chunk = `10000\r\n${' '.repeat(0x10000)}\r\n`
    const chunked = head(0).replace('Content-Length: 0', 'Transfer-Encoding: chunked')
    expect(await talk(`${chunked}${chunk.repeat(16)}1\r\n `, false)).toMatch(/^HTTP\/1.1 413 /)
  })

  it.each([
    ['text/plain', 415],
    ['', 415],
    ['application/json; charset=utf-8', 200],
    ['application/json-rpc', 200],
  ])('answers content type %j with %i', async (type, status) => {
    expect((await post(port, CALL, { 'content-type': type })).status).toBe(status)
  })

  it('answers other methods, paths and hosts with what is wrong', async () => {
    const get = async (path: string, method = 'GET') =>
      (await fetch(`http://127.0.0.1:${port}${path}`, { method })).status
    expect(await Promise.all([get('/healthz'), get('/'), get('/', 'PUT'), get('/', 'DELETE')])).toStrictEqual([
      200, 404, 405, 405,
    ])
    expect(await talk(head(0).replace('localhost', 'evil.example:8545'), false)).toMatch(/^HTTP\/1.1 403 /)
  })

  it('ends connections that send half a head or half a body, and serves the others meanwhile', async () => {
    const hasty = await portsOf({}, { headMs: 100, requestMs: 200 })
    const to = hasty.ports.http!
    const slow = [talk('POST / HTTP/1.1\r\nHost: local', false, to), talk(`${head(CALL.length)}{"json`, false, to)]
    const halves = [talk(`${head(CALL.length)}{"json`), talk('POST / HT'), talk('\u0000\u0001\u0002')]
    expect((await post(port, CALL)).text).toBe(NUMBER)
    expect((await post(to, CALL)).text).toBe(NUMBER)
    for (const heard of await Promise.all(slow)) expect(heard).toMatch(/^HTTP\/1.1 408 /)
    await hasty.close()
    await Promise.all(halves)
    expect((await post(port, CALL)).text).toBe(NUMBER)
  })

  it('drops a reader that does not take its reply, whatever it goes on to ask', async () => {
    // More than the system holds for both ends.
    const large = await portsOf({ blockNumber: async () => 1n << (4n * (20n << 20n)) }, { headMs: 100, requestMs: 150 })
    const socket = connect(large.ports.http!, '127.0.0.1')
    const dropped = new Promise((resolve) => socket.on('error', resolve))
    socket.write(`${head(CALL.length)}${CALL}`)
    await once(socket, 'readable')
    const asking = setInterval(() => socket.write(`${head(CALL.length)}${CALL}`), 20)
    await dropped
    clearInterval(asking)
    socket.destroy()
    await large.close()
  })

  it('answers what it has begun before it closes, and takes nothing more', async () => {
    const { blockNumber, begun, answer } = heldNumber()
    const closing = await portsOf({ blockNumber })
    const reply = post(closing.ports.http!, CALL)
    await begun
    const closed = closing.close()
    await expect(post(closing.ports.http!, CALL)).rejects.toThrow()
    answer(7n)
    expect((await reply).text).toBe(NUMBER)
    await closed
  })

  it('ends a reply that its reader takes slowly before it closes', async () => {
    // More than the system holds for both ends.
    const digits = 20 << 20
    const closing = await portsOf({ blockNumber: async () => 1n << (4n * BigInt(digits - 1)) })
    const socket = connect(closing.ports.http!, '127.0.0.1')
    socket.write(`${head(CALL.length)}${CALL}`)
    await once(socket, 'readable')
    const closed = closing.close()
    const chunks: Buffer[] = []
    for await (const chunk of socket) chunks.push(chunk as Buffer)
    await closed
    const reply = Buffer.concat(chunks)
    const body = reply.subarray(reply.indexOf('{'))
    expect(body.subarray(0, NUMBER.length - 4).toString()).toBe(NUMBER.slice(0, -4))
    expect(body.length).toBe(digits + NUMBER.length - 1)
  })

  it.each(['h2c', 'h2c, websocket', 'TLS/1.0'])('answers a request that offers to go on with %s', async (upgrade) => {
    const asked = async (to: number, method: string, path: string, more: object = {}): Promise<string> => {
      const headers = { 'content-type': 'application/json', connection: 'Upgrade', upgrade, ...more }
      const sent = request({ host: '127.0.0.1', port: to, method, path, headers, agent: false })
      sent.end(method === 'POST' ? CALL : undefined)
      const [response] = (await once(sent, 'response')) as [IncomingMessage]
      const body = await text(response)
      sent.destroy()
      return `${response.statusCode} ${body}`
    }
    const authorization = `Bearer ${await token()}`
    expect(await asked(port, 'POST', '/')).toBe(`200 ${NUMBER}`)
    expect(await asked(authPort, 'POST', '/', { authorization })).toBe(`200 ${NUMBER}`)
    expect(await asked(authPort, 'POST', '/')).toBe('401 missing token\n')
    expect(await asked(authPort, 'POST', '/', { authorization, upgrade: 'websocket' })).toBe(`200 ${NUMBER}`)
    expect(await asked(authPort, 'GET', '/')).toBe('404 there is no such page\n')
    expect(await asked(port, 'GET', '/healthz')).toBe('200 {"status":"ok","head":7}')
  })

  it('opens all of its ports or none', async () => {
    const free = await portsOf({})
    const { http } = free.ports
    await free.close()
    await expect(portsOf({}, {}, { http: http!, auth: port })).rejects.toThrow('EADDRINUSE')
    await expect(post(http!, CALL)).rejects.toThrow()
    expect((await post(port, CALL)).text).toBe(NUMBER)
  })

  it('serves with 1,000 connections open', async () => {
    const sockets = await Promise.all(
      Array.from({ length: 1000 }, async (): Promise<Socket> => {
        const socket = connect(port, '127.0.0.1')
        await once(socket, 'connect')
        return socket
      }),
    )
    const answers = sockets.map(async (socket) => {
      socket.write(`${head(CALL.length)}${CALL}`)
      const [chunk] = (await once(socket, 'data')) as [Buffer]
      return chunk.toString().endsWith(NUMBER)
    })
    expect((await Promise.all(answers)).every(Boolean)).toBe(true)
    for (const socket of sockets) socket.destroy()
    expect((await post(port, CALL)).text).toBe(NUMBER)
  })
})

describe('the auth port', () => {
  const at = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds
  const asked = async (authorization: string | undefined): Promise<number> =>
    (await post(authPort, CALL, authorization === undefined ? {} : { authorization })).status

  it('takes a token of now, in any case of its scheme, with claims that it does not know', async () => {
    expect(await asked(`Bearer ${await token()}`)).toBe(200)
    expect(await asked(`bearer ${await token({ id: 'cl', clv: 'x', exp: at(-1000), nbf: at(1000) })}`)).toBe(200)
  })

  it.each([
    ['no token', async () => undefined],
    ['another scheme', async () => `Basic ${await token()}`],
    ['another secret', async () => `Bearer ${await token({}, new Uint8Array(32))}`],
    ['no issued-at', async () => `Bearer ${await token({ iat: undefined })}`],
    ['an issued-at that is no number', async () => `Bearer ${await token({ iat: `${at(0)}` })}`],
    ['the algorithm none', async () => `Bearer ${unsigned({ alg: 'none' })}.`],
    [
      'the algorithm none with a signature',
      async () => `Bearer ${unsigned({ alg: 'none' })}.${(await token()).split('.')[2]}`,
    ],
    ['another algorithm, signed as it says', async () => `Bearer ${await token({}, SECRET, 'HS512')}`],
    ['half a token', async () => `Bearer ${(await token()).slice(0, 40)}`],
  ])('refuses %s before it reads the body', async (_, make) => {
    expect(await asked(await make())).toBe(401)
  })

  const unsigned = (header: object): string =>
    [header, { iat: at(0) }].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')

  it('takes an issued-at up to 60 s from now on both sides, and no second more', async () => {
    const now = 1_700_000_000
    const authorize = jwtAuthorize(SECRET, () => 1000 * now)
    const verdicts = [-61, -60, 0, 60, 61].map(async (seconds) =>
      authorize(`Bearer ${await token({ iat: now + seconds })}`),
    )
    expect(await Promise.all(verdicts)).toStrictEqual(['stale token', undefined, undefined, undefined, 'future token'])
  })

  it('reads a secret of 32 bytes and nothing else', () => {
    const hex = Buffer.from(SECRET).toString('hex')
    expect(readSecret(`0x${hex}\n`)).toStrictEqual(SECRET)
    expect(readSecret(hex.toUpperCase())).toStrictEqual(SECRET)
    for (const text of ['', hex.slice(2), `${hex}00`, `0x${hex.slice(1)}`, `g${hex.slice(1)}`])
      expect(readSecret(text)).toBeUndefined()
  })
})
