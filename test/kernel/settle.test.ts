import { expect, it } from 'vitest'
import { createRandom } from '../../bench/random.ts'
import { ExitReasons } from '../../host/batch/reason.ts'
import { REJECTION } from '../../host/chain/rejection.ts'
import { BufferPool } from '../../host/device/buffer_pool.ts'
import type { Command, ComputeDevice, RunOptions, RunResult } from '../../host/device/compute_device.ts'
import { ValidationError } from '../../host/device/fault.ts'
import { DeviceSession } from '../../host/session/device_session.ts'
import { SettleKernels } from '../../host/settle/device/kernels.ts'
import { appendScan, appendSort, type Encoding } from '../../host/settle/device/sort.ts'
import { DeviceSweep } from '../../host/settle/device/sweep.ts'
import { UploadWords } from '../../host/settle/device/upload_words.ts'
import { Sweep } from '../../host/settle/sweep.ts'
import { SCAN_BLOCK, SORT_BLOCK } from '../../transpiler/layout/settle.ts'
import { FaultyDevice } from '../fault/device_faults.ts'
import { COINBASE, type Opened, open, randomWorld, readBack, replayed } from '../fixtures/settled_worlds.ts'
import { SPOILT, standingWorld } from '../fixtures/standing_worlds.ts'
import { ADAPTERS, describeOnAdapters, type Rig } from './rig.ts'

/** The last one on the first adapter only: it takes seconds. */
const SIZES = [0, 1, SCAN_BLOCK - 1, SCAN_BLOCK, SCAN_BLOCK + 1, SORT_BLOCK, SORT_BLOCK + 1, 100_000]
const STANDING = [1, 15, 16, 17, 300, 4000]

/** Where two arrays differ first, -1 = nowhere: `toEqual` of so many numbers takes seconds. */
const firstDifference = (a: Uint32Array, b: Uint32Array): number =>
  a.length === b.length ? a.findIndex((word, i) => word !== b[i]) : Math.min(a.length, b.length)

/** Sweeps to the end; what the sweep leaves is refused for a reason that nothing else gives. */
const swept = async (rig: Rig, kernels: SettleKernels, { openBatch, resident }: Opened, step: number) => {
  const session = new DeviceSession(rig.device, resident)
  const sweep = new Sweep('prague', openBatch, resident, new ExitReasons(), Number.POSITIVE_INFINITY)
  sweep.codeChanged = true
  const uploads = { columns: new UploadWords(), lanes: new UploadWords() }
  const device = new DeviceSweep(session, kernels, { batch: openBatch, refundQuotient: 5, uploads })
  const { count } = openBatch.batch
  let settled = 0
  for (let first = 0; first < count; first += step) {
    const end = Math.min(count, first + step)
    for (let i = first; ; ) {
      const stop = i < device.from ? i : await device.advance(i, end, sweep.takenOnDevice!)
      settled += stop - i
      i = sweep.advance(stop, device.from > stop ? Math.min(end, device.from) : end)
      if (i === device.from && i < end) continue
      if (i === end) break
      sweep.reject(i, REJECTION.tipAboveFeeCap)
    }
  }
  session.close()
  return { submissions: device.submissions, settled }
}

/** What is read back of settling begins with two numbers: one of them is not true. */
class LyingDevice extends FaultyDevice {
  readonly #read: number

  constructor(inner: ComputeDevice, read: number) {
    super(inner, {})
    this.#read = read
  }

  override run(commands: readonly Command[], options: RunOptions = {}): Promise<RunResult> {
    const { consume } = options
    if (consume === undefined) return super.run(commands, options)
    const spoilt = (reads: readonly Uint32Array[]) =>
      consume(reads.map((words, n) => (n === this.#read ? Uint32Array.of(1_000_000) : words)))
    return super.run(commands, { ...options, consume: spoilt })
  }
}

describeOnAdapters('settling on a device', (rig, adapter) => {
  const of = (sizes: readonly number[]): readonly number[] => (adapter === ADAPTERS[0] ? sizes : sizes.slice(0, -1))
  let compiled: Promise<SettleKernels> | undefined
  const kernelsOf = (): Promise<SettleKernels> => {
    compiled ??= SettleKernels.compile(rig.device)
    return compiled
  }

  const encoded = async (encode: (encoding: Encoding, pool: BufferPool) => GPUBuffer, words: number) => {
    const pool = new BufferPool(rig.device)
    const commands: Command[] = []
    const buffer = encode({ device: rig.device, kernels: await kernelsOf(), lease: pool.lease(), commands }, pool)
    const { reads } = await rig.device.run(commands, { reads: [{ buffer, byteOffset: 0, byteLength: 4 * words }] })
    pool.destroy()
    return reads[0]!
  }

  it.each(of(SIZES))('scans %i values', async (count) => {
    const random = createRandom(count, 'scan')
    const values = Uint32Array.from({ length: count }, () => random.below(2 ** 32))
    const sums = new Uint32Array(count + 1)
    for (let i = 0; i < count; i++) sums[i + 1] = sums[i]! + values[i]!
    const scanned = await encoded((encoding, pool) => {
      const buffer = pool.storage(4 * (count + 1))
      rig.device.upload(buffer, 0, values)
      appendScan(encoding, buffer, count)
      return buffer
    }, count + 1)
    expect(firstDifference(scanned, sums)).toBe(-1)
  })

  it.each(of(SIZES))('sorts %i pairs of few keys, and of many, and leaves the order of equal ones', async (count) => {
    const random = createRandom(count, 'sort')
    for (const bits of [3, 17]) {
      const keys = Uint32Array.from({ length: count }, () => random.below(2 ** bits))
      const order = Array.from(keys, (_, n) => n).sort((a, b) => keys[a]! - keys[b]! || a - b)
      // Room for more than there are.
      const capacity = count + 100
      const sorted = await encoded((encoding, pool) => {
        const [pairs, spare, total] = [pool.storage(8 * capacity), pool.storage(8 * capacity), pool.storage(4)]
        rig.device.upload(
          pairs,
          0,
          Uint32Array.from({ length: 2 * count }, (_, n) => (n % 2 === 0 ? keys[n / 2]! : n >> 1)),
        )
        rig.device.upload(total, 0, Uint32Array.of(count))
        return appendSort(encoding, { pairs, spare, total }, capacity, bits)
      }, 2 * count)
      const expected = new Uint32Array(2 * count)
      order.forEach((n, i) => {
        expected[2 * i] = keys[n]!
        expected[2 * i + 1] = n
      })
      expect(firstDifference(sorted, expected)).toBe(-1)
    }
  })

  it('leaves what serial execution does, of payments and lanes at the edges', async () => {
    const kernels = await kernelsOf()
    for (let seed = 0; seed < 25; seed++) {
      const world = randomWorld(seed)
      const opened = open(world)
      await swept(rig, kernels, opened, seed % 3 === 0 ? 7 : 1000)
      expect(readBack(opened), `seed ${seed}`).toEqual(replayed(world))
    }
  })

  it.each(of(STANDING))('settles %i transactions that stand in one submission', async (count) => {
    const world = standingWorld(count, count)
    const opened = open(world)
    expect(await swept(rig, await kernelsOf(), opened, count)).toEqual({ submissions: 1, settled: count })
    expect(readBack(opened)).toEqual(replayed(world))
  })

  it('stops at the first transaction that does not stand, and goes on after it', async () => {
    for (const how of SPOILT) {
      for (const spoilt of [0, 1, 15, 16, 299]) {
        const world = standingWorld(spoilt, 300, { spoilt, how })
        const opened = open(world)
        const { settled } = await swept(rig, await kernelsOf(), opened, 300)
        expect(readBack(opened), `${how} ${spoilt}`).toEqual(replayed(world))
        expect(settled).toBeGreaterThanOrEqual(spoilt)
      }
    }
  })

  it('leaves it to the host to touch a coinbase that nobody pays', async () => {
    const world = standingWorld(1, 3, { unpaid: true })
    const opened = open(world)
    await swept(rig, await kernelsOf(), opened, 3)
    expect(readBack(opened)).toEqual(replayed(world))
    expect(replayed(world).exists[COINBASE]).toBe(false)
  })

  it.each([
    ['transactions', 0],
    ['rows', 1],
  ])('takes nothing from a device that tells of more %s than there are', async (_, read) => {
    const opened = open(standingWorld(1, 3))
    const before = readBack(opened)
    const lying = new LyingDevice(rig.device, read)
    const session = new DeviceSession(lying, opened.resident)
    const uploads = { columns: new UploadWords(), lanes: new UploadWords() }
    const form = { batch: opened.openBatch, refundQuotient: 5, uploads }
    const sweep = new Sweep('prague', opened.openBatch, opened.resident, new ExitReasons())
    const settling = new DeviceSweep(session, await kernelsOf(), form).advance(0, 3, sweep.takenOnDevice!)
    await expect(settling).rejects.toThrow(ValidationError)
    expect(readBack(opened)).toEqual(before)
    session.close()
  })

  it('stops where the block has no room left', async () => {
    const world = standingWorld(1, 300, { gasLimit: 5_000_000n })
    const opened = open(world)
    await swept(rig, await kernelsOf(), opened, 300)
    expect(readBack(opened)).toEqual(replayed(world))
  })
})
