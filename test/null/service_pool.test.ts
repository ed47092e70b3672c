import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { createRandom } from '../../bench/random.ts'
import { parseGenesis } from '../../host/flows/chain/genesis.ts'
import { openChain } from '../../host/flows/chain/open_chain.ts'
import { type Chain, packTransactions, SenderCache, type TransactionObject } from '../../host/index.ts'
import { Kzg } from '../../service/kzg/kzg.ts'
import { Executors } from '../../service/node/executors.ts'
import { MOST_MISSED } from '../../service/node/missed_blocks.ts'
import { PayloadBuilder } from '../../service/node/payload_builder.ts'
import { Pool } from '../../service/node/pool.ts'
import type { SendReply } from '../../service/node/pool_calls.ts'
import type { RpcError } from '../../service/rpc_error.ts'
import { keyed, signed } from '../fixtures/block_world.ts'
import { builtGenesis } from '../fixtures/built_chain.ts'

const folder = mkdtempSync(join(tmpdir(), 'wgevm-pool-'))
const TO = '0x0000000000000000000000000000000000000fee'
const POOR = keyed(7)
const DELEGATED = keyed(8)
const CONTRACT = keyed(9)
const FUNDS = 100_000n
const GAS_LIMIT = 10_000_000n

let chain: Chain
let executors: Executors
let pool: Pool
const kzg = new Kzg()

beforeAll(async () => {
  const file = JSON.parse(builtGenesis())
  // Below what one transaction may take.
  file.gasLimit = `0x${GAS_LIMIT.toString(16)}`
  // Enough for one payment at the least price, and some wei.
  file.alloc[POOR] = { balance: `0x${(21_000n + FUNDS).toString(16)}` }
  file.alloc[DELEGATED] = { balance: '0xffffffffffff', code: `0xef0100${'11'.repeat(20)}` }
  file.alloc[CONTRACT] = { balance: '0xffffffffffff', code: '0xef0000' }
  chain = await openChain({ path: folder, genesis: parseGenesis(JSON.stringify(file)) })
  executors = new Executors({ chainId: 1n, workers: 0 }, chain.state, new SenderCache())
})
beforeEach(() => {
  pool = new Pool(chain, executors, { perSender: 3, transactions: 5, blobsPerSender: 2, blobs: 4 }, kzg)
})
afterAll(async () => {
  executors.close()
  await kzg.close()
  await chain.close()
  rmSync(folder, { recursive: true })
})

const transaction = (
  from: number,
  nonce: bigint,
  more: Partial<TransactionObject> = {},
  fork: 'osaka' | 'prague' = 'osaka',
): Uint8Array =>
  signed(
    {
      from: keyed(from),
      to: TO,
      nonce,
      gasLimit: 21_000n,
      type: 2,
      maxFeePerGas: 1000n,
      maxPriorityFeePerGas: 100n,
      ...more,
    },
    fork,
  )

/** Why the pool does not take it; undefined where it does. */
const refusal = (bytes: Uint8Array): Promise<string | undefined> =>
  pool.add(bytes).then(
    () => undefined,
    (thrown: Error) => thrown.message,
  )

const counts = async () => pool.status()

describe('the pool', () => {
  it('takes transactions in any order; those after a gap wait for it', async () => {
    expect(await refusal(transaction(0, 2n))).toBeUndefined()
    expect(await refusal(transaction(0, 0n))).toBeUndefined()
    expect(await counts()).toStrictEqual({ pending: 1, queued: 1 })
    expect(await pool.nextNonce(keyed(0))).toBe(1n)
    expect(await refusal(transaction(0, 1n))).toBeUndefined()
    expect(await counts()).toStrictEqual({ pending: 3, queued: 0 })
    expect(pool.pending().map((entry) => entry.transaction.nonce)).toStrictEqual([0n, 1n, 2n])
    expect(await pool.nextNonce(keyed(0))).toBe(3n)
  })

  it('tells of those that the next block could take by what has come', async () => {
    const told: (readonly string[])[] = []
    pool.onPending = (hashes) => told.push(hashes)
    const dearer = { maxFeePerGas: 2000n, maxPriorityFeePerGas: 200n }
    await pool.add(transaction(0, 1n))
    const second = await pool.add(transaction(0, 1n, dearer))
    expect(told, 'neither the one after a gap, nor what takes its place').toEqual([])
    const first = await pool.add(transaction(0, 0n))
    const other = await pool.add(transaction(0, 0n, dearer))
    expect(told).toEqual([[first, second], [other]])
  })

  it('takes a gas limit up to that of the block', async () => {
    expect(await refusal(transaction(0, 0n, { gasLimit: GAS_LIMIT }))).toBeUndefined()
    expect(await refusal(transaction(1, 0n, { gasLimit: GAS_LIMIT + 1n }))).toMatch(/^exceeds block gas limit/)
  })

  it('leaves a payload as it was built where it cannot be built again', async () => {
    await pool.add(transaction(0, 0n))
    const builder = new PayloadBuilder(chain, pool, { extraData: '0x' })
    const { head } = chain
    const attributes = {
      timestamp: head.header.timestamp + 12n,
      prevRandao: `0x${'11'.repeat(32)}`,
      suggestedFeeRecipient: TO,
      withdrawals: [],
      parentBeaconBlockRoot: `0x${'33'.repeat(32)}`,
    }
    const job = builder.start({ id: '0x01', parent: head, fork: 'osaka', chain: undefined, attributes })
    expect((await job.built).payload.transactions.offsets).toHaveLength(1 + 1)
    await pool.add(transaction(0, 1n))
    const pending = vi.spyOn(pool, 'pending').mockImplementationOnce(() => {
      throw new Error('a fault')
    })
    expect((await builder.finish(job)).payload.transactions.offsets).toHaveLength(1 + 1)
    expect(pending).toHaveBeenCalledTimes(1)
    await pool.add(transaction(0, 2n))
    expect((await builder.finish(job)).payload.transactions.offsets).toHaveLength(1 + 3)
  })

  it('takes the same once', async () => {
    expect(await refusal(transaction(0, 0n))).toBeUndefined()
    expect(await refusal(transaction(0, 0n))).toBe('already known')
  })

  it.each([
    [1100n, 110n, undefined],
    [1099n, 110n, 'replacement transaction underpriced'],
    [1100n, 109n, 'replacement transaction underpriced'],
  ])('replaces one of fee 1000 and tip 100 by %i and %i: %s', async (maxFeePerGas, maxPriorityFeePerGas, expected) => {
    await pool.add(transaction(0, 0n))
    expect(await refusal(transaction(0, 0n, { maxFeePerGas, maxPriorityFeePerGas }))).toBe(expected)
    expect(pool.count).toBe(1)
    expect(pool.pending()[0]!.transaction.maxFeePerGas).toBe(expected === undefined ? maxFeePerGas : 1000n)
  })

  it('asks for funds for all that a sender has there, and of what is replaced only for the new one', async () => {
    const cheap = { maxFeePerGas: 1n, maxPriorityFeePerGas: 1n }
    expect(await refusal(transaction(7, 0n, { ...cheap, value: FUNDS + 1n }))).toMatch(/^insufficient funds/)
    expect(await refusal(transaction(7, 0n, { ...cheap, value: FUNDS - 21_000n }))).toBeUndefined()
    expect(await refusal(transaction(7, 1n, { ...cheap, value: 1n }))).toMatch(/^insufficient funds/)
    expect(await refusal(transaction(7, 0n, { maxFeePerGas: 2n, maxPriorityFeePerGas: 2n, value: 1n }))).toBeUndefined()
  })

  it('takes so many of one sender, and so many in all, where the cheapest makes room', async () => {
    for (const nonce of [0n, 1n, 2n]) await pool.add(transaction(0, nonce))
    expect(await refusal(transaction(0, 3n))).toMatch(/^account limit exceeded: pooled 3 txs$/)
    const dear = { maxFeePerGas: 2000n }
    await pool.add(transaction(1, 0n, dear))
    await pool.add(transaction(1, 1n, dear))
    expect(await refusal(transaction(2, 0n))).toBe('transaction underpriced')
    expect(await refusal(transaction(2, 0n, dear))).toBeUndefined()
    expect(pool.count).toBe(5)
    expect(
      pool
        .pending()
        .map(({ transaction: { from, nonce } }) => `${from === keyed(0)} ${nonce}`)
        .sort(),
    ).toStrictEqual(['false 0', 'false 0', 'false 1', 'true 0', 'true 1'])
  })

  it.each([
    ['bytes that are none', () => Uint8Array.of(2, 0xc0), /./],
    ['too many bytes', () => new Uint8Array(128 * 1024 + 1), /^oversized data/],
    ['another chain', () => otherChain(), /chain/],
    [
      'less than the intrinsic gas',
      () => transaction(0, 0n, { gasLimit: 20_999n }),
      /^intrinsic gas too low: gas 20999, minimum needed 21000$/,
    ],
    ['more than the gas of a block', () => transaction(0, 0n, { gasLimit: 30_000_001n }, 'prague'), /gas limit/],
    [
      'more than the gas of a transaction (EIP-7825)',
      () => transaction(0, 0n, { gasLimit: 16_777_217n }, 'prague'),
      /gas limit/,
    ],
    [
      'no tip',
      () => transaction(0, 0n, { maxPriorityFeePerGas: 0n }),
      /^transaction gas price below minimum: gas tip cap 0, minimum needed 1$/,
    ],
    ['no chain', () => unprotected(), /^only replay-protected/],
  ])('refuses %s', async (_, make, reason) => {
    expect(await refusal(make())).toMatch(reason)
    expect(pool.count).toBe(0)
  })

  it('takes nothing from an account with code, unless that is a delegation', async () => {
    expect(await refusal(transaction(9, 0n))).toBe('sender not an eoa')
    expect(await refusal(transaction(8, 0n))).toBeUndefined()
  })

  it('takes one whose fee is below the base fee of the next block', async () => {
    expect(await refusal(transaction(0, 0n, { maxFeePerGas: 1n, maxPriorityFeePerGas: 1n }))).toBeUndefined()
  })
})

describe('transactions that come together', () => {
  const LIMITS = { perSender: 3, transactions: 10, blobsPerSender: 2, blobs: 4 }
  /** Every reason that a pool has, and what it takes, by a few senders. */
  const drawn = (): readonly Uint8Array[] => {
    const random = createRandom(7, 'pool waves')
    const one = (): Uint8Array => {
      const fees = {
        maxFeePerGas: BigInt(1000 + 55 * random.below(5)),
        maxPriorityFeePerGas: BigInt(100 + random.below(30)),
      }
      const from = [0, 1, 2, 7, 8, 9][random.below(6)]!
      const value = BigInt([0, 1, 80_000, 100_001][random.below(4)]!)
      if (from === 7)
        return transaction(7, BigInt(random.below(2)), { maxFeePerGas: 1n, maxPriorityFeePerGas: 1n, value })
      return transaction(from, BigInt(random.below(5)), { ...fees, value })
    }
    const bad = [
      () => Uint8Array.of(2, 0xc0),
      () => new Uint8Array(0),
      () => Uint8Array.of(3, 0xc0),
      otherChain,
      unprotected,
      () => transaction(0, 0n, { gasLimit: 20_999n }),
    ]
    const sent: Uint8Array[] = []
    while (sent.length < 120) {
      const kind = random.below(12)
      if (kind === 0 && sent.length > 0) sent.push(sent[random.below(sent.length)]!)
      else sent.push(kind < 3 ? bad[random.below(bad.length)]!() : one())
    }
    return sent
  }
  const replyTo = (to: Pool, bytes: Uint8Array): Promise<SendReply> =>
    to.add(bytes).catch(({ code, message, data }: RpcError) => ({ code, message, data }))
  const contentOf = (of: Pool): unknown => [...of.pending()].map(({ hash }) => hash).concat(`${of.count}`)

  it.each([2, 17, 120])('are answered, kept and told as one after another: %i at a time', async (size) => {
    const sent = drawn()
    const [alone, together] = [new Pool(chain, executors, LIMITS, kzg), new Pool(chain, executors, LIMITS, kzg)]
    const told: Record<'alone' | 'together', string[]> = { alone: [], together: [] }
    let messages = 0
    alone.onPending = (hashes) => told.alone.push(...hashes)
    together.onPending = (hashes) => {
      messages++
      told.together.push(...hashes)
    }
    const reasons = new Set<string>()
    for (let at = 0; at < sent.length; at += size) {
      const some = sent.slice(at, at + size)
      const expected: SendReply[] = []
      for (const bytes of some) expected.push(await replyTo(alone, bytes))
      expect(await together.addAll(packTransactions(some))).toEqual(expected)
      expect(contentOf(together)).toEqual(contentOf(alone))
      for (const reply of expected) reasons.add(typeof reply === 'string' ? 'taken' : reply.message.split(/[:,]/)[0]!)
    }
    expect(told.together).toEqual(told.alone)
    expect(messages).toBeLessThanOrEqual(Math.ceil(sent.length / size))
    // What was drawn meets them all.
    expect([...reasons].sort()).toEqual([
      'a transaction of type 3 is a list of 14 fields',
      'account limit exceeded',
      'already known',
      'chain id 37',
      'insufficient funds for gas * price + value',
      'intrinsic gas too low',
      'no bytes',
      'only replay-protected (EIP-155) transactions allowed over RPC',
      'replacement transaction underpriced',
      'sender not an eoa',
      'taken',
      'transaction underpriced',
    ])
  })
})

describe('a transaction with terms that never hold', () => {
  it('leaves the pool when so many heads that its ranges allow have come without it', async () => {
    const { number, timestamp } = chain.head.header
    const open = { blockNumber: {}, timestamp: {}, flashblock: {}, knownAccounts: [], mayFail: true }
    await pool.addConditional(transaction(0, 1n), open)
    await pool.addConditional(transaction(1, 1n), { ...open, blockNumber: { min: number + 1n } })
    await pool.addConditional(transaction(2, 1n), { ...open, timestamp: { min: timestamp + 1n } })
    const heads = async (count: number): Promise<void> => {
      for (let n = 0; n < count; n++) await pool.moveTo(chain.head, { undone: [], applied: [] })
    }
    await heads(MOST_MISSED - 1)
    expect(pool.count).toBe(3)
    await heads(1)
    expect((await pool.content(undefined)).queued.map(({ transaction: { from } }) => from)).toEqual([
      keyed(1),
      keyed(2),
    ])
  })
})

describe('the pool after a block', () => {
  it('counts nothing that the block took against what comes before it has followed', async () => {
    const { hash: parent, header } = chain.head
    for (let nonce = 0n; nonce < 3n; nonce++) await pool.add(transaction(2, nonce))
    const { hash } = await chain.build({
      parent,
      attributes: {
        timestamp: header.timestamp + 12n,
        prevRandao: `0x${'11'.repeat(32)}`,
        coinbase: keyed(3),
        parentBeaconBlockRoot: `0x${'22'.repeat(32)}`,
        withdrawals: [],
      },
      pool: pool.pending().map(({ bytes }) => bytes),
    })
    const change = await chain.setHead({ head: hash })
    // Three of one sender are the most.
    for (let nonce = 3n; nonce < 6n; nonce++) expect(await refusal(transaction(2, nonce))).toBeUndefined()
    await pool.moveTo(chain.head, change)
    expect(pool.pending().map((entry) => entry.transaction.nonce)).toStrictEqual([3n, 4n, 5n])
    await chain.setHead({ head: parent })
  })

  it('has nothing that its sender cannot pay any more', async () => {
    const cheap = { maxFeePerGas: 1000n, maxPriorityFeePerGas: 100n }
    const balance = BigInt(JSON.parse(builtGenesis()).alloc[keyed(1)].balance)
    // What the block takes: all but the price of some payments.
    const { hash: parent, header } = chain.head
    const left = 100_000_000n
    await pool.add(transaction(1, 1n, { ...cheap, value: balance / 4n }))
    await pool.add(transaction(1, 2n, cheap))
    const other = new Pool(chain, executors, { perSender: 3, transactions: 5, blobsPerSender: 2, blobs: 4 }, kzg)
    await other.add(transaction(1, 0n, { ...cheap, value: balance - left }))
    const { block, hash } = await chain.build({
      parent,
      attributes: {
        timestamp: header.timestamp + 12n,
        prevRandao: `0x${'11'.repeat(32)}`,
        coinbase: keyed(3),
        parentBeaconBlockRoot: `0x${'22'.repeat(32)}`,
        withdrawals: [],
      },
      pool: other.pending().map(({ bytes }) => bytes),
    })
    expect(block.transactions).toHaveLength(1)
    const change = await chain.setHead({ head: hash })
    await pool.moveTo(chain.head, change)
    expect([...(await pool.content(undefined)).queued, ...(await pool.content(undefined)).pending]).toMatchObject([
      { transaction: { nonce: 2n } },
    ])
    // Back again: it pays as before, and what left the chain is the first.
    await pool.moveTo(chain.head, await chain.setHead({ head: parent }))
    expect(pool.pending().map((entry) => entry.transaction.nonce)).toStrictEqual([0n])
    expect(await counts()).toStrictEqual({ pending: 1, queued: 1 })
  })
})

/** The example of EIP-155, of chain 37. */
const otherChain = (): Uint8Array =>
  Buffer.from(
    'f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008026a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83'.replace(
      '8026a0',
      '806da0',
    ),
    'hex',
  )

/** A legacy transaction with a v of 27. */
const unprotected = (): Uint8Array =>
  Buffer.from(
    'f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a7640000801ba028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83',
    'hex',
  )
