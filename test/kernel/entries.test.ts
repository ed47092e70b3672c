import { Bloom } from '@ethereumjs/vm'
import { keccak } from 'hash-wasm'
import { expect, it } from 'vitest'
import { KERNELS } from '../../kernels/linked.generated.ts'
import { BLOOM_ADDRESS } from '../../transpiler/layout/bloom.ts'
import { randomWords } from '../fixtures/edge_words.ts'
import { columnsOf, describeOnAdapters, type Rig, wordAt } from './rig.ts'

const SEED = 5

const runEntry = async (
  rig: Rig,
  entryPoint: string,
  parameters: readonly number[],
  inputs: readonly Uint32Array[],
  output: Uint32Array,
  invocations: number,
): Promise<Uint32Array> => {
  const [result] = await rig.run({
    label: entryPoint,
    wgsl: KERNELS[entryPoint]!,
    entryPoint,
    buffers: [
      { binding: 0, type: 'uniform', data: Uint32Array.from(parameters) },
      ...inputs.map((data, i) => ({ binding: 1 + i, type: 'read-only-storage' as const, data })),
      { binding: 1 + inputs.length, type: 'storage' as const, data: output, output: true as const },
    ],
    invocations,
  })
  return result!
}

const bytesOf = (word: bigint, sizeBytes: number): Uint8Array =>
  Uint8Array.from(Buffer.from(word.toString(16).padStart(64, '0'), 'hex').subarray(32 - sizeBytes))

describeOnAdapters('entries', (rig) => {
  it('bloom sets the bits of topics and addresses that @ethereumjs/vm sets', async () => {
    const laneCount = 130
    const stride = 150
    const words = [1, 2, 3].map((i) => randomWords(SEED + i, laneCount))
    const columns = columnsOf(words)
    // Each word as a topic and as an address, in an order that is not the columns'.
    const items = [4, 0, 2].flatMap((column) => [
      { column, sizeBytes: 32 },
      { column, sizeBytes: 20 },
    ])
    const parameters = new Uint32Array(20)
    parameters.set([laneCount, items.length, stride])
    items.forEach(({ column, sizeBytes }, k) => {
      parameters[4 + k] = sizeBytes === 20 ? (column | BLOOM_ADDRESS) >>> 0 : column
    })
    const unwritten = 0xfefefefe
    const bits = await runEntry(
      rig,
      'bloom',
      [...parameters],
      [columns],
      new Uint32Array(items.length * stride * 2).fill(unwritten),
      laneCount * items.length,
    )
    items.forEach(({ column, sizeBytes }, k) => {
      for (let lane = 0; lane < laneCount; lane++) {
        const want = new Bloom()
        want.add(bytesOf(words[column / 2]![lane]!, sizeBytes))
        const got = new Uint8Array(256)
        const at = 2 * (k * stride + lane)
        for (const bit of [bits[at]! & 0xffff, bits[at]! >>> 16, bits[at + 1]!])
          got[255 - (bit >> 3)]! |= 1 << (bit & 7)
        expect(got).toEqual(want.bitvector)
      }
      expect(bits[2 * (k * stride + laneCount)]).toBe(unwritten)
    })
  })

  it.each([1, 2, 3, 4])('scatter writes rows of %i vectors to their places and nothing else', async (width) => {
    const rowCount = 1000
    const rows = Uint32Array.from({ length: rowCount * width * 4 }, (_, i) => i)
    const places = Uint32Array.from({ length: 333 }, (_, i) => (i * 7 + 5) % rowCount)
    expect(new Set(places).size).toBe(places.length)
    const items = Uint32Array.from({ length: places.length * width * 4 }, (_, i) => 0x80000000 + i)
    const want = rows.slice()
    places.forEach((place, i) => {
      want.set(items.subarray(i * width * 4, (i + 1) * width * 4), place * width * 4)
    })
    const got = await runEntry(
      rig,
      'scatter',
      [places.length, width, rowCount, 0],
      [places, items],
      rows,
      places.length,
    )
    expect(got).toEqual(want)
  })

  it('scatter drops items past its count and places past the rows', async () => {
    const rows = new Uint32Array(10 * 8)
    const places = Uint32Array.of(0, 9, 10, 0xffffffff, 3)
    const items = Uint32Array.from({ length: places.length * 8 }, (_, i) => 1 + i)
    const got = await runEntry(rig, 'scatter', [4, 2, 10, 0], [places, items], rows, places.length)
    const want = new Uint32Array(10 * 8)
    want.set(items.subarray(0, 8), 0)
    want.set(items.subarray(8, 16), 9 * 8)
    expect(got).toEqual(want)
  })

  it('index_scatter writes the buckets of its list, some of them twice, and nothing else', async () => {
    const buckets = Uint32Array.from({ length: 2 * 512 }, (_, i) => i)
    const changed = [...Array.from({ length: 130 }, (_, i) => (i * 7 + 5) % 512), 5, 511, 0]
    const items = changed.flatMap((bucket) => [bucket, 0x80000000 + bucket, ~bucket >>> 0])
    const want = buckets.slice()
    for (const bucket of changed) want.set([0x80000000 + bucket, ~bucket >>> 0], 2 * bucket)
    const beyond = [100, 1, 1]
    const list = Uint32Array.from([changed.length, ...items, ...beyond])
    expect(want[2 * 100]).toBe(2 * 100)
    const [got] = await rig.run({
      label: 'index_scatter',
      wgsl: KERNELS['index_scatter']!,
      entryPoint: 'index_scatter',
      buffers: [
        { binding: 0, type: 'read-only-storage', data: list },
        { binding: 1, type: 'storage', data: buckets, output: true },
      ],
      invocations: changed.length + 1,
    })
    expect(got).toEqual(want)
  })

  it('keccak_rate chains hashes of 32 bytes', async () => {
    const laneCount = 70
    const words = await runEntry(
      rig,
      'keccak_rate',
      [laneCount, 5, 0, 0],
      [],
      new Uint32Array(laneCount * 8),
      laneCount,
    )
    for (const lane of [0, 1, 69]) {
      let word = bytesOf(BigInt(lane), 32)
      for (let i = 0; i < 5; i++) word = Buffer.from(await keccak(word, 256), 'hex')
      expect(wordAt(words, 8 * lane)).toBe(BigInt(`0x${Buffer.from(word).toString('hex')}`))
    }
  })

  it('mul_rate chains multiplications', async () => {
    const laneCount = 70
    const words = await runEntry(rig, 'mul_rate', [laneCount, 9, 0, 0], [], new Uint32Array(laneCount * 8), laneCount)
    for (let lane = 0; lane < laneCount; lane++) {
      let y = 0n
      for (let limb = 7; limb >= 0; limb--) y = (y << 32n) | BigInt(Math.imul(8 * lane + limb + 1, 0x9e3779b1) >>> 0)
      let x = y
      for (let i = 0n; i < 9n; i++) x = BigInt.asUintN(256, x * y) ^ i
      expect(wordAt(words, 8 * lane)).toBe(x)
    }
  })
})
