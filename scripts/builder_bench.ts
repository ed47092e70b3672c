import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { signBatch } from '../bench/block/sign_batch.ts'
import { Signers } from '../bench/block/signers.ts'
import { createRandom } from '../bench/random.ts'
import { encodeBatch } from '../host/chain/encode_batch.ts'
import {
  addressToHex,
  type Chain,
  createExecutor,
  MemoryState,
  openChain,
  openDevice,
  parseGenesis,
  SenderCache,
} from '../host/index.ts'
import { bytesToHex, hexToBytes } from '../host/primitives/hex.ts'
import { addressFromHex, wordToBigInt } from '../host/primitives/word.ts'
import { createLog } from '../service/log.ts'
import { blockOfPayload } from '../service/node/payload_block.ts'
import { AUTH_LIMITS } from '../service/port_limits.ts'
import { serve } from '../service/serve.ts'
import { attributesJson, opAttributes, opFrom, opGenesis } from '../test/fixtures/op_chain.ts'
import { authorized, HttpClient, SECRET } from './http_client.ts'
import { ScriptOptions } from './script_options.ts'

/**
 * Blocks of signed payments that the service builds from its pool, over HTTP as a consensus client asks for them: from
 * forkchoiceUpdated with attributes to the whole reply of getPayload, and on through newPayload to the fork choice
 * after which the block is on the disk. The pool is filled before. A second chain in another folder, which knows none
 * of it, executes each block from the payload's bytes and must find it valid under the same hash; nonces and what was
 * paid are compared with what was sent. Prints JSON.
 */
const options = new ScriptOptions(
  'bench:builder',
  'usage: npm run bench:builder -- [--size 30000] [--blocks 4] [--chain op|ethereum] [--workers 2] [--adapter none|default]',
)
const given = options.parse({
  size: { type: 'string', default: '30000' },
  blocks: { type: 'string', default: '4' },
  chain: { type: 'string', default: 'op' },
  workers: { type: 'string', default: '2' },
  adapter: { type: 'string', default: 'none' },
})
const size = options.whole('size', given.size, 1, 65_536)
const count = options.whole('blocks', given.blocks, 1, 1000)
const workers = options.whole('workers', given.workers, 0, 64)
if (given.chain !== 'op' && given.chain !== 'ethereum') options.fail(`no chain ${given.chain}`)
const isOp = given.chain === 'op'

const EXTRA = '0x0100000032000000060000000000000000'
/** More than gas and DA footprint of a payment come to. */
const GAS_A_PAYMENT = isOp ? 60_000n : 22_000n
const GAS_LIMIT = GAS_A_PAYMENT * BigInt(size) + 30_000_000n
/** Calls in one request. */
const SENT_AT_ONCE = 500
const client = new HttpClient()
const random = createRandom(1, 'builder bench')

/** The reply as text: reading it is not the service's work. */
const post = async (port: number, body: string): Promise<string> =>
  (await client.post(port, body, await authorized())).toString('latin1')

const callOf = (method: string, params: readonly unknown[]): object => ({ jsonrpc: '2.0', id: 1, method, params })

const resultOf = <Result>(text: string): Result => {
  const reply = JSON.parse(text) as { readonly result?: Result }
  if (reply.result === undefined) throw new Error(text.slice(0, 500))
  return reply.result
}

interface Choice {
  readonly payloadStatus: { readonly status: string }
  readonly payloadId: string | null
}

const choose = async (port: number, head: string, attributes: object | null): Promise<Choice> => {
  const state = { headBlockHash: head, safeBlockHash: ZERO_HASH, finalizedBlockHash: ZERO_HASH }
  const text = await post(port, JSON.stringify(callOf('engine_forkchoiceUpdatedV3', [state, attributes])))
  const choice = resultOf<Choice>(text)
  if (choice.payloadStatus.status !== 'VALID') throw new Error(text)
  return choice
}

const ZERO_HASH = `0x${'0'.repeat(64)}`

interface Payload {
  readonly [name: string]: unknown
  readonly blockHash: string
  readonly transactions: readonly string[]
}

const big = (value: unknown): bigint => BigInt(value as string)

/** The block of a payload as it was written, for a chain that knows nothing of it. */
const blockOf = (payload: Payload, parentBeaconBlockRoot: string) => {
  const text = (name: string): string => payload[name] as string
  const numbers = ['blockNumber', 'gasLimit', 'gasUsed', 'timestamp', 'baseFeePerGas', 'blobGasUsed', 'excessBlobGas']
  return blockOfPayload(
    {
      parentHash: text('parentHash'),
      feeRecipient: text('feeRecipient'),
      stateRoot: text('stateRoot'),
      receiptsRoot: text('receiptsRoot'),
      logsBloom: text('logsBloom'),
      prevRandao: text('prevRandao'),
      extraData: text('extraData'),
      blockHash: payload.blockHash,
      ...(Object.fromEntries(numbers.map((name) => [name, big(payload[name])])) as Record<
        'blockNumber' | 'gasLimit' | 'gasUsed' | 'timestamp' | 'baseFeePerGas' | 'blobGasUsed' | 'excessBlobGas',
        bigint
      >),
      transactions: payload.transactions.map(hexToBytes),
      withdrawals: [],
      withdrawalsRoot: isOp ? text('withdrawalsRoot') : undefined,
    },
    { parentBeaconBlockRoot, versionedHashes: [], requests: [] },
  )
}

const signers = new Signers(1)
const addresses = signers.people(size, size, random)
const people = Array.from({ length: size }, (_, i) => addressToHex(addresses, 5 * i))

const genesisText = (): string => {
  const op = JSON.parse(opGenesis(opFrom('karst'), EXTRA, people)) as {
    config: Record<string, unknown>
    [name: string]: unknown
  }
  op['gasLimit'] = `0x${GAS_LIMIT.toString(16)}`
  if (isOp) return JSON.stringify(op)
  const { chainId, terminalTotalDifficulty, ...rest } = op.config
  const blocks = Object.entries(rest).filter(([name]) => name.endsWith('Block') && name !== 'bedrockBlock')
  const times = ['shanghai', 'cancun', 'prague', 'osaka'].map((fork) => [`${fork}Time`, 0] as const)
  op.config = { chainId, terminalTotalDifficulty, ...Object.fromEntries(blocks), ...Object.fromEntries(times) }
  op['extraData'] = '0x'
  return JSON.stringify(op)
}

const genesis = parseGenesis(genesisText())
const { chainId } = genesis.config

/** A payment of each person, to another one or, of each tenth, to a new account; tips are drawn. */
const paymentsOf = (
  nonce: number,
): { readonly signed: readonly Uint8Array[]; readonly wei: ReadonlyMap<string, bigint> } => {
  const wei = new Map<string, bigint>()
  const transactions = people.map((from, i) => {
    const word = new Uint32Array(5)
    for (let limb = 0; limb < 5; limb++) word[limb] = random.u32()
    const to = i % 10 === 0 ? addressToHex(word, 0) : people[random.below(size)]!
    const value = BigInt(1 + random.below(1_000_000_000))
    wei.set(to, (wei.get(to) ?? 0n) + value)
    return {
      type: 2 as const,
      from,
      to,
      value,
      nonce: BigInt(nonce),
      gasLimit: 21_000n,
      maxFeePerGas: 10n ** 10n,
      maxPriorityFeePerGas: BigInt(1 + random.below(1_000_000)),
    }
  })
  return { signed: signBatch(encodeBatch(transactions), chainId, signers), wei }
}

const fill = async (port: number, signed: readonly Uint8Array[]): Promise<void> => {
  for (let at = 0; at < signed.length; at += SENT_AT_ONCE) {
    const calls = signed
      .slice(at, at + SENT_AT_ONCE)
      .map((bytes) => callOf('eth_sendRawTransaction', [bytesToHex(bytes)]))
    const replies = JSON.parse(await post(port, JSON.stringify(calls))) as readonly { readonly result?: string }[]
    const refused = replies.find(({ result }) => result === undefined)
    if (refused !== undefined) throw new Error(JSON.stringify(refused))
  }
}

const folder = mkdtempSync(join(tmpdir(), 'wgevm-builder-bench-'))
const device = given.adapter === 'none' ? undefined : await openDevice()
const executor = { workers, ...(device === undefined ? {} : { device }) }
const senderCache = new SenderCache({ entries: 4 * size })
const chain: Chain = await openChain({ path: join(folder, 'built'), genesis, executor: { ...executor, senderCache } })
const other: Chain = await openChain({ path: join(folder, 'other'), genesis, executor: { workers } })
const reader = createExecutor({ fork: 'osaka', chainId, state: new MemoryState(), senderCache, workers })
const service = await serve({
  chain,
  log: createLog('warn'),
  calls: { threads: 1, callMs: 5000 },
  gasCap: 50_000_000n,
  ranges: { logBlocks: 1000, logs: 10_000 },
  poolLimits: { perSender: 16, transactions: 2 * size, blobsPerSender: 4, blobs: 24 },
  builder: { extraData: '0x', gasLimit: GAS_LIMIT },
  executor: { workers: 0 },
  senderCache,
  ports: {
    client: { code: 'WG', name: 'wgevm', version: '0.0.0' },
    auth: { host: '127.0.0.1', port: 0, virtualHosts: ['localhost'], limits: AUTH_LIMITS, secret: SECRET },
  },
})
const port = service.ports.auth!
const balanceAt = async (hash: string, address: string): Promise<bigint> => {
  const limbs = new Uint32Array(5)
  addressFromHex(limbs, 0, address)
  return wordToBigInt((await other.stateAt(hash)!.readAccounts(limbs, 1)).balance, 0)
}

/** Throws where the other chain has not what was sent: all payments, each with its wei, in the order of their tips. */
const check = async (
  hash: string,
  sent: readonly Uint8Array[],
  payload: Payload,
  paid: ReadonlyMap<string, bigint>,
) => {
  const fresh = [...paid].filter(([address]) => !isPerson.has(address)).slice(0, 50)
  for (const [address, wei] of fresh) {
    const balance = await balanceAt(hash, address)
    if (balance !== wei) throw new Error(`${address} has ${balance} wei, was paid ${wei}`)
  }
  const expected = new Set(sent.map(bytesToHex))
  const built = payload.transactions.filter((bytes) => expected.delete(bytes))
  if (expected.size > 0) throw new Error(`${expected.size} of ${sent.length} payments are not in the block`)
  const { maxPriorityFeePerGas: tips } = await reader.decode(built.map(hexToBytes))
  for (let i = 1; i < built.length; i++)
    if (tips[8 * i]! > tips[8 * i - 8]!) throw new Error(`payment ${i} pays more than the one before it`)
}

const isPerson = new Set(people)

const attributesOf = (n: number) => {
  const attributes = { ...opAttributes(chain.head.header, n + 1, 'karst'), gasLimit: GAS_LIMIT }
  const json = attributesJson(attributes, {})
  if (isOp) return json
  const { timestamp, prevRandao, suggestedFeeRecipient, withdrawals, parentBeaconBlockRoot } = json
  return { timestamp, prevRandao, suggestedFeeRecipient, withdrawals, parentBeaconBlockRoot }
}

const rows: object[] = []
for (let n = 0; n < count; n++) {
  const { signed, wei } = paymentsOf(n)
  await reader.decode(signed)
  const fillFrom = process.cpuUsage()
  const fillMs = performance.now()
  await fill(port, signed)
  const filled = { fillMs: performance.now() - fillMs, fillUserMs: process.cpuUsage(fillFrom).user / 1000 }
  globalThis.gc?.()
  const attributes = attributesOf(n)
  const from = process.cpuUsage()
  const startMs = performance.now()
  const { payloadId } = await choose(port, chain.head.hash, attributes)
  const chosenMs = performance.now() - startMs
  const taken = await post(port, JSON.stringify(callOf('engine_getPayloadV5', [payloadId])))
  const takenMs = performance.now() - startMs
  const takenUserMs = process.cpuUsage(from).user / 1000
  // The payload as it was written, without reading it.
  const payloadText = taken.slice(taken.indexOf('{"parentHash"'), taken.indexOf(',"blockValue"'))
  const root = attributes.parentBeaconBlockRoot
  const body = `{"jsonrpc":"2.0","id":1,"method":"engine_newPayloadV4","params":[${payloadText},[],"${root}",[]]}`
  const verdict = resultOf<{ readonly status: string; readonly latestValidHash: string }>(await post(port, body))
  if (verdict.status !== 'VALID') throw new Error(JSON.stringify(verdict))
  const insertedMs = performance.now() - startMs
  await choose(port, verdict.latestValidHash, null)
  const durableMs = performance.now() - startMs
  const durableUserMs = process.cpuUsage(from).user / 1000
  const payload = JSON.parse(payloadText) as Payload
  const hash = payload.blockHash
  if (chain.head.hash !== hash) throw new Error(`the head is ${chain.head.hash}, the payload ${hash}`)
  const judged = await other.addBlock(blockOf(payload, root!))
  if (judged.status !== 'valid' || judged.hash !== hash) throw new Error(`block ${n} is ${judged.status} elsewhere`)
  await other.setHead({ head: hash })
  await check(hash, signed, payload, wei)
  const row = {
    ...{ block: n, transactions: payload.transactions.length, ...filled, chosenMs, takenMs, takenUserMs },
    ...{ insertedMs, durableMs, durableUserMs, replyBytes: taken.length },
  }
  rows.push(row)
  console.error(JSON.stringify(row))
}
console.log(JSON.stringify({ chain: given.chain, size, workers, adapter: given.adapter, rows }, null, 2))
client.close()
await service.close()
await chain.close()
await other.close()
reader.close()
device?.destroy()
rmSync(folder, { recursive: true })
