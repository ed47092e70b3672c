import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { genesisOf } from '../bench/block/durable_chain.ts'
import { SignedChain } from '../bench/block/signed_chain.ts'
import { WORKLOADS } from '../bench/workloads/index.ts'
import { transactionData } from '../host/chain/batch.ts'
import { openChain, SenderCache } from '../host/index.ts'
import { bytesToHex } from '../host/primitives/hex.ts'
import { addressToHex } from '../host/primitives/word.ts'
import { createLog } from '../service/log.ts'
import { PUBLIC_LIMITS } from '../service/port_limits.ts'
import { serve } from '../service/serve.ts'
import { HttpClient } from './http_client.ts'
import { ScriptOptions } from './script_options.ts'

/**
 * `eth_simulateV1` over HTTP with all calls of a workload's block in one simulated block, on the chain's genesis: once
 * on the CPU tier, whose reply is what every other one must be, then on call threads with a device. Prints JSON.
 */
const options = new ScriptOptions(
  'simulate_bench',
  'usage: npx tsx scripts/simulate_bench.ts [--size N] [--rounds N] [--workload NAME] [--unchecked] [--adapter NAME]',
)
const given = options.parse({
  size: { type: 'string', default: '10000' },
  rounds: { type: 'string', default: '8' },
  workload: { type: 'string', default: 'usdt' },
  unchecked: { type: 'boolean', default: false },
  adapter: { type: 'string', default: '' },
})
const size = options.whole('size', given.size, 1)
const rounds = options.whole('rounds', given.rounds, 1)

const client = new HttpClient()

const signedChain = await SignedChain.open(
  WORKLOADS.find(({ name }) => name === given.workload) ?? options.fail(`no workload ${given.workload}`),
  { fork: 'cancun', size, seed: 1, blocks: 1, executor: { workers: 0 } },
)
const { transactions: batch } = signedChain.scenario.next()
const hex = (value: bigint): string => `0x${value.toString(16)}`
const calls = Array.from({ length: size }, (_, i) => ({
  from: addressToHex(batch.from, 5 * i),
  to: addressToHex(batch.to, 5 * i),
  gas: hex(BigInt(batch.gasLimit[2 * i]!)),
  input: bytesToHex(transactionData(batch, i)),
}))
const payload = { blockStateCalls: [{ blockOverrides: { gasLimit: hex(1n << 40n) }, calls }] }
const body = Buffer.from(
  JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_simulateV1', params: [payload, 'latest'] }),
)

const folder = mkdtempSync(join(tmpdir(), 'wgevm-simulate-bench-'))
const senderCache = new SenderCache()
const chain = await openChain({
  path: join(folder, 'chain'),
  genesis: genesisOf(signedChain),
  executor: { senderCache },
})
const port = { host: '127.0.0.1', port: 0, virtualHosts: ['localhost'] }
const terms = {
  chain,
  log: createLog('warn'),
  calls: { threads: 1, callMs: 0 },
  gasCap: 1n << 60n,
  ranges: { logBlocks: 1000, logs: 10_000 },
  poolLimits: { perSender: 16, transactions: 64, blobsPerSender: 4, blobs: 24 },
  builder: { extraData: '0x' },
  executor: {},
  senderCache,
  ports: {
    client: { code: 'WG', name: 'wgevm', version: '0.0.0' },
    http: { ...port, limits: PUBLIC_LIMITS, api: ['eth'] },
  },
} as const

const digestOf = (reply: Buffer): string => createHash('sha256').update(reply).digest('hex')

const rows: object[] = []
const measured = async (times: number, callDevice?: { readonly adapter?: string }): Promise<string> => {
  const service = await serve({ ...terms, ...(callDevice === undefined ? {} : { callDevice }) })
  let digest = ''
  for (let n = 0; n < times; n++) {
    const from = process.cpuUsage()
    const startMs = performance.now()
    const reply = await client.post(service.ports.http!, body)
    const wallMs = performance.now() - startMs
    digest = digestOf(reply)
    const userMs = process.cpuUsage(from).user / 1000
    const row = {
      device: callDevice !== undefined,
      wallMs,
      userMs,
      callsPerSecond: (size / wallMs) * 1000,
      replyBytes: reply.length,
      digest,
    }
    rows.push(row)
    console.error(JSON.stringify(row))
    if (reply.length < 1000) throw new Error(reply.toString('utf8'))
  }
  await service.close()
  return digest
}

const expected = given.unchecked ? undefined : await measured(1)
const found = await measured(rounds, given.adapter === '' ? {} : { adapter: given.adapter })
if (expected !== undefined && found !== expected) throw new Error('the replies differ')
console.log(JSON.stringify({ workload: given.workload, size, bodyBytes: body.length, rows }, null, 2))
client.close()
await chain.close()
signedChain.close()
rmSync(folder, { recursive: true })
