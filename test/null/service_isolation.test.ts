import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { parseGenesis } from '../../host/flows/chain/genesis.ts'
import { type Chain, openChain } from '../../host/index.ts'
import { CallThreads } from '../../service/listener/call_threads.ts'
import { guardedNode } from '../../service/listener/guarded_node.ts'
import type { NodeCalls } from '../../service/node/node_calls.ts'
import { RPC_CODE } from '../../service/rpc_error.ts'
import type { Service } from '../../service/serve.ts'
import { builtGenesis } from '../fixtures/built_chain.ts'
import { ConsensusClient } from '../fixtures/consensus_client.ts'
import { servedChain } from '../fixtures/served_chain.ts'
import { call } from '../fixtures/service_ports.ts'

const CONTRACT = '0x00000000000000000000000000000000000c0de0'
/** JUMPDEST; jump there. */
const ENDLESS = '0x5b5f56'
const LIMIT_MS = 2500

const path = mkdtempSync(join(tmpdir(), 'wgevm-isolation-'))
let chain: Chain
let service: Service
let client: ConsensusClient

beforeAll(async () => {
  chain = await openChain({ path, genesis: parseGenesis(builtGenesis()), executor: { workers: 0 } })
  service = await servedChain(chain, { callMs: LIMIT_MS, gasCap: 1n << 62n })
  const { hash, header } = chain.head
  client = new ConsensusClient(service.ports.auth!, { hash, time: Number(header.timestamp) })
})
afterAll(async () => {
  await service.close()
  await chain.close()
  rmSync(path, { recursive: true })
})

const run = (code: string, gas = '0x4c4b40', at: unknown = 'latest') =>
  call(service.ports.http!, 'eth_call', [{ to: CONTRACT, gas }, at, { [CONTRACT]: { code } }])
/** Returns the word 7. */
const SEVEN = '0x60075f5260205ff3'

describe('a call of hostile code', () => {
  it.each([
    // At 0x20 more each time.
    ['that touches ever more memory', '0x5f5b60200180805256', RPC_CODE.server],
    ['that calls itself as deep as it goes', '0x5f5f5f5f5f305af15f5260205ff3', undefined],
    ['that returns all that it can pay for', '0x62100000' + '5ff3', undefined],
    [
      'that asks for powers with the largest operands',
      '0x6104005f526104006020526104006040525b5f5f610c605f60055afa506012565b',
      RPC_CODE.server,
    ],
    ['that makes contracts', '0x5b5f5f5ff0505f56', RPC_CODE.server],
  ])('%s ends with its gas, and the next one is answered', async (_, code, fault) => {
    const { error } = await run(code)
    expect(error?.code).toBe(fault)
    expect(await run(SEVEN)).toMatchObject({ result: expect.stringMatching(/7$/) })
  })
})

describe('a call without an end', () => {
  it('is aborted after its time, while blocks become the head, and calls after it are answered on that', async () => {
    let ended = false
    const endless = run(ENDLESS, '0x3fffffffffffffff').finally(() => {
      ended = true
    })
    await client.follow(await client.take(await client.begin()))
    expect(ended).toBe(false)
    const after = run('0x435f5260205ff3')
    expect(await endless).toStrictEqual({
      jsonrpc: '2.0',
      id: 1,
      error: { code: RPC_CODE.server, message: `execution aborted (timeout = ${LIMIT_MS / 1000}s)` },
    })
    expect(await after).toMatchObject({ result: expect.stringMatching(/1$/) })
  })
})

describe('calls that are not of the consensus layer', () => {
  it.each([
    ['chain', 'chainId', 4],
    ['state', 'proof', 1],
  ])('wait for each other, so that few of them are on the node at once: %s.%s', async (room, name, most) => {
    let running = 0
    let highest = 0
    const answers: (() => void)[] = []
    const work = (): Promise<bigint> => {
      highest = Math.max(highest, ++running)
      return new Promise((resolve) =>
        answers.push(() => {
          running--
          resolve(7n)
        }),
      )
    }
    const node = { [room]: { [name]: work }, engine: { getPayload: async () => 1 } } as unknown as NodeCalls
    const none = { run: () => Promise.reject(new Error('no thread')) } as unknown as CallThreads
    const guarded = guardedNode(node, { calls: none, reads: none })
    const rooms = guarded as unknown as Record<string, Record<string, () => Promise<bigint>>>
    const replies = Array.from({ length: 9 }, () => rooms[room]![name]!())
    expect(running).toBe(most)
    expect(await guarded.engine.getPayload(5, '0x')).toBe(1)
    while (answers.length > 0) {
      answers.shift()!()
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(await Promise.all(replies)).toStrictEqual(Array.from({ length: 9 }, () => 7n))
    expect(highest).toBe(most)
  })

  it('are refused where too many wait for a thread, and told so where the node ends', async () => {
    const terms = { path: join(path, 'none'), gasCap: 1n, ranges: { logBlocks: 1, logs: 1 }, executor: {} }
    const node = { source: {}, service: { fault: async () => undefined } } as unknown as NodeCalls
    const threads = new CallThreads(node, { terms, threads: 1, waiting: 1, limitMs: 0 })
    const [first, second, third] = [1, 2, 3].map(() =>
      threads.run('state', 'call', []).catch((thrown: Error) => thrown.message),
    )
    expect(await third).toMatch('calls wait already')
    await threads.close()
    expect(await Promise.all([first, second])).toStrictEqual(['the node has ended', 'the node has ended'])
  })
})

describe('threads of calls', () => {
  const UNKNOWN = `0x${'ab'.repeat(32)}`

  /** Threads whose node never tells of a block that is named: such a call lasts. Timers run when the test says so. */
  const threadsOf = (limitMs: number) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    let began: () => void = () => undefined
    const isLasting = new Promise<void>((resolve) => {
      began = resolve
    })
    const unwritten = (): Promise<never> => {
      began()
      return new Promise(() => undefined)
    }
    const node = { source: { unwritten }, service: { fault: async () => undefined } } as unknown as NodeCalls
    const terms = { path, gasCap: 1n, ranges: { logBlocks: 1, logs: 1 }, executor: {} }
    const threads = new CallThreads(node, { terms, threads: 1, waiting: 4, limitMs })
    const ended: string[] = []
    const lasting = threads
      .run('chain', 'block', [UNKNOWN, false])
      .catch(({ message }: Error) => void ended.push(message))
    const close = async (): Promise<void> => {
      vi.useRealTimers()
      await threads.close()
    }
    return { threads, lasting, isLasting, ended, close }
  }

  it('are one more after a quarter of the time, so that others are answered, and a call ends when its time is over', async () => {
    const { threads, lasting, isLasting, ended, close } = threadsOf(8000)
    try {
      await isLasting
      const next = threads.run('chain', 'blockNumber', [])
      vi.advanceTimersByTime(2000)
      expect(await next).toBe(chain.head.header.number)
      expect(ended).toStrictEqual([])
      vi.advanceTimersByTime(5999)
      expect(await threads.run('chain', 'blockNumber', [])).toBe(chain.head.header.number)
      expect(ended).toStrictEqual([])
      vi.advanceTimersByTime(1)
      await lasting
      expect(ended).toStrictEqual(['execution aborted (timeout = 8s)'])
    } finally {
      await close()
    }
  }, 60_000)

  it('let a call last where there is no limit', async () => {
    const { isLasting, ended, close } = threadsOf(0)
    try {
      await isLasting
      expect(vi.getTimerCount()).toBe(0)
      expect(ended).toStrictEqual([])
    } finally {
      await close()
    }
  }, 60_000)
})
