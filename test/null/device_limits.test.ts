import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BufferPool } from '../../host/device/buffer_pool.ts'
import type { ComputeDevice } from '../../host/device/compute_device.ts'
import { OutOfMemoryError } from '../../host/device/fault.ts'
import { bufferBytes, doubledBytes, mostStorageBytes, mostWaveBytes } from '../../host/device/limits.ts'
import { stagedRanges, stagingBytes } from '../../host/device/staging.ts'
import { jobHalves, laneCountOf } from '../../host/tiers/path/job_halves.ts'

/** Limits of the form that drivers give: powers of two and what is a little less (Dawn on NVIDIA: 2^31 - 4). */
const limitBytes = fc
  .tuple(fc.integer({ min: 16, max: 32 }), fc.constantFrom(0, 1, 4, 8, 12, 16, 20))
  .map(([k, less]) => 2 ** k - less)
const limits = fc.tuple(limitBytes, limitBytes).map(([binding, buffer]) => ({
  maxStorageBufferBindingSize: binding,
  maxBufferSize: buffer,
}))

const NVIDIA = { maxStorageBufferBindingSize: 2 ** 31 - 4, maxBufferSize: 2 ** 31 - 4 }

/** What a pool asks of its device, which makes buffers as Dawn does and notes their sizes. */
const sizesOf = (most: typeof NVIDIA) => {
  const sizes: number[] = []
  const device = {
    limits: most,
    storage: (label: string, sizeBytes: number) => {
      const size = bufferBytes(label, sizeBytes, Math.min(most.maxStorageBufferBindingSize, most.maxBufferSize))
      sizes.push(size)
      return { size, destroy: () => undefined }
    },
  }
  return { pool: new BufferPool(device as unknown as ComputeDevice), sizes }
}

describe('a storage buffer', () => {
  test('of the largest size is a multiple of 16 within both limits', () => {
    fc.assert(
      fc.property(limits, (most) => {
        const bytes = mostStorageBytes(most)
        const limit = Math.min(most.maxStorageBufferBindingSize, most.maxBufferSize)
        expect(bytes % 16).toBe(0)
        expect(bytes).toBeLessThanOrEqual(limit)
        expect(bytes).toBeGreaterThan(limit - 16)
      }),
      { seed: 1 },
    )
    expect(mostStorageBytes(NVIDIA)).toBe(2 ** 31 - 16)
    expect(mostWaveBytes(NVIDIA)).toBe(2 ** 30)
  })

  test('of a pool holds all that one buffer can hold, whatever the limits', () => {
    fc.assert(
      fc.property(limits, fc.double({ min: 0, max: 1, noNaN: true }), (most, part) => {
        const { pool, sizes } = sizesOf(most)
        const bytes = Math.max(1, Math.floor(mostStorageBytes(most) * part))
        pool.storage(bytes)
        pool.storage(mostStorageBytes(most))
        expect(sizes[0]).toBeGreaterThanOrEqual(bytes)
        expect(sizes[1]).toBe(mostStorageBytes(most))
        expect(() => pool.storage(mostStorageBytes(most) + 1)).toThrow(OutOfMemoryError)
      }),
      { seed: 2 },
    )
  })

  test('doubles as long as the limits let it', () => {
    expect(doubledBytes(4096, 4097, NVIDIA)).toBe(8192)
    expect(doubledBytes(2 ** 30, 2 ** 30 + 1, NVIDIA)).toBe(2 ** 31 - 16)
    expect(doubledBytes(2 ** 30, 2 ** 31, NVIDIA)).toBe(2 ** 31)
  })
})

describe('a pool', () => {
  test('gives back what was put, and never what was dropped or trimmed', () => {
    const { pool } = sizesOf(NVIDIA)
    const lease = pool.lease()
    const [a, b] = [lease.storage(5000), lease.storage(5000)]
    lease.put()
    expect(pool.storage(6000)).toBe(b)
    const second = pool.lease()
    expect(second.storage(8000)).toBe(a)
    second.drop()
    pool.put(b)
    pool.trim()
    expect([a, b]).not.toContain(pool.storage(8000))
  })

  test('never hands out for uploads what the device wrote, nor the other way round', () => {
    const steps = fc.array(fc.tuple(fc.constantFrom('input', 'storage'), fc.integer({ min: 1, max: 20_000 })))
    fc.assert(
      fc.property(fc.array(steps), (leases) => {
        const { pool } = sizesOf(NVIDIA)
        const given = { input: new Set<GPUBuffer>(), storage: new Set<GPUBuffer>() }
        for (const list of leases) {
          const lease = pool.lease()
          for (const [kind, sizeBytes] of list) given[kind].add(lease[kind](sizeBytes))
          lease.put()
        }
        expect([...given.input].filter((buffer) => given.storage.has(buffer))).toEqual([])
      }),
      { seed: 5 },
    )
  })
})

describe('reads', () => {
  test('stand in staging buffers of no more than the most, each whole and apart from the others', () => {
    const lengths = fc.array(fc.integer({ min: 0, max: 400 }).map((n) => 4 * n))
    fc.assert(
      fc.property(lengths, fc.integer({ min: 8, max: 4000 }), (list, most) => {
        const { sizes, ranges } = stagedRanges(list, most)
        const ends = sizes.map(() => 0)
        const counts = sizes.map(() => 0)
        for (const [i, { part, offset }] of ranges.entries()) {
          if (list[i] === 0) continue
          expect(offset % 8).toBe(0)
          expect(offset).toBeGreaterThanOrEqual(ends[part]!)
          ends[part] = offset + list[i]!
          counts[part]!++
          expect(ends[part]).toBeLessThanOrEqual(sizes[part]!)
        }
        sizes.forEach((size, part) => {
          if (counts[part]! > 1) expect(size).toBeLessThanOrEqual(most)
        })
      }),
      { seed: 3 },
    )
  })

  test('are staged within the limit of a buffer, too', () => {
    expect(stagingBytes(4, Infinity)).toBe(1 << 16)
    expect(stagingBytes(1 << 16, Infinity)).toBe(1 << 16)
    expect(stagingBytes((1 << 16) + 4, Infinity)).toBe(1 << 17)
    expect(stagingBytes((1 << 24) + 4, Infinity)).toBe(2 << 24)
    expect(stagingBytes(2 ** 31 - 16, 2 ** 31 - 4)).toBe(2 ** 31 - 8)
  })
})

describe('halves of jobs', () => {
  const jobOf = (first: number, lanes: number) => ({
    transactions: Int32Array.from({ length: lanes }, (_, i) => first + i),
    hints: { words: new Uint32Array(0), at: Uint32Array.from({ length: lanes }, (_, i) => first + i) },
  })

  test('hold every lane once and in order, with its hints, and are both less than the whole', () => {
    const counts = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(counts, (lanes) => {
        let first = 0
        const jobs = lanes.map((count) => {
          first += count
          return jobOf(first - count, count)
        })
        fc.pre(first > 64)
        const halves = jobHalves(jobs)
        const both = halves.flat()
        expect(both.flatMap(({ transactions }) => [...transactions])).toEqual(
          Array.from({ length: first }, (_, i) => i),
        )
        for (const { transactions, hints } of both) expect([...hints.at]).toEqual([...transactions])
        for (const half of halves) expect(laneCountOf(half)).toBeGreaterThan(0)
      }),
      { seed: 4 },
    )
  })
})
