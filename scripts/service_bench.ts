import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Worker } from 'node:worker_threads'
import { genesisOf } from '../bench/block/durable_chain.ts'
import { type SignedBlock, SignedChain } from '../bench/block/signed_chain.ts'
import { WORKLOADS } from '../bench/workloads/index.ts'
import { headerHash } from '../host/chain/header.ts'
import { type Chain, createExecutor, MemoryState, openChain, SenderCache } from '../host/index.ts'
import { startThread } from '../host/primitives/thread.ts'
import { createLog } from '../service/log.ts'
import { payloadOf } from '../service/node/payload_block.ts'
import { AUTH_LIMITS, PUBLIC_LIMITS } from '../service/port_limits.ts'
import { type Service, serve } from '../service/serve.ts'
import type { Answered, Asked } from './asking_thread.ts'
import { authorized, HttpClient, SECRET } from './http_client.ts'
import { ScriptOptions } from './script_options.ts'

/**
 * Blocks of signed payments as payloads over HTTP, to VALID and to the disk, beside the same blocks given to a chain in
 * the same process, in turns; how long a fork choice waits while a block executes, and a payload while hostile calls
 * run. Every answer is checked. Prints JSON.
 */
const options = new ScriptOptions(
  'service_bench',
  'usage: npx tsx scripts/service_bench.ts [--size N] [--blocks N] [--workload NAME] [--hostile] [--workers N]',
)
const given = options.parse({
  size: { type: 'string', default: '65536' },
  blocks: { type: 'string', default: '3' },
  workload: { type: 'string', default: 'transfers' },
  hostile: { type: 'boolean', default: false },
  workers: { type: 'string', default: '2' },
})
const size = options.whole('size', given.size, 1)
const count = options.whole('blocks', given.blocks, 1)
const workers = options.whole('workers', given.workers, 0)

const client = new HttpClient()

interface Reply {
  readonly result?: unknown
  readonly error?: unknown
}

const post = async (port: number, body: string | Buffer): Promise<Reply> =>
  JSON.parse((await client.post(port, body, await authorized())).toString('utf8')) as Reply

const bodyOf = (method: string, params: readonly unknown[]): string =>
  JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })

const hex = (value: bigint | undefined): string => `0x${(value ?? 0n).toString(16)}`

const payloadBody = ({ block, signed }: SignedBlock): Buffer => {
  const { header } = block
  const payload = payloadOf(headerHash(header), header, { transactions: signed, withdrawals: [] })
  const json = Object.fromEntries(
    Object.entries(payload).map(([name, value]) => [name, typeof value === 'bigint' ? hex(value) : value]),
  )
  const transactions = signed.map((bytes) => `0x${Buffer.from(bytes).toString('hex')}`)
  return Buffer.from(bodyOf('engine_newPayloadV4', [{ ...json, transactions }, [], header.parentBeaconBlockRoot, []]))
}

interface Cost {
  readonly wallMs: number
  /** Of all threads. */
  readonly userMs: number
}

const timed = async (work: () => Promise<void>): Promise<Cost> => {
  const from = process.cpuUsage()
  const startMs = performance.now()
  await work()
  return { wallMs: performance.now() - startMs, userMs: process.cpuUsage(from).user / 1000 }
}

const expectResult = (reply: { readonly result?: unknown }, isRight: (result: never) => boolean): void => {
  if (reply.result === undefined || !isRight(reply.result as never)) throw new Error(`got ${JSON.stringify(reply)}`)
}

const ZERO = `0x${'0'.repeat(64)}`
const choiceBody = (hash: string): string =>
  bodyOf('engine_forkchoiceUpdatedV3', [{ headBlockHash: hash, safeBlockHash: ZERO, finalizedBlockHash: ZERO }, null])

const isValid = (hash: string) => (result: { readonly status: string; readonly latestValidHash: string }) =>
  result.status === 'VALID' && result.latestValidHash === hash

const ENDLESS = '0x5b5f56'
const TARGET = '0x00000000000000000000000000000000000c0de0'
const hostileBody = bodyOf('eth_call', [{ to: TARGET, gas: '0x2faf080' }, 'latest', { [TARGET]: { code: ENDLESS } }])

/** A thread that is ready to make fork choices of `hash`, one after another. */
const choosing = async (port: number, hash: string): Promise<Worker> => {
  const asked: Asked = { port, body: choiceBody(hash), headers: await authorized() }
  const thread = startThread(new URL('./asking_thread.ts', import.meta.url), { workerData: asked })
  await once(thread, 'message')
  return thread
}

/** Its fork choices until the block is there; how long each has waited, in milliseconds. */
const choicesDuring = async (thread: Worker, hash: string, block: Promise<void>): Promise<readonly number[]> => {
  thread.postMessage('begin')
  const answered = once(thread, 'message')
  await block
  thread.postMessage('end')
  const [{ waitsMs, replies }] = (await answered) as [Answered]
  for (const reply of replies)
    expectResult(JSON.parse(reply), ({ payloadStatus }: { payloadStatus: never }) => isValid(hash)(payloadStatus))
  return waitsMs
}

const executor = workers === 0 ? { workers: 0 } : { workers }
const signedChain = await SignedChain.open(
  WORKLOADS.find(({ name }) => name === given.workload) ?? options.fail(`no workload ${given.workload}`),
  {
    fork: 'osaka',
    size,
    seed: 1,
    blocks: count + 1,
    executor,
  },
)
const senderCache = new SenderCache({ entries: 4 * size })
const reader = createExecutor({
  fork: 'osaka',
  chainId: signedChain.scenario.chainId,
  state: new MemoryState(),
  senderCache,
})
const folder = mkdtempSync(join(tmpdir(), 'wgevm-service-bench-'))
const genesis = genesisOf(signedChain)
const openedAtMs = performance.now()
const chain: Chain = await openChain({ path: join(folder, 'served'), genesis, executor: { ...executor, senderCache } })
const plain: Chain = await openChain({ path: join(folder, 'plain'), genesis, executor: { ...executor, senderCache } })
const port = { host: '127.0.0.1', port: 0, virtualHosts: ['localhost'] }
const service: Service = await serve({
  chain,
  log: createLog('warn'),
  calls: { threads: 2, callMs: 5000 },
  gasCap: 50_000_000n,
  ranges: { logBlocks: 1000, logs: 10_000 },
  poolLimits: { perSender: 16, transactions: 64, blobsPerSender: 4, blobs: 24 },
  builder: { extraData: '0x' },
  executor,
  senderCache,
  ports: {
    client: { code: 'WG', name: 'wgevm', version: '0.0.0' },
    http: { ...port, limits: PUBLIC_LIMITS, api: ['eth'] },
    auth: { ...port, limits: AUTH_LIMITS, secret: SECRET },
  },
})
const startedMs = performance.now() - openedAtMs
const auth = service.ports.auth!
const rows: object[] = []
for (let n = 0; n <= count; n++) {
  const signed = await signedChain.next()
  const hash = headerHash(signed.block.header)
  const parent = signed.block.header.parentHash
  const block = { header: signed.block.header, transactions: signed.signed, uncles: [], withdrawals: [] }
  const inProcess = (): Promise<Cost> =>
    timed(async () => {
      const verdict = await plain.addBlock(block)
      if (verdict.status !== 'valid') throw new Error(verdict.status)
      await plain.setHead({ head: hash })
    })
  const body = payloadBody(signed)
  // The senders are known to both then, as those of the pool are.
  await reader.decode(signed.signed)
  const before = n % 2 === 0 ? await inProcess() : undefined
  const hostile = given.hostile ? Array.from({ length: 4 }, () => post(service.ports.http!, hostileBody)) : []
  let waits: readonly number[] = []
  let payloadMs = 0
  const thread = n % 2 === 1 ? await choosing(auth, parent) : undefined
  const overHttp = await timed(async () => {
    const startMs = performance.now()
    const sent = post(auth, body).then((reply) => {
      payloadMs = performance.now() - startMs
      expectResult(reply, isValid(hash))
    })
    if (thread !== undefined) waits = await choicesDuring(thread, parent, sent)
    await sent
    const reply = await post(auth, choiceBody(hash))
    expectResult(reply, ({ payloadStatus }: { payloadStatus: never }) => isValid(hash)(payloadStatus))
  })
  await Promise.all(hostile)
  const beside = before ?? (await inProcess())
  if (chain.head.hash !== hash || plain.head.hash !== hash) throw new Error(`the head is ${chain.head.hash}`)
  const sorted = [...waits].sort((a, b) => a - b)
  const row = {
    block: n,
    bodyBytes: body.length,
    inProcess: beside,
    overHttp,
    payloadMs,
    choices: sorted.length,
    choiceP50Ms: sorted[Math.floor(sorted.length / 2)],
    choiceP99Ms: sorted[Math.floor(sorted.length * 0.99)],
    choiceMostMs: sorted.at(-1),
  }
  rows.push(row)
  console.error(JSON.stringify(row))
}
console.log(JSON.stringify({ workload: given.workload, size, workers, startedMs, rows }, null, 2))
client.close()
await service.close()
await chain.close()
await plain.close()
signedChain.close()
reader.close()
rmSync(folder, { recursive: true })
