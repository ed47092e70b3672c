import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { type Chain, openChain, parseGenesis, SenderCache } from '../../host/index.ts'
import { CallThreads } from '../../service/listener/call_threads.ts'
import { BlockReader } from '../../service/node/block_reader.ts'
import { Executors } from '../../service/node/executors.ts'
import type { NodeCalls } from '../../service/node/node_calls.ts'
import type { BlockStateCall, SimulatedBlockText, SimulateTerms } from '../../service/node/state_calls.ts'
import { StateReader } from '../../service/node/state_reader.ts'
import { builtGenesis } from '../fixtures/built_chain.ts'

const LIMIT_MS = 600_000
const PAYER = `0x${'a1'.repeat(20)}`
const UNKNOWN = `0x${'ab'.repeat(32)}`
const terms: SimulateTerms = { validation: false, traceTransfers: false, isFull: false }
const LATEST = { tag: 'latest' } as const
/** More calls than are executed one after another. */
const blocks: readonly BlockStateCall[] = [
  {
    block: {},
    state: { [PAYER]: { balance: 10n ** 18n } },
    moves: new Map(),
    calls: Array.from({ length: 80 }, (_, i) => ({
      from: PAYER,
      to: `0x${'b0'.repeat(19)}${10 + (i % 7)}`,
      value: 1n,
    })),
  },
]

const path = mkdtempSync(join(tmpdir(), 'wgevm-call-device-'))
let chain: Chain
beforeAll(async () => {
  chain = await openChain({ path, genesis: parseGenesis(builtGenesis()), executor: { workers: 0 } })
})
afterAll(async () => {
  await chain.close()
  rmSync(path, { recursive: true })
})

it('a call thread with a device of its own answers as calls one after another do, and so does the next one where it was ended for its time', async () => {
  const executors = new Executors({ workers: 0, chainId: 1n }, chain.state, new SenderCache())
  const serial = new StateReader(chain, new BlockReader(chain, executors), executors, 1n << 40n)
  const [wanted] = await serial.simulateBlocks(blocks, LATEST, terms)
  if (wanted === undefined || 'text' in wanted) throw new Error('executed together')
  executors.close()

  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  let began: () => void = () => undefined
  const isLasting = new Promise<void>((resolve) => {
    began = resolve
  })
  const faults: string[] = []
  const node = {
    // It never tells of a block that is named: such a call lasts.
    source: {
      unwritten: () => {
        began()
        return new Promise(() => undefined)
      },
      rootAfter: (...of: Parameters<Chain['rootAfter']>) => chain.rootAfter(...of),
    },
    service: { fault: async (_: string, what: string) => void faults.push(what) },
  } as unknown as NodeCalls
  const ofThread = { path, gasCap: 1n << 40n, ranges: { logBlocks: 1, logs: 1 }, executor: {}, device: {} }
  const threads = new CallThreads(node, { terms: ofThread, threads: 1, waiting: 4, limitMs: LIMIT_MS })
  try {
    const isAnswered = async (): Promise<void> => {
      const [view] = (await threads.run('state', 'simulateBlocks', [blocks, LATEST, terms])) as [SimulatedBlockText]
      // It was executed together, which nothing but a thread with a device does.
      const { hash, calls } = JSON.parse(Buffer.concat(view.text).toString('utf8')) as Record<string, unknown>
      expect(hash).toBe(wanted.block.hash)
      expect((calls as readonly { readonly status: string }[]).map(({ status }) => status)).toStrictEqual(
        wanted.calls.map(({ status }) => `0x${status}`),
      )
    }
    await isAnswered()
    const ended = threads.run('chain', 'block', [UNKNOWN, false]).catch(({ message }: Error) => message)
    await isLasting
    vi.advanceTimersByTime(LIMIT_MS)
    expect(await ended).toBe(`execution aborted (timeout = ${LIMIT_MS / 1000}s)`)
    await isAnswered()
    expect(faults).toStrictEqual([])
  } finally {
    vi.useRealTimers()
    await threads.close()
  }
}, 120_000)
