import { gzipSync } from 'node:zlib'
import type { CommandModule } from 'yargs'
import { FORKS, type Fork, isFork } from '../../transpiler/spec/forks.ts'
import { UserError } from '../fail.ts'
import { JsonRpc } from '../json_rpc.ts'
import { checkResultPaths, writeResult } from '../result_file.ts'

interface FixtureArguments {
  rpc: string
  block: string
  fork: string | undefined
  out: string | undefined
}

const parseUrl = (text: string): URL => {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url
  throw new UserError(`--rpc takes an http or https address, got '${text}'`)
}

/** A block number in decimal or hex, or `latest`, as JSON-RPC takes it. */
const parseBlock = (text: string): string => {
  if (text === 'latest') return text
  if (/^(\d{1,18}|0x[0-9a-fA-F]{1,15})$/.test(text)) return `0x${BigInt(text).toString(16)}`
  throw new UserError(`--block takes a number or latest, got '${text}'`)
}

const parseFork = (name: string | undefined): Fork | undefined => {
  if (name === undefined || isFork(name)) return name
  throw new UserError(`unknown fork '${name}'; there is ${FORKS.join(', ')}`)
}

const run = async ({ rpc, block, fork, out }: FixtureArguments): Promise<void> => {
  const request = { rpc: new JsonRpc(parseUrl(rpc)), block: parseBlock(block), fork: parseFork(fork) }
  checkResultPaths({ out })
  const { makeFixture } = await import('../rpc_fixture.ts')
  const { name, json, fixture, against } = await makeFixture({
    ...request,
    onStep: (what) => process.stderr.write(`${what}\n`),
  })
  const path = out ?? `${name}.json.gz`
  writeResult(path, path.endsWith('.gz') ? gzipSync(json) : json, 'out')
  const { transactions, pre, codes } = fixture
  process.stdout.write(
    `${path}: ${transactions.length} transactions, ${Object.keys(pre).length} accounts, ${codes.size} codes; replays to ${against}\n`,
  )
}

export const fixtureCommand: CommandModule<object, FixtureArguments> = {
  command: 'fixture',
  describe: 'Make a block fixture for replay from the JSON-RPC of an archive node',
  builder: (parser) =>
    parser
      .option('rpc', { type: 'string', demandOption: true, describe: 'http or https address of the node' })
      .option('block', { type: 'string', demandOption: true, describe: 'number of the block, or latest' })
      .option('fork', { type: 'string', describe: 'of the block, on a chain whose forks are not known here' })
      .option('out', {
        type: 'string',
        describe: 'file to write, gzip where it ends with .gz [default: CHAIN-NUMBER.json.gz]',
      })
      .strict(),
  handler: run,
}
