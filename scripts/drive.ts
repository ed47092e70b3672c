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
import { killRounds } from '../test/fixtures/kill_rounds.ts'
import { ScriptOptions } from './script_options.ts'

/**
 * Plays a consensus client: it drives an execution client, a process of its own, through so many blocks, in which
 * wallets of viem send payments, creations and calls. With `--kills` the service is killed so often meanwhile, at
 * random moments, and started again. Ends with 1 where anything is not as it should be.
 */
const USAGE = `npm run drive -- [--client ${CLIENTS.join('|')}] [--manner ${Object.keys(MANNERS).join('|')}] \
[--fork osaka|prague] [--blocks 100] [--kills N [--seed N]]`

const TEXT = { type: 'string' } as const
const options = new ScriptOptions('drive', USAGE)
const values = options.parse({ client: TEXT, manner: TEXT, fork: TEXT, blocks: TEXT, kills: TEXT, seed: TEXT })

const oneOf = <Name extends string>(option: string, value: string, names: readonly Name[]): Name =>
  names.find((name) => name === value) ?? options.fail(`--${option} takes ${names.join(', ')}; got '${value}'`)

const name = oneOf('client', values.client ?? 'wgevm', CLIENTS)
const manner = oneOf('manner', values.manner ?? 'lodestar', Object.keys(MANNERS) as (keyof typeof MANNERS)[])
const fork: BeaconFork = oneOf('fork', values.fork ?? (name === 'wgevm' ? 'osaka' : 'prague'), ['osaka', 'prague'])
const blocks = options.whole('blocks', values.blocks ?? '100', 2, 100_000)

const MOST_SEED = 2 ** 31 - 1

const driveOnce = async (): Promise<string> => {
  const folder = mkdtempSync(join(tmpdir(), 'wgevm-drive-'))
  const files = { data: join(folder, 'data'), genesis: join(folder, 'genesis.json'), secret: join(folder, 'jwt.hex') }
  const secret = randomBytes(32)
  const genesis = drivenGenesis(fork)
  writeFileSync(files.genesis, genesis)
  writeFileSync(files.secret, `0x${secret.toString('hex')}`)
  const client = await ClientProcess.start(name, files)
  try {
    const { transactions, blobs, headHash, waits } = await drive({
      ports: client.ports,
      secret,
      manner: MANNERS[manner],
      fork,
      genesisHash: headerHash(parseGenesis(genesis).header),
      blocks,
      isComplete: name === 'wgevm',
      blobsEvery: name === 'wgevm' ? 5 : 0,
      onSlot: (slot) => {
        if (slot > 0 && slot % 10 === 0) console.log(`  ${slot} blocks`)
      },
    })
    return `${blocks} blocks with ${transactions} transactions and ${blobs} blobs, all as sent; ${waits} replies SYNCING; head ${headHash}`
  } finally {
    await client.stop()
    rmSync(folder, { recursive: true })
  }
}

const driveAndKill = async (kills: number, seed: number): Promise<string> => {
  if (name !== 'wgevm' || fork !== 'osaka') options.fail('--kills is for wgevm at osaka')
  const onKill = (kill: number, slot: number): void => {
    if (kill % 5 === 0) console.log(`  ${kill} kills, in slot ${slot}`)
  }
  const driven = await killRounds({ kills, seed, manner: MANNERS[manner], onKill })
  const lost = `no block was lost, ${driven.resent} were sent again, ${driven.transactions} transactions are there once`
  return `${kills} kills in ${driven.blocks} blocks, seed ${seed}: ${lost}`
}

const begun = performance.now()
try {
  const kills = values.kills === undefined ? undefined : options.whole('kills', values.kills, 1, 10_000)
  const seed = options.whole('seed', values.seed ?? String(Math.floor(Date.now() / 1000)), 0, MOST_SEED)
  console.log(`${name}, ${fork}, driven as by ${manner}`)
  const text = kills === undefined ? await driveOnce() : await driveAndKill(kills, seed)
  console.log(`  ${text}; ${((performance.now() - begun) / 1000).toFixed(1)} s`)
} catch (thrown) {
  console.error(`drive: ${(thrown as Error).message}`)
  process.exitCode = 1
}
