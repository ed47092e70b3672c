import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, describe, expect, it } from 'vitest'
import { readSecret } from '../../service/listener/jwt.ts'
import { builtGenesis } from '../fixtures/built_chain.ts'
import { call, post, token } from '../fixtures/service_ports.ts'

const ROOT = join(import.meta.dirname, '../..')
const folder = mkdtempSync(join(tmpdir(), 'wgevm-serve-'))
const data = join(folder, 'chain')
const genesis = join(folder, 'genesis.json')
writeFileSync(genesis, builtGenesis())
afterAll(() => rmSync(folder, { recursive: true }))

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
    const child = serve('--genesis', genesis, '--authrpc.port', '0', '--metrics', '--metrics.port', '0')
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
    const metrics = await (await fetch(`http://127.0.0.1:${ports!.metrics}/metrics`)).text()
    expect(metrics).toMatch(/^wgevm_head_block_number 0$/m)
    expect(metrics).toMatch(/^wgevm_block_memory_bytes 0$/m)
    const secret = readSecret(readFileSync(join(data, 'jwt.hex'), 'utf8'))!
    const authorization = `Bearer ${await token({}, secret)}`
    expect((await post(ports!.auth, '{}', { authorization })).status).toBe(200)
    expect((await post(ports!.auth, '{}')).status).toBe(401)
    child.kill('SIGTERM')
    expect(await next(lines)).toMatchObject({ msg: 'ended', signal: 'SIGTERM' })
    expect((await once(child, 'exit'))[0]).toBe(0)
    expect(existsSync(join(data, 'owner'))).toBe(false)
  })
})
