import { RLP } from '@ethereumjs/rlp'
import { hexToBytes } from '@ethereumjs/util'
import { Bloom } from '@ethereumjs/vm'
import { describe, expect, it } from 'vitest'
import { encodeBatch } from '../../host/chain/encode_batch.ts'
import { NO_LENGTH } from '../../host/chain/lane_rows.ts'
import { REJECTION } from '../../host/chain/rejection.ts'
import { TopicBits } from '../../host/chain/topic_bits.ts'
import { bytesToHex } from '../../host/primitives/hex.ts'
import { Receipts, STATUS_REJECTED } from '../../host/receipts/receipts.ts'
import { LaneLogs } from '../../host/tiers/path/lane_logs.ts'
import { bloomItems, PathDecoder } from '../../host/tiers/path/receipts.ts'
import {
  allRows,
  ENTRY,
  LOGGING_KERNEL,
  loggedIndices,
  loggingExecutions,
  loggingLanes,
  OTHER,
  wordHex,
} from '../fixtures/logging_lanes.ts'
import { EndedBatch } from '../fixtures/receipts.ts'

type Hex = `0x${string}`
const LANES = 5
const lanesOf = (seed: number) => loggingLanes(seed, LANES)

const batchOf = (count: number) =>
  encodeBatch(
    Array.from({ length: count }, (_, n) => ({
      from: OTHER,
      to: ENTRY,
      nonce: BigInt(n),
      gasLimit: 50_000n,
      gasPrice: 1n,
    })),
  )

const bloomOf = (logs: readonly { address: string; topics: readonly string[] }[]): string => {
  const bloom = new Bloom()
  for (const { address, topics } of logs) for (const item of [address, ...topics]) bloom.add(hexToBytes(item as Hex))
  return bytesToHex(bloom.bitvector)
}

describe('Receipts', () => {
  it('decode logs, output and bloom of a lane from its columns', () => {
    const { group, expected } = lanesOf(1)
    const batch = batchOf(LANES)
    const ended = new EndedBatch(batch)
    const g = loggingExecutions(group, batch)
    for (let i = 0; i < LANES; i++) ended.setLane(i, g, LANES - 1 - i, 1, 30_000 + i)
    const receipts = new Receipts(batch, ended.columns)
    for (let i = 0; i < LANES; i++) {
      const { logs, output } = expected[LANES - 1 - i]!
      expect(receipts.get(i)).toMatchObject({
        status: 1,
        gasUsed: BigInt(30_000 + i),
        logs,
        output,
        logsBloom: bloomOf(logs),
      })
    }
  })

  it.each([0, 2, 20, 31, 32, 33, 55, 64])(
    'encode the logs of lanes from their columns, with %i bytes of data, and nothing beside them',
    (bytes) => {
      const { group } = lanesOf(3)
      const data = { bytes, words: LOGGING_KERNEL.logs[1]!.data.words.slice(0, Math.ceil(bytes / 32)) }
      const more = { emitter: 1, topics: [], data }
      const kernel = { ...LOGGING_KERNEL, logs: [...LOGGING_KERNEL.logs, more, ...LOGGING_KERNEL.logs] }
      const decoder = new PathDecoder({ ...group, kernel })
      const { to } = batchOf(9)
      const logs = new LaneLogs({ ...group, kernel }, to)
      // Lanes 4, 1 and 2 of transactions 3, 5 and 8; the first and the last place are not asked for.
      const rows = { transactions: Uint32Array.of(0, 3, 5, 8), lanes: Uint32Array.of(0, 4, 1, 2), first: 1, end: 3 }
      const lengths = new Uint32Array(9)
      logs.lengths(rows, lengths)
      const length = lengths[3]!
      expect([...lengths]).toEqual([0, 0, 0, length, 0, length, 0, 0, 0])
      const encoded = new Uint8Array(2 * length + 30).fill(0xee)
      const at = new Uint32Array(9)
      at[3] = 7
      at[5] = length + 18
      logs.write(rows, encoded, at)
      const expected = new Uint8Array(encoded.length).fill(0xee)
      for (const [i, lane] of [[3, 4] as const, [5, 1] as const]) {
        const objects = decoder.logs(lane, to, i)
        const encodings = objects.map(({ address, topics, data }) => RLP.encode([address, topics, data] as never))
        expected.set(Buffer.concat(encodings), at[i])
      }
      expect(bytesToHex(encoded)).toBe(bytesToHex(expected))
    },
  )

  it('leave logs with one byte of data to their objects', () => {
    const { group } = lanesOf(3)
    const log = { ...LOGGING_KERNEL.logs[1]!, data: { bytes: 1, words: LOGGING_KERNEL.logs[0]!.data.words } }
    const logs = new LaneLogs({ ...group, kernel: { ...LOGGING_KERNEL, logs: [log] } }, batchOf(LANES).to)
    const lengths = new Uint32Array(LANES)
    logs.lengths(allRows(LANES), lengths)
    expect([...lengths]).toEqual(Array.from(lengths, () => NO_LENGTH))
    const untouched = new Uint8Array(600)
    logs.write(allRows(LANES), untouched, new Uint32Array(LANES))
    expect(untouched.some((byte) => byte !== 0)).toBe(false)
  })

  it('take the bloom bits of dynamic topics from the device where it gives them', () => {
    const { group, expected } = lanesOf(2)
    const batch = batchOf(LANES)
    const ended = new EndedBatch(batch)
    const bloomIndices = loggedIndices(group)
    const g = loggingExecutions(group, batch, bloomIndices)
    for (let i = 0; i < LANES; i++) ended.setLane(i, g, i, 1, 1)
    const receipts = new Receipts(batch, ended.columns)
    for (let i = 0; i < LANES; i++) expect(receipts.get(i)!.logsBloom).toBe(bloomOf(expected[i]!.logs))
    bloomIndices[0] = bloomIndices[0]! ^ 1
    expect(new Receipts(batch, ended.columns).get(0)!.logsBloom).not.toBe(bloomOf(expected[0]!.logs))
  })

  it('have the blooms of their logs where dispatches are of one lane each, and of more topics than wait at once', () => {
    const counts = [...Array.from({ length: 20 }, () => 1), 600, 1]
    const batch = batchOf(counts.reduce((sum, count) => sum + count))
    const ended = new EndedBatch(batch)
    let i = 0
    const expected = counts.flatMap((count, seed) => {
      const lanes = loggingLanes(seed, count)
      const executions = loggingExecutions(lanes.group, batch)
      for (let lane = 0; lane < count; lane++) ended.setLane(i++, executions, lane, 1, 30_000)
      return lanes.expected.map(({ logs }) => bloomOf(logs))
    })
    const topics = new TopicBits()
    const [first, again] = [0, 1].map(() => {
      const blooms = new Receipts(batch, ended.columns, topics).blooms()
      return { blooms: Buffer.from(blooms).toString('hex'), bytes: topics.sizeBytes }
    })
    expect(first!.blooms).toBe(expected.map((bloom) => bloom.slice(2)).join(''))
    expect(first!.bytes).toBeGreaterThan(0)
    // The second time all topics are known.
    expect(again).toEqual(first)
  })

  it('name each dynamic topic column once', () => {
    expect(bloomItems(LOGGING_KERNEL)).toEqual([
      { source: 'input', column: 1 },
      { source: 'lane', column: 2 },
    ])
  })

  it('keep executions in object form, with their blooms and contract addresses', () => {
    const batch = batchOf(2)
    const ended = new EndedBatch(batch)
    const logs = [{ address: ENTRY, topics: [wordHex(5n)], data: '0x01' }]
    ended.setCpu(0, { status: 1, gasUsed: 60_000n, logs, output: Uint8Array.of(1, 2), contractAddress: OTHER })
    ended.setCpu(1, { status: 0, gasUsed: 40_000n, logs: [], output: new Uint8Array(0) })
    const receipts = new Receipts(batch, ended.columns)
    expect(receipts.get(0)).toEqual({
      type: 0,
      status: 1,
      gasUsed: 60_000n,
      cumulativeGasUsed: 60_000n,
      logs,
      logsBloom: bloomOf(logs),
      output: '0x0102',
      contractAddress: OTHER,
    })
    expect(receipts.get(1)).not.toHaveProperty('contractAddress')
    expect(receipts.get(1)!.cumulativeGasUsed).toBe(100_000n)
    expect(receipts.get(1)!.logsBloom).toBe(`0x${'00'.repeat(256)}`)
  })

  it('give a rejected transaction no receipt, no gas, and its reason', () => {
    const batch = batchOf(3)
    const ended = new EndedBatch(batch)
    ended.setTransfer(0, 21_000)
    ended.setRejected(1, REJECTION.nonceTooHigh)
    ended.setTransfer(2, 21_000)
    const receipts = new Receipts(batch, ended.columns)
    expect(receipts.get(1)).toBeUndefined()
    expect(receipts.status[1]).toBe(STATUS_REJECTED)
    expect([0, 1, 2].map((i) => receipts.rejection(i))).toEqual([0, REJECTION.nonceTooHigh, 0])
    expect([...receipts.cumulativeGasUsed]).toEqual([21_000, 21_000, 42_000])
    expect(receipts.totalGasUsed).toBe(42_000)
    expect(() => receipts.get(3)).toThrow('no transaction 3')
  })

  it('join all blooms into the bloom of the block', () => {
    const { group, expected } = lanesOf(4)
    const batch = batchOf(LANES + 2)
    const ended = new EndedBatch(batch)
    const g = loggingExecutions(group, batch)
    for (let i = 0; i < LANES; i++) ended.setLane(i, g, i, 1, 1)
    const logs = [{ address: OTHER, topics: [wordHex(77n)], data: '0x' }]
    ended.setCpu(LANES, { status: 1, gasUsed: 1n, logs, output: new Uint8Array(0) })
    ended.setRejected(LANES + 1, REJECTION.nonceTooLow)
    const receipts = new Receipts(batch, ended.columns)
    expect(bytesToHex(receipts.blockBloom())).toBe(bloomOf([...expected.flatMap((lane) => lane.logs), ...logs]))
  })

  it('join the blooms of all, whichever of them were written before', () => {
    const { group, expected } = lanesOf(7)
    const batch = batchOf(LANES)
    const ended = new EndedBatch(batch)
    const g = loggingExecutions(group, batch)
    for (let i = 0; i < LANES; i++) ended.setLane(i, g, i, 1, 1)
    const all = bloomOf(expected.flatMap((lane) => lane.logs))
    const logsAt = Uint32Array.from({ length: LANES }, (_, i) => 2000 * i)
    const bloomAt = logsAt.map((at) => at + 1500)
    for (const ranges of [
      [[2, 4]],
      [[0, 2]],
      [
        [0, 3],
        [3, LANES],
      ],
    ] as const) {
      const receipts = new Receipts(batch, ended.columns)
      for (const [from, to] of ranges) receipts.writeRange(from, to, new Uint8Array(2000 * LANES), logsAt, bloomAt)
      expect(bytesToHex(receipts.blockBloom())).toBe(all)
    }
  })

  it('name the transactions that have a log of an address, whatever executed them', () => {
    const { group, expected } = lanesOf(6)
    const batch = batchOf(LANES + 5)
    const ended = new EndedBatch(batch)
    const g = loggingExecutions(group, batch)
    for (let i = 0; i < LANES; i++) ended.setLane(i, g, LANES - 1 - i, 1, 1)
    const logs = [ENTRY, OTHER].map((address) => ({ address, topics: [], data: '0x' }))
    for (let n = 0; n < 3; n++)
      ended.setCpu(LANES + n, { status: 1, gasUsed: 1n, logs: logs.slice(0, n), output: new Uint8Array(0) })
    ended.setTransfer(LANES + 3, 21_000)
    ended.setRejected(LANES + 4, REJECTION.nonceTooLow)
    const receipts = new Receipts(batch, ended.columns)
    const addresses = [ENTRY, OTHER, ...expected.map((lane) => lane.logs[1]!.address), `0x${'c3'.repeat(20)}`]
    const all = Array.from({ length: batch.count }, (_, i) => i)
    for (const address of new Set(addresses)) {
      const emitting = all.filter((i) => receipts.logs(i).some((log) => log.address === address))
      expect(receipts.emitting(address)).toEqual(emitting)
    }
    expect(receipts.emitting(OTHER)).toEqual([LANES + 2])
  })

  it('report a path that reverts as a failure', () => {
    const { group } = lanesOf(5)
    const batch = batchOf(1)
    const ended = new EndedBatch(batch)
    const g = loggingExecutions({ ...group, kernel: { ...LOGGING_KERNEL, status: 'revert', logs: [] } }, batch)
    ended.setLane(0, g, 0, 0, 25_000)
    const receipts = new Receipts(batch, ended.columns)
    expect(receipts.get(0)).toMatchObject({ status: 0, logs: [], gasUsed: 25_000n })
  })
})
