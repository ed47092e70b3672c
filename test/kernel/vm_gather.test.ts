import { expect, test } from 'vitest'
import { createRandom } from '../../bench/random.ts'
import { BufferPool } from '../../host/device/buffer_pool.ts'
import { GatherList, VmGather } from '../../host/tiers/lane_vm/gather.ts'
import { describeOnAdapters } from './rig.ts'

const SEED = 11
const STORE_VECTORS = 5000

describeOnAdapters('lane_vm_gather', (rig) => {
  test('copies strided and linear segments to one dense run', async () => {
    const random = createRandom(SEED, 'segments')
    const store = Uint32Array.from({ length: 4 * STORE_VECTORS }, () => random.u32())
    const list = new GatherList()
    const expected: number[] = []
    for (let n = 0; n < 700; n++) {
      const stride = random.below(2) === 0 ? 1 : 64
      const count = n % 100 === 0 ? (stride === 1 ? 300 : 70) : random.below(9)
      const source = random.below(STORE_VECTORS - stride * count)
      const at = list.add(source, stride, count)
      expect(at).toBe(expected.length / 4)
      for (let v = 0; v < count; v++)
        expected.push(...store.subarray(4 * (source + v * stride), 4 * (source + v * stride + 1)))
    }
    const { device } = rig
    const buffer = device.storage('store', store.byteLength)
    device.upload(buffer, 0, store)
    const pool = new BufferPool(device)
    const gather = await VmGather.compile(device, pool)
    expect(await gather.run(buffer, new GatherList())).toEqual(new Uint32Array(0))
    expect(await gather.run(buffer, list)).toEqual(Uint32Array.from(expected))
    pool.destroy()
    buffer.destroy()
  })
})
