import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { EXECUTION_BINDINGS, layoutKey } from '../../host/device/binding.ts'
import { excerptOf, ShaderCompileError } from '../../host/device/kernel.ts'
import { chunkLanes, splitWorkgroups } from '../../host/device/lanes.ts'

const limits = (bytes: number, perDimension = 65535) => ({
  limits: {
    maxStorageBufferBindingSize: bytes,
    maxBufferSize: 2 * bytes,
    maxComputeWorkgroupsPerDimension: perDimension,
  },
})

describe('splitWorkgroups', () => {
  test('covers the count within the limit and wastes less than a row', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (count) => {
        const [x, y] = splitWorkgroups(count, 65535)
        expect(x).toBeLessThanOrEqual(65535)
        expect(y).toBeLessThanOrEqual(65535)
        expect(x * y).toBeGreaterThanOrEqual(count)
        expect(x * y - count).toBeLessThan(y)
      }),
      { seed: 1 },
    )
  })

  test('stays in one dimension up to the limit and takes a second one past it', () => {
    expect(splitWorkgroups(65535, 65535)).toEqual([65535, 1])
    expect(splitWorkgroups(65536, 65535)).toEqual([32768, 2])
    expect(splitWorkgroups(0, 65535)).toEqual([0, 1])
  })

  test('refuses more than both dimensions hold', () => {
    expect(splitWorkgroups(16, 4)).toEqual([4, 4])
    expect(() => splitWorkgroups(17, 4)).toThrow(RangeError)
  })
})

describe('chunkLanes', () => {
  test('keeps a batch whole up to exactly the limit', () => {
    expect(chunkLanes(limits(64 * 100), 64, [40, 100], 64)).toEqual({ lanesPerChunk: 64, chunkCount: 1 })
    expect(chunkLanes(limits(64 * 100 - 1), 64, [40, 99], 64)).toEqual({ lanesPerChunk: 64, chunkCount: 1 })
    expect(chunkLanes(limits(128 * 100), 129, [100], 64)).toEqual({ lanesPerChunk: 128, chunkCount: 2 })
    expect(chunkLanes(limits(1000), 0, [100], 64)).toEqual({ lanesPerChunk: 0, chunkCount: 0 })
  })

  test('gives chunks that fit, cover the batch and are even', () => {
    const lanes = fc.integer({ min: 1, max: 1_000_000 })
    const widths = fc.array(fc.integer({ min: 1, max: 4096 }), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(lanes, widths, fc.integer({ min: 1 << 18, max: 1 << 27 }), (laneCount, bytesPerLane, bytes) => {
        const { lanesPerChunk, chunkCount } = chunkLanes(limits(bytes), laneCount, bytesPerLane, 64)
        expect(lanesPerChunk * Math.max(...bytesPerLane)).toBeLessThanOrEqual(bytes)
        expect(lanesPerChunk * chunkCount).toBeGreaterThanOrEqual(laneCount)
        expect(lanesPerChunk * (chunkCount - 1)).toBeLessThan(laneCount)
        if (chunkCount > 1) expect(lanesPerChunk % 64).toBe(0)
      }),
      { seed: 2 },
    )
  })

  test('gives chunks of no more than 1 GiB, also where the device binds more', () => {
    const most = { limits: { ...limits(2 ** 31 - 4).limits, maxBufferSize: 2 ** 31 - 4 } }
    expect(chunkLanes(most, 2 ** 20 + 1, [1024], 64).chunkCount).toBe(2)
    expect(chunkLanes(most, 2 ** 20, [1024], 64).chunkCount).toBe(1)
  })

  test('refuses lanes of which not even a workgroup fits', () => {
    expect(() => chunkLanes(limits(6399), 1, [100], 64)).toThrow('no room for one workgroup')
  })
})

describe('binding layouts', () => {
  test('of execution kernels are a uniform and eight storage buffers, one of them written', () => {
    const types = EXECUTION_BINDINGS.map(({ type }) => type)
    expect(types.filter((type) => type === 'uniform')).toHaveLength(1)
    expect(types.filter((type) => type === 'storage')).toHaveLength(1)
    expect(types.filter((type) => type === 'read-only-storage')).toHaveLength(7)
  })

  test('are the same in any order and differ by type', () => {
    const a = { binding: 0, type: 'storage' } as const
    const b = { binding: 1, type: 'uniform' } as const
    expect(layoutKey([a, b])).toBe(layoutKey([b, a]))
    expect(layoutKey([a])).not.toBe(layoutKey([{ binding: 0, type: 'read-only-storage' }]))
  })
})

describe('ShaderCompileError', () => {
  const wgsl = 'one\ntwo\nthree\nfour\nfive\nsix'

  test('says kernel, message and place, and shows the lines around it', () => {
    const error = new ShaderCompileError('mine', wgsl, [{ line: 3, column: 2, message: 'bad word' }])
    expect(error.message).toBe('kernel mine: bad word (line 3:2)')
    expect(error.excerpt).toBe('1 | one\n2 | two\n3 | three\n  |  ^\n4 | four\n5 | five')
  })

  test('shows no lines for a message without a place', () => {
    expect(excerptOf(wgsl, { line: 0, column: 0, message: 'x' })).toBe('')
    expect(new ShaderCompileError('mine', wgsl, [{ line: 0, column: 0, message: 'x' }]).message).toBe('kernel mine: x')
  })
})
