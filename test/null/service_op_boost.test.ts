import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openChain, parseGenesis } from '../../host/index.ts'
import type { JsonPayload } from '../fixtures/consensus_client.ts'
import type { Manner } from '../fixtures/engine_rpc.ts'
import { OP_GENESIS_TIME, opFrom, opGenesis } from '../fixtures/op_chain.ts'
import { type DrivenClient, driveOp } from '../fixtures/op_drive.ts'
import type { OpFault } from '../fixtures/op_faults.ts'
import type { SequencedBlock } from '../fixtures/op_sequencer.ts'
import { OpSerialChain } from '../fixtures/op_serial_chain.ts'
import { servedChain } from '../fixtures/served_chain.ts'
import { SECRET } from '../fixtures/service_ports.ts'
import { WALLET_ACCOUNTS } from '../fixtures/wallets.ts'

const EXTRA = '0x0100000032000000060000000000000000'
const genesis = parseGenesis(
  opGenesis(
    opFrom('karst'),
    EXTRA,
    WALLET_ACCOUNTS.map(({ address }) => address),
  ),
)
const PATIENT: Manner = { timeoutMs: 5_000, tries: 40, triesOfHead: 40, retryMs: 50, retriesErrors: true }

interface Client extends DrivenClient {
  readonly genesisHash: string
  close(): Promise<void>
}

const openClient = async (): Promise<Client> => {
  const path = mkdtempSync(join(tmpdir(), 'wgevm-op-boost-'))
  const chain = await openChain({ path, genesis, executor: { workers: 0 } })
  const service = await servedChain(chain, { isAlone: true })
  const { http, auth } = service.ports
  const close = async (): Promise<void> => {
    await service.close()
    await chain.close()
    rmSync(path, { recursive: true })
  }
  const restart = (): Promise<void> => Promise.reject(new Error('a service in this process cannot be killed'))
  return { ports: { http: http!, auth: auth! }, genesisHash: chain.genesisHash, restart, close }
}

describe('a builder behind rollup-boost', () => {
  let builder: Client
  let client: Client
  beforeAll(async () => {
    ;[builder, client] = [await openClient(), await openClient()]
  })
  afterAll(async () => {
    await builder.close()
    await client.close()
  })

  test('has its block taken in every slot without a fault, through lost replies and lost blocks', async () => {
    const faults = new Map<number, OpFault>([
      [4, 'update lost'],
      [5, 'payload lost'],
      [6, 'block lost'],
      [9, 'twice'],
      [10, 'derived'],
    ])
    const blocks: SequencedBlock[] = []
    /** In slot 2 the builder is away, which was not planted. */
    let isAway = false
    const away = {
      restart: builder.restart,
      get ports() {
        return isAway ? { http: 1, auth: 1 } : builder.ports
      },
    }
    const driven = await driveOp({
      ...{ client, secret: SECRET, manner: PATIENT, slots: 11, timeoutMs: 30_000, faults, rounds: 1 },
      builder: away,
      killAt: () => 0,
      genesis: { hash: client.genesisHash, timestamp: OP_GENESIS_TIME, chainId: Number(genesis.config.chainId) },
      onBlock: (block, slot) => {
        blocks.push(block)
        isAway = slot === 1
      },
    })
    const syncing = 'forkchoiceUpdated: SYNCING'
    expect(driven.missed.filter(({ planted }) => planted.length === 0)).toEqual([
      { slot: 2, what: expect.stringMatching(/^forkchoiceUpdated: .*1 tries/), planted: [] },
      { slot: 3, what: syncing, planted: [] },
    ])
    expect(driven.missed.map(({ slot }) => slot)).toEqual([2, 3, 4, 5, 6, 7, 10])
    // In slot 7 the builder gets the block of slot 6.
    expect(driven.missed[5]).toEqual({ slot: 7, what: syncing, planted: ['block lost'] })
    expect(driven.ofBuilder).toBe(driven.blocks - 7)
    expect(driven.transactions).toBeGreaterThan(5 * 10)
    const claims = blocks.map(({ executionPayload, parentBeaconBlockRoot }) => ({
      payload: executionPayload as unknown as JsonPayload,
      beaconRoot: parentBeaconBlockRoot,
    }))
    const serial = await OpSerialChain.on(genesis, client.genesisHash)
    for (const claim of claims) await serial.check(claim)
    const [{ payload, beaconRoot }] = claims as [(typeof claims)[0]]
    const other = await OpSerialChain.on(genesis, client.genesisHash)
    await expect(
      other.check({ payload: { ...payload, transactions: payload.transactions.slice(0, -1) }, beaconRoot }),
    ).rejects.toThrow(/^block 1 says gasUsed/)
  })
})
