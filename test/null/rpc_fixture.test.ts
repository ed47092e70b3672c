import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { EXIT_BAD_INPUT, EXIT_FAILURE } from '../../cli/exit_codes.ts'
import { exitCodeOf, failureText } from '../../cli/fail.ts'
import { forkOfChain } from '../../cli/rpc_fixture.ts'
import { runCommand } from '../../cli/run_command.ts'
import { readBlockFixture } from '../../conformance/block_fixture.ts'
import { readJsonFile } from '../../conformance/json_file.ts'

const BLOCK = fileURLToPath(new URL('../../examples/data/mainnet-1150000.json.gz', import.meta.url))
const CANCUN_BLOCK = fileURLToPath(new URL('../file/blocks/made_up.json', import.meta.url))

interface RecordedBlock {
  chainId: number
  header: Record<string, string>
  expected: Record<string, string>
  transactions: unknown[]
  withdrawals?: unknown
  pre: Record<string, { balance: string; nonce: string; codeHash: string; storage: Record<string, string> }>
  code: Record<string, string>
  blockHashes: Record<string, string>
}
const recorded = (file: string): RecordedBlock => readJsonFile(file, 'a fixture').value as RecordedBlock

type Answer = (method: string, params: readonly string[]) => unknown

/** What a node of that state says. */
const nodeOf = ({
  chainId,
  header: own,
  expected,
  transactions,
  withdrawals,
  pre,
  code,
  blockHashes,
}: RecordedBlock): Answer => {
  const header = { ...own, ...expected }
  const parent = `0x${(BigInt(header['number']!) - 1n).toString(16)}`
  return (method, params) => {
    const [first = '', second] = params
    if (method !== 'eth_getBlockByNumber' && method !== 'eth_chainId') expect(params.at(-1)).toBe(parent)
    switch (method) {
      case 'eth_chainId':
        return `0x${chainId.toString(16)}`
      case 'eth_getBlockByNumber':
        return first === 'latest' || first === header['number']
          ? { ...header, transactions, withdrawals, uncles: [], nothing: null }
          : { hash: blockHashes[String(BigInt(first))] }
      case 'eth_getBalance':
        return pre[first]?.balance ?? '0x0'
      case 'eth_getTransactionCount':
        return pre[first]?.nonce ?? '0x0'
      case 'eth_getCode':
        return code[pre[first]?.codeHash ?? ''] ?? '0x'
      case 'eth_getStorageAt': {
        const slot = Object.entries(pre[first]?.storage ?? {}).find(([key]) => BigInt(key) === BigInt(second!))
        return `0x${BigInt(slot?.[1] ?? 0)
          .toString(16)
          .padStart(64, '0')}`
      }
      default:
        throw new Error(`the method ${method} does not exist`)
    }
  }
}

describe('wgevm fixture', () => {
  const folder = mkdtempSync(join(tmpdir(), 'wgevm-rpc-'))
  let server: Server
  let answer: Answer
  let raw: ((body: string) => { status: number; text: string }) | undefined
  let url: string
  const methods: string[] = []

  beforeAll(async () => {
    server = createServer(async (request, response) => {
      let body = ''
      for await (const chunk of request) body += chunk
      if (raw !== undefined) {
        const { status, text } = raw(body)
        response.writeHead(status).end(text)
        return
      }
      const calls = JSON.parse(body) as { id: number; method: string; params: string[] }[]
      const answers = calls.map(({ id, method, params }) => {
        methods.push(method)
        try {
          return { jsonrpc: '2.0', id, result: answer(method, params) }
        } catch (thrown) {
          return { jsonrpc: '2.0', id, error: { code: -32601, message: (thrown as Error).message } }
        }
      })
      // In any order, as the specification of JSON-RPC lets a server answer.
      response.end(JSON.stringify(answers.reverse()))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v3/secret-key`
  })
  afterAll(async () => {
    await new Promise((resolve) => server.close(resolve))
    rmSync(folder, { recursive: true })
  })

  const make = async (...options: readonly string[]): Promise<string> => {
    const said: string[] = []
    const stdout = vi.spyOn(process.stdout, 'write').mockImplementation((text) => said.push(String(text)) > 0)
    const stderr = vi.spyOn(process.stderr, 'write').mockImplementation(() => true)
    try {
      await runCommand(['fixture', '--rpc', url, ...options])
      return said.join('')
    } finally {
      stdout.mockRestore()
      stderr.mockRestore()
    }
  }
  const failure = (...options: readonly string[]): Promise<readonly [number, string]> =>
    make(...options).then(
      () => [0, ''] as const,
      (thrown: unknown) => [exitCodeOf(thrown), failureText(thrown, false)] as const,
    )

  test.each([
    [BLOCK, '1150000', [], 'gasUsed, logsBloom of the header'],
    [CANCUN_BLOCK, 'latest', ['--fork', 'cancun'], 'gasUsed, receiptsRoot, logsBloom of the header'],
  ])('gives from the answers of a node the block that they come from: %s', async (file, block, options, against) => {
    answer = nodeOf(recorded(file))
    const out = join(folder, 'made.json.gz')
    expect(await make('--block', block, ...options, '--out', out)).toContain(`replays to ${against}\n`)
    const [made, original] = [readBlockFixture(out), readBlockFixture(file)]
    for (const field of ['chainId', 'fork', 'env', 'transactions', 'expected', 'withdrawals'] as const) {
      expect(made[field]).toEqual(original[field])
    }
    // It has what the block reads, each account as it was, with slots that are not zero.
    expect(Object.keys(made.pre).length).toBeGreaterThan(2)
    for (const [address, account] of Object.entries(made.pre)) {
      const { storage = {}, ...whole } = original.pre[address]!
      expect(account).toMatchObject(whole)
      const before = new Map(Object.entries(storage).map(([key, value]) => [BigInt(key), value]))
      for (const [key, value] of Object.entries(account.storage ?? {})) expect(before.get(BigInt(key))).toBe(value)
    }
    for (const [number, hash] of made.blockHashes) expect(original.blockHashes.get(number)).toBe(hash)
    expect(new Set(methods)).not.toContain('debug_traceBlockByNumber')
    rmSync(out)
  })

  test('writes nothing where the state of the node does not lead to the block', async () => {
    const block = recorded(BLOCK)
    const rich = Object.entries(block.pre).find(([, { nonce }]) => nonce !== '0x0')!
    answer = nodeOf({ ...block, pre: { ...block.pre, [rich[0]]: { ...rich[1], nonce: '0xffff' } } })
    const [code, line] = await failure('--block', '1150000', '--out', join(folder, 'out.json'))
    expect(code).toBe(EXIT_FAILURE)
    expect(line).toMatch(
      /^wgevm: mainnet-1150000: the state that the node gives does not lead to the block: transaction \d/,
    )
    expect(readdirSync(folder)).toEqual([])
  })

  test('says in one line, without the key of the address, what a node does not do', async () => {
    const out = join(folder, 'out.json')
    const host = new URL(url).host
    const lines: string[] = []
    answer = (method) => {
      if (method === 'eth_chainId') return '0x1'
      throw new Error('missing trie node')
    }
    lines.push((await failure('--block', '5', '--out', out))[1])
    answer = (method) => (method === 'eth_chainId' ? '0x1' : null)
    lines.push((await failure('--block', '5', '--out', out))[1])
    for (const answered of [
      { status: 429, text: '' },
      { status: 200, text: '<html>' },
      { status: 200, text: '{"error":{"message":"batch too large"}}' },
      { status: 200, text: '[]' },
    ]) {
      raw = () => answered
      lines.push((await failure('--block', '5', '--out', out))[1])
    }
    raw = undefined
    expect(lines).toEqual([
      `wgevm: ${host}: eth_getBlockByNumber: missing trie node`,
      'wgevm: the node has no block 0x5',
      `wgevm: ${host}: eth_chainId: HTTP status 429`,
      expect.stringMatching(/^wgevm: .*: eth_chainId: Unexpected token [^\n]*$/),
      `wgevm: ${host}: eth_chainId: batch too large`,
      `wgevm: ${host}: eth_chainId: no answer to this call`,
    ])
    expect(lines.join()).not.toContain('secret')
    expect(readdirSync(folder)).toEqual([])
  })

  test('refuses options that cannot be meant before it asks the node', async () => {
    methods.length = 0
    const cases: readonly (readonly [readonly string[], string])[] = [
      [['--block', 'five'], "--block takes a number or latest, got 'five'"],
      [['--block', '-1'], "--block takes a number or latest, got '-1'"],
      [['--block', '1', '--fork', 'tokyo'], "unknown fork 'tokyo'"],
      [['--block', '1', '--rpc', 'localhost'], "--rpc takes an http or https address, got 'localhost'"],
      [['--block', '1', '--out', '/no/such/place/a'], 'there is no folder /no/such/place'],
    ]
    for (const [options, text] of cases) {
      expect(await failure(...options)).toEqual([EXIT_BAD_INPUT, expect.stringContaining(text)])
    }
    expect(methods).toEqual([])
    answer = nodeOf({ ...recorded(BLOCK), chainId: 4242 })
    expect(await failure('--block', '1150000')).toEqual([
      EXIT_BAD_INPUT,
      "wgevm: the forks of chain 4242 are not known here: name the block's by --fork",
    ])
    expect(existsSync('chain-4242-1150000.json.gz')).toBe(false)
  })
})

describe('the fork of a block', () => {
  test.each([
    [1, 46_147n, 1_438_918_233n, 'frontier'],
    [1, 1_920_000n, 1_469_020_840n, 'homestead'],
    [1, 15_537_393n, 1_663_224_162n, 'london'],
    [1, 15_537_394n, 1_663_224_179n, 'paris'],
    [1, 19_426_587n, 1_710_338_135n, 'cancun'],
    [1, 24_000_000n, 1_765_400_000n, 'osaka'],
    [11_155_111, 9_000_000n, 1_750_000_000n, 'prague'],
    [4242, 1n, 1n, undefined],
  ])('of chain %i, number %i, is known: %s %s', (chainId, number, timestamp, fork) => {
    expect(forkOfChain(chainId, number, timestamp)).toBe(fork)
  })
})
