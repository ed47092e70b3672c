import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { FixtureError } from '../conformance/json_field.ts'
import type { FlashblockPortOptions } from '../service/listener/flashblock_port.ts'
import { readSecret } from '../service/listener/jwt.ts'
import type { PortOptions, PortsOptions } from '../service/listener/ports.ts'
import { createLog, isLogLevel, type Logger } from '../service/log.ts'
import type { FlashblockOptions } from '../service/node/flashblock_job.ts'
import { AUTH_LIMITS, FLASHBLOCK_LIMITS, PUBLIC_LIMITS } from '../service/port_limits.ts'
import { UserError } from './fail.ts'
import { parseWhole } from './result_file.ts'

/** Options of `serve` as they are typed; names are go-ethereum's where it has the same. */
export interface ServeArguments {
  readonly data: string
  readonly genesis: string | undefined
  readonly adapter: string | undefined
  readonly undo: string
  readonly verbosity: string
  readonly http: boolean
  readonly 'http.addr': string
  readonly 'http.port': string
  readonly 'http.api': string
  readonly 'http.vhosts': string
  readonly ws: boolean
  readonly 'ws.addr': string
  readonly 'ws.port': string
  readonly 'ws.api': string
  readonly 'ws.origins': string
  readonly 'authrpc.addr': string
  readonly 'authrpc.port': string
  readonly 'authrpc.vhosts': string
  readonly 'authrpc.jwtsecret': string | undefined
  readonly metrics: boolean
  readonly 'metrics.addr': string
  readonly 'metrics.port': string
  readonly 'rpc.gascap': string
  readonly 'rpc.evmtimeout': string
  readonly 'rpc.threads': string
  readonly 'txpool.globalslots': string
  readonly 'txpool.accountslots': string
  readonly 'miner.gaslimit': string
  readonly 'miner.extradata': string
  readonly 'rollup.chain-block-time': string
  readonly 'builder.enable-revert-protection': boolean
  readonly 'flashblocks.enabled': boolean
  readonly 'flashblocks.addr': string
  readonly 'flashblocks.port': string
  readonly 'flashblocks.block-time': string
  readonly 'flashblocks.leeway-time': string
  readonly 'flashblocks.fixed': boolean
}

const text = (describe: string) => ({ type: 'string', describe }) as const

const preset = (describe: string, value: string) => ({ type: 'string', describe, default: value }) as const

export const SERVE_OPTIONS = {
  data: { ...text('the folder of the chain'), alias: 'datadir', demandOption: true },
  genesis: text('begins the chain where the folder has none; else it must have this one'),
  undo: preset('blocks that a reorganisation may go back', '128'),
  verbosity: preset('silent, error, warn, info, debug', 'info'),
  http: { type: 'boolean', describe: 'the public port', default: true },
  'http.addr': preset('its address', '127.0.0.1'),
  'http.port': preset('its number', '8545'),
  'http.api': preset('name spaces there', 'eth,net,web3'),
  'http.vhosts': preset('names that callers may use, * for any', 'localhost'),
  ws: { type: 'boolean', describe: 'WebSockets, on a port of their own or that of --http', default: false },
  'ws.addr': preset('its address', '127.0.0.1'),
  'ws.port': preset('its number', '8546'),
  'ws.api': preset('name spaces there', 'eth,net,web3'),
  'ws.origins': preset('pages that may connect, * for any', ''),
  'authrpc.addr': preset('the address of the port of the consensus client', '127.0.0.1'),
  'authrpc.port': preset('its number', '8551'),
  'authrpc.vhosts': preset('names that callers may use, * for any', 'localhost'),
  'authrpc.jwtsecret': {
    ...text('the file of its secret, made where there is none [default: jwt.hex beside the chain]'),
    alias: 'jwt-secret',
  },
  metrics: { type: 'boolean', describe: 'the port of Prometheus', default: false },
  'metrics.addr': preset('its address', '127.0.0.1'),
  'metrics.port': preset('its number', '6060'),
  'rpc.gascap': preset('gas of a simulated call, 0: no limit', '50000000'),
  'rpc.evmtimeout': preset('time of a simulated call, 0: no limit', '5s'),
  'rpc.threads': preset('simulated calls at once, and as many reads of blocks', '2'),
  'txpool.globalslots': preset('transactions that the pool holds', '5120'),
  'txpool.accountslots': preset('of them of one sender, at most', '64'),
  'miner.gaslimit': preset('what the gas limit of built blocks should come to', '60000000'),
  'miner.extradata': preset('of built blocks, up to 32 bytes', 'wgevm'),
  'rollup.chain-block-time': preset('milliseconds from block to block', '1000'),
  'builder.enable-revert-protection': { type: 'boolean', describe: 'takes bundles (eth_sendBundle)', default: false },
  'flashblocks.enabled': {
    type: 'boolean',
    describe: 'builds payloads of the OP stack in sub-blocks, and tells them over WebSockets',
    default: false,
  },
  'flashblocks.addr': preset('the address of their port', '127.0.0.1'),
  'flashblocks.port': preset('its number', '1111'),
  'flashblocks.block-time': preset('milliseconds from sub-block to sub-block', '250'),
  'flashblocks.leeway-time': preset('milliseconds before the end of a block in which none is begun', '75'),
  'flashblocks.fixed': {
    type: 'boolean',
    describe: 'as many for a payload that is asked for late',
    default: false,
  },
} as const

const MOST_PORT = 65_535
const MOST_GAS = 1e12

const portOf = (
  addr: string,
  port: string,
  vhosts: string,
  option: string,
  limits: PortOptions['limits'],
): PortOptions => ({
  host: addr,
  port: parseWhole(option, port, 0, MOST_PORT),
  virtualHosts: listOf(vhosts),
  limits,
})

const listOf = (value: string): readonly string[] =>
  value
    .split(',')
    .map((one) => one.trim().toLowerCase())
    .filter((one) => one !== '')

/** The ports. Throws UserError, and FixtureError where the secret is none. */
export const parsePorts = (given: ServeArguments, version: string): PortsOptions => {
  const http = portOf(given['http.addr'], given['http.port'], given['http.vhosts'], 'http.port', PUBLIC_LIMITS)
  const ws = portOf(given['ws.addr'], given['ws.port'], given['http.vhosts'], 'ws.port', PUBLIC_LIMITS)
  const auth = portOf(
    given['authrpc.addr'],
    given['authrpc.port'],
    given['authrpc.vhosts'],
    'authrpc.port',
    AUTH_LIMITS,
  )
  const metrics = portOf(given['metrics.addr'], given['metrics.port'], 'localhost', 'metrics.port', PUBLIC_LIMITS)
  return {
    client: { code: 'WG', name: 'wgevm', version },
    ...(given.http ? { http: { ...http, api: listOf(given['http.api']) } } : {}),
    ...(given.ws ? { ws: { ...ws, api: listOf(given['ws.api']), origins: listOf(given['ws.origins']) } } : {}),
    auth: { ...auth, secret: secretOf(given['authrpc.jwtsecret'] ?? join(given.data, 'jwt.hex')) },
    ...(given.metrics ? { metrics } : {}),
    ...(given['builder.enable-revert-protection'] ? { bundles: true } : {}),
    ...(given['flashblocks.enabled'] ? { flashblocks: flashblockPort(given) } : {}),
  }
}

const flashblockPort = (given: ServeArguments): FlashblockPortOptions => ({
  host: given['flashblocks.addr'],
  port: parseWhole('flashblocks.port', given['flashblocks.port'], 0, MOST_PORT),
  ...FLASHBLOCK_LIMITS,
})

const MOST_BLOCK_MS = 60_000

/** When payloads are built in sub-blocks. Throws UserError. */
export const parseFlashblocks = (given: ServeArguments): FlashblockOptions | undefined => {
  if (!given['flashblocks.enabled']) return undefined
  const ms = (option: keyof ServeArguments & string, least: number, most: number): number =>
    parseWhole(option, given[option] as string, least, most)
  const blockMs = ms('rollup.chain-block-time', 1, MOST_BLOCK_MS)
  return {
    blockMs,
    intervalMs: ms('flashblocks.block-time', 1, blockMs),
    leewayMs: ms('flashblocks.leeway-time', 0, blockMs),
    isFixed: given['flashblocks.fixed'],
  }
}

/** The secret of a file; one is made where there is none. */
const secretOf = (path: string): Uint8Array => {
  if (!existsSync(path)) {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, `0x${randomBytes(32).toString('hex')}\n`, { mode: 0o600 })
  }
  const secret = readSecret(readFileSync(path, 'utf8'))
  if (secret === undefined) throw new FixtureError(path, '', 'is no secret: 64 hex digits')
  return secret
}

export const parseLog = (verbosity: string): Logger => {
  if (!isLogLevel(verbosity))
    throw new UserError(`--verbosity takes silent, error, warn, info or debug; got '${verbosity}'`)
  return createLog(verbosity)
}

const NO_GAS_CAP = (1n << 63n) - 1n

/** Gas of a simulated call; none of them comes near what stands for no limit. */
export const parseGasCap = (value: string): bigint => {
  const cap = parseWhole('rpc.gascap', value, 0, MOST_GAS)
  return cap === 0 ? NO_GAS_CAP : BigInt(cap)
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** Milliseconds of a time with its unit, `5s` or `1m30s`; `0` has none. Throws UserError. */
export const parseDuration = (option: string, value: string): number => {
  const parts = [...value.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)]
  if (value !== '0' && (parts.length === 0 || parts.map(([part]) => part).join('') !== value))
    throw new UserError(`--${option} takes a time as 5s, 500ms or 1m30s; got '${value}'`)
  return Math.round(parts.reduce((sum, [, count, unit]) => sum + Number(count) * UNIT_MS[unit!]!, 0))
}

export const parseGas = (option: string, value: string): bigint => BigInt(parseWhole(option, value, 1, MOST_GAS))

const MOST_EXTRA = 32

export const parseExtraData = (value: string): string => {
  const bytes = Buffer.from(value, 'utf8')
  if (bytes.length > MOST_EXTRA) throw new UserError(`--miner.extradata takes up to 32 bytes; got ${bytes.length}`)
  return `0x${bytes.toString('hex')}`
}
