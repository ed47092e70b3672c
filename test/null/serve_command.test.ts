import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, describe, expect, it } from 'vitest'
import { headerHash } from '../../host/chain/header.ts'
import { parseGenesis } from '../../host/flows/chain/genesis.ts'
import { readSecret } from '../../service/listener/jwt.ts'
import { keyed, signed } from '../fixtures/block_world.ts'
import { builtGenesis } from '../fixtures/built_chain.ts'
import { ConsensusClient } from '../fixtures/consensus_client.ts'
import { call, post, token } from '../fixtures/service_ports.ts'

const ROOT = join(import.meta.dirname, '../..')
const folder = mkdtempSync(join(tmpdir(), 'wgevm-serve-'))
const data = join(folder, 'chain')
const genesis = join(folder, 'genesis.json')
writeFileSync(genesis, builtGenesis())
afterAll(() => rmSync(folder, { recursive: true }))

const PAYMENT = {
  nonce: 0n,
  gasLimit: 21_000n,
  type: 2,
  maxFeePerGas: 1000n,
  maxPriorityFeePerGas: 3n,
} as const

interface Line {
  readonly msg: string
  readonly ports?: { readonly http: number; readonly auth: number; readonly metrics: number }
  readonly signal?: string
}

const serve = (...more: readonly string[]): ChildProcess =>
  spawn(
    process.execPath,
    ['--import', 'tsx', 'cli/main.ts', 'serve', '--data', data, '--adapter', 'none', '--http.port', '0', ...more],
    { cwd: ROOT, stdio: ['ignore', 'ignore', 'pipe'] },
  )

/** Lines of the log as they come. */
const linesOf = (child: ChildProcess): AsyncIterator<string> =>
  createInterface({ input: child.stderr! })[Symbol.asyncIterator]()
const next = async (lines: AsyncIterator<string>): Promise<Line> =>
  JSON.parse((await lines.next()).value as string) as Line

describe('wgevm serve', () => {
  it('begins a chain and makes a secret, answers, and ends when it is told to', async () => {
    const pool = ['--txpool.accountslots', '1', '--txpool.globalslots', '1']
    const child = serve('--genesis', genesis, '--authrpc.port', '0', '--metrics', '--metrics.port', '0', ...pool)
    const lines = linesOf(child)
    const { msg, ports } = await next(lines)
    expect(msg).toBe('listening')
    expect(await call(ports!.http, 'web3_clientVersion', [])).toMatchObject({
      result: expect.stringMatching(/^wgevm\/\d/),
    })
    expect(await (await fetch(`http://127.0.0.1:${ports!.http}/healthz`)).json()).toStrictEqual({
      status: 'ok',
      head: 0,
    })
    const page = async (): Promise<string> => (await fetch(`http://127.0.0.1:${ports!.metrics}/metrics`)).text()
    const metrics = await page()
    expect(metrics).toMatch(/^wgevm_head_block_number 0$/m)
    expect(metrics).toMatch(/^wgevm_block_memory_bytes 0$/m)
    const secret = readSecret(readFileSync(join(data, 'jwt.hex'), 'utf8'))!
    const authorization = `Bearer ${await token({}, secret)}`
    expect((await post(ports!.auth, '{}', { authorization })).status).toBe(200)
    expect((await post(ports!.auth, '{}')).status).toBe(401)
    // Whose sender the pool knows by then, a block does not recover once more.
    const raw = signed({ ...PAYMENT, from: keyed(0), to: keyed(1) }, 'osaka')
    const sent = `0x${Buffer.from(raw).toString('hex')}`
    expect((await call(ports!.http, 'eth_sendRawTransaction', [sent])).error).toBeUndefined()
    for (const [from, nonce, message] of [
      [0, 1n, 'account limit exceeded: pooled 1 txs'],
      [1, 0n, 'transaction underpriced'],
    ] as const) {
      const more = signed({ ...PAYMENT, nonce, from: keyed(from), to: keyed(2) }, 'osaka')
      const reply = await call(ports!.http, 'eth_sendRawTransaction', [`0x${Buffer.from(more).toString('hex')}`])
      expect(reply.error).toMatchObject({ message })
    }
    expect(await page()).toMatch(/^wgevm_known_senders 0$/m)
    const { header } = parseGenesis(builtGenesis())
    const head = { hash: headerHash(header), time: Number(header.timestamp) }
    const client = new ConsensusClient(ports!.auth, head, secret)
    const block = await client.take(await client.begin())
    expect(block.payload.transactions).toStrictEqual([sent])
    // Another one on the same parent: that which was built first is forgotten, and executed when it comes.
    await client.take(await client.begin({ prevRandao: `0x${'55'.repeat(32)}` }))
    expect(await page()).toMatch(/^wgevm_known_senders 0$/m)
    await client.follow(block)
    expect(await page()).toMatch(/^wgevm_known_senders 1$/m)
    expect(await page()).toMatch(/^wgevm_forkchoice_seconds_count\{wait="node"\} 3$/m)
    await client.follow(block)
    expect(await page()).toMatch(/^wgevm_forkchoice_seconds_count\{wait="nothing"\} 1$/m)
    child.kill('SIGTERM')
    expect(await next(lines)).toMatchObject({ msg: 'ended', signal: 'SIGTERM' })
    expect((await once(child, 'exit'))[0]).toBe(0)
    expect(existsSync(join(data, 'owner'))).toBe(false)
  })
})
