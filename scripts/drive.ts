import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseGenesis } from '../host/flows/chain/genesis.ts'
import { headerHash } from '../host/index.ts'
import type { BeaconFork } from '../test/fixtures/beacon_node.ts'
import { CLIENTS, ClientProcess } from '../test/fixtures/client_process.ts'
import { drive } from '../test/fixtures/drive.ts'
import { drivenGenesis } from '../test/fixtures/driven_genesis.ts'
import { MANNERS } from '../test/fixtures/engine_rpc.ts'
import { ScriptOptions } from './script_options.ts'

/**
 * Plays a consensus client: it drives an execution client, a process of its own, through so many blocks, in which
 * wallets of viem send payments, creations and calls. Ends with 1 where anything is not as it should be.
 */
const USAGE = `npm run drive -- [--client ${CLIENTS.join('|')}] [--manner ${Object.keys(MANNERS).join('|')}] \
[--fork osaka|prague] [--blocks 100]`

const TEXT = { type: 'string' } as const
const options = new ScriptOptions('drive', USAGE)
const values = options.parse({ client: TEXT, manner: TEXT, fork: TEXT, blocks: TEXT })

const oneOf = <Name extends string>(option: string, value: string, names: readonly Name[]): Name =>
  names.find((name) => name === value) ?? options.fail(`--${option} takes ${names.join(', ')}; got '${value}'`)

const name = oneOf('client', values.client ?? 'wgevm', CLIENTS)
const manner = oneOf('manner', values.manner ?? 'lodestar', Object.keys(MANNERS) as (keyof typeof MANNERS)[])
const fork: BeaconFork = oneOf('fork', values.fork ?? (name === 'wgevm' ? 'osaka' : 'prague'), ['osaka', 'prague'])
const blocks = options.whole('blocks', values.blocks ?? '100', 2, 100_000)

const folder = mkdtempSync(join(tmpdir(), 'wgevm-drive-'))
const files = { data: join(folder, 'data'), genesis: join(folder, 'genesis.json'), secret: join(folder, 'jwt.hex') }
const secret = randomBytes(32)
const genesis = drivenGenesis(fork)
writeFileSync(files.genesis, genesis)
writeFileSync(files.secret, `0x${secret.toString('hex')}`)
console.log(`${name}, ${fork}, driven as by ${manner}: ${blocks} blocks`)
const client = await ClientProcess.start(name, files)
try {
  const genesisHash = headerHash(parseGenesis(genesis).header)
  const begun = performance.now()
  const onSlot = (slot: number): void => {
    if (slot > 0 && slot % 10 === 0) console.log(`  ${slot} blocks`)
  }
  const { transactions, headHash, ...driven } = await drive({
    ports: client.ports,
    secret,
    manner: MANNERS[manner],
    fork,
    genesisHash,
    blocks,
    isComplete: name === 'wgevm',
    onSlot,
  })
  const seconds = ((performance.now() - begun) / 1000).toFixed(1)
  console.log(
    `  ${driven.blocks} blocks with ${transactions} transactions in ${seconds} s, all as sent; head ${headHash}`,
  )
} catch (thrown) {
  console.error(`drive: ${(thrown as Error).stack}`)
  process.exitCode = 1
} finally {
  await client.stop()
  rmSync(folder, { recursive: true })
}
