import { expect, test } from 'vitest'
import { createRandom } from '../../bench/random.ts'
import { bloomIndicesOfWord } from '../../host/chain/bloom.ts'
import { BufferPool } from '../../host/device/buffer_pool.ts'
import { BloomRunner } from '../../host/session/device_blooms.ts'
import { describeOnAdapters } from './rig.ts'

const SEED = 12
const LANES = 200

describeOnAdapters('lane_vm_bloom', (rig) => {
  test('has the bits of all topics but the first of each log', async () => {
    const random = createRandom(SEED, 'logs')
    const words: number[] = [0, 0, 0, 0]
    const lists: number[] = []
    const expected = new Map<number, readonly [number, number]>()
    let vectors = 0
    for (let lane = 0; lane < LANES; lane++) {
      const logs = 1 + random.below(4)
      lists.push(words.length / 4, logs, vectors, 0)
      for (let log = 0; log < logs; log++, vectors += 2) {
        const topics = random.below(5)
        const bytes = random.below(3) * 20
        const data = Math.ceil(bytes / 16)
        words.push(random.u32(), topics, bytes, 1 + 2 * topics + data)
        const at = words.length
        for (let limb = 0; limb < 8 * topics + 4 * data; limb++) words.push(random.u32())
        for (let topic = 1; topic < topics; topic++) {
          const bits = new Uint16Array(3)
          bloomIndicesOfWord(bits, Uint32Array.from(words), at + 8 * topic)
          expected.set(4 * vectors + 2 * (topic - 1), [bits[0]! | (bits[1]! << 16), bits[2]!])
        }
      }
    }
    const { device } = rig
    const pool = new BufferPool(device)
    const buffer = device.storage('logs', 4 * words.length)
    device.upload(buffer, 0, Uint32Array.from(words))
    const blooms = new BloomRunner(device, pool)
    const found = (await blooms.hashLogs(buffer, Uint32Array.from(lists), vectors))!
    expect(blooms.faults).toEqual([])
    expect(expected.size).toBeGreaterThan(LANES)
    for (const [at, bits] of expected) expect([found[at], found[at + 1]]).toEqual(bits)
    pool.destroy()
    buffer.destroy()
  })

  test('a device that cannot is told of, and the host hashes', async () => {
    const { device } = rig
    const pool = new BufferPool(device)
    const blooms = new BloomRunner(device, pool)
    const buffer = device.storage('logs', 64)
    const most = device.limits.maxStorageBufferBindingSize
    expect(await blooms.hashLogs(buffer, Uint32Array.of(0, 1, 0, 0), most)).toBeUndefined()
    expect(blooms.faults).toHaveLength(1)
    expect(blooms.faults[0]).toMatch(/bytes, this device binds at most/)
    pool.destroy()
    buffer.destroy()
  })
})
