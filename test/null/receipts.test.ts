import { RLP } from '@ethereumjs/rlp'
import { hexToBytes } from '@ethereumjs/util'
import { Bloom } from '@ethereumjs/vm'
import { describe, expect, it } from 'vitest'
import { createRandom } from '../../bench/random.ts'
import type { Executions } from '../../host/batch/executions.ts'
import type { TransactionBatch } from '../../host/chain/batch.ts'
import { bloomIndicesOfHex } from '../../host/chain/bloom.ts'
import { encodeBatch } from '../../host/chain/encode_batch.ts'
import { REJECTION } from '../../host/chain/rejection.ts'
import { bytesToHex } from '../../host/primitives/hex.ts'
import { keccak256 } from '../../host/primitives/keccak.ts'
import { addressFromHex, wordFromBigInt, wordToBytes } from '../../host/primitives/word.ts'
import { Receipts, STATUS_REJECTED } from '../../host/receipts/receipts.ts'
import { bloomItems, type DecodedLanes, PathDecoder } from '../../host/tiers/path/receipts.ts'
import type { PathKernel } from '../../transpiler/path_kernel.ts'
import { EndedBatch } from '../fixtures/receipts.ts'

type Hex = `0x${string}`
const LANES = 5
const ENTRY = `0x${'e1'.repeat(20)}`
const OTHER = `0x${'07'.repeat(20)}`
const word = (value: bigint): string => `0x${value.toString(16).padStart(64, '0')}`

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

/** A path with two logs that uses every kind of word and both kinds of emitter. */
const KERNEL = {
  status: 'success',
  inputs: [
    { kind: 'gas', column: 0 },
    { kind: 'caller', column: 1 },
  ],
  inputColumns: 3,
  outputColumns: 6,
  lookups: [
    { kind: 'slot', account: -1, column: 1, component: 1, keyColumn: 0 },
    { kind: 'account', column: 1, component: 2, keyColumn: 0, code: true, balance: false },
  ],
  logs: [
    {
      emitter: -1,
      topics: [
        { kind: 'constant', value: 0xddf2n },
        { kind: 'input', column: 1 },
        { kind: 'lane', column: 2 },
        { kind: 'input', column: 1 },
      ],
      data: { bytes: 32, words: [{ kind: 'lane', column: 4 }] },
    },
    {
      emitter: 1,
      topics: [
        { kind: 'instance', account: 1, index: 2 },
        { kind: 'lane', column: 2 },
      ],
      data: {
        bytes: 37,
        words: [
          { kind: 'instance', account: -1, index: 2 },
          { kind: 'lane', column: 4 },
        ],
      },
    },
  ],
  output: {
    bytes: 33,
    words: [
      { kind: 'constant', value: 1n },
      { kind: 'lane', column: 4 },
    ],
  },
} as unknown as PathKernel

/** Lanes with random words; account 0 is the entry, accounts 1 and 2 are others, each with three constants. */
const dispatch = (seed: number) => {
  const random = createRandom(seed, 'lanes')
  const draw = (): bigint => Array.from({ length: 8 }).reduce<bigint>((sum) => (sum << 32n) | BigInt(random.u32()), 0n)
  const lanesIn = new Uint32Array(4 * KERNEL.inputColumns * LANES)
  const lanesOut = new Uint32Array(4 * KERNEL.outputColumns * LANES)
  const put = (lanes: Uint32Array, column: number, lane: number, value: bigint): bigint => {
    const limbs = new Uint32Array(8)
    wordFromBigInt(limbs, 0, value)
    for (let limb = 0; limb < 8; limb++) lanes[4 * ((column + (limb >> 2)) * LANES + lane) + (limb & 3)] = limbs[limb]!
    return value
  }
  const accountRows = new Uint32Array(16 * 3)
  const constants = new Uint32Array(8 * 9)
  const addresses = [ENTRY, `0x${'c1'.repeat(20)}`, `0x${'c2'.repeat(20)}`]
  const instance = addresses.map((address, id) => {
    addressFromHex(accountRows, 16 * id, address)
    accountRows[16 * id + 6] = 3 * id
    const value = draw()
    wordFromBigInt(constants, 8 * (3 * id + 2), value)
    return value
  })
  const expected = Array.from({ length: LANES }, (_, lane) => {
    const account = 1 + (lane % 2)
    lanesOut[4 * (LANES + lane) + 2] = account
    const caller = put(lanesIn, 1, lane, BigInt(OTHER) + BigInt(lane))
    const to = put(lanesOut, 2, lane, draw())
    const amount = put(lanesOut, 4, lane, draw())
    return {
      logs: [
        { address: ENTRY, topics: [word(0xddf2n), word(caller), word(to), word(caller)], data: word(amount) },
        {
          address: addresses[account]!,
          topics: [word(instance[account]!), word(to)],
          data: `${word(instance[0]!)}${word(amount).slice(2, 12)}`,
        },
      ],
      output: `${word(1n)}${word(amount).slice(2, 4)}`,
    }
  })
  const group: DecodedLanes = {
    kernel: KERNEL,
    laneCount: LANES,
    lanesIn,
    lanesOut,
    tables: { accountRows, constants },
  }
  return { group, expected }
}

const bloomOf = (logs: readonly { address: string; topics: readonly string[] }[]): string => {
  const bloom = new Bloom()
  for (const { address, topics } of logs) for (const item of [address, ...topics]) bloom.add(hexToBytes(item as Hex))
  return bytesToHex(bloom.bitvector)
}

/** What kernels/entry/bloom.wgsl gives for the dynamic items of the lanes. */
const indicesOf = ({ lanesIn, lanesOut }: DecodedLanes): Uint32Array => {
  const items = bloomItems(KERNEL)
  const indices = new Uint32Array(2 * items.length * LANES)
  items.forEach(({ source, column }, k) => {
    for (let lane = 0; lane < LANES; lane++) {
      const limbs = new Uint32Array(8)
      const lanes = source === 'input' ? lanesIn : lanesOut
      for (let limb = 0; limb < 8; limb++)
        limbs[limb] = lanes[4 * ((column + (limb >> 2)) * LANES + lane) + (limb & 3)]!
      const bytes = new Uint8Array(32)
      wordToBytes(bytes, 0, limbs, 0)
      const digest = keccak256(bytes)
      const bit = (n: number): number => ((digest[2 * n]! << 8) | digest[2 * n + 1]!) & 2047
      indices[2 * (k * LANES + lane)] = bit(0) | (bit(1) << 16)
      indices[2 * (k * LANES + lane) + 1] = bit(2)
    }
  })
  return indices
}

/** The lanes of a dispatch as executions that ended. */
const executionsOf = (group: DecodedLanes, { to }: TransactionBatch, bloomIndices?: Uint32Array): Executions => {
  const decoder = new PathDecoder(group)
  return {
    form: 'pathKernel',
    broken: () => 0,
    brokenAlone: () => 0,
    enter: () => 0,
    touched() {},
    holdsOn: () => true,
    writeTo() {},
    logs: (lane) => decoder.logs(lane, to, 0),
    output: (lane) => decoder.output(lane),
    exception: () => undefined,
    addBloom: (lane, i, blooms) => decoder.addBloom(blooms, lane, to, i, bloomIndices),
  }
}

describe('Receipts', () => {
  it('decode logs, output and bloom of a lane from its columns', () => {
    const { group, expected } = dispatch(1)
    const batch = batchOf(LANES)
    const ended = new EndedBatch(batch)
    const g = executionsOf(group, batch)
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
    'encode the logs of a lane from its columns, with %i bytes of data',
    (bytes) => {
      const { group } = dispatch(3)
      const data = { bytes, words: KERNEL.logs[1]!.data.words.slice(0, Math.ceil(bytes / 32)) }
      const more = { emitter: 1, topics: [], data }
      const kernel = { ...KERNEL, logs: [...KERNEL.logs, more, ...KERNEL.logs] }
      const decoder = new PathDecoder({ ...group, kernel })
      const { to } = batchOf(LANES)
      for (let lane = 0; lane < LANES; lane++) {
        const expected = decoder
          .logs(lane, to, lane)
          .map(({ address, topics, data }) => RLP.encode([address, topics, data] as never))
        const encoded = new Uint8Array(7 + decoder.logsLength!)
        expect(decoder.writeLogs(lane, to, lane, encoded, 7)).toBe(encoded.length)
        expect(bytesToHex(encoded.subarray(7))).toBe(bytesToHex(Buffer.concat(expected)))
      }
    },
  )

  it('leave logs with one byte of data to their objects', () => {
    const { group } = dispatch(3)
    const log = { ...KERNEL.logs[1]!, data: { bytes: 1, words: KERNEL.logs[0]!.data.words } }
    expect(new PathDecoder({ ...group, kernel: { ...KERNEL, logs: [log] } }).logsLength).toBeUndefined()
  })

  it('take the bloom bits of dynamic topics from the device where it gives them', () => {
    const { group, expected } = dispatch(2)
    const batch = batchOf(LANES)
    const ended = new EndedBatch(batch)
    const bloomIndices = indicesOf(group)
    const g = executionsOf(group, batch, bloomIndices)
    for (let i = 0; i < LANES; i++) ended.setLane(i, g, i, 1, 1)
    const receipts = new Receipts(batch, ended.columns)
    for (let i = 0; i < LANES; i++) expect(receipts.get(i)!.logsBloom).toBe(bloomOf(expected[i]!.logs))
    bloomIndices[0] = bloomIndices[0]! ^ 1
    expect(new Receipts(batch, ended.columns).get(0)!.logsBloom).not.toBe(bloomOf(expected[0]!.logs))
  })

  it('name each dynamic topic column once', () => {
    expect(bloomItems(KERNEL)).toEqual([
      { source: 'input', column: 1 },
      { source: 'lane', column: 2 },
    ])
  })

  it('keep executions in object form, with their blooms and contract addresses', () => {
    const batch = batchOf(2)
    const ended = new EndedBatch(batch)
    const logs = [{ address: ENTRY, topics: [word(5n)], data: '0x01' }]
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
    const { group, expected } = dispatch(4)
    const batch = batchOf(LANES + 2)
    const ended = new EndedBatch(batch)
    const g = executionsOf(group, batch)
    for (let i = 0; i < LANES; i++) ended.setLane(i, g, i, 1, 1)
    const logs = [{ address: OTHER, topics: [word(77n)], data: '0x' }]
    ended.setCpu(LANES, { status: 1, gasUsed: 1n, logs, output: new Uint8Array(0) })
    ended.setRejected(LANES + 1, REJECTION.nonceTooLow)
    const receipts = new Receipts(batch, ended.columns)
    expect(bytesToHex(receipts.blockBloom())).toBe(bloomOf([...expected.flatMap((lane) => lane.logs), ...logs]))
  })

  it('name the transactions whose bloom has the bits of an address, of many whose bloom together has all', () => {
    const count = 400
    const batch = batchOf(count)
    const ended = new EndedBatch(batch)
    const random = createRandom(6, 'emitters')
    const emitter = (): string => bytesToHex(Uint8Array.from({ length: 20 }, () => random.below(256)))
    for (let i = 0; i < count; i++) {
      const addresses = Array.from({ length: random.below(6) }, emitter)
      if (i % 7 === 3) addresses.push(OTHER)
      const logs = addresses.map((address) => ({ address, topics: [word(BigInt(i))], data: '0x' }))
      if (i % 11 === 5) ended.setRejected(i, REJECTION.nonceTooLow)
      else ended.setCpu(i, { status: 1, gasUsed: 1n, logs, output: new Uint8Array(0) })
    }
    const receipts = new Receipts(batch, ended.columns)
    const has = (i: number, address: string): boolean =>
      new Bloom(receipts.blooms().slice(256 * i, 256 * (i + 1))).check(hexToBytes(address as Hex))
    const all = [...batch.type.keys()]
    expect(receipts.withBits(bloomIndicesOfHex(OTHER))).toEqual(all.filter((i) => has(i, OTHER)))
    expect(receipts.withBits(bloomIndicesOfHex(OTHER)).length).toBeLessThan(count / 4)
    expect(receipts.withBits(bloomIndicesOfHex(ENTRY))).toEqual(all.filter((i) => has(i, ENTRY)))
  })

  it('report a path that reverts as a failure', () => {
    const { group } = dispatch(5)
    const batch = batchOf(1)
    const ended = new EndedBatch(batch)
    const g = executionsOf({ ...group, kernel: { ...KERNEL, status: 'revert', logs: [] } }, batch)
    ended.setLane(0, g, 0, 0, 25_000)
    const receipts = new Receipts(batch, ended.columns)
    expect(receipts.get(0)).toMatchObject({ status: 0, logs: [], gasUsed: 25_000n })
  })
})
