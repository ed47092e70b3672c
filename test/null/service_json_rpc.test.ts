import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Json } from '../../service/json_rpc/method.ts'
import { rpcAnswer } from '../../service/json_rpc/rpc_server.ts'
import type { Listeners } from '../../service/listener/ports.ts'
import { RPC_CODE, RpcError } from '../../service/rpc_error.ts'
import { call, portsOf, post } from '../fixtures/service_ports.ts'

let listeners: Listeners
let port: number
const seen: string[] = []

beforeAll(async () => {
  listeners = await portsOf({
    blockNumber: async () => {
      seen.push('blockNumber')
      return 7n
    },
    nextBaseFee: async () => undefined,
    priorityFee: async () => {
      throw new RpcError(-39_000, 'no', { why: 'asked' })
    },
    transactionCount: async () => {
      throw new Error('a fault of ours, with what no caller should see')
    },
  })
  port = listeners.ports.http!
})
afterAll(() => listeners.close())

const request = (id: unknown, method = 'eth_blockNumber', more: object = {}) => ({
  jsonrpc: '2.0',
  id,
  method,
  ...more,
})
const answer = async (body: unknown): Promise<unknown> => {
  const { text } = await post(port, JSON.stringify(body))
  return text === '' ? undefined : JSON.parse(text)
}

describe('JSON-RPC over HTTP', () => {
  it('answers a call, without a member error', async () => {
    expect(await answer(request(1))).toStrictEqual({ jsonrpc: '2.0', id: 1, result: '0x7' })
    expect(await answer(request('a'))).toStrictEqual({ jsonrpc: '2.0', id: 'a', result: '0x7' })
    expect(await answer(request(null))).toStrictEqual({ jsonrpc: '2.0', id: null, result: '0x7' })
  })

  it('answers what there is not with null', async () => {
    expect(await answer(request(1, 'eth_baseFee'))).toStrictEqual({ jsonrpc: '2.0', id: 1, result: null })
  })

  it('answers a batch with an array in its order, one of a single call as well', async () => {
    expect(await answer([request(2)])).toStrictEqual([{ jsonrpc: '2.0', id: 2, result: '0x7' }])
    const replies = (await answer([request(3), 7, request(4, 'eth_chainId')])) as { readonly id: unknown }[]
    expect(replies.map(({ id }) => id)).toStrictEqual([3, null, 4])
    expect(replies[1]).toMatchObject({ error: { code: RPC_CODE.invalidRequest } })
  })

  it('refuses what would make a reply too long, in its place, and asks for nothing after it', async () => {
    let asked = 0
    const long = await portsOf(
      {
        blockNumber: async () => {
          asked++
          return 1n << 2000n
        },
      },
      { batch: 100, replyLength: 1200 },
    )
    const refused = (id: number) => ({
      jsonrpc: '2.0',
      id,
      error: { code: RPC_CODE.replyTooLarge, message: 'response too large' },
    })
    const ask = async (body: unknown): Promise<unknown> =>
      JSON.parse((await post(long.ports.http!, JSON.stringify(body))).text)
    const result = `0x1${'0'.repeat(500)}`
    expect(await ask(request(1))).toStrictEqual({ jsonrpc: '2.0', id: 1, result })
    const replies = (await ask(Array.from({ length: 60 }, (_, id) => request(id)))) as object[]
    expect(replies.slice(0, 2)).toStrictEqual([0, 1].map((id) => ({ jsonrpc: '2.0', id, result })))
    expect(replies.slice(2)).toStrictEqual(Array.from({ length: 58 }, (_, n) => refused(n + 2)))
    expect(asked).toBeLessThan(1 + 2 * 16)
    await long.close()
    const short = await portsOf({ blockNumber: async () => 1n << 2000n }, { replyLength: 500 })
    expect((await call(short.ports.http!, 'eth_blockNumber', [])).error?.code).toBe(RPC_CODE.replyTooLarge)
    await short.close()
  })

  it('refuses what is longer than any string', async () => {
    const toJSON = (): never => {
      throw new RangeError('Invalid string length')
    }
    const long = async () => ({ toJSON }) as unknown as Json
    const answerOf = rpcAnswer({}, { long }, { batch: 2, replyLength: 1 << 20 })
    const error = { code: RPC_CODE.replyTooLarge, message: 'response too large' }
    const refused = { jsonrpc: '2.0', id: 1, error }
    expect(JSON.parse(String(await answerOf(JSON.stringify(request(1, 'long')))))).toStrictEqual(refused)
    expect(JSON.parse(String(await answerOf(JSON.stringify([request(1, 'long')]))))).toStrictEqual([refused])
  })

  it('runs a notification and answers nothing', async () => {
    seen.length = 0
    const { id: _, ...notification } = request(0)
    expect(await post(port, JSON.stringify(notification))).toStrictEqual({ status: 204, text: '' })
    expect(await post(port, JSON.stringify([notification, notification]))).toStrictEqual({ status: 204, text: '' })
    expect(await answer([notification, request(5)])).toHaveLength(1)
    expect(seen).toStrictEqual(Array.from({ length: 5 }, () => 'blockNumber'))
  })

  it.each([
    ['{', RPC_CODE.parse],
    ['', RPC_CODE.parse],
    ['[]', RPC_CODE.invalidRequest],
    ['null', RPC_CODE.invalidRequest],
    ['7', RPC_CODE.invalidRequest],
    ['{"jsonrpc":"1.0","id":1,"method":"eth_chainId"}', RPC_CODE.invalidRequest],
    ['{"jsonrpc":"2.0","id":{},"method":"eth_chainId"}', RPC_CODE.invalidRequest],
    ['{"jsonrpc":"2.0","id":1,"method":7}', RPC_CODE.invalidRequest],
    ['{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":7}', RPC_CODE.invalidRequest],
    ['{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":{}}', RPC_CODE.invalidParams],
    ['{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[1]}', RPC_CODE.invalidParams],
    ['{"jsonrpc":"2.0","id":1,"method":"eth_getCode","params":[]}', RPC_CODE.invalidParams],
    ['{"jsonrpc":"2.0","id":1,"method":"constructor"}', RPC_CODE.methodNotFound],
    ['{"jsonrpc":"2.0","id":1,"method":"debug_getRawBlock","params":["0x0"]}', RPC_CODE.methodNotFound],
  ])('answers %s with code %i', async (body, code) => {
    const { status, text } = await post(port, body)
    expect({ status, code: JSON.parse(text).error.code }).toStrictEqual({ status: 200, code })
  })

  it('refuses a batch of more calls than one may hold', async () => {
    expect(await answer(Array.from({ length: 5 }, (_, i) => request(i)))).toHaveLength(5)
    expect(await answer(Array.from({ length: 6 }, (_, i) => request(i)))).toMatchObject({
      error: { code: RPC_CODE.invalidRequest, message: 'batch too large' },
    })
  })

  it('tells code, message and data of an error, and of a fault of ours nothing', async () => {
    expect(await call(port, 'eth_maxPriorityFeePerGas', [])).toMatchObject({
      error: { code: -39_000, message: 'no', data: { why: 'asked' } },
    })
    const fault = await call(port, 'eth_getBlockTransactionCountByNumber', ['0x1'])
    expect(fault.error).toStrictEqual({ code: RPC_CODE.internal, message: 'internal error' })
  })

  it.each([
    ['1', 'hex string without 0x prefix'],
    ['0x', 'empty hex string'],
    ['0x01', 'hex number with leading zero digits'],
    ['0xg', 'invalid hex string'],
    [`0x1${'0'.repeat(16)}`, 'hex number has more than 64 bits'],
    [`0x1${'0'.repeat(64)}`, 'hex number has more than 256 bits'],
    ['newest', 'Invalid option'],
    [7, 'Invalid input'],
    [null, 'missing value'],
  ])('refuses the block number %s', async (number, message) => {
    const { error } = await call(port, 'eth_getBlockByNumber', [number, false])
    expect(error).toMatchObject({ code: RPC_CODE.invalidParams, message: expect.stringContaining(message) })
  })
})
