import { describe, expect, test } from 'vitest'
import { encodeBatch } from '../../host/chain/encode_batch.ts'
import { wordFromBigInt, wordToBigInt } from '../../host/primitives/word.ts'
import { MemoryState } from '../../host/state/memory_state.ts'
import { ResidentState } from '../../host/state/tables/resident_tables.ts'
import { loadListedItems, type VmHints } from '../../host/tiers/lane_vm/items.ts'
import { laneOrder } from '../../host/tiers/lane_vm/order.ts'
import { cutWaves, layWave, type VmLanes, type VmWave, WaveMemory } from '../../host/tiers/lane_vm/wave.ts'
import {
  ITEM_SLOT,
  ITEM_VALUE,
  ITEM_WARM,
  LANE_COLUMNS,
  LANE_COST,
  LANE_GAS_PRICE,
  LANE_LISTS,
  LANE_OUTPUT,
  LANE_PARTIES,
  LANE_STATE,
  LANE_VALUE,
} from '../../transpiler/layout/lane_vm.ts'
import { VM_QUOTAS, vmArena } from '../../transpiler/layout/lane_vm_quota.ts'
import { MICRO } from '../../transpiler/lift/micro_codes.ts'

const address = (n: number): string => `0x${n.toString(16).padStart(40, '0')}`
const hash = (n: number): string => `0x01${n.toString(16).padStart(62, '0')}`

const call = (data: string, fields: object = {}) => ({
  from: address(1),
  to: address(2),
  nonce: 0n,
  gasLimit: 100_000n,
  maxFeePerGas: 9n,
  maxPriorityFeePerGas: 1n,
  data,
  ...fields,
})

const CALLS = [
  call(`0xaabbccdd${'11'.repeat(32)}`, { value: 7n }),
  call('0x'),
  call('0x1122334455', {
    accessList: [
      { address: address(9), storageKeys: [hash(4), hash(5)] },
      { address: address(2), storageKeys: [] },
    ],
  }),
  call('0x99', { type: 3, maxFeePerBlobGas: 5n, blobVersionedHashes: [hash(6), hash(7)] }),
]

const words = (values: readonly bigint[]): Uint32Array => {
  const limbs = new Uint32Array(8 * values.length)
  values.forEach((value, i) => {
    wordFromBigInt(limbs, 8 * i, value)
  })
  return limbs
}

const lanesOf = async (
  calls: readonly ReturnType<typeof call>[],
  transactions: readonly number[],
  hints?: VmHints,
): Promise<VmLanes & { readonly resident: ResidentState }> => {
  const batch = encodeBatch(calls)
  const resident = new ResidentState(new MemoryState(), () => ({ key: '', constants: [] }))
  const chosen = Int32Array.from(transactions)
  return {
    resident,
    transactions: chosen,
    listed: await loadListedItems(batch, chosen, resident),
    natives: MICRO('osaka'),
    source: {
      batch,
      executionGas: Float64Array.from(calls, (_, i) => 0x12_f000_0000 + i),
      fromIds: Int32Array.from(calls, (_, i) => 10 + i),
      toIds: Int32Array.from(calls, (_, i) => 20 + i),
      rules: {
        price: words(calls.map((_, i) => (BigInt(i) << 200n) + 3n)),
        extraFee: words(calls.map((_, i) => BigInt(i))),
      },
    },
    ...(hints === undefined ? {} : { hints }),
  }
}

const column = ({ words, laneCount }: VmWave, k: number, lane: number): number[] => {
  const at = 4 * (k * laneCount + lane)
  return [...words.subarray(at, at + 4)]
}
const columnWord = (wave: VmWave, k: number, lane: number): bigint =>
  wordToBigInt(Uint32Array.of(...column(wave, k, lane), ...column(wave, k + 1, lane)), 0)
const vector = ({ words }: VmWave, at: number): number[] => [...words.subarray(4 * at, 4 * at + 4)]
const wordAt = ({ words }: VmWave, at: number): bigint => wordToBigInt(words, 4 * at)

describe('a wave of the lane VM', () => {
  test('has the inputs of each lane in its columns', async () => {
    const wave = layWave(await lanesOf(CALLS, [0, 2, 3]), Uint32Array.of(2, 0, 1), VM_QUOTAS[0]!)
    const transactions = [3, 0, 2]
    transactions.forEach((i, lane) => {
      // The called address is precompile 2.
      expect(column(wave, LANE_STATE, lane)).toEqual([0, 0, 2, 0xf000_0000 + i])
      expect(column(wave, LANE_OUTPUT, lane)).toEqual([0, 0, 0, 0x12])
      expect(column(wave, LANE_PARTIES, lane).slice(0, 2)).toEqual([10 + i, 20 + i])
      expect(columnWord(wave, LANE_GAS_PRICE, lane)).toBe((BigInt(i) << 200n) + 3n)
      expect(columnWord(wave, LANE_VALUE, lane)).toBe(i === 0 ? 7n : 0n)
      expect(columnWord(wave, LANE_COST, lane)).toBe(100_000n * ((BigInt(i) << 200n) + 3n) + BigInt(i))
    })
  })

  test('begins every calldata at a whole vector, padded with zeros', async () => {
    const wave = layWave(await lanesOf(CALLS, [0, 1, 2, 3]), Uint32Array.of(0, 1, 2, 3), VM_QUOTAS[0]!)
    const bytes = new Uint8Array(wave.words.buffer)
    const calldata = [0, 1, 2, 3].map((lane) => {
      const [, , at, size] = column(wave, LANE_PARTIES, lane)
      return Buffer.from(bytes.subarray(16 * at!, 16 * (at! + Math.ceil(size! / 16)))).toString('hex')
    })
    expect(calldata).toEqual([
      `aabbccdd${'11'.repeat(32)}`.padEnd(96, '0'),
      '',
      '1122334455'.padEnd(32, '0'),
      '99'.padEnd(32, '0'),
    ])
  })

  test('lists hints with their values, then access lists as warm items', async () => {
    const hints: VmHints = {
      start: Uint32Array.of(0, 0, 1),
      flags: Uint32Array.of(ITEM_SLOT | ITEM_VALUE),
      ids: Uint32Array.of(77),
      owners: Uint32Array.of(78),
      values: words([(5n << 140n) + 2n]),
    }
    const lanes = await lanesOf(CALLS, [0, 2], hints)
    const wave = layWave(lanes, Uint32Array.of(0, 1), VM_QUOTAS[0]!)
    expect(column(wave, LANE_LISTS, 0)[1]).toBe(0)
    const [items, count] = column(wave, LANE_LISTS, 1)
    expect(count).toBe(5)
    const { accounts, slots } = lanes.resident
    const [listed, entry] = [9, 2].map((n) => accounts.find(Uint32Array.of(n, 0, 0, 0, 0), 0))
    expect([0, 1, 2, 3].map((n) => vector(wave, items! + 3 + 3 * n))).toEqual([
      [ITEM_WARM, listed, 0, 0],
      [ITEM_WARM | ITEM_SLOT, slots.find(listed!, words([BigInt(hash(4))]), 0), listed, 0],
      [ITEM_WARM | ITEM_SLOT, slots.find(listed!, words([BigInt(hash(5))]), 0), listed, 0],
      [ITEM_WARM, entry, 0, 0],
    ])
    expect(vector(wave, items!)).toEqual([ITEM_SLOT | ITEM_VALUE, 77, 78, 0])
    expect(wordAt(wave, items! + 1)).toBe((5n << 140n) + 2n)
  })

  test('holds blob hashes as words, then the list of its lanes, then the arenas', async () => {
    const wave = layWave(await lanesOf(CALLS, [3, 0]), Uint32Array.of(0, 1), VM_QUOTAS[0]!)
    const [, , hashes, count] = column(wave, LANE_LISTS, 0)
    expect([count, column(wave, LANE_LISTS, 1)[3]]).toEqual([2, 0])
    expect([wordAt(wave, hashes!), wordAt(wave, hashes! + 2)]).toEqual([BigInt(hash(6)), BigInt(hash(7))])
    expect(vector(wave, wave.order)).toEqual([0, 1, 0, 0])
    expect(wave.arenasAt).toBeGreaterThan(wave.order)
    expect(wave.words.length).toBe(4 * wave.arenasAt)
    expect(wave.storeVectors).toBe(wave.arenasAt + 64 * vmArena(VM_QUOTAS[0]!).laneVectors)
  })

  test('is laid in the memory of the one before as in memory of its own', async () => {
    const memory = new WaveMemory()
    const long = await lanesOf(
      Array.from({ length: 9 }, () => call(`0x${'ff'.repeat(200)}`)),
      [0, 1, 2, 3, 4, 5, 6, 7, 8],
    )
    layWave(long, Uint32Array.from(long.transactions.keys()), VM_QUOTAS[0]!, memory)
    const lanes = await lanesOf(CALLS, [0, 1, 2, 3])
    const [own, other] = [memory, undefined].map((where) =>
      layWave(lanes, Uint32Array.of(3, 1, 0, 2), VM_QUOTAS[0]!, where),
    )
    expect(own!.words).toEqual(other!.words)
    expect(own!.words.byteOffset).toBe(0)
  })

  test('has room for as many arenas as interleave, and is cut between them', async () => {
    const calls = Array.from({ length: 19 }, () => call('0x'))
    const lanes = await lanesOf(calls, Array.from(calls.keys()))
    const positions = Uint32Array.from(calls.keys())
    for (const quota of VM_QUOTAS) {
      const { neighbours } = quota
      const { laneVectors } = vmArena(quota)
      const wave = layWave(lanes, positions, quota)
      expect(wave.storeVectors).toBe(wave.arenasAt + Math.ceil(19 / neighbours) * neighbours * laneVectors)
      const least = layWave(lanes, positions.subarray(0, Math.min(19, neighbours)), quota).storeVectors
      expect(cutWaves(lanes, positions, quota, least)![0]).toBe(Math.min(19, neighbours))
      expect(cutWaves(lanes, positions, quota, least - 1)).toBe(undefined)
      // Storage buffers of 128 MB are what every device has.
      expect(16 * least).toBeLessThan(2 ** 27)
    }
  })

  test('fits the device with the most lanes that do, in whole workgroups', async () => {
    const calls = Array.from({ length: 300 }, (_, i) => call(`0x${'ab'.repeat(i)}`))
    const lanes = await lanesOf(calls, Array.from(calls.keys()))
    const positions = Uint32Array.from(calls.keys())
    const [quota] = VM_QUOTAS
    const whole = layWave(lanes, positions.subarray(0, 128), quota!).storeVectors
    const ends = cutWaves(lanes, positions, quota!, whole)!
    expect(ends[0]).toBe(128)
    expect(cutWaves(lanes, positions, quota!, whole - 1)![0]).toBe(64)
    expect(ends.at(-1)).toBe(300)
    for (const [n, end] of ends.entries()) {
      const wave = layWave(lanes, positions.subarray(ends[n - 1] ?? 0, end), quota!)
      expect(wave.storeVectors).toBeLessThanOrEqual(whole)
    }
    expect(cutWaves(lanes, positions, quota!, 64 * vmArena(quota!).laneVectors)).toBeUndefined()
    expect(cutWaves(lanes, positions, quota!, 1e9)).toEqual([300])
    expect(LANE_COLUMNS * 300 + 64).toBeLessThan(layWave(lanes, positions, quota!).arenasAt)
  })
})

describe('the order of lanes', () => {
  test('goes by code, then selector, then size, and keeps the order of equals', () => {
    const data = ['0x22222222', '0x11111111', '0x22222222', '0x1111111100', '0x11', '0xff111111', '0x22222222']
    const batch = encodeBatch(data.map((d) => call(d)))
    const transactions = Int32Array.of(0, 1, 2, 3, 4, 5, 6)
    const codes = Uint32Array.of(5, 5, 5, 5, 5, 3, 5)
    expect([...laneOrder(batch, transactions, codes)]).toEqual([5, 4, 1, 3, 0, 2, 6])
    expect([...laneOrder(batch, Int32Array.of(6, 1), Uint32Array.of(5, 5))]).toEqual([1, 0])
  })
})
