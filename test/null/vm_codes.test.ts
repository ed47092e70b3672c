import { expect, test } from 'vitest'
import type { ComputeDevice } from '../../host/device/compute_device.ts'
import { CodeTable } from '../../host/state/tables/code_table.ts'
import { VmCodes } from '../../host/tiers/lane_vm/code_store.ts'
import type { LiftedCode } from '../../transpiler/index.ts'
import { CODE_DELEGATION, CODE_PRESENT, MICRO_PRECOMPILE } from '../../transpiler/layout/lane_vm.ts'

/** A device that only keeps what is uploaded. */
const deviceOf = (maxBytes = 1 << 27) => {
  const contents = new Map<object, Uint8Array>()
  const uploads: number[] = []
  const device = {
    limits: { maxStorageBufferBindingSize: maxBytes, maxBufferSize: maxBytes },
    storage: (_: string, size: number) => {
      const buffer = { size, destroy: () => undefined }
      contents.set(buffer, new Uint8Array(size))
      return buffer
    },
    upload: (buffer: object, at: number, view: Uint32Array) => {
      uploads.push(view.byteLength)
      contents.get(buffer)!.set(new Uint8Array(view.buffer, view.byteOffset, view.byteLength), at)
    },
  }
  const vectors = (buffer: object, at: number, count = 1): number[] => [
    ...new Uint32Array(contents.get(buffer)!.buffer, 16 * at, 4 * count),
  ]
  return { device: device as unknown as ComputeDevice, vectors, uploads }
}

/** A code whose parts are filled with its first byte. */
const stored = (first: number, instructions = 3): LiftedCode => ({
  instructions: new Uint32Array(4 * instructions).fill(first),
  constants: new Uint32Array(8).fill(first + 1),
  blocks: new Uint32Array(8).fill(first + 2),
  jumps: new Uint16Array(9).fill(first + 3),
  firstExit: 2,
  pcs: new Uint32Array(instructions),
})

/** Codes with the same first byte have one skeleton. */
const tableOf = () => new CodeTable((code) => ({ key: `${code[0]}`, constants: [BigInt(code.length)] }))
const lifter = {
  lift: (code: Uint8Array) => stored(code[0]!),
  micro: [stored(90), undefined, stored(92)],
  delegates: true,
}

const delegation = Uint8Array.from([0xef, 1, 0, ...new Uint8Array(20).fill(7)])

test('codes of one skeleton share their lifted code, and have headers of their own', () => {
  const { device, vectors } = deviceOf()
  const table = tableOf()
  const codes = new VmCodes(device, table, lifter)
  const ids = [Uint8Array.of(5, 1), Uint8Array.of(5, 2), Uint8Array.of(6)].map((code, i) => table.add(`0x${i}`, code))
  expect(ids.map((id) => codes.has(id))).toEqual([false, false, false])
  for (const id of ids) expect(codes.require(id)).toBe(true)
  const buffer = codes.sync()
  const [a, b, c] = ids.map((id) => vectors(buffer, codes.codesAt + 2 * id, 2))
  expect(a).toEqual(b)
  expect(a!.slice(4)).toEqual([0, 2, CODE_PRESENT, 0])
  expect(c!.slice(0, 4)).not.toEqual(a!.slice(0, 4))
  const [instructions, pool, blocks, jumps] = a!
  expect(vectors(buffer, instructions!, 3)).toEqual(new Array(12).fill(5))
  expect(vectors(buffer, pool!, 2)).toEqual(new Array(8).fill(6))
  expect(vectors(buffer, blocks!, 2)).toEqual(new Array(8).fill(7))
  const eight = 8 * 0x1_0001
  expect(vectors(buffer, jumps!, 2)).toEqual([eight, eight, eight, eight, 8, 0, 0, 0])
})

test('a code is lifted once more when it is hot, for all codes of its skeleton, and what was placed stays', () => {
  const { device, vectors } = deviceOf()
  const table = tableOf()
  const made: string[] = []
  const kept = (form: string, first: number) => (code: Uint8Array) => {
    made.push(`${form} ${code[0]}`)
    return stored(first + code[0]!)
  }
  const codes = new VmCodes(device, table, { ...lifter, lift: kept('hot', 100), liftFirst: kept('first', 0) }, 10)
  const ids = [Uint8Array.of(5, 1), Uint8Array.of(5, 2), Uint8Array.of(6)].map((code, i) => table.add(`0x${i}`, code))
  const run = (id: number, lanes: number): void => {
    codes.note(id, lanes)
    codes.require(id)
  }
  const instructionsOf = (id: number): number[] => {
    const buffer = codes.sync()
    const [at, , , , ...rest] = vectors(buffer, codes.codesAt + 2 * id, 2)
    expect(rest).toEqual([0, table.codes[id]!.bytes.length, CODE_PRESENT, 0])
    return vectors(buffer, at!, 3)
  }
  const filled = (value: number): number[] => new Array<number>(12).fill(value)
  run(ids[0]!, 4)
  codes.require(ids[1]!)
  expect([instructionsOf(ids[0]!), instructionsOf(ids[1]!)]).toEqual([filled(5), filled(5)])
  const [old] = vectors(codes.sync(), codes.codesAt + 2 * ids[0]!, 1)
  run(ids[1]!, 5)
  expect([instructionsOf(ids[0]!), instructionsOf(ids[1]!)]).toEqual([filled(5), filled(5)])
  run(ids[1]!, 1)
  expect([instructionsOf(ids[0]!), instructionsOf(ids[1]!)]).toEqual([filled(105), filled(105)])
  expect(vectors(codes.sync(), old!, 3)).toEqual(filled(5))
  run(ids[0]!, 100)
  run(ids[2]!, 10)
  expect(instructionsOf(ids[2]!)).toEqual(filled(106))
  expect(made).toEqual(['first 5', 'hot 5', 'hot 6'])
})

test('a hot code that the store has no room for stays in its first form', () => {
  const { device } = deviceOf(1 << 17)
  const table = tableOf()
  const large = () => stored(1, 1 << 14)
  const codes = new VmCodes(device, table, { ...lifter, lift: large, liftFirst: () => stored(2) }, 2)
  const id = table.add('0x1', Uint8Array.of(5))
  for (let n = 0; n < 3; n++) {
    codes.note(id, 1)
    expect(codes.require(id)).toBe(true)
  }
  expect(codes.sync().size).toBeLessThanOrEqual(1 << 17)
})

test('bytes come when they are asked for, those of a delegation with the code', () => {
  const { device, vectors } = deviceOf()
  const table = tableOf()
  const codes = new VmCodes(device, table, lifter)
  const plain = table.add(
    '0x1',
    Uint8Array.from({ length: 18 }, (_, i) => i + 1),
  )
  const delegated = table.add('0x2', delegation)
  codes.require(plain)
  codes.require(delegated)
  const bytesAt = (id: number) => vectors(codes.sync(), codes.codesAt + 2 * id + 1)
  expect(bytesAt(plain)).toEqual([0, 18, CODE_PRESENT, 0])
  const [place, size, flags] = bytesAt(delegated)
  expect([size, flags]).toEqual([23, CODE_PRESENT | CODE_DELEGATION])
  const limbs = Uint32Array.from(vectors(codes.sync(), place!, 2))
  expect([...new Uint8Array(limbs.buffer)]).toEqual([...delegation, ...new Uint8Array(9)])
  expect(codes.requireBytes(plain)).toBe(true)
  const [placed, ...rest] = bytesAt(plain)
  expect(rest).toEqual([18, CODE_PRESENT, 0])
  expect(vectors(codes.sync(), placed!, 2)).toEqual([0x04030201, 0x08070605, 0x0c0b0a09, 0x100f0e0d, 0x1211, 0, 0, 0])
  codes.requireBytes(plain)
  expect(bytesAt(plain)[0]).toBe(placed)
})

test('micro codes have headers by their index', () => {
  const { device, vectors } = deviceOf()
  const codes = new VmCodes(device, tableOf(), lifter)
  const buffer = codes.sync()
  const header = (index: number) => vectors(buffer, codes.microAt + 2 * index, 2)
  expect(header(MICRO_PRECOMPILE + 1)).toEqual(new Array(8).fill(0))
  for (const index of [0, 2]) {
    expect(header(index).slice(4)).toEqual([0, 0, CODE_PRESENT, 0])
    expect(vectors(buffer, header(index)[0]!)).toEqual(new Array(4).fill(90 + index))
  }
})

test('a code that is met later costs an upload of its own, and headers stay where running lanes saw them', () => {
  const { device, vectors, uploads } = deviceOf()
  const table = tableOf()
  const codes = new VmCodes(device, table, { ...lifter, micro: [] })
  const add = (i: number) => table.add(`0x${i}`, Uint8Array.of(i & 255, i >> 8))
  for (let i = 0; i < 200; i++) add(i)
  codes.require(3)
  codes.sync()
  const firstTable = codes.codesAt
  uploads.length = 0
  codes.require(4)
  codes.sync()
  expect(uploads.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThan(400)
  for (let i = 200; i < 300; i++) add(i)
  codes.require(299)
  codes.requireBytes(3)
  const buffer = codes.sync()
  expect(codes.codesAt).not.toBe(firstTable)
  const [old, now] = [firstTable, codes.codesAt].map((at) => vectors(buffer, at + 6, 2))
  expect(old).toEqual(now)
  expect(now![4]).not.toBe(0)
  expect(vectors(buffer, codes.codesAt + 2 * 299, 2)[6]).toBe(CODE_PRESENT)
})

test('a code that does not fit the device is refused, and headers have room all the same', () => {
  const { device, vectors } = deviceOf(1 << 16)
  const table = tableOf()
  const codes = new VmCodes(device, table, {
    lift: (code) => stored(code[0]!, code[0] === 1 ? 5000 : 2),
    micro: [],
    delegates: true,
  })
  const [large, small] = [1, 2].map((first) => table.add(`0x${first}`, Uint8Array.of(first)))
  expect([codes.require(large!), codes.require(small!)]).toEqual([false, true])
  for (let i = 0; i < 400; i++) table.add(`0x1${i}`, Uint8Array.of(3, i))
  const buffer = codes.sync()
  expect(buffer.size).toBeLessThanOrEqual(1 << 16)
  expect(vectors(buffer, codes.codesAt + 2 * small! + 1)).toEqual([0, 1, CODE_PRESENT, 0])
  expect(vectors(buffer, codes.codesAt + 2 * 402 + 1)).toEqual([0, 0, 0, 0])
})

test('past its budget the code that lanes ran last stays, under the ids of the present code table', () => {
  const { device, vectors } = deviceOf()
  const table = tableOf()
  const codes = new VmCodes(device, table, { ...lifter, lift: (code) => stored(code[0]!, 400) }, 0)
  const ids = Array.from({ length: 60 }, (_, i) => table.add(`0x${i}`, Uint8Array.of(100 + i, 1)))
  const budget = 200_000
  for (const id of ids) expect(codes.require(id)).toBe(true)
  codes.trim(undefined, Infinity)
  for (const id of ids.slice(20, 25)) codes.note(id, 1)
  const before = codes.sync()
  const move = table.kept((id) => id >= 15)
  codes.trim(move, budget)
  expect(codes.sizeBytes).toBeLessThanOrEqual(budget)
  const after = codes.sync()
  expect(after).not.toBe(before)
  // Headers come back when they are required, most of them without another lift.
  let lifts = 0
  for (const [n, id] of ids.entries()) {
    const now = move.ids[id]!
    if (now < 0) continue
    expect(codes.has(now)).toBe(false)
    const size = codes.sizeBytes
    codes.require(now)
    const [at] = vectors(codes.sync(), codes.codesAt + 2 * now, 1)
    expect(vectors(codes.sync(), at!, 400)).toEqual(new Array(1600).fill(100 + n))
    if (codes.sizeBytes !== size) lifts++
    if (n >= 20 && n < 25) expect(codes.sizeBytes).toBe(size)
  }
  expect(lifts).toBeGreaterThan(0)
  const header = vectors(codes.sync(), codes.microAt, 2)
  expect([header[6], vectors(codes.sync(), header[0]!)[0]]).toEqual([CODE_PRESENT, 90])
})
