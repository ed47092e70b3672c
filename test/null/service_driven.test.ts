import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseGenesis } from '../../host/flows/chain/genesis.ts'
import { openChain } from '../../host/flows/chain/open_chain.ts'
import { drive } from '../fixtures/drive.ts'
import { drivenGenesis } from '../fixtures/driven_genesis.ts'
import { MANNERS } from '../fixtures/engine_rpc.ts'
import { servedChain } from '../fixtures/served_chain.ts'
import { SECRET } from '../fixtures/service_ports.ts'

const CASES = [
  ['Lodestar', 'osaka', MANNERS.lodestar, 12, 12],
  ['op-node', 'prague', MANNERS['op-node'], 4, 0],
] as const

describe('a node that is driven over HTTP', () => {
  it.each(CASES)(
    'builds what wallets of viem send, as %s asks for it at %s; receipts, tags, balances and logs are right',
    async (_, fork, manner, blocks, blobsEvery) => {
      const path = mkdtempSync(join(tmpdir(), 'wgevm-driven-'))
      const genesis = parseGenesis(drivenGenesis(fork))
      const chain = await openChain({ path, genesis, executor: { workers: 0 } })
      const service = await servedChain(chain)
      try {
        const { http, auth } = service.ports
        const ports = { http: http!, auth: auth! }
        const { genesisHash } = chain
        const driven = await drive({ ports, secret: SECRET, manner, fork, genesisHash, blocks, blobsEvery })
        const none = { absences: 0, resent: 0, waits: 0 }
        const sent = blobsEvery === 0 ? 0 : Math.ceil((blocks - 1) / blobsEvery)
        const transactions = 5 * blocks + sent
        expect(driven).toStrictEqual({ blocks, transactions, blobs: 2 * sent, headHash: chain.head.hash, ...none })
        expect(chain.forkChoice.safe?.hash).toBe(chain.head.hash)
      } finally {
        await service.close()
        await chain.close()
        rmSync(path, { recursive: true })
      }
    },
  )
})
