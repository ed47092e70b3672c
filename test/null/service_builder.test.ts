import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Hex, keccak256 } from 'viem'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Chain, openChain } from '../../host/index.ts'
import { bytesToHex, hexToBytes } from '../../host/primitives/hex.ts'
import { EMPTY_TRIE_ROOT } from '../../host/primitives/keccak.ts'
import { checksumAddress } from '../../service/methods/checksum_address.ts'
import { RPC_CODE } from '../../service/rpc_error.ts'
import { attributesJson, L1_BLOCK, opAttributes, payers, payment } from '../fixtures/op_chain.ts'
import type { Envelope } from '../fixtures/op_node.ts'
import { advance, type OpService, SWITCH, startOpService, switchGenesis, switching } from '../fixtures/op_service.ts'

const word = (value: bigint): string => `0x${value.toString(16).padStart(64, '0')}`
const quantity = (value: bigint): string => `0x${value.toString(16)}`
const hashOf = (raw: Uint8Array): string => keccak256(bytesToHex(raw) as Hex)
/** More than the block's deposits may take. */
const BURNT = 1_300_000n

/** A creation by payer n that halts and takes all its gas. */
const burning = async (n: number, nonce: number, tip = 1000n): Promise<Uint8Array> =>
  hexToBytes(
    await payers[n]!.signTransaction({
      chainId: Number(switchGenesis().config.chainId),
      type: 'eip1559',
      nonce,
      gas: BURNT,
      data: '0xfe',
      maxFeePerGas: 1_000_000n,
      maxPriorityFeePerGas: tip,
    }),
  )

describe('transactions with terms, over HTTP, on a chain at Karst', () => {
  let node: OpService
  let follower: Chain
  let path: string
  const nonces = [0, 0, 0, 0]

  beforeAll(async () => {
    node = await startOpService({ isAlone: true })
    path = mkdtempSync(join(tmpdir(), 'wgevm-follower-'))
    follower = await openChain({ path, genesis: switchGenesis(), executor: { workers: 0 } })
  })
  afterAll(async () => {
    await node.close()
    await follower.close()
    rmSync(path, { recursive: true })
  })

  const number = (): bigint => node.chain.head.header.number
  const conditional = (raw: Uint8Array, terms: object) =>
    node.op.ask('eth_sendRawTransactionConditional', bytesToHex(raw), terms)
  const bundle = (raw: Uint8Array, more: object = {}) =>
    node.op.ask('eth_sendBundle', { txs: [bytesToHex(raw)], ...more })
  const plain = async (raw: Uint8Array): Promise<string> => {
    expect((await node.op.ask('eth_sendRawTransaction', bytesToHex(raw))).error).toBeUndefined()
    return hashOf(raw)
  }
  const pooled = async (hash: string): Promise<boolean> =>
    (await node.op.ask('eth_getTransactionByHash', hash)).result !== null

  const built = async (more: object = {}): Promise<Envelope> => {
    const { hash, header } = node.chain.head
    const n = Number(header.number) + 1
    const { payloadId } = (await node.op.update(hash, hash, attributesJson(opAttributes(header, n, 'karst'), more)))
      .result as { readonly payloadId: string }
    return node.op.take(payloadId)
  }
  /** The next block, which another chain executes; hashes of what it has from the pool, with their status. */
  const next = async (more: object = {}): Promise<ReadonlyMap<string, number>> => followed(await built(more))
  const followed = async (envelope: Envelope): Promise<ReadonlyMap<string, number>> => {
    await advance(node, envelope)
    const { blockHash } = envelope.executionPayload
    expect(node.chain.head.hash).toBe(blockHash)
    expect((await follower.addBlock(node.chain.blockBytes(blockHash)!)).status).toBe('valid')
    await follower.setHead({ head: blockHash })
    const receipts = (await node.op.ask('eth_getBlockReceipts', blockHash)).result as readonly {
      readonly transactionHash: string
      readonly type: string
      readonly status: string
    }[]
    return new Map(receipts.flatMap((one) => (one.type === '0x7e' ? [] : [[one.transactionHash, Number(one.status)]])))
  }

  describe('conditional transactions', () => {
    const slots = (count: number): object =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [word(BigInt(i + 100)), word(0n)]))

    test.each<[string, object, number, RegExp]>([
      [
        '1,001 look-ups',
        { knownAccounts: { [SWITCH]: slots(1000) } },
        RPC_CODE.limitExceeded,
        /cost, 1001, exceeded max: 1000/,
      ],
      [
        'look-ups and ranges that are too many together',
        { knownAccounts: { [SWITCH]: slots(998) }, blockNumberMin: '0x0', timestampMin: '0x0' },
        RPC_CODE.limitExceeded,
        /cost, 1001/,
      ],
      [
        'a range without blocks',
        { blockNumberMin: '0x9', blockNumberMax: '0x8' },
        RPC_CODE.transactionRejected,
        /block number minimum/,
      ],
      [
        'a range without seconds',
        { timestampMin: 9, timestampMax: 8 },
        RPC_CODE.transactionRejected,
        /timestamp minimum/,
      ],
      ['blocks that have been', { blockNumberMax: '0x0' }, RPC_CODE.transactionRejected, /failed header check/],
      ['seconds that have been', { timestampMax: 1 }, RPC_CODE.transactionRejected, /failed header check/],
      [
        'another value',
        { knownAccounts: { [SWITCH]: { '0x0': word(1n) } } },
        RPC_CODE.transactionRejected,
        /storage value mismatch/,
      ],
      [
        'another root',
        { knownAccounts: { [SWITCH]: word(1n) } },
        RPC_CODE.transactionRejected,
        /storage root mismatch/,
      ],
      [
        'a value that is no word',
        { knownAccounts: { [SWITCH]: { '0x0': '0x1' } } },
        RPC_CODE.invalidParams,
        /knownAccounts/,
      ],
      ['no terms', undefined as unknown as object, RPC_CODE.invalidParams, /missing value/],
    ])('are refused with %s', async (_, terms, code, message) => {
      const { error } = await conditional(await switching(3, nonces[3]!), terms)
      expect(error?.code).toBe(code)
      expect(error?.message).toMatch(message)
    })

    test('are taken with 1,000 look-ups, and be in a block', async () => {
      const raw = await switching(3, nonces[3]!++, { value: 0n })
      const terms = {
        knownAccounts: { [checksumAddress(SWITCH)]: { ...slots(996), '0x0': word(0n) } },
        blockNumberMin: quantity(number() + 1n),
        timestampMin: 0,
      }
      expect((await conditional(raw, terms)).result).toBe(hashOf(raw))
      expect((await next()).get(hashOf(raw))).toBe(1)
    })

    test('wait for the first block of their range, and are forgotten after the last', async () => {
      const early = await switching(3, nonces[3]!++, { value: 0n })
      const first = quantity(number() + 2n)
      expect((await conditional(early, { blockNumberMin: first, blockNumberMax: first })).error).toBeUndefined()
      expect((await next()).has(hashOf(early))).toBe(false)
      expect((await next()).get(hashOf(early))).toBe(1)
      const behind = await switching(1, nonces[1]! + 1, { value: 0n })
      expect((await conditional(behind, { blockNumberMax: quantity(number() + 2n) })).error).toBeUndefined()
      await next()
      expect(await pooled(hashOf(behind))).toBe(true)
      await next()
      expect(await pooled(hashOf(behind)), 'it waits for a nonce that has not come').toBe(false)
    })

    test('wait for the first second of their range', async () => {
      const { timestamp } = node.chain.head.header
      const raw = await switching(3, nonces[3]!++, { value: 0n })
      const terms = { timestampMin: quantity(timestamp + 3n), timestampMax: quantity(timestamp + 4n) }
      expect((await conditional(raw, terms)).error).toBeUndefined()
      expect((await next()).has(hashOf(raw)), 'two seconds later').toBe(false)
      expect((await next()).get(hashOf(raw)), 'four seconds later').toBe(1)
    })

    test('are left out where a transaction before them changes a slot, and forgotten after it', async () => {
      const before = await plain(await switching(1, nonces[1]!++, { value: 7n, tip: 100n }))
      const raw = await switching(3, nonces[3]!, { value: 0n })
      expect((await conditional(raw, { knownAccounts: { [SWITCH]: { '0x0': word(0n) } } })).error).toBeUndefined()
      const block = await next()
      expect(block.get(before)).toBe(1)
      expect(block.has(hashOf(raw))).toBe(false)
      expect(await pooled(hashOf(raw))).toBe(false)
    })

    test('stand behind a transaction that changes the slot and one that changes it back', async () => {
      await plain(await switching(1, nonces[1]!++, { value: 9n, tip: 100n }))
      await plain(await switching(1, nonces[1]!++, { value: 7n, tip: 100n }))
      const raw = await switching(3, nonces[3]!++, { value: 0n })
      expect((await conditional(raw, { knownAccounts: { [SWITCH]: { '0x0': word(7n) } } })).error).toBeUndefined()
      expect((await next()).get(hashOf(raw))).toBe(1)
    })

    test('are left out where a deposit of the block changes a slot', async () => {
      const baseFee = BigInt((await node.op.ask('eth_getStorageAt', L1_BLOCK, '0x1', 'latest')).result as string)
      const raw = await payment(3, nonces[3]!)
      expect(
        (await conditional(raw, { knownAccounts: { [L1_BLOCK]: { '0x1': word(baseFee) } } })).error,
      ).toBeUndefined()
      expect((await next()).size).toBe(0)
    })

    test('are held to a storage root', async () => {
      const { storageHash } = (await node.op.ask('eth_getProof', SWITCH, [], 'latest')).result as {
        readonly storageHash: string
      }
      expect(storageHash, 'the switch is off').toBe(EMPTY_TRIE_ROOT)
      const raw = await payment(3, nonces[3]!++)
      expect((await conditional(raw, { knownAccounts: { [SWITCH]: storageHash } })).error).toBeUndefined()
      expect((await next()).get(hashOf(raw))).toBe(1)
      await plain(await switching(1, nonces[1]!++, { value: 3n, tip: 100n }))
      const late = await payment(3, nonces[3]!)
      expect((await conditional(late, { knownAccounts: { [SWITCH]: storageHash } })).error).toBeUndefined()
      expect((await next()).has(hashOf(late))).toBe(false)
    })
  })

  describe('bundles', () => {
    test.each<[string, (raw: string) => object, RegExp]>([
      ['no transaction', () => ({ txs: [] }), /exactly one transaction/],
      ['two transactions', (raw) => ({ txs: [raw, raw] }), /exactly one transaction/],
      ['a last block that has been', (raw) => ({ txs: [raw], maxBlockNumber: '0x1' }), /is a past block/],
      ['a last block that is far', (raw) => ({ txs: [raw], maxBlockNumber: quantity(number() + 11n) }), /is too high/],
      [
        'a first block after the last',
        (raw) => ({ txs: [raw], minBlockNumber: quantity(number() + 11n) }),
        /minBlockNumber/,
      ],
      [
        'a first sub-block after the last',
        (raw) => ({ txs: [raw], minFlashblockNumber: 3, maxFlashblockNumber: '0x2' }),
        /Flashblock/,
      ],
      ['a first second after the last', (raw) => ({ txs: [raw], minTimestamp: 9e9, maxTimestamp: 8e9 }), /Timestamp/],
      ['a last second that has been', (raw) => ({ txs: [raw], maxTimestamp: 5 }), /maxTimestamp/],
    ])('are refused with %s', async (_, of, message) => {
      const { error } = await node.op.ask('eth_sendBundle', of(bytesToHex(await payment(2, nonces[2]!))))
      expect(error?.code).toBe(RPC_CODE.invalidParams)
      expect(error?.message).toMatch(message)
    })

    test('that succeed are in a block, and named by their transaction', async () => {
      const raw = await switching(2, nonces[2]!++)
      expect((await bundle(raw)).result).toEqual({ bundleHash: hashOf(raw) })
      expect((await next()).get(hashOf(raw)), 'the switch is on').toBe(1)
    })

    test('that fail are left out, those that may fail are not, and what comes behind stays exact', async () => {
      await plain(await switching(1, nonces[1]!++, { value: 0n, tip: 100n }))
      const fails = await switching(2, nonces[2]!, { tip: 50n })
      expect((await bundle(fails, { revertingTxHashes: [hashOf(await payment(2, 0))] })).error).toBeUndefined()
      const mayFail = await switching(3, nonces[3]!++, { tip: 40n })
      expect((await bundle(mayFail, { revertingTxHashes: [hashOf(mayFail)] })).error).toBeUndefined()
      const behind = await plain(await payment(1, nonces[1]!++))
      const block = await next()
      expect(block.has(hashOf(fails))).toBe(false)
      expect(block.get(hashOf(mayFail))).toBe(0)
      expect(block.get(behind)).toBe(1)
      expect(await pooled(hashOf(fails)), 'it may come into a later block').toBe(true)
      await plain(await switching(1, nonces[1]!++, { value: 5n, tip: 100n }))
      expect((await next()).get(hashOf(fails))).toBe(1)
      nonces[2]!++
    })

    test('that fail leave their room to others, each of them as large as the block', async () => {
      const depositor = BigInt(
        (await node.op.ask('eth_getTransactionCount', payers[0]!.address, 'latest')).result as string,
      )
      const terms = { maxBlockNumber: quantity(number() + 1n) }
      const fails = [await burning(2, nonces[2]!), await burning(3, nonces[3]!), await burning(0, Number(depositor))]
      for (const raw of fails) expect((await bundle(raw, terms)).error).toBeUndefined()
      const other = await plain(await burning(1, nonces[1]!++, 10n))
      const block = await next({ gasLimit: quantity(BURNT + 200_000n) })
      expect([...block], 'it halts as well, but is no bundle').toEqual([[other, 0]])
    })

    test('and conditional transactions keep their terms when a block that had them leaves the chain', async () => {
      const range = { blockNumberMax: quantity(number() + 1n) }
      const early = await payment(3, nonces[3]!)
      expect((await conditional(early, range)).error).toBeUndefined()
      const needsSwitch = await switching(2, nonces[2]!)
      expect((await bundle(needsSwitch)).error).toBeUndefined()
      const { hash: parent, header } = node.chain.head
      const named = opAttributes(header, Number(header.number) + 1, 'karst').transactions as readonly Uint8Array[]
      const off = await switching(1, nonces[1]!++, { value: 0n })
      const sibling = await built({ noTxPool: true, transactions: [...named, off].map(bytesToHex) })
      const first = await next()
      for (const raw of [early, needsSwitch]) expect(first.get(hashOf(raw))).toBe(1)
      await node.op.insert(sibling)
      await node.op.update(sibling.executionPayload.blockHash, parent)
      expect((await follower.addBlock(node.chain.blockBytes(node.chain.head.hash)!)).status).toBe('valid')
      expect(node.chain.head.hash).toBe(sibling.executionPayload.blockHash)
      expect(await pooled(hashOf(early)), 'its last block has been').toBe(false)
      expect(await pooled(hashOf(needsSwitch))).toBe(true)
      expect((await next()).size, 'the switch is off').toBe(0)
      await plain(await switching(1, nonces[1]!++, { value: 5n, tip: 100n }))
      expect((await next()).get(hashOf(needsSwitch))).toBe(1)
      nonces[2]!++
    })

    test('that fail because another one is left out are left out as well', async () => {
      await plain(await switching(3, nonces[3]!++, { value: 0n, tip: 1000n }))
      const fails = await switching(1, nonces[1]!, { tip: 100n })
      const terms = { maxBlockNumber: quantity(number() + 1n) }
      expect((await bundle(fails, terms)).error).toBeUndefined()
      const switchesOn = await plain(await switching(1, nonces[1]! + 1, { value: 1n, tip: 90n }))
      const needsIt = await switching(2, nonces[2]!, { tip: 80n })
      expect((await bundle(needsIt, terms)).error).toBeUndefined()
      const last = await plain(await payment(3, nonces[3]!++))
      const block = await next()
      expect(block.size).toBe(2)
      expect(block.get(last)).toBe(1)
      expect(await pooled(switchesOn)).toBe(true)
      for (const raw of [fails, needsIt]) expect(await pooled(hashOf(raw)), 'its last block has been').toBe(false)
    })
  })
})

describe('a chain at Lagoon', () => {
  /** Type 0x7d, and a list: version 1, block 1, 5 of gas for the third transaction. */
  const POST_EXEC = '0x7dc60101c3c20205'
  let node: OpService
  beforeAll(async () => {
    node = await startOpService({ genesis: switchGenesis('lagoon'), isAlone: true })
  })
  afterAll(() => node.close())

  /** Attributes of the first block, with more transactions of the sequencer. */
  const attributes = (...more: readonly string[]): object => {
    const named = opAttributes(node.chain.head.header, 1, 'lagoon')
    const transactions = [...(named.transactions as readonly Uint8Array[]).map(bytesToHex), ...more]
    return attributesJson(named, { transactions, ...(more.length === 0 ? {} : { noTxPool: true }) })
  }
  const begin = (...more: readonly string[]) => {
    const { hash } = node.chain.head
    return node.op.update(hash, hash, attributes(...more))
  }

  test('says of a block that ends with a post-exec transaction neither that it may stand nor that it may not', async () => {
    const message = 'block 1 has a post-exec transaction (type 0x7d, Lagoon), which is not executed here'
    const raw = bytesToHex(await payment(1, 0))
    expect((await begin(raw, POST_EXEC)).error).toMatchObject({ code: RPC_CODE.server, message })
    const { payloadId } = (await begin()).result as { readonly payloadId: string }
    const { executionPayload, parentBeaconBlockRoot } = await node.op.take(payloadId)
    const insert = async (...transactions: readonly string[]) => {
      const payload = { ...executionPayload, transactions: [...executionPayload.transactions, ...transactions] }
      const params = [[], parentBeaconBlockRoot, []] as const
      const reply = await node.op.ask('engine_newPayloadV4', payload, ...params)
      // Of other transactions the hash of the block is another one, which the reply says.
      const { validationError } = reply.result as { readonly validationError: string }
      const blockHash = validationError.slice(-66)
      return node.op.ask('engine_newPayloadV4', { ...payload, blockHash }, ...params)
    }
    expect((await insert(raw, POST_EXEC)).error).toMatchObject({ code: RPC_CODE.server, message })
    expect((await insert(POST_EXEC, raw)).result, 'it may be the last one alone').toMatchObject({ status: 'INVALID' })
    expect((await node.op.ask('eth_sendRawTransaction', POST_EXEC)).error?.message).toMatch(/type 125 is not supported/)
  })

  test('has blocks without one as at Karst', async () => {
    const path = mkdtempSync(join(tmpdir(), 'wgevm-karst-'))
    const karst = await openChain({ path, genesis: switchGenesis('karst'), executor: { workers: 0 } })
    const { header } = node.chain.head
    const request = { attributes: opAttributes(header, 1, 'karst'), pool: [await payment(1, 0), await switching(2, 0)] }
    const [one, other] = [await karst.build(request), await node.chain.build(request)]
    expect(one.order.length).toBe(2)
    expect(other.hash).toBe(one.hash)
    await karst.close()
    rmSync(path, { recursive: true })
  })
})
