import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BufferPool } from '../../host/device/buffer_pool.ts'
import { withCheckedIndexes } from '../../host/device/checked_device.ts'
import type { ComputeDevice } from '../../host/device/compute_device.ts'
import { openDevice } from '../../host/device/device.ts'
import { ADAPTERS } from './rig.ts'

/** Writes 7 at the index that the uniform names, read through a workgroup array of 4. */
const WGSL = `
@group(0) @binding(0) var<uniform> parameters: vec4<u32>;
@group(0) @binding(1) var<storage, read_write> words: array<u32>;
const SIZE = 4u;
var<workgroup> shared_words: array<u32, SIZE>;
@compute @workgroup_size(1) fn main() {
  shared_words[parameters.y] = parameters.x; // shared_words[
  words[shared_words[parameters.y]] = 7u;
}`

describe.each(ADAPTERS)('a device that checks indexes, on %s', (adapter) => {
  let device: ComputeDevice
  beforeAll(async () => {
    device = await openDevice({ adapter, robustness: 'checked' })
  })
  afterAll(() => device.destroy())

  const runAt = async (index: number, workgroupIndex: number): Promise<readonly number[]> => {
    const bindings = [
      { binding: 0, type: 'uniform' },
      { binding: 1, type: 'storage' },
    ] as const
    const kernel = await device.kernel({ label: 'store', wgsl: WGSL, entryPoint: 'main', bindings })
    const parameters = device.uniform('parameters', 16)
    device.upload(parameters, 0, Uint32Array.of(index, workgroupIndex, 0, 0))
    const words = device.storage('words', 16)
    const bindGroup = device.bindGroup(kernel, [
      { binding: 0, buffer: parameters },
      { binding: 1, buffer: words },
    ])
    const { reads } = await device.run([{ kind: 'dispatch', kernel, bindGroup, workgroups: 1 }], {
      reads: [{ buffer: words, byteOffset: 0, byteLength: 16 }],
    })
    return [...reads[0]!]
  }

  test('the last element is inside', async () => {
    expect(await runAt(3, 3)).toEqual([0, 0, 0, 7])
  })

  test('one element more rejects the run by kernel, expression and index, and the next run stands', async () => {
    await expect(runAt(4, 0)).rejects.toThrow(
      'index outside after store: store: words[shared_words[parameters.y]] at 4',
    )
    expect(await runAt(0, 0)).toEqual([7, 0, 0, 0])
  })

  test('an index of a workgroup array is checked against its constant size', async () => {
    await expect(runAt(1, 4)).rejects.toThrow('shared_words[parameters.y] at 4')
  })

  test('a pool gives buffers of exact size that are not zero', async () => {
    const pool = new BufferPool(device)
    const buffer = pool.storage(5000)
    expect(buffer.size).toBe(5008)
    const words = await device.readback(buffer, 0, 5008)
    expect(words.every((word) => word !== 0)).toBe(true)
    pool.destroy()
  })
})

test('withCheckedIndexes leaves literal indices, what is no array of the module, and comments', () => {
  const sites: string[] = []
  const text = withCheckedIndexes(
    'var<storage, read> a: array<vec4<u32>>;\n// a[\nfn f(v: vec4<u32>) -> u32 { return a[0][1] + v[2] + a[v[0]].x; }',
    (site) => sites.push(site) - 1,
  )
  expect(sites).toEqual(['a[v[0]]'])
  expect(text).toContain('return a[0][1] + v[2] + a[checked_index(v[0], arrayLength(&a), 0u)].x;')
})

test('withCheckedIndexes checks an array in the struct of a variable against its length, and no array of a value', () => {
  const sites: string[] = []
  const text = withCheckedIndexes(
    `struct Inner { w: array<u32, 4> }
struct Uniform {
  count: u32,
  words: array<Inner, 8>,
}
var<uniform> parameters: Uniform;
fn f(inner: Inner, i: u32) -> u32 { return parameters.words[i].w[i] + parameters.words[0].w[1] + inner.w[i]; }`,
    (site) => sites.push(site) - 1,
  )
  expect(sites).toEqual(['parameters.words[i]'])
  expect(text).toContain('parameters.words[checked_index(i, u32(8), 0u)].w[i]')
})
