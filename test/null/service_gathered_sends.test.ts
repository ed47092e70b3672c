import { expect, it } from 'vitest'
import { method } from '../../service/json_rpc/method.ts'
import { rpcAnswer } from '../../service/json_rpc/rpc_server.ts'
import { gatheredSends } from '../../service/listener/gathered_sends.ts'
import { poolMethods } from '../../service/methods/pool.ts'
import type { NodeCalls } from '../../service/node/node_calls.ts'
import type { SendReply } from '../../service/node/pool_calls.ts'

/** A pool that answers each call when the test says so; what it was asked is in `asked`, by first bytes. */
const heldPool = () => {
  const asked: number[][] = []
  const answers: ((fault?: Error) => void)[] = []
  const addAll = (sent: {
    readonly bytes: Uint8Array
    readonly offsets: Uint32Array
  }): Promise<readonly SendReply[]> => {
    const firsts = [...sent.offsets.slice(0, -1)].map((at) => sent.bytes[at]!)
    asked.push(firsts)
    return new Promise((resolve, reject) => {
      answers.push((fault) => {
        if (fault !== undefined) reject(fault)
        else resolve(firsts.map((first) => (first === 0xff ? { code: -1, message: 'no', data: 5 } : `0x${first}`)))
      })
    })
  }
  const status = async () => ({ pending: 7, queued: 0 })
  const node = gatheredSends({ pool: { addAll, status } } as unknown as NodeCalls)
  return { asked, answers, node }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const bytesOf = (first: number, length = 1): Uint8Array => new Uint8Array(length).fill(first)

it('what comes while transactions are on their way goes together after them, in its order', async () => {
  const { asked, answers, node } = heldPool()
  const replies = [1, 2].map((first) => node.pool.add(bytesOf(first)))
  await turn()
  expect(asked).toEqual([[1, 2]])
  replies.push(...[3, 4, 5].map((first) => node.pool.add(bytesOf(first))))
  await turn()
  expect(asked.length, 'one call at a time').toBe(1)
  answers[0]!()
  expect(await Promise.all(replies.slice(0, 2))).toEqual(['0x1', '0x2'])
  expect(asked).toEqual([
    [1, 2],
    [3, 4, 5],
  ])
  answers[1]!()
  expect(await Promise.all(replies)).toEqual(['0x1', '0x2', '0x3', '0x4', '0x5'])
  expect(await node.pool.status()).toEqual({ pending: 7, queued: 0 })
})

it('each is answered for itself, and a fault is told to those that were together', async () => {
  const { answers, node } = heldPool()
  const replies = [1, 0xff].map((first) => node.pool.add(bytesOf(first)))
  const refused = expect(replies[1]).rejects.toMatchObject({ code: -1, message: 'no', data: 5 })
  await turn()
  const later = node.pool.add(bytesOf(3))
  const failed = expect(later).rejects.toThrow('the node has ended')
  answers[0]!()
  expect(await replies[0]).toBe('0x1')
  await refused
  answers[1]!(new Error('the node has ended'))
  await failed
  const after = node.pool.add(bytesOf(4))
  await turn()
  answers[2]!()
  expect(await after).toBe('0x4')
})

it('so many go together, of so many bytes, and no more wait than may', async () => {
  const { asked, answers, node } = heldPool()
  const all = [
    ...Array.from({ length: 300 }, () => bytesOf(1)),
    ...Array.from({ length: 12 }, () => bytesOf(2, 131_072)),
  ]
  const replies = all.map((bytes) => node.pool.add(bytes))
  for (let n = 0; n < 4; n++) {
    await turn()
    answers[n]?.()
  }
  await Promise.all(replies)
  // 44 bytes are before those of 128 KiB.
  expect(asked.map(({ length }) => length)).toEqual([256, 44 + 8, 4])
  const waiting = Array.from({ length: 65_536 }, () => node.pool.add(bytesOf(3)).catch(() => undefined))
  await expect(node.pool.add(bytesOf(4))).rejects.toMatchObject({ code: -32_005 })
  for (let n = 3; n < 3 + 256; n++) {
    await turn()
    answers[n]!()
  }
  await Promise.all(waiting)
})

it('a batch of JSON-RPC begins all of its transactions, and sixteen of its other calls', async () => {
  const { asked, answers, node } = heldPool()
  const begun: string[] = []
  const methods = {
    ...poolMethods,
    other: method([], async () => {
      begun.push('other')
      return new Promise<never>(() => undefined)
    }),
  }
  const answer = rpcAnswer(node, methods, { batch: 1000, replyLength: 1 << 20 })
  const send = (id: number) => ({ jsonrpc: '2.0', id, method: 'eth_sendRawTransaction', params: ['0x01'] })
  const reply = answer(JSON.stringify(Array.from({ length: 60 }, (_, id) => send(id))))
  await turn()
  expect(asked.map(({ length }) => length)).toEqual([60])
  answers[0]!()
  expect(
    (JSON.parse(String(await reply)) as { readonly id: number; readonly result: string }[]).map(({ id, result }) => [
      id,
      result,
    ]),
  ).toEqual(Array.from({ length: 60 }, (_, id) => [id, '0x1']))
  void answer(JSON.stringify(Array.from({ length: 60 }, (_, id) => ({ jsonrpc: '2.0', id, method: 'other' }))))
  await turn()
  expect(begun.length).toBe(16)
})
