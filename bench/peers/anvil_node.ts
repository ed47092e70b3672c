import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { arch, constants, platform, tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import type { BlockEnvironment } from '../../host/chain/environment.ts'
import { addressToHex, quantityToBigInt, wordToBigInt, wordToHex } from '../../host/primitives/word.ts'
import type { StateWrites } from '../../host/state/state.ts'

const ANVIL_VERSION = '1.7.1'

/** How to get the binary; it is no dependency of the package. */
export const ANVIL_HINT = `npm install --no-save @foundry-rs/anvil-${platform()}-${arch() === 'x64' ? 'amd64' : arch()}@${ANVIL_VERSION}`

export class AnvilError extends Error {
  override readonly name = 'AnvilError'
}

/** The anvil binary: of the npm platform package, else on the PATH. */
export const findAnvil = (): string | undefined => {
  const file = platform() === 'win32' ? 'anvil.exe' : 'anvil'
  const require = createRequire(import.meta.url)
  try {
    const packageName = `@foundry-rs/anvil-${platform()}-${arch() === 'x64' ? 'amd64' : arch()}`
    return require.resolve(`${packageName}/bin/${file}`)
  } catch {
    const folders = (process.env['PATH'] ?? '').split(delimiter)
    return folders.map((folder) => join(folder, file)).find((path) => existsSync(path))
  }
}

export const hex = (value: bigint): string => `0x${value.toString(16)}`

/** The chain that the node begins. */
export interface AnvilChain {
  readonly genesis: StateWrites
  /** More contracts, 0x-hex by address. */
  readonly code?: Readonly<Record<string, string>>
  /** Of its first block. */
  readonly env: BlockEnvironment
  readonly chainId: bigint
  readonly hardfork: string
}

/** geth's genesis format. */
const genesisFile = ({ genesis, code = {}, env, chainId }: AnvilChain) => {
  const storage = new Map<string, Record<string, string>>()
  for (let i = 0; i < genesis.slotCount; i++) {
    const address = addressToHex(genesis.slotAddresses, 5 * i)
    let slots = storage.get(address)
    if (slots === undefined) {
      slots = {}
      storage.set(address, slots)
    }
    slots[wordToHex(genesis.slotKeys, 8 * i)] = wordToHex(genesis.slotValues, 8 * i)
  }
  const alloc: Record<string, object> = {}
  for (let i = 0; i < genesis.accountCount; i++) {
    const address = addressToHex(genesis.accountAddresses, 5 * i)
    const code = genesis.code.get(wordToHex(genesis.accounts.codeHash, 8 * i))
    alloc[address] = {
      balance: hex(wordToBigInt(genesis.accounts.balance, 8 * i)),
      nonce: hex(quantityToBigInt(genesis.accounts.nonce, 2 * i)),
      ...(code === undefined ? {} : { code: `0x${Buffer.from(code).toString('hex')}` }),
      ...(storage.has(address) ? { storage: storage.get(address) } : {}),
    }
  }
  for (const [address, bytes] of Object.entries(code)) alloc[address] = { balance: '0x0', nonce: '0x1', code: bytes }
  return {
    config: { chainId: Number(chainId) },
    nonce: '0x0',
    timestamp: hex(env.timestamp - 12n),
    extraData: '0x',
    gasLimit: hex(env.gasLimit),
    difficulty: '0x0',
    mixHash: `0x${'0'.repeat(64)}`,
    coinbase: env.coinbase,
    baseFeePerGas: hex(env.baseFeePerGas),
    alloc,
  }
}

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() =>
        typeof address === 'object' && address !== null ? resolve(address.port) : reject(new Error('no port')),
      )
    })
  })

interface RpcAnswer<T> {
  readonly result?: T
  readonly error?: { readonly message: string }
}

export interface RpcCall {
  readonly method: string
  readonly params: readonly unknown[]
}

/** The text of a request with several calls. */
export const requestOf = (calls: readonly RpcCall[]): string =>
  JSON.stringify(calls.map((call, id) => ({ jsonrpc: '2.0', id, ...call })))

/** JSON-RPC over HTTP to the local node. */
export class Rpc {
  readonly #url: string

  constructor(port: number) {
    this.#url = `http://127.0.0.1:${port}`
  }

  async call<T>(method: string, params: readonly unknown[] = []): Promise<T> {
    const [result] = await this.batch<T>([{ method, params }])
    return result!
  }

  async batch<T>(calls: readonly RpcCall[]): Promise<T[]> {
    return this.send<T>(requestOf(calls), calls[0]!.method)
  }

  /** The answers to a request that is text already; `method` is for errors. */
  async send<T>(body: string, method: string): Promise<T[]> {
    const request = { method: 'POST', headers: { 'content-type': 'application/json' }, body }
    const answers = await fetch(this.#url, request)
      .then((response) => response.json() as Promise<RpcAnswer<T> | RpcAnswer<T>[]>)
      .catch((thrown: unknown) => {
        throw new AnvilError(`${method}: ${(thrown as Error).message}`, { cause: thrown })
      })
    // A request that it cannot read as a whole has one answer.
    if (!Array.isArray(answers)) throw new AnvilError(`${method}: ${answers.error?.message ?? 'no answers'}`)
    return answers.map((answer) => {
      if (answer.error !== undefined) throw new AnvilError(`${method}: ${answer.error.message}`)
      return answer.result as T
    })
  }
}

export const CALLS_PER_REQUEST = 500
/** Hex digits of calldata in a request: anvil takes bodies of 2 MB. */
export const DIGITS_PER_REQUEST = 1_000_000
const START_TIMEOUT_MS = 60_000

const untilReady = async (rpc: Rpc, child: ChildProcess): Promise<void> => {
  const deadline = performance.now() + START_TIMEOUT_MS
  for (;;) {
    if (child.exitCode !== null) throw new AnvilError(`anvil ended with code ${child.exitCode} before it was ready`)
    try {
      await rpc.call('eth_chainId')
      return
    } catch (thrown) {
      if (performance.now() > deadline) throw new AnvilError('anvil was not ready in 60 s', { cause: thrown })
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

const hasTaskset = (): boolean => spawnSync('taskset', ['--version'], { stdio: 'ignore' }).status === 0

/** A running node. */
export interface Anvil {
  readonly rpc: Rpc
  readonly version: string
  readonly isPinned: boolean
}

/**
 * Starts a node that mines only when it is told to, has its next block be the one after `chain`'s genesis, and gives it
 * to `use`. The node is local, has its own temporary folder, and is gone when the promise settles. `pinned`: it runs on
 * one core with one thread, where the system has `taskset`.
 */
export const withAnvil = async <Result>(
  binary: string,
  chain: AnvilChain,
  { pinned, options = [] }: { readonly pinned: boolean; readonly options?: readonly string[] },
  use: (node: Anvil) => Promise<Result>,
): Promise<Result> => {
  const { env, chainId, hardfork } = chain
  const folder = mkdtempSync(join(tmpdir(), 'wgevm-anvil-'))
  const genesisPath = join(folder, 'genesis.json')
  writeFileSync(genesisPath, JSON.stringify(genesisFile(chain)))
  const port = await freePort()
  const isPinned = pinned && hasTaskset()
  const given = ['--host', '127.0.0.1', '--port', String(port), '--init', genesisPath, '--accounts', '1', ...options]
  given.push('--no-mining', '--order', 'fifo', '--silent', '--hardfork', hardfork)
  given.push('--gas-limit', String(env.gasLimit), '--chain-id', String(chainId))
  if (pinned) given.push('--threads', '1')
  const command = isPinned ? ['taskset', '-c', '0', binary, ...given] : [binary, ...given]
  const child = spawn(command[0]!, command.slice(1), { stdio: 'ignore', env: { ...process.env, HOME: folder } })
  const kill = () => child.kill('SIGKILL')
  const killAndEnd = (signal: NodeJS.Signals) => {
    kill()
    rmSync(folder, { recursive: true, force: true })
    process.exit(128 + constants.signals[signal])
  }
  process.once('exit', kill)
  for (const signal of SIGNALS) process.once(signal, killAndEnd)
  try {
    await new Promise((resolve, reject) => {
      child.once('spawn', resolve)
      child.once('error', reject)
    })
    const rpc = new Rpc(port)
    await untilReady(rpc, child)
    await rpc.batch([
      { method: 'anvil_setCoinbase', params: [env.coinbase] },
      { method: 'anvil_setNextBlockBaseFeePerGas', params: [hex(env.baseFeePerGas)] },
      { method: 'evm_setNextBlockTimestamp', params: [Number(env.timestamp)] },
    ])
    return await use({ rpc, version: anvilVersion(binary), isPinned })
  } finally {
    process.off('exit', kill)
    for (const signal of SIGNALS) process.off(signal, killAndEnd)
    kill()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Gas used by the latest block. Throws AnvilError where it does not hold `count` transactions. */
export const minedGas = async (rpc: Rpc, count: number): Promise<number> => {
  const mined = await rpc.call<{ transactions: string[]; gasUsed: string }>('eth_getBlockByNumber', ['latest', false])
  if (mined.transactions.length !== count)
    throw new AnvilError(`anvil mined ${mined.transactions.length} of ${count} transactions`)
  return Number(BigInt(mined.gasUsed))
}

const anvilVersion = (binary: string): string =>
  /Version: ([\d.]+)/.exec(spawnSync(binary, ['--version'], { encoding: 'utf8' }).stdout)?.[1] ?? 'unknown version'
