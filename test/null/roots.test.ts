import { createMPT } from '@ethereumjs/mpt'
import { RLP } from '@ethereumjs/rlp'
import { encodeReceipt as encodeOracleReceipt } from '@ethereumjs/vm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createRandom } from '../../bench/random.ts'
import { encodeBatch } from '../../host/chain/encode_batch.ts'
import { REJECTION } from '../../host/chain/rejection.ts'
import { bytesToHex, hexToBytes } from '../../host/primitives/hex.ts'
import { InputError } from '../../host/primitives/input.ts'
import { EMPTY_TRIE_ROOT } from '../../host/primitives/keccak.ts'
import { rlpBytes, rlpDecodeOwn, rlpInteger, rlpList } from '../../host/primitives/rlp.ts'
import { Receipts } from '../../host/receipts/receipts.ts'
import { encodeReceipts, indexedRoot, receiptsRoot, transactionsRoot, withdrawalsRoot } from '../../host/roots/roots.ts'
import { sortedTrieRoot } from '../../host/state/trie/sorted_trie.ts'
import { EndedBatch, encodeReceipt, type ObjectOutcome } from '../fixtures/receipts.ts'

const rootByMpt = async (entries: readonly (readonly [Uint8Array, Uint8Array])[]): Promise<string> => {
  const trie = await createMPT()
  for (const [key, value] of entries) await trie.put(key, value)
  return bytesToHex(trie.root())
}

const randomItems = (count: number, longest: number): Uint8Array[] => {
  const random = createRandom(count, 'roots')
  return Array.from({ length: count }, () =>
    Uint8Array.from({ length: 1 + random.below(longest) }, () => random.below(256)),
  )
}

describe('RLP', () => {
  it('encodes bytes, integers and lists as @ethereumjs/rlp does', () => {
    for (const length of [0, 1, 2, 54, 55, 56, 57, 255, 256, 257, 65_536]) {
      const bytes = new Uint8Array(length).fill(0x7f)
      expect(rlpBytes(bytes)).toEqual(RLP.encode(bytes))
      expect(rlpList([rlpBytes(bytes)])).toEqual(RLP.encode([bytes]))
      const nested = [bytes, [bytes, []], Uint8Array.of(0x80)]
      expect(rlpDecodeOwn(RLP.encode(nested))).toEqual(nested)
    }
    expect(rlpBytes(Uint8Array.of(0x80))).toEqual(RLP.encode(Uint8Array.of(0x80)))
    for (const value of [0n, 1n, 127n, 128n, 255n, 256n, 2n ** 64n, 2n ** 256n - 1n])
      expect(rlpInteger(value)).toEqual(RLP.encode(value))
    expect(rlpList([])).toEqual(RLP.encode([]))
    expect(() => rlpInteger(-1n)).toThrow('no negative')
  })
})

describe('the sorted trie', () => {
  it.each([0, 1, 2, 3, 16, 17, 127, 128, 129, 130, 255, 256, 257, 1000])(
    'gives the root of an index trie of %i items',
    async (count) => {
      // Short items too: nodes below 32 bytes stand in their parents.
      for (const longest of [2, 200]) {
        const items = randomItems(count, longest)
        expect(indexedRoot(items)).toBe(await rootByMpt(items.map((item, i) => [RLP.encode(i), item])))
      }
    },
  )

  it('gives the root of any set of keys of one length', async () => {
    const key = fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes) => bytes.map((byte) => byte & 0x13))
    const entry = fc.tuple(key, fc.uint8Array({ minLength: 1, maxLength: 40 }))
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(entry, { selector: ([key]) => bytesToHex(key), maxLength: 60 }),
        async (entries) => {
          const sorted = [...entries].sort(([a], [b]) => Buffer.compare(a, b))
          const root = sortedTrieRoot(
            sorted.map(([key]) => key),
            sorted.map(([, value]) => value),
          )
          expect(bytesToHex(root)).toBe(await rootByMpt(entries))
        },
      ),
      { seed: 20_000, numRuns: 60 },
    )
  })

  it('refuses keys out of order and keys that stand twice', () => {
    const keys = [Uint8Array.of(2), Uint8Array.of(1), Uint8Array.of(0x30)]
    expect(() => sortedTrieRoot(keys, keys)).toThrow('not ascending')
    expect(() => sortedTrieRoot([keys[0]!, keys[0]!], keys)).toThrow('stands twice')
  })

  it('has the known root without entries', () => {
    expect(indexedRoot([])).toBe(EMPTY_TRIE_ROOT)
    expect(transactionsRoot([])).toBe(EMPTY_TRIE_ROOT)
    expect(withdrawalsRoot([])).toBe(EMPTY_TRIE_ROOT)
  })
})

const ADDRESS = '0x00000000000000000000000000000000000000aa'
const LOGS = [
  { address: ADDRESS, topics: [`0x${'11'.repeat(32)}`, `0x${'22'.repeat(32)}`], data: '0x0102' },
  { address: ADDRESS, topics: [], data: '0x' },
]
const oracleLogs = LOGS.map(({ address, topics, data }) => [
  hexToBytes(address),
  topics.map(hexToBytes),
  hexToBytes(data),
])

describe('receipts', () => {
  const bloom = new Uint8Array(256).fill(3)

  it.each([0, 1, 2, 3, 4] as const)('are encoded as @ethereumjs/vm does for type %i', (type) => {
    for (const status of [0, 1] as const) {
      const ours = encodeReceipt({ type, status, cumulativeGasUsed: 21_000n, bloom, logs: LOGS })
      const oracle = { status, cumulativeBlockGasUsed: 21_000n, bitvector: bloom, logs: oracleLogs }
      expect(ours).toEqual(encodeOracleReceipt(oracle as never, type))
    }
  })

  it('carry the state root in place of the status before Byzantium', () => {
    const postState = `0x${'ab'.repeat(32)}`
    const ours = encodeReceipt({ type: 0, status: 1, cumulativeGasUsed: 21_000n, bloom, logs: LOGS, postState })
    const oracle = {
      stateRoot: hexToBytes(postState),
      cumulativeBlockGasUsed: 21_000n,
      bitvector: bloom,
      logs: oracleLogs,
    }
    expect(ours).toEqual(encodeOracleReceipt(oracle as never, 0))
  })

  it('of OP-stack deposits carry nonce and version after the logs', () => {
    const receipt = { type: 0x7e, status: 1, cumulativeGasUsed: 5n, bloom, logs: [] } as const
    const head = [Uint8Array.of(1), 5n, bloom, []]
    const withType = (fields: unknown[]) => Uint8Array.from([0x7e, ...RLP.encode(fields as never)])
    expect(encodeReceipt(receipt)).toEqual(withType(head))
    expect(encodeReceipt({ ...receipt, depositNonce: 7n })).toEqual(withType([...head, 7n]))
    expect(encodeReceipt({ ...receipt, depositNonce: 0n, depositReceiptVersion: 1n })).toEqual(
      withType([...head, 0n, 1n]),
    )
  })

  it('of rejected transactions are in no root', async () => {
    const batch = encodeBatch(
      [0, 1, 2].map((n) => ({
        type: 2 as const,
        from: ADDRESS,
        to: ADDRESS,
        nonce: BigInt(n),
        gasLimit: 30_000n,
        maxFeePerGas: 1n,
        maxPriorityFeePerGas: 0n,
      })),
    )
    const outcome: ObjectOutcome = { status: 1, gasUsed: 25_000n, logs: LOGS, output: new Uint8Array(0) }
    const ended = new EndedBatch(batch)
    ended.setTransfer(0, 21_000)
    ended.setRejected(1, REJECTION.nonceTooLow)
    ended.setCpu(2, outcome)
    const receipts = new Receipts(batch, ended.columns)
    const encoded = encodeReceipts(receipts)
    expect(encoded).toHaveLength(2)
    expect(receiptsRoot(receipts)).toBe(await rootByMpt(encoded.map((value, i) => [RLP.encode(i), value])))
    const blooms = receipts.blooms()
    const oracle = { status: 1, cumulativeBlockGasUsed: 46_000n, bitvector: blooms.subarray(512), logs: oracleLogs }
    expect(encoded[1]).toEqual(encodeOracleReceipt(oracle as never, 2))
  })
})

describe('a root', () => {
  const bytes = new Uint8Array(300).fill(0xc0)
  const offsets = (...at: number[]) => ({ bytes, offsets: Uint32Array.of(...at) })
  const withdrawal = { index: 0n, validatorIndex: 7n, address: ADDRESS, amount: 1n }
  const call = (root: (value: never) => string, value: unknown) => () => root(value as never)

  it.each<readonly [string, () => string, string]>([
    ['transactions that are nothing', call(transactionsRoot, undefined), 'transactions'],
    ['transactions as text', call(transactionsRoot, '0xc0'), 'transactions'],
    ['transactions as an object', call(transactionsRoot, {}), 'transactions.bytes'],
    ['transactions as one of them', call(transactionsRoot, bytes), 'transactions'],
    ['bytes that are none', call(transactionsRoot, { ...offsets(0, 1), bytes: [0xc0] }), 'transactions.bytes'],
    ['offsets as numbers', call(transactionsRoot, { bytes, offsets: [0, 300] }), 'transactions.offsets'],
    ['offsets without an end', call(transactionsRoot, offsets()), 'transactions.offsets'],
    ['offsets that descend', call(transactionsRoot, offsets(0, 100, 50, 300)), 'transactions.offsets[2]'],
    ['offsets that start late', call(transactionsRoot, offsets(1, 300)), 'transactions.offsets[0]'],
    ['offsets that end late', call(transactionsRoot, offsets(0, 301)), 'transactions.offsets[1]'],
    ['offsets that end early', call(transactionsRoot, offsets(0, 299)), 'transactions.offsets[1]'],
    ['a transaction that is null', call(transactionsRoot, [bytes, null]), 'transactions[1]'],
    ['a transaction that is not there', call(transactionsRoot, new Array(1)), 'transactions[0]'],
    ['a transaction as text', call(transactionsRoot, [bytes, bytes, '0xc0']), 'transactions[2]'],
    ['a transaction of wide integers', call(transactionsRoot, [new Uint16Array(40)]), 'transactions[0]'],
    ['withdrawals as an object', call(withdrawalsRoot, {}), 'withdrawals'],
    ['a withdrawal that is not there', call(withdrawalsRoot, [withdrawal, null]), 'withdrawals[1]'],
    ['a number as amount', call(withdrawalsRoot, [{ ...withdrawal, amount: 1 }]), 'withdrawals[0].amount'],
    ['a wide amount', call(withdrawalsRoot, [{ ...withdrawal, amount: 1n << 64n }]), 'withdrawals[0].amount'],
    ['a short address', call(withdrawalsRoot, [{ ...withdrawal, address: '0x12' }]), 'withdrawals[0].address'],
    ['receipts as an object', call(receiptsRoot, {}), 'receipts'],
    ['receipts as an array', call(receiptsRoot, []), 'receipts'],
  ])('is refused of %s', (_, root, field) => {
    let thrown: unknown
    try {
      root()
    } catch (error) {
      thrown = error
    }
    expect(thrown).toBeInstanceOf(InputError)
    const [, index] = /^transactions\[(\d+)\]$/.exec(field) ?? []
    expect(thrown).toMatchObject({ field, index: index === undefined ? undefined : Number(index) })
  })
})
