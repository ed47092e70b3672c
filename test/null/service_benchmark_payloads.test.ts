import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { readTar } from '../../host/device/tar.ts'
import { parseGenesis } from '../../host/flows/chain/genesis.ts'
import { openChain } from '../../host/flows/chain/open_chain.ts'
import { ConsensusClient, type JsonPayload } from '../fixtures/consensus_client.ts'
import { servedChain } from '../fixtures/served_chain.ts'

const DATA = process.env['WGEVM_DATA'] ?? join(import.meta.dirname, '../../../shared/data')
const ARCHIVE = join(DATA, 'engine/engine-benchmark.tar.gz')
const ALL = process.env['WGEVM_FULL'] === '1'
/** Every run takes the smallest case of so many files, evenly; a full one takes all cases of all files. */
const SAMPLE = 3

interface EngineCase {
  readonly pre: Readonly<Record<string, object>>
  readonly genesisBlockHeader: Readonly<Record<string, string>>
  readonly lastblockhash: string
  readonly engineNewPayloads: readonly { readonly params: readonly [JsonPayload, unknown, string, readonly string[]] }[]
}

const FORKS = [
  'homestead',
  'eip150',
  'eip155',
  'eip158',
  'byzantium',
  'constantinople',
  'petersburg',
  'istanbul',
  'berlin',
  'london',
]

/** The genesis file of a case. */
const genesisOf = ({ pre, genesisBlockHeader: header }: EngineCase): string =>
  JSON.stringify({
    config: {
      chainId: 1,
      terminalTotalDifficulty: 0,
      ...Object.fromEntries(FORKS.map((fork) => [`${fork}Block`, 0])),
      ...Object.fromEntries(['shanghai', 'cancun', 'prague', 'osaka'].map((fork) => [`${fork}Time`, 0])),
    },
    ...header,
    nonce: header['nonce'],
    alloc: pre,
  })

const gasOf = ({ engineNewPayloads }: EngineCase): number =>
  engineNewPayloads.reduce((sum, { params }) => sum + Number(params[0]['gasUsed']), 0)

/** Cases by file and gas. */
const casesOf = (): readonly (readonly [name: string, one: EngineCase])[] => {
  if (!existsSync(ARCHIVE)) return []
  const files = readTar(gunzipSync(readFileSync(ARCHIVE))).filter(({ path }) => path.endsWith('.json'))
  const step = ALL ? 1 : Math.floor(files.length / SAMPLE)
  return files
    .filter((_, n) => n % step === step - 1)
    .flatMap(({ path, bytes }) => {
      const cases = Object.values(JSON.parse(new TextDecoder().decode(bytes)) as Record<string, EngineCase>)
      const ascending = cases.toSorted((a, b) => gasOf(a) - gasOf(b))
      const file = path.replace(/^.*\/|\.json$/g, '')
      const taken = ALL ? ascending : ascending.slice(0, 1)
      return taken.map((one) => [`${file}, ${gasOf(one)} gas`, one] as const)
    })
}

const cases = casesOf()

describe.skipIf(cases.length === 0)('benchmark payloads over HTTP are valid', () => {
  it.each(cases)('%s', async (_, one) => {
    const path = mkdtempSync(join(tmpdir(), 'wgevm-payloads-'))
    const chain = await openChain({ path, genesis: parseGenesis(genesisOf(one)), executor: { workers: 0 } })
    const service = await servedChain(chain)
    try {
      const { hash, header } = chain.head
      expect(hash).toBe(one.genesisBlockHeader['hash'])
      const client = new ConsensusClient(service.ports.auth!, { hash, time: Number(header.timestamp) })
      for (const { params } of one.engineNewPayloads)
        await client.follow({ payload: params[0], beaconRoot: params[2], requests: params[3] })
      expect(chain.head.hash).toBe(one.lastblockhash)
    } finally {
      await service.close()
      await chain.close()
      rmSync(path, { recursive: true })
    }
  })
})
