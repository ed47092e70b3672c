import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RLP } from '@ethereumjs/rlp'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { parseGenesis } from '../../host/flows/chain/genesis.ts'
import { openChain } from '../../host/flows/chain/open_chain.ts'
import { type Chain, SenderCache, type TransactionObject } from '../../host/index.ts'
import { Kzg } from '../../service/kzg/kzg.ts'
import { engineMethods } from '../../service/methods/engine.ts'
import { NodeMetrics } from '../../service/metrics.ts'
import { Engine } from '../../service/node/engine.ts'
import { Executors } from '../../service/node/executors.ts'
import type { NodeCalls } from '../../service/node/node_calls.ts'
import { PayloadBuilder } from '../../service/node/payload_builder.ts'
import { Pool } from '../../service/node/pool.ts'
import { versionedHash } from '../../service/node/side_car.ts'
import { RPC_CODE } from '../../service/rpc_error.ts'
import { keyed, signed } from '../fixtures/block_world.ts'
import { builtGenesis } from '../fixtures/built_chain.ts'

/**
 * What DasContextJs of @crate-crypto/node-eth-kzg makes of blobs whose first word is 1 and 2, and SHA-256 of the proofs
 * of their cells: a context of its own would take the test seconds.
 */
const MADE = [
  {
    commitment: 'a0413c0dcafec6dbc9f47d66785cf1e8c981044f7d13cfe3e4fcbb71b5408dfde6312493cb3c1d30516cb3ca88c03654',
    proof: '9231985ff7ec11bd4b70e443399ab3fc60f17ce4253a8934f1ca812c3054303aa670dd262c9913b9095bbf215c8803a6',
    proofsDigest: '61fb7d6967d753dc09fe4e4c93ecd01c89a008b4f9570d09a6d4f6d33854c6f5',
  },
  {
    commitment: 'ae2a137fdfd4324d904e1b403d54b375e11e1bc2db8d55abfa6ad42c011f8ea08ac6a80faaff53a59dc7412eb9943215',
    proof: '8e2fc1f0df825c898647e11776ed9d7e045558970c9bc61c1fa2c2e49dd6b9443b62ea13908959869a3c620730c0f329',
    proofsDigest: '6a6f5d4e1ce6b0445aaa548b61fb434f5b30836718323bb271febd27c892d66a',
  },
] as const
const BLOB_BYTES = 131_072
const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'))

const kzg = new Kzg()

/** A blob with its commitment and its proofs in both forms. */
const blobOf = async (n: 0 | 1) => {
  const blob = new Uint8Array(BLOB_BYTES)
  blob[31] = 1 + n
  const commitment = bytesOf(MADE[n].commitment)
  const proofs = await kzg.cellProofs([blob])
  return { blob, commitment, proof: bytesOf(MADE[n].proof), proofs, hash: versionedHash(commitment) }
}

type Blob = Awaited<ReturnType<typeof blobOf>>

let BLOBS: readonly [Blob, Blob]
beforeAll(async () => {
  BLOBS = [await blobOf(0), await blobOf(1)]
  for (const [n, { proofs }] of BLOBS.entries())
    expect(createHash('sha256').update(Buffer.concat(proofs)).digest('hex')).toBe(MADE[n]!.proofsDigest)
}, 60_000)

interface Form {
  readonly version?: 0 | 1
  readonly more?: Partial<TransactionObject>
  /** Changes the items of the side-car. */
  readonly change?: (items: unknown[]) => unknown[]
}

const GENESIS_TIME = 1_700_000_000

const typed = (list: Uint8Array): Uint8Array => new Uint8Array(Buffer.concat([Uint8Array.of(3), list]))

/** A blob transaction as wallets send it. */
const sent = (
  from: number,
  nonce: bigint,
  blobs: readonly Blob[],
  { version = 1, more = {}, change = (items) => items }: Form = {},
): Uint8Array => {
  const object: TransactionObject = {
    from: keyed(from),
    to: '0x0000000000000000000000000000000000000fee',
    nonce,
    gasLimit: 21_000n,
    type: 3,
    maxFeePerGas: 1000n,
    maxPriorityFeePerGas: 100n,
    maxFeePerBlobGas: 50n,
    blobVersionedHashes: blobs.map(({ hash }) => hash),
    ...more,
  }
  const body = RLP.decode(signed(object, 'osaka').subarray(1))
  const proofs = version === 0 ? blobs.map(({ proof }) => proof) : blobs.flatMap((blob) => blob.proofs)
  const items = [blobs.map(({ blob }) => blob), blobs.map(({ commitment }) => commitment), proofs]
  const list = change([...(version === 0 ? [] : [Uint8Array.of(1)]), ...items])
  return typed(RLP.encode([body, ...list] as never))
}

/** Osaka begins at a second of this chain. */
const nodeAt = async (osakaSecond: number) => {
  const file = JSON.parse(builtGenesis())
  file.timestamp = `0x${GENESIS_TIME.toString(16)}`
  file.config.osakaTime = osakaSecond
  const path = mkdtempSync(join(tmpdir(), 'wgevm-blobs-'))
  const chain = await openChain({ path, genesis: parseGenesis(JSON.stringify(file)), executor: { workers: 0 } })
  const executors = new Executors({ chainId: 1n, workers: 0 }, chain.state, new SenderCache())
  const close = async () => {
    executors.close()
    await chain.close()
    rmSync(path, { recursive: true })
  }
  return { chain, executors, close }
}

const LIMITS = { perSender: 3, transactions: 8, blobsPerSender: 2, blobs: 4 }
const CLIENT = { code: 'TE', name: 'test', version: '1' }
const HEX = (bytes: Uint8Array): string => `0x${Buffer.from(bytes).toString('hex')}`

const refusal = (pool: Pool, bytes: Uint8Array): Promise<string | undefined> =>
  pool.add(bytes).then(
    () => undefined,
    (thrown: Error) => thrown.message,
  )

const engineOf = (chain: Chain, pool: Pool) => {
  const builder = new PayloadBuilder(chain, pool, { extraData: '0x', gasLimit: 30_000_000n })
  const engine = new Engine({ chain, pool, builder, metrics: new NodeMetrics(), onHead: () => undefined })
  const methods = engineMethods(CLIENT)
  const call = (name: string, ...params: unknown[]) =>
    methods[`engine_${name}`]!({ engine } as unknown as NodeCalls, params)
  return { engine, call }
}

const attributes = (time: number) => ({
  timestamp: `0x${time.toString(16)}`,
  prevRandao: `0x${'11'.repeat(32)}`,
  suggestedFeeRecipient: `0x${'22'.repeat(20)}`,
  withdrawals: [],
  parentBeaconBlockRoot: `0x${'33'.repeat(32)}`,
})

const ZERO_HASH = `0x${'0'.repeat(64)}`

afterAll(() => kzg.close())

describe('blob transactions at Osaka', () => {
  let node: Awaited<ReturnType<typeof nodeAt>>
  let pool: Pool
  beforeAll(async () => {
    node = await nodeAt(0)
  })
  beforeEach(() => {
    pool = new Pool(node.chain, node.executors, LIMITS, kzg)
  })
  afterAll(() => node.close())

  it('come with proofs of cells; those of blobs are turned into them', async () => {
    expect(await refusal(pool, sent(0, 0n, BLOBS))).toBeUndefined()
    expect(await refusal(pool, sent(1, 0n, [BLOBS[1]], { version: 0 }))).toBeUndefined()
    expect(pool.blobCount).toBe(3)
    const { call } = engineOf(node.chain, pool)
    const expected = BLOBS.map(({ blob, proofs }) => ({ blob: HEX(blob), proofs: proofs.map(HEX) }))
    expect(
      await call(
        'getBlobsV2',
        BLOBS.map(({ hash }) => hash),
      ),
    ).toStrictEqual(expected)
    expect(await call('getBlobsV2', [BLOBS[0].hash, ZERO_HASH])).toBeNull()
    expect(await call('getBlobsV3', [BLOBS[0].hash, ZERO_HASH])).toStrictEqual([expected[0], null])
    await expect(call('getBlobsV1', [BLOBS[0].hash])).rejects.toMatchObject({ code: -38005 })
    await expect(call('getBlobsV2', Array(129).fill(ZERO_HASH))).rejects.toMatchObject({ code: -38004 })
    const content = pool.pending().map(({ sideCar }) => sideCar?.proofs.length)
    expect(content).toStrictEqual([256, 128])
  })

  it.each<[string, () => Uint8Array, RegExp]>([
    ['no side-car', () => signedAlone(), /^missing sidecar/],
    [
      'a proof of another blob',
      () => sent(0, 0n, [BLOBS[0]], { change: (l) => [l[0], l[1], l[2], BLOBS[1].proofs] }),
      /^KZG verification error/,
    ],
    [
      'a proof of another blob, as before Osaka',
      () => sent(0, 0n, [BLOBS[0]], { version: 0, change: (l) => [l[0], l[1], [BLOBS[1].proof]] }),
      /^KZG verification error/,
    ],
    [
      'another commitment',
      () => sent(0, 0n, [BLOBS[0]], { change: (l) => [l[0], l[1], [BLOBS[1].commitment], l[3]] }),
      /^blob 0: computed hash/,
    ],
    [
      'too few proofs',
      () => sent(0, 0n, [BLOBS[0]], { change: (l) => [l[0], l[1], l[2], BLOBS[0].proofs.slice(1)] }),
      /^invalid number of 127 blob proofs expected 128$/,
    ],
    [
      'a blob too many',
      () => sent(0, 0n, [BLOBS[0]], { change: (l) => [l[0], [BLOBS[0].blob, BLOBS[1].blob], l[2], l[3]] }),
      /^invalid number of 2 blobs/,
    ],
    [
      'a short blob',
      () => sent(0, 0n, [BLOBS[0]], { change: (l) => [l[0], [new Uint8Array(31)], l[2], l[3]] }),
      /blobs must be of 131072 bytes/,
    ],
    [
      'another version',
      () => sent(0, 0n, [BLOBS[0]], { change: (l) => [Uint8Array.of(2), l[1], l[2], l[3]] }),
      /unsupported version/,
    ],
    [
      'no fee for blobs',
      () => sent(0, 0n, [BLOBS[0]], { more: { maxFeePerBlobGas: 0n } }),
      /^transaction gas price below minimum: blob fee cap 0/,
    ],
    ['a gap before it', () => sent(0, 1n, [BLOBS[0]]), /^nonce too high: tx nonce 1, gapped nonce 0$/],
  ])('are refused with %s', async (_, make, reason) => {
    expect(await refusal(pool, make())).toMatch(reason)
    expect(pool.count).toBe(0)
    expect(pool.blobCount).toBe(0)
  })

  it('replace one of the same nonce where all three fees are doubled', async () => {
    await pool.add(sent(0, 0n, [BLOBS[0]]))
    const doubled = { maxFeePerGas: 2000n, maxPriorityFeePerGas: 200n, maxFeePerBlobGas: 100n }
    for (const name of ['maxFeePerGas', 'maxPriorityFeePerGas', 'maxFeePerBlobGas'] as const) {
      const less = { ...doubled, [name]: doubled[name] - 1n }
      expect(await refusal(pool, sent(0, 0n, [BLOBS[1]], { more: less })), name).toBe(
        'replacement transaction underpriced',
      )
    }
    expect(await refusal(pool, sent(0, 0n, [BLOBS[1]], { more: doubled }))).toBeUndefined()
    expect(pool.blob(BLOBS[0].hash)).toBeUndefined()
    expect(pool.blob(BLOBS[1].hash)?.version).toBe(1)
    expect(pool.blobCount).toBe(1)
  })

  it('are counted apart: so many of a sender, so many blobs in all, and senders have one kind', async () => {
    await pool.add(sent(0, 0n, [BLOBS[0]]))
    await pool.add(sent(0, 1n, [BLOBS[0]]))
    expect(await refusal(pool, sent(0, 2n, [BLOBS[0]]))).toBe('account limit exceeded: pooled 2 txs')
    expect(await refusal(pool, signed(payment(0, 2n), 'osaka'))).toBe('address already reserved')
    await pool.add(signed(payment(2, 0n), 'osaka'))
    expect(await refusal(pool, sent(2, 0n, [BLOBS[0]]))).toBe('address already reserved')
    await pool.add(sent(1, 0n, BLOBS))
    expect(await refusal(pool, sent(3, 0n, [BLOBS[0]]))).toBe('transaction underpriced')
    expect(await refusal(pool, sent(3, 0n, [BLOBS[0]], { more: { maxFeePerGas: 1001n } }))).toBeUndefined()
    expect(pool.blobCount).toBeLessThanOrEqual(4)
    expect(await pool.status()).toMatchObject({ queued: 0 })
  })

  it('come with their side-cars in a payload, which stands as it was built', async () => {
    await pool.add(sent(0, 0n, BLOBS))
    await pool.add(sent(1, 0n, [BLOBS[1]], { more: { maxPriorityFeePerGas: 300n } }))
    const { call } = engineOf(node.chain, pool)
    const { hash } = node.chain.head
    const state = { headBlockHash: hash, safeBlockHash: ZERO_HASH, finalizedBlockHash: ZERO_HASH }
    const { payloadId } = (await call('forkchoiceUpdatedV3', state, attributes(GENESIS_TIME + 12))) as {
      payloadId: string
    }
    const built = (await call('getPayloadV5', payloadId)) as unknown as Built
    const order = [BLOBS[1], BLOBS[0], BLOBS[1]]
    expect(built.blobsBundle).toStrictEqual({
      commitments: order.map(({ commitment }) => HEX(commitment)),
      proofs: order.flatMap(({ proofs }) => proofs.map(HEX)),
      blobs: order.map(({ blob }) => HEX(blob)),
    })
    expect(built.executionPayload).toMatchObject({ blobGasUsed: `0x${(3 * BLOB_BYTES).toString(16)}` })
    const hashes = order.map((blob) => blob.hash)
    const root = attributes(0).parentBeaconBlockRoot
    const newPayload = (list: readonly string[]) =>
      call('newPayloadV4', built.executionPayload, list, root, built.executionRequests)
    expect(await newPayload([...hashes].reverse().slice(1))).toMatchObject({ status: 'INVALID' })
    expect(await newPayload(hashes)).toMatchObject({ status: 'VALID' })
  })
})

describe('side-cars that wait to be verified', () => {
  it('are sixteen: one more is refused, and taken when they are done', async () => {
    const none = { version: 0, blobs: [new Uint8Array(1)], commitments: [], proofs: [] } as const
    const waiting = Array.from({ length: 16 }, () => kzg.verify(none))
    const limit = { code: RPC_CODE.limitExceeded, message: expect.stringContaining('16 blob transactions wait') }
    expect(() => kzg.verify(none)).toThrow(expect.objectContaining(limit))
    expect(await Promise.all(waiting)).toStrictEqual(waiting.map(() => false))
    expect(await kzg.verify(none)).toBe(false)
  })
})

describe('blob transactions of blocks that leave the chain', () => {
  it('come back in the order of their nonces, with their side-cars', async () => {
    const node = await nodeAt(0)
    const pool = new Pool(node.chain, node.executors, LIMITS, kzg)
    const { call } = engineOf(node.chain, pool)
    const genesis = node.chain.head.hash
    const states: string[] = [genesis]
    const choose = (hash: string, more: object | null = null) =>
      call(
        'forkchoiceUpdatedV3',
        { headBlockHash: hash, safeBlockHash: ZERO_HASH, finalizedBlockHash: ZERO_HASH },
        more as never,
      ) as Promise<{ payloadId: string }>
    for (const nonce of [0n, 1n]) {
      await pool.add(sent(0, nonce, [BLOBS[0]]))
      const { payloadId } = await choose(states.at(-1)!, attributes(GENESIS_TIME + 12 * states.length))
      const { executionPayload } = (await call('getPayloadV5', payloadId)) as unknown as Built
      states.push(executionPayload.blockHash)
      await choose(executionPayload.blockHash)
      expect(pool.count).toBe(0)
    }
    await choose(genesis)
    expect(pool.pending().map(({ transaction, sideCar }) => [transaction.nonce, sideCar?.version])).toStrictEqual([
      [0n, 1],
      [1n, 1],
    ])
    expect(pool.blob(BLOBS[0].hash)?.proofs).toHaveLength(128)
    await choose(states[2]!)
    expect([pool.count, pool.blobCount]).toStrictEqual([0, 0])
    await node.close()
  })
})

interface Built {
  readonly executionPayload: { readonly blockHash: string }
  readonly executionRequests: readonly string[]
  readonly blobsBundle: unknown
}

const payment = (from: number, nonce: bigint): TransactionObject => ({
  from: keyed(from),
  to: keyed(from),
  nonce,
  gasLimit: 21_000n,
  type: 2,
  maxFeePerGas: 1000n,
  maxPriorityFeePerGas: 100n,
})

/** As blocks have it. */
const signedAlone = (): Uint8Array => {
  const [body] = RLP.decode(sent(0, 0n, [BLOBS[0]]).subarray(1)) as unknown as [never]
  return typed(RLP.encode(body))
}

describe('blob transactions before Osaka', () => {
  it('have a proof for each blob, until it comes: then they get new ones, and blocks take them again', async () => {
    const node = await nodeAt(GENESIS_TIME + 24)
    const pool = new Pool(node.chain, node.executors, LIMITS, kzg)
    const { call } = engineOf(node.chain, pool)
    expect(await refusal(pool, sent(0, 0n, [BLOBS[0]]))).toBe('unexpected sidecar version, want: 0, got: 1')
    expect(await refusal(pool, sent(0, 0n, [BLOBS[0]], { version: 0 }))).toBeUndefined()
    expect(
      await refusal(
        pool,
        sent(1, 0n, [BLOBS[1]], {
          version: 0,
          more: { maxFeePerBlobGas: 1n, maxFeePerGas: 7n, maxPriorityFeePerGas: 1n },
        }),
      ),
    ).toBeUndefined()
    const { blob, proof, hash } = BLOBS[0]
    expect(await call('getBlobsV1', [hash, ZERO_HASH])).toStrictEqual([{ blob: HEX(blob), proof: HEX(proof) }, null])
    await expect(call('getBlobsV2', [hash])).rejects.toMatchObject({ code: -38005 })
    const headed = async (time: number, version: 4 | 5) => {
      const state = { headBlockHash: node.chain.head.hash, safeBlockHash: ZERO_HASH, finalizedBlockHash: ZERO_HASH }
      const { payloadId } = (await call('forkchoiceUpdatedV3', state, attributes(time))) as { payloadId: string }
      const built = (await call(`getPayloadV${version}`, payloadId)) as unknown as Built
      const next = { ...state, headBlockHash: built.executionPayload.blockHash }
      await call('forkchoiceUpdatedV3', next, null)
      return built
    }
    const first = await headed(GENESIS_TIME + 12, 4)
    expect(first.blobsBundle).toMatchObject({ proofs: [HEX(proof)] })
    // The other one's fee is below the base fee: it waits, and is not in a block of Osaka with its old proofs.
    expect(pool.blob(BLOBS[1].hash)?.version).toBe(0)
    const second = await headed(GENESIS_TIME + 24, 5)
    expect(second.blobsBundle).toMatchObject({ proofs: [] })
    await pool.settled()
    expect(pool.blob(BLOBS[1].hash)).toMatchObject({ version: 1 })
    expect(pool.blob(BLOBS[1].hash)!.proofs.map(HEX)).toStrictEqual(BLOBS[1].proofs.map(HEX))
    await node.close()
  })
})
