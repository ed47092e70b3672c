import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { headerHash } from '../../host/chain/header.ts'
import { parseGenesis } from '../../host/flows/chain/genesis.ts'
import { openChain } from '../../host/flows/chain/open_chain.ts'
import type { Chain } from '../../host/index.ts'
import { data } from '../../service/json_rpc/codec.ts'
import { blockOfPayload } from '../../service/node/payload_block.ts'
import { RPC_CODE } from '../../service/rpc_error.ts'
import type { Service } from '../../service/serve.ts'
import { keyed, signed } from '../fixtures/block_world.ts'
import { builtGenesis } from '../fixtures/built_chain.ts'
import {
  BEACON_ROOT,
  type ConsensusBlock,
  ConsensusClient,
  RECIPIENT,
  ZERO_HASH,
} from '../fixtures/consensus_client.ts'
import { servedChain } from '../fixtures/served_chain.ts'
import { call } from '../fixtures/service_ports.ts'

interface Node {
  readonly chain: Chain
  readonly service: Service
  readonly client: ConsensusClient
  close(): Promise<void>
}

const genesis = parseGenesis(builtGenesis())

const startNode = async (undoDepth = 128): Promise<Node> => {
  const path = mkdtempSync(join(tmpdir(), 'wgevm-engine-'))
  const chain = await openChain({ path, genesis, undoDepth, executor: { workers: 0 } })
  const service = await servedChain(chain)
  const { hash, header } = chain.head
  const client = new ConsensusClient(service.ports.auth!, { hash, time: Number(header.timestamp) })
  const close = async (): Promise<void> => {
    await service.close()
    await chain.close()
    rmSync(path, { recursive: true })
  }
  return { chain, service, client, close }
}

const nonces = new Map<number, bigint>()
const payment = (from: number, more: object = {}): string => {
  const nonce = nonces.get(from) ?? 0n
  nonces.set(from, nonce + 1n)
  const object = { from: keyed(from), to: RECIPIENT, nonce, gasLimit: 21_000n, value: 5n, type: 2 as const }
  const raw = signed({ ...object, maxFeePerGas: 1000n, maxPriorityFeePerGas: 3n, ...more }, 'osaka')
  return `0x${Buffer.from(raw).toString('hex')}`
}

/** The same block with other fields, its hash made right again. */
const resealed = ({ payload, beaconRoot, requests }: ConsensusBlock, fields: object): ConsensusBlock => {
  const changed = { ...payload, ...fields }
  const number = (name: string): bigint => BigInt((changed as Record<string, unknown>)[name] as string)
  const bytes = (hex: string): Uint8Array => data().parse(hex)
  const withdrawals = (
    changed['withdrawals'] as { index: string; validatorIndex: string; address: string; amount: string }[]
  ).map((one) => ({
    address: one.address,
    index: BigInt(one.index),
    validatorIndex: BigInt(one.validatorIndex),
    amount: BigInt(one.amount),
  }))
  const { header } = blockOfPayload(
    {
      ...(changed as unknown as Parameters<typeof blockOfPayload>[0]),
      ...(Object.fromEntries(
        ['blockNumber', 'gasLimit', 'gasUsed', 'timestamp', 'baseFeePerGas', 'blobGasUsed', 'excessBlobGas'].map(
          (name) => [name, number(name)],
        ),
      ) as object),
      transactions: changed.transactions.map(bytes),
      withdrawals,
    },
    { parentBeaconBlockRoot: beaconRoot, requests: requests.map(bytes) },
  )
  return { payload: { ...changed, blockHash: headerHash(header) }, beaconRoot, requests }
}

describe('a consensus client over HTTP', () => {
  let producer: Node
  let follower: Node
  const blocks: ConsensusBlock[] = []

  beforeAll(async () => {
    nonces.clear()
    producer = await startNode()
    follower = await startNode(4)
  })
  afterAll(async () => {
    await producer.close()
    await follower.close()
  })

  it('asks what the node can, which is listed without the question', async () => {
    const capabilities = await producer.client.connect()
    expect(capabilities).toContain('engine_getPayloadV5')
    expect(capabilities).not.toContain('engine_exchangeCapabilities')
  })

  it('has blocks built of what wallets send, and makes them the head', async () => {
    const { client, service } = producer
    const http = service.ports.http!
    for (let n = 0; n < 6; n++) {
      const id = await client.begin()
      expect((await client.update(client.attributes())).result, 'the same again').toMatchObject({ payloadId: id })
      // Comes after the payload was begun, and is in it.
      const sent = [payment(0), payment(0), payment(1 + n)]
      const hashes: unknown[] = []
      for (const raw of sent) hashes.push((await call(http, 'eth_sendRawTransaction', [raw])).result)
      const { value, ...block } = await client.take(id)
      expect(value).toBe(3n * 21_000n * 3n)
      blocks.push(block)
      await client.follow(block)
      const receipt = await call(http, 'eth_getTransactionReceipt', [hashes[2]])
      expect(receipt.result).toMatchObject({ status: '0x1', blockHash: block.payload.blockHash, gasUsed: '0x5208' })
      const { result } = await call(http, 'eth_getBlockByNumber', ['latest', false])
      expect((result as { transactions: unknown[] }).transactions.sort()).toStrictEqual(hashes.sort())
    }
    expect((await call(http, 'eth_getTransactionCount', [keyed(0), 'latest'])).result).toBe('0xc')
    expect((await call(http, 'txpool_status', [])).result).toStrictEqual({ pending: '0x0', queued: '0x0' })
    const withdrawn = 6n * 3n * 10n ** 9n
    const fees = 6n * 3n * 21_000n * 3n
    const paid = 6n * 3n * 5n
    expect((await call(http, 'eth_getBalance', [RECIPIENT, 'latest'])).result).toBe(
      `0x${(withdrawn + fees + paid).toString(16)}`,
    )
  })

  it('has another node follow, which executes each block and comes to the same state', async () => {
    for (const block of blocks) await follower.client.follow(block)
    expect(follower.chain.head.header).toStrictEqual(producer.chain.head.header)
    expect((await follower.client.send(blocks[2]!)).result).toMatchObject({ status: 'VALID' })
  })

  it('marks blocks as safe and finalized, which are then found by their tags', async () => {
    const { client, service } = follower
    client.safe = blocks[3]!.payload.blockHash
    client.finalized = blocks[1]!.payload.blockHash
    expect((await client.update()).result).toMatchObject({ payloadStatus: { status: 'VALID' } })
    const hashOf = async (tag: string): Promise<unknown> =>
      ((await call(service.ports.http!, 'eth_getBlockByNumber', [tag, false])).result as { hash: string }).hash
    expect([await hashOf('safe'), await hashOf('finalized')]).toStrictEqual([client.safe, client.finalized])
    // What is below the finalized block is valid, and no head to go back to.
    const { result } = await client.update(null, { headBlockHash: blocks[0]!.payload.blockHash })
    expect(result).toMatchObject({ payloadStatus: { status: 'VALID', latestValidHash: blocks[0]!.payload.blockHash } })
    expect(follower.chain.head.hash).toBe(client.head)
  })

  it('gets bodies by hash and by number', async () => {
    const { client } = follower
    const body = ({ payload }: ConsensusBlock) => ({
      transactions: payload.transactions,
      withdrawals: payload['withdrawals'],
    })
    const hashes = [blocks[4]!.payload.blockHash, ZERO_HASH, blocks[0]!.payload.blockHash]
    expect((await client.ask('engine_getPayloadBodiesByHashV1', hashes)).result).toStrictEqual([
      body(blocks[4]!),
      null,
      body(blocks[0]!),
    ])
    expect((await client.ask('engine_getPayloadBodiesByRangeV1', '0x5', '0x9')).result).toStrictEqual(
      blocks.slice(4).map(body),
    )
    const most = Array.from({ length: 1025 }, () => ZERO_HASH)
    expect((await client.ask('engine_getPayloadBodiesByHashV1', most)).error?.code).toBe(RPC_CODE.tooLarge)
    expect((await client.ask('engine_getPayloadBodiesByRangeV1', '0x1', '0x401')).error?.code).toBe(RPC_CODE.tooLarge)
    expect((await client.ask('engine_getPayloadBodiesByRangeV1', '0x0', '0x1')).error?.code).toBe(
      RPC_CODE.invalidParams,
    )
  })

  describe('when something is wrong', () => {
    const last = (): ConsensusBlock => blocks.at(-1)!
    const statusOf = async (block: ConsensusBlock): Promise<unknown> => (await follower.client.send(block)).result

    it('is told of a block that may not stand, and of what follows it, the last one that may', async () => {
      const parent = blocks.at(-2)!.payload.blockHash
      const wrong = resealed(last(), { stateRoot: BEACON_ROOT })
      const invalid = {
        status: 'INVALID',
        latestValidHash: parent,
        validationError: expect.stringContaining('stateRoot'),
      }
      expect(await statusOf(wrong)).toStrictEqual(invalid)
      expect(await statusOf(wrong), 'again').toMatchObject({ status: 'INVALID', latestValidHash: parent })
      const child = resealed(last(), {
        parentHash: wrong.payload.blockHash,
        blockNumber: '0x7',
        timestamp: '0x7fffffff',
      })
      expect(await statusOf(child)).toMatchObject({ status: 'INVALID', latestValidHash: parent })
      const { result } = await follower.client.update(null, { headBlockHash: wrong.payload.blockHash })
      expect(result).toMatchObject({ payloadStatus: { status: 'INVALID', latestValidHash: parent }, payloadId: null })
      expect(follower.chain.head.hash).toBe(last().payload.blockHash)
    })

    it('is told that a hash is not that of the block, and that blobs are not those of the transactions', async () => {
      const wrong = { ...last(), payload: { ...last().payload, blockHash: BEACON_ROOT } }
      expect(await statusOf(wrong)).toMatchObject({ status: 'INVALID', latestValidHash: null })
      const { payload, beaconRoot, requests } = last()
      const { result } = await follower.client.ask('engine_newPayloadV4', payload, [BEACON_ROOT], beaconRoot, requests)
      expect(result).toMatchObject({ status: 'INVALID', latestValidHash: null })
    })

    it('is told to wait where the parent or the head is not known', async () => {
      const orphan = resealed(last(), { parentHash: BEACON_ROOT })
      expect(await statusOf(orphan)).toStrictEqual({ status: 'SYNCING', latestValidHash: null, validationError: null })
      const { result } = await follower.client.update(follower.client.attributes(), {
        headBlockHash: orphan.payload.blockHash,
      })
      expect(result).toStrictEqual({
        payloadStatus: { status: 'SYNCING', latestValidHash: null, validationError: null },
        payloadId: null,
      })
    })

    it.each([
      [
        'safe is no ancestor of the head',
        () => ({ headBlockHash: blocks[2]!.payload.blockHash, safeBlockHash: last().payload.blockHash }),
      ],
      ['safe is not known', () => ({ safeBlockHash: BEACON_ROOT })],
      ['finalized is not known', () => ({ finalizedBlockHash: BEACON_ROOT })],
      ['finalized is above safe', () => ({ finalizedBlockHash: last().payload.blockHash })],
    ])('gets -38002 where %s, and nothing changes', async (_, state) => {
      const { error } = await follower.client.update(null, state())
      expect(error?.code).toBe(RPC_CODE.invalidForkchoice)
      expect(follower.chain.head.hash).toBe(last().payload.blockHash)
    })

    it.each([
      ['a time that is not later', { timestamp: '0x1' }, RPC_CODE.invalidAttributes],
      ['no beacon root', { parentBeaconBlockRoot: undefined }, RPC_CODE.invalidAttributes],
      ['no withdrawals', { withdrawals: undefined }, RPC_CODE.invalidAttributes],
      ['a time that is no quantity', { timestamp: '12' }, RPC_CODE.invalidParams],
    ])('gets the code of attributes with %s, and the fork choice stays', async (_, more, code) => {
      const { client, chain } = producer
      const before = blocks[4]!.payload.blockHash
      await client.update(null, { headBlockHash: before })
      const { error } = await client.update({ ...client.attributes(), ...more })
      expect(error?.code).toBe(code)
      expect(chain.head.hash === before).toBe(code === RPC_CODE.invalidParams)
      await client.update()
    })

    it('gets -38005 for a version that does not serve the fork, -32602 for one that lacks a field', async () => {
      const { client } = producer
      const { payload, beaconRoot } = last()
      const { blobGasUsed: _, ...withoutBlobGas } = payload
      const codes = async (method: string, ...params: readonly unknown[]) =>
        (await client.ask(method, ...params)).error?.code
      expect(await codes('engine_newPayloadV3', payload, [], beaconRoot)).toBe(RPC_CODE.unsupportedFork)
      expect(await codes('engine_newPayloadV4', withoutBlobGas, [], beaconRoot, [])).toBe(RPC_CODE.invalidParams)
      expect(await codes('engine_newPayloadV4', payload, [], beaconRoot)).toBe(RPC_CODE.invalidParams)
      expect(await codes('engine_newPayloadV4', payload, [], beaconRoot, ['0x00'])).toBe(RPC_CODE.invalidParams)
      expect(await codes('engine_newPayloadV4', payload, [], beaconRoot, ['0x0100', '0x0000'])).toBe(
        RPC_CODE.invalidParams,
      )
      expect(await codes('engine_newPayloadV2', payload)).toBe(RPC_CODE.invalidParams)
      const state = { headBlockHash: client.head, safeBlockHash: ZERO_HASH, finalizedBlockHash: ZERO_HASH }
      const { parentBeaconBlockRoot: __, ...attributes } = client.attributes()
      expect(await codes('engine_forkchoiceUpdatedV2', state, attributes)).toBe(RPC_CODE.unsupportedFork)
      const id = await client.begin()
      expect(await codes('engine_getPayloadV4', id)).toBe(RPC_CODE.unsupportedFork)
      expect(await codes('engine_getPayloadV5', '0x0300000000000000')).toBe(RPC_CODE.unknownPayload)
    })
  })

  it('changes to a side block, and a transaction that left the chain is in the pool again', async () => {
    const { client, service, chain } = producer
    const http = service.ports.http!
    const parent = blocks.at(-2)!.payload
    const attributes = { ...client.attributes(), timestamp: `0x${(Number(parent.timestamp) + 30).toString(16)}` }
    const { result } = await call(http, 'testing_buildBlockV1', [parent.blockHash, attributes, [], '0x'])
    const { executionPayload, executionRequests } = result as {
      executionPayload: ConsensusBlock['payload']
      executionRequests: readonly string[]
    }
    await client.follow({ payload: executionPayload, beaconRoot: BEACON_ROOT, requests: executionRequests })
    expect(chain.head.hash).toBe(executionPayload.blockHash)
    expect((await call(http, 'txpool_status', [])).result).toStrictEqual({ pending: '0x3', queued: '0x0' })
    const again = await client.take(await client.begin())
    expect(again.payload.transactions.toSorted()).toStrictEqual(blocks.at(-1)!.payload.transactions.toSorted())
  })

  it('gets -38006 where the undo records end, and goes back to the genesis where they do not', async () => {
    const genesisHash = producer.chain.genesisHash
    const none = { headBlockHash: genesisHash, safeBlockHash: ZERO_HASH, finalizedBlockHash: ZERO_HASH }
    expect((await producer.client.update(null, none)).result).toMatchObject({ payloadStatus: { status: 'VALID' } })
    expect(producer.chain.head.hash).toBe(genesisHash)
    const shallow = await startNode(2)
    for (const block of blocks) await shallow.client.follow(block)
    expect((await shallow.client.update(null, none)).error?.code).toBe(RPC_CODE.tooDeepReorg)
    expect(shallow.chain.head.hash).toBe(blocks.at(-1)!.payload.blockHash)
    // The second block with another fee recipient: its parent is known, and the state after that is gone.
    const beside = resealed(blocks[1]!, { feeRecipient: keyed(3) })
    const accepted = { status: 'ACCEPTED', latestValidHash: null, validationError: null }
    expect((await shallow.client.send(beside)).result).toStrictEqual(accepted)
    const stranger = resealed(blocks[1]!, { parentHash: `0x${'12'.repeat(32)}` })
    expect((await shallow.client.send(stranger)).result).toStrictEqual({ ...accepted, status: 'SYNCING' })
    const head = { headBlockHash: beside.payload.blockHash, safeBlockHash: ZERO_HASH, finalizedBlockHash: ZERO_HASH }
    expect((await shallow.client.update(null, head)).result).toMatchObject({ payloadStatus: { status: 'SYNCING' } })
    await shallow.close()
  })
})
