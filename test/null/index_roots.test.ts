import { createMPT } from '@ethereumjs/mpt'
import { RLP } from '@ethereumjs/rlp'
import { Bloom } from '@ethereumjs/vm'
import { describe, expect, it } from 'vitest'
import { createRandom, permutation, type Random } from '../../bench/random.ts'
import { encodeBatch } from '../../host/chain/encode_batch.ts'
import { REJECTION } from '../../host/chain/rejection.ts'
import { bytesToHex } from '../../host/primitives/hex.ts'
import { SERIAL_HASHER } from '../../host/primitives/keccak_many.ts'
import { Receipts, STATUS_REJECTED } from '../../host/receipts/receipts.ts'
import type { ReceiptExtras } from '../../host/roots/receipt_values.ts'
import {
  encodeReceipts,
  indexedRoot,
  prepareReceiptsRoot,
  prepareTransactionsRoot,
  receiptsRoot,
  transactionsRoot,
} from '../../host/roots/roots.ts'
import { sortedTrieRoot } from '../../host/state/trie/sorted_trie.ts'
import { VmReceipts } from '../../host/tiers/lane_vm/receipts.ts'
import {
  ENTRY,
  LOGGING_KERNEL,
  loggedIndices,
  loggingExecutions,
  loggingLanes,
  OTHER,
  vmExecutions,
  vmLoggingLanes,
} from '../fixtures/logging_lanes.ts'
import { EndedBatch, encodedByObject } from '../fixtures/receipts.ts'

const randomBytes = (random: Random, length: number): Uint8Array => Uint8Array.from({ length }, () => random.below(256))

const packed = (items: readonly Uint8Array[]) => {
  const offsets = new Uint32Array(items.length + 1)
  for (const [i, { length }] of items.entries()) offsets[i + 1] = offsets[i]! + length
  return { bytes: new Uint8Array(Buffer.concat(items)), offsets }
}

/** By the one pass over sorted keys. */
const rootByPass = (items: readonly Uint8Array[]): string => {
  const entries = items.map((item, i) => [RLP.encode(i), item] as const)
  const sorted = entries.sort(([a], [b]) => Buffer.compare(a, b))
  return bytesToHex(
    sortedTrieRoot(
      sorted.map(([key]) => key),
      sorted.map(([, item]) => item),
    ),
  )
}

describe('an index root', () => {
  it('of 1 to 300 items of 32 bytes and more is that of @ethereumjs/mpt', async () => {
    const random = createRandom(31, 'index roots')
    const trie = await createMPT()
    const items: Uint8Array[] = []
    for (let i = 0; i < 300; i++) {
      const length = [32, 55, 56, 220, 255, 256, 300][random.below(7)]! + random.below(3)
      items.push(randomBytes(random, length))
      await trie.put(RLP.encode(i), items[i]!)
      const expected = bytesToHex(trie.root())
      expect(indexedRoot(items)).toBe(expected)
      expect(transactionsRoot(packed(items))).toBe(expected)
      if (i % 50 === 0) expect(await prepareTransactionsRoot(packed(items)).finish(SERIAL_HASHER)).toBe(expected)
    }
  })

  it('of items of which one is short is that of @ethereumjs/mpt, at the lengths where a node is as long as a hash', async () => {
    const random = createRandom(32, 'index roots')
    for (let round = 0; round < 60; round++) {
      const trie = await createMPT()
      const count = 1 + random.below(round % 3 === 0 ? 300 : 20)
      const items = Array.from({ length: count }, () => randomBytes(random, 26 + random.below(8)))
      for (const [i, item] of items.entries()) await trie.put(RLP.encode(i), item)
      const expected = bytesToHex(trie.root())
      expect(indexedRoot(items)).toBe(expected)
      expect(transactionsRoot(packed(items))).toBe(expected)
    }
  })

  it.each([301, 4095, 4097, 70_000])('of %i items is that of one pass', (count) => {
    const random = createRandom(count, 'index roots')
    const items = Array.from({ length: count }, () => new Uint8Array(32 + random.below(40)).fill(random.below(256)))
    const expected = rootByPass(items)
    expect(indexedRoot(items)).toBe(expected)
    expect(transactionsRoot(packed(items))).toBe(expected)
  })
})

const hex = (random: Random, bytes: number): string => bytesToHex(randomBytes(random, bytes))

/** A batch of every type that has ended, with its extras. */
const randomReceipts = (seed: number, count: number) => {
  const random = createRandom(seed, 'receipts')
  const address = hex(random, 20)
  const batch = encodeBatch(
    Array.from({ length: count }, (_, n) => ({
      from: address,
      to: address,
      nonce: BigInt(n),
      gasLimit: 50_000n,
      gasPrice: 1n,
    })),
  )
  const ended = new EndedBatch(batch)
  const postStates: string[] = []
  const deposits = new Map<number, { nonce: bigint; version?: bigint }>()
  const isWide = seed % 4 === 0
  for (let i = 0; i < count; i++) {
    batch.type[i] = [0, 1, 2, 3, 4, 0x7e][random.below(6)]!
    if (seed % 3 === 0) postStates.push(hex(random, 32))
    if (batch.type[i] === 0x7e && random.below(2) === 0)
      deposits.set(i, { nonce: BigInt(random.below(300)), ...(random.below(2) === 0 ? {} : { version: 1n }) })
    const kind = random.below(8)
    if (kind === 0) ended.setRejected(i, REJECTION.nonceTooLow)
    else if (kind < 3) ended.setTransfer(i, [0, 21_000, 127, 128][random.below(4)]!)
    else {
      const logs = Array.from({ length: random.below(4) }, () => ({
        address: hex(random, 20),
        topics: Array.from({ length: random.below(5) }, () => hex(random, 32)),
        data:
          random.below(3) === 0
            ? `0x0${random.below(10)}`
            : hex(random, [0, 1, 31, 32, 55, 56, 3000][random.below(7)]!),
      }))
      const gasUsed = isWide ? (1n << 53n) + BigInt(random.u32()) : BigInt(random.u32())
      ended.setCpu(i, { status: random.below(2) as 0 | 1, gasUsed, logs, output: new Uint8Array(0) })
    }
  }
  const extras: ReceiptExtras = { deposits, ...(postStates.length === 0 ? {} : { postStates }) }
  return { receipts: new Receipts(batch, ended.columns), extras }
}

/** Executions of every form, lanes in random order, among transfers and rejected transactions. */
const mixedReceipts = (seed: number, count: number): Receipts => {
  const random = createRandom(seed, 'mixed receipts')
  const batch = encodeBatch(
    Array.from({ length: count }, (_, n) => {
      const fee = n % 3 === 0 ? { gasPrice: 1n } : { maxFeePerGas: 1n, maxPriorityFeePerGas: 1n }
      return { from: OTHER, to: ENTRY, nonce: BigInt(n), gasLimit: 50_000n, ...fee }
    }),
  )
  const ended = new EndedBatch(batch)
  const { group } = loggingLanes(seed, count)
  const second = LOGGING_KERNEL.logs[1]!
  const cut = { ...second, data: { bytes: 1 + random.below(64), words: second.data.words } }
  const kernels = [LOGGING_KERNEL, { ...LOGGING_KERNEL, logs: [] }, { ...LOGGING_KERNEL, logs: [cut, cut] }]
  const vm = vmLoggingLanes(seed, count)
  const sources = [
    ...kernels.map((kernel) => loggingExecutions({ ...group, kernel }, batch)),
    loggingExecutions(group, batch, loggedIndices(group)),
    vmExecutions(new VmReceipts(vm.group, vm.rows)),
  ].map((executions) => ({ executions, lanes: permutation(count, random) }))
  for (let i = 0; i < count; i++) {
    const gasUsed = [0, 127, 128, 21_000, 2 ** 24, 2 ** 33][random.below(6)]!
    const kind = random.below(8)
    const source = sources[kind]
    if (source !== undefined) {
      const status = source.executions.logs(source.lanes[i]!).length === 0 && random.below(2) === 0 ? 0 : 1
      ended.setLane(i, source.executions, source.lanes[i]!, status, gasUsed)
    } else if (kind === 5) ended.setTransfer(i, gasUsed)
    else if (kind === 6) {
      // Executed ahead, and rejected at its place.
      if (random.below(2) === 0) ended.setLane(i, sources[0]!.executions, sources[0]!.lanes[i]!, 1, 0)
      ended.columns.status[i] = STATUS_REJECTED
      ended.setRejected(i, REJECTION.nonceTooLow)
    } else {
      const logs = random.below(2) === 0 ? [] : [{ address: hex(random, 20), topics: [hex(random, 32)], data: '0x05' }]
      ended.setCpu(i, { status: 1, gasUsed: BigInt(gasUsed), logs, output: new Uint8Array(0) })
    }
  }
  return new Receipts(batch, ended.columns)
}

describe('a root job', () => {
  it('is finished once: the next plan is made in its bytes', async () => {
    const items = Array.from({ length: 40 }, (_, n) => new Uint8Array(60).fill(n))
    const others = items.map((item) => item.map((byte) => byte ^ 1))
    const expected = [items, others].map(rootByPass)
    const [first, second] = [prepareTransactionsRoot(items), prepareTransactionsRoot(others)]
    expect([first.finishNow(), await second.finish(SERIAL_HASHER)]).toEqual(expected)
    const again = [prepareTransactionsRoot(others), prepareTransactionsRoot(items.slice(0, 3))]
    expect(again.map((job) => job.finishNow())).toEqual([expected[1], rootByPass(items.slice(0, 3))])
    expect(() => first.finishNow()).toThrow('finished once')
    await expect(second.finish(SERIAL_HASHER)).rejects.toThrow('finished once')
  })
})

describe('receipts from columns', () => {
  it('are those from objects: every type, rejected ones, gas of any width, post states, deposits', async () => {
    for (let seed = 0; seed < 24; seed++) {
      const { receipts, extras } = randomReceipts(seed, seed % 6 === 5 ? 0 : 40)
      const expected = encodedByObject(receipts, extras)
      expect(encodeReceipts(receipts, extras)).toEqual(expected)
      expect(receiptsRoot(receipts, extras)).toBe(rootByPass(expected))
      expect(await prepareReceiptsRoot(receipts, extras).finish(SERIAL_HASHER)).toBe(rootByPass(expected))
    }
  })

  // 512 are written at once.
  it.each([1, 40, 512, 700])('are those from objects with blooms of their logs: %i of mixed executions', (count) => {
    const receipts = mixedReceipts(count, count)
    const blooms = receipts.blooms()
    const block = new Bloom()
    for (let i = 0; i < count; i++) {
      const bloom = new Bloom()
      for (const { address, topics } of receipts.logs(i))
        for (const item of [address, ...topics]) bloom.add(Buffer.from(item.slice(2), 'hex'))
      block.or(bloom)
      expect(Buffer.compare(blooms.subarray(256 * i, 256 * i + 256), bloom.bitvector)).toBe(0)
    }
    const expected = encodedByObject(receipts)
    expect(encodeReceipts(receipts)).toEqual(expected)
    const written = mixedReceipts(count, count)
    expect(receiptsRoot(written)).toBe(rootByPass(expected))
    for (const one of [receipts, written, mixedReceipts(count, count)])
      expect(bytesToHex(one.blockBloom())).toBe(bytesToHex(block.bitvector))
  })
})
